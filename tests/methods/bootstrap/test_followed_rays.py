"""Rays with a graph of the samples that count see what all rays see, and have their gradients."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tests.methods.bootstrap.tiny_bootstrap import NETWORK, SIZE, config_of
from torch import Tensor

from monoform.methods.bootstrap import BootstrapConfig, BootstrapGenerator
from monoform.methods.bootstrap.cameras import camera_of, pixels_of
from monoform.methods.bootstrap.config import Network, Scene
from monoform.methods.bootstrap.followed_rays import follow
from monoform.methods.bootstrap.pose_parameters import PoseParameters
from monoform.methods.bootstrap.rendering import places_of, see

NETWORKS = {
    "distance": NETWORK,
    "density": replace(NETWORK, sdf=False),
    "no palette": replace(NETWORK, palette=0),
    "view directions": replace(NETWORK, view_directions=True),
}
SAMPLES = {"two passes": (8, 8), "one pass": (16, 0)}


class Setup:
    """Two objects, their rays, and what their pictures are differentiated with."""

    def __init__(self, network: Network, samples: tuple[int, int] = (8, 8), *, white: bool = False) -> None:
        torch.manual_seed(0)
        given = config_of(Scene(white=white))
        rays = replace(given.rays, coarse=samples[0], fine=samples[1])
        self.config: BootstrapConfig = replace(given, network=network, rays=rays)
        self.net = BootstrapGenerator(self.config).requires_grad_(False)
        if self.net.viewdir_mapper is not None:  # which begins with zeros
            for parameter in self.net.viewdir_mapper.parameters():
                parameter.normal_(std=0.3)
        ws = self.net.styles(self.net.map(torch.randn(2, NETWORK.z_dim)))
        planes, palette = self.net.planes(ws), self.net.palette(ws)
        turned = torch.nn.functional.normalize(torch.randn(2, 4), dim=1)
        pose = PoseParameters(turned, torch.zeros(2, 2), torch.full((2,), 0.5), torch.full((2,), 0.7))
        camera = camera_of(*pose.matrices(flipped=True), (SIZE, SIZE))
        origins, directions = camera.rays(pixels_of(camera, False))
        self.leaves = [each for each in (planes, origins, directions, palette) if each is not None]
        self.places = places_of((2, SIZE * SIZE), self.config, torch.Generator().manual_seed(1))
        self.slope = torch.randn(2, SIZE * SIZE, 4)

    def seen(self, least: float | None) -> tuple[Tensor, list[Tensor]]:
        """Color and opacity, and gradients of planes, rays and palette; of all samples with None."""
        leaves = [each.detach().clone().requires_grad_() for each in self.leaves]
        objects = self.net.objects(leaves[0], leaves[3] if len(leaves) > 3 else None)
        given = (objects, leaves[1], leaves[2], self.places, self.config)
        found = see(*given) if least is None else follow(*given, least)
        picture = torch.cat([found.rgb, found.alpha[..., None]], dim=-1)
        return picture.detach(), list(torch.autograd.grad((picture * self.slope).sum(), leaves))


def apart(ours: list[Tensor], theirs: list[Tensor]) -> float:
    return max(float((one - other).norm() / other.norm()) for one, other in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("samples", list(SAMPLES.values()), ids=list(SAMPLES))
@pytest.mark.parametrize("network", list(NETWORKS.values()), ids=list(NETWORKS))
def test_all_samples_with_a_share_give_the_same(network: Network, samples: tuple[int, int]) -> None:
    setup = Setup(network, samples)
    (theirs, slopes), (ours, gradients) = setup.seen(None), setup.seen(0.0)
    assert float(theirs[..., 3].std()) > 0.01
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)
    assert apart(gradients, slopes) < 1e-3


def test_the_background_is_white_where_it_is() -> None:
    setup = Setup(NETWORK, white=True)
    torch.testing.assert_close(setup.seen(0.0)[0], setup.seen(None)[0], atol=1e-5, rtol=0)


def test_samples_with_small_shares_are_left_out_by_little() -> None:
    setup = Setup(NETWORK)
    theirs, slopes = setup.seen(None)
    gaps, turned = [], []
    for least in (1e-4, 1e-2):
        ours, gradients = setup.seen(least)
        gaps.append(float((ours - theirs).abs().max()))
        turned.append(apart(gradients, slopes))
    samples = setup.config.rays.coarse + setup.config.rays.fine
    assert gaps[0] < samples * 1e-4 and turned[0] < 0.01
    assert gaps[0] < gaps[1] and turned[0] < turned[1]


def test_rays_of_nothing_see_the_background() -> None:
    setup = Setup(NETWORK)
    setup.leaves[1] = setup.leaves[1] + 50.0
    picture, _ = setup.seen(0.0)
    assert bool((picture[..., 3] == 0).all()) and bool((picture[..., :3] == setup.config.scene.background).all())
