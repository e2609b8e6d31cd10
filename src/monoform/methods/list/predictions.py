"""What a network gives of a picture of a data set, and the true surface in the frame in which it gives it."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch.nn.functional import avg_pool2d

from ...data.sdf.items import as_tensor
from ...devices import device_of, hosted
from ...inversion.silhouette_pose import MaskFit, orbit_rotations
from ...mesh import Mesh
from ...mesh.sdf_grid import UNSURE, Distance, dense_values, estimated_slope, sparse_values, surface_of
from ...scene.crop import around
from .config import ListConfig
from .fast import FastDistances
from .frame import turned_to
from .model import ListNet
from .published_points import rescaled_as_published

Eye = tuple[float, ...]
FOCAL = 35 / 32  # of ShapeNet's pictures, in their widths
FINER = 4  # times as many pixels are cut out as the network sees; each of its pixels is the mean of what it covers
LIKELY = 6  # cameras around the truth that are refined: an outline may look nearly the same from another side


def seen_by(config: ListConfig, picture: UInt8[np.ndarray, "h w 3"]) -> Float[torch.Tensor, "1 3 s s"]:
    """A picture as the network was trained on such: as it is, or the square around what is not black."""
    whole = as_tensor(picture)[None]
    if not config.margin:
        return whole
    crop = around((whole > 0).any(1).float(), margin=max(config.margin, 1.0))
    return avg_pool2d(crop.cut(whole, FINER * config.image_size), FINER)


def framed(
    config: ListConfig, truth: Mesh, picture: UInt8[np.ndarray, "h w 3"], eye: Eye | None
) -> tuple[Mesh, Eye | None]:
    """The true surface and the camera's place in the frame in which the network gives shapes.

    Args:
        eye: where the camera was, in the truth's own frame; None where that is not known: of networks that turn shapes
            towards the camera it is found as the one from where the truth has the picture's outline.
    """
    if config.frame == "object":
        return truth, eye
    if eye is None:
        eye = _eye_by_outline(truth, picture)
    pose = torch.eye(4, dtype=torch.float64)[None]
    pose[0, :3, 3] = torch.tensor(eye, dtype=torch.float64)
    vertices = torch.from_numpy(np.asarray(truth.vertices, np.float64))[None]
    frame = turned_to(pose, vertices, config.network.half_side)
    place = frame.into(pose[:, None, :3, 3])[0, 0].tolist()
    return Mesh(frame.into(vertices)[0].numpy(), truth.faces), tuple(place)


def _eye_by_outline(truth: Mesh, picture: UInt8[np.ndarray, "h w 3"]) -> Eye:
    side = picture.shape[1]
    lens = np.array([[FOCAL * side, 0, side / 2], [0, FOCAL * side, picture.shape[0] / 2], [0, 0, 1]])
    fit = MaskFit(truth, picture.max(-1) > 0, lens)
    likely = sorted(orbit_rotations(), key=fit.overlap)[-LIKELY:]
    rotation = max((fit.best([each], turn=0.15) for each in likely), key=fit.overlap)
    return tuple((-rotation.T @ fit.place(rotation)).tolist())


@torch.no_grad()
def distances_of(net: ListNet, seen: Float[torch.Tensor, "1 3 h w"], *, flip: bool = False) -> Distance:
    """Signed distances that a picture gives, at points of the box; on the points' own device.

    Args:
        flip: mean of those of the picture and of its mirror image, mirrored back: left and right is x, in the frame of
            the shapes.
    """
    device = device_of(net)
    seen = seen.to(device)
    plain = FastDistances(net, net.encode(seen))
    if not flip:
        return hosted(plain, device)
    other = FastDistances(net, net.encode(seen.flip(-1)))

    def both(points: Float[torch.Tensor, "n 3"]) -> Float[torch.Tensor, " n"]:
        return 0.5 * (plain(points) + other(points * points.new_tensor([-1.0, 1.0, 1.0])))

    return hosted(both, device)


@torch.no_grad()
def predicted_surface(
    net: ListNet,
    seen: Float[torch.Tensor, "1 3 h w"],
    *,
    nodes: int = 0,
    dense: bool = False,
    published: bool = False,
    flip: bool = False,
) -> Mesh | None:
    """The surface that a picture gives, in the unit box; None where there is none.

    Args:
        nodes: of the grid along an axis; 0 for those of the network's occupancy grid.
        dense: ask at every node instead of coarse to fine.
        published: place vertices as the original does, and leave the surface open where the box cuts it.
        flip: as `distances_of` takes it.
    """
    network = net.config.network
    nodes = nodes or network.volume_nodes
    distance = distances_of(net, seen, flip=flip)
    if dense:
        grid = dense_values(distance, nodes, half_side=network.half_side)
    else:
        first = dense_values(distance, 33, half_side=network.half_side)
        slope = float(np.clip(1.2 * estimated_slope(first), 1.0, 6.0))
        grid = sparse_values(distance, nodes, half_side=network.half_side, slope=slope, coarse=UNSURE)
    if not (grid.values < 0).any() or not (grid.values > 0).any():
        return None
    mesh = surface_of(grid, closed=not published)
    if published:
        return Mesh(rescaled_as_published(mesh.vertices, nodes, network.half_side), mesh.faces)
    return mesh
