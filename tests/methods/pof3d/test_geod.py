"""GeoD: surfaces whose picture is known, losses in closed form, and an inverse renderer that learns."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from monoform.errors import InputError
from monoform.methods.pof3d.geod import GeodConfig, GeodOptions, GeodTerm, InverseRenderer
from monoform.methods.pof3d.geod.depth_buffer import grid_triangles, seen_depth
from monoform.methods.pof3d.geod.geometry import (
    focal_length,
    normals_of,
    pixels_of,
    surface_points,
    turned,
    turned_back,
    view_rotation,
)
from monoform.methods.pof3d.geod.losses import confident_features, confident_l1, normal_loss
from monoform.methods.pof3d.geod.model import Reconstructed
from monoform.methods.pof3d.geod.term import OPTIMIZER, generator_normals

FOV = 18.837


def tilted(size: int, slope: float, at: float = 2.7) -> Tensor:
    """Depth of the plane z = at + slope * x, whose normal is (-slope, 0, 1) made unit length."""
    ticks = (torch.arange(size, dtype=torch.float64) - (size - 1) / 2) / focal_length(size, FOV)
    return (at / (1 - slope * ticks)).expand(1, size, size)


def bumps(seed: int, size: int = 12) -> Tensor:
    """A rough surface, turned so far that parts of it hide others."""
    draw = torch.Generator().manual_seed(seed)
    depth = 2.7 + 0.2 * torch.randn(1, size, size, generator=draw, dtype=torch.float64)
    angles = torch.tensor([[0.1, 0.7, -0.3]], dtype=torch.float64)
    return turned(surface_points(depth, FOV), view_rotation(angles), torch.zeros(1, 3, dtype=torch.float64), 2.7)


def test_a_plane_is_seen_half_a_pixel_off_and_without_its_last_row_and_column() -> None:
    depth = tilted(16, 0.8)
    seen = seen_depth(surface_points(depth, FOV), FOV, supersampling=1, uncovered=100.0)
    assert bool((seen[0, -1] == 100).all()) and bool((seen[0, :, -1] == 100).all())
    inner = (torch.arange(15, dtype=torch.float64) + 0.5 - 7.5) / focal_length(16, FOV)
    expected = (2.7 / (1 - 0.8 * inner)).expand(15, 15)
    assert torch.allclose(seen[0, :-1, :-1], expected, atol=1e-12)
    finer = seen_depth(surface_points(depth, FOV), FOV, supersampling=2, uncovered=100.0)
    places = (torch.arange(30, dtype=torch.float64) / 2 + 0.25 - 7.5) / focal_length(16, FOV)
    averaged = (2.7 / (1 - 0.8 * places)).reshape(15, 2).mean(dim=1).expand(15, 15)
    assert torch.allclose(finer[0, :-1, :-1], averaged, atol=1e-12)


@pytest.mark.parametrize("supersampling", [1, 2, 3])
def test_the_nearest_triangle_is_seen(supersampling: int) -> None:
    """Against a loop over all triangles and samples that casts rays."""
    points = bumps(0)
    size, factor = points.shape[1] * supersampling, focal_length(points.shape[1], FOV)
    corners = points.reshape(-1, 3).numpy()[grid_triangles(*points.shape[1:3]).numpy()]
    shares_of = np.linalg.inv(corners.transpose(0, 2, 1))  # a ray times its depth is a sum of corners by these shares
    expected = np.full((size, size), 100.0)
    for row in range(size):
        for column in range(size):
            pixel = (np.array([column, row]) + 0.5) / supersampling - (points.shape[1] - 1) / 2
            shares = shares_of @ np.array([*(pixel / factor), 1.0])
            met = (shares >= 0).all(axis=1)
            expected[row, column] = min(100.0, (1 / shares[met].sum(axis=1)).min(initial=100.0))
    averaged = expected.reshape(points.shape[1], supersampling, -1, supersampling).mean(axis=(1, 3))
    seen = seen_depth(points, FOV, supersampling=supersampling, uncovered=100.0)[0].numpy()
    assert np.allclose(seen, averaged, atol=1e-9)
    assert 0.2 < (averaged < 50).mean() < 1


def test_its_gradient_is_that_of_the_depths_of_triangles() -> None:
    points = bumps(3, size=6).requires_grad_()
    torch.autograd.gradcheck(lambda x: seen_depth(x, FOV, supersampling=2, uncovered=9.0), points, eps=1e-7, atol=1e-4)


def test_what_is_behind_the_camera_or_nowhere_is_not_seen() -> None:
    points = surface_points(tilted(8, 0.0), FOV)
    for bad in (-points, points * math.nan, points * 1e9, points * 0):
        seen = seen_depth(bad, FOV, supersampling=2, uncovered=100.0)
        assert bool((seen == 100).all())


def test_normals_of_a_tilted_plane_and_of_turned_surfaces() -> None:
    normal = normals_of(tilted(20, 0.5), FOV)[0, 1:-1, 1:-1]
    expected = torch.tensor([-0.5, 0.0, 1.0]).double() / math.sqrt(1.25)
    assert torch.allclose(normal, expected, atol=3e-5)  # 1e-7 is added to lengths
    border = torch.tensor([0, 0, 1.0]).double()
    assert torch.allclose(normals_of(tilted(20, 0.5), FOV)[0, [0, -1]], border, atol=1e-6)
    angles = torch.tensor([[0.3, -0.2, 0.5], [0.0, 0.4, 0.0]], dtype=torch.float64)
    rotation, shift = view_rotation(angles), torch.tensor([[0.1, -0.05, 0.02], [0.0, 0.0, 0.3]], dtype=torch.float64)
    points = surface_points(tilted(9, 0.2).expand(2, 9, 9), FOV)
    there = turned(points, rotation, shift, 2.7)
    assert torch.allclose(turned_back(there, rotation, shift, 2.7), points, atol=1e-12)
    center = torch.tensor([0.0, 0.0, 2.7], dtype=torch.float64)
    assert torch.allclose(turned(center.expand(2, 1, 1, 3), rotation, shift, 2.7)[:, 0, 0], center + shift)
    quarter = view_rotation(torch.tensor([[0.0, math.pi / 2, math.pi / 2]], dtype=torch.float64))[0]
    assert torch.allclose(quarter @ torch.tensor([1.0, 0, 0]).double(), torch.tensor([0.0, 0, -1]).double(), atol=1e-12)
    ticks = torch.arange(9.0).double()
    grid = torch.stack(torch.meshgrid(ticks, ticks, indexing="xy"), dim=-1)
    assert torch.allclose(pixels_of(points[0], 9, FOV), grid, atol=1e-10)


def test_an_object_seen_from_straight_ahead_is_itself() -> None:
    """Networks that say nothing (all 0): a flat object at middle depth, its borders held, half lit."""
    net = InverseRenderer()
    for parameter in net.parameters():
        nn.init.zeros_(parameter)
    seen, found = net(torch.zeros(2, 3, 64, 64))
    assert seen.depth.shape == (4, 64, 64) and seen.view.abs().max() == 0
    assert torch.allclose(seen.depth[:, :, 2:-2], torch.tensor(2.775)) and torch.allclose(
        seen.depth[:, :, :2], torch.tensor(GeodConfig.border_depth)
    )
    middle = (slice(None), slice(None), 10, 30)
    assert torch.allclose(found.depth[:, 10, 30], torch.tensor(2.775), atol=1e-6)
    assert torch.allclose(seen.image[middle], torch.tensor(0.5 * (0.5 + 0.5) * 2 - 1), atol=1e-4)
    assert torch.allclose(found.image[middle], seen.image[middle], atol=1e-6)
    assert bool((found.mask[:, :, -1] == 0).all()) and bool((found.image * (1 - found.mask) == 0).all())
    assert torch.allclose(seen.sigma, torch.tensor(math.log(2.0)))


def test_losses_in_closed_form() -> None:
    image, target = torch.zeros(1, 3, 4, 4), torch.full((1, 3, 4, 4), 0.5)
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., :2] = 1
    sigma = torch.where(mask > 0, 2.0, 1e-3)
    expected = math.sqrt(2) * 0.5 / 2 + math.log(2)
    assert float(confident_l1(image, target, mask, sigma)) == pytest.approx(expected, rel=1e-6)
    coarse = confident_features(torch.zeros(1, 8, 2, 2), torch.full((1, 8, 2, 2), 3.0), mask, sigma[..., ::2, ::2])
    assert float(coarse) == pytest.approx(9 / 8 + math.log(2), rel=1e-6)
    assert float(confident_l1(image, target, 0 * mask, sigma)) == 0


class Answer(nn.Module):
    """An inverse renderer that finds the same normals in every picture, in the left half."""

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.normal = normals_of(tilted(64, slope).float(), FOV)

    def forward(self, images: Tensor) -> tuple[None, Reconstructed]:
        count = len(images)
        mask = torch.zeros(2 * count, 1, 64, 64)
        mask[..., :32] = 1
        normal = self.normal.expand(2 * count, 64, 64, 3)
        return None, Reconstructed(normal[..., 0], normal, torch.zeros(2 * count, 3, 64, 64), mask)


def test_the_generators_term_of_two_tilted_planes() -> None:
    """|a - b| summed over the axes of the two planes' normals; the border row and column agree."""
    term = GeodTerm(GeodOptions(weight=2.0, start=100, end=300))
    term.renderer = Answer(0.5)  # type: ignore[assignment]
    depth = tilted(64, 0.2).float()[:, None].expand(3, 1, 64, 64).clone().requires_grad_()
    image = torch.zeros(3, 3, 128, 128, requires_grad=True)
    ours, theirs = (np.array([-slope, 0, 1]) / math.hypot(slope, 1) for slope in (0.2, 0.5))
    whole = float(np.abs(ours - theirs).sum()) * (62 * 31) / (64 * 32)
    for kimg, share in ((0, 0.0), (100, 0.0), (150, 0.25), (300, 1.0), (1e6, 1.0)):
        assert float(term.generator_loss(depth, image, kimg)) == pytest.approx(2 * share * whole, rel=1e-3)
    loss = term.generator_loss(depth, image, 300)
    for_depth, for_image = torch.autograd.grad(loss, (depth, image), allow_unused=True)
    assert for_image is None and float(for_depth.abs().sum()) > 0
    assert bool((for_depth[..., 34:] == 0).all())  # where the answer has no surface
    absent = generator_normals(depth.detach())
    absent[:, :, :40] = 0  # no normals there
    rest = normal_loss(absent, term.renderer(image)[1])
    assert float(rest) == pytest.approx(float(np.abs(ours - theirs).sum()) * (23 * 31) / (24 * 32), rel=1e-3)


