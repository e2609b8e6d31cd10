"""Fields rendered by whole cameras: closed-form balls, exact distances, and gradients."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import pytest
import torch
from torch import Tensor

from monoform import InputError
from monoform.camera import Camera, look_at, orbit, se3_exp
from monoform.nn import Box, Field, FieldSamples, Fog, Sphere
from monoform.render import RaySampling, normals, ray_sphere, rays_per_chunk, render_field, render_rays

CAMERA = orbit(2, elevation=0.3, distance=2.0, fov_y=0.6, width=20, height=16)


def rays_of(camera: Camera) -> tuple[Tensor, Tensor]:
    origins, directions = camera.rays()
    return origins.reshape(-1, 3), directions.reshape(-1, 3)


def test_ball_of_fog_has_its_closed_form_coverage_and_depth() -> None:
    fog = Fog(radius=0.4, density=4.0, rgb=(0.2, 0.4, 0.6))
    render = render_field(fog, CAMERA, RaySampling(coarse=256, fine=256))
    origins, directions = rays_of(CAMERA)
    near, far, _ = ray_sphere(origins, directions, fog.radius)
    chord = far - near
    alpha = 1.0 - torch.exp(-fog.density * chord)
    assert float((render.alpha.reshape(-1) - alpha).abs().max()) < 0.01
    expected = alpha[:, None] * torch.tensor(fog.rgb) + (1.0 - alpha[:, None])
    assert float((render.rgb.reshape(-1, 3) - expected).abs().max()) < 0.01
    # Mean of an exponential distribution that is cut off at the chord.
    mean = near + 1.0 / fog.density - chord * torch.exp(-fog.density * chord) / alpha.clamp_min(1e-9)
    forward = CAMERA.world_from_camera[:, None, :3, 2].expand(2, 320, 3).reshape(-1, 3)
    depth = mean * (directions * forward).sum(-1)
    inside = chord > 0.1
    assert float((render.depth.reshape(-1) - depth)[inside].abs().max()) < 0.01


@pytest.mark.parametrize("kind", ["pinhole", "orthographic"])
def test_surface_of_a_ball_has_its_exact_depth_mask_and_normals(kind: str) -> None:
    ball = Sphere(0.4, center=(0.05, -0.02, 0.03), rgb=(0.2, 0.4, 0.6))
    camera = CAMERA if kind == "pinhole" else Camera.orthographic(CAMERA.world_from_camera, 1.1, 20, 16)
    options = RaySampling()
    render = render_field(ball, camera, options)
    origins, directions = rays_of(camera)
    near, far, hit = ray_sphere(origins, directions, ball.radius, ball.center)
    depth, normal = render.depth.reshape(-1), render.normal.reshape(-1, 3)
    assert torch.equal(render.mask.reshape(-1), hit)
    hit &= far - near > 0.2
    points = origins + near[:, None] * directions
    forward = camera.world_from_camera[:, None, :3, 2].expand(2, 320, 3).reshape(-1, 3)
    exact = (near * (directions * forward).sum(-1))[hit]
    assert float((depth[hit] - exact).abs().max()) < options.beta
    expected = (points - torch.tensor(ball.center)) / ball.radius
    assert float((normal[hit] * expected[hit]).sum(-1).min()) > 0.995
    assert float((render.rgb.reshape(-1, 3)[hit] - torch.tensor(ball.rgb)).abs().max()) < 5e-3
    away = ray_sphere(origins, directions, ball.radius + 0.06, ball.center)[2].logical_not()
    assert bool(depth[away].isinf().all()) and bool((normal[away] == 0).all())
    assert torch.allclose(render.rgb.reshape(-1, 3)[away], torch.ones(()), atol=1e-6)


def test_depth_agrees_with_the_camera_that_made_it() -> None:
    ball = Sphere(0.4)
    render = render_field(ball, CAMERA)
    pixels = CAMERA.pixel_centers().expand(2, -1, -1)
    points = CAMERA.unproject(pixels, render.depth.reshape(2, -1))
    on_surface = points[(render.alpha > 0.999).reshape(2, -1)].norm(dim=-1)
    assert len(on_surface) > 100
    assert float((on_surface - 0.4).abs().median()) < 0.005


def test_memory_budget_changes_nothing_but_the_pieces() -> None:
    field = Box((0.3, 0.2, 0.25))
    options = RaySampling(coarse=16, fine=8)
    whole = render_field(field, CAMERA, options)
    pieces = render_field(field, CAMERA, options, memory_bytes=24 * 100 * 7, bytes_per_point=100)
    for name in ("rgb", "alpha", "depth", "normal"):
        assert torch.allclose(getattr(whole, name), getattr(pieces, name), atol=1e-5), name


def test_pieces_are_as_large_as_the_budget_allows() -> None:
    sizes: list[int] = []

    class Spy(Fog):
        def geometry(self, points: Tensor) -> Tensor:
            sizes.append(len(points))
            return super().geometry(points)

    render_field(Spy(), CAMERA[0], RaySampling(coarse=10, fine=0), memory_bytes=10 * 64 * 5, bytes_per_point=64)
    assert max(sizes) == 50
    assert rays_per_chunk(10, memory_bytes=1, bytes_per_point=64) == 1
    with pytest.raises(InputError, match="0 samples"):
        rays_per_chunk(0)


@dataclass(frozen=True)
class Blob(Field):
    """A soft ball whose size can be learned."""

    size: Tensor
    kind: ClassVar[Literal["density"]] = "density"
    bounds: ClassVar[Tensor] = torch.tensor([[-0.5] * 3, [0.5] * 3])
    representative_direction: ClassVar[None] = None

    def geometry(self, points: Tensor) -> Tensor:
        return 20.0 * torch.exp(-points.square().sum(-1) / self.size**2)

    def values(self, points: Tensor, directions: Tensor | None = None) -> Tensor:
        return torch.sigmoid(4.0 * points + self.size)


def gradients(dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    size = torch.tensor(0.2, dtype=dtype, requires_grad=True)
    twist = torch.zeros(1, 6, dtype=dtype, requires_grad=True)
    pose = se3_exp(twist) @ CAMERA[0].world_from_camera.to(dtype)
    camera = replace(CAMERA[0].to(dtype), world_from_camera=pose)
    rays = render_rays(Blob(size), *rays_of(camera), RaySampling(coarse=24, fine=0))
    weights = torch.linspace(0.0, 1.0, rays.rgb.numel(), dtype=dtype).reshape(rays.rgb.shape)
    (rays.rgb * weights).mean().backward()
    return size.grad, twist.grad


def test_float32_gradients_equal_float64() -> None:
    single, double = gradients(torch.float32), gradients(torch.float64)
    for low, high in zip(single, double, strict=True):
        assert float(high.abs().max()) > 1e-3
        assert torch.allclose(low.double(), high, rtol=2e-3, atol=1e-5)


def test_gradient_of_the_size_equals_a_difference() -> None:
    def loss(size: float) -> float:
        rays = render_rays(Blob(torch.tensor(size).double()), *rays_of(CAMERA[0].to(torch.float64)))
        weights = torch.linspace(0.0, 1.0, rays.rgb.numel(), dtype=torch.float64).reshape(rays.rgb.shape)
        return float((rays.rgb * weights).mean())

    size = torch.tensor(0.2, dtype=torch.float64, requires_grad=True)
    rays = render_rays(Blob(size), *rays_of(CAMERA[0].to(torch.float64)))
    weights = torch.linspace(0.0, 1.0, rays.rgb.numel(), dtype=torch.float64).reshape(rays.rgb.shape)
    (rays.rgb * weights).mean().backward()
    # The fine samples move with the size, which autograd leaves out: agreement is to the quadrature error.
    assert float(size.grad) == pytest.approx((loss(0.201) - loss(0.199)) / 0.002, rel=0.02)


def test_images_carry_no_graph_and_are_the_same_twice() -> None:
    blob = Blob(torch.tensor(0.2, requires_grad=True))
    first, second = render_field(blob, CAMERA[0]), render_field(blob, CAMERA[0])
    assert not first.rgb.requires_grad and not first.normal.requires_grad
    assert torch.equal(first.rgb, second.rgb) and torch.equal(first.depth, second.depth)


def test_seeded_draws_repeat_and_differ_from_the_middles() -> None:
    rays = rays_of(CAMERA[0])
    one, two = (render_rays(Sphere(), *rays, generator=torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(one.distances, two.distances)
    assert not torch.equal(one.distances, render_rays(Sphere(), *rays).distances)
    assert torch.allclose(one.alpha, render_rays(Sphere(), *rays).alpha, atol=0.3)


def test_fine_samples_sharpen_the_depth() -> None:
    ball = Sphere(0.4)
    origins, directions = rays_of(CAMERA)
    near, far, hit = ray_sphere(origins, directions, 0.4)
    hit &= far - near > 0.1

    def error(options: RaySampling) -> float:
        return float((render_rays(ball, origins[hit], directions[hit], options).distance - near[hit]).abs().mean())

    assert error(RaySampling(coarse=32, fine=32)) < 0.5 * error(RaySampling(coarse=64, fine=0))


def test_options_change_what_they_say() -> None:
    black = render_field(Sphere(), CAMERA[0], RaySampling(background=(0.0, 0.0, 0.0)))
    assert float(black.rgb[0, 0, 0].max()) == 0.0
    soft = render_field(Sphere(), CAMERA[0], RaySampling(beta=0.05))
    sharp = render_field(Sphere(), CAMERA[0], RaySampling(beta=0.002))
    assert float(((soft.alpha > 0.05) & (soft.alpha < 0.95)).sum()) > float(
        ((sharp.alpha > 0.05) & (sharp.alpha < 0.95)).sum()
    )
    for wrong in ({"coarse": 1}, {"fine": -1}, {"beta": 0.0}, {"beta": math.nan}):
        with pytest.raises(InputError):
            RaySampling(**wrong)


def test_normals_point_out_of_both_kinds() -> None:
    points = torch.tensor([[0.3, 0.0, 0.0], [0.0, -0.3, 0.0]])
    expected = torch.tensor([[1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    assert torch.allclose(normals(Sphere(0.3), points), expected, atol=1e-3)
    assert torch.allclose(normals(Blob(torch.tensor(0.2)), points), expected, atol=1e-3)
    assert torch.equal(normals(Fog(0.4), points), torch.zeros(2, 3))


class Counted(Field):
    """A ball of fog that counts its queries and adds two channels of its own: the height, and 1."""

    kind: ClassVar[Literal["density"]] = "density"
    representative_direction: ClassVar[None] = None

    def __init__(self) -> None:
        self.fog, self.asked = Fog(0.4, density=8.0), 0

    @property
    def bounds(self) -> Tensor:
        return self.fog.bounds

    def query(self, points: Tensor, directions: Tensor | None = None) -> FieldSamples:
        self.asked += len(points)
        more = torch.stack((points[:, 1], torch.ones_like(points[:, 1])), dim=1)
        return FieldSamples(self.fog.geometry(points), torch.cat((self.fog.values(points), more), dim=1))


def test_a_field_is_asked_once_for_each_sample_and_any_channels_are_accumulated() -> None:
    field, (origins, directions) = Counted(), rays_of(CAMERA[0])
    seen = render_rays(field, origins, directions, RaySampling(coarse=16, fine=8))
    assert field.asked == len(origins) * 24
    assert torch.allclose(seen.values[:, 4], seen.alpha, atol=1e-6)
    height = (seen.weights * (origins[:, 1:2] + seen.distances * directions[:, 1:2])).sum(dim=1)
    assert torch.allclose(seen.values[:, 3], height, atol=1e-5)


def test_inside_the_object_everything_is_covered() -> None:
    camera = Camera.from_fov(look_at(torch.tensor([[0.0, 0.0, 0.1]]), (0.0, 0.0, -1.0)), 0.6, 4, 4)
    assert float(render_field(Fog(0.4, density=20.0), camera).alpha.min()) > 0.999
