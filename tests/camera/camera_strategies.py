"""Random rotations, poses and cameras for property tests, in float64."""

from __future__ import annotations

import math

import torch
from hypothesis import strategies as st
from torch import Tensor

from monoform.camera import Camera, rigid, so3_exp

unit = st.floats(-1.0, 1.0, allow_nan=False, width=32)
vectors = st.tuples(unit, unit, unit).map(lambda v: torch.tensor(v, dtype=torch.float64))
# Angles crowd around 0 and pi, where formulas for rotations go wrong.
angles = st.one_of(
    st.floats(0.0, math.pi),
    st.sampled_from([0.0, 1e-300, 1e-12, 1e-8, 1e-4, 1e-2, 0.2, 0.5, 1.0, math.pi]),
    st.floats(0.0, 1e-5).map(lambda a: math.pi - a),
)


@st.composite
def rotation_vectors(draw: st.DrawFn, largest: float = math.pi) -> Tensor:
    axis = draw(vectors.filter(lambda v: float(v.norm()) > 1e-3))
    return axis / axis.norm() * min(draw(angles), largest)


@st.composite
def poses(draw: st.DrawFn) -> Tensor:
    return rigid(so3_exp(draw(rotation_vectors())), 3.0 * draw(vectors))


@st.composite
def cameras(draw: st.DrawFn, models: tuple[str, ...] = ("pinhole", "orthographic"), skewed: bool = True) -> Camera:
    width, height = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    focal = st.floats(2.0, 40.0, width=32)
    skew = draw(unit) if skewed else 0.0
    principal = (0.5 * width + 3.0 * draw(unit), 0.5 * height + 3.0 * draw(unit))
    intrinsics = [[draw(focal), skew, principal[0]], [0.0, draw(focal), principal[1]], [0.0, 0.0, 1.0]]
    return Camera(
        draw(poses())[None],
        torch.tensor(intrinsics, dtype=torch.float64)[None],
        width,
        height,
        draw(st.sampled_from(models)),
    )
