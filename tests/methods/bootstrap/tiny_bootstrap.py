"""Bootstrapped inversion in small: a generator whose objects are about balls, and an encoder."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import torch

from monoform.camera import orbit
from monoform.methods.bootstrap import BootstrapConfig, BootstrapEncoder, BootstrapGenerator
from monoform.methods.bootstrap.cameras import published_numbers
from monoform.methods.bootstrap.config import Compat, Network, Rays, Scene, Training
from monoform.methods.bootstrap.encoder import small_encoder
from monoform.nn.segformer import SegformerConfig
from monoform.training import save_pretrained

SIZE = 32
NETWORK = Network(
    8, 8, channel_base=64, channel_max=8, plane_resolution=8, plane_features=4, decoder_width=8, palette=3
)
TINY_BACKBONE = SegformerConfig((8, 12, 16, 24), (1, 2, 2, 4), (1, 1, 1, 1), (2, 2, 2, 2), head_width=24, channels=24)
TRAINING = Training(alpha=False, augment=0.0, ada_target=None)


def config_of(scene: Scene | None = None, compat: Compat | None = None) -> BootstrapConfig:
    """Of photos with masks."""
    return BootstrapConfig(SIZE, NETWORK, scene or Scene(), Rays(8, 8), TRAINING, compat=compat or Compat())


@cache
def ball_state() -> dict[str, torch.Tensor]:
    """What a generator has learned in a second: distances of balls with 0.6 of the cube's half side."""
    with torch.inference_mode(False), torch.enable_grad():
        torch.manual_seed(0)
        net = BootstrapGenerator(config_of())
        optimizer = torch.optim.Adam(net.parameters(), 1e-2)
        half = net.config.scene.half_side
        for _ in range(60):
            points = half * (2 * torch.rand(2, 200, 3) - 1)
            planes = net.planes(net.styles(net.map(torch.randn(2, 8))))
            loss = (net.distance(points, planes) - (points.norm(dim=-1) - 0.6 * half)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            assert net.beta is not None and net.alpha is not None
            net.beta.fill_(0.05)
            net.alpha.fill_(0.05)
    return {name: value.detach().clone() for name, value in net.state_dict().items()}


def generator(config: BootstrapConfig | None = None) -> BootstrapGenerator:
    """Of balls."""
    net = BootstrapGenerator(config or config_of())
    net.load_state_dict(ball_state())
    return net.requires_grad_(False).eval()


def save_encoder(folder: Path) -> str:
    """Weights of an encoder that has learned nothing."""
    torch.manual_seed(0)
    encoding = small_encoder(NETWORK.w_dim)
    return str(save_pretrained(BootstrapEncoder(encoding), encoding, folder, card="Of the tests.", exact=True))


def seen_from_around(config: BootstrapConfig | None = None) -> BootstrapConfig:
    """A generator's configuration with six cameras around its objects."""
    camera = orbit(6, elevation=0.3, distance=6.0, fov_y=0.6, width=SIZE, height=SIZE)
    matrices, focals = published_numbers(camera)
    assert focals is not None
    poses = tuple(map(tuple, matrices.flatten(1).tolist()))
    scene = Scene(poses=poses, pose_focals=tuple(focals.tolist()), focals=(float(focals[0]),))
    return replace(config or config_of(), scene=scene)


def save_seen_from_around(folder: Path) -> Path:
    """Weights of balls, which hold cameras."""
    net = generator(seen_from_around())
    return save_pretrained(net, net.config, folder, card="Of the tests.", exact=True)
