"""The square around the object that is cut out of a photo, and the camera that sees it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ...camera import Camera
from ...errors import InputError
from ...scene import Photo
from ...scene.silhouette import mask_box
from .cameras import look_at, on_sphere, rays
from .fit_options import FitOptions


@dataclass(frozen=True, eq=False)
class PhotoSquare:
    """A square of a photo with its camera in the field's world.

    Attributes:
        rgb: 0..1, of the object, continued over the background.
        alpha: the mask, 0..1.
        pose: world-from-camera.
        fov: of the square, in degrees.
        window: left, top, width and height in pixels of the original photo.
        depth: of the object, along the viewing axis, of any scale and shift; None where none is given.
        normals: of the object, unit vectors in the field's world or zero; None where none are given.
    """

    rgb: Float[Tensor, "s s 3"]
    alpha: Float[Tensor, "s s"]
    pose: Float[Tensor, "4 4"]
    fov: float
    window: tuple[float, float, float, float]
    depth: Float[Tensor, "s s"] | None = None
    normals: Float[Tensor, "s s 3"] | None = None

    def rays(self, size: int | None = None) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n 3"]]:
        """Origins and directions through its pixels, or through those of another size."""
        size = size or len(self.rgb)
        origins, directions = rays(self.pose[None], self.fov, size, size)
        return origins[0], directions[0]

    def over_white(self) -> Float[Tensor, "s s 3"]:
        """What it shows, over white."""
        alpha = self.alpha[..., None]
        return self.rgb * alpha + 1.0 - alpha

    def intrinsics(self) -> Float[Tensor, "3 3"]:
        """Of the camera in pixels of the original photo."""
        left, top, side, _ = self.window
        focal = 0.5 * side / math.tan(math.radians(0.5 * self.fov))
        return torch.tensor([[focal, 0.0, left + 0.5 * side], [0.0, focal, top + 0.5 * side], [0.0, 0.0, 1.0]])

    def reach(self, radius: float) -> float:
        """Half of what it shows at the origin, in world units."""
        return radius * math.tan(math.radians(0.5 * self.fov))


def cut_square(photo: Photo, known: Camera | None, options: FitOptions, margin: float) -> PhotoSquare:
    """The square around the mask, and a camera that looks at the origin through its middle.

    Where the photo's focal length is known the field of view is the true one, and the camera stands where the object is
    as large as it would be otherwise.

    Args:
        margin: around the object, as a share of the square.

    Raises:
        InputError: the mask marks nothing.
    """
    assert photo.mask is not None
    left, top, right, bottom = mask_box(photo.mask > 0.5)
    x, y, width, height = photo.in_original(left, top, right - left, bottom - top)
    side = max(width, height) / (1.0 - 2.0 * margin)
    window = (x + 0.5 * width - 0.5 * side, y + 0.5 * height - 0.5 * side, side, side)
    views, size = options.views, options.photo.size
    fov, radius = 0.5 * sum(views.fov_range), views.radius
    focal = float(known.intrinsics[0, 1, 1]) if known is not None else photo.focal
    if focal is not None:
        true = math.degrees(2.0 * math.atan(0.5 * side / focal))
        radius *= math.tan(math.radians(0.5 * fov)) / math.tan(math.radians(0.5 * true))
        fov = true
    polar = torch.tensor([math.radians(90.0 - views.elevation)])
    pose = look_at(on_sphere(polar, torch.zeros(1), radius), mirrored=options.network.mirrored)[0]
    small = photo.cropped(*window, size=(size, size))
    assert small.mask is not None
    rgb = torch.from_numpy(photo.filled_window(window, size=(size, size))).float().clamp(0.0, 1.0)
    square = PhotoSquare(rgb, torch.from_numpy(small.mask).float().clamp(0.0, 1.0), pose, fov, window)
    if not bool((square.alpha > 0.5).any()):
        raise InputError("realfusion finds no object in this mask: it is too small; give a larger photo of the object.")
    return square
