"""Trainings and batches that are killed (SIGKILL) at random moments, and what is left of them.

Each kind is a program that goes on where it was, `run` again and again, killed each time, and at last let go.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from monoform.training import list_checkpoints, load_checkpoint
from tests.pictures import mug, png
from tests.training.training_cases import assert_same_bits, final_state

ROOT = Path(__file__).parents[1]
STEPS, EVERY, PAUSE = 24, 4, 0.02
TRAINING = f"""
import sys, time
from tests.training.training_cases import Duel, duel_options
from monoform.training import train
def said(step):
    print(step, flush=True)
    time.sleep({PAUSE})
print("begun", flush=True)
train(Duel(said), sys.argv[1], options=duel_options(steps={STEPS}, checkpoint_every={EVERY}, prefetch=False))
"""
BATCH = ["--method", "inflate", "--faces", "300", "--resolution", "40", "--texture", "64", "--frames", "4"]
PHOTOS, WORKERS = 4, 2
GONE_AFTER = 10.0  # seconds in which the workers of a killed process must have ended


@dataclass
class Killed:
    """What the kills did.

    Attributes:
        kills: that hit the program before its end.
        lost: steps that a training had begun, or photos that a batch had finished, of which nothing was left; of each
            kill.
        workers_left: kills after which processes still lived.
        wrong: results that are not those of the uninterrupted run.
        leftovers: names in the folder after the last run that belong to no result.
    """

    kills: int = 0
    lost: tuple[int, ...] = ()
    workers_left: int = 0
    wrong: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()


def killed_training(folder: Path, kills: int, seed: int = 0) -> Killed:
    """A training, killed so often, against one that was let go: its last checkpoint must be the same to the bit."""
    whole, broken = folder / "whole", folder / "broken"
    command = [sys.executable, "-c", TRAINING]
    _seconds(run([*command, str(whole)], None)[0])
    lengths = random.Random(seed)
    found = Killed()
    for _ in range(kills):
        before = _step(broken)
        output, ended = run([*command, str(broken)], lengths.uniform(0.0, STEPS * (PAUSE + 0.01)), after="begun")
        begun = [int(line) for line in output.split() if line.isdigit()]
        kept = _step(broken)
        assert kept >= before, "a checkpoint was lost"
        if ended:
            break
        found.kills += 1
        found.lost += (max(begun, default=before) - kept,)
    run([*command, str(broken)], None)
    try:
        assert_same_bits(final_state(broken), final_state(whole))
    except AssertionError as error:
        found.wrong = (str(error),)
    found.leftovers = _strangers(broken, {each.name for each in whole.iterdir()})
    return found


def killed_batch(folder: Path, kills: int, seed: int = 0) -> Killed:
    """A batch of photos with workers, killed so often, against one that was let go: its meshes must be the same."""
    rgb, mask = mug()
    photos = [folder / f"photo_{number}.png" for number in range(PHOTOS)]
    for photo in photos:
        photo.write_bytes(png(np.dstack([rgb, mask])))
    command = [sys.executable, "-m", "monoform", "reconstruct", *map(str, photos), *BATCH, "--workers", str(WORKERS)]
    whole, broken = folder / "whole", folder / "broken"
    seconds = _seconds(run([*command, "-o", str(whole)], None)[0])
    found, lengths, done = Killed(), random.Random(seed), 0
    for _ in range(kills):
        output, ended = run([*command, "-o", str(broken)], lengths.uniform(0.1, 0.7) * seconds)
        if ended:
            break
        found.kills += 1
        found.workers_left += "still lives" in output
        left = sum((broken / photo.stem / "result.json").is_file() for photo in photos)
        found.lost += (max(0, done - left),)
        done = left
    run([*command, "-o", str(broken)], None)
    for photo in photos:
        one, other = (each / photo.stem / "mesh.glb" for each in (whole, broken))
        if not other.is_file() or one.read_bytes() != other.read_bytes():
            found.wrong += (photo.stem,)
    found.leftovers = _strangers(broken, {each.name for each in whole.iterdir()})
    return found


def run(command: Sequence[str], seconds: float | None, *, after: str = "") -> tuple[str, bool]:
    """Run a program in a session of its own; kill it after so many seconds, and wait for all that it started.

    Args:
        seconds: None to let it come to its end, which must be a good one.
        after: a line of its output from which the seconds count.

    Returns:
        What it printed, and whether it came to its end. Where its processes outlive it, the output says so.
    """
    started = time.perf_counter()
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    with subprocess.Popen(
        command, env=environment, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        head = ""
        while after and after not in head and (line := process.stdout.readline()):
            head += line
        if seconds is not None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
        ended = seconds is None or process.poll() is not None
        if not ended:
            process.kill()
            if not _until(lambda: not _lives(process.pid), GONE_AFTER):
                head += "still lives\n"
                os.killpg(process.pid, signal.SIGKILL)
        output, errors = process.communicate()
    if ended:
        assert process.returncode == 0, errors
    return f"{head}{output}\nseconds {time.perf_counter() - started}", ended


def _lives(group: int) -> bool:
    """Whether a process of the group lives that is not merely unburied."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    states = subprocess.run(["ps", "-o", "stat=", "-g", str(group)], capture_output=True, text=True, check=False).stdout
    return any(not state.startswith("Z") for state in states.split())


def _until(holds: Callable[[], bool], seconds: float) -> bool:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        if holds():
            return True
        time.sleep(0.1)
    return holds()


def _seconds(output: str) -> float:
    return float(output.split()[-1])


def _step(out: Path) -> int:
    """Of the last checkpoint, which must be readable; 0 where there is none yet."""
    found = list_checkpoints(out) if out.is_dir() else []
    return load_checkpoint(found[-1]).step if found else 0


def _strangers(folder: Path, known: set[str]) -> tuple[str, ...]:
    return tuple(sorted({each.name for each in folder.iterdir()} - known))
