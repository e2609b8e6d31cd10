"""Fitting the planes to the photo itself, from the camera that was found for it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from ...camera import Camera
from ...inversion import Variable, fit, trackable
from ...scene import Photo
from ...training import Cosine
from .field import PlacedVolume, TripoSrRays
from .losses import color_loss, mask_loss
from .planes import PlaneVolume

RAYS = 512  # of a step
RATE = 0.02
KEPT = 1e-3  # weight of the squares by which the planes change
MEASURED = 10  # steps whose losses are averaged, as each has other rays
AROUND = 0.15  # sides of the object's box, around it


def refined(
    placed: PlacedVolume, camera: Camera, photo: Photo, steps: int, generator: torch.Generator
) -> tuple[Float[Tensor, "3 f q q"], dict[str, float]]:
    """The planes after some steps, and the photo's loss before and after.

    Args:
        camera: of the working photo.
        generator: of the rays.
    """
    assert photo.mask is not None
    start = trackable(placed.volume.planes)
    volume, device = placed.volume, start.device
    mask = torch.from_numpy(photo.mask).float()
    rgb = torch.from_numpy(photo.rgb).float() * mask[..., None] + (1 - mask[..., None])
    rows, columns = (mask > 0.5).nonzero().T
    low, high = torch.stack((columns.min(), rows.min())), torch.stack((columns.max(), rows.max())) + 1
    room = AROUND * (high - low).max()

    def loss(values: Mapping[str, Tensor], step: int) -> dict[str, Tensor]:
        del step
        at = low - room + torch.rand(RAYS, 2, generator=generator) * (high - low + 2 * room)
        origins, directions = (rays[0].to(device) for rays in camera.rays(at[None].float()))
        pixel = at.long()
        inside = ((pixel >= 0) & (pixel < pixel.new_tensor(photo.size))).all(dim=1)
        column, row = pixel.clamp_min(0).minimum(pixel.new_tensor(photo.size) - 1).T
        cover = torch.where(inside, mask[row, column], 0.0).to(device)
        color = torch.where(inside[:, None], rgb[row, column], 1.0).to(device)
        own = PlaneVolume(values["planes"], volume.decoder, volume.rendering, chunk=0)
        seen = TripoSrRays(PlacedVolume(own, placed.rotation, placed.scale, placed.center))(origins, directions)
        return {
            "color": color_loss(seen.rgb, color),
            "mask": mask_loss(seen.alpha, cover),
            "kept": KEPT * (values["planes"] - start).square().mean(),
        }

    found = fit([Variable("planes", start, RATE)], loss, steps=steps, schedule=Cosine(steps), keep="last")
    total, few = found.history["total"], min(MEASURED, steps)
    fit_of = {"loss_before": float(total[:few].mean()), "loss": float(total[-few:].mean())}
    return found.values["planes"].detach(), {name: round(value, 5) for name, value in fit_of.items()}