def test_what_is_no_option_is_refused() -> None:
    for options, said in (
        ({"weight": -1.0}, "at least 0"),
        ({"start": 5.0, "end": 3.0}, "start <= end"),
    ):
        with pytest.raises(InputError, match=said):
            GeodOptions(**options)
    with pytest.raises(InputError, match="second must be the larger"):
        GeodConfig(min_depth=3.3, max_depth=2.0)
    with pytest.raises(InputError, match="64 x 64, not 32 x 48"):
        InverseRenderer().canonical(torch.zeros(1, 3, 48, 32))
    assert GeodOptions(stop=600).learns_at(599.9) and not GeodOptions(stop=600).learns_at(600)


def test_the_inverse_renderer_learns_from_pictures() -> None:
    """A few steps on two blobs: its loss falls, every network moves, and the perceptual part counts."""
    torch.manual_seed(0)
    place = torch.linspace(-1, 1, 80)
    blob = torch.exp(-4 * (place[:, None] ** 2 + (place[None] - 0.2) ** 2))
    pictures = torch.stack((blob, blob.flip(1))).unsqueeze(1) * torch.tensor([1.6, 1.0, 0.4])[:, None, None] - 0.9

    def edges(images: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(images, 4)

    term = GeodTerm(GeodOptions(weight=1.0), features=edges)
    before = {name: value.detach().clone() for name, value in term.renderer.named_parameters()}
    optimizer = OPTIMIZER.over([{"params": list(term.learned())}])
    losses = []
    for _ in range(4):
        loss, parts = term.loss(pictures)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert set(parts) == {"l1", "l1_flip", "perceptual", "perceptual_flip"}
    total = parts["l1"] + parts["perceptual"] + 0.5 * (parts["l1_flip"] + parts["perceptual_flip"])
    assert float(loss.detach()) == pytest.approx(float(total.detach()), rel=1e-6)
    assert losses[-1] < losses[0] - 0.05
    moved = {
        name.split(".")[0] for name, value in term.renderer.named_parameters() if not torch.equal(value, before[name])
    }
    assert moved == {"netD", "netA", "netL", "netV", "netC"}
    assert set(GeodTerm(GeodOptions()).loss(pictures)[1]) == {"l1", "l1_flip"}
