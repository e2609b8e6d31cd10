"""How much faster a view of RealFusion is than in the published order: drawn, regularized, and its gradients.

    python benchmarks/realfusion.py [--rounds 3] [--threads 2] [--size 96] [--step 0]

The field has its published size and first weights, and the view 96 x 96 rays from 1.25 units; a fixed gradient of the
picture stands for that of the diffusion prior, whose network is left out. The twin computes what the paper and its
program say, in their order and with PyTorch's own gradients: all levels of the grid corner by corner and the hidden
ones times zero, six further looks at the field for the normals one after the other, and samples of all rays in a dense
table of steps. The smoothness of normals, which the program finds at each step and gives no weight, is left out of
both. All have the same field, rays and draws, and take
their turns in the same run. Wall and processor seconds are the medians of the rounds; ratios are medians of those of
each round. Differences are those of the loss, and of the gradient of the grid as a share of its length: analytic
normals are other normals. `--step` is that of the fit: 0 hides half of the levels, 3001 none.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from itertools import product

import torch
from bootstrap import measured
from torch import Tensor
from torch.nn.functional import conv2d, embedding, mse_loss, normalize, pad

from monoform.methods.realfusion.cameras import look_at, on_sphere, rays
from monoform.methods.realfusion.fit_options import FitOptions
from monoform.methods.realfusion.model import RealFusionField
from monoform.methods.realfusion.network_config import PUBLISHED_FIELD, FieldConfig
from monoform.methods.realfusion.steps import (
    Choice,
    PriorDraws,
    Terms,
    add_view_terms,
    orientation_of,
    prior_view,
)
from monoform.nn.grid_lookup import GridLevel

STOP = 1e-4
CHOICE = Choice(replaced=False, own=False, shading="lambertian", ambient=0.1)


class Exponential(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):  # type: ignore[no-untyped-def]
        ctx.save_for_backward(x)
        return x.exp()

    @staticmethod
    def backward(ctx, gradient):  # type: ignore[no-untyped-def]
        return gradient * ctx.saved_tensors[0].clamp_max(15.0).exp()


def plain_level(level: GridLevel, share: Tensor, table: Tensor) -> Tensor:
    """Features of one level."""
    place = share * level.scale + 0.5
    cell = place.floor()
    fraction, cell = place - cell, cell.long()
    strides, _ = level.strides(3)
    total = torch.zeros(len(share), table.shape[1])
    for corner in product((0, 1), repeat=3):
        row = sum((cell[:, axis] + up) * stride for axis, (up, stride) in enumerate(zip(corner, strides, strict=True)))
        each = [fraction[:, axis] if up else 1 - fraction[:, axis] for axis, up in enumerate(corner)]
        total = total + (each[0] * each[1] * each[2])[:, None] * embedding(row % level.rows + level.first, table)
    return total


def plain_field(net: RealFusionField, points: Tensor) -> tuple[Tensor, Tensor]:
    """Densities and albedos."""
    config = net.config
    share = (points + config.bound) / (2 * config.bound)
    levels = [plain_level(level, share, net.encoder.embeddings) for level in net.encoder.levels]
    shown = [level * float(number < net.shown_levels) for number, level in enumerate(levels)]
    first, second, third = net.sigma_net.net
    out = third(second(first(torch.cat(shown, dim=1)).relu()).relu())
    bump = config.blob_density * torch.exp(-points.square().sum(dim=1) / (2 * config.blob_radius**2))
    return Exponential.apply(out[:, 0] + bump), out[:, 1:].sigmoid()


def plain_normals(net: RealFusionField, points: Tensor) -> Tensor:
    columns, bound, reach = [], net.config.bound, net.config.normal_epsilon
    for axis in range(3):
        step = torch.zeros(3)
        step[axis] = reach
        ahead = plain_field(net, (points + step).clamp(-bound, bound))[0]
        behind = plain_field(net, (points - step).clamp(-bound, bound))[0]
        columns.append(0.5 * (ahead - behind) / reach)
    slope = -torch.stack(columns, dim=1)
    return torch.nan_to_num(slope / slope.square().sum(dim=1, keepdim=True).clamp_min(1e-20).sqrt())


def plain_samples(net: RealFusionField, origins: Tensor, directions: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Distances of all steps of all rays, and which of them are samples."""
    config, grid, step = net.config, net.occupancy, net.config.march().shortest
    crossings = torch.stack(((-config.bound - origins) / directions, (config.bound - origins) / directions))
    near = crossings.amin(dim=0).amax(dim=1).clamp_min(config.nearest)
    far = crossings.amax(dim=0).amin(dim=1)
    columns, place = [], near + step * noise
    while bool((place < far).any()):
        columns.append(place)
        place = place + step
    distances = torch.stack(columns, dim=1)
    points = origins[:, None] + distances[..., None] * directions[:, None]
    points = points.clamp(-config.bound, config.bound).flatten(0, 1)
    occupied = grid.occupied[grid.rows(points, torch.full((len(points),), step)).long()]
    return distances, (distances < far[:, None]) & occupied.reshape(distances.shape)


