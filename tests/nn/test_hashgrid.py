"""Multi-resolution grids against the published layout, a naive twin, and fields whose interpolation is known."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys

import numpy as np
import pytest
import torch

from monoform import InputError
from monoform.nn.grid_lookup import look_up, look_up_plain
from monoform.nn.hashgrid import GridOptions, HashGrid, grid_levels

PRIMES = (1, 2654435761, 805459861)
LAYOUTS = [
    GridOptions(3, 4, 2, 4, 40, 9, "hash"),
    GridOptions(3, 4, 2, 4, 40, 9, "tiled", interpolation="smoothstep"),
    GridOptions(3, 3, 3, 4, 20, 10, "hash", align_corners=True),
    GridOptions(2, 3, 4, 5, 60, 8, "hash", align_corners=True, interpolation="smoothstep"),
    GridOptions(1, 2, 1, 3, 7, 12, "tiled"),
]


def filled(options: GridOptions, *, seed: int = 0) -> HashGrid:
    grid = HashGrid(options, bound=1.5).double()
    with torch.no_grad():
        grid.embeddings.copy_(torch.randn(grid.embeddings.shape, generator=torch.Generator().manual_seed(seed)))
    return grid


def points_in(options: GridOptions, n: int, *, reach: float = 1.7, seed: int = 1) -> torch.Tensor:
    draws = torch.rand(n, options.dimensions, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (2 * draws - 1) * reach


def naive(grid: HashGrid, point: np.ndarray) -> np.ndarray:
    """One point, corner by corner, with whole numbers of any size."""
    options, table = grid.options, grid.embeddings.detach().numpy()
    share = (point + grid.bound) / (2 * grid.bound)
    if (share < 0).any() or (share > 1).any():
        return np.zeros(options.width)
    parts = []
    for level in grid.levels:
        place = share * level.scale + (0.0 if options.align_corners else 0.5)
        cell = np.floor(place).astype(int)
        fraction = place - cell
        if options.interpolation == "smoothstep":
            fraction = fraction**2 * (3 - 2 * fraction)
        total = np.zeros(options.features)
        for corner in itertools.product((0, 1), repeat=options.dimensions):
            index, stride, spread = 0, 1, 0
            for axis, (c, offset) in enumerate(zip(cell, corner, strict=True)):
                if stride <= level.rows:
                    index, stride = index + int(c + offset) * stride, stride * level.corners
                spread ^= (int(c + offset) * PRIMES[axis]) % 2**32
            if options.kind == "hash" and stride > level.rows:
                index = spread
            weight = math.prod(f if offset else 1 - f for f, offset in zip(fraction, corner, strict=True))
            total = total + weight * table[level.first + index % level.rows]
        parts.append(total)
    return np.concatenate(parts)


@pytest.mark.parametrize("options", LAYOUTS)
def test_values_are_those_of_the_sum_over_corners(options: GridOptions) -> None:
    grid, points = filled(options), points_in(options, 40)
    points[0], points[1] = 1.5, -1.5
    expected = np.stack([naive(grid, point) for point in points.numpy()])
    np.testing.assert_allclose(grid(points).detach().numpy(), expected, atol=1e-12)
    assert (np.abs(expected).sum(axis=1) == 0).any() and (np.abs(expected).sum(axis=1) > 0).any()


@pytest.mark.parametrize("options", LAYOUTS)
def test_gradients_of_table_and_points_are_those_of_the_plain_twin(options: GridOptions) -> None:
    grid, points = filled(options), points_in(options, 60).requires_grad_()
    share = (points + 1.5) / 3.0
    kwargs = {"shift": 0.0 if options.align_corners else 0.5, "smooth": options.interpolation == "smoothstep"}
    fast, plain = (f(share, grid.embeddings, grid.levels, **kwargs) for f in (look_up, look_up_plain))
    torch.testing.assert_close(fast, plain)
    asked = torch.randn(fast.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    ours, theirs = (
        torch.autograd.grad(out, (grid.embeddings, points), asked, retain_graph=True) for out in (fast, plain)
    )
    for one, other in zip(ours, theirs, strict=True):
        assert other.abs().max() > 0
        torch.testing.assert_close(one, other, atol=1e-11, rtol=1e-9)


def test_gradient_of_points_is_that_of_finite_differences() -> None:
    options = GridOptions(3, 3, 2, 4, 16, 10, "hash", interpolation="smoothstep")
    grid, points = filled(options), points_in(options, 5, reach=1.2).requires_grad_()
    assert torch.autograd.gradcheck(grid, (points,), eps=1e-7, atol=1e-5)


@pytest.mark.parametrize("align", [False, True])
def test_a_dense_level_interpolates_a_linear_function_exactly(align: bool) -> None:
    options = GridOptions(3, 1, 1, 8, 8, 12, "hash", align_corners=align)
    grid = HashGrid(options, bound=2.0).double()
    (level,) = grid.levels
    slope = torch.tensor([0.3, -1.2, 0.7], dtype=torch.float64)
    with torch.no_grad():
        for cell in itertools.product(range(level.corners), repeat=3):
            share = (torch.tensor(cell, dtype=torch.float64) - (0 if align else 0.5)) / level.scale
            row = cell[0] + level.corners * (cell[1] + level.corners * cell[2])
            grid.embeddings[row] = (share * 4 - 2) @ slope
    points = points_in(options, 100, reach=1.99)
    torch.testing.assert_close(grid(points)[:, 0], points @ slope)


def test_rows_are_those_of_the_published_grid() -> None:
    levels = grid_levels(GridOptions())
    assert [level.rows for level in levels[:4]] == [4920, 12168, 29792, 65536]
    assert levels[-1].first + levels[-1].rows == 898_848
    # Its float32 rounding makes the finest level one cell finer than asked for.
    assert levels[-1].corners == 1538 and levels[-1].scale > 1535
    tiled = [level.strides(3) for level in levels]
    assert [dense for _, dense in tiled] == [True] * 3 + [False] * 13
    assert all(strides[2] == 0 for strides, _ in tiled[10:]) and all(strides[2] > 0 for strides, _ in tiled[:10])


def test_outside_the_box_is_nothing() -> None:
    grid = filled(LAYOUTS[0])
    points = torch.tensor([[1.51, 0.0, 0.0], [0.0, -4.0, 0.0]], dtype=torch.float64, requires_grad=True)
    out = grid(points)
    assert not out.any()
    gradients = torch.autograd.grad(out.sum(), (grid.embeddings, points))
    assert not any(gradient.any() for gradient in gradients)


def test_no_points_are_no_features() -> None:
    grid = filled(LAYOUTS[0])
    out = grid(torch.zeros(0, 3, dtype=torch.float64))
    assert out.shape == (0, 8)
    assert not torch.autograd.grad(out.sum(), grid.embeddings)[0].any()


def test_half_precision_tables_are_read_as_they_are() -> None:
    grid, points = filled(LAYOUTS[0]), points_in(LAYOUTS[0], 20)
    half = HashGrid(LAYOUTS[0], bound=1.5)
    half.load_state_dict(grid.state_dict())
    torch.testing.assert_close(
        half.to(torch.bfloat16)(points.float()).float(), grid(points).float(), atol=0.05, rtol=0.05
    )


@pytest.mark.parametrize(
    "wrong",
    [{"levels": 0}, {"features": 33}, {"base": 32, "finest": 16.0}, {"log2_hashmap_size": 29}, {"dimensions": 9}],
)
def test_impossible_layouts_are_refused(wrong: dict) -> None:
    with pytest.raises(InputError, match="grid"):
        GridOptions(**wrong)
    with pytest.raises(InputError, match="bound"):
        HashGrid(bound=0.0)


COMPILED = """
import torch
from monoform.nn.grid_compiled import compiled_look_up, look_up_fast
from monoform.nn.grid_lookup import look_up
from monoform.nn.hashgrid import GridOptions, HashGrid

for kind, interpolation in (("hash", "linear"), ("tiled", "smoothstep")):
    grid = HashGrid(GridOptions(3, 4, 2, 4, 40, 9, kind, interpolation=interpolation)).double()
    with torch.no_grad():
        grid.embeddings.normal_()
    share = (torch.rand(50, 3, dtype=torch.float64) * 1.2 - 0.1).requires_grad_()
    smooth = interpolation == "smoothstep"
    asked = torch.randn(50, 8, dtype=torch.float64)
    for other in (look_up, look_up_fast):
        results = []
        for function in (compiled_look_up("aot_eager"), other):
            out = function(share, grid.embeddings, tuple(grid.levels), smooth=smooth)
            results.append((out, *torch.autograd.grad(out, (grid.embeddings, share), asked)))
        for one, two in zip(*results):
            assert one.abs().max() > 0
            torch.testing.assert_close(one, two, atol=1e-11, rtol=1e-9)
"""


def test_the_compiled_kernel_has_the_values_and_gradients_of_its_twin() -> None:
    """Traced with its gradients as for an accelerator, but without the generator of code, which needs a compiler.

    In its own process: what checks the types of arguments in tests cannot be traced.
    """
    done = subprocess.run([sys.executable, "-c", COMPILED], check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
