"""The command line from end to end, in processes of its own."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.command_line import monoform
from tests.pictures import mug, png

from monoform.jobs.doctor import EXTRAS
from monoform.training.progress_page import write_page

MONOFORM = [sys.executable, "-m", "monoform"]
QUICK = ["--faces", "600", "--texture", "64", "--resolution", "64", "--frames", "4"]


@pytest.fixture(scope="module")
def photo(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "mug.png"
    path.write_bytes(png(mug()[0]))
    path.with_name("mug_mask.png").write_bytes(png(mug()[1]))
    return path


def best_seconds(*command: str) -> float:
    seconds = []
    for _ in range(4):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def test_help_is_quick_and_lists_the_verbs():
    shown = monoform("--help")
    assert shown.returncode == 0
    for verb in ("reconstruct", "train", "prepare", "view", "models", "doctor", "cite"):
        assert f"  {verb}" in shown.stdout
    assert best_seconds(*MONOFORM, "--help") < 0.5


def test_import_is_quick_and_brings_no_torch():
    empty = best_seconds(sys.executable, "-c", "pass")
    assert best_seconds(sys.executable, "-c", "import monoform") - empty < 0.3
    check = "import monoform, sys; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)


def test_every_verb_explains_itself():
    for verb in ("reconstruct", "train", "prepare", "view", "models", "doctor", "cite"):
        shown = monoform(verb, "--help")
        assert shown.returncode == 0 and f"monoform {verb}" in shown.stdout
    assert "--mask" in monoform("reconstruct", "--help").stdout


def test_a_photo_becomes_a_whole_result(photo, tmp_path):
    done = monoform("reconstruct", photo, "-o", tmp_path / "out", *QUICK)
    assert done.returncode == 0, done.stderr
    names = set(os.listdir(tmp_path / "out" / "mug"))
    expected = ["mesh.glb", "camera.json", "turntable.mp4", "overlay.png", "mask.png", "result.json", "report.html"]
    assert set(expected) <= names
    assert "report.html" in done.stdout
    summary = json.loads((tmp_path / "out/mug/result.json").read_text())
    assert set(summary["files"]) == names
    again = monoform("reconstruct", photo, "-o", tmp_path / "out", *QUICK)
    assert again.returncode == 0 and "already there" in again.stdout
    shown = monoform("view", tmp_path / "out" / "mug", "--print-only")
    assert shown.stdout.strip().endswith("/mug/report.html")
    assert "@software{monoform" in monoform("cite", tmp_path / "out" / "mug").stdout


def test_options_change_the_result(photo, tmp_path):
    masked = ["--mask", photo.with_name("mug_mask.png"), "--method", "inflate", *QUICK]
    monoform("reconstruct", photo, "-o", tmp_path / "plain", *masked)
    plain = json.loads((tmp_path / "plain/mug/result.json").read_text())
    assert plain["mask"]["origin"] == "file"
    assert plain["mesh"]["faces"] == pytest.approx(600, rel=0.01)
    thin = monoform("reconstruct", photo, "-o", tmp_path / "thin", *masked, "--set", "thickness=0.4")
    assert thin.returncode == 0, thin.stderr
    volume = json.loads((tmp_path / "thin/mug/result.json").read_text())["mesh"]["volume"]
    assert volume < 0.6 * plain["mesh"]["volume"]
    monoform("reconstruct", photo, "-o", tmp_path / "long", *masked, "--focal", "2000", "--seed", "7")
    camera = json.loads((tmp_path / "long/mug/camera.json").read_text())
    assert camera["intrinsics"][0][0] == 2000
    assert json.loads((tmp_path / "long/mug/result.json").read_text())["seed"] == 7
    monoform("reconstruct", photo, "-o", tmp_path / "still", *masked[:-1], "0")
    assert not (tmp_path / "still/mug/turntable.mp4").exists()
    assert (tmp_path / "still/mug/report.html").exists()


def test_hypotheses_are_ranked_and_shown(photo, tmp_path):
    masked = ["--mask", photo.with_name("mug_mask.png"), *QUICK]
    words = ["--method", "lift", "--refine", "5", "--seeds", "2"]
    done = monoform("reconstruct", photo, "-o", tmp_path / "out", *masked, *words)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "out" / "mug"
    told = json.loads((folder / "result.json").read_text())["hypotheses"]
    assert [entry["file"] for entry in told] == ["mesh.glb", "hypothesis_2.glb"]
    assert told[0]["loss"] <= told[1]["loss"]
    assert (folder / "hypothesis_2.glb").read_bytes()[:4] == b"glTF"
    assert "Hypotheses" in (folder / "report.html").read_text()
    refused = monoform("reconstruct", photo, "-o", tmp_path / "no", *masked, "--method", "inflate", "--refine", "5")
    assert refused.returncode == 2 and "no option refine" in refused.stderr


def test_a_batch_writes_a_table_and_says_what_failed(photo, tmp_path):
    (tmp_path / "text.png").write_text("no image")
    done = monoform("reconstruct", photo, tmp_path / "text.png", "-o", tmp_path / "out", "--workers", 2, *QUICK)
    assert done.returncode == 2
    assert "1 of 2 photos done" in done.stdout
    assert "not an image" in " ".join((done.stdout + done.stderr).split())
    assert "mug" in (tmp_path / "out/summary.csv").read_text()
    assert (tmp_path / "out/index.html").exists()
    assert not (tmp_path / "out/text").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["recontsruct"], "did you mean reconstruct?"),
        (["reconstruct", "none.png", "-o", "out"], "There is no file none.png"),
        (["reconstruct", "http://127.0.0.1:9/x.png", "-o", "out"], "cannot be fetched"),
        (["reconstruct", "{photo}", "-o", "out", "--method", "magic"], "There is no method 'magic'"),
        (["reconstruct", "{photo}", "-o", "out", "--faces", "3"], "faces is 3"),
        (["reconstruct", "{photo}", "-o", "out", "--set", "depth=2"], "NAME=VALUE"),
        (["reconstruct", "{photo}", "-o", "out", "--mask", "{photo}.none"], "There is no file"),
        (["reconstruct", "{photo}", "-o", "{photo}/out"], "Cannot write"),
        (["reconstruct", "{photo}", "-o", ""], "-o is '': give a path."),
        (["reconstruct", "{photo}", "--out="], "--out is '': give a path."),
        (["view", "nowhere"], "no result folder"),
        (["view", "{photo}"], "is a file: give the result folder."),
        (["prepare", "check", "--data", "{photo}"], "is no zip file: give a folder or a zip file"),
        (["cite", "magic"], "no method 'magic'"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(words, sentence, photo, tmp_path):
    done = monoform(*(word.format(photo=photo) for word in words), cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("monoform: ") and done.stderr.count("\n") == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists() or os.listdir(tmp_path / "out") == []


def test_unknown_flags_leave_2():
    assert monoform("reconstruct", "x.png", "-o", "out", "--wrong").returncode == 2


@pytest.mark.parametrize("kilobytes", [1, 12, 60])
def test_a_full_disk_is_one_sentence_and_nothing_half_written(photo, tmp_path, kilobytes):
    done = monoform("reconstruct", photo, "-o", tmp_path / "out", largest_file=kilobytes * 1024)
    assert done.returncode == 2, done.stderr
    assert "Cannot write" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists() or os.listdir(tmp_path / "out") == []


@pytest.mark.parametrize("words", ["--help", "models", "reconstruct --help"])
def test_a_full_or_closed_standard_output(words):
    command = " ".join(map(shlex.quote, MONOFORM)) + f" {words}"
    full = subprocess.run(f"{command} >/dev/full", shell=True, check=False, capture_output=True, text=True)
    assert full.returncode == 2
    assert full.stderr == "monoform: Cannot write to the standard output: No space left on device.\n"
    closed = subprocess.run(f"{command} >&-", shell=True, check=False, capture_output=True, text=True)
    assert (closed.returncode, closed.stderr) == (0, "")


@pytest.mark.parametrize("seconds", [0.8, 1.5, 2.5, 3.5, 5.0])
@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupt_leaves_nothing_half_written(photo, tmp_path, seconds, workers):
    copy = tmp_path / "second.png"
    copy.write_bytes(photo.read_bytes())
    command = [*MONOFORM, "reconstruct", photo, copy, "-o", tmp_path / "out", "--workers", str(workers)]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    left = os.listdir(tmp_path / "out") if (tmp_path / "out").exists() else []
    assert not [name for name in left if name.startswith(".")], left
    for name in left:
        assert (tmp_path / "out" / name / "result.json").exists()


def test_models_and_doctor():
    shown = monoform("models")
    assert "inflate" in shown.stdout and "Apache-2.0" in shown.stdout
    assert "thickness" in monoform("models", "inflate").stdout
    assert "p3d_car" in monoform("models", "bootstrap").stdout
    printed = monoform("models", "bootstrap", "--config", "cub").stdout
    assert re.search(r"scene\.half_side +2\.0", printed) and re.search(r"network\.noise +True", printed)
    for words, said in (
        (("inflate", "--config", "x"), "no configurations to print"),
        (("--config", "x"), "give METHOD"),
    ):
        refused = monoform("models", *words)
        assert refused.returncode == 2 and said in refused.stderr
    examined = monoform("doctor")
    assert examined.returncode == 0, examined.stdout + examined.stderr
    assert "BAD" not in examined.stdout and "surface of a ball" in examined.stdout
    assert "network on cpu" in examined.stdout
    for package in EXTRAS:
        assert package in examined.stdout


@pytest.mark.parametrize("error", ["ValueError", "InputError"])
def test_what_compiled_code_makes_of_an_interrupt_is_an_interrupt(error):
    """A library that is broken off may raise something else than KeyboardInterrupt."""
    program = """
import os, signal
from importlib import import_module

main = import_module("monoform.cli.main")
from monoform import InputError

def run(words):
    main.interruptible()
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        raise ERROR("could not determine the shape")

main._run = run
main.main(["reconstruct"])
"""
    done = subprocess.run(
        [sys.executable, "-c", program.replace("ERROR", error)], check=False, capture_output=True, text=True
    )
    assert done.returncode == 130
    assert done.stderr.count("\n") == 1
    assert "Interrupted" in done.stderr


def test_view_opens_the_page_of_a_training(tmp_path: Path) -> None:
    (tmp_path / "training.json").write_text("{}")
    early = monoform("view", tmp_path, "--print-only")
    assert early.returncode == 2 and "no pictures yet" in early.stderr
    (tmp_path / "pictures").mkdir()
    write_page(tmp_path / "pictures", step=1, steps=2, note="", running=True)
    found = monoform("view", tmp_path, "--print-only")
    assert found.returncode == 0 and found.stdout.strip() == (tmp_path / "pictures" / "index.html").as_uri()
