"""The true object of each test: input pictures, surface points, inside tests, pictures from unseen sides."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, fields
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from jaxtyping import Bool, Float, Real, UInt8

from ..camera import Camera, orbit
from ..data import Solid, Source, ViewOptions, load_source, render_views
from ..mesh import Mesh
from ..outputs import atomic_file
from ..render import render_mesh

SURFACE_POINTS = 10_000
PROBES = 20_000
INPUT_SIZE = 256
UNSEEN_SIZE = 128
UNSEEN_COUNT = 8
SAMPLES = 2  # rays a pixel of the frozen measures, across and down
FORMAT = 3


@dataclass(frozen=True, eq=False)
class Truth:
    """What is known of one object, in its own frame: inside the sphere of radius 0.5, y up.

    Attributes:
        images: inputs, sRGB and coverage, bytes.
        world_from_camera: of the inputs' cameras.
        intrinsics: of the inputs' cameras.
        points: on the outer surface.
        normals: of the surface there, unit vectors.
        probes: uniform in the object's box.
        inside: which of the probes the object holds.
        pictures: from the unseen cameras, sRGB bytes, twice `UNSEEN_SIZE` wide: what the frozen measures look at are
            the means over blocks of 2 x 2.
    """

    images: UInt8[np.ndarray, "v h w 4"]
    world_from_camera: Float[np.ndarray, "v 4 4"]
    intrinsics: Float[np.ndarray, "v 3 3"]
    points: Float[np.ndarray, "n 3"]
    normals: Float[np.ndarray, "n 3"]
    probes: Float[np.ndarray, "m 3"]
    inside: Bool[np.ndarray, " m"]
    pictures: UInt8[np.ndarray, "u p p 3"]

    @property
    def volume(self) -> float:
        """Share of the probes that are inside, times the box's volume."""
        return float(self.inside.mean() * np.prod(np.ptp(self.probes, axis=0)))

    def camera(self, view: int) -> Camera:
        """The camera of an input."""
        pose, intrinsics = torch.from_numpy(self.world_from_camera[view]), torch.from_numpy(self.intrinsics[view])
        return Camera(pose[None], intrinsics[None], self.images.shape[2], self.images.shape[1])


def prepare_truth(source: Source, *, views: int, seed: int, cache: Path | None = None) -> Truth:
    """The truth of a mesh; kept in `cache`, if any, and read from there when mesh, views and seed are the same."""
    if cache is None:
        return _made(source, views, seed)
    assert source.path is not None
    key = f"{FORMAT} {views} {seed} {source.name} ".encode() + Path(source.path).read_bytes()
    path = cache / f"{source.name}-{hashlib.sha256(key).hexdigest()[:12]}.npz"
    truth = read_truth(path)
    if truth is None:
        truth = _made(source, views, seed)
        write_truth(truth, path)
    return truth


def write_truth(truth: Truth, file: Path) -> None:
    """Keep a truth in a file (.npz)."""
    with atomic_file(file) as draft:
        np.savez(draft, **vars(truth))


def read_truth(file: Path) -> Truth | None:
    """A truth that was kept; None where there is none, or the file is damaged."""
    try:
        with np.load(file) as held:
            return Truth(**{each.name: held[each.name] for each in fields(Truth)})
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None


def _made(source: Source, views: int, seed: int) -> Truth:
    mesh = load_source(source, seed=seed)
    inputs = render_views(mesh, ViewOptions(count=views, size=INPUT_SIZE), generator=source.generator(seed))
    return truth_of(mesh, inputs.images, inputs.cameras, seed=seed)


def truth_of(mesh: Mesh, images: UInt8[np.ndarray, "v h w 4"], cameras: Camera, *, seed: int) -> Truth:
    """The truth of a mesh in the sphere of radius 0.5, with inputs that are there already, and their cameras."""
    solid = Solid(mesh)
    low, high = mesh.bounds
    probes = np.random.default_rng(seed).uniform(low, high, (PROBES, 3))
    surface = solid.surface(SURFACE_POINTS, seed=seed)
    return Truth(
        images=images,
        world_from_camera=cameras.world_from_camera.numpy(),
        intrinsics=cameras.intrinsics.numpy(),
        points=surface.points,
        normals=surface.normals,
        probes=probes,
        inside=solid.contains(probes),
        pictures=np.rint(255 * unseen_pictures(mesh)).astype(np.uint8),
    )


def unseen_cameras() -> Camera:
    """Eight cameras around the truth, 20 degrees above it, at the distance where the sphere of radius 0.5 fits."""
    fov = math.radians(40.0)
    return orbit(
        UNSEEN_COUNT,
        elevation=math.radians(20.0),
        distance=0.5 / math.sin(0.5 * fov),
        fov_y=fov,
        width=SAMPLES * UNSEEN_SIZE,
        height=SAMPLES * UNSEEN_SIZE,
        start=math.pi / UNSEEN_COUNT,
    )


def unseen_pictures(mesh: Mesh) -> Float[np.ndarray, "u p p 3"]:
    """The plain colours of a mesh on white, sRGB 0..1, from every unseen camera, one ray a pixel."""
    return np.stack([render_mesh(mesh, camera).rgb for camera in unseen_cameras()])


def reduced(pictures: Real[np.ndarray, "u p p 3"]) -> Float[np.ndarray, "u q q 3"]:
    """Means over blocks of 2 x 2 pixels."""
    count, side = pictures.shape[0], pictures.shape[1] // SAMPLES
    blocks = pictures.reshape(count, side, SAMPLES, side, SAMPLES, 3)
    return blocks.mean(axis=(2, 4), dtype=np.float32)
