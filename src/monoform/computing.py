"""What every command that computes is asked: where, and whether anything may be fetched."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import Literal, get_args

from .errors import InputError

LogWord = Literal["warning", "info", "debug"]
DeviceWord = Literal["auto", "cpu", "cuda", "mps"]
WORDS: tuple[str, ...] = get_args(DeviceWord)
OFFLINE = ("MONOFORM_OFFLINE", "HF_HUB_OFFLINE")
LOG = "MONOFORM_LOG"
NO = ("", "0", "false", "no", "off")


@dataclass(frozen=True, kw_only=True)
class Computing:
    """Options of a command that computes; its own dataclass is built on this one."""

    device: DeviceWord = "cpu"
    """Where networks compute: cpu, cuda, mps; or auto, the first of cuda and mps that is there, else cpu."""
    offline: bool = False
    """Fetch nothing: what would come from a network is refused. So does the environment variable MONOFORM_OFFLINE."""
    log: LogWord = "warning"
    """What is logged on standard error: warning; info, how long each step took; or debug, each part of it too. The
    environment variable MONOFORM_LOG says the same, and `logging.getLogger("monoform")` in Python."""


def log_from(level: str) -> None:
    """From here on what is logged at `level` and above is told on standard error, by the processes of this one too.

    Args:
        level: "warning", "info" or "debug"; other words are taken for "warning".
    """
    logger, level = logging.getLogger("monoform"), level.strip().lower()
    if level not in get_args(LogWord)[1:]:
        return  # warnings are told without
    os.environ[LOG] = level
    logger.setLevel(level.upper())
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s", "%H:%M:%S"))
        logger.addHandler(handler)


def go_offline() -> None:
    """From here on nothing is fetched, by this process and those that it starts."""
    os.environ.update(dict.fromkeys(OFFLINE, "1"))


def is_offline() -> bool:
    """Whether the network is not to be used: by --offline, MONOFORM_OFFLINE or HF_HUB_OFFLINE."""
    return any(os.environ.get(name, "").strip().lower() not in NO for name in OFFLINE)


def require_network(lacking: str, advice: str) -> None:
    """A connection is about to be made for want of a file.

    Args:
        lacking: the file, as a sentence begins.
        advice: what to do instead, as a clause.

    Raises:
        InputError: the network is not to be used.
    """
    if is_offline():
        raise InputError(f"{lacking} is not here and is not fetched, as this runs offline: {advice}.")
