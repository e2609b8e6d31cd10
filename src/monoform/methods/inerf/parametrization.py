"""Poses as variables of the fit: the paper's twist, and two forms that published programs use."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from ...camera.lie import hat
from ...camera.rigid import rigid
from ...inversion import Variable, moved
from .config import Frame, PhotometricAdam

SCREW_START = 1e-6
GAIN = "gain"


def variables(
    start: Float[Tensor, "4 4"], options: PhotometricAdam, *, generator: torch.Generator | None = None
) -> list[Variable]:
    """What is fitted, at the start; the seven numbers of a screw start at random near 0 and need a generator.

    With `fit_gain` the logarithm of the gain comes last.
    """
    rate, kind = options.rate, options.compat.parametrization
    gain = [Variable(GAIN, torch.zeros(1).to(start), rate)] if options.fit_gain else []
    if kind == "matrix":
        return [Variable("matrix", start, rate), *gain]
    if kind == "screw7":
        drawn = SCREW_START * torch.randn(7, generator=generator).to(start)
        parts = {"axis": drawn[:3], "translation": drawn[3:6], "angle": drawn[6]}
        return [*(Variable(name, value, rate) for name, value in parts.items()), *gain]
    zero = torch.zeros(3).to(start)
    moving = Variable("translation", zero, rate * options.translation_scale)
    return [Variable("rotation", zero, rate), moving, *gain]


def pose_of(
    values: Mapping[str, Tensor],
    start: Float[Tensor, "4 4"],
    *,
    frame: Frame = "world",
    center: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Float[Tensor, "4 4"]:
    """The pose that the variables stand for.

    Args:
        start: the pose that the fit began with.
        frame: "world": turned about the world's origin (the paper); "camera": about the camera; "object": about
            `center`, along the world's axes.
    """
    if "matrix" in values:
        return values["matrix"]
    if "axis" in values:
        return screw_motion(values["axis"], values["translation"], values["angle"]) @ start
    twist = torch.cat((values["rotation"], values["translation"]))[None]
    if frame == "camera":
        return moved(start[None], twist)[0]
    offset = start.new_tensor(center) if frame == "object" else torch.zeros(3).to(start)
    to_center = rigid(torch.eye(3).to(start), offset)
    from_center = rigid(torch.eye(3).to(start), -offset)
    return to_center @ moved((from_center @ start)[None], twist, about="world")[0]


def screw_motion(
    axis: Float[Tensor, "*b 3"], translation: Float[Tensor, "*b 3"], angle: Float[Tensor, "*b"]
) -> Float[Tensor, "*b 4 4"]:
    """The motion of a screw (Lynch and Park 2017, equation 3.88) with an axis that need not have length 1.

    Of another length the result is not rigid, as in the program that this is compared with.
    """
    turn, one = hat(axis), torch.eye(3).to(axis)
    squared = turn @ turn
    sine, cosine, angle = angle.sin()[..., None, None], angle.cos()[..., None, None], angle[..., None, None]
    rotation = one + sine * turn + (1.0 - cosine) * squared
    along = angle * one + (1.0 - cosine) * turn + (angle - sine) * squared
    return rigid(rotation, (along @ translation[..., None])[..., 0])


def nearest_rigid(pose: Float[Tensor, "*b 4 4"]) -> Float[Tensor, "*b 4 4"]:
    """The pose with its left block replaced by the nearest rotation (Arun et al. 1987), and last row 0 0 0 1."""
    u, _, v = torch.linalg.svd(pose[..., :3, :3].double())
    sign = torch.ones(*pose.shape[:-2], 3, dtype=torch.float64).to(u)
    sign[..., 2] = torch.det(u @ v).sign()
    rotation = (u * sign[..., None, :]) @ v
    return rigid(rotation.to(pose), pose[..., :3, 3])
