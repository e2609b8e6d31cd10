"""Occupancy grids: numbering, bits, decaying maxima, and which cell a point is in."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from monoform import InputError
from monoform.render.occupancy import OccupancyGrid, morton_codes, morton_coordinates, pack_bits, unpack_bits

whole = st.integers(0, 1023)


@given(st.lists(st.tuples(whole, whole, whole), min_size=1, max_size=20))
@settings(max_examples=50, deadline=None)
def test_morton_codes_interleave_bits_and_go_back(coordinates: list) -> None:
    codes = morton_codes(torch.tensor(coordinates))
    for (x, y, z), code in zip(coordinates, codes.tolist(), strict=True):
        bits = "".join(f"{c:010b}"[i] for i in range(10) for c in (z, y, x))
        assert code == int(bits, 2)
    assert morton_coordinates(codes).tolist() == [list(c) for c in coordinates]


def test_bits_are_packed_lowest_first() -> None:
    values = torch.zeros(1, 16)
    values[0, [0, 3, 15]] = 2.0
    assert pack_bits(values, 1.0).tolist() == [0b1001, 0b10000000]
    assert pack_bits(values, 2.0).tolist() == [0, 0], "above, not at the threshold"
    assert torch.equal(unpack_bits(pack_bits(values, 1.0)), values[0] > 1)


def ball(points: torch.Tensor) -> torch.Tensor:
    return torch.where(points.norm(dim=-1) < 0.4, 30.0, 0.0)


def test_cells_of_a_ball_are_occupied_and_others_are_not() -> None:
    grid = OccupancyGrid(0.5, cells=32)
    grid.update(ball)
    points = torch.rand(4000, 3, generator=torch.Generator().manual_seed(0)) - 0.5
    found, distance = grid.is_occupied(points), points.norm(dim=-1)
    half_diagonal = math.sqrt(3) / 2 / 32
    assert bool(found[distance < 0.4 - half_diagonal].all())
    assert not bool(found[distance > 0.4 + half_diagonal].any())
    volume = 4 / 3 * math.pi * 0.4**3
    assert float(grid.occupied.float().mean()) == pytest.approx(volume, rel=0.03)
    assert grid.mean_density == pytest.approx(30 * volume, rel=0.03)


def test_densities_decay_and_rise_again() -> None:
    grid = OccupancyGrid(0.5, cells=8)
    grid.update(lambda points: torch.full_like(points[:, 0], 4.0))
    for expected in (3.8, 3.61):
        grid.update(lambda points: torch.zeros_like(points[:, 0]))
        torch.testing.assert_close(grid.density_grid, torch.full_like(grid.density_grid, expected))
    before = grid.density_grid.clone()
    generator = torch.Generator().manual_seed(0)
    grid.update(lambda points: torch.full_like(points[:, 0], 50.0), generator=generator, share=0.25)
    raised = grid.density_grid == 50.0
    torch.testing.assert_close(grid.density_grid[~raised], 0.95 * before[~raised])
    assert 0.1 < float(raised.float().mean()) <= 0.25


def test_a_cell_that_is_drawn_twice_keeps_the_greater_density() -> None:
    """Whichever thread comes last."""
    grid = OccupancyGrid(1.0, cells=4)
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []

    def density(points: torch.Tensor) -> torch.Tensor:
        found = torch.rand(len(points), generator=torch.Generator().manual_seed(len(seen)))
        x, y, z = (2.0 * (points + 1.0)).clamp(0, 3).long().unbind(dim=-1)
        seen.append(((x * 4 + y) * 4 + z, found))
        return found

    grid.update(density, generator=torch.Generator().manual_seed(0), share=0.99)
    cells, found = (torch.cat(part) for part in zip(*seen, strict=True))
    greatest = torch.zeros(64).scatter_reduce_(0, cells, found, "amax")
    assert len(cells.unique()) < len(cells)
    torch.testing.assert_close(grid.density_grid[0][grid.order], greatest)


def test_jitter_stays_within_its_cell() -> None:
    grid = OccupancyGrid(2.0, cells=16)
    codes = torch.arange(0, 16**3, 7)
    for cascade in range(grid.cascades):
        points = grid.cell_points(cascade, codes, torch.Generator().manual_seed(1))
        side = 2 * grid.extent(cascade) / 16
        away = (points - grid.cell_points(cascade, codes)).abs()
        assert 0.4 * side < float(away.max()) <= 0.5 * side


def test_points_are_found_in_the_smallest_cube_that_holds_them() -> None:
    grid = OccupancyGrid(4.0, cells=16)
    assert grid.cascades == 3
    points = (torch.rand(500, 3, generator=torch.Generator().manual_seed(3)) * 2 - 1) * 4
    for point, row in zip(points.numpy(), grid.rows(points).tolist(), strict=True):
        level = next(k for k in range(3) if np.abs(point).max() < 2**k or k == 2)
        x, y, z = np.clip((point / 2**level + 1) * 8, 0, 15).astype(int)
        assert row == ((level * 16 + x) * 16 + y) * 16 + z
    long_steps = torch.full((500,), 0.6)
    assert int(grid.rows(points, long_steps).min()) >= 2 * 16**3, "a step of several cells looks into larger cubes"


def test_cells_come_back_with_the_bits_of_a_checkpoint() -> None:
    grid, other = OccupancyGrid(0.5, cells=16), OccupancyGrid(0.5, cells=16)
    grid.update(ball)
    assert not other.occupied.any()
    other.load_state_dict(grid.state_dict())
    other.unpack()
    assert torch.equal(other.occupied, grid.occupied) and grid.occupied.any()


@pytest.mark.parametrize("wrong", [{"cells": 100}, {"cells": 2}, {"bound": 0.0}])
def test_impossible_grids_are_refused(wrong: dict) -> None:
    with pytest.raises(InputError, match="occupancy"):
        OccupancyGrid(**{"bound": 1.0, **wrong})
