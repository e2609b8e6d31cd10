"""Cameras from rendered coordinate maps, in the published conventions."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from monoform import InputError
from monoform.camera.pnp import PnpOptions
from monoform.methods.bootstrap.estimate_pose import (
    PERCENTILES,
    PoseOptions,
    crop_intrinsics,
    estimate_cameras,
    focal_guesses,
)
from monoform.methods.bootstrap.pose_parameters import PoseParameters, rotation_degrees

SIZE = 32
RADII = torch.tensor([1.0, 0.5, 0.35]).double()


def some_poses(seed: int, count: int, *, orthographic: bool = False) -> PoseParameters:
    normal = torch.randn(count, 8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    focal = None if orthographic else 0.4 * normal[:, 7]
    return PoseParameters(normal[:, :4], 0.1 * normal[:, 4:6], 0.6 * (0.1 * normal[:, 6]).exp(), focal)


def render(
    pose: PoseParameters, *, box: Tensor | None = None, center: Tensor | None = None, shift: float = 0.0
) -> tuple[Tensor, Tensor]:
    """The coordinate map of an ellipsoid by the published rays, and its mask.

    Args:
        shift: of the rays within their pixels: 0 at the corner, 0.5 at the center.
    """
    matrices, focal = pose.matrices(flipped=False)
    places = (torch.arange(SIZE).double() + shift) / SIZE
    u, v = (x.expand(len(matrices), -1, -1) for x in torch.meshgrid(places, places, indexing="xy"))
    a, b = 2 * u - 1, 2 * v - 1
    if box is not None:
        corner, extent = box[:, 0, :, None, None], box[:, 1, :, None, None]
        a, b = extent[:, 0] * u + corner[:, 0], -(extent[:, 1] * (1 - v) + corner[:, 1])
    if center is not None:
        a, b = a + 1 - 2 * center[:, 0, None, None], b + 1 - 2 * center[:, 1, None, None]
    rotation, position = matrices[:, None, None, :3, :3], matrices[:, None, None, :3, 3]
    if focal is None:
        origins = (rotation @ torch.stack([a, -b, 0 * a], -1)[..., None])[..., 0] + position
        directions = -rotation[..., 2].expand_as(origins)
    else:
        length = 2 * focal[:, None, None]
        local = torch.stack([a / length, -b / length, -torch.ones_like(a)], -1)
        directions, origins = (rotation @ local[..., None])[..., 0], position.expand(*a.shape, 3)
    o, d = origins / RADII, directions / RADII
    aa, bb = d.square().sum(-1), (o * d).sum(-1)
    root = bb.square() - aa * (o.square().sum(-1) - 1)
    t = (-bb - root.clamp_min(0).sqrt()) / aa
    return origins + t[..., None] * directions, (root > 0).double()


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**31), st.booleans(), st.booleans())
def test_a_rendered_map_gives_its_camera(seed: int, orthographic: bool, published: bool):
    pose = some_poses(seed, 2, orthographic=orthographic)
    matrices, focal = pose.matrices(flipped=False)
    coordinates, mask = render(pose)
    for n in range(2):
        one = slice(n, n + 1)
        focals = None if focal is None else focal[one]
        found = estimate_cameras(coordinates[one], mask[one], focals, options=PoseOptions(published=published))
        assert bool(found.found.all())
        # Orthographic cameras are published as ones of a long focal length.
        limit = 0.5 if published and orthographic else 0.02
        assert float(rotation_degrees(found.world_from_camera[:, 0], matrices[one]).max()) < limit
        if not published:
            torch.testing.assert_close(found.world_from_camera[0, 0, 3, 3], matrices[n, 3, 3], rtol=1e-4, atol=0)
            back = PoseParameters.of_matrices(
                found.world_from_camera[:, 0], None if found.focal is None else found.focal[:, 0], flipped=False
            )
            torch.testing.assert_close(back.offset, pose.offset[one], atol=1e-4, rtol=0)
            torch.testing.assert_close(back.scale, pose.scale[one], atol=0, rtol=1e-4)


def test_noise_and_outliers_leave_the_camera_within_half_a_degree():
    draw = torch.Generator().manual_seed(1)
    pose = some_poses(1, 6)
    coordinates, mask = render(pose)
    coordinates = coordinates + 0.005 * torch.randn(coordinates.shape, generator=draw)
    wrong = torch.rand(mask.shape, generator=draw) < 0.3
    coordinates = torch.where(
        wrong[..., None], 2 * torch.rand(coordinates.shape, generator=draw).double() - 1, coordinates
    )
    matrices, focal = pose.matrices(flipped=False)
    assert focal is not None
    found, published = (
        torch.cat(
            [
                estimate_cameras(
                    coordinates[n : n + 1], mask[n : n + 1], focal[n : n + 1], options=options
                ).world_from_camera
                for n in range(6)
            ]
        )[:, 0]
        for options in (PoseOptions(), PoseOptions(published=True))
    )
    assert float(rotation_degrees(found, matrices).max()) < 0.5
    assert float(rotation_degrees(published, matrices).median()) > 0.5


@pytest.mark.parametrize("orthographic", [False, True])
def test_crops_and_principal_points_are_those_of_the_rays(orthographic: bool):
    pose = some_poses(3, 3, orthographic=orthographic)
    matrices, focal = pose.matrices(flipped=False)
    box = torch.tensor([[[-0.6, -0.8], [1.2, 1.5]]]).double().repeat(3, 1, 1)
    center = torch.tensor([[0.45, 0.58]]).double().repeat(3, 1)
    # One image after another: each has its own focal length.
    for view in ({"box": box}, {"center": center}):
        coordinates, mask = render(pose, **view)
        for n in range(3):
            one = slice(n, n + 1)
            found = estimate_cameras(
                coordinates[one],
                mask[one],
                None if focal is None else focal[one],
                **{name: value[one] for name, value in view.items()},
            )
            torch.testing.assert_close(found.world_from_camera[:, 0, :3, :3], matrices[one, :3, :3], atol=1e-3, rtol=0)
    whole = crop_intrinsics(torch.ones(1, 1), box=torch.tensor([[[-1.0, -1.0], [2.0, 2.0]]]))
    torch.testing.assert_close(whole, crop_intrinsics(torch.ones(1, 1)))


def test_pixel_centers_are_an_option():
    pose = some_poses(4, 1)
    matrices, focal = pose.matrices(flipped=False)
    coordinates, mask = render(pose, shift=0.5)
    right, wrong = (
        estimate_cameras(coordinates, mask, focal, options=PoseOptions(PnpOptions(samples=0), pixel_centers=which))
        for which in (True, False)
    )
    assert float(right.error) < 1e-6 < float(wrong.error)
    assert float(rotation_degrees(right.world_from_camera[:, 0], matrices)) < 0.01


def test_several_cameras_are_kept_and_failures_look_away():
    pose = some_poses(5, 2)
    _, focal = pose.matrices(flipped=False)
    assert focal is not None
    coordinates, mask = render(pose)
    mask[1] = 0.0
    guesses = torch.cat([focal[:1], focal[:1] * 1.2, focal[:1] * 0.7])
    for published in (True, False):
        found = estimate_cameras(coordinates, mask, guesses, keep=2, options=PoseOptions(published=published))
        assert found.error.shape == (2, 2) and found.found.tolist() == [[True, True], [False, False]]
        assert found.focal is not None
        torch.testing.assert_close(found.focal[0, 0], focal[0])
        assert float(found.error[0, 0]) < float(found.error[0, 1])
        assert found.error[1].tolist() == [10.0, 10.0] and found.focal[1].tolist() == [1.0, 1.0]
        # The world's origin is behind it.
        away = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0])).double()
        away[2, 3] = 10.0
        torch.testing.assert_close(found.world_from_camera[1, 0], away)


def test_confidence_counts():
    pose = some_poses(6, 1)
    matrices, focal = pose.matrices(flipped=False)
    coordinates, mask = render(pose)
    coordinates[:, :, : SIZE // 2] += 0.2
    mask[:, :, : SIZE // 2] *= 0.91
    errors = []
    for confidence in (True, False):
        options = PoseOptions(PnpOptions(samples=0), confidence=confidence)
        found = estimate_cameras(coordinates, mask, focal, options=options)
        errors.append(float(rotation_degrees(found.world_from_camera[:, 0], matrices)))
    assert errors[0] < errors[1]


def test_guesses_are_percentiles_each_once():
    focals = torch.linspace(1, 101, 101)
    assert focal_guesses(focals).tolist() == [float(p + 1) for p in PERCENTILES]
    assert focal_guesses(torch.full((7,), 1.5)).tolist() == [1.5]
    with pytest.raises(InputError, match="above 0"):
        focal_guesses(torch.tensor([1.0, -1.0]))
    with pytest.raises(InputError, match="above 0"):
        estimate_cameras(torch.rand(1, 4, 4, 3), torch.ones(1, 4, 4), [])
