"""The rule that regenerates checkpoints gives the numbers that golden cases were made with."""

from __future__ import annotations

import numpy as np
import pytest
from tests.parity.fill import fill_state, normal_tensor


def row(key: str, shape: list[int], dtype: str = "float32", rule: str = "normal", **more: object) -> dict:
    return {"key": key, "shape": shape, "dtype": dtype, "rule": rule, **more}


def test_values_are_pinned() -> None:
    # CRC-32 of "fc.weight" is 3197763067; the numbers are numpy's for that seed.
    assert np.allclose(
        normal_tensor("fc.weight", (2, 3), "float32")[0], [-0.98290026, -0.16736126, 0.31821936], atol=1e-7
    )
    draws = np.random.default_rng(3197763067).standard_normal((2, 3), dtype=np.float32)
    assert np.allclose(normal_tensor("fc.weight", (2, 3), "float32"), draws / np.sqrt(3), atol=1e-7)


def test_scales_follow_name_and_shape() -> None:
    n = 20000
    weight, bias, variance = (
        normal_tensor(f"bn.{name}", (n,), "float32") for name in ("weight", "bias", "running_var")
    )
    assert weight.mean() == pytest.approx(1.0, abs=0.005) and weight.std() == pytest.approx(0.1, rel=0.03)
    assert bias.mean() == pytest.approx(0.0, abs=0.005) and bias.std() == pytest.approx(0.1, rel=0.03)
    assert variance.min() >= 1.0 and variance.mean() == pytest.approx(1.0 + 0.1 * np.sqrt(2 / np.pi), abs=0.005)
    kernel = normal_tensor("conv.weight", (50, 8, 7, 7), "float32", gain=2.0)
    assert kernel.std() == pytest.approx(2.0 / np.sqrt(8 * 49), rel=0.03)


def test_kinds_of_tensors() -> None:
    state = fill_state(
        {
            "salt": "s",
            "gain": 2.0,
            "tensors": [
                row("a.weight", [2, 4]),
                row("b.weight", [2, 4], gain=1.0),
                row("steps", [], "int64"),
                row("half", [3], "float16"),
                row("brain", [3], "bfloat16"),
                row("filter", [2, 2], rule="literal", value=[[1, 2], [3, 4]]),
            ],
        }
    )
    assert np.array_equal(state["a.weight"], normal_tensor("a.weight", (2, 4), "float32", salt="s", gain=2.0))
    assert np.array_equal(state["b.weight"], normal_tensor("b.weight", (2, 4), "float32", salt="s"))
    assert not np.array_equal(state["b.weight"], normal_tensor("b.weight", (2, 4), "float32"))
    assert state["steps"].shape == () and state["steps"].dtype == np.int64 and state["steps"] == 0
    assert state["half"].dtype == np.float16 and state["brain"].dtype == np.float32
    assert state["filter"].tolist() == [[1.0, 2.0], [3.0, 4.0]]
    with pytest.raises(ValueError, match="unknown rule"):
        fill_state({"tensors": [row("a", [1], rule="magic")]})
