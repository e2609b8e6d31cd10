"""Rendered data sets: the readers give back what was written, and the pictures agree with the cameras."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.leftovers import left_behind

from monoform.camera import Camera
from monoform.data import Source, load_source, mesh_sources, procedural_sources, validation_names
from monoform.data.capture import open_capture
from monoform.data.objects.solids import box, ellipsoid, painted
from monoform.data.packs.layout_splits import deal_splits, near_duplicates
from monoform.data.packs.layout_views import circle_cameras, lit_pictures, scattered_cameras, spiral_cameras
from monoform.data.packs.layouts import LayoutOptions, render_layout, render_views_of
from monoform.data.posed.check import check_data
from monoform.data.posed.dvr import DvrObjects
from monoform.data.posed.objects import PosedObjects
from monoform.data.posed.srn import SrnObjects
from monoform.errors import InputError
from monoform.mesh import RayCaster, sample_surface

SMALL = LayoutOptions(views=3, test_views=2, size=32, samples=2, split="train")


def opened(out: Path, layout: str, category: str = "procedural", split: str = "train") -> PosedObjects:
    return SrnObjects(out / category, split, size=None) if layout == "srn" else DvrObjects(out, split)


@pytest.mark.parametrize("layout", ["srn", "nmr"])
def test_what_is_written_is_read_back_and_agrees_with_the_mesh(layout: str, tmp_path: Path) -> None:
    options, sources = replace(SMALL, layout=layout), procedural_sources(3)
    done = render_layout(sources, tmp_path / "out", options, workers=1)
    assert done.counts == {"train": 3, "val": 0, "test": 0} and not done.failed
    objects = opened(tmp_path / "out", layout)
    for number, source in enumerate(sources):
        images, alpha, cameras = render_views_of(source, "train", options)
        item = objects[source.name]
        assert objects.index(source.name) == number
        assert torch.equal(item.cameras.world_from_camera, cameras.world_from_camera)
        assert torch.equal(item.cameras.intrinsics, cameras.intrinsics)
        assert item.masks is not None and item.boxes is not None
        covered = torch.from_numpy(alpha > 0 if layout == "srn" else alpha >= 0.5)
        assert torch.equal(item.masks > 0, covered)
        least = np.where(alpha[..., None] > 0, 254 if layout == "srn" else 255, 255)
        np.testing.assert_array_equal((255 * item.images).round().numpy(), np.minimum(images, least))
        near, far = points_hit_the_mask(source, item.cameras, item.masks, scale=1.0)
        assert item.near - 1e-5 <= near and far <= item.far + 1e-5


def points_hit_the_mask(source: Source, cameras: Camera, masks: torch.Tensor, *, scale: float) -> tuple[float, float]:
    """Every point of the surface falls on the mask or beside it; nearest and farthest distance to a camera."""
    points = scale * sample_surface(load_source(source, seed=0), 4000, seed=0)[0]
    world = torch.from_numpy(points).float().expand(len(cameras), -1, -1)
    pixels, depth = cameras.project(world)
    assert bool((depth > 0).all())
    columns, rows = pixels.floor().long().unbind(-1)
    wide = torch.nn.functional.max_pool2d(masks[:, None], 3, stride=1, padding=1)[:, 0]
    views = torch.arange(len(cameras))[:, None].expand_as(rows)
    assert bool((wide[views, rows, columns] > 0).all())
    filled = torch.zeros_like(masks)
    filled[views, rows, columns] = 1.0
    assert float(filled[masks == 1].mean()) > 0.9  # and the mask has little that no point reaches
    distance = (world - cameras.position[:, None]).norm(dim=-1)
    return float(distance.min()), float(distance.max())


def test_chairs_are_as_large_as_their_bounds(tmp_path: Path) -> None:
    chair = replace(procedural_sources(1)[0], category="my_chairs")
    render_layout([chair], tmp_path / "out", SMALL, workers=1)
    item = SrnObjects(tmp_path / "out/my_chairs", "train", size=None)[0]
    assert item.masks is not None
    near, far = points_hit_the_mask(chair, item.cameras, item.masks, scale=1.5)
    assert 1.25 - 1e-5 <= near < 1.6 and 2.4 < far <= 2.75 + 1e-5


def test_the_other_size_and_the_published_numbers() -> None:
    cameras = scattered_cameras(200, 1.3, 128, generator=np.random.default_rng(0))
    assert cameras.intrinsics[0].tolist() == [[131.25, 0, 64.5], [0, 131.25, 64.5], [0, 0, 1]]
    assert abs(float(cameras.position[:, 1].mean())) < 0.15 < float(cameras.position[:, 1].std())
    spiral = spiral_cameras(251, 1.3, 128).position
    assert bool((spiral[:, 1] > 0).all()) and bool((spiral[1:, 1] > spiral[:-1, 1]).all())
    circle = circle_cameras(24, 64)
    torch.testing.assert_close(circle.position.norm(dim=-1), torch.full((24,), 2.732))
    torch.testing.assert_close(circle.position[:, 1], torch.full((24,), 1.366))


def test_all_views_agree_on_the_light() -> None:
    """A ball has the same colour from two sides wherever both see it: the light does not move with the camera."""
    ball = painted(ellipsoid((0.5, 0.5, 0.5), rings=60), np.array([0.6, 0.4, 0.2]))
    cameras = circle_cameras(24, 64)[:2]
    images, _ = lit_pictures(ball, cameras, samples=1)
    origins, directions = cameras[0].rays()
    hits = RayCaster(ball).cast(origins[0].double().numpy(), directions[0].double().numpy())
    hit = torch.from_numpy(hits.hit)
    points = origins[0][hit] + torch.from_numpy(hits.t[hits.hit]).float()[:, None] * directions[0][hit]
    pixels, _ = cameras[1].project(points[None])
    columns, rows = pixels[0].floor().long().unbind(-1)
    towards = (cameras.position[1] - points) / (cameras.position[1] - points).norm(dim=-1, keepdim=True)
    seen = ((towards * points).sum(-1) / points.norm(dim=-1) > 0.3).numpy()
    first = images[0].reshape(-1, 3)[hits.hit][seen].astype(int)
    second = images[1][rows, columns][seen].astype(int)
    assert len(first) > 200 and np.abs(first - second).max() <= 12 and first.std() > 5


def test_a_rerun_goes_on_and_other_options_are_refused(tmp_path: Path) -> None:
    sources, out = procedural_sources(3), tmp_path / "out"
    render_layout(sources, out, SMALL, workers=1)
    picture = out / "procedural_train/procedural_00001/rgb/000000.png"
    before, kept = picture.read_bytes(), out / "procedural_train/procedural_00000"
    (kept / "witness").touch()
    (kept.parent / left_behind("procedural_00002", ".partial") / "rgb").mkdir(
        parents=True
    )  # of a process that was ended
    shutil.rmtree(picture.parents[1])
    seen: list[tuple[int, int, str]] = []
    render_layout(sources, out, SMALL, workers=1, progress=lambda *values: seen.append(values))
    assert seen == [(3, 3, "procedural_00001")]
    assert picture.read_bytes() == before and (kept / "witness").exists()
    assert not list(out.rglob("*.partial"))
    with pytest.raises(InputError, match="other meshes or with other options"):
        render_layout(sources, out, replace(SMALL, views=4), workers=1)
    (tmp_path / "else").mkdir()
    (tmp_path / "else/file").touch()
    with pytest.raises(InputError, match="no rendered data set"):
        render_layout(sources, tmp_path / "else", SMALL, workers=1)
    (out / "renders.json").write_text("{")
    with pytest.raises(InputError, match="damaged"):
        render_layout(sources, out, SMALL, workers=1)


def test_several_processes_write_the_same_bytes(tmp_path: Path) -> None:
    for workers in (1, 2):
        render_layout(procedural_sources(2), tmp_path / str(workers), SMALL, workers=workers)
    files = [file.relative_to(tmp_path / "1") for file in (tmp_path / "1").rglob("*.*") if file.is_file()]
    assert len(files) == 1 + 2 * 7
    assert all((tmp_path / "1" / file).read_bytes() == (tmp_path / "2" / file).read_bytes() for file in files)


def test_broken_meshes_are_reported_and_credits_are_kept(tmp_path: Path) -> None:
    data = tmp_path / "meshes"
    painted(box((1, 1, 2)), np.full(3, 0.5)).export(data / "toys/block.glb")
    (data / "toys/broken.glb").write_bytes(b"nothing")
    rows = (
        "path,name,category,licence,source",
        "toys/block.glb,block,toys,CC-BY-4.0,A. Maker",
        "toys/broken.glb,broken,toys,,",
    )
    (data / "index.csv").write_text("\n".join(rows))
    done = render_layout(mesh_sources(data), tmp_path / "out", replace(SMALL, layout="nmr"), workers=1)
    assert list(done.failed) == ["broken"] and done.counts["train"] == 1
    assert (tmp_path / "out/toys/softras_train.lst").read_text() == "block\n"
    assert (tmp_path / "out/toys/softras_test.lst").read_text() == ""
    kept = json.loads((tmp_path / "out/renders.json").read_text())["objects"]
    assert kept == [
        {"name": "block", "category": "toys", "split": "train", "licence": "CC-BY-4.0", "credit": "A. Maker"}
    ]
    (split,) = check_data(tmp_path / "out")
    assert (split.name, split.views, split.sizes) == ("softras_train", 3, ((32, 32),))
    with pytest.raises(InputError, match="None of the 1 objects could be rendered"):
        render_layout([s for s in mesh_sources(data) if s.name == "broken"], tmp_path / "no", SMALL, workers=1)
    with pytest.raises(InputError, match="take out the path"):
        render_layout([Source("../up")], tmp_path / "up", SMALL)


def test_likes_of_test_objects_are_not_trained_on() -> None:
    sources = [Source(f"{letter}{i}", category=letter) for letter in "ab" for i in range(20)]
    splits, left_out = deal_splits(sources, lambda _name: [], seed=1)
    counts = {split: list(splits.values()).count(split) for split in ("train", "val", "test")}
    assert counts == {"train": 32, "val": 4, "test": 4} and not left_out
    assert {splits[s.name] for s in sources if s.category == "a"} == {"train", "val", "test"}
    assert deal_splits(sources, lambda _name: [], seed=2)[0] != splits
    test = next(name for name, split in splits.items() if split == "test")
    like = next(name for name, split in splits.items() if split == "train")
    copy = replace(sources[0], name=f"{like}~1", variant=1)
    splits, left_out = deal_splits([*sources, copy], lambda name: [like] if name == test else [], seed=1)
    assert like not in splits and f"{like}~1" not in splits
    assert left_out[like] == f"it is too like {test}, which is a test object"


def test_the_frozen_lists_decide_where_they_can() -> None:
    frozen, others = validation_names()[:2], [f"x{i}" for i in range(8)]
    composed = Source("x0~1", path="x0.glb", variant=1, companion="f.glb")
    sources = [
        Source(frozen[0], path="f.glb"),
        Source(frozen[1]),
        *map(Source, others),
        composed,
        Source("gso_tzx_runner"),
    ]
    splits, left_out = deal_splits(sources, lambda _name: [])
    assert {name for name, split in splits.items() if split == "test"} == set(frozen)
    assert set(left_out) == {"gso_tzx_runner", "x0~1"} and "put together" in left_out["x0~1"]
    assert list(splits.values()).count("val") == 1


def test_likes_are_found_by_their_surfaces(tmp_path: Path) -> None:
    for name, sides in (("long", (0.3, 0.3, 1.0)), ("long_too", (0.6, 0.6, 2.0)), ("cube", (1, 1, 1))):
        painted(box(sides), np.full(3, 0.5)).export(tmp_path / f"{name}.glb")
    (tmp_path / "broken.glb").write_bytes(b"nothing")
    near = near_duplicates(mesh_sources(tmp_path))
    assert (near("long"), near("cube"), near("broken")) == (["long_too"], [], [])


def test_options_are_checked() -> None:
    for words, sentence in (
        ({"views": 0}, "views is 0"),
        ({"share": 0.7}, "share is 0.7"),
        ({"test_views": -1}, "test_views is -1"),
    ):
        with pytest.raises(InputError, match=sentence):
            LayoutOptions(**words)
    with pytest.raises(InputError, match="workers is 0"):
        render_layout(procedural_sources(1), "never", SMALL, workers=0)
    with pytest.raises(InputError, match="no object to render"):
        render_layout([], "never")


def test_each_object_is_a_capture_in_the_layout_of_synthetic_scenes(tmp_path: Path) -> None:
    options, source = replace(SMALL, layout="blender", views=4, test_views=2), procedural_sources(1)[0]
    done = render_layout([source], tmp_path / "out", options, workers=1)
    assert done.counts == {"train": 1, "val": 0, "test": 0} and not done.failed
    capture = open_capture(tmp_path / "out" / source.category / source.name)
    assert capture.layout == "blender" and [view.split for view in capture.views] == ["train"] * 4 + ["test"] * 2
    images, alpha, cameras = render_views_of(source, "train", options)
    for number, view in enumerate(capture.views):
        torch.testing.assert_close(view.camera.world_from_camera[0], cameras.world_from_camera[number])
        torch.testing.assert_close(view.camera.intrinsics[0], cameras.intrinsics[number], rtol=1e-4, atol=1e-4)
        stored = np.asarray(Image.open(view.image).convert("RGBA"), np.float64) / 255
        np.testing.assert_allclose(stored[..., 3], alpha[number], atol=1 / 255)
        over = stored[..., :3] * stored[..., 3:] + 1 - stored[..., 3:]
        np.testing.assert_allclose(over, images[number] / 255, atol=2.5 / 255)
    points_hit_the_mask(source, cameras, torch.from_numpy(alpha > 0).float(), scale=2.4)
