"""Start poses that published loaders give to pose estimation: the true pose, turned and moved by fixed amounts."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from jaxtyping import Float


def offset_pose(
    pose: Float[np.ndarray, "4 4"],
    *,
    phi: float,
    theta: float,
    psi: float,
    shift: float,
    order: Literal["shift last", "shift first"],
) -> Float[np.ndarray, "4 4"]:
    """A camera-to-world pose turned about the world's axes by x (`psi`), then y (`theta`), then z (`phi`).

    Turns are in radians; that about y goes from x to z. The shift, in world units along the world's z, comes after the
    turns in the loader of synthetic scenes and before them in that of forward-facing ones.
    """
    move = np.eye(4)
    move[2, 3] = shift
    turn = _turn(0, 1, phi) @ _turn(0, 2, theta) @ _turn(1, 2, psi)
    return move @ turn @ pose if order == "shift last" else turn @ move @ pose


def _turn(first: int, second: int, angle: float) -> Float[np.ndarray, "4 4"]:
    """From one axis to another."""
    turn = np.eye(4)
    turn[first, first] = turn[second, second] = math.cos(angle)
    turn[first, second], turn[second, first] = -math.sin(angle), math.sin(angle)
    return turn
