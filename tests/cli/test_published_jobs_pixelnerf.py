"""The tables of docs/published_jobs.md: every command line runs, on small data under the names that it uses."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from tests.cli.published_pixelnerf import pixelnerf_place
from tests.command_line import monoform

PAGE = Path(__file__).parents[2] / "docs" / "published_jobs.md"
SMALLER = {"--steps 400000": "--steps 6", "config=srn_car objects=4": "config=small objects=4"}
LITTLE = "objects=1 rays=8 validation_objects=1 validation_rays=8"


def commands_of(section: str) -> list[str]:
    """The command lines of a section's table."""
    page = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    [content] = [part for part in page if part.startswith(f"{section}\n")]
    return re.findall(r"`(monoform [^`]+)`", content)


def smaller(command: str) -> str:
    """The same in seconds: few steps, and a small network where one is begun."""
    for long, short in SMALLER.items():
        command = command.replace(long, short)
    if command.startswith("monoform train pixelnerf"):
        command = command if " conf=" in command else command.replace("config=srn_car", "config=small")
        command += "" if "objects=" in command else f" {LITTLE}"
    return command


def run(command: str, place: Path, earlier: list[str]) -> None:
    """Run a command, and before it those that write what it reads."""
    words = shlex.split(smaller(command))[1:]
    out = words[words.index("-o") + 1] if "-o" in words else None
    for other in earlier:
        made = other.split(" -o ")[1].split()[0] if " -o " in other else None
        if made is not None and made != out and made in words and not (place / made).exists():
            run(other, place, earlier)
    done = monoform(*words, cwd=place)
    assert done.returncode == 0, (command, done.stdout[-1000:], done.stderr[-2000:])
    assert out is None or (place / out).exists(), command


@pytest.fixture(scope="module")
def pixelnerf(tmp_path_factory) -> Path:
    return pixelnerf_place(tmp_path_factory.mktemp("pixelnerf"))


@pytest.mark.parametrize("number", range(len(commands_of("pixelNeRF"))))
def test_a_job_of_pixelnerf(pixelnerf: Path, number: int) -> None:
    commands = commands_of("pixelNeRF")
    run(commands[number], pixelnerf, commands)


def test_depths_and_pictures_are_where_the_table_says(pixelnerf: Path) -> None:
    commands = commands_of("pixelNeRF")
    for out in ("eval_depth", "run_shown"):
        [command] = [one for one in commands if f"-o {out}" in one]
        if not (pixelnerf / out).exists():
            run(command, pixelnerf, commands)
    names = {file.name for file in (pixelnerf / "eval_depth").rglob("000000*")}
    assert names == {f"000000{end}" for end in (".png", "_depth.npy", "_depth.exr", "_depth_norm.png", "_compare.png")}
    assert list((pixelnerf / "run_shown").rglob("*.png")) or list((pixelnerf / "run_shown").rglob("*.jpg"))
