"""A small TripoSR that sees an ellipsoid in every photo, and one of random weights."""

from __future__ import annotations

import math

import torch

from monoform.methods.triposr.config import Decoder, Rendering, TripoSrConfig
from monoform.methods.triposr.model import TripoSrNet
from monoform.nn.transformer import TransformerConfig
from monoform.nn.vit import VitConfig

AXES = (0.3, 0.4, 0.5)
"""Half axes of the ellipsoid along the network's x, y, z."""
THRESHOLD, STEEPNESS = 25.0, 8.0
CONFIG = TripoSrConfig(
    image=VitConfig(width=24, layers=1, heads=2, hidden=32, image_size=32, patch=8),
    image_size=32,
    plane_size=16,
    transformer=TransformerConfig(channels=8, heads=2, head_width=8, blocks=1, context=24, groups=4),
    features=2,
    decoder=Decoder(width=8, layers=1, activation="relu"),
    rendering=Rendering(samples=48),
)


def random_net(seed: int = 0, config: TripoSrConfig = CONFIG) -> TripoSrNet:
    """Weights none of which is 0."""
    torch.manual_seed(seed)
    net = TripoSrNet(config).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            fan_in = parameter[0].numel() if parameter.ndim > 1 else 100.0
            parameter.add_(0.5 * torch.randn_like(parameter) / fan_in**0.5)
    return net


def ellipsoid_net(solids: int = 1) -> TripoSrNet:
    """Density THRESHOLD on an ellipsoid, redder towards +y and otherwise blue; or on two, one above the other."""
    net, config = random_net(), CONFIG
    side, radius = 2 * config.plane_size, config.rendering.radius
    at = radius * ((torch.arange(side) + 0.5) * 2 / side - 1)
    along = [at, at, at if solids == 1 else 2.5 * (at.abs() - 0.4) - 0.1 * at.sign()]
    parts = [0.5 * (each / axis) ** 2 for each, axis in zip(along, AXES, strict=True)]
    planes = torch.zeros(3, 2, side, side)
    for number, (column, row) in enumerate(((0, 1), (0, 2), (1, 2))):
        planes[number, 0] = parts[column][None] + parts[row][:, None]
    planes[0, 1] = at[:, None]  # y
    with torch.no_grad():
        # Tokens pass through the transformer as they are; each holds the four pixels of its two features.
        net.backbone.proj_out.weight.zero_()
        net.backbone.proj_out.bias.zero_()
        cells = planes.unflatten(3, (-1, 2)).unflatten(2, (-1, 2))  # plane, feature, row, i, column, j
        net.tokenizer.embeddings.copy_(cells.permute(0, 1, 3, 5, 2, 4).flatten(1, 3))
        net.post_processor.upsample.weight.copy_(torch.eye(8).reshape(8, 2, 4).reshape(8, 2, 2, 2))
        net.post_processor.upsample.bias.zero_()
        first, last = net.decoder.layers[0], net.decoder.layers[2]
        for parameter in (first.weight, first.bias, last.weight, last.bias):
            parameter.zero_()
        first.weight[0, 0::2] = 1.0  # the sum over the planes
        first.weight[1, 1::2], first.weight[2, 1::2] = 1.0, -1.0  # y, and -y
        last.weight[0, 0] = -STEEPNESS
        last.bias[0] = math.log(THRESHOLD) - config.rendering.density_bias + STEEPNESS
        last.weight[1, 1], last.weight[1, 2] = 10.0, -10.0
        last.bias[1:] = torch.tensor([0.0, -2.0, 2.0])
    return net
