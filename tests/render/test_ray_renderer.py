"""Renderers of rays: of fields the same as `render_rays`, of meshes the same as drawn pictures, and with slopes."""

from __future__ import annotations

import math

import numpy as np
import torch

from monoform.camera import Camera, look_at
from monoform.mesh import Mesh
from monoform.nn import Sphere
from monoform.render import RaySampling, render_mesh, render_rays
from monoform.render.mesh_rays import MeshRenderer
from monoform.render.ray_renderer import FieldRenderer, RayRenderer

CAMERA = Camera.from_fov(look_at(torch.tensor([[0.9, 0.5, 1.3]])), math.radians(40), 40, 30)


def pyramid(*, textured: bool) -> Mesh:
    corners = [[-0.4, -0.3, 0.3], [0.4, -0.3, 0.3], [0.0, -0.3, -0.4], [0.0, 0.4, 0.0]]
    vertices, faces = np.array(corners), np.array([[0, 1, 3], [1, 2, 3], [2, 0, 3], [0, 2, 1]])
    if not textured:
        colors = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [250, 250, 250]], np.uint8)
        return Mesh(vertices, faces, vertex_colors=colors)
    rows, columns = np.mgrid[0:32, 0:48]
    texture = np.stack((rows * 7, columns * 5, 255 - rows * 3), axis=-1).astype(np.uint8)
    return Mesh(vertices, faces, uv=np.array([[0.1, 0.1], [0.9, 0.2], [0.5, 0.5], [0.3, 0.9]]), texture=texture)


def rays() -> tuple[torch.Tensor, torch.Tensor]:
    origins, directions = CAMERA.rays()
    return origins[0], directions[0]


def test_a_field_renders_as_its_rays_do() -> None:
    field, options = Sphere(), RaySampling(coarse=16, fine=8, background=(0.2, 0.3, 0.4))
    renderer = FieldRenderer(field, options)
    assert isinstance(renderer, RayRenderer)
    seen, expected = renderer(*rays()), render_rays(field, *rays(), options)
    assert torch.equal(seen.rgb, expected.rgb) and torch.equal(seen.alpha, expected.alpha)
    assert torch.equal(seen.distance, expected.distance)
    one, two = (renderer(*rays(), generator=torch.Generator().manual_seed(3)).rgb for _ in range(2))
    assert torch.equal(one, two) and not torch.equal(one, seen.rgb)


def test_a_mesh_renders_as_it_is_drawn() -> None:
    for textured in (False, True):
        mesh = pyramid(textured=textured)
        seen = MeshRenderer(mesh, (0.1, 0.2, 0.3))(*rays())
        drawn = render_mesh(mesh, CAMERA, background=(0.1, 0.2, 0.3))
        mask = torch.from_numpy(drawn.mask).flatten()
        assert torch.equal(seen.alpha > 0.5, mask) and 100 < int(mask.sum()) < 1000
        # Drawing rounds places in the texture to 1/32 of a texel.
        torch.testing.assert_close(seen.rgb, torch.from_numpy(drawn.rgb).reshape(-1, 3), atol=4e-3, rtol=0)
        forward = rays()[1] @ CAMERA.world_from_camera[0, :3, 2]
        depth = torch.from_numpy(drawn.depth).flatten()
        torch.testing.assert_close((seen.distance * forward)[mask], depth[mask], atol=1e-5, rtol=0)
        assert (seen.distance[~mask] == 0).all()


def test_slopes_of_a_mesh_are_those_of_finite_differences() -> None:
    origins, directions = (values[::7].double() for values in rays())
    for textured in (False, True):
        renderer = MeshRenderer(pyramid(textured=textured))
        start = origins.clone().requires_grad_()
        along = directions.clone().requires_grad_()
        weight = torch.linspace(0.5, 1.5, 3).double()
        by_start, by_along = torch.autograd.grad((renderer(start, along).rgb * weight).sum(), (start, along))
        step = 1e-6
        for axis in range(3):
            change = torch.zeros(3).double()
            change[axis] = step
            for slope, ahead, behind in (
                (by_start, renderer(origins + change, directions), renderer(origins - change, directions)),
                (by_along, renderer(origins, directions + change), renderer(origins, directions - change)),
            ):
                measured = ((ahead.rgb - behind.rgb) * weight).sum(-1) / (2 * step)
                # Kinks of the bilinear texture and outlines have no slope: few rays are so near to one.
                wrong = (slope[:, axis] - measured).abs() > 1e-4 * (1 + measured.abs())
                assert wrong.double().mean() < 0.02


def test_an_unpainted_mesh_and_rays_that_miss() -> None:
    mesh = pyramid(textured=False)
    bare = MeshRenderer(Mesh(mesh.vertices, mesh.faces))
    seen = bare(*rays())
    assert torch.equal(seen.rgb[seen.alpha > 0.5].unique(), torch.tensor([0.8]).double().float())
    missed = bare(rays()[0], -rays()[1])
    assert (missed.rgb == 1).all() and (missed.alpha == 0).all()
