"""TripoSR's field, its pictures, its surface and the whole way from a picture against golden cases."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from scipy.spatial import cKDTree
from tests.parity.checks_triposr import decoder, filled, model_of, part
from tests.parity.parity_case import Case, Fields
from tests.parity.parity_checks import check
from torch import Tensor

from monoform.camera import Camera
from monoform.mesh import Mesh
from monoform.mesh.node_grid import Grid, every_node
from monoform.methods.triposr.cameras import orbit_cameras, world_from_network
from monoform.methods.triposr.config import Rendering
from monoform.methods.triposr.model import TripoSrNet
from monoform.methods.triposr.photo_square import centered, network_picture, on_gray, resized
from monoform.methods.triposr.planes import FoldedVolume, PlaneVolume, point_features
from monoform.methods.triposr.published_tree import rendering_of
from monoform.methods.triposr.rendering import render, through_cube
from monoform.methods.triposr.surface import level_grid, published_surface, texture_colors, vertex_colors


def volumes(case: Case, planes: Tensor, rendering: Rendering) -> Iterable[PlaneVolume]:
    """The plain way and the quick one: both are compared."""
    net = decoder(case)
    return [kind(planes, net, rendering, chunk=1000) for kind in (PlaneVolume, FoldedVolume)]


@check("triposr", "triplane_query")
@torch.no_grad()
def triplane_query(case: Case) -> None:
    rendering, planes, points = rendering_of(case.config["renderer"]), case.tensor("planes"), case.tensor("positions")
    case.compare("plane_features", point_features(planes[None], points[None], rendering)[0])
    for volume in volumes(case, planes, rendering):
        compare_query(case, volume, points)


def compare_query(case: Case, volume: PlaneVolume, points: Tensor) -> None:
    raw = volume.raw(points)
    density, color = volume.query(points)
    found = {"density": raw[:, :1], "features": raw[:, 1:], "density_act": density[:, None], "color": color}
    for name in found:
        if name in case:
            case.compare(name, found[name])


def cameras_of(config: Fields) -> Camera:
    return orbit_cameras(
        config["n_views"],
        elevation=config["elevation_deg"],
        distance=config["camera_distance"],
        fov=config["fovy_deg"],
        width=config["width"],
        height=config["height"],
    )


@check("triposr", "cameras")
def cameras(case: Case) -> None:
    for number, config in enumerate(case.config["cameras"]):
        found = cameras_of(Fields(config, f"config.cameras[{number}]"))
        for name, rays in zip(("o", "d"), found.rays(), strict=True):
            case.compare(f"rays_{name}_{number}", rays.unflatten(1, (found.height, found.width)).float())


@check("triposr", "ray_box")
def ray_box(case: Case) -> None:
    config = case.config
    near, far, valid = through_cube(
        case.tensor("rays_o"),
        case.tensor("rays_d"),
        config["radius"],
        nearest=config["near"],
        shortest=config["valid_thresh"],
    )
    case.compare("t_near", near[:, None])
    case.compare("t_far", far[:, None])
    case.compare("valid", valid)


def pictures(volume: PlaneVolume, found: Camera) -> Tensor:
    """(v h w 3) on white, not clipped."""
    origins, directions = (rays.flatten(0, 1).float() for rays in found.rays())
    seen, hit = render(volume.query, origins, directions, volume.rendering)
    rgb = torch.ones_like(origins)
    rgb[hit] = seen.rgb
    return rgb.reshape(len(found), found.height, found.width, 3)


@check("triposr", "renderer")
@torch.no_grad()
def renderer(case: Case) -> None:
    rendering, found = rendering_of(case.config["renderer"]), cameras_of(case.config["cameras"])
    origins, directions = (rays[0].float() for rays in found[0].rays())
    for volume in volumes(case, case.tensor("planes"), rendering):
        rgb = pictures(volume, found)
        case.compare("rgb", rgb)
        case.compare("rgb_u8", (rgb * 255).clamp(0, 255).to(torch.uint8))
        seen, hit = render(volume.query, origins, directions, rendering)
        rays = slice(None, None, case.config["ray_stride"])
        points = origins[hit][rays, None] + seen.samples[rays, :, None] * directions[hit][rays, None]
        density, color = volume.query(points.flatten(0, 1))
        case.compare("sample_points", points)
        case.compare("sample_density", density.reshape(*points.shape[:2], 1))
        case.compare("sample_color", color.reshape(points.shape))


@check("triposr", "preprocess")
def preprocess(case: Case) -> None:
    size = case.config["cond_image_size"]
    for number, ratio in enumerate(case.config["foreground_ratios"]):
        rgba = case.array(f"rgba_{number}")
        case.compare(f"foreground_{number}", centered(rgba, ratio))
        gray = on_gray(centered(rgba, ratio))
        case.compare(f"grey_{number}", gray)
        case.compare(f"cond_{number}", network_picture(rgba, ratio, size)[0].permute(1, 2, 0))
        floats = torch.from_numpy(gray.astype(np.float32) / 255 * 1.2 - 0.1)
        case.compare(f"cond_from_float_{number}", resized(floats, size)[0].permute(1, 2, 0))


def compare_set(case: Case, name: str, ours: np.ndarray) -> None:
    """Each of the points has one of the others near it, both ways."""
    golden, allowed = case.arrays[name], case.limit(name, "abs")
    gaps = [cKDTree(one).query(other)[0].max() for one, other in ((golden, ours), (ours, golden))]
    case.compare_within(name, float(max(gaps)), allowed)


@check("triposr", "isosurface")
def isosurface(case: Case) -> None:
    nodes, density = case.config["resolution"], case.array("density")
    assert density.shape == (nodes,) * 3, "config.resolution is not that of the density"
    unit = Grid(np.zeros(3), 1 / (nodes - 1), density.shape)
    nodes_of_grid = every_node(density.shape)
    second = np.rint(case.arrays["grid"][1] * (nodes - 1)).astype(int)  # which tells how many are left out
    every = int(np.ravel_multi_index(tuple(second), density.shape))
    case.compare("grid", unit.points(nodes_of_grid[::every]).astype(np.float32))
    mesh = published_surface(density - np.float32(case.config["threshold"]), unit)
    compare_set(case, "vertices", mesh.vertices)
    golden = Mesh(case.arrays["vertices"].astype(np.float64), case.arrays["faces"].astype(np.int64))
    compare_surface(case, "faces", mesh, golden)
    volume, centroid = enclosed(mesh)
    case.compare("signed_volume", np.array([volume]))
    case.compare("area", np.array([mesh.face_areas.sum()]))
    case.compare("centroid", centroid)


def enclosed(mesh: Mesh) -> tuple[float, np.ndarray]:
    """Signed volume, positive where faces are counter-clockwise seen from outside, and its middle."""
    a, b, c = np.moveaxis(mesh.triangles, 1, 0)
    parts = np.einsum("fc,fc->f", a, np.cross(b, c)) / 6
    return float(parts.sum()), ((a + b + c) / 4 * parts[:, None]).sum(0) / parts.sum()


def compare_surface(case: Case, name: str, ours: Mesh, golden: Mesh) -> None:
    """The middles of the faces of either lie on the other, within the tolerance of the vertices."""
    assert case.tolerance(name).get("surface"), f"{name}: only surfaces are compared"
    middles = [mesh.triangles.mean(1) for mesh in (ours, golden)]
    gap = max(cKDTree(middles[0]).query(middles[1])[0].max(), cKDTree(middles[1]).query(middles[0])[0].max())
    longest = max(np.linalg.norm(np.ptp(mesh.triangles, axis=1), axis=1).max() for mesh in (ours, golden))
    case.compare_within(name, float(gap), float(longest))


def compare_mesh(case: Case, volume: PlaneVolume) -> None:
    """Level, surface and colors, as far as the case holds them."""
    nodes = case.config["resolution"]
    level = level_grid(volume, nodes, case.config["threshold"])
    case.compare("level", level)
    if "raw_vertices" not in case:
        return
    grid = Grid.cube(volume.rendering.radius, nodes)
    asked = grid.points(every_node(grid.shape)).astype(np.float32)
    case.compare("grid_first", asked[: len(case.arrays["grid_first"])])
    case.compare("grid_last", asked[-len(case.arrays["grid_last"]) :])
    mesh = published_surface(level, grid)
    compare_set(case, "raw_vertices", mesh.vertices)
    compare_set(case, "mesh_vertices", mesh.vertices)
    for name in ("raw", "mesh"):
        assert case.tolerance(f"{name}_faces").get("skip"), f"{name}_faces: ambiguous cells are not compared"
        case.compare_within(f"{name}_faces", 0.0, 0.0)
    case.compare("raw_colors", vertex_colors(volume, case.arrays["raw_vertices"]))
    bytes_ = vertex_colors(volume, case.arrays["mesh_vertices"]) * 255
    case.compare("mesh_colors_u8", np.pad(bytes_.numpy().astype(np.uint8), ((0, 0), (0, 1)), constant_values=255))
    shown = case.arrays["mesh_vertices"][: len(case.arrays["display_vertices"])] @ world_from_network("-z").numpy().T
    compare_set(case, "display_vertices", shown)


@check("triposr", "mesh")
@torch.no_grad()
def mesh(case: Case) -> None:
    for volume in volumes(case, case.tensor("planes"), rendering_of(case.config["renderer"])):
        compare_mesh(case, volume)
        case.compare("texture_rgba", texture_colors(volume, case.tensor("texture_positions")))


@check("triposr", "end_to_end")
@torch.no_grad()
def end_to_end(case: Case) -> None:
    config, rgba = model_of(case), case.array("rgba")
    ratio = case.config["foreground_ratio"]
    case.compare("grey", on_gray(centered(rgba, ratio)))
    net: Any = filled(TripoSrNet(config), case)
    planes = net(network_picture(rgba, ratio, config.image_size))
    case.compare("scene_codes", part(planes, *case.config["scene_code_stride"]))
    case.compare("scene_codes_mean", planes.mean((0, 3, 4)))
    case.compare("scene_codes_std", planes.std((0, 3, 4)))
    for kind in (PlaneVolume, FoldedVolume):
        volume = kind(planes[0], net.decoder, config.rendering)
        compare_query(case, volume, case.tensor("positions"))
        case.compare("rgb", pictures(volume, cameras_of(case.config["cameras"])))
        compare_mesh(case, volume)
