"""LIST: the surface sooner than from the dense grid, how points are looked up, sample files and their signs.

    python benchmarks/list.py extraction MESHES [--threads 2]     128 nodes: dense against coarse to fine, five meshes
    python benchmarks/list.py memory MESHES                       peak memory at 256 nodes
    python benchmarks/list.py folding                             the picture's part of the first layer, folded or not
    python benchmarks/list.py samples MESHES OUT                  meshes a second
    python benchmarks/list.py signs MESHES                        signed distances against winding numbers

MESHES is a folder of meshes. The published network has no weights here: its own are random, its output, divided by
1000, is added to the exact distance of a mesh, so that there is a surface and all of the arithmetic is done.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from scipy.spatial import cKDTree

from monoform.data import mesh_sources
from monoform.data.sdf.prepare import sample_meshes
from monoform.data.sdf.samples import SdfOptions, exact_distance, unit_box
from monoform.mesh import Mesh, is_watertight, sample_surface
from monoform.mesh.sdf_grid import GridValues, sparse_values, surface_of
from monoform.mesh.solid.inside import Solid
from monoform.mesh.solid.winding import winding_number
from monoform.methods.list import ListNet, preset
from monoform.methods.list.fast import FastDistances

SCALE, NODES, CHUNK = 1e-3, 128, 1 << 16
CHOSEN = 5
Distance = Callable[[torch.Tensor], torch.Tensor]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("extraction", "memory", "folding", "samples", "signs"))
    parser.add_argument("meshes", type=Path, nargs="?")
    parser.add_argument("out", type=Path, nargs="?")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--count", type=int, default=0, help="meshes; 0 for the default of each job")
    parser.add_argument("--chunks", type=int, default=0, help="of the dense grid that are timed; 0 for all 32")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    if asked.what == "folding":
        folding()
    elif asked.what == "extraction":
        extraction(asked.meshes, asked.count or CHOSEN, asked.chunks)
    elif asked.what == "memory":
        memory(asked.meshes)
    elif asked.what == "samples":
        samples(asked.meshes, asked.out, asked.count or 20)
    else:
        signs(asked.meshes, asked.count or 20)


def published_network() -> tuple[ListNet, torch.Tensor]:
    """The full network with random weights, and a picture."""
    torch.manual_seed(0)
    return ListNet(preset("shapenet")).eval(), torch.rand(1, 3, 224, 224)


def chosen_meshes(folder: Path, count: int, *, closed: bool = False) -> list[tuple[str, Mesh]]:
    """Meshes at random, by a seed; only those without holes where `closed`."""
    found = []
    sources = mesh_sources(folder)
    for index in np.random.default_rng(0).permutation(len(sources)):
        mesh = Mesh.load(sources[index].path)
        if not closed or is_watertight(mesh):
            found.append((sources[index].name, unit_box(mesh)))
        if len(found) == count:
            break
    return found


class Clock:
    """Seconds on the wall, and of all threads of this process together, which other jobs of the machine change less."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def stop(self) -> None:
        """From the start to now."""
        self.wall, self.cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu

    def __str__(self) -> str:
        return f"{self.wall:.1f} s ({self.cpu:.1f} s of work)"


class Known:
    """Exact distances of a mesh at the nodes of a grid, worked out once; asked for by position."""

    def __init__(self, mesh: Mesh, nodes: int) -> None:
        self.nodes, self.solid = nodes, Solid(mesh, size=1 / 160)
        self.values = np.full((nodes + 3) ** 3, np.nan, np.float32)

    def __call__(self, points: torch.Tensor) -> torch.Tensor:
        """Distances at nodes, or at most two beyond the last."""
        index = torch.round((points + 0.5) * (self.nodes - 1)).long().numpy()
        flat = (index[:, 0] * (self.nodes + 3) + index[:, 1]) * (self.nodes + 3) + index[:, 2]
        fresh = np.flatnonzero(np.isnan(self.values[flat]))
        if len(fresh):
            self.values[flat[fresh]] = self.solid.signed_distance(points[fresh].double().numpy())
        return torch.from_numpy(self.values[flat])


def grid_points(nodes: int) -> torch.Tensor:
    """All nodes of the box, x outer and z inner."""
    axis = torch.linspace(-0.5, 0.5, nodes)
    return torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)


def extraction(folder: Path, count: int, chunks: int) -> None:
    net, picture = published_network()
    with torch.no_grad():
        start = time.perf_counter()
        seen = net.encode(picture)
        print(f"networks that see the picture: {time.perf_counter() - start:.1f} s, in neither time below")
        # The network knows nothing of the mesh that is added: its dense pass is the same for all of them.
        every = grid_points(NODES)
        plain = every[: chunks * CHUNK] if chunks else every
        net.distances(seen, every[None, :64])
        clock = Clock()
        for part in plain.split(CHUNK):
            net.distances(seen, part[None])
        clock.stop()
        share = len(plain) / len(every)
        dense_wall, dense_cpu = clock.wall / share, clock.cpu / share
        print(
            f"dense, {NODES}^3 nodes, {CHUNK} at a time as published: {dense_wall:.1f} s ({dense_cpu:.1f} s of work), "
            f"measured on {100 * share:.0f} % of the nodes",
            flush=True,
        )
    for name, mesh in chosen_meshes(folder, count):
        known = Known(mesh, NODES)
        quick = FastDistances(net, seen)
        whole = reference(known, quick)
        # Once before, so that the mesh's own distances are known: what is timed is the network and the search.
        sparse_values(lambda p, q=quick, k=known: k(p) + SCALE * q(p), NODES)
        clock = Clock()
        quick = FastDistances(net, seen)
        found = sparse_values(lambda p, q=quick, k=known: k(p) + SCALE * q(p), NODES)
        clock.stop()
        gap = hausdorff(surface_of(found), surface_of(whole)) * (NODES - 1)
        print(
            f"{name}: {clock}, {dense_wall / clock.wall:.1f} times sooner "
            f"({dense_cpu / clock.cpu:.1f} times less work), asked at "
            f"{100 * found.evaluated / NODES**3:.1f} % of the nodes, Hausdorff {gap:.4f} nodes",
            flush=True,
        )


