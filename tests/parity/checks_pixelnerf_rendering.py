"""pixelNeRF's renderer, a whole rendering and its mesh against golden cases."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import trimesh
from scipy.spatial import cKDTree
from tests.parity.checks_pixelnerf import per_camera, principal_point
from tests.parity.checks_pixelnerf_model import as_published, digest, network_of, poses_of, remembered, unit
from tests.parity.parity_case import Case
from tests.parity.parity_checks import check
from torch import Tensor

from monoform.mesh import extract
from monoform.methods.pixelnerf import from_published, published_rays, truncate_to_8_bit
from monoform.methods.pixelnerf.config import Sampling
from monoform.methods.pixelnerf.model import PixelNerfNet
from monoform.methods.pixelnerf.published_tree import sampling_from_published
from monoform.methods.pixelnerf.render import render, render_query
from monoform.nn import Field, FieldSamples
from monoform.render import RayRender, RaySampleNoise

NUMBER = r"(-?[\d.]+(?:e-?\d+)?)"
# The forms that the cases' texts have; the numbers in them are the cases' own.
SIGMA = "relu(# k s(# (# - |x|)) (# + # sin(# x0 + # x1)) - #)"
RGB = "s(# k x + d + (#, #, #))"
OF_THE_RENDERER = {
    "sigma": "relu(40 k s(12 (0.55 - |x|)) (0.6 + 0.4 sin(7 x0 + 5 x1)) - 2)",
    "rgb": "s(3 k x + d + (0.2, -0.1, 0.4))",
}
"""The field that other cases mean by "as case renderer"."""


@dataclass(frozen=True)
class ClosedForm:
    """The field that a case's text gives."""

    sigma: tuple[float, ...]
    rgb: tuple[float, ...]
    k: dict[bool, float]

    @classmethod
    def read(cls, texts: Any, k: dict[bool, float]) -> ClosedForm:
        return cls(_numbers(texts["sigma"], SIGMA), _numbers(texts["rgb"], RGB), k)

    def __call__(self, points: Tensor, directions: Tensor, *, fine: bool) -> FieldSamples:
        k = self.k[fine]
        height, steepness, radius, base, wave, along_x, along_y, less = self.sigma
        shell = torch.sigmoid(steepness * (radius - points.norm(dim=-1)))
        waves = base + wave * torch.sin(along_x * points[..., 0] + along_y * points[..., 1])
        sigma = torch.relu(height * k * shell * waves - less)
        slope, *shift = self.rgb
        rgb = torch.sigmoid(slope * k * points + directions + points.new_tensor(shift))
        return FieldSamples(sigma, rgb)


def _numbers(text: str, form: str) -> tuple[float, ...]:
    found = re.fullmatch(re.escape(form).replace(r"\#", NUMBER), text)
    assert found, f"the field is {text!r}, which has not the form {form!r} that is known here"
    return tuple(float(number) for number in found.groups())


@check("pixelnerf", "renderer")
def renderer(case: Case) -> None:
    texts = case.manifest["field"]
    field = ClosedForm.read(texts, {False: float(texts["k"]["coarse"]), True: float(texts["k"]["fine"])})
    for group, options in case.config.items():
        sampling = sampling_from_published(options)
        rays = case.tensor(f"{group}/rays")
        rendered = render_query(field, rays, sampling, draws_of(case, f"{group}/", rays, sampling))
        passes = {"coarse": rendered.coarse} | ({} if rendered.fine is None else {"fine": rendered.fine})
        for name, seen in passes.items():
            case.compare(f"{group}/z_{name}", seen.distances.flatten(0, 1))
            case.compare(f"{group}/{name}_rgb", seen.rgb)
            case.compare(f"{group}/{name}_depth", seen.depth)
            case.compare(f"{group}/{name}_weights", seen.weights)
        last = rendered.best.distances
        points = rays[:, :, None, :3] + last[..., None] * rays[:, :, None, 3:6]
        along = rays[:, :, None, 3:6].expand_as(points)
        found = field(points.flatten(1, 2), along.flatten(1, 2), fine=rendered.fine is not None)
        case.compare(f"{group}/field_at_last", as_published(found).reshape(-1, last.shape[2], 4))


def draws_of(case: Case, prefix: str, rays: Tensor, sampling: Sampling) -> RaySampleNoise:
    """The recorded draws; those that an option set does not need are absent."""
    even = RaySampleNoise.even(rays.shape[0] * rays.shape[1], sampling.rays)

    def take(name: str, otherwise: Tensor) -> Tensor:
        if not otherwise.numel() and prefix + name not in case:
            return otherwise
        drawn = case.tensor(prefix + name)
        assert drawn.shape == otherwise.shape, f"{prefix}{name} has not the counts of config"
        assert name.startswith("n_") or ((drawn >= 0) & (drawn < 1)).all(), f"{prefix}{name} is not uniform in [0, 1)"
        return drawn

    return RaySampleNoise(
        take("u_coarse", even.strata),
        take("u_cdf", even.levels),
        take("u_bin", even.within),
        take("n_depth", even.normal),
    )


@check("pixelnerf", "end_to_end")
def end_to_end(case: Case) -> None:
    rays, encoded, net = end_to_end_scene(case)
    draws = draws_of(case, "", rays, net.config.sampling)
    seen = remembered("end to end", digest(case, *END_TO_END_INPUTS), lambda: no_grad_render(net, encoded, rays, draws))
    for name, values in seen.items():
        case.compare(name, values)
    case.config.one_of("frame_rounding", "truncate")
    case.compare("frame_u8", truncate_to_8_bit(seen["fine_rgb"].reshape(case.arrays["frame_u8"].shape)))


