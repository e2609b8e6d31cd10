"""LIST's data, colours, surfaces and inside tests against their golden cases."""

from __future__ import annotations

import random
import re
import tempfile
from collections import Counter
from pathlib import Path

import h5py
import numpy as np
import torch
from PIL import Image
from scipy.spatial import cKDTree
from tests.parity.checks_list_model import filled, list_config, picture, set_nodes
from tests.parity.parity_case import Case
from tests.parity.parity_checks import check

from monoform.data.disn import DisnObjects
from monoform.data.sdf_items import DrawOptions, as_tensor
from monoform.data.sdf_jitter import ByteJitter, jittered
from monoform.data.sdf_samples import drawn_counts, exact_distance, farthest_points, signed_distance, unit_box
from monoform.errors import InputError
from monoform.mesh import Mesh
from monoform.methods.list.fast import FastDistances
from monoform.methods.list.grid import GridValues, dense_values, rescaled_as_published, surface_of
from monoform.methods.list.model import ListNet
from monoform.methods.list.volume import occupancy
from monoform.metrics import volume_iou
from monoform.metrics.published_inside import inside_along_z, inside_published

SEED = 333
FRACTIONS, TOTAL = (0.45, 0.44, 0.10), 200
GREY_LEVELS = 2
DISTANCE, GRID, VERTICES, FLAGS = 1e-6, 5e-5, 1e-5, 5
EDGE = 1e-7
OPEN = 0.05  # share of open edges that may differ: the box cuts some cells that can be cut in two ways


@check("list", "color_jitter")
def color_jitter(case: Case) -> None:
    image = case.array("image")
    changes = {
        "brightness_1.2": ByteJitter(brightness=1.2, order=(0,)),
        "saturation_0.6": ByteJitter(saturation=0.6, order=(1,)),
        "hue_0.3": ByteJitter(hue=0.3, order=(2,)),
        "hue_-0.4": ByteJitter(hue=-0.4, order=(2,)),
    }
    for name, change in changes.items():
        _compare_bytes(case, name, jittered(image, change))
    rows = case.array("params")
    assert sorted(set(rows[:, 3:].ravel())) == [0, 1, 2]
    found = [jittered(image, ByteJitter(*row[:3].tolist(), tuple(row[3:].astype(int).tolist()))) for row in rows]
    _compare_bytes(case, "out", np.stack(found))


def _compare_bytes(case: Case, name: str, ours: np.ndarray) -> None:
    """Libraries round to bytes in their own ways."""
    gap = np.abs(ours.astype(int) - case.arrays[name].astype(int))
    case.compare(name, np.where(gap <= GREY_LEVELS, case.arrays[name], ours))


@check("list", "dataset_item")
def dataset_item(case: Case) -> None:
    sigmas = [float(name.rpartition("_")[2]) for name in case.arrays if name.startswith("query_points_sigma_")]
    with tempfile.TemporaryDirectory() as folder:
        objects = _written(case, Path(folder), tuple(sigmas))
        options = DrawOptions(FRACTIONS, TOTAL)
        case.compare("counts", np.array(drawn_counts(FRACTIONS, TOTAL)))
        draw, views = np.random.RandomState(SEED), random.Random(SEED)
        seen = []
        for number in range(len(case.arrays["views"])):
            seen.append(views.randint(0, len(objects.objects[0].pictures) - 1))
            picked = objects.picture(0, seen[-1])
            item = objects.shape(0, picked, options, lambda rows, count: draw.randint(0, rows, count))
            case.compare(f"item{number}_rgb_image", as_tensor(item.picture))
            case.compare(f"item{number}_points", item.points)
            case.compare(f"item{number}_values", item.sdf)
            grid = occupancy(torch.from_numpy(item.cloud)[None], 32)[0]
            case.compare(f"item{number}_occ_idx", set_nodes(grid))
        case.compare("views", np.array(seen))
        case.compare("occ_file", set_nodes(grid))
        again = random.Random(SEED).randint(0, len(objects.objects[0].pictures) - 1)
        case.compare("stage1_rgb", as_tensor(objects.picture(0, again)))
        case.compare("stage1_pc", item.cloud)