def plain_view(net: RealFusionField, origins: Tensor, directions: Tensor, draws: PriorDraws, size: int) -> Tensor:
    """The picture (r, 3) and the sum of the regularizers."""
    step = net.config.march().shortest
    with torch.no_grad():
        distances, mask = plain_samples(net, origins, directions, draws.march)
    ray, _ = mask.nonzero(as_tuple=True)
    points = origins[ray] + distances[mask][:, None] * directions[ray]
    density, albedo = plain_field(net, points)
    normal = plain_normals(net, points)
    light = normalize(origins[0] + draws.light, dim=0)
    colors = albedo * (0.1 + 0.9 * (normal @ light).clamp_min(0)[:, None])

    dense = torch.zeros(mask.shape).masked_scatter(mask, density)
    share = 1 - torch.exp(-dense * step)
    passed = torch.cat((torch.ones_like(share[:, :1]), (1 - share).cumprod(dim=1)[:, :-1]), dim=1)
    weights = share * passed * (passed >= STOP)
    shown = torch.zeros(*mask.shape, 6).masked_scatter(mask[..., None], torch.cat((colors, normal), dim=1))
    seen, alpha = (weights[..., None] * shown).sum(dim=1), weights.sum(dim=1)
    image = seen[:, :3] + (1 - alpha)[:, None] * net.background(directions)

    a = alpha.clamp(1e-5, 1 - 1e-5)
    entropy = (-a * a.log2() - (1 - a) * (1 - a).log2()).mean()
    away = (normal * directions[ray]).sum(dim=1).clamp_min(0).square()
    orient = ((1 - torch.exp(-density.detach())) * away).mean()
    maps = seen[:, 3:].T.reshape(1, 3, size, size)
    line = torch.exp(-0.5 * (torch.arange(-4, 5) / 1.7) ** 2)
    line = line / line.sum()
    kernel = (line[:, None] * line).expand(3, 1, 9, 9)
    flat = mse_loss(maps, conv2d(pad(maps.detach(), (4,) * 4, mode="reflect"), kernel, groups=3))
    return image, 1e-4 * entropy + 1e-2 * orient + 0.5 * flat


class Problem:
    """A field, a view and its draws."""

    def __init__(self, size: int, step: int) -> None:
        torch.manual_seed(0)
        self.size, self.options = size, FitOptions(network=PUBLISHED_FIELD)
        net = RealFusionField(PUBLISHED_FIELD)
        net.hide_levels(self.options.hidden_levels if step <= self.options.hidden_steps else 0)
        net.occupancy.update(net.density, generator=torch.Generator().manual_seed(1))
        self.net = net
        center = on_sphere(torch.tensor([1.2]), torch.tensor([0.7]), 1.25)
        origins, directions = rays(look_at(center), torch.tensor([55.0]), size, size)
        self.origins, self.directions = origins.flatten(0, 1), directions.flatten(0, 1)
        self.draws = PriorDraws.draw(size * size, torch.Generator().manual_seed(2))
        self.asked = torch.randn(size * size, 3, generator=torch.Generator().manual_seed(3)) / size

    def twin(self) -> tuple[Tensor, Tensor]:
        """Loss, and the gradient of the grid."""
        image, rest = plain_view(self.net, self.origins, self.directions, self.draws, self.size)
        return self.gradient(self.net, image, rest)

    def ours(self, **changed: str) -> Callable[[], tuple[Tensor, Tensor]]:
        """The same by the library; `changed` are options of the field."""
        net = RealFusionField(replace(PUBLISHED_FIELD, **changed))  # type: ignore[arg-type]
        net.load_state_dict(self.net.state_dict())
        options = replace(self.options, network=net.config)

        def work() -> tuple[Tensor, Tensor]:
            seen, sampled = prior_view(net, self.origins, self.directions, CHOICE, self.draws, options)
            terms = Terms(options, 0)
            maps = seen.normals.reshape(1, self.size, self.size, 3).permute(0, 3, 1, 2)
            add_view_terms(terms, seen.alpha[None], maps, orientation_of(sampled, options), None)
            assert isinstance(terms.total, Tensor)
            return self.gradient(net, seen.image, terms.total)

        return work

    def gradient(self, net: RealFusionField, image: Tensor, rest: Tensor) -> tuple[Tensor, Tensor]:
        """As a step of training has it."""
        net.zero_grad(set_to_none=True)
        loss = (image * self.asked).sum() + rest
        loss.backward()
        assert net.encoder.embeddings.grad is not None
        return loss.detach()[None], net.encoder.embeddings.grad.flatten()

    def samples(self) -> int:
        """Of all rays."""
        return int(plain_samples(self.net, self.origins, self.directions, self.draws.march)[1].sum())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--size", type=int, default=96, help="pixels along a side of the view")
    parser.add_argument("--step", type=int, default=0, help="of the fit: 0 hides half of the levels, 3001 none")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    problem = Problem(asked.size, asked.step)
    config: FieldConfig = problem.net.config
    print(f"{asked.size} x {asked.size} rays, {problem.samples()} samples, "
          f"{problem.net.shown_levels} of {config.levels} levels, {asked.threads} threads")  # fmt: skip
    works = {"twin": problem.twin, "ours": problem.ours(), "normals=analytic": problem.ours(normals="analytic")}
    measured(works, asked.rounds)


if __name__ == "__main__":
    main()
