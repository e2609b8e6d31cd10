from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.data import data_shapes as shapes

from monoform.data import (
    LabelOptions,
    PackedObjects,
    PackOptions,
    Solid,
    Source,
    ViewOptions,
    augmented_sources,
    load_source,
    mesh_sources,
    pack_meshes,
    procedural_sources,
)
from monoform.data.objects.solids import box, painted
from monoform.data.packs import pack as pack_module
from monoform.data.packs.coded import code_depth, decode_depth
from monoform.data.packs.labels import label, thickness
from monoform.data.packs.small import SmallOptions, shrink
from monoform.errors import InputError

OPTIONS = PackOptions(
    views=ViewOptions(count=3, size=32, samples=1), labels=LabelOptions(points=600, surface=200, voxels=48)
)


def write_meshes(folder: Path) -> Path:
    for category, name, color in (("a", "block", 0.2), ("b", "ball", 0.7)):
        mesh = box((1, 2, 1)) if name == "block" else shapes.ball(subdivisions=2)
        (folder / category).mkdir(parents=True)
        painted(mesh, np.full(3, color)).export(folder / category / f"{name}.glb")
    (folder / "b" / "broken.glb").write_bytes(b"glTF but not really")
    return folder


@pytest.fixture(scope="module")
def meshes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_meshes(tmp_path_factory.mktemp("meshes"))


@pytest.fixture(scope="module")
def packed(meshes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("packs") / "pack"
    failed = pack_meshes(mesh_sources(meshes) + procedural_sources(2), out, OPTIONS, workers=1)
    assert [name for name, _ in failed] == ["broken"] and "cannot be read" in failed[0][1]
    return out


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.iterdir()):
        yield path.name, path.read_bytes()


def test_what_is_packed_is_read_back(packed: Path) -> None:
    objects = PackedObjects(packed)
    assert objects.names == ["block", "ball", "procedural_00000", "procedural_00001"]
    assert objects.categories == ["a", "b", "procedural", "procedural"]
    assert (len(objects), objects.view_count, objects.image_size) == (4, 3, 32)
    ball = objects.labels(1)
    truth = ball["points"].norm(dim=1) - 0.5
    assert (ball["sdf"] - truth).abs().max() < 0.02  # the mesh is coarse
    assert (ball["surface_points"].norm(dim=1) - 0.5).abs().max() < 0.02
    assert torch.nn.functional.cosine_similarity(ball["surface_normals"], ball["surface_points"], dim=1).min() > 0.98
    assert (ball["surface_colors"] - 0.7).abs().max() < 0.01
    view = objects.views(1, 2)
    assert view.image.shape == (32, 32, 4) and view.depth is not None and len(view.camera) == 1
    center, depth = view.camera.project(torch.zeros(1, 1, 3))
    assert (center - 16).abs().max() < 6
    assert abs(float(view.depth[np.isfinite(view.depth)].min()) - (float(depth) - 0.5)) < 0.02


def test_points_match_a_fresh_measurement(packed: Path, meshes: Path) -> None:
    objects = PackedObjects(packed, ["procedural_00001"])
    mesh = load_source(procedural_sources(2)[1], seed=0)
    labels = objects.labels(0)
    fresh = Solid(mesh, size=1 / 48).signed_distance(labels["points"].double().numpy())
    assert np.abs(labels["sdf"].numpy() - fresh).max() < 5e-4  # half precision


def test_batches(packed: Path) -> None:
    objects = PackedObjects(packed)

    def batch(seed: int) -> dict[str, torch.Tensor]:
        generator = torch.Generator().manual_seed(seed)
        return objects.batch([1, 3, 1], generator, points=100, surface=50, views=2)

    first, again, other = batch(0), batch(0), batch(1)
    shapes_found = {name: tuple(values.shape) for name, values in first.items()}
    assert shapes_found == {
        "images": (3, 2, 32, 32, 4),
        "world_from_camera": (3, 2, 4, 4),
        "intrinsics": (3, 2, 3, 3),
        "view": (3, 2),
        "depth": (3, 2, 32, 32),
        "normals": (3, 2, 32, 32, 3),
        "back_depth": (3, 2, 32, 32),
        "back_colors": (3, 2, 32, 32, 3),
        "hollows": (3, 2, 32, 32, 2),
        "mirrors": (3, 24),
        "points": (3, 100, 3),
        "sdf": (3, 100),
        "surface_points": (3, 50, 3),
        "surface_normals": (3, 50, 3),
        "surface_colors": (3, 50, 3),
    }
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["points"], other["points"])
    assert (first["view"][:, 0] != first["view"][:, 1]).all()
    view = objects.views(3, int(first["view"][1, 0]))
    assert torch.equal(first["images"][1, 0], torch.from_numpy(view.image).float() / 255)
    assert torch.equal(first["world_from_camera"][1, 0], view.camera.world_from_camera[0])
    everything = objects.labels(1)["points"]
    assert all((point == everything).all(dim=1).any() for point in first["points"][0, :10])
    assert "depth" not in objects.batch([0], points=9, surface=9, maps=False)