END_TO_END_INPUTS = ("images", "poses", "focal", "target_pose", "u_coarse", "u_cdf", "u_bin", "n_depth")


def end_to_end_scene(case: Case) -> tuple[Tensor, Any, PixelNerfNet]:
    """Rays of the target camera, whose intrinsics are those of the source views times `scale`."""
    config = case.config
    images, poses, target = case.tensor("images"), poses_of(case, "poses"), poses_of(case, "target_pose")[None]
    assert len(images) == config["source_views"], "config.source_views is not how many images there are"
    focal, center = case.tensor("focal"), principal_point(config)
    source_height, source_width = config["source_size"]
    height, width = config["target_size"]
    scale = config["scale"]
    camera = from_published(
        target, width, height, per_camera(scale * focal, 1), per_camera(None if center is None else scale * center, 1)
    )
    near, far = config["near_far"]
    rays = published_rays(camera, near, far).reshape(1, -1, 8)
    case.compare("rays", rays[0])
    net = network_of(case)
    views = len(images)
    source = from_published(poses, source_width, source_height, per_camera(focal, views), per_camera(center, views))
    with torch.no_grad():
        encoded = net.encode(unit(images)[None], source)
    return rays, encoded, net


def no_grad_render(net: PixelNerfNet, encoded: Any, rays: Tensor, draws: RaySampleNoise) -> dict[str, Tensor]:
    with torch.no_grad():
        return named(render(net, encoded, rays, noise=draws, points_per_call=1536))


def named(rendered: RayRender) -> dict[str, Tensor]:
    passes = {"coarse": rendered.coarse} | ({} if rendered.fine is None else {"fine": rendered.fine})
    return {
        f"{kind}_{name}": getattr(seen, name)[0] for kind, seen in passes.items() for name in ("rgb", "depth", "alpha")
    }


@check("pixelnerf", "mesh")
def mesh(case: Case) -> None:
    """In units of the case's own grid, whose cells are no cubes: both surfaces are cut from the same numbers."""
    config = case.config
    config.one_of("network", "fine")
    config.one_of("view_direction", "-x/|x|")
    config.one_of("shrink", "(reso-1)/reso towards c1")
    (k,) = _numbers(config["field"], "as case renderer, fine (k = #)")
    closed = ClosedForm.read(OF_THE_RENDERER, {True: k})
    low, high, nodes = (np.array(config[name], dtype=float) for name in ("c1", "c2", "reso"))
    step = (high - low) / (nodes - 1)
    field = GridUnits(torch.tensor(low).float(), torch.tensor(step).float(), nodes.astype(int), closed)
    stride = config["stored_grid_stride"]
    case.compare("grid", field.nodes()[::stride, ::stride, ::stride])
    case.compare("sigma", field.geometry(field.indices()).reshape(*nodes.astype(int)))
    cells = int(nodes.max()) - 1
    ours = extract(field, resolution=cells, level=config["isosurface"], coarse=cells)
    # Where the box cuts the surface, ours is closed by a cap just outside, and the original's is open.
    mine = np.clip(low + ours.vertices * step, low, high)
    inside = ((mine > low) & (mine < high)).all(axis=1)
    # The original divides the box by the number of nodes and not of cells.
    shrunk = low + (mine - low) * (nodes - 1) / nodes
    theirs, faces = case.arrays["vertices"], case.arrays["triangles"].astype(np.int64)
    case.compare_within("vertices", _apart(theirs, shrunk, inside), case.limit("vertices", "abs"))
    case.compare("bounds", np.stack((shrunk.min(axis=0), shrunk.max(axis=0))))
    uncapped = trimesh.Trimesh(shrunk, ours.faces[inside[ours.faces].any(axis=1)], process=False)
    case.compare("area", np.float64(uncapped.area))
    case.compare("volume", np.float64(uncapped.volume))
    drawn = trimesh.Trimesh(theirs, faces, process=False).area
    case.compare_within("triangles", abs(uncapped.area / drawn - 1), case.limit("triangles", "area_rel"))


def _apart(theirs: np.ndarray, ours: np.ndarray, counted: np.ndarray) -> float:
    """The farthest that a vertex of theirs is from ours, and one of ours that counts from theirs."""
    return float(max(cKDTree(ours).query(theirs)[0].max(), cKDTree(theirs).query(ours[counted])[0].max()))


@dataclass
class GridUnits(Field):
    """A closed form, seen along -x / |x|, in units of a grid's cells."""

    origin: Tensor
    step: Tensor
    shape: np.ndarray
    closed_form: Callable[..., FieldSamples]
    kind: str = "density"
    representative_direction: Tensor | None = None

    @property
    def bounds(self) -> Tensor:
        return torch.stack((torch.zeros(3), torch.from_numpy(self.shape).float() - 1))

    def indices(self) -> Tensor:
        axes = [torch.arange(int(n)).float() for n in self.shape]
        return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, 3)

    def nodes(self) -> Tensor:
        return (self.origin + self.step * self.indices()).reshape(*self.shape.tolist(), 3)

    def geometry(self, points: Tensor) -> Tensor:
        world = self.origin + self.step * points
        along = -torch.nn.functional.normalize(world, dim=-1)
        return self.closed_form(world[None], along[None], fine=True).geometry[0]

    def values(self, points: Tensor, directions: Tensor | None = None) -> Tensor:
        return torch.zeros_like(points)
