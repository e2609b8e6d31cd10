"""The one exception that carries a sentence for the user."""

from __future__ import annotations


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one clear sentence: what, which value, what to do. The command line prints it and exits with
    code 2; it never shows a traceback for it.
    """
