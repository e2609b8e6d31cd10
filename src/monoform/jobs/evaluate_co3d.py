"""Results against the sequences of CO3D that their photos are of: RealFusion's protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image

from ..camera import Camera
from ..data.captures.co3d import Co3dSequence, Frame, read_sequences
from ..data.captures.photos import camera_of_size
from ..data.images.fitting import padded
from ..errors import InputError
from ..guidance.clip import picture_features
from ..mesh import Mesh, sample_surface
from ..mesh.texture import to_bytes
from ..metrics.alignment import aligned, apply, shape_scores, without_strays
from ..render import render_mesh
from ..scene import Photo, Reconstruction
from ..scene.photo_camera import working_camera
from .figures import on_white

POINTS = 10_000  # of the mesh, and at most of the cloud
CELLS = 64  # of the longer side of the photo, in which depths are compared
SIDE = 224  # pixels of the longer side of what CLIP sees


@dataclass(frozen=True, eq=False)
class Match:
    """A frame that a result is of.

    Attributes:
        sequence: of the frame.
        frame: it.
    """

    sequence: Co3dSequence
    frame: Frame


def matches(root: Path, sources: Mapping[str, str]) -> dict[str, Match]:
    """The frames that results are of; those of no frame are left out.

    Args:
        root: see `read_sequences`.
        sources: the photo of each result, as it was given: .../SEQUENCE/images/PHOTO, or just the photo where the
            result's name has the sequence in its path.

    Raises:
        InputError: the annotations are missing or damaged.
    """
    told = {name: {*PurePath(source).parts[:-1], *PurePath(name).parts} for name, source in sources.items()}
    sequences = read_sequences(root, set().union(*told.values()))
    found = {}
    for name, source in sources.items():
        stem = PurePath(source).stem
        for each in (sequences[part] for part in sorted(told[name]) if part in sequences):
            frame = next((one for one in each.frames if one.image.stem == stem), None)
            if frame is not None:
                found[name] = Match(each, frame)
    return found


def against_sequence(
    result: Reconstruction, mesh: Mesh, match: Match, *, clip: Any | None, held_out: int, seed: int
) -> dict[str, float]:
    """Figures of a result.

    Args:
        result: with photo and camera.
        mesh: of it.
        match: what its photo is.
        clip: the model of `open_clip`, or None.
        held_out: how many other photos of the sequence CLIP sees.
        seed: of the points.

    Returns:
        f_0.05_percent, f_0.1_percent: F-scores times 100, in the unit of `without_strays`.
        chamfer: mean of both directions' mean distances, in that unit.
        clip_held_out: mean cosine of CLIP's features of held-out photos' objects and of the mesh in their cameras.

    Raises:
        InputError: the cloud or a held-out photo cannot be read, the cloud is one place, or the photo has another shape
            than the frame.
    """
    cloud, radius = without_strays(match.sequence.points())
    if radius == 0:
        raise InputError(f"{match.sequence.cloud} has all its points in one place; copy it again from the data set.")
    chosen = np.random.default_rng(seed).permutation(len(cloud))[:POINTS]
    cloud, points = cloud[np.sort(chosen)], sample_surface(mesh, POINTS, seed=seed)[0]
    photo = result.photo
    seen = camera_of_size(match.frame.camera, (photo.width, photo.height), match.frame.image)
    world = through_photo(points, cloud, result.camera, seen)
    world = aligned(apply(world, points), cloud, placed=True) @ world
    shape = shape_scores(apply(world, points), cloud, radius=radius)
    found = {f"{name}_percent": 100 * shape[name] for name in ("f_0.05", "f_0.1")} | {"chamfer": shape["chamfer"]}
    others = _held_out(match, held_out)
    if clip is not None and others:
        found["clip_held_out"] = _likeness(mesh.transformed(world), others, clip)
    return found


def through_photo(
    points: Float[np.ndarray, "n 3"], cloud: Float[np.ndarray, "m 3"], camera: Camera, seen: Camera
) -> Float[np.ndarray, "4 4"]:
    """The similarity that puts a result where its photo's annotated camera sees it as its own camera does.

    The middle of the points goes to the same pixel, as far away as it looks as large; then the least squares scale
    about the camera brings the foremost depths to the cloud's, over the cells of the photo that both cover.

    Args:
        points: of the result.
        cloud: of the sequence.
        camera: the result's, of the photo.
        seen: the annotated one, of the same pixels.
    """
    local = camera.camera_from_world[0].double().cpu().numpy()
    own = apply(local, points)
    middle = own.mean(0)
    pixel, depth = camera.project(torch.from_numpy(points.mean(0)).to(camera.intrinsics)[None, None])
    pixels_per_unit = float(camera.intrinsics[0, 1, 1]) / (float(depth) if camera.model == "pinhole" else 1.0)
    matrix = seen.intrinsics[0].double().cpu().numpy()
    distance = matrix[1, 1] / pixels_per_unit
    shift = distance * np.linalg.solve(matrix, np.r_[pixel[0, 0].double().cpu().numpy(), 1.0]) - middle
    to_cloud = seen.world_from_camera[0].double().cpu().numpy()
    ours = _foremost(apply(np.linalg.inv(to_cloud), cloud), seen), _foremost(own + shift, seen)
    both = np.isfinite(ours[0]) & np.isfinite(ours[1])
    scale = float((ours[0][both] @ ours[1][both]) / (ours[1][both] @ ours[1][both])) if both.any() else 1.0
    moved = np.eye(4)
    moved[:3, :3], moved[:3, 3] = scale * np.eye(3), scale * shift
    return to_cloud @ moved @ local


def _foremost(points: Float[np.ndarray, "n 3"], camera: Camera) -> Float[np.ndarray, " cells"]:
    """The least depth of points, which are in the camera's frame, in each cell of its picture; infinite in others."""
    matrix = camera.intrinsics[0].double().cpu().numpy()
    points = points[points[:, 2] > 0]
    size = max(camera.width, camera.height) / CELLS
    cells = np.floor((points / points[:, 2:] @ matrix.T)[:, :2] / size)
    inside = ((cells >= 0) & (cells < CELLS)).all(1)
    depths = np.full(CELLS * CELLS, np.inf)
    columns, rows = cells[inside].astype(np.int64).T
    np.minimum.at(depths, rows * CELLS + columns, points[inside, 2])
    return depths


