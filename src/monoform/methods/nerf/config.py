"""What `monoform train scene` trains, and what a step consists of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ...data.capture import CaptureLayout
from ...errors import InputError
from ...renamed import renamed
from ...training import LoopSettings


@renamed(
    reduced="downscale_factor",
    centre="center",
    clear="opacity_entropy_weight",
    steps_along="n_samples",
    log2_rows="log2_hashmap_size",
    judged="validation_rays",
    gains="exposure",
)
@dataclass(frozen=True)
class SceneTraining(LoopSettings):
    """Options of the training of a scene.

    Attributes:
        ema_decay: decay of averaged weights; none for no averaging.
        clip: largest norm of a gradient; none for no limit.
        config: hash: a hash grid with small networks; frequency: the two networks of NeRF, far slower.
        layout: of the capture: transforms, blender, llff, colmap; auto tells it by the files.
        up: the axis of the capture's world that points up: y or z; auto tells it by the photos.
        downscale_factor: by how much the photos are made smaller.
        center: of the content in the world with y up, three numbers; none finds it, see `content_sphere`.
        radius: of the content; 0 finds it.
        margin: radius of the sphere that is rendered, in radii of the content.
        background: behind the content: white, black, learned for each direction; auto: white where photos have alpha.
        rays: pixels that are drawn in a step.
        samples: along all rays of a step together; at most this many are rendered (hash).
        rate: learning rate of the table (hash) or of the networks (frequency).
        network_rate: learning rate of a hash grid's networks (hash).
        decay: share of its values, times the rate, that the table loses in a step (hash).
        floor: share of the rate that is left at the end of a cosine.
        opacity_entropy_weight: weight of the entropy of coverages, which clears fog (hash).
        warmup: steps before empty space is looked for (hash).
        update_every: steps from one look for empty space to the next (hash).
        update_share: share of the cells that such a look takes in (hash).
        n_samples: samples along the diameter of the sphere (hash).
        levels: of resolution of the hash grid (hash).
        features: at each corner of the hash grid (hash).
        finest: cells along an axis of the hash grid's finest level (hash).
        log2_hashmap_size: binary logarithm of the corners that a level stores; more are hashed (hash).
        hidden: width of the density network's hidden layer (hash).
        color_hidden: width of the colour network's layers (hash).
        coarse: evenly spread samples of a ray (frequency).
        fine: samples of a ray where the coarse network found something (frequency).
        width: of the networks' layers (frequency).
        validation_rays: pixels of the evaluations during the training.
        exposure: learn the exposure and white balance of each photo (hash, photos without alpha).
        mesh: cells along the bounds of mesh.glb, made at the end; 0 for none.
        film: side in pixels of turntable.mp4; 0 for none.
    """

    ema_decay: float | None = None
    clip: float | None = None
    config: Literal["hash", "frequency"] = "hash"
    layout: CaptureLayout | Literal["auto"] = "auto"
    up: Literal["auto", "y", "z"] = "auto"
    downscale_factor: float = 1.0
    center: tuple[float, float, float] | None = None
    radius: float = 0.0
    margin: float = 1.1
    background: Literal["auto", "white", "black", "learned"] = "auto"
    rays: int = 8192
    samples: int = 32768
    rate: float = 1e-2
    network_rate: float = 5e-3
    decay: float = 0.5
    floor: float = 0.02
    opacity_entropy_weight: float = 2e-3
    warmup: int = 200
    update_every: int = 16
    update_share: float = 0.0625
    n_samples: int = 128
    levels: int = 6
    features: int = 4
    finest: float = 512.0
    log2_hashmap_size: int = 18
    hidden: int = 32
    color_hidden: int = 32
    coarse: int = 48
    fine: int = 48
    width: int = 128
    validation_rays: int = 8192
    exposure: bool = False
    mesh: int = 144
    film: int = 256

    def __post_init__(self) -> None:
        if self.config not in ("hash", "frequency"):
            raise InputError(f"There is no scene configuration {self.config!r}; choose hash or frequency.")
        if self.background not in ("auto", "white", "black", "learned"):
            raise InputError(f"A scene's background is {self.background!r}; choose auto, white, black or learned.")
        if self.up not in ("auto", "y", "z"):
            raise InputError(f"The capture's up is {self.up!r}; choose auto, y or z.")
        for name in ("rays", "samples", "update_every", "validation_rays"):
            if getattr(self, name) < 1:
                raise InputError(f"A scene's {name} is {getattr(self, name)}; it must be at least 1.")
        for name in ("downscale_factor", "rate", "network_rate", "margin", "update_share"):
            if not getattr(self, name) > 0:
                raise InputError(f"A scene's {name} is {getattr(self, name)}; it must be positive.")
        if self.radius < 0 or self.warmup < 0 or self.opacity_entropy_weight < 0 or not 0 <= self.floor <= 1:
            raise InputError(
                "A scene's radius, warmup and opacity_entropy_weight must be at least 0, its floor in 0..1."
            )
