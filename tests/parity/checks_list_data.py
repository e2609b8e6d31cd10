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
from tests.parity.checks_list_model import filled, half_side_of, list_config, picture, set_nodes, settled_cloud
from tests.parity.parity_case import Case
from tests.parity.parity_checks import check
from tests.parity.tolerances import differing_share

from monoform.data.sdf.disn import DisnObjects
from monoform.data.sdf.items import DrawOptions, as_tensor
from monoform.data.sdf.jitter import OPERATIONS, ByteJitter, jittered
from monoform.data.sdf.samples import drawn_counts, exact_distance, farthest_points, signed_distance, unit_box
from monoform.errors import InputError
from monoform.mesh import Mesh
from monoform.mesh.sdf_grid import GridValues, dense_values, surface_of
from monoform.methods.list.fast import FastDistances
from monoform.methods.list.model import ListNet
from monoform.methods.list.published_inside import inside_along_z, inside_published
from monoform.methods.list.published_points import rescaled_as_published
from monoform.methods.list.volume import occupancy
from monoform.metrics import volume_iou

EDGE = 1e-7
OPEN = 0.05  # share of open edges that may differ: the box cuts some cells that can be cut in two ways


@check("list", "color_jitter")
def color_jitter(case: Case) -> None:
    """The numbers by which rows name operations are the manifest's own."""
    image, rows = case.array("image"), case.array("params")
    case.config.one_of("contrast", None)
    for column, name in enumerate(OPERATIONS):
        low, high = case.config[name]
        assert ((rows[:, column] >= low) & (rows[:, column] <= high)).all(), f"config.{name} does not hold params"
    for name, factors in case.config["singles"].items():
        order = tuple(OPERATIONS.index(operation) for operation in factors)
        case.compare(name, jittered(image, ByteJitter(**factors, order=order)))
    numbers = {int(number): OPERATIONS.index(name) for number, name in case.config["order"].items()}
    assert sorted(set(rows[:, 3:].ravel())) == sorted(numbers)
    changes = [ByteJitter(*row[:3].tolist(), tuple(numbers[int(number)] for number in row[3:])) for row in rows]
    case.compare("out", np.stack([jittered(image, change) for change in changes]))


@check("list", "dataset_item")
def dataset_item(case: Case) -> None:
    config, seeds = case.config, case.manifest["seeds"]
    config.one_of("color_jitter", False)
    config.one_of("alpha", "dropped")
    config.one_of("replacement", True)
    assert [*case.array("png_rgba").shape[:3]] == [config["views"], *config["image_size"]], "config.views, image_size"
    seeds["views"].one_of("kind", "python random")
    seeds["points"].one_of("kind", "numpy RandomState")
    sigmas = tuple(map(float, config["sigmas"]))
    with tempfile.TemporaryDirectory() as folder:
        objects = _written(case, Path(folder), sigmas)
        options = DrawOptions(tuple(config["fractions"]), config["total_points"])
        case.compare("counts", np.array(drawn_counts(options.fractions, options.total)))
        draw, views = np.random.RandomState(seeds["points"]["seed"]), random.Random(seeds["views"]["seed"])
        seen = []
        for number in range(config["items"]):
            seen.append(views.randint(0, config["views"] - 1))
            picked = objects.picture(0, seen[-1])
            item = objects.shape(0, picked, options, lambda rows, count: draw.randint(0, rows, count))
            case.compare(f"item{number}_rgb_image", as_tensor(item.picture))
            case.compare(f"item{number}_points", item.points)
            case.compare(f"item{number}_values", item.sdf)
            grid = occupancy(torch.from_numpy(item.cloud)[None], config["vox_res"])[0]
            case.compare(f"item{number}_occ_idx", set_nodes(grid))
        case.compare("views", np.array(seen))
        case.compare("occ_file", set_nodes(grid))
        again = random.Random(seeds["views"]["seed"]).randint(0, config["views"] - 1)
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
    config = case.config
    config["fps"].one_of("precision", "float32")
    mesh = unit_box(Mesh(case.array("src_vertices"), case.array("faces").astype(np.int64)))
    mesh = Mesh(config["longest_side"] * mesh.vertices, mesh.faces)
    case.compare("scaled_vertices", mesh.vertices)
    surface = case.array("grid_points")
    assert len(surface) == config["surface_points"], "config.surface_points is not how many grid_points there are"
    for sigma in config["sigmas"]:
        name = f"query_points_sigma_{sigma:g}"
        golden = case.arrays[name]
        assert 0.5 * sigma < (golden[:, :3] - surface).std() < 2 * sigma, f"{name}: points are not {sigma} away"
        found = signed_distance(mesh, golden[:, :3])
        tiny = np.abs(golden[:, 3]) < case.limit(name, "abs")  # there the sign may differ
        found[tiny] = np.abs(found[tiny]) * np.sign(golden[tiny, 3])
        case.compare(name, np.concatenate([golden[:, :3], found[:, None]], axis=1))
    assert exact_distance(mesh, surface).max() < 1e-6
    chosen = farthest_points(surface, config["fps"]["count"], start=config["fps"]["first"])
    case.compare("fps_idx", chosen.astype(np.int32))
    case.compare("fps_points", surface[chosen].astype(np.float32))
    overlap = Mesh(case.array("overlap_vertices"), case.array("overlap_faces").astype(np.int64))
    points = case.array("overlap_points")
    case.compare("overlap_unsigned", exact_distance(overlap, points))
    case.compare("overlap_value", signed_distance(overlap, points, clip=False))