def _held_out(match: Match, count: int) -> list[Frame]:
    """Other frames that have masks, evenly spread over the sequence."""
    others = [each for each in match.sequence.frames if each is not match.frame and each.mask is not None]
    return [
        others[index]
        for index in np.unique(np.linspace(0, len(others) - 1, min(count, len(others))).round()).astype(int)
    ]


def _likeness(mesh: Mesh, frames: Sequence[Frame], clip: Any) -> float:
    """Mean cosine of CLIP's features, each pair in the square around the photo's object, on white."""
    pairs: list[Image.Image] = []
    for frame in frames:
        photo = Photo.open(frame.image, mask=frame.mask)
        camera = working_camera(camera_of_size(frame.camera, (photo.width, photo.height), frame.image), photo)
        assert photo.mask is not None
        rows, columns = np.nonzero(photo.mask > 0.5)
        left, top, right, bottom = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        camera = camera.cropped(int(left), int(top), int(right - left), int(bottom - top))
        scale = SIDE / max(camera.width, camera.height)
        camera = camera.resized(*(max(1, round(side * scale)) for side in (camera.width, camera.height)))
        views = render_mesh(mesh, camera.to(torch.float32), samples=2).rgb, on_white(photo)[top:bottom, left:right]
        pairs += [padded(Image.fromarray(to_bytes(each))) for each in views]
    features = picture_features(clip, pairs)
    return round(float((features[::2] * features[1::2]).sum(1).mean()), 4)
