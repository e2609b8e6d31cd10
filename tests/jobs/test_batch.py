"""Many photos: names, masks, what is kept, what fails alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from tests.pictures import disc, mug, png

from monoform import InputError
from monoform.jobs import ReconstructOptions
from monoform.jobs.batch import is_complete, plan, run
from monoform.jobs.engines import Local
from monoform.jobs.reconstruct_options import DEFAULT_METHOD, request

QUICK = ReconstructOptions(faces=600, texture=64, resolution=64, frames=4)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for name, (rgb, mask) in {"ball": disc(), "mug": mug()}.items():
        (folder / f"{name}.png").write_bytes(png(rgb))
        (folder / f"{name}_mask.png").write_bytes(png(mask))
    (folder / "text.png").write_text("no image")
    return folder


def test_names_of_results(tmp_path):
    items = plan(["a/mug.jpg", "b/mug.png", "http://x.org/Mug.webp?y=1", "..", "c/.jpg"], tmp_path)
    assert [item.folder.name for item in items[:3]] == ["mug", "mug-2", "Mug-3"]
    assert all(item.folder.parent == tmp_path and item.folder.name.strip(".") for item in items)
    with pytest.raises(InputError, match="No photo"):
        plan([], tmp_path)


def test_masks_for_several_photos(photos, tmp_path):
    names = [str(photos / "ball.png"), str(photos / "mug.png")]
    items = plan(names, tmp_path, str(photos))
    # A photo that lies in the mask folder under its own name is not taken for its own mask.
    assert [item.mask for item in items] == [str(photos / "ball_mask.png"), str(photos / "mug_mask.png")]
    with pytest.raises(InputError, match="one mask for 2 photos"):
        plan(names, tmp_path, str(photos / "ball_mask.png"))
    with pytest.raises(InputError, match="holds no mask"):
        plan([str(photos / "text.png"), *names], tmp_path, str(photos))
    assert plan(names[:1], tmp_path, str(photos / "ball_mask.png"))[0].mask == str(photos / "ball_mask.png")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_batch_fails_alone_and_keeps_what_is_there(photos, tmp_path, workers):
    names = [str(photos / name) for name in ("ball.png", "text.png", "mug.png")]
    items = plan(names, tmp_path)
    first = {outcome.name: outcome for outcome in run(items, QUICK, engine=Local(workers))}
    assert {name: outcome.status for name, outcome in first.items()} == {
        "ball": "done",
        "text": "failed",
        "mug": "done",
    }
    assert "not an image" in first["text"].message
    assert first["mug"].iou > 0.9 and first["mug"].watertight
    assert sorted(os.listdir(tmp_path)) == ["ball", "mug"]

    (tmp_path / "mug" / "overlay.png").unlink()
    stamp = (tmp_path / "ball" / "mesh.glb").stat().st_mtime_ns
    again = {outcome.name: outcome.status for outcome in run(items, QUICK, engine=Local(workers))}
    assert again == {"ball": "kept", "text": "failed", "mug": "done"}
    assert (tmp_path / "ball" / "mesh.glb").stat().st_mtime_ns == stamp


def test_other_options_or_overwrite_make_it_anew(photos, tmp_path):
    item = plan([str(photos / "ball.png")], tmp_path)[0]
    assert not is_complete(item, QUICK)
    assert [outcome.status for outcome in run([item], QUICK)] == ["done"]
    assert is_complete(item, QUICK)
    assert not is_complete(item, ReconstructOptions(faces=700, texture=64, resolution=64, frames=4))
    assert [outcome.status for outcome in run([item], QUICK, overwrite=True)] == ["done"]
    (tmp_path / "ball" / "result.json").write_text("{")
    assert not is_complete(item, QUICK)


def test_the_result_folder_says_what_was_done(photos, tmp_path):
    item = plan([str(photos / "mug.png")], tmp_path, str(photos / "mug_mask.png"))[0]
    outcome = next(run([item], QUICK, finish=lambda folder: (folder / "extra.txt").write_text("x")))
    summary = json.loads((tmp_path / "mug" / "result.json").read_text())
    assert summary["files"] == sorted(os.listdir(tmp_path / "mug"))
    assert {"mesh.glb", "camera.json", "mask.png", "overlay.png", "turntable.mp4", "extra.txt"} <= set(summary["files"])
    assert summary["mask"]["origin"] == "file"
    assert summary["overlay"]["iou"] == outcome.iou > 0.95
    assert summary["overlay"]["psnr"] > 15 and 0 < summary["overlay"]["ssim"] <= 1
    assert summary["camera"]["covariance"] is None and "no pose is fitted" in summary["camera"]["reason"]
    assert summary["mesh"]["faces"] == outcome.faces and summary["mesh"]["parts"] == 1
    assert set(summary["timings"]) == {"open", "mask", "shape", "mesh", "overlay", "turntable", "write"}
    assert summary["method"] == DEFAULT_METHOD and summary["versions"]["torch"]
    assert summary["memory_mb"] is None or 100 < summary["memory_mb"] < 1e5  # no less than Python and torch take


def test_the_same_photo_gives_the_same_bytes(photos, tmp_path):
    for name in ("one", "two"):
        next(run(plan([str(photos / "mug.png")], tmp_path / name), QUICK))
    for file in ("mesh.glb", "camera.json", "mask.png", "overlay.png", "photo.jpg"):
        assert (tmp_path / "one/mug" / file).read_bytes() == (tmp_path / "two/mug" / file).read_bytes(), file


def test_no_workers_are_refused(photos, tmp_path):
    with pytest.raises(InputError, match="at least 1"):
        next(run(plan([str(photos / "mug.png")], tmp_path), QUICK, engine=Local(0)))


def test_a_worker_clears_up_once_however_often_it_is_told(tmp_path):
    """Interrupted within its work, a worker is told again, by every signal, while it clears up."""
    script = tmp_path / "worker.py"
    script.write_text(
        "import os, signal, sys, time\n"
        "from pathlib import Path\n"
        "from monoform.outputs import atomic_folder\n"
        "from monoform import workers\n"
        "def slow(item):\n"
        "    try:\n"
        "        with atomic_folder(Path(sys.argv[1]) / 'mug'):\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "            time.sleep(5)\n"
        "    finally:\n"
        "        for number in (signal.SIGINT, signal.SIGTERM):\n"
        "            os.kill(os.getpid(), number)\n"
        "        Path(sys.argv[1], 'cleared').touch()\n"
        "workers._start(1, False)\n"
        "workers._run(slow, None)\n"
    )
    done = subprocess.run([sys.executable, str(script), str(tmp_path)], check=False, capture_output=True, timeout=60)
    assert done.returncode == 130, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cleared", "worker.py"]


def test_a_result_of_another_photo_of_the_same_name_is_kept(photos, tmp_path):
    for name, other in (("first", "ball"), ("second", "mug")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cup.png").write_bytes((photos / f"{other}.png").read_bytes())
    out = tmp_path / "out"
    (made,) = run(plan([str(tmp_path / "first/cup.png")], out), QUICK)
    before = (out / "cup/mesh.glb").read_bytes()
    (refused,) = run(plan([str(tmp_path / "second/cup.png")], out), QUICK)
    assert (made.status, refused.status) == ("done", "failed")
    assert f"is the result of {tmp_path / 'first/cup.png'}" in refused.message
    assert (out / "cup/mesh.glb").read_bytes() == before
    # The same file by another spelling is the same photo, with other options too.
    spelled = f"{tmp_path}/second/../first/cup.png"
    (again,) = run(plan([spelled], out), replace(QUICK, frames=0))
    assert again.status == "done"
    (replaced,) = run(plan([str(tmp_path / "second/cup.png")], out), QUICK, overwrite=True)
    assert replaced.status == "done" and (out / "cup/mesh.glb").read_bytes() != before


def test_options_of_several_values_are_the_same_when_they_are_read_again(photos, tmp_path):
    from monoform.methods.realfusion.fit_options import Views

    views = Views(radius_range=(1.7, 1.9))
    options = replace(QUICK, method="realfusion", overrides={"views": views})
    asked = request(str(photos / "ball.png"), None, options)
    assert json.loads(json.dumps(asked)) == asked and asked["overrides"]["views"]["radius_range"] == [1.7, 1.9]
    assert asked != request(str(photos / "ball.png"), None, replace(options, overrides={"views": Views()}))
