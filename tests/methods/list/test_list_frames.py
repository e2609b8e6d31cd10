"""LIST is measured in the frame in which its network gives shapes."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image
from tests.methods.list.tiny_list import octahedron_net, tiny_coarse
from tests.pretend_device import pretend_device

from monoform import Camera, InputError, Mesh
from monoform.camera import look_at
from monoform.data.sdf.disn import DisnObjects
from monoform.data.sdf.pix3d import Pix3dObjects
from monoform.devices import on_device
from monoform.methods.list.config import preset
from monoform.methods.list.evaluate import EVALUATION, ListEvaluation, Surfaces
from monoform.methods.list.predictions import framed, seen_by
from monoform.render import render_mesh

TURNS = (0.6, 2.5, 4.4)


def chair() -> Mesh:
    """Seat, back and a side that is longer, so that no two sides look the same; in the unit box."""
    parts = [((0.6, 0.1, 0.6), (0, 0, 0)), ((0.6, 0.6, 0.1), (0, 0.3, -0.25)), ((0.1, 0.4, 0.1), (0.25, -0.2, 0.25))]
    boxes = [trimesh.creation.box(size).apply_translation(place) for size, place in parts]
    made = trimesh.util.concatenate(boxes)
    made.apply_translation(-made.bounds.mean(0))
    made.apply_scale(1 / made.extents.max())
    return Mesh(np.asarray(made.vertices), np.asarray(made.faces))


def picture(turn: float) -> np.ndarray:
    eye = torch.tensor([[2.2 * math.sin(turn), 0.9, 2.2 * math.cos(turn)]])
    lens = torch.tensor([[[245.0, 0, 112], [0, 245.0, 112], [0, 0, 1]]])
    seen = render_mesh(chair(), Camera(look_at(eye), lens, 224, 224), samples=2)
    return np.rint(255 * np.where(seen.mask[..., None], seen.rgb.clip(0.1), 0)).astype(np.uint8)


@pytest.mark.parametrize("turn", TURNS)
def test_the_truth_is_turned_to_where_the_picture_was_taken(turn: float) -> None:
    config = preset("small")
    known, _ = framed(config, chair(), picture(turn), (math.sin(turn), 0.4, math.cos(turn)))
    assert np.abs(framed(config, chair(), picture(turn), None)[0].vertices - known.vertices).max() < 0.03
    assert np.ptp(known.vertices, axis=0).max() == pytest.approx(1.0)
    # Its camera stands at +z: turned back by the angle about the vertical, it is the chair again.
    back = trimesh.transformations.rotation_matrix(turn, (0, 1, 0))[:3, :3]
    ours, theirs = known.vertices @ back.T, np.asarray(chair().vertices)
    scale = np.ptp(theirs, axis=0) / np.ptp(ours, axis=0)
    np.testing.assert_allclose(scale, scale[0], rtol=1e-5)
    np.testing.assert_allclose((ours - ours[0]) * scale[0], theirs - theirs[0], atol=1e-5)


def test_published_networks_are_measured_as_the_data_stands() -> None:
    truth, seen = chair(), picture(0.6)
    assert framed(preset("shapenet"), truth, seen, None)[0] is truth
    assert seen_by(preset("shapenet"), seen).shape == (1, 3, 224, 224)
    small = seen_by(preset("small"), seen)[0]
    covered = (small.sum(0) > 0.02).nonzero()
    assert small.shape == (3, 64, 64)
    assert float((covered.amax(0) - covered.amin(0)).max()) == pytest.approx(64 / preset("small").margin, abs=3)


def test_records_of_pix3d_tell_the_camera(tmp_path: Path) -> None:
    turn = trimesh.transformations.rotation_matrix(0.7, (0, 1, 0))[:3, :3]
    record = {"category": "chair", "model": "model/chair/A/model.obj", "img": "img/chair/1.png"}
    told = record | {"rot_mat": turn.tolist(), "trans_mat": [0.1, 0.2, 1.5]}
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits" / "test.json").write_text('["0.pkl", "1.pkl"]')
    data = tmp_path / "data"
    for folder in ("img/chair/A.model", "sampled_points/chair/A.model"):
        (data / folder).mkdir(parents=True)
    np.save(data / "img/chair/A.model/1.npy", picture(0.6))
    (data / "sampled_points/chair/A.model/sampled_points.h5").write_bytes(b"")
    (data / "pix3d.json").write_text(json.dumps([told, record]))
    known, unknown = Pix3dObjects(tmp_path, "test").photos
    np.testing.assert_allclose(turn @ np.array(known.eye) + (0.1, 0.2, 1.5), 0, atol=1e-12)
    assert unknown.eye is None


@pytest.fixture(scope="module")
def shapenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One object in ShapeNet's layout."""
    root = tmp_path_factory.mktemp("shapenet")
    shapes, pictures = root / "isosurface/03001627/chair", root / "images/03001627/chair/easy"
    samples = root / "sampled_points/03001627/chair"
    for folder in (shapes, pictures, samples, root / "splits"):
        folder.mkdir(parents=True)
    chair().export(shapes / "isosurf_scaled.obj")
    (samples / "sampled_points.h5").write_bytes(b"")  # asked for, not read
    Image.fromarray(picture(0.6)).save(pictures / "00.png")
    (root / "splits" / "03001627_test.lst").write_text("chair\n")
    return root


@pytest.mark.parametrize("net", [octahedron_net(), tiny_coarse()], ids=["surface", "cloud"])
def test_networks_elsewhere_give_the_same_scores(shapenet: Path, tmp_path: Path, net: torch.nn.Module) -> None:
    few = {"points": 500, "inside_points": 2000, "emd_points": 64, "nodes": 12}
    asked = ListEvaluation(data=shapenet, out=tmp_path, dense=True, **few)
    objects = DisnObjects(shapenet, "test", cloud=False)
    here = Surfaces(net, objects, asked).measure(0, tmp_path)
    with pretend_device() as device:
        there = Surfaces(on_device(net, device), objects, asked).measure(0, tmp_path)
    (there_view,), (here_view,) = there.pop("images"), here.pop("images")
    assert there == pytest.approx(here, rel=1e-3) and there_view == pytest.approx(here_view, rel=1e-3)


def test_the_weights_that_ship_are_measured(shapenet: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--nodes, where it is not 0"):
        ListEvaluation(data=shapenet, out=tmp_path / "out", nodes=1)
    asked = ListEvaluation(data=shapenet, out=tmp_path / "out", points=1000, inside_points=4000, emd_points=64)
    told = EVALUATION.run(asked)
    total = json.loads((tmp_path / "out" / "metrics.json").read_text())["total"]
    assert total["failed"] == 0 and total["iou"] > 0.1 and total["accuracy"] < 0.2
    assert told.startswith("These weights turn shapes towards the camera")
    assert (tmp_path / "out/03001627/chair/pred.obj").is_file()
