"""RealFusion in small: a field that is fitted in seconds, a photo of a ball, and a prior that knows the ball."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from tests.guidance.priors import PointPrior

from monoform import Photo, View
from monoform.methods.realfusion.config import RealFusionOptions
from monoform.methods.realfusion.fit_options import PhotoOptions, Views
from monoform.methods.realfusion.model import RealFusionField
from monoform.methods.realfusion.network_config import FieldConfig
from monoform.methods.realfusion.prompts import view_texts

NETWORK = FieldConfig(levels=4, resolution=64, log2_hashmap_size=12, hidden=16, background_hidden=8, cells=16, steps=48)
TEXT = "a ball"
SIDE = 16
COLOR = (0.8, 0.2, 0.1)


def options(**more: Any) -> RealFusionOptions:
    """Options of a fit of seconds."""
    own: dict[str, Any] = {
        "steps": 40,
        "text": TEXT,
        "albedo_steps": 1000,
        "hidden_levels": 1,
        "hidden_steps": 10,
        "occupancy_every": 8,
        "ema_every": 5,
        "rate": 1e-2,
        "network": NETWORK,
        "views": Views(size=8, radius_range=(1.8, 1.8), fov_range=(50.0, 60.0)),
        "photo": PhotoOptions(size=32, rays=128),
    }
    return RealFusionOptions(**(own | more))


def ball_field(network: FieldConfig = NETWORK) -> RealFusionField:
    """A field that has not learned anything: the bump around the origin, in cells that are known to be occupied."""
    torch.manual_seed(0)
    net = RealFusionField(network)
    with torch.no_grad():
        net.occupancy.update(net.density)
    return net


def ball(size: int = 48, radius: float = 0.3) -> np.ndarray:
    """RGBA of a disc."""
    rows, columns = np.mgrid[0:size, 0:size] + 0.5 - size / 2
    inside = np.hypot(rows, columns) < radius * size
    picture = np.zeros((size, size, 4), np.float32)
    picture[..., :3] = COLOR
    picture[..., 3] = inside
    return (picture * 255).astype(np.uint8)


def view() -> View:
    """A photo of a ball."""
    return View(Photo.open(ball()))


def prior() -> PointPrior:
    """It knows from all sides what the photo shows, over white."""
    picture = torch.from_numpy(ball(SIDE)).float() / 255
    over = picture[..., :3] * picture[..., 3:] + 1 - picture[..., 3:]
    channels = over.permute(2, 0, 1)
    latent = torch.cat((channels, channels.mean(dim=0, keepdim=True)))
    return PointPrior(dict.fromkeys(view_texts(TEXT, "", directions=True)[0], latent))
