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
from .losses import color_loss, mask_loss, surface_loss
from .planes import PlaneVolume
from .rendering import through_cube

RAYS = 512  # of a step
SURFACE_RAYS, DEPTHS = 256, 64  # of these rays, so many densities of each tell whether it meets the surface
RATE = 0.02
KEPT = 1e-3  # weight of the squares by which the planes change
MEASURED = 10  # steps whose losses are averaged, as each has other rays
AROUND = 0.15  # sides of the object's box, around it


def refined(
    placed: PlacedVolume, camera: Camera, photo: Photo, steps: int, threshold: float, generator: torch.Generator
) -> tuple[Float[Tensor, "3 f q q"], dict[str, float]]:
    """The planes after some steps, and the photo's loss before and after.

    Args:
        camera: of the working photo.
        threshold: density at which the surface lies.
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
        now = PlacedVolume(own, placed.rotation, placed.scale, placed.center)
        seen = TripoSrRays(now)(origins, directions)
        densest = _densest(now, origins[:SURFACE_RAYS], directions[:SURFACE_RAYS])
        return {
            "color": color_loss(seen.rgb, color),
            "mask": mask_loss(seen.alpha, cover),
            "surface": surface_loss(densest / threshold, cover[:SURFACE_RAYS]),
            "kept": KEPT * (values["planes"] - start).square().mean(),
        }

    found = fit([Variable("planes", start, RATE)], loss, steps=steps, schedule=Cosine(steps), keep="last")
    total, few = found.history["total"], min(MEASURED, steps)
    fit_of = {"loss_before": float(total[:few].mean()), "loss": float(total[-few:].mean())}
    return found.values["planes"].detach(), {name: round(value, 5) for name, value in fit_of.items()}


def _densest(
    placed: PlacedVolume, origins: Float[Tensor, "r 3"], directions: Float[Tensor, "r 3"]
) -> Float[Tensor, " r"]:
    """The largest density of some along each ray, 0 of rays that miss the cube."""
    start, along = placed.inside(origins), directions @ placed.rotation.to(directions)
    near, far, hit = through_cube(start, along, placed.volume.rendering.radius)
    shares = (torch.arange(DEPTHS, device=near.device) + 0.5) / DEPTHS
    ways = (near[:, None] + (far - near)[:, None] * shares)[..., None]
    density = placed.volume.density((start[:, None] + ways * along[:, None]).flatten(0, 1)).unflatten(0, (-1, DEPTHS))
    return torch.where(hit, density.amax(dim=1), 0.0)
