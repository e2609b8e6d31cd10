"""The published generators, scenes and trainings by name, and those that a CPU trains."""

from __future__ import annotations

from dataclasses import replace

from ...errors import InputError
from .config import BootstrapConfig, Network, Rays, Scene, Training

SRN_FOCAL = 131.25 / 128
"""Of the renderings of ShapeNet by Sitzmann et al. (2019), in image widths."""
_NATURAL = BootstrapConfig()
_SHAPENET = BootstrapConfig(
    scene=Scene(half_side=0.55, flipped=False, white=True, focals=(SRN_FOCAL,)),
    training=Training(alpha=False, augment=0.0, ada_target=None),
    refine_pose=False,
)
_ELEPHANT = replace(
    _NATURAL, network=Network(noise=True), training=replace(_NATURAL.training, iterations=200_000, r1=10.0)
)
PRESETS: dict[str, BootstrapConfig] = {
    "p3d_car": _NATURAL,
    "imagenet_car": _NATURAL,
    "imagenet_airplane": _NATURAL,
    "imagenet_motorcycle": _NATURAL,
    "imagenet_zebra": _NATURAL,
    "imagenet_elephant": _ELEPHANT,
    "cub": replace(
        _NATURAL,
        network=Network(noise=True),
        scene=Scene(half_side=2.0, projection="orthographic"),
        training=replace(_NATURAL.training, iterations=200_000),
    ),
    "shapenet_cars": _SHAPENET,
    "shapenet_chairs": _SHAPENET,
    "carla": BootstrapConfig(
        network=Network(view_directions=True),
        scene=Scene(half_side=3.0, flipped=False, white=True),
        training=Training(alpha=False),
    ),
    "small": replace(
        _SHAPENET,
        resolution=32,
        network=Network(
            z_dim=64,
            w_dim=64,
            channel_base=1024,
            channel_max=64,
            plane_resolution=32,
            plane_features=16,
            decoder_width=32,
            palette=6,
        ),
        rays=Rays(12, 12),
        training=Training(
            iterations=4000,
            batch=8,
            alpha=False,
            augment=0.0,
            ada_target=None,
            warmup=1000,
            path_warmup=400,
            rate_warmup=200,
            blur=2.0,
            cells=15,
        ),
    ),
    "small_masked": replace(
        _NATURAL,
        resolution=64,
        network=Network(
            z_dim=32,
            w_dim=64,
            mapping_rate=0.1,
            channel_base=2048,
            channel_max=64,
            plane_resolution=64,
            plane_features=16,
            decoder_width=32,
            palette=8,
        ),
        rays=Rays(12, 12),
        training=Training(
            iterations=6000,
            batch=8,
            r1=1.0,
            augment=0.0,
            ada_target=None,
            warmup=600,
            path_warmup=400,
            rate_warmup=100,
            blur=5.0,
            cells=12,
            lazy=4,
            least=1e-3,
        ),
    ),
}
"""The published data sets (of natural photos the guesses of focal lengths come from the training set, which a published
file does not hold); `small` and, of photos with masks, `small_masked`, which a CPU trains: their schedules are shares
of their few iterations, as the published ones are of 300,000, the blur's larger."""


def preset(name: str) -> BootstrapConfig:
    """A configuration by name, as new trainings take it.

    Raises:
        InputError: there is none of this name.
    """
    if name not in PRESETS:
        raise InputError(f"bootstrap has no configuration {name!r}: choose one of {', '.join(PRESETS)}.")
    return PRESETS[name]
