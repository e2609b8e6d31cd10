"""Shapes in signatures are checked while the tests run."""

from __future__ import annotations

import os

from hypothesis import settings
from jaxtyping import install_import_hook

import tests.typecheck  # noqa: F401  (the hook looks it up by name in every module that it rewrites)

os.environ.setdefault("OMP_NUM_THREADS", "2")
install_import_hook("monoform", "tests.typecheck.check")

# A busy machine may take longer for one example than Hypothesis allows by itself.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
