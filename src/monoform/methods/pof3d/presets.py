"""The published generators and their cameras by name."""

from __future__ import annotations

import math
from dataclasses import replace

from ...errors import InputError
from .config import FOV, Network, Pof3dConfig, PoseHead, Rays, Rig, focal_of

_CARS = Pof3dConfig(
    resolution=128,
    network=Network(superresolution="2X"),
    pose=PoseHead(yaw_mean=math.pi),
    rig=Rig(radius=1.7, focal=131.25 / 128),
    rays=Rays(near=0.1, far=2.6, box=1.6, coarse=64, fine=64, white=True),
)
_FACES = Pof3dConfig(rig=Rig(pivot=(0.0, 0.0, 0.2), focal=4.2647))
_COMPCARS = replace(_CARS, resolution=256, network=Network(), rays=replace(_CARS.rays, far=3.3, white=False))
_ABOVE = math.pi / 2 * (1 - math.sin(math.radians(15)))
"""Elevation parameter of cameras 15 degrees above the equator."""
_RENDERED = Pof3dConfig(
    resolution=64,
    network=Network(
        z_dim=64,
        w_dim=64,
        mapping_rate=0.03,
        channel_base=1024,
        channel_max=64,
        plane_resolution=32,
        plane_features=12,
        decoder_width=32,
        superresolution="2X",
        superresolution_share=0.125,
        superresolution_half=False,
    ),
    pose=PoseHead(rate=0.1, elevation_mean=_ABOVE, elevation_reach=0.4),
    rig=Rig(radius=1.3, focal=131.25 / 128, fill=0.58),
    rays=Rays(near=0.78, far=1.82, box=1.04, coarse=8, fine=8, white=True, raw_resolution=16, surface=1.5),
)
PRESETS: dict[str, Pof3dConfig] = {
    "ffhq": _FACES,
    "cats": Pof3dConfig(rig=Rig(focal=focal_of(FOV))),
    "shapenetcars": _CARS,
    "afhq": replace(_FACES, rig=replace(_FACES.rig, pivot=(0.0, 0.0, -0.06))),
    "compcars": _COMPCARS,
    "compcars_white": replace(_COMPCARS, rays=replace(_COMPCARS.rays, white=True)),
    "cars64": _RENDERED,
    "cars64_gpu": replace(
        _RENDERED,
        network=Network(
            z_dim=256,
            w_dim=256,
            mapping_rate=0.03,
            channel_base=8192,
            channel_max=256,
            plane_resolution=128,
            plane_features=24,
            superresolution="2X",
            superresolution_share=0.5,
            superresolution_half=False,
        ),
        rays=replace(_RENDERED.rays, coarse=24, fine=24, raw_resolution=32),
    ),
    "small": replace(
        _CARS,
        resolution=64,
        network=Network(
            z_dim=128,
            w_dim=128,
            channel_base=1024,
            channel_max=64,
            plane_resolution=64,
            plane_features=16,
            decoder_width=32,
            superresolution="2X",
        ),
        rays=replace(_CARS.rays, coarse=12, fine=12, raw_resolution=32),
    ),
}
"""The published data sets (radius, field of view and box of compcars are options of the release without values of its
own: here those of shapenetcars); `small`, which a CPU trains; `cars64` for rendered cars whose elevations are known to
lie within 31 degrees, which a CPU trains in an hour, and its larger twin for a GPU."""


def preset(name: str) -> Pof3dConfig:
    """A configuration by name, as new trainings take it.

    Raises:
        InputError: there is none of this name.
    """
    if name not in PRESETS:
        raise InputError(f"PoF3D has no configuration {name!r}: choose one of {', '.join(PRESETS)}.")
    return PRESETS[name]
