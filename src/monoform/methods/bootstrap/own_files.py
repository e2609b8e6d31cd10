"""What `bootstrap` adds to a result's folder: maps of its camera, the strip, and the styles that made the object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from ...camera import Camera
from ...errors import InputError
from ...inputs.arrays import read_arrays
from ...mesh.texture import to_bytes
from ...outputs import atomic_file, save_picture
from ...text import printable
from ..samples import Styles
from .maps import maps_of_object, save_maps
from .placed import PlacedObject
from .strip import EncodedPhoto, Seen, strip

MAPS, STRIP, STYLES = "maps.npz", "strip.png", "styles.npz"
LARGEST = 1 << 26
"""Bytes of styles."""
LONGEST = 512
"""Side of maps at most, pixels."""
CAPTIONS = {
    "opacity": "Opacity",
    "depth": "Depth, near is bright",
    "coordinates": "Coordinates in the mesh's world, from -0.5..0.5 to 0..1",
    "normals": "Normals, from -1..1 to 0..1",
    "palette": "Shares of the palette; below, how each of its colors is shown and what it is, from number 0 on",
}


@dataclass(frozen=True, eq=False)
class BootstrapFiles:
    """Writes them.

    Attributes:
        made: the object.
        styles: of which it was made.
        digest: of the generator's weights.
        studio: a camera for what has none.
        seen: the object in the square camera of its photo; None where there is none.
        photo: what the encoder was shown and told; None for a sample.
        pixels: of the network in one of the camera's that maps are of: maps have as many as the network.
        wanted: whether maps and strip are written, beside the styles.
    """

    made: PlacedObject
    styles: Styles
    digest: str
    studio: Camera
    seen: Seen | None = None
    photo: EncodedPhoto | None = None
    pixels: float = 1.0
    wanted: bool = True

    def __call__(self, folder: Path, camera: Camera | None) -> Mapping[str, str]:
        """Write the files, those that are there left alone; tell what each is."""
        _save_styles(self.styles, self.digest, folder / STYLES)
        told = {STYLES: "styles of the generator, for --seeds of generate and for the option appearance"}
        if not self.wanted:
            return told
        save_picture(Image.fromarray(to_bytes(self.strip(camera))), folder / STRIP)
        found = maps_of_object(self.made, self.studio if camera is None else self._sized(camera))
        save_maps(found, folder / MAPS)
        for name, picture in found.pictures():
            if not (folder / f"{name}.png").exists():
                save_picture(Image.fromarray(to_bytes(picture)), folder / f"{name}.png")
        pictures = {f"{name}.png": caption for name, caption in CAPTIONS.items() if (folder / f"{name}.png").exists()}
        what = "rgb, alpha, depth, coordinates, normals and palette as the camera sees them, float32"
        return {STRIP: self.caption} | pictures | {MAPS: what} | told

    @property
    def caption(self) -> str:
        """Of the strip."""
        views = "render, normals, and both from another side"
        if self.photo is None:
            return f"From left to right: {views}"
        steps = "" if self.photo.predicted is None else "; before refinement, and after"
        return f"From left to right: what the encoder is shown, coordinates it tells, {views}{steps}"

    def strip(self, camera: Camera | None = None) -> Float[np.ndarray, "h w 3"]:
        """See `strip`; of a sample in a camera of its own."""
        last = self.seen or Seen(self.made, _square(camera or self.studio))
        first = None if self.photo is None else self.photo.predicted
        return strip([last] if first is None else [first, last], self.photo)

    def _sized(self, camera: Camera) -> Camera:
        share = min(self.pixels, 1.0, LONGEST / max(camera.width, camera.height))
        return camera.resized(max(1, round(camera.width * share)), max(1, round(camera.height * share)))


def read_styles(folder: Path, shape: tuple[int, ...], digest: str) -> Styles:
    """The styles in a result's folder.

    Args:
        shape: of the generator's.
        digest: of its weights.

    Raises:
        InputError: there are none, the file is damaged, or another generator has made them.
    """
    file = folder / STYLES
    if not file.is_file():
        raise InputError(f"{printable(folder)} is no result of bootstrap, it has no {STYLES}: give one, or a seed.")
    found = read_arrays(file, limit=LARGEST, advice="make the result again")
    layers, pose, made_by = (found.get(name, np.zeros(0)) for name in ("layers", "pose", "weights"))
    if str(made_by) != digest or layers.shape != shape:
        raise InputError(f"{printable(folder)} was made by another generator: give a result of these weights.")
    return Styles(torch.from_numpy(layers).float(), torch.from_numpy(pose).float() if pose.size else None)


def _save_styles(styles: Styles, digest: str, file: Path) -> None:
    def plain(values: Tensor | None) -> Float[np.ndarray, "*n"]:
        return np.zeros(0, np.float32) if values is None else values.detach().float().cpu().numpy()

    with atomic_file(file) as new, new.open("wb") as stream:
        np.savez(stream, layers=plain(styles.layers), pose=plain(styles.pose), weights=np.array(digest))


def _square(camera: Camera) -> Camera:
    """The middle of a camera's picture."""
    side = min(camera.width, camera.height)
    return camera.cropped((camera.width - side) // 2, (camera.height - side) // 2, side, side)
