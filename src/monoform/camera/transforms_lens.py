"""The lens of a transforms.json: a pinhole is read, every other model is refused by name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..errors import InputError

# Without distortion these are pinholes; a fisheye lens is none even where its coefficients are zero.
PINHOLE_MODELS = (
    "OPENCV",
    "PINHOLE",
    "SIMPLE_PINHOLE",
    "SIMPLE_RADIAL",
    "RADIAL",
    "FULL_OPENCV",
    "PERSPECTIVE",
)
DISTORTIONS = ("k1", "k2", "k3", "k4", "k5", "k6", "p1", "p2", "s1", "s2", "s3", "s4")
DISTORTION_LISTS = ("distortion_params", "distortion", "dist_coeffs", "rolling_shutter")
FLAGS = ("is_fisheye", "fisheye", "latlong", "equirectangular", "orthographic", "is_orthographic", "panorama")
POLYNOMIALS = tuple(f"ftheta_p{number}" for number in range(6))
MODEL_FIELDS = ("camera_model", "camera_type", "lens_mode")


def refuse_other_lenses(frame: Mapping[str, Any], index: int) -> None:
    """Refuse a frame whose image is no pinhole's; null fields are left out before.

    Raises:
        InputError: a field says so; the sentence names it.
    """
    for name in MODEL_FIELDS:
        model = frame.get(name)
        if model is not None and str(model).upper() not in PINHOLE_MODELS:
            raise InputError(
                f"transforms.json: frames[{index}] has {name} {model!r}; only pinhole images can be read "
                f"({', '.join(PINHOLE_MODELS)} without distortion), undistort them first."
            )
    for name in FLAGS:
        if frame.get(name):
            raise InputError(
                f"transforms.json: frames[{index}] has {name} = {frame[name]!r}, which is no pinhole; undistort the "
                "images first."
            )
    for name in DISTORTIONS:
        if number_of(frame, name, index, default=0.0) != 0.0:
            raise InputError(
                f"transforms.json: frames[{index}] has lens distortion {name} = {frame[name]}; undistort it first."
            )
    for name in DISTORTION_LISTS:
        if _any_other_than_zero(frame.get(name)):
            raise InputError(
                f"transforms.json: frames[{index}] has {name} {frame[name]!r}; only still pinhole images without "
                "distortion can be read, undistort them first."
            )
    given = next((name for name in POLYNOMIALS if name in frame), None)
    if given is not None:
        raise InputError(
            f"transforms.json: frames[{index}] has {given}, an f-theta lens; only pinhole images can be read, "
            "undistort them first."
        )


def number_of(frame: Mapping[str, Any], name: str, index: int, default: float | None = None) -> float:
    """A field that is a finite number.

    Raises:
        InputError: it is missing and has no default, or is none.
    """
    value = frame.get(name, default)
    if value is None:
        raise InputError(f"transforms.json: frames[{index}] lacks the field {name}; add it to the frame or the file.")
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
        shown = repr(value) if not isinstance(value, int) or value.bit_length() < 100 else "too large"
        raise InputError(f"transforms.json: {name} of frames[{index}] is {shown}; it must be a finite number.")
    return float(value)


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond what floats hold
        return False


def _any_other_than_zero(value: object) -> bool:
    if isinstance(value, Mapping):
        return any(_any_other_than_zero(one) for one in value.values())
    if isinstance(value, list | tuple):
        return any(_any_other_than_zero(one) for one in value)
    return value is not None and value not in (0, 0.0, False, "", "none", "None")
