"""Finds the verb, runs it, and turns what goes wrong into one sentence and an exit code."""

from __future__ import annotations

import difflib
import errno
import gc
import io
import os
import sys
from importlib import import_module
from typing import NoReturn, TextIO

from ..computing import LOG, Computing, go_offline, log_from
from ..errors import InputError
from ..interrupts import heard, listen, on_signals
from ..progress import shown, stop
from ..text import printable

VERBS = {
    "reconstruct": "photos to textured meshes, each with the camera that took the photo",
    "pose": "the camera of a photo of a known scene, by comparing pictures",
    "train": "a network, from prepared data",
    "generate": "objects without a photo, by a method that makes samples",
    "evaluate": "a method by its paper's protocol, on a published data set",
    "film": "all around an object of a data set, from given views of it",
    "export": "a result for printers, phones, simulators and other programs",
    "prepare": "training data from meshes",
    "convert": "a published checkpoint into weights that a method here loads",
    "view": "open the page of a result",
    "app": "a web page: drop a photo, correct its mask, turn the result",
    "serve": "reconstructions over HTTP: photos in, jobs to ask after, results out",
    "models": "the methods: what each needs, its licence, its options",
    "doctor": "does everything compute right on this machine?",
    "cite": "what to cite, for a method or a result",
}
INTERRUPTED, BAD_INPUT = 130, 2
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and leave with 0, 1 (a check failed), 2 (bad input) or 130 (interrupted)."""
    own = arguments is None  # a process of our own, which ends with the command
    if own:
        gc.disable()  # what is imported stays: until the work begins there is nothing to collect
    on_signals(_leave)
    sys.stdout, sys.stderr = sys.stdout or _nowhere(), sys.stderr or _nowhere()  # None where the caller closed them
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names may hold what the terminal has no letters for
    words = sys.argv[1:] if arguments is None else arguments
    try:
        code = _run(words)
        if heard():
            _leave()
        sys.stdout.flush()
    except KeyboardInterrupt:
        _leave()
    except InputError as error:
        if heard():  # a reader that was broken off takes its file for damaged
            _leave()
        code = _say(str(error), BAD_INPUT)
    except BrokenPipeError:
        _hush()
        code = 0
    except Exception as error:
        if heard():  # compiled code that an interrupt broke into may raise what it likes
            _leave()
        from ..memory import ran_out

        if isinstance(error, OSError) and error.errno in FULL:  # files of ours tell it themselves: this is a stream
            _hush()
            code = _say(f"Cannot write to the standard output: {os.strerror(error.errno)}.", BAD_INPUT)
        elif ran_out(error):
            code = _say("There is not enough memory: lower --resolution or --workers.", BAD_INPUT)
        else:
            raise
    if own:
        gc.freeze()  # the interpreter's exit would look through everything once more, for half a second
    sys.exit(code)


def _run(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(usage())
        return 0
    if words[0] in ("-V", "--version"):
        from .. import __version__

        print(f"monoform {__version__}")
        return 0
    verb = words[0]
    if verb not in VERBS:
        near = difflib.get_close_matches(verb, VERBS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"the verbs are {', '.join(VERBS)}."
        raise InputError(f"There is no verb {verb!r}: {hint}")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # a line is read when it is printed, through a pipe too
    with shown():
        return import_module(f".{verb}", __package__).run(words[1:])


def usage() -> str:
    """The table of contents."""
    width = max(map(len, VERBS)) + 2
    lines = [f"  {verb:{width}}{line}" for verb, line in VERBS.items()]
    return "\n".join(
        [
            "usage: monoform VERB ... | monoform VERB --help | monoform --version",
            "",
            "One photo of an object in; its shape, camera pose and appearance out.",
            "",
            *lines,
            "",
            "  monoform reconstruct mug.jpg -o out",
        ]
    )


def _nowhere() -> TextIO:
    return open(os.devnull, "w")


def _hush() -> None:
    """What is still to be printed goes nowhere: the standard output takes no more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(sentence: str, code: int) -> int:
    print(f"monoform: {printable(sentence)}", file=sys.stderr)
    return code


def interruptible() -> None:
    """From here on there is something to clear up: Ctrl-C and SIGTERM raise KeyboardInterrupt.

    Before, they end the process at once: libraries that are being imported may swallow an exception. What was imported
    is kept from the garbage collector, which runs from here on.
    """
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
    listen()


def begin(asked: Computing) -> str:
    """The work begins: offline where that is asked for, interruptible, on a device that is there.

    Returns:
        The device: "cpu", "cuda" or "mps".

    Raises:
        InputError: the device is not there.
    """
    from ..devices import device_named

    if asked.offline:
        go_offline()
    log_from(os.environ.get(LOG, "") if asked.log == "warning" else asked.log)
    interruptible()
    return device_named(asked.device).type


def _leave(*_: object) -> NoReturn:
    """Say so and end, without the interpreter's own exit, which may report the interrupt a second time."""
    stop()
    sys.stdout.flush()
    print(
        "monoform: Interrupted: what was finished is kept, nothing is left half-written.", file=sys.stderr, flush=True
    )
    os._exit(INTERRUPTED)
