"""Metrics take numpy arrays or torch tensors and compute in float64."""

from __future__ import annotations

import numpy as np
from torch import Tensor

Array = np.ndarray | Tensor


def as_array(values: np.ndarray | Tensor) -> np.ndarray:
    """The values in float64."""
    if isinstance(values, Tensor):
        values = values.detach().cpu().numpy()
    return np.asarray(values, dtype=np.float64)
