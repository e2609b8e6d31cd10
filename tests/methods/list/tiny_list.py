"""A LIST small enough for tests, and objects to teach it."""

from __future__ import annotations

from dataclasses import replace

import torch

from monoform.methods.list.config import ListConfig, Network, preset
from monoform.methods.list.model import CoarseNet, ListNet

TINY = Network(
    image_width=4,
    image_hidden=8,
    vector=8,
    tree_features=(8, 8, 6, 3),
    tree_degrees=(2, 4, 8),
    tree_support=2,
    point_widths=(4, 8, 8),
    localiser=8,
    volume_nodes=8,
    volume_channels=(1, 1, 1, 1, 2, 3),
    hidden=8,
    map_side=17,
)


def tiny_config(**changes) -> ListConfig:
    return replace(preset("small"), network=TINY, image_size=32, **changes)


def tiny_net(seed: int = 0, **changes) -> ListNet:
    torch.manual_seed(seed)
    return ListNet(tiny_config(**changes)).eval()


def tiny_coarse(seed: int = 0) -> CoarseNet:
    torch.manual_seed(seed)
    return CoarseNet(tiny_config(stage="coarse")).eval()
