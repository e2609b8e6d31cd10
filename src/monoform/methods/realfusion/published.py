"""The authors' checkpoints: a scene's tensors, and its options in config.json beside it (section 8.2 of the format)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ...errors import InputError
from ...nn.state_dict import fill
from .model import RealFusionField
from .network_config import PUBLISHED_FIELD, FieldConfig

ADVICE = "give a checkpoint of RealFusion's main.py, as df.pth"
NAMES = {
    "bound": "bound",
    "grid_levels": "levels",
    "grid_resolution": "resolution",
    "blob_density": "blob_density",
    "blob_radius": "blob_radius",
    "density_thresh": "density_threshold",
    "max_steps": "steps",
    "dt_gamma": "step_growth",
}
"""Their options and ours."""
IGNORED = ("aabb_train", "aabb_infer", "step_counter")
OCCUPANCY = ("density_grid", "density_bitfield")


def field_config(options: Mapping[str, Any]) -> FieldConfig:
    """Sizes of a field, of the authors' options; what these do not say has its published default.

    Raises:
        InputError: a value is out of its range.
    """
    given = {ours: options[theirs] for theirs, ours in NAMES.items() if theirs in options}
    if options.get("bg_radius", 1.0) <= 0:
        given["background_hidden"] = 0
    return replace(PUBLISHED_FIELD, **given)


def fill_field(field: RealFusionField, state: Mapping[str, Tensor], source: str) -> None:
    """Give a field the tensors of a checkpoint.

    Raises:
        InputError: they do not fit.
    """
    found = {}
    for name, tensor in state.items():
        if name not in IGNORED:
            found[f"occupancy.{name}" if name in OCCUPANCY else name] = tensor
    wanted = {name: tensor for name, tensor in field.state_dict().items() if name != "hidden_levels"}
    offsets = found.get("encoder.offsets")
    if offsets is not None and not torch.equal(offsets.cpu(), field.encoder.offsets.cpu()):
        raise InputError(f"{source} has a grid of other levels than its options say: {ADVICE}.")
    fill(wanted, found, source, ADVICE)
    field.occupancy.unpack()
