"""Shapes in signatures are checked while the tests run."""

from __future__ import annotations

import os

from hypothesis import settings
from jaxtyping import install_import_hook

# Before torch is loaded: several test processes share the cores, and threads that wait must not spin.
os.environ.setdefault("OMP_NUM_THREADS", "1" if "PYTEST_XDIST_WORKER" in os.environ else "2")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import tests.typecheck  # noqa: F401  (the hook looks it up by name in every module that it rewrites)

install_import_hook("monoform", "tests.typecheck.check")

# A busy machine may take longer for one example than Hypothesis allows by itself.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
