"""Bootstrapped inversion's encoder: what it tells, of which part of it, and that it can learn."""

from __future__ import annotations

from dataclasses import replace

import torch

from monoform.methods.bootstrap.encoder import BootstrapEncoder, EncoderConfig, small_encoder
from monoform.nn.segformer import SegformerConfig

TINY = SegformerConfig((4, 6, 8, 8), (1, 2, 2, 4), (1, 1, 1, 1), (2, 2, 2, 2), head_width=8, channels=8)
CONFIG = EncoderConfig(TINY, latent_dim=5)


def test_shapes_and_ranges_for_any_image_size():
    torch.manual_seed(0)
    net = BootstrapEncoder(CONFIG).eval()
    for height, width in ((32, 32), (37, 50)):
        found = net(2 * torch.rand(2, 3, height, width) - 1)
        assert found.coordinates is not None and found.mask is not None and found.latent is not None
        assert found.coordinates.shape == (2, height, width, 3)
        assert found.mask.shape == (2, height, width) and found.latent.shape == (2, 1, 5)
        assert bool(((found.mask > 0) & (found.mask < 1)).all())


def test_the_published_encoder_has_its_parameters():
    with torch.device("meta"):
        net = BootstrapEncoder()
    assert len(net.state_dict()) == 1076
    assert round(sum(one.numel() for one in net.parameters()) / 1e6, 2) == 92.61
    assert round(sum(one.numel() for one in net.backbone.parameters()) / 1e6, 2) == 84.99


def test_parts_can_be_left_out_and_the_latent_can_have_its_own_backbone():
    images = torch.rand(1, 3, 32, 32)
    assert BootstrapEncoder(replace(CONFIG, latent=False))(images).latent is None
    only = BootstrapEncoder(replace(CONFIG, pose=False))(images)
    assert only.coordinates is None and only.mask is None and only.latent is not None
    net = BootstrapEncoder(replace(CONFIG, separate_backbones=True)).eval()
    before = net(images)
    with torch.no_grad():
        for parameter in net.backbone_latent.parameters():
            parameter.add_(0.1)
    after = net(images)
    torch.testing.assert_close(after.coordinates, before.coordinates)
    assert not torch.allclose(after.latent, before.latent)


def test_images_smaller_than_a_segformer_sees_are_enlarged():
    """They tell what the enlarged ones do, in maps of their own size."""
    net = BootstrapEncoder(CONFIG).eval()
    images = torch.rand(2, 3, 16, 16)
    larger = torch.nn.functional.interpolate(images, (32, 32), mode="bilinear", align_corners=False)
    found, told = net(images), net(larger)
    assert found.coordinates is not None and found.coordinates.shape == (2, 16, 16, 3)
    assert found.mask is not None and found.mask.shape == (2, 16, 16)
    assert torch.equal(found.latent, told.latent)


def test_the_small_one_learns_where_pixels_are():
    """Squares at random places, whose coordinates are those within the square."""
    torch.manual_seed(0)
    net = BootstrapEncoder(small_encoder(8)).train()
    optimizer = torch.optim.Adam(net.parameters(), 2e-3)
    losses = []
    for _ in range(60):
        x, y = torch.randint(0, 16, (2, 4)).tolist()
        images, truth = torch.zeros(4, 3, 32, 32), torch.zeros(4, 32, 32)
        for number, (left, top) in enumerate(zip(x, y, strict=True)):
            images[number, :, top : top + 16, left : left + 16] = torch.linspace(0, 1, 16)
            truth[number, top : top + 16, left : left + 16] = 1
        found = net(images)
        assert found.coordinates is not None and found.mask is not None
        loss = (found.mask - truth).abs().mean() + ((found.coordinates[..., 0] - images[:, 0]).abs() * truth).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert sum(losses[-5:]) < 0.4 * sum(losses[:5])
