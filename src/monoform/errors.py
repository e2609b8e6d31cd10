"""The exceptions that carry a sentence for the user."""

from __future__ import annotations

import errno
import os

from .text import printable, shortened


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one clear sentence: what, which value, what to do. The command line prints it and exits with
    code 2; it never shows a traceback for it. What a terminal would not show as it is, and values without end, are
    made readable.
    """

    def __init__(self, sentence: object = "") -> None:
        super().__init__(shortened(printable(sentence)))


class WriteError(InputError):
    """A file or folder cannot be written: a full disk, say. It concerns the whole command, not one of its items.

    Attributes:
        reason: what the system says.
    """

    def __init__(self, sentence: object, reason: str = "") -> None:
        super().__init__(sentence)
        self.reason = reason or str(self)

    @property
    def is_full(self) -> bool:
        """Whether the disk, or the share of it that the user has, is full."""
        return self.reason in {os.strerror(errno.ENOSPC), os.strerror(getattr(errno, "EDQUOT", errno.ENOSPC))}