@check("list", "mesh_extraction")
def mesh_extraction(case: Case) -> None:
    config, half = case.config, half_side_of(case.config)
    config.one_of("inside", "negative")
    nodes, values = config["nodes"], case.array("grid") - np.float32(config["level"])
    assert values.shape == (nodes,) * 3, "config.nodes is not the size of grid"
    mesh = surface_of(GridValues(values, half, 0), closed=False)
    raw = (mesh.vertices + half) * (nodes - 1) / (2 * half)
    compare_surface(case, "raw_vertices", "faces", raw, mesh.faces)
    compare_surface(case, "world_vertices", "faces", mesh.vertices, mesh.faces)
    compare_surface(case, "orig_vertices", "faces", rescaled_as_published(mesh.vertices, nodes, half), mesh.faces)
    try:
        empty = surface_of(GridValues(np.abs(values) + 1, half, 0))
        count = np.array([len(empty.vertices), len(empty.faces)])
    except InputError:  # the house refuses a field without inside by a sentence
        count = np.zeros(2, int)
    case.compare("empty_count", count)


def compare_surface(case: Case, vertices: str, faces: str, ours: np.ndarray, our_faces: np.ndarray) -> None:
    """Every golden vertex is one of ours; faces leave as many edges open, and have the same area.

    Where a cell can be cut in two ways the triangles may differ, and with them vertices within the cell.
    """
    golden, theirs = case.arrays[vertices], case.arrays[faces]
    distance, nearest = cKDTree(ours).query(golden)
    case.compare_within(vertices, float(distance.max()), case.limit(vertices, "abs"))
    back = {int(mine): number for number, mine in enumerate(nearest)}
    # Which way faces look is the library's choice, and it is not the same in all cases.
    open_edges = {tuple(sorted((back[a], back[b]))) for a, b in _open_edges(our_faces)}
    others = {tuple(sorted(edge)) for edge in _open_edges(theirs)}
    assert len(open_edges) == len(others), "not as many edges are open"
    assert len(open_edges ^ others) <= OPEN * len(others), "other edges are open"
    assert abs(len(our_faces) - len(theirs)) <= 0.01 * len(theirs)
    area = abs(_area(ours, our_faces) / _area(golden, theirs) - 1)
    case.compare_within(faces, max(area, case.deviations.get(faces, 0.0)), case.limit(faces, "area_rel"))


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
    config, half = list_config(case), half_side_of(case.config)
    net, nodes = filled(ListNet(config), case), config.network.volume_nodes
    with torch.no_grad():
        seen = net.encode(picture(case, "image_u8"), cloud=settled_cloud(net, picture(case, "image_u8")))
    case.compare("occ_idx0", set_nodes(seen.grid[0]))
    chunk = case.config["test_pointnum"]
    dense = dense_values(
        lambda points: net.distances(seen, points[None])[0] / config.sdf_scale, nodes, half_side=half, chunk=chunk
    )
    case.compare("sdf_grid", dense.values)
    quick = dense_values(FastDistances(net, seen), nodes, half_side=half)
    differing_share("sdf_grid", quick.values, case.arrays["sdf_grid"], case.tolerance("sdf_grid"))
    mesh = surface_of(GridValues(case.arrays["sdf_grid"], half, 0), closed=False)
    raw = (mesh.vertices + half) * (nodes - 1) / (2 * half)
    compare_surface(case, "raw_vertices", "raw_faces", raw, mesh.faces)
    scaled = rescaled_as_published(mesh.vertices, nodes, half)
    compare_surface(case, "mesh_vertices", "mesh_faces", scaled, mesh.faces)


@check("list", "metrics_mesh")
def metrics_mesh(case: Case) -> None:
    config, query = case.config, case.array("query")
    config.one_of("axis", "z")
    config.one_of("repair", ["y", "x", "z"])
    assert len(query) == config["queries"], "config.queries is not how many there are"
    low, high = config["box"]
    assert low <= query.min() and query.max() <= high, "config.box does not hold the queries"
    inside = {}
    for name in config["meshes"]:
        mesh = Mesh(case.array(f"{name}_vertices"), case.array(f"{name}_faces").astype(np.int64))
        edge = on_an_edge(mesh, query)
        found = flags_of(mesh, query)
        for label, flags in found.items():
            _compare_flags(case, f"{name}_{label}", flags, edge)
        inside[name] = found["inside"]
    for label in config["pairs"]:
        pair = re.fullmatch(rf"iou_({'|'.join(inside)})_({'|'.join(inside)})", label)
        assert pair is not None, label
        case.compare(label, np.float64(volume_iou(inside[pair[1]], inside[pair[2]])))


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
    differing = ours != case.arrays[name]
    assert not (differing & ~edge).any(), f"{name}: {np.count_nonzero(differing & ~edge)} flags off any edge differ"
    case.compare(name, ours)
