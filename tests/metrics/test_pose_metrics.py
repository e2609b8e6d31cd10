"""Pose errors of motions that are known."""

from __future__ import annotations

import math

import pytest
import torch

from monoform.camera import rigid, rigid_inverse, se3_exp, so3_exp
from monoform.metrics import rotation_error, translation_error


@pytest.mark.parametrize("angle", [0.0, 1e-6, 1e-3, 0.5, 2.0, 3.1, math.pi - 1e-6, math.pi])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rotation_error_is_the_angle_at_any_size(angle: float, dtype: torch.dtype) -> None:
    base = se3_exp(torch.tensor([[0.3, -0.8, 0.5, 1.0, 2.0, 3.0]], dtype=torch.float64))
    axis = torch.tensor([[0.6, -0.48, 0.64]], dtype=torch.float64)
    turned = base @ rigid(so3_exp(angle * axis), torch.tensor([[0.3, 0.0, 0.4]]).double())
    tolerance = 1e-6 if dtype == torch.float32 else 1e-14
    error = rotation_error(turned.to(dtype), base.to(dtype))
    assert float(error) == pytest.approx(angle, abs=tolerance)
    assert float(translation_error(turned.to(dtype), base.to(dtype))) == pytest.approx(0.5, abs=1e-6)


def test_errors_are_symmetric_and_batched() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = (se3_exp(torch.randn(2, 5, 6, generator=generator, dtype=torch.float64)) for _ in range(2))
    assert rotation_error(a, b).shape == (2, 5)
    assert torch.allclose(rotation_error(a, b), rotation_error(b, a))
    assert torch.allclose(translation_error(a, b), translation_error(b, a))
    trace = (rigid_inverse(a) @ b)[..., :3, :3].diagonal(dim1=-2, dim2=-1).sum(-1)
    assert torch.allclose(rotation_error(a, b), torch.acos((trace - 1) / 2), atol=1e-7)
