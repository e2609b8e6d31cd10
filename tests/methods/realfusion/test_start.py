"""A fit that begins with a result: the same pixels, the same shape, the same colors, before the first step."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.mesh.mesh_shapes import box, icosphere, joined, moved
from tests.methods.realfusion.tiny_realfusion import NETWORK, ball, options, prior, view

from monoform import Photo, View
from monoform.camera import Camera, orbit
from monoform.errors import InputError
from monoform.mesh import Mesh
from monoform.methods.realfusion.fit_options import Weights
from monoform.methods.realfusion.infer import RealFusion
from monoform.methods.realfusion.model import RealFusionField
from monoform.methods.realfusion.photo_square import PhotoSquare, cut_square
from monoform.methods.realfusion.start import Start, begin_with, open_start
from monoform.scene import Provenance, Reconstruction
from monoform.scene.mesh_field import MeshField
from monoform.training import list_checkpoints

SIDES, ARM = (0.5, 0.3, 0.3), (0.2, 0.5, 0.3)
PLACE = (0.2, 0.41, 0.05)  # of the arm, which makes the solid unlike its mirror image
SIZE = 64
CAMERA = orbit(1, elevation=0.5, distance=2.5, fov_y=0.5, width=SIZE, height=SIZE, start=0.7)


def solid() -> Mesh:
    """Two boxes that nearly touch, whose left half is red and whose right half is blue."""
    both = joined(box(SIDES), moved(box(ARM), PLACE))
    paint = np.where(both.vertices[:, :1] < 0, [[255, 0, 0]], [[0, 0, 255]])
    return Mesh(both.vertices, both.faces, vertex_colors=paint.astype(np.uint8))


def inside(points: np.ndarray, by: float = 0.0) -> np.ndarray:
    """Whether points are in the solid that is so much smaller, or larger."""
    first = (np.abs(points) < np.array(SIDES) / 2 - by).all(axis=1)
    return first | (np.abs(points - PLACE) < np.array(ARM) / 2 - by).all(axis=1)


def photo() -> Photo:
    """What the camera sees."""
    seen = Reconstruction(MeshField(solid()), surface=solid()).render(CAMERA)
    return Photo.open((np.dstack((seen.rgb, seen.mask)) * 255).astype(np.uint8))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    mesh, place = solid(), tmp_path_factory.mktemp("start") / "result"
    made = Reconstruction(MeshField(mesh), (View(photo(), CAMERA),), Provenance("lift"), surface=mesh)
    return made.save(place).folder


def start_of(folder: Path, *, known: bool, mirrored: bool = False) -> tuple[Start, PhotoSquare]:
    asked = options(network=replace(NETWORK, mirrored=mirrored))
    square = cut_square(photo(), CAMERA if known else None, asked, asked.margin)
    return open_start(str(folder), photo(), square), square


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("known", [False, True])
def test_points_keep_their_pixel_and_their_depth_from_the_middle(folder: Path, known: bool, mirrored: bool) -> None:
    start, square = start_of(folder, known=known, mirrored=mirrored)
    points = torch.rand(50, 3, generator=torch.Generator().manual_seed(0)) - 0.5
    placed = start.inward(points)
    assert torch.allclose(start.outward(placed), points, atol=1e-4)
    pixels, depth = (found[0] for found in CAMERA.project(points[None]))
    local = (placed - square.pose[:3, 3]) @ square.pose[:3, :3]
    homogeneous = local @ square.intrinsics().T
    assert torch.allclose(homogeneous[:, :2] / homogeneous[:, 2:], pixels, atol=1e-2)
    steps = (local[:, 2] - local[0, 2]) / (depth - depth[0])
    assert torch.allclose(steps[1:], torch.full((49,), 1.0 / start.unit), rtol=1e-3)


def test_a_known_focal_length_keeps_all_proportions(folder: Path) -> None:
    start, square = start_of(folder, known=True)
    middle = CAMERA.camera_from_world[0, :3, 3] + 0  # of the world, in the camera's axes
    assert middle[2] == pytest.approx(start.middle, abs=0.2)
    axes = torch.cat((torch.zeros(1, 3), 0.2 * torch.eye(3)))
    placed = start.inward(axes)
    edges = placed[1:] - placed[:1]
    shift = (square.intrinsics()[:2, 2] - 0.5 * SIZE).norm() / square.intrinsics()[0, 0]
    gram = edges @ edges.T * (start.unit / 0.2) ** 2
    assert torch.allclose(gram, torch.eye(3), atol=3 * float(shift) + 1e-3)
    assert float(torch.linalg.det(edges)) > 0  # and is no mirror image


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_field_has_the_results_shape_and_colors(folder: Path, mirrored: bool) -> None:
    start, _ = start_of(folder, known=True, mirrored=mirrored)
    torch.manual_seed(0)
    net = RealFusionField(replace(NETWORK, log2_hashmap_size=14, mirrored=mirrored))
    begin_with(net, start, 0, seed=1)
    points = torch.rand(4000, 3, generator=torch.Generator().manual_seed(2)) * 1.4 - 0.7
    sure, away = inside(points.numpy(), 0.03), ~inside(points.numpy(), -0.03)
    with torch.no_grad():
        density, albedo = net.query(start.inward(points))
    dense = (density > net.config.density_threshold).numpy()
    assert sure.sum() > 50
    assert dense[sure].mean() > 0.97
    assert dense[away].mean() < 0.03
    red, blue = sure & (points[:, 0] < -0.1).numpy(), sure & (points[:, 0] > 0.1).numpy()
    assert albedo[red].mean(dim=0)[0] > albedo[red].mean(dim=0)[2] + 0.2
    assert albedo[blue].mean(dim=0)[2] > albedo[blue].mean(dim=0)[0] + 0.2


def test_the_fit_goes_on_from_there(folder: Path) -> None:
    asked = options(steps=1, start=str(folder), losses=Weights(prior="0"), hidden_levels=0)
    made = RealFusion(asked, prior=prior()).reconstruct(
        [View(photo(), CAMERA)], generator=torch.Generator().manual_seed(3)
    )
    seen, truth = made.render(made.camera), photo().original_mask() > 0.5
    assert (seen.mask & truth).sum() / (seen.mask | truth).sum() > 0.75


def test_a_fit_that_goes_on_does_not_begin_again(folder: Path, tmp_path: Path) -> None:
    """Where there is a checkpoint, the start is not even read."""
    asked = options(steps=2, start=str(folder), run=str(tmp_path / "run"), checkpoint_every=1)
    for steps, start in ((1, folder), (2, tmp_path / "gone")):
        given = replace(asked, steps=steps, start=str(start))
        RealFusion(given, prior=prior()).reconstruct([View(photo(), CAMERA)], generator=torch.Generator())
    assert [path.name for path in list_checkpoints(tmp_path / "run")][-1].endswith("2.pt")


def test_what_does_not_serve_is_refused_in_a_sentence(folder: Path, tmp_path: Path) -> None:
    def begin(start: Path) -> None:
        RealFusion(options(start=str(start)), prior=prior()).reconstruct([view()], generator=torch.Generator())

    with pytest.raises(InputError, match="64 x 64 pixels and this one has 48 x 48: give as start a result of the same"):
        begin(folder)
    bead = icosphere(0.4, 2)
    Reconstruction(MeshField(bead), surface=bead).save(tmp_path / "sample")
    with pytest.raises(InputError, match="has no camera: give as start"):
        begin(tmp_path / "sample")
    near: Camera = orbit(1, elevation=0.0, distance=0.1, fov_y=0.5, width=48, height=48)
    Reconstruction(MeshField(bead), (View(Photo.open(ball()), near),), surface=bead).save(tmp_path / "near")
    with pytest.raises(InputError, match="stands within its object"):
        begin(tmp_path / "near")
    with pytest.raises(InputError, match="result folder"):
        begin(tmp_path / "nowhere")
    with pytest.raises(InputError, match="leave out start"):
        options(start="there", weights="here")
