"""What the training of bootstrapped inversion's generator consists of, by the names of the published data sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...data.categories.kinds import category_named
from ...errors import InputError
from ...metrics.features import FeatureName
from ...ranges import require_ranges
from ...training import LoopSettings
from .config import PUBLISHED, BootstrapConfig, Compat, Network, Rays, Scene, Training
from .presets import PRESETS as GENERATORS
from .presets import preset


@dataclass(frozen=True)
class BootstrapTraining(LoopSettings):
    """What is trained, and what a step consists of. Each configuration has its own values of all of these.

    Attributes:
        ema_decay: not used: the generator is averaged with a half-life of 10,000 images, and faster in the beginning.
        clip: largest norm of a gradient.
        accumulate: micro-batches of a step, which share its images.
        config: name of a configuration: small, and of photos with masks small_masked, for CPUs; p3d_car, imagenet_car,
            imagenet_airplane, imagenet_motorcycle, imagenet_zebra, imagenet_elephant, cub, shapenet_cars,
            shapenet_chairs, carla as published.
        category: the set of photos, by the name of a configuration, or p3d_NAME or imagenet_NAME of one's own; it says
            how cameras and background are.
        resolution: of the images in pixels.
        network: sizes and options of the generator.
        half_side: of the cube around the origin that holds the object, world units.
        rays: how they are sampled.
        training: what a step makes small, and when.
        refine_pose: whether inversion refines the camera, too.
        published: pixels, samples and the first sphere as in the published program; else rays go through the middles of
            pixels, and the sphere is one that fits the cube.
        weights: folder of a generator to start from, and of its discriminator where that lies there; "" for none. Its
            sizes take precedence, and there is no pretraining.
        pretraining: steps before all others that make spheres of all shapes.
        beta: softness of the surface in the beginning, world units.
        alpha: 1 over the density inside, in the beginning, world units; objects thinner than that are seen through.
        rate: learning rate of the generator.
        rate_discriminator: learning rate of the discriminator.
        beta2: of Adam; its first decay is 0.
        features: what the evaluation sees of images: pyramid needs no weights; efficientnet-lite0 takes the backbone of
            the mask network that ships where no file is given; inception, inception-pytorch, vgg16.
        features_weights: file of their weights; "" for none.
        metric: by which weights are the best so far, as the journal names it; none: the Frechet distance.
        metric_images: of the evaluation, real and made; 0 for no distance.
        snapshots: keep the weights of each evaluation, OUT/snapshots.
    """

    ema_decay: float | None = None
    clip: float | None = 100.0
    checkpoint_every: int = 500
    evaluate_every: int = 500
    config: str = "small"
    category: str = "shapenet_cars"
    resolution: int = preset("small").resolution
    network: Network = preset("small").network
    half_side: float = preset("small").scene.half_side
    rays: Rays = preset("small").rays
    training: Training = preset("small").training
    refine_pose: bool = preset("small").refine_pose
    published: bool = False
    weights: str = ""
    pretraining: int = 200
    beta: float = 0.03
    alpha: float = 0.05
    rate: float = 0.0025
    rate_discriminator: float = 0.002
    beta2: float = 0.99
    features: FeatureName = "pyramid"
    features_weights: str = ""
    metric: str | None = None
    metric_images: int = 200
    snapshots: bool = False

    def __post_init__(self) -> None:
        preset(self.config)
        whose = "bootstrap's"
        require_ranges(self, whose, resolution=(8, 4096), half_side=(1e-3, 1e3), pretraining=(0, 10**9))
        require_ranges(self, whose, rate=(0.0, 1.0), rate_discriminator=(0.0, 1.0), beta2=(0.0, 0.999999))
        require_ranges(self, whose, metric_images=(0, 10**6), beta=(1e-3, 1e3), alpha=(1e-3, 1e3))
        category_named(self.category)

    @property
    def begin(self) -> int:
        """Steps before the first iteration of generator and discriminator."""
        return 0 if self.weights else self.pretraining

    def micro_batch(self, shards: int) -> int:
        """Images of each of so many micro-batches.

        Raises:
            InputError: the images of a step cannot be shared evenly.
        """
        if self.training.batch % shards:
            raise InputError(
                f"bootstrap's training.batch is {self.training.batch}; it must be a multiple of the {shards} "
                "micro-batches of a step."
            )
        return self.training.batch // shards

    def generator(self, scene: Scene) -> BootstrapConfig:
        """The generator of these options.

        Args:
            scene: what photos tell of objects and cameras.

        Raises:
            InputError: options contradict each other or the scene.
        """
        return BootstrapConfig(
            self.resolution,
            self.network,
            scene,
            self.rays,
            self.training,
            self.refine_pose,
            PUBLISHED if self.published else Compat(),
        )


def _published(name: str, **more: Any) -> BootstrapTraining:
    """Evaluated and kept every 5,000 iterations."""
    common: dict[str, Any] = {"checkpoint_every": 1000, "evaluate_every": 5000, "metric_images": 8000}
    common |= {"pretraining": 1000, "beta": 0.1, "alpha": 1.0, "config": name, "category": name}
    of = preset(name)
    for part in ("resolution", "network", "rays", "training", "refine_pose"):
        common[part] = getattr(of, part)
    return BootstrapTraining(half_side=of.scene.half_side, **{**common, **more})


def _on_a_cpu(name: str, category: str) -> BootstrapTraining:
    of = preset(name)
    return BootstrapTraining(
        config=name,
        category=category,
        resolution=of.resolution,
        network=of.network,
        half_side=of.scene.half_side,
        rays=of.rays,
        training=of.training,
        refine_pose=of.refine_pose,
    )


CONFIGS: dict[str, BootstrapTraining] = {name: _published(name) for name in GENERATORS if "small" not in name}
CONFIGS |= {"small": _on_a_cpu("small", "shapenet_cars"), "small_masked": _on_a_cpu("small_masked", "p3d_car")}
"""All by name; `small` and `small_masked` are for CPUs."""
