"""A batch on the actors of Ray Data: what is killed is done by another, once, and nothing is left half."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.pictures import disc, png

from monoform import InputError
from monoform.jobs import ReconstructOptions
from monoform.jobs.batch import is_complete, plan, run

pytest.importorskip("ray", reason="Ray is none of the pinned packages; a job of the workflow has it")

from monoform.jobs.ray_engine import LOST, TRIES, RayData

QUICK = ReconstructOptions(method="inflate", faces=200, texture=64, resolution=32, frames=0)
WORDS = ("--method", "inflate", "--faces", "200", "--texture", "64", "--resolution", "32", "--frames", "0")
NAMES = ("ball", "killed_always", "killed_once", "marble", "orb")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    rgb, mask = disc()
    for name in NAMES:
        (folder / f"{name}.png").write_bytes(png(rgb))
        (folder / f"{name}_mask.png").write_bytes(png(mask))
    return folder


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """The functions of this file are found by the processes of Ray."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "src")]))


def _written_down(folder: Path) -> None:
    """Called in the actor when a result is there but for its name; some are killed over it."""
    log, name = folder.parent.parent / "log", folder.name.lstrip(".").partition(".")[0]
    before = list(log.glob(f"{name}@*"))
    (log / f"{name}@{os.getpid()}@{time.time_ns()}").touch()
    if name == "killed_always" or (name == "killed_once" and not before):
        os.kill(os.getpid(), signal.SIGKILL)


def test_every_photo_is_done_once_by_two_actors_of_which_some_are_killed(photos, tmp_path):
    (tmp_path / "log").mkdir()
    out = tmp_path / "out"
    items = plan([str(photos / f"{name}.png") for name in NAMES], out, str(photos))
    outcomes = list(run(items, QUICK, engine=RayData(2), finish=_written_down))
    found = {outcome.name: outcome for outcome in outcomes}
    assert sorted(each.name for each in outcomes) == sorted(NAMES)
    assert {name: each.status for name, each in found.items()} == {
        name: "failed" if name == "killed_always" else "done" for name in NAMES
    }
    assert found["killed_always"].message == LOST
    done = [file.name.split("@") for file in (tmp_path / "log").iterdir()]
    times = {name: sum(each[0] == name for each in done) for name in NAMES}
    assert times == dict.fromkeys(NAMES, 1) | {"killed_once": 2, "killed_always": TRIES}
    assert len({pid for _, pid, _ in done}) >= 2
    assert sorted(os.listdir(out)) == sorted(set(NAMES) - {"killed_always"})
    assert all(is_complete(item, QUICK) for item in items if item.folder.name != "killed_always")


def test_the_command_makes_what_the_pool_makes_and_goes_on_from_it(photos, tmp_path):
    words = [str(photos / f"{name}.png") for name in ("ball", "orb")]

    def command(*more: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "monoform", "reconstruct", *more, "--mask", str(photos), *WORDS]
        return subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)

    made = command(*words, "-o", f"file://{tmp_path}/out", "--engine", "ray", "--workers", "2")
    assert made.returncode == 0, made.stderr
    assert "2 of 2 photos done" in made.stdout and "ray" not in made.stderr.lower()
    again = command(*words, "-o", "out", "--workers", "2")
    assert again.stdout.count(": kept") == 2, again.stdout
    assert command(words[0], "-o", "local").returncode == 0
    assert (tmp_path / "out/ball/mesh.glb").read_bytes() == (tmp_path / "local/ball/mesh.glb").read_bytes()


def _fails(item: int) -> int:
    raise OSError(f"item {item}")


def test_what_an_item_raises_reaches_who_waits():
    with pytest.raises(OSError, match="item 3"):
        list(RayData(1)(_fails, [3], lambda item, why: item))


def test_a_cluster_that_is_not_there_is_one_sentence():
    with pytest.raises(InputError, match=r"There is no Ray cluster at 127\.0\.0\.1:9"):
        list(RayData(address="127.0.0.1:9")(_fails, [3], lambda item, why: item))
