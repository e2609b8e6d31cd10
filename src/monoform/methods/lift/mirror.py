"""The object's upright mirror plane, found in its prediction, and what it says of the hidden side.

Most things are their own image in some upright plane. Candidate planes, of all directions and several places, are held
against the prediction: the image of what is seen must lie inside the outline, not before the front (it would be seen
there) and not behind the back; the network's own opinion of the plane counts too, where it has learned one. The image
of the front in the best plane then tells the relief of the back, wherever it lies behind the front; how far back that
is as a whole, which hangs on the plane's place, stays what the network says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torch.nn import functional

from .maps import continued, look_up
from .model import Surfaces

ANGLES, PLACES = 48, 15  # half a turn, and how many places of the plane are tried
REACH = 0.35  # of half the extent along the normal: how far the plane may be from the middle
POINTS = 500
MOST = 0.3  # half sides of the crop; a point that is further off counts no more
CERTAIN, DOUBTFUL = 0.05, 0.08  # mean costs up to which a plane is believed, and from which it is not
OPINION = 0.02  # what a logarithm of the network's probability costs
STEEPEST = 0.2  # half sides; what the image differs more counts no more
SOFT = 1.5  # cells over which the relief is smoothed: the image is as dense as the front is flat
THIN = 0.1  # share of cells hit by the image below which it says little
HIDDEN = 0.03  # half sides behind the front from which an image is the back's


@dataclass(frozen=True, eq=False)
class Mirror:
    """A plane in the network's frame.

    Attributes:
        normal: unit vector.
        place: of the plane along its normal, in half sides of the crop.
        certainty: 0..1.
    """

    normal: Float[Tensor, " 3"]
    place: float
    certainty: float

    def image(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """Points on the other side."""
        return points - 2 * (points @ self.normal - self.place)[:, None] * self.normal


def mirrored(predictions: Surfaces, crop: Float[Tensor, "1 6 s s"], slope: float) -> tuple[Surfaces, float]:
    """Predictions whose backs have the relief of the front's image, and how certain the plane is, 0..1.

    Args:
        predictions: for several crops, in the frame of the first.
        crop: what the network sees of the first.
        slope: half the crop's side over its distance.
    """
    front, back = (depth.mean(dim=0) for depth in (predictions.front, predictions.back))
    mask, outline = functional.interpolate(crop[:, 3:5], front.shape, mode="area").split(1, dim=1)
    inside = mask > 0.5
    if not inside.any():
        return predictions, 0.0
    depths = continued(torch.stack((front, back))[None], inside)
    maps = torch.cat((depths, outline), dim=1)
    found = find_mirror(maps, inside[0, 0], slope, float(predictions.elevation.mean()), predictions.mirror.mean(0))
    image, hidden = _image_of_front(maps[0, 0], inside[0, 0], found, slope)
    if not hidden.any():
        return predictions, found.certainty
    off = torch.where(hidden, image - back, 0.0)
    relief = torch.where(hidden, (off - off.sum() / hidden.sum()).clamp(-STEEPEST, STEEPEST), 0.0)
    spread = gaussian_filter(torch.stack((relief, hidden.float())).numpy(), (0, SOFT, SOFT), mode="nearest")
    smooth = torch.from_numpy(spread[0] / (spread[1] + THIN))
    return replace(predictions, back=predictions.back + found.certainty * smooth), found.certainty


def find_mirror(
    maps: Float[Tensor, "1 3 s s"],
    inside: Bool[Tensor, "s s"],
    slope: float,
    elevation: float,
    opinion: Float[Tensor, " m"],
) -> Mirror:
    """The plane that the prediction contradicts least.

    Args:
        maps: z of front and back, and the distance to the outline, positive inside.
        inside: the mask.
        slope: half the crop's side over its distance.
        elevation: of the camera in radians.
        opinion: logits of the planes by the network (`Surfaces.mirror`), if it has any.
    """
    points = _points(maps[0, 0], inside, slope)
    seen = points[:: max(1, len(points) // POINTS)]
    reached = torch.cat((points, _points(maps[0, 1], inside, slope)))
    angles = torch.arange(ANGLES) * math.pi / ANGLES
    across = torch.stack((torch.zeros(()), -torch.tensor(math.sin(elevation)), torch.tensor(math.cos(elevation))))
    normals = torch.cos(angles)[:, None] * torch.eye(3)[0] + torch.sin(angles)[:, None] * across
    least, most = (reached @ normals.T).aminmax(dim=0)
    steps = torch.linspace(-REACH, REACH, PLACES)
    places = 0.5 * (least + most)[:, None] + 0.5 * (most - least)[:, None] * steps
    best, cheapest = Mirror(normals[0], 0.0, 0.0), math.inf
    for number, normal in enumerate(normals):
        away = (seen @ normal)[None] - places[number][:, None]
        costs = _cost(seen - 2 * away[..., None] * normal, maps, slope) + _opinion(opinion, number / ANGLES)
        place = int(costs.argmin())
        if float(costs[place]) < cheapest:
            cheapest = float(costs[place])
            certainty = min(max((DOUBTFUL - cheapest) / (DOUBTFUL - CERTAIN), 0.0), 1.0)
            best = Mirror(normal, float(places[number, place]), certainty)
    return best


def _cost(images: Float[Tensor, "p n 3"], maps: Float[Tensor, "1 3 s s"], slope: float) -> Float[Tensor, " p"]:
    """How much the prediction speaks against images of what is seen: a mean over the points, in half sides."""
    uv = _uv(images.flatten(0, 1), slope)
    front, back, outline = look_up(maps, uv).unbind(dim=1)
    z = images[..., 2].flatten()
    beside = (-outline).clamp_min(0) + (uv.abs() - 1).clamp_min(0).amax(dim=1)
    before, beyond = (front - z).clamp_min(0), (z - back).clamp_min(0)
    within = torch.minimum((z - front).clamp_min(0), (back - z).clamp_min(0))
    cost = 2 * beside + before + 0.5 * (beyond + within)
    return cost.clamp_max(MOST).unflatten(0, images.shape[:2]).mean(dim=1)


def _opinion(logits: Float[Tensor, " m"], turn: float) -> float:
    """What the network has against a plane that is turned by this share of half a turn."""
    if len(logits) == 0:
        return 0.0
    place = turn * len(logits)
    share = place - int(place)
    logit = (1 - share) * logits[int(place)] + share * logits[(int(place) + 1) % len(logits)]
    return -OPINION * float(functional.logsigmoid(logit) - functional.logsigmoid(logits.max()))


def _points(depth: Float[Tensor, "s s"], inside: Bool[Tensor, "s s"], slope: float) -> Float[Tensor, "n 3"]:
    """Places of the pixels of the mask at these depths."""
    steps = (torch.arange(len(depth)) + 0.5) * 2 / len(depth) - 1
    rows, columns = torch.meshgrid(steps, steps, indexing="ij")
    wide = 1 + slope * depth
    return torch.stack((columns * wide, rows * wide, depth), -1)[inside]


def _uv(points: Float[Tensor, "n 3"], slope: float) -> Float[Tensor, "n 2"]:
    return points[:, :2] / (1 + slope * points[:, 2:]).clamp_min(0.1)


def _image_of_front(
    front: Float[Tensor, "s s"], inside: Bool[Tensor, "s s"], mirror: Mirror, slope: float
) -> tuple[Float[Tensor, "s s"], Bool[Tensor, "s s"]]:
    """Depth of the front's image, the furthest at each pixel, and where it is behind the front."""
    side = len(front)
    image = mirror.image(_points(front, inside, slope))
    cell = ((_uv(image, slope) + 1) * side / 2).floor().long()
    kept = ((cell >= 0) & (cell < side)).all(dim=1)
    flat, far = cell[kept, 1] * side + cell[kept, 0], image[kept, 2]
    depth = torch.full((side * side,), -math.inf).scatter_reduce(0, flat, far, "amax").view(side, side)
    # Cells between those that are hit take the furthest beside them.
    grown = functional.max_pool2d(depth[None, None], 3, 1, 1)[0, 0]
    depth = torch.where(torch.isfinite(depth), depth, grown)
    return depth, inside & torch.isfinite(depth) & (depth > front + HIDDEN)
