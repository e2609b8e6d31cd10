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
    localizer=8,
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


def octahedron_net(**changes) -> ListNet:
    """A network that sees an octahedron in every picture: its decoder adds up the query's coordinates."""
    net = tiny_net(**changes)
    layers = net.sdf_decoder.fc
    with torch.no_grad():
        for layer in layers.values():
            layer.weight.zero_()
            layer.bias.zero_()
        for axis in range(3):
            for sign in (0, 1):
                layers["fc_0"].weight[2 * axis + sign, axis - 3] = 1 - 2 * sign
        layers["fc_1"].weight[0, :6] = 1
        layers["fc_2"].weight[0, 0] = 1
        layers["fc_out"].weight[0, 0] = 0.5 * net.config.sdf_scale / 3**0.5
        layers["fc_out"].bias.fill_(-0.35 * net.config.sdf_scale / 3**0.5)
    return net
