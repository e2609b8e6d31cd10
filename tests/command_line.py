"""The command line for tests: each command in a process of its own, without the seconds that it takes to load torch.

A server, one for each test process, has loaded everything; it forks for each command, and the copy runs it as
`python -m monoform` does. What starts threads is not run in the server itself, so nothing is lost in the fork.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import pkgutil
import resource
import runpy
import select
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from importlib import import_module
from pathlib import Path

_servers: list[subprocess.Popen[str]] = []  # at most one


def monoform(
    *words: object,
    cwd: str | Path | None = None,
    largest_file: int | None = None,
    timeout: float = 300,
    packages: str | Path = "",
) -> subprocess.CompletedProcess[str]:
    """Run `monoform WORDS`.

    Args:
        cwd: folder to run it in, the present one by default.
        largest_file: bytes; the system refuses to write more to a file, as a full disk does.
        timeout: seconds; a command that takes longer is killed.
        packages: folder of further installed packages.

    Raises:
        subprocess.TimeoutExpired: it took longer.
    """
    command = [str(word) for word in words]
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("out", "err")]
        place = str(cwd or os.getcwd())
        request = {"words": command, "cwd": place, "files": [str(file) for file in files]}
        request |= {"largest_file": largest_file, "packages": str(packages)}
        server = _started()
        assert server.stdin is not None and server.stdout is not None
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        if not select.select([server.stdout], [], [], timeout)[0]:
            _stop()
            raise subprocess.TimeoutExpired(command, timeout)
        answer = server.stdout.readline()
        assert answer, "the server of commands has ended"
        out, err = (file.read_text(encoding="utf-8", errors="surrogateescape") for file in files)
    return subprocess.CompletedProcess(command, int(answer), out, err)


def _started() -> subprocess.Popen[str]:
    if not _servers or _servers[0].poll() is not None:
        _stop()
        command = [sys.executable, __file__]
        pipe = subprocess.PIPE
        _servers.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, start_new_session=True))
        atexit.register(_stop)
    return _servers[0]


def _stop() -> None:
    """End the server and the command that it runs."""
    while _servers:
        server = _servers.pop()
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def _load() -> None:
    import monoform

    for module in pkgutil.walk_packages(monoform.__path__, "monoform."):
        if not module.name.endswith("__main__"):
            import_module(module.name)


def _serve() -> None:
    """Answer each line with the exit code of its command; a copy of this process leaves the loop to run it."""
    _load()
    gc.freeze()
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            return _run(**request)
        answers.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        answers.flush()


def _run(words: list[str], cwd: str, files: list[str], largest_file: int | None, packages: str) -> None:
    sys.path[:0] = [packages] if packages else []
    for number, file in zip((1, 2), files, strict=True):
        os.dup2(os.open(file, os.O_CREAT | os.O_WRONLY), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(cwd)
    if largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    sys.argv = ["monoform", *words]
    code: object = 0
    try:
        runpy.run_module("monoform", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]  # what an interpreter does at its end, but for taking all apart
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


if __name__ == "__main__":
    _serve()
