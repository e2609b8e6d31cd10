"""Shapes in signatures are checked while the tests run."""

from __future__ import annotations

import os

from jaxtyping import install_import_hook

os.environ.setdefault("OMP_NUM_THREADS", "2")
_hook = install_import_hook("monoform", "beartype.beartype")
_hook.__enter__()
