"""The atlas of a photo and the colors that go on behind it, on solids whose texels and colors are known."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from monoform.camera import Camera, look_at, orbit
from monoform.mesh import Mesh, bake, continued_photo, report
from monoform.mesh.atlas import covering_others
from monoform.mesh.diffusion import diffused
from monoform.mesh.packing import pack
from monoform.mesh.photo_atlas import FAIR, UNSEEN, facing_of, photo_atlas
from monoform.mesh.texture import texel_density
from monoform.render import render_mesh

from .mesh_shapes import box, icosphere, joined, moved, two_triangles

SIDE = 256
RED, BLUE = np.array([0.8, 0.2, 0.1]), np.array([0.1, 0.3, 0.7])


def ball(subdivisions: int = 4) -> Mesh:
    sphere = icosphere(subdivisions=subdivisions)
    return Mesh(0.5 * sphere.vertices / np.linalg.norm(sphere.vertices, axis=1, keepdims=True), sphere.faces)


def camera(size: int = SIDE) -> Camera:
    return Camera.from_fov(look_at(torch.tensor([[0.0, 0.0, 2.5]])), 0.5, size, size)


def density(mesh: Mesh) -> np.ndarray:
    """Share of the atlas for each unit of area, of each face."""
    return texel_density(replace(mesh, texture=np.zeros((1, 1, 3), np.uint8)))


def test_texel_density_of_a_square_that_is_half_of_an_image():
    square = two_triangles(np.zeros((40, 60, 3), np.uint8))
    half = replace(square, vertices=2 * square.vertices, uv=square.uv * (0.5, 1.0))
    np.testing.assert_allclose(texel_density(half), 0.5 * 40 * 60 / 4)


def two_colored() -> tuple[np.ndarray, np.ndarray]:
    """A photo of the ball, red on the left, blue on the right; and its mask."""
    mask = render_mesh(ball(), camera()).mask
    rgb = np.where(np.arange(SIDE)[None, :, None] < SIDE // 2, RED, BLUE).repeat(SIDE, axis=0)
    return rgb.astype(np.float32), mask


def behind() -> Mesh:
    """A box that the ball hides."""
    return moved(box((0.4, 0.4, 0.5)), (0.0, 0.0, -1.25))


@pytest.mark.parametrize("solid", [ball(), joined(ball(3), behind())])
def test_every_face_has_texels_of_its_own(solid):
    atlas = photo_atlas(solid, camera(), resolution=512)
    assert report(atlas).watertight and atlas.uv.min() >= 0 and atlas.uv.max() <= 1
    np.testing.assert_allclose(atlas.triangles, solid.merged().triangles)
    found = density(atlas)
    facing = facing_of(atlas.triangles.mean(axis=1), atlas.face_normals, camera())
    front = np.median(found[facing > 0.8])
    assert found.min() > 0.1 * front, "a tenth of the front's, everywhere"
    where = bake.texels(atlas, 512)
    assert np.isclose(where.painted.mean(), (found * atlas.face_areas).sum(), rtol=0.05), "no texel belongs to two"


@pytest.mark.parametrize("seed", range(3))
def test_no_texel_belongs_to_two_faces_of_a_surface_that_hides_itself_in_many_folds(seed):
    rng = np.random.default_rng(seed)
    outward = ball().vertices / np.linalg.norm(ball().vertices, axis=1, keepdims=True)
    waves = [np.sin(8 * outward @ rng.normal(size=3) + rng.uniform(0, 6)) for _ in range(4)]
    radius = 0.3 * np.maximum(1 + sum(waves) / 2, 0.1)
    atlas = photo_atlas(Mesh(outward * radius[:, None], ball().faces), camera(), resolution=512)
    assert len(covering_others(atlas.uv[atlas.faces] * 512, 512)) == 0
    one, other = np.moveaxis(np.diff(atlas.uv[atlas.faces], axis=1), 1, 0)
    area = 0.5 * np.abs(one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]).sum()
    assert bake.texels(atlas, 512).painted.mean() == pytest.approx(area, rel=0.02)


def test_what_the_camera_sees_lies_in_the_atlas_as_in_its_image():
    solid = ball()
    atlas = photo_atlas(solid, camera(), resolution=512)
    facing = facing_of(atlas.triangles.mean(axis=1), atlas.face_normals, camera())
    seen = np.unique(atlas.faces[facing > FAIR + 0.1])
    pixels = camera().to("cpu", torch.float64).project(torch.from_numpy(atlas.vertices[seen])[None])[0][0].numpy()
    design = np.c_[pixels * (1, -1), np.ones(len(seen))]
    found, *_ = np.linalg.lstsq(design, atlas.uv[seen], rcond=None)
    np.testing.assert_allclose(design @ found, atlas.uv[seen], atol=1e-9)
    np.testing.assert_allclose(found[:2], found[0, 0] * np.eye(2), atol=1e-12)
    behind = np.median(density(atlas)[facing < -0.9]) / np.median(density(atlas)[facing > 0.9])
    assert behind == pytest.approx(UNSEEN**2, rel=0.6)


def test_a_two_colored_ball_has_no_band_where_front_and_back_meet():
    """All around, colors lie between those two and change nowhere but from one to the other, over the rim too."""
    (rgb, mask), middle = two_colored(), 0.5 * (RED + BLUE)
    painted = continued_photo(ball(), rgb, mask, camera(), lambda points: np.tile(middle, (len(points), 1)))
    around = orbit(8, elevation=0.2, distance=2.5, fov_y=0.5, width=128, height=128)
    for number in range(8):
        shot = render_mesh(painted, around[number], shading="texture")
        low, high = np.minimum(RED, BLUE) - 0.02, np.maximum(RED, BLUE) + 0.02
        assert ((shot.rgb >= low) & (shot.rgb <= high))[shot.mask].all()
        steps = np.abs(np.diff(shot.rgb, axis=0)).max(axis=2)[shot.mask[1:] & shot.mask[:-1]]
        assert np.quantile(steps, 0.99) < 0.1, "nothing is torn along the rim"
    side = render_mesh(painted, around[2], shading="texture")
    rows = side.mask[64].nonzero()[0]
    along = side.rgb[64, rows[4] : rows[-4]]
    assert np.abs(np.diff(along, axis=0)).max() < 0.06, "from the front over the rim to the back, no edge"


def test_a_background_that_mixes_with_the_edge_does_not_go_on_behind():
    """A red die, out of focus, before gray, whose front reaches to its outline: behind it is red."""
    points = ball().vertices
    die, seen = Mesh(0.35 * points / np.linalg.norm(points, 12, axis=1, keepdims=True), ball().faces), camera(640)
    mask = render_mesh(die, seen).mask
    sharp = np.where(mask[..., None], RED, [0.5, 0.5, 0.5]).astype(np.float32)
    photo = cv2.GaussianBlur(sharp, (0, 0), 1.5)
    painted = continued_photo(die, photo, mask, seen, lambda points: np.tile(RED, (len(points), 1)))
    behind = render_mesh(painted, orbit(2, elevation=0.2, distance=2.5, fov_y=0.5, width=128, height=128)[1])
    # At 3.2 pixels from the edge a Gaussian of 1.5 leaves 1.7 percent of a difference of 0.4; a byte is 0.004.
    assert np.abs(behind.rgb - RED)[behind.mask].max() < 0.01


def test_the_back_goes_on_from_the_front_and_is_the_guess_far_from_it():
    (rgb, mask), green = two_colored(), np.array([0.2, 0.7, 0.2])
    painted = continued_photo(ball(), rgb, mask, camera(), lambda points: np.tile(green, (len(points), 1)))
    shot = render_mesh(painted, orbit(4, elevation=0.0, distance=2.5, fov_y=0.5, width=128, height=128)[1])
    across = shot.mask[64].nonzero()[0][2:-2]
    off = np.abs(shot.rgb[64, across] - green).sum(axis=1)  # from the front, on the left, to the back
    np.testing.assert_allclose(shot.rgb[64, across[:20]], np.tile(BLUE, (20, 1)), atol=0.05)
    assert (np.diff(off) < 0.02).all() and off[-1] < 0.02


def test_the_front_is_the_photo_itself():
    rgb, mask = two_colored()
    painted = continued_photo(ball(), rgb, mask, camera(), lambda points: np.ones((len(points), 3)), resolution=1024)
    shot = render_mesh(painted, camera(), shading="texture")
    rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5 - SIDE / 2
    inner = (np.hypot(rows, columns) < 0.85 * np.sqrt(mask.sum() / np.pi)) & (np.abs(columns) > 2)
    assert np.abs(shot.rgb - rgb)[inner].max() < 0.02


def test_hidden_behind_another_part_is_not_the_photo():
    """A box behind a ball, of which only the ball is seen: it has the ball's color nowhere but where that goes on."""
    both = joined(ball(), behind())
    rgb = np.broadcast_to(RED.astype(np.float32), (SIDE, SIDE, 3))
    guess = lambda points: np.broadcast_to(BLUE, (len(points), 3))  # noqa: E731
    painted = continued_photo(both, rgb, render_mesh(both, camera()).mask, camera(), guess, resolution=512)
    shot = render_mesh(painted, orbit(2, elevation=0.0, distance=4.0, fov_y=0.5, width=64, height=64)[1])
    np.testing.assert_allclose(shot.rgb[32, 32], BLUE, atol=0.1)


