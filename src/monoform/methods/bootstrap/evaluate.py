"""Evaluation of bootstrapped inversion by the release's protocol: photos inverted, other views, generation."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import tyro
from PIL import Image

from ...data.categories import CategoryPhotos, open_category
from ...data.categories.kinds import Split, category_named
from ...devices import device_named, on_device
from ...errors import InputError
from ...mesh.texture import to_bytes
from ...metrics.evaluation import Evaluation, EvaluationOptions, evaluate
from ...metrics.features import FeatureNet, OwnFeatures, Resizing, open_features
from ...metrics.frechet import Divisor
from ...metrics.image_blocks import ImageBlocks, ImageSource, features_in
from ...metrics.image_distances import image_distances
from ...metrics.lpips import Lpips
from ...outputs import is_marked, require_free_file, save_picture
from ...ranges import require_range
from ...training.weights import weights_digest
from .config import BootstrapConfig
from .encoder import BootstrapEncoder
from .evaluated_images import RealPhotos, Samples
from .evaluated_inversions import FRONT, RANDOM, SCORES, Compared, InvertedPhotos, Measuring
from .evaluated_strips import random_strips
from .evaluated_views import LIMIT, SEED, evaluated_views
from .inversion_options import InversionOptions
from .model import BootstrapGenerator
from .networks import open_inverter
from .objective import Kind, Objective
from .train_encoder import ready_encoder

TestSet = Literal["auto", "train", "test", "imagenet"]


@dataclass(frozen=True, kw_only=True)
class BootstrapEvaluation(EvaluationOptions):
    """Invert photos of a category, and measure pictures, other views, cameras and masks after numbers of steps.

    Names end in the number of steps, as in psnr_n30; those of another view (the same object where it has several, else
    any camera of the training set) begin with random_. Distances of images are named after what looks at them and after
    the covariance's divisor; without Inception's weights --features look at them, which is no FID. Figures depend
    neither on --block nor on --workers. Interrupted, the same line goes on.
    """

    data: Annotated[str, tyro.conf.arg(metavar="DIR")]
    """Folder of the published sets, or an address that fsspec knows; see `monoform prepare check`."""
    category: str
    """Such as p3d_car, shapenet_chairs, cub."""
    weights: str
    """Folder of the generator."""
    encoder: str = ""
    """Folder of its encoder, where that of the generator holds none."""
    train_encoder: Literal["none", "small", "published"] = "none"
    """Train the encoder first, where none lies in --encoder yet, and keep it there: small for CPUs, or published; see
    `monoform train bootstrap-encoder`."""
    test_set: TestSet = "auto"
    """Photos that are inverted: test, train, or imagenet (ImageNet's cars that p3d_car is not trained on); auto: test
    where there is one."""
    refine: tuple[int, ...] = (0, 10, 30)
    """Numbers of steps after which is measured."""
    loss: Kind = "vgg"
    """Of the refinement; vgg, vgg_nocrop and mixed need --lpips."""
    gain: float = 5.0
    """A latent moves by so many times the rate."""
    refine_pose: Literal["auto", "on", "off"] = "auto"
    """Whether the camera is refined; auto: as the generator's configuration says."""
    published_pnp: bool = False
    """Solve for cameras with OpenCV as the release does; else robustly."""
    same_view: bool = True
    """Pair views as the release does, where a view may be its own other one; off: never."""
    limit: int = LIMIT
    """Photos at most."""
    generation: bool = True
    """Measure samples of random latents, too."""
    lpips: Annotated[tuple[Path, Path] | None, tyro.conf.arg(metavar="VGG16 LIN")] = None
    """Torchvision's VGG-16 weights, and the linear layers of LPIPS v0.1."""
    features: OwnFeatures = "pyramid"
    """What looks at the images where no file of weights is given: a pyramid of colors and details, or the backbone of
    the mask network that ships."""
    inception: Path | None = None
    """Weights of the 2015 Inception network (pt_inception-2015-12-05-6726825d.pth), for FID."""
    resizing: Resizing = "pytorch"
    """To Inception's size: pytorch as published here, or tensorflow."""
    covariance: Divisor = "n-1"
    """Divisor of covariances: n-1 as published here, or n."""
    strips: int = 0
    """So many random photos are drawn in strips.png: photo, predicted coordinates, render, normals, and both from
    another side, after the fewest steps and after the most."""
    block: int = 8
    """Photos that one worker takes at a time and whose results are kept together."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_range("--limit", self.limit, 2, 10_000_000)
        require_range("--strips", self.strips, 0, 256)
        require_range("--block", self.block, 1, 100_000)
        require_range("--gain", self.gain, 1e-3, 1e4)
        if not self.refine or len(set(self.refine)) < len(self.refine):
            raise InputError(f"--refine is {' '.join(map(str, self.refine))}; give numbers of steps, each once.")
        for steps in self.refine:
            require_range("--refine", steps, 0, 100_000)


class InvertedCategory(ImageBlocks):
    """Photos, inverted photos and samples of one category.

    Args:
        sources: `photos` (those of the training set), `inverted`, and where they are asked for `tested` (those of the
            test set) and `samples`.
        net: looks at the images.
        options: how.
        weights: SHA-256 of the files of weights.
    """

    def __init__(
        self, sources: Mapping[str, ImageSource], net: FeatureNet, options: BootstrapEvaluation, weights: str = ""
    ) -> None:
        super().__init__(sources, (net,), size=options.block, weights=weights)
        self.options = options

    @classmethod
    def open(cls, asked: BootstrapEvaluation) -> InvertedCategory:
        """The protocol that is asked for.

        Raises:
            InputError: weights or data cannot be used, or do not fit each other.
        """
        device = device_named(asked.device)
        found = open_inverter(asked.weights, asked.encoder)
        if found.encoder is None:
            raise InputError(f"{asked.weights} holds no encoder, by which photos are inverted: give --encoder DIR.")
        net, encoder = on_device(found.generator, device), on_device(found.encoder, device)
        config = net.config
        _require_fit(config, asked)
        lpips = found.lpips if asked.lpips is None else Lpips.load(*asked.lpips)
        lpips = None if lpips is None else lpips.to(device)
        refine_pose = config.refine_pose if asked.refine_pose == "auto" else asked.refine_pose == "on"
        measuring = Measuring(
            asked.refine,
            InversionOptions(gain=asked.gain, refine_pose=refine_pose),
            Objective(asked.loss, lpips, white=config.scene.white),
            None if lpips is None else lpips.to("cpu"),
            asked.published_pnp,
            asked.seed,
        )
        sources = sources_of(asked, net, encoder, measuring)
        name: Literal["inception", "inception-pytorch"] = "inception"
        if asked.resizing == "pytorch":
            name = "inception-pytorch"
        features = open_features(asked.features if asked.inception is None else name, asked.inception, device=device)
        digests = weights_digest(asked.weights) + weights_digest(asked.encoder or asked.weights)
        return cls(sources, features, asked, hashlib.sha256(digests.encode()).hexdigest())

    def together(self, out: Path, contents: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
        """Means of the scores, and distances of images."""
        (net,) = self.nets
        found: dict[str, float] = {}
        inverted = self.arrays(out, contents, "inverted")
        real = {"": features_in(self.arrays(out, contents, "photos"), net)}
        if "tested" in self.sources:
            real["_test"] = features_in(self.arrays(out, contents, "tested"), net)
        for steps in self.options.refine:
            for shown, start in ((FRONT, ""), (RANDOM, "random_")):
                chosen = (inverted["steps"] == steps) & (inverted["shown"] == shown)
                for score in SCORES:
                    values = inverted[score][chosen]
                    if np.isfinite(values).any():
                        found[f"{start}{score}_n{steps}"] = float(values[np.isfinite(values)].mean())
                found |= self._distances(real, features_in(inverted, net)[chosen], start, f"_n{steps}")
        if "samples" in self.sources:
            found |= self._distances(real, features_in(self.arrays(out, contents, "samples"), net), "generation_", "")
        return found

    def finish(self, out: Path, contents: Mapping[str, Mapping[str, Any]]) -> str:
        """How many images there were; and the strips, where some are asked for."""
        told = super().finish(out, contents)
        inverted, file = self.sources["inverted"], out / "strips.png"
        if not self.options.strips or not isinstance(inverted, InvertedPhotos):
            return told
        require_free_file(file, is_ours=is_marked)
        picture = random_strips(inverted, self.options.strips, self.options.seed)
        save_picture(Image.fromarray(to_bytes(picture)), file, marked=True)
        return f"{told}{file}\n"

    def _distances(self, real: Mapping[str, np.ndarray], made: np.ndarray, start: str, end: str) -> Mapping[str, float]:
        found: dict[str, float] = {}
        for against, features in real.items():
            own = image_distances(self.nets[0], features, made, measures=("frechet",), divisor=self.options.covariance)
            found |= {f"{start}{name}{against}{end}": value for name, value in own.items()}
        return found


def sources_of(
    asked: BootstrapEvaluation, net: BootstrapGenerator, encoder: BootstrapEncoder, measuring: Measuring
) -> dict[str, ImageSource]:
    """The sets of images.

    Raises:
        InputError: the data cannot be used.
    """
    category, size = category_named(asked.category), net.config.resolution
    train, whole = open_category(asked.data, category, "train-eval"), open_category(asked.data, category, "train")
    test = _tested(asked, train)
    of_train, of_test = evaluated_views(
        len(train),
        None if test is None else len(test),
        views=train.views_per_object or category.views,
        test_views=None if test is None else test.views_per_object or category.test_views or 1,
        repeats=category.repeats,
        latent_dim=net.config.network.z_dim,
        limit=asked.limit,
        seed=SEED,
        same_view=asked.same_view,
    )
    compared, views = compared_of(train, whole, test), of_train if of_test is None else of_test
    sources: dict[str, ImageSource] = {
        "photos": RealPhotos(train, size),
        "inverted": InvertedPhotos(net, encoder, compared, views, measuring),
    }
    if test is not None:
        sources["tested"] = RealPhotos(test, size)
    if asked.generation:
        sources["samples"] = Samples(net, train, of_train, asked.seed)
    return sources


def compared_of(train: CategoryPhotos, whole: CategoryPhotos, test: CategoryPhotos | None) -> Compared:
    """What is inverted and compared with what; training photos where there are no test photos.

    Args:
        train: photos for training, cropped to the object.
        whole: the same uncropped, with their mirror images.
    """
    if test is None:
        return Compared(whole, whole if train.category.orthographic else train, train, whole.focals)
    # The test photos of detections have no cameras, or those of another set.
    return Compared(test, test, train if train.category.layout == "detections" else test, whole.focals)


def _tested(asked: BootstrapEvaluation, train: CategoryPhotos) -> CategoryPhotos | None:
    """The photos that are inverted; None for the training photos."""
    wanted = asked.test_set
    if wanted == "auto":
        wanted = "train" if train.category.test_views is None else "test"
    if wanted == "train":
        return None
    if train.category.test_views is None:
        raise InputError(f"{asked.category} has no test photos, and --test-set is {wanted}: leave it out.")
    split: Split = "imagenet-test" if wanted == "imagenet" else "test"
    return open_category(asked.data, train.category, split)


def _require_fit(config: BootstrapConfig, asked: BootstrapEvaluation) -> None:
    category = category_named(asked.category)
    if (config.scene.projection == "orthographic") != category.orthographic or config.scene.white != category.white:
        raise InputError(
            f"{asked.weights} is a generator for {config.scene.projection} cameras and a "
            f"{'white' if config.scene.white else 'gray'} background, {asked.category} has others: give its category."
        )


def measure(asked: BootstrapEvaluation) -> str:
    """Run the protocol, after the training of the encoder where that is asked for; what is printed."""
    if asked.train_encoder != "none":
        if not asked.encoder:
            raise InputError("An encoder that is trained first is kept in --encoder DIR: give this folder, too.")
        place = ready_encoder(
            asked.weights,
            asked.encoder,
            asked.train_encoder,
            photos=asked.data,
            category=asked.category,
            device=asked.device,
        )
        asked = replace(asked, encoder=place)
    return evaluate(InvertedCategory.open, asked)


EVALUATION = Evaluation(
    "photos inverted, other views and samples, after numbers of steps",
    BootstrapEvaluation,
    measure,
)