def _written(case: Case, root: Path, sigmas: tuple[float, ...]) -> DisnObjects:
    """The case's arrays as a data set of one object, read by our reader."""
    pictures, samples = root / "images/0/a/easy", root / "sampled_points/0/a"
    for folder in (pictures, samples, root / "splits"):
        folder.mkdir(parents=True)
    for number, pixels in enumerate(case.array("png_rgba")):
        Image.fromarray(pixels).save(pictures / f"{number:02d}.png")
    with h5py.File(samples / "sampled_points.h5", "w") as file:
        for sigma in sigmas:
            name = f"query_points_sigma_{sigma:g}"
            file[name] = case.array(name)
    with h5py.File(samples / "farthest_pointclouds.h5", "w") as file:
        file["points_5000"] = case.array("points_5000")
    (root / "splits/0_train.lst").write_text("a\n")
    return DisnObjects(root, "train", sigmas=sigmas)


@check("list", "preprocessing")
def preprocessing(case: Case) -> None:
    mesh = unit_box(Mesh(case.array("src_vertices"), case.array("faces").astype(np.int64)))
    case.compare("scaled_vertices", mesh.vertices, atol=1e-7)
    surface = case.array("grid_points")
    for name in [name for name in case.arrays if name.startswith("query_points_sigma_")]:
        golden = case.arrays[name]
        sigma = float(name.rpartition("_")[2])
        assert np.abs(golden[:, :3] - surface).max() < 6 * sigma, name
        found = signed_distance(mesh, golden[:, :3])
        tiny = np.abs(golden[:, 3]) < DISTANCE
        found[tiny] = np.abs(found[tiny]) * np.sign(golden[tiny, 3])
        case.compare(name, np.concatenate([golden[:, :3], found[:, None]], axis=1), atol=DISTANCE)
    assert exact_distance(mesh, surface).max() < DISTANCE
    chosen = farthest_points(surface, len(case.arrays["fps_idx"]))
    case.compare("fps_idx", chosen.astype(np.int32))
    case.compare("fps_points", surface[chosen].astype(np.float32), atol=1e-7)
    overlap = Mesh(case.array("overlap_vertices"), case.array("overlap_faces").astype(np.int64))
    points = case.array("overlap_points")
    case.compare("overlap_unsigned", exact_distance(overlap, points), atol=DISTANCE)
    case.compare("overlap_value", signed_distance(overlap, points, clip=False), atol=5 * DISTANCE)


@check("list", "mesh_extraction")
def mesh_extraction(case: Case) -> None:
    values = case.array("grid")
    mesh = surface_of(GridValues(values, 0.5, 0), closed=False)
    nodes = len(values)
    compare_surface(case, "raw_vertices", "faces", (mesh.vertices + 0.5) * (nodes - 1), mesh.faces, atol=1e-4)
    compare_surface(case, "world_vertices", "faces", mesh.vertices, mesh.faces, atol=VERTICES)
    scaled = rescaled_as_published(mesh.vertices, nodes)
    compare_surface(case, "orig_vertices", "faces", scaled, mesh.faces, atol=VERTICES)
    try:
        empty = surface_of(GridValues(np.abs(values) + 1, 0.5, 0))
        count = np.array([len(empty.vertices), len(empty.faces)])
    except InputError:  # the house refuses a field without inside by a sentence
        count = np.zeros(2, int)
    case.compare("empty_count", count)


def compare_surface(
    case: Case, vertices: str, faces: str, ours: np.ndarray, our_faces: np.ndarray, *, atol: float
) -> None:
    """Every golden vertex is one of ours; faces leave as many edges open, and have the same area.

    Where a cell can be cut in two ways the triangles may differ, and with them vertices within the cell.
    """
    golden, theirs = case.arrays[vertices], case.array(faces)
    nearest = cKDTree(ours).query(golden)[1]
    case.compare(vertices, ours[nearest].astype(golden.dtype), atol=atol)
    back = {int(mine): number for number, mine in enumerate(nearest)}
    # Which way faces look is the library's choice, and it is not the same in all cases.
    open_edges = {tuple(sorted((back[a], back[b]))) for a, b in _open_edges(our_faces)}
    others = {tuple(sorted(edge)) for edge in _open_edges(theirs)}
    assert len(open_edges) == len(others), "not as many edges are open"
    assert len(open_edges ^ others) <= OPEN * len(others), "other edges are open"
    np.testing.assert_allclose(_area(ours, our_faces), _area(golden, theirs), rtol=2e-2)
    assert abs(len(our_faces) - len(theirs)) <= 0.01 * len(theirs)


