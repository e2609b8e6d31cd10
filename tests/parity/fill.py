"""The rule by which a golden manifest stands for a whole checkpoint: each tensor is regenerated from its name.

Rule "literal" holds the values themselves. Rule "normal" seeds numpy's default generator with the CRC-32 of salt + name
and draws float32 normals. Tensors of two or more dimensions are divided by the square root of their fan-in (the product
of all sizes but the first), times a gain; of the others a running variance is 1 + 0.1 |x|, a weight 1 + 0.1 x, the rest
0.1 x. What is not floating point is zero.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np


def fill_state(manifest: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The checkpoint of a manifest; bfloat16 tensors are given in float32."""
    salt, gain = manifest.get("salt", ""), manifest.get("gain", 1.0)
    return {row["key"]: _fill_row(row, salt, row.get("gain", gain)) for row in manifest["tensors"]}


def _fill_row(row: Mapping[str, Any], salt: str, gain: float) -> np.ndarray:
    if row["rule"] == "literal":
        return np.array(row["value"], dtype=row["dtype"]).reshape(row["shape"])
    if row["rule"] != "normal":
        raise ValueError(f"{row['key']}: unknown rule {row['rule']!r}")
    return normal_tensor(row["key"], tuple(row["shape"]), row["dtype"], salt=salt, gain=gain)


def normal_tensor(name: str, shape: tuple[int, ...], dtype: str, *, salt: str = "", gain: float = 1.0) -> np.ndarray:
    """The tensor that the rule "normal" gives to `name`."""
    if "float" not in dtype:
        return np.zeros(shape, dtype=dtype)
    seed = zlib.crc32(f"{salt}{name}".encode())
    draws = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
    if len(shape) > 1:
        fan_in = max(1, int(np.prod(shape[1:], dtype=np.int64)))
        values = draws * np.float32(gain / fan_in**0.5)
    elif name.endswith("running_var"):
        values = np.float32(1.0) + np.float32(0.1) * np.abs(draws)
    else:
        values = np.float32(0.1) * draws + np.float32(name.endswith("weight"))
    return np.asarray(values, dtype="float32" if dtype == "bfloat16" else dtype)
