"""Marching against a walk of single rays, step by step."""

from __future__ import annotations

import math

import pytest
import torch

from monoform.render.march import MISS, MarchOptions, box_limits, march
from monoform.render.occupancy import OccupancyGrid


def walked(grid, origin, direction, near, far, options, shift) -> list[float]:
    """One ray: a sample in every occupied cell, and empty cells left by the nearest face."""
    t, found = near + shift * float(options.step(torch.tensor(near), grid)), []
    while t < far and len(found) < options.steps:
        step = float(options.step(torch.tensor(t), grid))
        point = (origin + t * direction).clamp(-grid.bound, grid.bound)
        if bool(grid.is_occupied(point[None])):
            found.append(t)
            t += step
            continue
        extent = grid.bound
        cell = ((point / extent + 1) * 0.5 * grid.cells).clamp(0, grid.cells - 1).floor()
        faces = ((cell + 0.5 + 0.5 * direction.sign()) * 2 / grid.cells - 1) * extent
        leave = t + max(0.0, float(((faces - point) / direction).min()))
        t += step
        while t < leave:
            t += float(options.step(torch.tensor(t), grid))
    return found


def rays(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    origins = torch.nn.functional.normalize(torch.randn(n, 3, generator=generator, dtype=torch.float64), dim=-1) * 2
    targets = (torch.rand(n, 3, generator=generator, dtype=torch.float64) - 0.5) * 0.8
    return origins, torch.nn.functional.normalize(targets - origins, dim=-1)


@pytest.mark.parametrize("options", [MarchOptions(64), MarchOptions(128, growth=0.01)])
def test_samples_are_those_of_a_walk(options: MarchOptions) -> None:
    grid = OccupancyGrid(0.8, cells=16)
    grid.occupied.copy_(torch.rand(16**3, generator=torch.Generator().manual_seed(4)) < 0.3)
    origins, directions = rays(40)
    box = torch.tensor([[-0.8] * 3, [0.8] * 3], dtype=torch.float64)
    near, far = box_limits(origins, directions, box)
    noise = torch.rand(40, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    samples = march(grid, origins, directions, near, far, options, noise=noise)
    first = samples.counts.cumsum(0) - samples.counts
    differ = 0
    for ray in range(40):
        own = samples.distance[first[ray] : first[ray] + samples.counts[ray]].tolist()
        each = walked(
            grid, origins[ray], directions[ray], float(near[ray]), float(far[ray]), options, float(noise[ray])
        )
        if len(each) == len(own):
            assert own == pytest.approx(each, abs=1e-6)
        differ += len(each) != len(own)
    assert differ <= 1, "a step on a cell's border may fall to either side"
    assert len(samples.ray) > 200


def test_gaps_reach_from_sample_to_sample() -> None:
    grid = OccupancyGrid(0.5, cells=16)
    grid.update(lambda points: torch.where(points[:, 0].abs() > 0.25, 50.0, 0.0))
    origin, along = torch.tensor([[-2.0, 0.01, 0.01]]), torch.tensor([[1.0, 0.0, 0.0]])
    near, far = box_limits(origin, along, torch.tensor([[-0.5] * 3, [0.5] * 3]))
    samples = march(grid, origin, along, near, far, MarchOptions(256))
    step = MarchOptions(256).shortest
    torch.testing.assert_close(samples.gap.cumsum(0), samples.distance + samples.length - near, atol=1e-5, rtol=1e-5)
    assert float(samples.gap.max()) == pytest.approx(0.5, abs=2 * step), "the empty middle lies in one gap"
    assert int(samples.counts) == pytest.approx(0.5 / step, abs=3)
    fewer = march(grid, origin, along, near, far, MarchOptions(256), most=5)
    assert fewer.counts.tolist() == [5] and torch.equal(fewer.distance, samples.distance[:5])


def test_box_limits() -> None:
    box = torch.tensor([[-1.0] * 3, [1.0] * 3])
    origins = torch.tensor([[0.0, 0.0, -3.0], [0.0, 0.0, 0.0], [5.0, 0.0, -3.0]])
    along = torch.nn.functional.normalize(torch.tensor([[0.0, 0.0, 1.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]), dim=-1)
    near, far = box_limits(origins, along, box, 0.2)
    assert near.tolist() == [2.0, pytest.approx(0.2), MISS]
    assert far.tolist() == [4.0, pytest.approx(math.sqrt(2)), MISS]


def test_nothing_occupied_is_no_sample() -> None:
    grid = OccupancyGrid(0.5, cells=8)
    origins, along = (values.float() for values in rays(5))
    near, far = box_limits(origins, along, torch.tensor([[-0.5] * 3, [0.5] * 3]))
    samples = march(grid, origins, along, near, far)
    assert len(samples.ray) == 0 and samples.counts.tolist() == [0] * 5