def _open_edges(faces: np.ndarray) -> set[tuple[int, int]]:
    """Directed edges without their opposite."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).tolist()
    known = Counter((a, b) for a, b in edges)
    return {(a, b) for (a, b), count in known.items() if known[b, a] != count}


def _area(vertices: np.ndarray, faces: np.ndarray) -> float:
    a, b, c = (vertices[faces[:, k]].astype(np.float64) for k in range(3))
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


@check("list", "list_inference_32")
def list_inference(case: Case) -> None:
    config = list_config(case)
    assert config.sdf_scale == case.manifest["config"]["sdf_scale"]
    net, nodes = filled(ListNet(config), case), config.network.volume_nodes
    with torch.no_grad():
        seen = net.see(picture(case, "image_u8"))
    case.compare("occ_idx0", set_nodes(seen.grid[0]))
    chunk = case.manifest["config"]["test_pointnum"]
    grid = dense_values(lambda points: net.distances(seen, points[None])[0] / config.sdf_scale, nodes, chunk=chunk)
    case.compare("sdf_grid", grid.values, atol=GRID)
    quick = dense_values(FastDistances(net, seen), nodes)
    np.testing.assert_allclose(quick.values, case.arrays["sdf_grid"], atol=GRID)
    golden = GridValues(case.arrays["sdf_grid"], 0.5, 0)
    mesh = surface_of(golden, closed=False)
    compare_surface(case, "raw_vertices", "raw_faces", (mesh.vertices + 0.5) * (nodes - 1), mesh.faces, atol=2e-3)
    scaled = rescaled_as_published(mesh.vertices, nodes)
    compare_surface(case, "mesh_vertices", "mesh_faces", scaled, mesh.faces, atol=2e-3 / (nodes - 1))


@check("list", "metrics_mesh")
def metrics_mesh(case: Case) -> None:
    query = case.array("query")
    inside = {}
    for name in [name.removesuffix("_vertices") for name in case.arrays if name.endswith("_vertices")]:
        mesh = Mesh(case.array(f"{name}_vertices"), case.array(f"{name}_faces").astype(np.int64))
        edge = on_an_edge(mesh, query)
        found = flags_of(mesh, query)
        for label, flags in found.items():
            _compare_flags(case, f"{name}_{label}", flags, edge)
        inside[name] = found["inside"]
    for label in [name for name in case.arrays if name.startswith("iou_")]:
        pair = re.fullmatch(rf"iou_({'|'.join(inside)})_({'|'.join(inside)})", label)
        assert pair is not None, label
        case.compare(label, np.float64(volume_iou(inside[pair[1]], inside[pair[2]])), atol=2e-3)


def flags_of(mesh: Mesh, query: np.ndarray) -> dict[str, np.ndarray]:
    once, repaired = inside_along_z(mesh.vertices, mesh.faces, query), inside_published(mesh, query)
    return {
        "inside_one_axis": once.inside,
        "holes_one_axis": once.holes,
        "inside": repaired.inside,
        "unresolved": repaired.holes,
    }


def on_an_edge(mesh: Mesh, query: np.ndarray) -> np.ndarray:
    """Points that lie on the edge of a triangle, seen along any axis, as far as single precision tells."""
    found = np.zeros(len(query), bool)
    for axis in range(3):
        plane = [(axis + 1) % 3, (axis + 2) % 3]
        corners = mesh.triangles[:, :, plane]
        for k in range(3):
            start, along = corners[:, k], corners[:, (k + 1) % 3] - corners[:, k]
            to = query[:, None, plane] - start
            length = np.maximum((along**2).sum(1), 1e-12)
            share = np.clip((to * along).sum(2) / length, 0, 1)
            found |= (np.linalg.norm(to - share[..., None] * along, axis=2) < EDGE).any(1)
    return found


def _compare_flags(case: Case, name: str, ours: np.ndarray, edge: np.ndarray) -> None:
    """Only points on an edge may differ, and few of them."""
    differing = (ours != case.arrays[name]) & edge
    assert np.count_nonzero(differing) <= FLAGS, name
    case.compare(name, np.where(differing, case.arrays[name], ours))
