"""Linear layers by oneDNN: what torch's own layers give."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from monoform.nn import quick_linear
from monoform.nn.quick_linear import linear


def drawn(rows: int, inputs: int, outputs: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = (rows, inputs), (outputs, inputs), (outputs,)
    return tuple(torch.randn(*shape, generator=generator).to(dtype) for shape in shapes)  # type: ignore[return-value]


@pytest.mark.parametrize("onednn", [True, False])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("shape", [(70, 33, 4), (1, 5, 3), (0, 5, 3), (6, 0, 3)])
def test_it_is_the_layer(shape: tuple[int, int, int], relu: bool, onednn: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(quick_linear, "ONEDNN", onednn)
    rows, weight, bias = drawn(*shape, torch.float32)
    for constant in (None, bias):
        exact = functional.linear(rows.double(), weight.double(), None if constant is None else constant.double())
        exact = torch.relu(exact) if relu else exact
        found = linear(rows, weight, constant, relu=relu)
        # Sums of 33 products in single precision.
        torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_transposed_views_are_what_they_show(dtype: torch.dtype):
    rows, weight, _ = drawn(40, 24, 16, dtype)
    turned = linear(linear(rows, weight).t(), rows.t())
    exact = weight.double() @ rows.double().t() @ rows.double()
    tolerance = 0.02 if dtype == torch.bfloat16 else 1e-5  # of the largest: bfloat16 has 8 bits, and rounds twice
    assert float((turned.double() - exact).abs().max()) < tolerance * float(exact.abs().max())
    torch.testing.assert_close(linear(rows, weight.t().contiguous().t()), linear(rows, weight))


def test_it_leaves_no_record_for_gradients():
    rows, weight, bias = drawn(4, 3, 2, torch.float32)
    assert not linear(rows.requires_grad_(), weight.requires_grad_(), bias).requires_grad
