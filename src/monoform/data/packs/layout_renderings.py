"""Pictures in the layout of ShapeNet's renderings with more variation (Xu et al. 2019), as LIST learns from them.

Two sets of each object: easy, whose objects stand in the middle, and hard, whose objects are moved off it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image

from ...camera import Camera, look_at
from ...mesh import Mesh
from ...outputs import atomic_file, atomic_folder, save_picture
from ..sdf.disn import IMAGES, LISTS
from ..sdf.renderings import FOCAL_MM, METADATA, SENSOR_MM, VARIATIONS, RenderedFrom

HIGHEST, NEAREST = 45.0, 0.6  # degrees above the horizon, and of the farthest camera's distance
SHIFT, TRIES = 0.2, 50  # of objects of the hard set along each axis, so that they stay in the picture


@dataclass(frozen=True, eq=False)
class Renderings:
    """Cameras of one object's sets, one set after the other, and where each was rendered from."""

    cameras: Camera
    views: tuple[RenderedFrom, ...]


def unit_diagonal(mesh: Mesh) -> Mesh:
    """The mesh around the middle of its bounding box, whose diagonal is 1."""
    low, high = mesh.bounds
    return replace(mesh, vertices=(mesh.vertices - 0.5 * (low + high)) / np.linalg.norm(high - low))


def renderings_of(mesh: Mesh, count: int, size: int, *, generator: np.random.Generator) -> Renderings:
    """`count` cameras of either set, from all around and a little above, upright and looking at the origin."""
    views = []
    for variation in VARIATIONS:
        for number in range(count):
            turn, height = (number + generator.random()) * 360 / count, generator.uniform(0, HIGHEST)
            ratios = generator.uniform(NEAREST, 1, TRIES)
            moves = generator.uniform(-SHIFT, SHIFT, (TRIES, 3)) * (variation == "hard")
            drawn = (
                RenderedFrom(turn, height, float(ratio), (float(x), float(y), float(z)))
                for ratio, (x, y, z) in zip(ratios, moves, strict=True)
            )
            farthest = RenderedFrom(turn, height, 1.0)
            views.append(next((each for each in drawn if _shows(mesh, camera_of([each], size))), farthest))
    return Renderings(camera_of(views, size), tuple(views))


def camera_of(views: Sequence[RenderedFrom], size: int) -> Camera:
    """The cameras in the frame of the object as it was before it was moved."""
    eyes = torch.tensor([view.eye for view in views], dtype=torch.float64)
    shifts = torch.tensor([view.shift for view in views], dtype=torch.float64)
    pose = look_at(eyes + shifts)
    pose[:, :3, 3] = eyes
    focal = size * FOCAL_MM / SENSOR_MM
    lens = torch.tensor([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1]])
    return Camera(pose.float(), lens.expand(len(views), -1, -1).contiguous(), size, size)


def write_renderings(
    folder: Path,
    images: UInt8[np.ndarray, "v h w 3"],
    alpha: Float[np.ndarray, "v h w"],
    made: Renderings,
) -> None:
    """`easy` and `hard`, NN.png with transparency, black beneath it, and rendering_metadata.txt; appears when whole."""
    share = alpha[..., None]
    plain = np.where(share > 0, 255 - (255.0 - images) / np.maximum(share, 1e-6), 0)
    pixels = np.rint(np.concatenate((plain.clip(0, 255), 255 * share), axis=-1)).astype(np.uint8)
    count = len(images) // len(VARIATIONS)
    with atomic_folder(folder) as partial:
        for number, variation in enumerate(VARIATIONS):
            (partial / variation).mkdir()
            own = slice(number * count, (number + 1) * count)
            for view, picture in enumerate(pixels[own]):
                save_picture(Image.fromarray(picture, "RGBA"), partial / variation / f"{view:02d}.png")
            lines = "".join(f"{each.line()}\n" for each in made.views[own])
            (partial / variation / METADATA).write_text(lines, encoding="utf-8")


def renderings_folder(out: Path, category: str, name: str) -> Path:
    """The folder of an object's sets."""
    return out / IMAGES[0] / category / name


def write_lists(out: Path, category: str, names: Mapping[str, Sequence[str]]) -> None:
    """The lists of a category's training and test objects."""
    for split, own in names.items():
        with atomic_file(out / LISTS / f"{category}_{split}.lst") as file:
            file.write_text("".join(f"{name}\n" for name in sorted(own)), encoding="utf-8")


def _shows(mesh: Mesh, camera: Camera) -> bool:
    """Whether all of the mesh is in the picture."""
    pixels, depth = camera.project(torch.from_numpy(mesh.vertices).float()[None])
    return bool(((pixels > 0) & (pixels < camera.width)).all() and (depth > 0).all())