def test_harmonic_values_are_continued_exactly():
    """On a sphere whose values are known near both poles, between them they are those of log tan(theta / 2)."""
    sphere = ball()
    height = sphere.vertices[:, 2] / 0.5
    exact = np.arctanh(height.clip(-0.999, 0.999))
    known = (np.abs(height) > 0.8).astype(float)
    found = diffused(sphere, exact[:, None], known, np.zeros((len(height), 1)), reach=1e3)[:, 0]
    between = np.abs(height) < 0.75
    assert np.abs(found - exact)[between].max() < 0.03


def test_of_the_guess_only_what_is_large_comes_through():
    sphere = ball()
    longitude = np.arctan2(sphere.vertices[:, 1], sphere.vertices[:, 0])
    nothing = np.zeros(len(longitude))
    coarse, fine = (
        diffused(sphere, nothing[:, None], nothing, np.sin(times * longitude)[:, None], reach=0.15)[:, 0]
        for times in (1, 12)
    )
    equator = np.abs(sphere.vertices[:, 2]) < 0.1
    # 1 over 1 + (reach * times / radius)^2
    assert np.abs(coarse[equator]).max() == pytest.approx(1 / 1.09, rel=0.1)
    assert np.abs(fine[equator]).max() < 0.12


def test_boxes_beside_the_main_one_do_not_overlap():
    rng = np.random.default_rng(0)
    sizes = np.r_[[[3.0, 2.0]], rng.uniform(0.1, 1.2, (30, 2))]
    flat = np.stack([np.zeros_like(sizes), sizes * (1, 0), sizes], axis=1) + rng.uniform(-9, 9, (31, 1, 2))
    placed = pack(flat, np.arange(31), 256, main=True)
    low, high = placed.min(axis=1), placed.max(axis=1)
    assert low.min() >= 0 and high.max() <= 1
    for one in range(31):
        for other in range(one):
            assert (low[one] >= high[other]).any() or (low[other] >= high[one]).any()
    scale = (placed[0, 1] - placed[0, 0])[0] / 3.0
    assert np.prod(scale * sizes, axis=1).sum() > 0.5, "more than half of the square is used"
