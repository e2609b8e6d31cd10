"""What PoF3D's training consists of, by the names of the published configurations (section 4 and supplement)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from ...data.images.fitting import Fit
from ...errors import InputError
from ...metrics.features import FeatureName
from ...ranges import require_ranges
from ...training import LoopSettings
from .config import Compat, Pof3dConfig
from .discriminator import DiscriminatorConfig
from .geod import GeodOptions
from .networks import NetworksConfig
from .presets import PRESETS as NETWORKS
from .presets import preset
from .template_config import TemplateOptions

Mirrors = Literal["flip_both", "flip_both_shapenet", "left_right", "up_down"]
Regularization = Literal["l1", "monotonic-detach", "monotonic-fixed"]
Augmentation = Literal["none", "ada", "fixed"]
PUBLISHED = Compat(
    repeated_axes=True,
    linear_means=True,
    overwritten_raw=True,
    batch_depth=True,
    late_misses=True,
    unused_fov=True,
    random_rendering=True,
)
SMALL = DiscriminatorConfig(resolution=64, channel_base=1024, channel_max=64, mapping_layers=4)


@dataclass(frozen=True)
class Pof3dTraining(LoopSettings):
    """What is trained, and what a step consists of. Each configuration has its own values of all of these.

    Attributes:
        ema_decay: not used: `ema_kimg` and `ema_rampup` say how the generator is averaged.
        clip: largest norm of a gradient; none for no limit, as published.
        accumulate: micro-batches of a step; published trainings have 32 images a step in micro-batches of 4.
        checkpoint_every: steps from checkpoint to checkpoint.
        evaluate_every: steps from evaluation to evaluation, and one at the end; 0 for none.
        config: name of a configuration: small for CPUs; ffhq, cats, shapenetcars as published; afhq, compcars,
            compcars_white, for which no training was published.
        network: sizes and options of the generator.
        discriminator: sizes and options of the discriminator; its resolution is the generator's.
        published: networks and steps as in the published code, with its quirks and all that it does twice; else yaws
            are told as directions, elevations are bounded, and an image is rendered and looked at once for all that
            needs it.
        weights: folder of weights to start from, for fine-tuning; "" for none. Its configuration takes precedence.
        batch: images of a micro-batch, a multiple of the discriminator's group; with `accumulate` and the processes, of
            a step.
        kimg: thousands of images of the whole training, where no --steps are given.
        fit: of images that are not square: none, crop or pad.
        mirror_data: show every image mirrored too.
        rate: learning rate of the generator.
        rate_discriminator: learning rate of the discriminator.
        beta2: of Adam; its first decay is 0.
        gamma: weight of the discriminator's squared gradient (R1).
        lambda_cam: weight of the pose that the discriminator tells of a fake.
        lambda_gd: weight of the pose that the generator chooses, against what the discriminator tells.
        lambda_shown: weight of what the discriminator tells of a fake, against the pose it is seen from: objects should
            show how they are turned, so that no latent turns its own (as in pi-GAN's training; 0 as published).
        every_generator: steps from one regularisation of the generator to the next; 0 for none.
        every_discriminator: steps from one regularisation of the discriminator to the next; 0 for none.
        mirrors: which mirrored cameras fakes are seen from too: flip_both (left_right or up_down), flip_both_shapenet
            (front_back or up_down), left_right, up_down.
        flip_generator: let the generator learn from mirrored cameras.
        flip_discriminator: let the discriminator learn from mirrored cameras.
        flip_weight_generator: of mirrored fakes in the generator's loss.
        flip_weight_discriminator: of all fakes in the discriminator's loss, where mirrored ones are among them.
        detach_pose: let mirrored fakes not move the pose.
        density_reg: weight of the density's roughness.
        density_distance: deviation of the neighbors at which density is compared, in world units.
        density_type: l1; or monotonic-detach or monotonic-fixed, which ask for density that does not fall away from
            the camera.
        density_points: of each fake.
        resolution_start: pixels along a side of what is rendered, in the beginning.
        resolution_end: in the end; none for the same.
        resolution_kimg: thousands of images over which it goes from one to the other.
        blur: sigma in pixels of the blur on all that the discriminator sees, in the beginning.
        blur_kimg: thousands of images in which it falls to 0, for 32 images a step; fewer for smaller steps.
        blur_resumed: blur when starting from weights, too.
        style_mixing: how often a fake gets its later styles from another latent.
        pose_swapping: how often a fake is seen from the pose of another of its batch.
        augment: none, ada (as strong as the discriminator's certainty asks for) or fixed.
        augment_strength: of fixed augmentation, 0..1; in the beginning of ada.
        augment_target: mean sign of the scores of real images that ada aims at.
        augment_kimg: thousands of images in which ada's strength may go from 0 to 1; none: 500, or 100 when starting
            from weights.
        augment_every: steps from one change of ada's strength to the next.
        ema_kimg: thousands of images of the half-life of the averaged generator, for 32 images a step.
        ema_rampup: share of the images seen so far that this half-life is at most.
        features: what the evaluation sees of images: pyramid needs no weights; efficientnet-lite0 takes the backbone of
            the mask network that ships where no file is given; inception, inception-pytorch, vgg16.
        features_weights: file of their weights; "" for none.
        metric: by which weights are the best so far, as the journal names it; none: the Frechet distance.
        metric_images: of the evaluation, real and made; 0 for no distance.
        snapshots: keep the weights of each evaluation, OUT/snapshots.
        geod: an inverse renderer that tells the generator about shape; left out at a weight of 0.
        template: tells the poses of photos by features, for photos from all around; left out at a weight of 0.
        collapse: degrees of deviation of the chosen yaws below which the journal and a sentence tell of a collapse.
    """

    ema_decay: float | None = None
    clip: float | None = None
    accumulate: int = 1
    checkpoint_every: int = 250
    evaluate_every: int = 250
    config: str = "small"
    network: Pof3dConfig = field(default_factory=lambda: preset("small"))
    discriminator: DiscriminatorConfig = SMALL
    published: bool = False
    weights: str = ""
    batch: int = 4
    kimg: float = 40.0
    fit: Fit = "none"
    mirror_data: bool = False
    rate: float = 0.0025
    rate_discriminator: float = 0.002
    beta2: float = 0.99
    gamma: float = 0.3
    lambda_cam: float = 2.0
    lambda_gd: float = 2.0
    lambda_shown: float = 0.0
    every_generator: int = 4
    every_discriminator: int = 16
    mirrors: Mirrors = "flip_both_shapenet"
    flip_generator: bool = True
    flip_discriminator: bool = True
    flip_weight_generator: float = 1.0
    flip_weight_discriminator: float = 1.0
    detach_pose: bool = False
    density_reg: float = 0.25
    density_distance: float = 0.004
    density_type: Regularization = "l1"
    density_points: int = 1000
    resolution_start: int = 32
    resolution_end: int | None = None
    resolution_kimg: float = 1000.0
    blur: float = 2.0
    blur_kimg: float = 20.0
    blur_resumed: bool = False
    style_mixing: float = 0.0
    pose_swapping: float = 0.0
    augment: Augmentation = "none"
    augment_strength: float = 0.0
    augment_target: float = 0.6
    augment_kimg: float | None = None
    augment_every: int = 4
    ema_kimg: float = 1.0
    ema_rampup: float = 0.05
    features: FeatureName = "pyramid"
    features_weights: str = ""
    metric: str | None = None
    metric_images: int = 200
    snapshots: bool = False
    geod: GeodOptions = field(default_factory=GeodOptions)
    template: TemplateOptions = field(default_factory=TemplateOptions)
    collapse: float = 3.0

    def __post_init__(self) -> None:
        for name, known in {
            "config": tuple(NETWORKS),
            "mirrors": get_args(Mirrors),
            "density_type": get_args(Regularization),
            "augment": get_args(Augmentation),
        }.items():
            if getattr(self, name) not in known:
                raise InputError(f"PoF3D's {name} is {getattr(self, name)!r}; choose one of {', '.join(known)}.")
        whole, share, weight = (1, 10**6), (0.0, 1.0), (0.0, 1e6)
        require_ranges(
            self, "PoF3D's", batch=whole, density_points=whole, augment_every=whole, metric_images=(0, 10**6)
        )
        require_ranges(self, "PoF3D's", every_generator=(0, 10**6), every_discriminator=(0, 10**6))
        require_ranges(self, "PoF3D's", resolution_start=(4, 1024), resolution_end=(4, 1024), rate=(0.0, 1.0))
        require_ranges(self, "PoF3D's", rate_discriminator=(0.0, 1.0), beta2=(0.0, 0.999999), kimg=(1e-3, 1e9))
        require_ranges(self, "PoF3D's", gamma=weight, lambda_cam=weight, lambda_gd=weight, density_reg=weight)
        require_ranges(self, "PoF3D's", lambda_shown=weight)
        for name, found in (("lambda_shown", self.lambda_shown), ("template.weight", self.template.weight)):
            if self.published and found > 0:
                raise InputError(f"PoF3D's {name} is {found:g}; the published training has none: give 0.")
        require_ranges(self, "PoF3D's", flip_weight_generator=weight, flip_weight_discriminator=weight)
        require_ranges(self, "PoF3D's", density_distance=weight, blur=(0.0, 100.0), blur_kimg=weight)
        require_ranges(self, "PoF3D's", style_mixing=share, pose_swapping=share, augment_strength=share)
        require_ranges(self, "PoF3D's", resolution_kimg=weight, augment_target=(-1.0, 1.0), augment_kimg=(1e-3, 1e9))
        require_ranges(self, "PoF3D's", ema_kimg=(1e-6, 1e9), ema_rampup=(1e-6, 1e9), collapse=(0.0, 180.0))
        sizes = {self.resolution_start, self.resolution_end or self.resolution_start}
        if self.network.network.superresolution == "none" and sizes != {self.network.resolution}:
            raise InputError(
                f"PoF3D renders {self.resolution_start} pixels a side for images of {self.network.resolution} without "
                "super-resolution: give --resolution-start of the same number, and no other end."
            )
        group = min(self.discriminator.group, self.batch)
        if self.batch % group:
            raise InputError(
                f"PoF3D's batch is {self.batch}; the discriminator's groups need a multiple of {group}, or "
                "--discriminator.group that divides it."
            )

    def images_a_step(self, processes: int = 1) -> int:
        """Over all micro-batches and processes."""
        return self.batch * self.accumulate * processes

    @property
    def augment_images(self) -> float:
        """In which the augmentation's strength may go from 0 to 1."""
        kimg = (100.0 if self.weights else 500.0) if self.augment_kimg is None else self.augment_kimg
        return 1000 * kimg

    @property
    def first_blur(self) -> float:
        """Sigma in pixels of the blur in the beginning: none where a training starts from weights."""
        return self.blur if self.blur_resumed or not self.weights else 0.0

    def networks(self) -> NetworksConfig:
        """The networks that are trained: what is published tells yaws as numbers, and has clamps against poles."""
        network, judge = self.network, replace(self.discriminator, resolution=self.network.resolution)
        if self.published:
            cars = self.config == "shapenetcars"
            head = replace(
                network.pose,
                yaw="number",
                elevation="free",
                clamp_yaw=(0.0, 2 * math.pi) if cars else None,
                clamp_elevation=(0.0, 3.1415926) if cars else None,
            )
            network, judge = replace(network, pose=head, compat=PUBLISHED), replace(judge, pose_coding="angles")
        return NetworksConfig(network, judge)


def _published(config: str, gamma: float, lambda_cam: float, lambda_gd: float, **more: Any) -> Pof3dTraining:
    """8 processes x 4 images by accumulation; a snapshot every 200,000 images."""
    common: dict[str, Any] = {
        "discriminator": DiscriminatorConfig(),
        "accumulate": 8,
        "batch": 4,
        "kimg": 25_000.0,
        "checkpoint_every": 6250,
        "evaluate_every": 6250,
        "metric_images": 5000,
        "snapshots": True,
        "mirrors": "flip_both",
        "resolution_start": 64,
        "blur": 10.0,
        "blur_kimg": 200.0,
        "ema_kimg": 10.0,
    }
    own = {
        "config": config,
        "network": preset(config),
        "gamma": gamma,
        "lambda_cam": lambda_cam,
        "lambda_gd": lambda_gd,
    }
    return Pof3dTraining(**{**common, **own, **more})


_RENDERED = Pof3dTraining(
    config="cars64",
    network=preset("cars64"),
    discriminator=DiscriminatorConfig(resolution=64, channel_base=512, channel_max=64, mapping_layers=2),
    evaluate_every=500,
    batch=16,
    kimg=40.0,
    gamma=0.1,
    mirrors="left_right",
    lambda_cam=10.0,
    lambda_gd=0.0,
    lambda_shown=5.0,
    flip_generator=False,
    flip_discriminator=False,
    pose_swapping=0.5,
    resolution_start=16,
    resolution_end=32,
    resolution_kimg=24.0,
    blur=2.0,
    blur_kimg=12.0,
    ema_kimg=10.0,
    snapshots=True,
)
PRESETS: dict[str, Pof3dTraining] = {
    "small": Pof3dTraining(),
    "ffhq": _published("ffhq", 1.0, 2.0, 1.0),
    "cats": _published("cats", 5.0, 10.0, 10.0, fit="crop"),
    "shapenetcars": _published("shapenetcars", 0.3, 2.0, 2.0, mirrors="flip_both_shapenet"),
    "afhq": _published("afhq", 5.0, 10.0, 10.0),
    "compcars": _published("compcars", 0.3, 2.0, 2.0, mirrors="flip_both_shapenet"),
    "compcars_white": _published("compcars_white", 0.3, 2.0, 2.0, mirrors="flip_both_shapenet"),
    "cars64": _RENDERED,
    "cars64_gpu": replace(
        _RENDERED,
        config="cars64_gpu",
        network=preset("cars64_gpu"),
        discriminator=DiscriminatorConfig(resolution=64, channel_base=4096, channel_max=256, mapping_layers=4, half=0),
        batch=32,
        kimg=1500.0,
        evaluate_every=2000,
        metric_images=2000,
        resolution_start=32,
        resolution_end=None,
        blur_kimg=100.0,
    ),
}
"""The three published trainings; what the release has no script for takes those of the nearest: afhq of cats, compcars
of shapenetcars. `small` is for CPUs. `cars64` has no mirrored views, which would ask for as many poses on the left as
on the right; instead half of the fakes are seen from the pose of another."""