def reference(known: Known, network: FastDistances) -> GridValues:
    """The sum at every node of the dense grid next to its surface; further away the mesh alone has the sign.

    A distance changes by at most the way: a node is asked for unless its neighbour on a grid of twice the spacing is
    further from the surface than any two nodes of a cell and of the cell beside it.
    """
    spacing = 1.0 / (NODES - 1)
    every = grid_points(NODES)
    index = torch.round((every + 0.5) / spacing).long()
    coarse = torch.minimum(2 * torch.div(index + 1, 2, rounding_mode="floor"), torch.tensor(NODES - 2))
    first, place = torch.unique(coarse, dim=0, return_inverse=True)
    values = known(first.float() * spacing - 0.5)[place]
    near = values.abs() <= 5 * 3**0.5 * spacing
    values[near] = known(every[near])
    close = values.abs() <= 3 * spacing
    said = SCALE * network(every[close])
    assert said.abs().max() < 0.1 * spacing, "the network's share would move the surface too far"
    values[close] += said
    return GridValues(values.numpy().reshape((NODES,) * 3), 0.5, NODES**3)


def hausdorff(first: Mesh, second: Mesh) -> float:
    """Largest distance from a vertex of either surface to the nearest of the other."""
    a, b = cKDTree(first.vertices), cKDTree(second.vertices)
    return float(max(a.query(second.vertices)[0].max(), b.query(first.vertices)[0].max()))


def memory(folder: Path) -> None:
    net, picture = published_network()
    name, mesh = chosen_meshes(folder, 1)[0]
    solid = Solid(mesh, size=1 / 160)
    start = time.perf_counter()
    with torch.no_grad():
        quick = FastDistances(net, net.encode(picture))
    exact = lambda p: torch.from_numpy(solid.signed_distance(p.double().numpy())).float()  # noqa: E731
    found = sparse_values(lambda p: exact(p) + SCALE * quick(p), 256)
    faces = len(surface_of(found).faces)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{name}: 256 nodes, {faces} triangles, {time.perf_counter() - start:.0f} s, peak {peak:.2f} GiB")


def folding() -> None:
    net, picture = published_network()
    points = torch.rand(1 << 15, 3) - 0.5
    with torch.no_grad():
        seen = net.encode(picture)
        plain = timed(lambda: net.distances(seen, points[None]))
        told = {}
        for fold in (False, True):
            start = time.perf_counter()
            quick = FastDistances(net, seen, fold=fold)
            told[fold] = (time.perf_counter() - start, timed(lambda q=quick: q(points)))
    print(f"{len(points)} points, as published (maps resized for each chunk): {plain:.2f} s")
    for fold, (once, each) in told.items():
        name = "folded into the maps" if fold else "maps resized once, rows looked up"
        print(f"{name}: {once:.2f} s once for a picture, then {each:.2f} s")


def timed(job: Callable[[], object]) -> float:
    """The better of two runs."""
    found = []
    for _ in range(2):
        start = time.perf_counter()
        job()
        found.append(time.perf_counter() - start)
    return min(found)


def samples(folder: Path, out: Path | None, count: int) -> None:
    sources = mesh_sources(folder)
    some = [sources[index] for index in np.random.default_rng(0).permutation(len(sources))[:count]]
    with tempfile.TemporaryDirectory() as temporary:
        start = time.perf_counter()
        done = sample_meshes(some, out or Path(temporary), SdfOptions(), workers=2)
        seconds = time.perf_counter() - start
    print(f"{done.made} meshes in {seconds:.1f} s with two workers: {done.made / seconds:.2f} a second")


def signs(folder: Path, count: int) -> None:
    """Closed meshes: signs by winding number and exact distances, both from every triangle."""
    wrong, total, errors = 0, 0, []
    for name, mesh in chosen_meshes(folder, count, closed=True):
        generator = np.random.default_rng(1)
        surface = sample_surface(mesh, 600, seed=2)[0]
        points = np.concatenate([surface[:400] + 0.07 * generator.normal(size=(400, 3)), surface[400:] * 1.3])
        found = Solid(mesh, size=1 / SdfOptions().voxels).signed_distance(points)
        inside, distance = winding_number(mesh, points) > 0.5, exact_distance(mesh, points)
        radius = np.linalg.norm(mesh.vertices, axis=1).max()
        clear = distance > 0.01 * radius
        bad = int(((found < 0) != inside)[clear].sum())
        wrong, total = wrong + bad, total + int(clear.sum())
        right = clear & ((found < 0) == inside)
        errors.append(np.abs(np.abs(found) - distance)[right].mean())
        print(f"{name}: {bad} of {clear.sum()} signs wrong, mean error of the distance {errors[-1]:.5f}", flush=True)
    print(f"{wrong} of {total} signs wrong ({100 * wrong / total:.3f} %), mean error {np.mean(errors):.5f}")


if __name__ == "__main__":
    main()
