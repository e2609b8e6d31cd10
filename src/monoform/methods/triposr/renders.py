"""Pictures from around the object, taken as the authors' program takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image

from ...camera import Camera
from ...outputs import save_picture
from ...progress import work
from ...render.chunks import slices
from .cameras import DISTANCE, FOV, orbit_cameras
from .planes import PlaneVolume
from .rendering import render

SIDE = 256  # pixels
RAYS = 4096


@dataclass(frozen=True, eq=False)
class Renders:
    """Writes render_000.png and so on into a result's folder.

    Attributes:
        volume: that is seen.
        count: of the pictures.
    """

    volume: PlaneVolume
    count: int

    @torch.no_grad()
    def __call__(self, folder: Path, camera: Camera | None) -> Mapping[str, str]:
        """The pictures, the first from where the network takes the photo's camera to be."""
        del camera
        around = orbit_cameras(self.count, elevation=0.0, distance=DISTANCE, fov=FOV, width=SIDE, height=SIDE)
        told = {}
        with work("taking the pictures", self.count, unit="picture") as show:
            for number, one in enumerate(around):
                name = f"render_{number:03d}.png"
                picture = (self.picture(one) * 255).to(torch.uint8)  # as published, cut off and not rounded
                save_picture(Image.fromarray(picture.cpu().numpy()), folder / name)
                told[name] = f"from {360 * number / self.count:g} degrees around, on white"
                show(number + 1)
        return told

    def picture(self, camera: Camera) -> torch.Tensor:
        """(h w 3), 0..1."""
        origins, directions = (rays[0].to(self.volume.planes) for rays in camera.rays())
        rgb = torch.ones_like(origins)
        for part in slices(len(origins), RAYS):
            seen, hit = render(self.volume.query, origins[part], directions[part], self.volume.rendering)
            rgb[part][hit] = seen.rgb
        return rgb.clamp(0, 1).reshape(camera.height, camera.width, 3)