def test_names_choose_and_exclude(packed: Path) -> None:
    assert PackedObjects(packed, ["ball", "block"]).names == ["ball", "block"]
    assert PackedObjects(packed, exclude=["ball"]).names == ["block", "procedural_00000", "procedural_00001"]
    with pytest.raises(InputError, match="no object named 'cow'"):
        PackedObjects(packed, ["cow"])
    with pytest.raises(InputError, match="No object"):
        PackedObjects(packed, ["ball"], exclude=["ball"])


def test_a_reader_can_be_sent_to_another_process(packed: Path) -> None:
    objects = PackedObjects(packed, ["ball"])
    stored = pickle.dumps(objects)
    assert len(stored) < 20_000
    copy = pickle.loads(stored)
    assert torch.equal(copy.labels(0)["points"], objects.labels(0)["points"])


def test_bytes_do_not_depend_on_workers(packed: Path, meshes: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    out = tmp_path / "pack"
    sources = mesh_sources(meshes) + procedural_sources(2)
    pack_meshes(sources, out, OPTIONS, workers=2, progress=lambda done, total, _: seen.append((done, total)))
    assert list(contents(out)) == list(contents(packed))
    assert seen == [(k, 5) for k in range(1, 6)]


def test_an_interrupted_run_goes_on(
    packed: Path, meshes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources, out = mesh_sources(meshes) + procedural_sources(2), tmp_path / "pack"

    def interrupt(done: int, _total: int, _name: str) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack_meshes(sources, out, OPTIONS, workers=1, progress=interrupt)
    assert not out.exists()
    made: list[str] = []
    original = pack_module.object_arrays
    monkeypatch.setattr(pack_module, "object_arrays", lambda s, o: made.append(s.name) or original(s, o))
    pack_meshes(sources, out, OPTIONS, workers=1)
    assert made == ["broken", "procedural_00000", "procedural_00001"]  # what failed is tried again
    assert list(contents(out)) == list(contents(packed))
    assert [path.name for path in tmp_path.iterdir()] == ["pack"]
    made.clear()
    assert [name for name, _ in pack_meshes(sources, out, OPTIONS, workers=1)] == ["broken"]
    assert made == []


def test_other_requests_do_not_mix(packed: Path, tmp_path: Path) -> None:
    sources = procedural_sources(1)
    with pytest.raises(InputError, match="other meshes or options"):
        pack_meshes(sources, packed, OPTIONS)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/mine.txt").touch()
    with pytest.raises(InputError, match="not a packed data set"):
        pack_meshes(sources, tmp_path / "notes", OPTIONS)
    out = tmp_path / "pack"
    pack_meshes(sources, out, OPTIONS, workers=1)
    before = PackedObjects(out).labels(0)["points"]
    pack_meshes(sources, out, replace(OPTIONS, seed=7), workers=1, overwrite=True)
    assert not torch.equal(PackedObjects(out).labels(0)["points"], before)


def test_a_mesh_that_changed_is_not_taken_for_the_one_before(tmp_path: Path) -> None:
    file = tmp_path / "block.glb"
    painted(box((1, 2, 1)), np.full(3, 0.2)).export(file)
    pack_meshes(mesh_sources([file]), tmp_path / "pack", OPTIONS, workers=1)
    assert pack_meshes(mesh_sources([file]), tmp_path / "pack", OPTIONS, workers=1) == []
    painted(box((2, 1, 1)), np.full(3, 0.2)).export(file)
    with pytest.raises(InputError, match="made from other meshes or options"):
        pack_meshes(mesh_sources([file]), tmp_path / "pack", OPTIONS, workers=1)


def test_nothing_usable_is_said(tmp_path: Path) -> None:
    (tmp_path / "bad.glb").write_bytes(b"")
    with pytest.raises(InputError, match="None of the 1 objects"):
        pack_meshes(mesh_sources([tmp_path / "bad.glb"]), tmp_path / "pack", OPTIONS, workers=1)
    with pytest.raises(InputError, match="no object to pack"):
        pack_meshes([], tmp_path / "pack", OPTIONS)
    with pytest.raises(InputError, match="workers is 0"):
        pack_meshes(procedural_sources(1), tmp_path / "pack", OPTIONS, workers=0)


def test_small_copy(packed: Path, tmp_path: Path) -> None:
    small = shrink(packed, tmp_path / "small", SmallOptions(views=2, size=24, quality=95, points=300, surface=100))
    full, copy = PackedObjects(packed), PackedObjects(small)
    assert copy.names == full.names and copy.view_count == 2 and copy.image_size == 24
    for i in range(len(full)):
        theirs, ours = full.labels(i), copy.labels(i)
        assert (ours["points"] - theirs["points"][:300]).abs().max() < 3e-5
        error = (ours["sdf"] - theirs["sdf"][:300]).abs()
        assert (error < 5e-5 + 0.01 * theirs["sdf"][:300].abs().sqrt()).all()
        assert torch.equal(ours["surface_colors"], theirs["surface_colors"][:100])
    view, original = copy.views(1, 1), full.views(1, 1)
    points = torch.randn(1, 5, 3) * 0.1
    assert torch.allclose(view.camera.project(points)[0] / 24, original.camera.project(points)[0] / 32, atol=1e-5)
    assert abs(view.image[..., 3].mean() - original.image[..., 3].mean()) < 2
    assert view.depth is None and "depth" not in copy.batch([0], points=9, surface=9)
    with pytest.raises(InputError, match="small pack already"):
        shrink(small, tmp_path / "smaller")
    assert PackedObjects(shrink(packed, tmp_path / "more", SmallOptions(views=9))).view_count == 3
    with pytest.raises(InputError, match="at least 1"):
        shrink(packed, tmp_path / "less", SmallOptions(views=0))


def test_a_small_copy_with_maps_sees_the_same_surfaces(packed: Path, tmp_path: Path) -> None:
    options = SmallOptions(views=2, size=32, quality=100, points=0, surface=0, maps=True)
    full, copy = PackedObjects(packed), PackedObjects(shrink(packed, tmp_path / "small", options))
    asked = {"points": 0, "surface": 0, "views": 2}
    ours = copy.batch([0, 1], **asked)
    for i, view in np.ndindex(2, 2):
        theirs, j = full.views(i, int(ours["view"][i, view])), view
        depth = torch.from_numpy(theirs.depth).float()
        assert torch.equal(torch.isfinite(ours["depth"][i, j]), torch.isfinite(depth))
        on = torch.isfinite(depth)
        assert (ours["depth"][i, j][on] - depth[on]).abs().max() < 2e-3
        cosine = (ours["normals"][i, j] * torch.from_numpy(theirs.normals)).sum(-1)[on] / 127
        assert cosine.mean() > 0.96 and (cosine > 0.9).float().mean() > 0.9
        assert (ours["back_depth"][i, j][on] > depth[on] - 2e-3).all()
    assert ours["points"].shape == (2, 0, 3) and ours["back_colors"].shape == (2, 2, 32, 32, 3)


def test_coded_depth_keeps_its_steps() -> None:
    depth = np.float32([[1.5, np.inf], [2.0, 2.74]])
    again = decode_depth(code_depth(depth, 2.0, 2), 2.0)
    assert np.isinf(again[0, 1])
    np.testing.assert_allclose(again[depth < 9], depth[depth < 9], atol=0.75 / 1022 + 1e-6)


def test_damaged_packs_are_told(packed: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a packed data set"):
        PackedObjects(tmp_path)
    (tmp_path / "pack.json").write_text("{")
    with pytest.raises(InputError, match="damaged"):
        PackedObjects(tmp_path)
    (tmp_path / "pack.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(InputError, match="format"):
        PackedObjects(tmp_path)
    (tmp_path / "pack.json").write_text((packed / "pack.json").read_text())
    with pytest.raises(InputError, match=r"images\.npy: prepare the data again"):
        PackedObjects(tmp_path)
    objects = PackedObjects(packed)
    with pytest.raises(InputError, match="views is 4"):
        objects.batch([0], views=4, points=9, surface=9)
    with pytest.raises(InputError, match="601 points"):
        objects.batch([0], points=601)


def test_sources_follow_the_index_and_tell_names_apart(tmp_path: Path) -> None:
    write_meshes(tmp_path)
    (tmp_path / "index.csv").write_text(
        "path,category,name,licence,source\na/block.glb,a,thing,CC0-1.0,me\nb/ball.glb,b,thing,CC-BY-4.0,you\n"
    )
    sources = mesh_sources(tmp_path)
    assert [(s.name, s.license, s.credit) for s in sources] == [
        ("thing@a", "CC0-1.0", "me"),
        ("thing@b", "CC-BY-4.0", "you"),
    ]
    (tmp_path / "index.csv").write_text("file,name\na/block.glb,thing\n")
    with pytest.raises(InputError, match="no column 'path'"):
        mesh_sources(tmp_path)
    with pytest.raises(InputError, match="There is no data folder"):
        mesh_sources(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no mesh"):
        mesh_sources(tmp_path / "empty")
    with pytest.raises(InputError, match="2 meshes are named block@a"):
        mesh_sources([tmp_path / "a" / "block.glb", tmp_path / "a" / "block.glb"])


def test_widened_sources() -> None:
    sources = [Source(f"m{i}", f"m{i}.glb") for i in range(40)]
    copies = augmented_sources(sources, 2, composed=0.5, seed=1)
    assert [s.name for s in copies[:2]] == ["m0~1", "m1~1"] and copies[-1].name == "m39~2"
    assert {s.variant for s in copies} == {1, 2} and copies[3].base_name == "m3"
    share = np.mean([s.companion is not None for s in copies])
    assert 0.3 < share < 0.7
    assert augmented_sources(sources, 2, composed=0.5, seed=1) == copies
    assert all(s.companion is None for s in augmented_sources(sources, 2, composed=0.0))
    first, second = (load_source(replace(s, path=None, companion=None), seed=0) for s in copies[::40])
    assert first.vertices.shape != second.vertices.shape or not np.allclose(first.vertices, second.vertices)


def test_label_options_steer_the_points() -> None:
    mesh = load_source(Source("ball"), seed=0)
    everywhere = replace(OPTIONS.labels, noise=(0.01,), near_shares=(0.0,), thin_share=0.0, points=4000)
    labels = label(mesh, everywhere, generator=np.random.default_rng(0))
    radius = np.linalg.norm(labels.points.astype(float), axis=1)
    assert radius.max() < 0.5505 and abs((radius < 0.55 * 0.5 ** (1 / 3)).mean() - 0.5) < 0.03
    near = replace(everywhere, near_shares=(1.0,))
    assert np.quantile(np.abs(label(mesh, near, generator=np.random.default_rng(0)).sdf.astype(float)), 0.95) < 0.021
    with pytest.raises(InputError, match="as many"):
        LabelOptions(noise=(0.1,))
    with pytest.raises(InputError, match="more than 1"):
        LabelOptions(thin_share=0.9)


def test_thin_parts_get_more_points() -> None:
    plate = box((0.02, 0.5, 0.5), center=(0.3, 0, 0))
    mesh = shapes.together(plate, box((0.5, 0.5, 0.5), center=(-0.2, 0, 0)))
    surface = Solid(mesh, size=1 / 64).surface(2000, seed=0)
    through = thickness(mesh, surface)
    on_plate = (surface.points[:, 0] > 0.2) & (np.abs(surface.normals[:, 0]) > 0.5)
    assert np.allclose(through[on_plate], 0.02, atol=1e-3) and np.median(through[~on_plate]) == 0.3
    options = LabelOptions(points=2000, surface=2000, near_shares=(0, 0, 0), thin_share=1.0, voxels=64)
    points = label(mesh, options, generator=np.random.default_rng(0)).points
    share_of_area = np.mean(surface.points[:, 0] > 0.2)
    assert np.mean(points[:, 0] > 0.2) > 2 * share_of_area
