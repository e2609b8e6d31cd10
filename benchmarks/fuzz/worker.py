"""A process that makes one input after another, gives each to the command line, and tells what came of it.

A line of JSON on standard input asks for an input by kind and seed; a line on standard output answers.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import random
import resource
import shutil
import stat
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import torch

from monoform.cli.main import main
from monoform.data import PackedObjects
from monoform.errors import InputError

from . import words
from .bases import Base, bases
from .mutations import damage

HEAD = 1 << 16  # bytes of a file that are compared


def serve(work: Path, megabytes: int) -> None:
    """Answer until the input ends."""
    torch.set_num_threads(1)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library writes by itself is no answer
    known = bases()
    shutil.rmtree(work, ignore_errors=True)
    scene_bounds = work / "scene_bounds"
    (scene_bounds / "beside").mkdir(parents=True)
    (scene_bounds / "beside" / "precious.txt").write_text("the user's own")
    os.chdir(scene_bounds / "beside")
    good = {
        kind: [_made(base, work / "good" / f"{kind} {n}") for n, base in enumerate(found)]
        for kind, found in known.items()
    }
    room = megabytes * 1_000_000
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        rng = random.Random(f"{asked['kind']} {asked['seed']}")
        place, out = scene_bounds / "in", work / "out" / "result"
        for folder in (place, out.parent):
            _clear(folder)
        out.parent.mkdir(parents=True)
        may_write: tuple[str, ...] = ()
        if asked["kind"] in ("option", "name"):
            place.mkdir()
            given = (words.options if asked["kind"] == "option" else words.names)(place, rng)
        else:
            number = rng.randrange(len(known[asked["kind"]]))
            base = known[asked["kind"]][number]
            shutil.copytree(good[asked["kind"]][number], place, symlinks=True)
            if not asked.get("good"):
                damage(place, rng)
            given, may_write = list(rng.choice(base.words)), base.may_write
        given = [word.replace("{in}", str(place)).replace("{out}", str(out)) for word in given]
        answer = _watched(given, scene_bounds, out.parent, may_write, room)
        print(json.dumps(asked | {"words": given} | answer), file=answers, flush=True)


def _made(base: Base, place: Path) -> Path:
    place.mkdir(parents=True)
    base.write(place)
    return place


def _clear(folder: Path) -> None:
    if folder.is_symlink() or folder.exists():
        shutil.rmtree(folder)


def _watched(given: list[str], scene_bounds: Path, out: Path, may_write: tuple[str, ...], room: int) -> dict[str, Any]:
    """Run a command: its exit, its sentence, time and memory, and what changed around it."""
    before = _snapshot(scene_bounds)
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    start, resident = time.monotonic(), _memory("VmRSS")
    limit = _memory("VmSize") + room + 500_000_000
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    said, fault, code = io.StringIO(), "", 0
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = _run(given)
    except BaseException:
        fault = traceback.format_exc()
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    after = _snapshot(scene_bounds)
    changed = [name for name in before.keys() | after.keys() if before.get(name) != after.get(name)]
    said_text = said.getvalue()
    return {
        "code": code,
        "said": said_text[-600:],
        "fault": fault,
        "seconds": round(time.monotonic() - start, 2),
        "megabytes": round((_memory("VmHWM") - resident) / 1e6),
        "no_memory": "not enough memory" in said_text,
        "changed": [name for name in changed if Path(name).name not in may_write],
        "left": [path.name for path in out.rglob("*") if path.name.startswith(".")],
    }


def _run(given: list[str]) -> int:
    """The exit code of a command; packs are opened and drawn from, which no command does alone."""
    if given[0] == "PACK":
        try:
            objects = PackedObjects(given[1])
            objects.batch([0], torch.Generator().manual_seed(0), points=4, surface=4)
        except InputError as error:
            print(f"monoform: {error}")
            return 2
        return 0
    try:
        main(given)
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        sys.stdout.flush()


def _memory(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return 1024 * int(line.split()[1])
    return 0


def _snapshot(folder: Path) -> dict[str, str]:
    """What is below a folder: names, kinds, sizes, and the start of every file."""
    found = {}
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = os.path.join(root, name)
            state = os.lstat(path)
            mark = f"{state.st_mode} {state.st_size if stat.S_ISREG(state.st_mode) else ''}"
            if stat.S_ISREG(state.st_mode):
                with open(path, "rb") as file:
                    mark += hashlib.sha1(file.read(HEAD)).hexdigest()
            elif stat.S_ISLNK(state.st_mode):
                mark += os.readlink(path)
            found[os.fsencode(path).decode("utf-8", "backslashreplace")] = mark
    return found


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
