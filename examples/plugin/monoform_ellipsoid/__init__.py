"""`ellipsoid`: a method of another package, beside whose class lie train.py and evaluate.py."""

from __future__ import annotations

from .infer import Ellipsoid as Ellipsoid
