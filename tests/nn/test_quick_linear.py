"""Linear layers by oneDNN: what torch's own layers give."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from monoform.nn import quick_linear
from monoform.nn.quick_linear import QuickLinear, linear


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


@pytest.mark.parametrize("shape", [(5,), (0, 5), (7, 5), (2, 3, 5), (2, 0, 5)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("bias", [True, False])
def test_layer_is_torch_s_own_up_to_rounding(shape: Sequence[int], dtype: torch.dtype, bias: bool) -> None:
    torch.manual_seed(0)
    layer, rows = QuickLinear(5, 3, bias=bias).to(dtype), torch.randn(*shape, dtype=dtype)
    with torch.no_grad():
        found = layer(rows)
    exact = rows.double() @ layer.weight.double().T + (layer.bias.double() if bias else 0)
    assert found.dtype == dtype and found.shape == exact.shape
    assert not found.numel() or (found - exact).abs().max() < 1e-5  # sums of five products of float32


def test_gradients_are_torch_s_own() -> None:
    torch.manual_seed(0)
    layer, rows = QuickLinear(5, 3).double(), torch.randn(2, 4, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, rows)
    assert layer(rows).requires_grad


def test_weights_have_the_names_of_a_linear_layer() -> None:
    assert list(QuickLinear(2, 3).state_dict()) == list(torch.nn.Linear(2, 3).state_dict())


def test_autocast_stays_torch_s_own() -> None:
    layer, rows = QuickLinear(5, 3), torch.randn(4, 5)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert layer(rows).dtype == torch.bfloat16
