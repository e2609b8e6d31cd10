"""Rays and projection: what a pixel sees."""

from __future__ import annotations

import math

import jaxtyping
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.camera.camera_strategies import cameras
from torch import Tensor
from torch.autograd import gradcheck

from monoform import InputError
from monoform.camera import Camera, look_at, orbit, se3_exp

FRONT = look_at(torch.tensor([[0.0, 0.0, 2.0]]))


def pixels_in(camera: Camera, seed: int, n: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    size = torch.tensor([camera.width, camera.height], dtype=torch.float64)
    return torch.rand(len(camera), n, 2, generator=generator, dtype=torch.float64) * size


@given(cameras(), st.integers(0, 99))
def test_projection_undoes_unprojection(camera: Camera, seed: int) -> None:
    pixels = pixels_in(camera, seed)
    depth = 0.5 + pixels[..., 0]
    again, depth_again = camera.project(camera.unproject(pixels, depth))
    assert torch.allclose(again, pixels, atol=1e-9)
    assert torch.allclose(depth_again, depth, atol=1e-9)


@given(cameras(), st.integers(0, 99))
def test_points_along_a_ray_project_to_its_pixel(camera: Camera, seed: int) -> None:
    pixels = pixels_in(camera, seed)
    origins, directions = camera.rays(pixels)
    assert torch.allclose(directions.norm(dim=-1), torch.ones(()).double())
    for distance in (0.7, 2.5):
        again, depth = camera.project(origins + distance * directions)
        assert torch.allclose(again, pixels, atol=1e-9)
        assert bool((depth > 0).all())


@given(cameras(), st.integers(-4, 4), st.integers(-4, 4), st.integers(1, 9), st.integers(1, 9))
def test_cropping_and_resizing_keep_the_rays(camera: Camera, x0: int, y0: int, width: int, height: int) -> None:
    pixels = pixels_in(camera, 0)
    _, directions = camera.rays(pixels)
    cropped = camera.cropped(x0, y0, width, height)
    assert (cropped.width, cropped.height) == (width, height)
    origins, same = cropped.rays(pixels - torch.tensor([x0, y0]))
    assert torch.allclose(same, directions, atol=1e-12)
    resized = camera.resized(width, height)
    scale = torch.tensor([width / camera.width, height / camera.height], dtype=torch.float64)
    resized_origins, same = resized.rays(pixels * scale)
    assert torch.allclose(same, directions, atol=1e-9)
    assert torch.allclose(resized_origins, origins, atol=1e-9)


def test_all_rays_go_row_by_row_through_pixel_centers() -> None:
    camera = Camera.from_fov(FRONT, 0.9, 4, 3)
    centers = torch.tensor([[[x + 0.5, y + 0.5] for y in range(3) for x in range(4)]])
    assert torch.equal(camera.pixel_centers()[None], centers)
    assert torch.equal(camera.rays()[1], camera.rays(centers)[1])


def test_axes_and_field_of_view_by_hand() -> None:
    camera = Camera.from_fov(FRONT, math.radians(90.0), 200, 100)
    points = torch.tensor([[[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 2.0, 0.0]]])
    pixels, depth = camera.project(points)
    # At distance 2 half the height of 90 degrees is 2 units, so a unit is 25 pixels; up is a smaller row.
    expected = torch.tensor([[[100.0, 50.0], [125.0, 50.0], [100.0, 25.0], [100.0, 0.0]]])
    assert torch.allclose(pixels, expected, atol=1e-4)
    assert torch.allclose(depth, torch.full((1, 4), 2.0))
    assert torch.allclose(camera.fov_y, torch.tensor([math.pi / 2]))


def test_orthographic_by_hand() -> None:
    camera = Camera.orthographic(FRONT, 2.0, 200, 100)
    pixels, depth = camera.project(torch.tensor([[[0.5, 0.25, 1.5], [0.5, 0.25, -1.0]]]))
    assert torch.allclose(pixels, torch.tensor([125.0, 37.5]).expand(1, 2, 2), atol=1e-4)
    assert torch.allclose(depth, torch.tensor([[0.5, 3.0]]))
    origins, directions = camera.rays(torch.tensor([[[125.0, 37.5]]]))
    assert torch.allclose(origins, torch.tensor([[[0.5, 0.25, 2.0]]]), atol=1e-6)
    assert torch.allclose(directions, torch.tensor([[[0.0, 0.0, -1.0]]]), atol=1e-6)


def test_a_camera_is_printed_in_a_line() -> None:
    camera = orbit(2, elevation=0.0, distance=2.0, fov_y=2 * math.atan(0.5), width=64, height=48)
    assert repr(camera) == "<2 cameras of 64 x 48 pixels, pinhole>"
    assert repr(camera[0]) == "<Camera of 64 x 48 pixels, pinhole, focal length 48, at (0, 0, 2)>"


def test_batches_index_iterate_and_concatenate() -> None:
    camera = orbit(5, elevation=0.2, distance=2.0, fov_y=0.7, width=6, height=4)
    assert len(camera) == 5 and len(camera[1:4]) == 3
    assert torch.equal(camera[-1].position, camera.position[4:])
    assert torch.equal(Camera.concatenate(list(camera)).world_from_camera, camera.world_from_camera)
    with pytest.raises(IndexError):
        camera[5]
    with pytest.raises(InputError, match="several sizes"):
        Camera.concatenate([camera, camera.resized(3, 2)])
    with pytest.raises(InputError, match="no camera"):
        Camera.concatenate([])


def test_pose_and_intrinsics_receive_gradients() -> None:
    intrinsics = torch.tensor([[[9.0, 0.1, 3.0], [0.0, 8.0, 2.0], [0.0, 0.0, 1.0]]]).double().requires_grad_()
    twist = torch.tensor([[0.1, -0.2, 0.3, 0.2, 0.1, 0.4]]).double().requires_grad_()
    points = torch.tensor([[[0.1, 0.2, 3.0], [-0.3, 0.2, 2.0]]]).double()
    for model in ("pinhole", "orthographic"):

        def results(twist: Tensor, intrinsics: Tensor, model: str = model) -> tuple[Tensor, ...]:
            camera = Camera(se3_exp(twist), intrinsics, 6, 4, model)
            pixels, depth = camera.project(points)
            return (pixels, depth, *camera.rays(pixels + 1.0), camera.unproject(pixels - 1.0, depth))

        assert gradcheck(results, (twist, intrinsics))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "fisheye"}, "model is 'fisheye'"),
        ({"width": 0}, "size is 0 x 4"),
    ],
)
def test_bad_cameras_are_refused(change: dict, message: str) -> None:
    good = {"world_from_camera": FRONT, "intrinsics": torch.eye(3)[None], "width": 6, "height": 4}
    with pytest.raises(InputError, match=message):
        Camera(**{**good, **change})


def test_wrong_shapes_are_named_where_no_annotation_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(InputError, match="intrinsics has shape"):
        Camera(torch.eye(4).expand(2, 4, 4), torch.eye(3)[None], 6, 4)
    with pytest.raises(InputError, match="world_from_camera has shape"):
        Camera(torch.eye(4), torch.eye(3)[None], 6, 4)


@pytest.mark.parametrize("fov", [0.0, -1.0, math.pi, math.nan])
def test_field_of_view_must_be_possible(fov: float) -> None:
    with pytest.raises(InputError, match="fov_y"):
        Camera.from_fov(FRONT, fov, 4, 4)


def test_view_height_and_field_of_view_of_the_wrong_kind() -> None:
    with pytest.raises(InputError, match="view_height"):
        Camera.orthographic(FRONT, 0.0, 4, 4)
    with pytest.raises(InputError, match="no field of view"):
        _ = Camera.orthographic(FRONT, 1.0, 4, 4).fov_y
