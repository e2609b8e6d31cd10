"""Property tests here run torch: a busy machine may take longer than Hypothesis allows for one example."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
