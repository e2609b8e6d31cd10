"""The sample that a photo shows: begun where the discriminator says that the photo was taken from."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

from ...devices import device_of
from ...inversion import trackable
from ...progress import work
from .invert import InversionOptions, Inverted, Pyramid, invert
from .model import Pof3dGenerator
from .photo_crop import Square
from .poses import camera_poses, intrinsics_of, within_poles

LATENTS = 1024  # whose styles and poses say what the generator makes
TRIED = 24  # of their poses, seen with the mean style

Tell = Callable[[Float[Tensor, "1 3 s s"], Float[Tensor, "1 3 r r"]], Float[Tensor, "1 2"]]
"""The pose of an image (-1..1) and of its reduction to the size of raw images."""


def find(
    net: Pof3dGenerator,
    tell: Tell | None,
    square: Square,
    focal: float,
    *,
    steps: int,
    starts: int,
    generator: torch.Generator,
) -> Inverted:
    """Styles and pose of a square of a photo.

    Args:
        tell: tells the first pose; None: the mean style is seen from poses that the generator chooses, and the
            likeliest are taken.
        focal: of pictures whose side is 1.
        steps: updates.
        starts: poses to begin at.
        generator: the only source of randomness.
    """
    device, config = device_of(net), net.config
    with torch.inference_mode(False), torch.no_grad():
        z = torch.randn(LATENTS, config.network.z_dim, generator=generator).to(device)
        mapped = net.map(z)
        mean, deviation = net.backbone.mapping.w_avg.clone(), mapped.w.std(dim=0)
        target = trackable(square.image).to(device)
        weight = trackable(square.weight).to(device)
        layers = mapped.ws.shape[1]
        side = config.rays.raw_resolution
        raw = interpolate(target[None], (side, side), mode="bilinear", align_corners=False)
        told = None if tell is None else tell(target[None], raw)
        poses = within_poles(_candidates(mapped.pose, told))[0]
        intrinsics = intrinsics_of(focal).to(device)

        def draw(styles: Float[Tensor, "k l w"], pose: Float[Tensor, "k p"]) -> tuple[Tensor, Tensor]:
            cameras = camera_poses(pose, pivot=config.rig.pivot, radius=config.rig.radius)
            seen = net.synthesize(styles, cameras, intrinsics.expand(len(pose), 3, 3), noise="const")
            return seen.image, seen.image_raw

        with work("looking for the photo's pose"):
            first = _likeliest(net, mean, layers, poses, target, weight, intrinsics, starts, kept=int(told is not None))
    with work("looking for the photo's sample"):
        return invert(
            draw,
            target,
            weight,
            mean,
            deviation,
            layers,
            first,
            InversionOptions(steps=steps),
            project=lambda pose: within_poles(pose)[0],
        )


def _candidates(chosen: Float[Tensor, "n p"], told: Float[Tensor, "1 2"] | None) -> Float[Tensor, "k p"]:
    """What the discriminator says, then the middle of what the generator chooses, then some of that."""
    middle = chosen.median(dim=0, keepdim=True).values
    found = torch.cat((middle, chosen[:TRIED]))
    if told is None:
        return found
    return torch.cat((torch.cat((told.to(middle), middle[:, 2:]), dim=1), found))


def _likeliest(
    net: Pof3dGenerator,
    mean: Float[Tensor, " w"],
    layers: int,
    poses: Float[Tensor, "k p"],
    target: Float[Tensor, "3 s t"],
    weight: Float[Tensor, "s t"],
    intrinsics: Float[Tensor, "1 3 3"],
    count: int,
    *,
    kept: int,
) -> Float[Tensor, "c p"]:
    """The poses from which the mean sample looks most like the target; the first `kept` stay in any case."""
    config = net.config
    styles = mean.expand(1, layers, len(mean))
    planes, pyramid = net.planes(styles, noise="const"), Pyramid(target[None], weight[None, None])
    distances = []
    for pose in poses.split(1):
        camera = camera_poses(pose, pivot=config.rig.pivot, radius=config.rig.radius)
        seen = net.synthesize(styles, camera, intrinsics, noise="const", planes=planes)
        distances.append(pyramid.distance(seen.image_raw)[0])
    order = torch.stack(distances)[kept:].argsort() + kept
    return poses[torch.cat((torch.arange(kept).to(order), order))[:count]]
