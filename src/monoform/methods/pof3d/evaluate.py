"""Evaluation of PoF3D: how close its samples come to the photos, and its poses to the true ones (section 5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ...data.images import ImageSet
from ...data.images.fitting import Fit
from ...devices import device_named
from ...metrics.evaluation import Evaluation, EvaluationOptions, evaluate
from ...metrics.features import FeatureName, FeatureNet, OwnFeatures, Resizing, open_features
from ...metrics.frechet import Divisor
from ...metrics.image_blocks import ImageBlocks, ImageSource, features_in
from ...metrics.image_distances import MEASURES, Measure, image_distances
from ...metrics.pose_distribution import pose_distances, pose_errors
from ...ranges import require_range
from ...training.weights import weights_digest
from .config import Pof3dOptions
from .evaluated_depths import Depths
from .evaluated_images import Photos, Poses, Samples, Up
from .infer import Pof3d

FEWEST, DEPTHS = 2, "depths"
KINDS: tuple[Poses, ...] = ("own", "uniform")


@dataclass(frozen=True, kw_only=True)
class Pof3dEvaluation(EvaluationOptions):
    """Compare a generator's samples with photos, and its poses with those that labels tell.

    Distances are named after what looks at the images and after the covariance's divisor: fid_inception2015_n is the
    published FID. Without a file of weights --features look at them, which is no FID.
    Writes metrics.json, metrics.md and metrics.csv. Interrupted, the same line goes on.
    """

    data: Path
    """Folder or zip file of the photos that the generator learned from."""
    weights: str
    """Folder that `monoform train pof3d` or `monoform convert` wrote."""
    generated: int = 50_000
    """Samples of each kind of poses; the published metrics take 50000."""
    reals: int = 0
    """Photos, drawn by the seed; 0 for all, as the published full metrics take."""
    mirror: bool = False
    """Every photo counts mirrored, too."""
    fit: Fit = "none"
    """Of photos that are not square: none, crop or pad, as in the training."""
    label_fov: float | None = None
    """Field of view in degrees where the photos have no labels, as in the training."""
    poses: Literal["own", "uniform", "both"] = "both"
    """Poses of the samples: own, chosen by the generator; uniform, all around; both, one set of samples each."""
    truncation: float = 1.0
    """Of the samples; the published metrics take 1."""
    noise: Literal["random", "const"] = "random"
    """In the layers and along rays: random as published, or const."""
    features: OwnFeatures = "pyramid"
    """What looks at the images where no file of weights is given: a pyramid of colors and details, or the backbone of
    the mask network that ships."""
    inception: Path | None = None
    """Weights of the 2015 Inception network (pt_inception-2015-12-05-6726825d.pth), for FID, KID and the score."""
    resizing: Resizing = "tensorflow"
    """To Inception's size: tensorflow, as the published metrics do; pytorch, as pytorch-fid does."""
    vgg: Path | None = None
    """Torchvision's VGG-16 weights (vgg16-397923af.pth), for precision and recall as published."""
    covariance: Divisor = "n"
    """Divisor of covariances: n as the published metrics take, n-1 as pytorch-fid takes."""
    world_up: Up = "y"
    """Axis of the labels' world that points up."""
    reflect: bool = True
    """Compare poses after a reflection where that is closer: photos alone do not tell left from right."""
    depths: Path | None = None
    """Folder of true depth maps of photos, NAME.npy (along z; 0 or NaN where there is nothing): each such photo is
    looked for among the samples, and the depth found is compared."""
    depth_photos: int = 20
    """At most so many photos with a depth map."""
    depth_steps: int = 200
    """Updates of each such photo's styles and pose."""
    batch: int = 8
    """Samples at once."""
    block: int = 100
    """Images that one worker takes at a time and whose results are kept together."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_range("--generated", self.generated, FEWEST, 10_000_000)
        require_range("--reals", self.reals, 0, 100_000_000)
        require_range("--truncation", self.truncation, -10, 10)
        require_range("--depth-photos", self.depth_photos, 1, 1_000_000)
        require_range("--depth-steps", self.depth_steps, 1, 100_000)
        require_range("--batch", self.batch, 1, 10_000)
        require_range("--block", self.block, 1, 100_000)


class SamplesAndPhotos(ImageBlocks):
    """Samples beside photos.

    Args:
        sources: `photos`, and samples by the kind of their poses.
        nets: each with what is measured of its features.
        options: how.
        weights: SHA-256 of the generator's file.
    """

    def __init__(
        self,
        sources: Mapping[str, ImageSource],
        nets: Mapping[FeatureNet, tuple[Measure, ...]],
        options: Pof3dEvaluation,
        weights: str = "",
    ) -> None:
        sizes = {name: 1 if name == DEPTHS else options.block for name in sources}  # one takes minutes
        super().__init__(sources, tuple(nets), size=sizes, weights=weights)
        self.measures, self.options = dict(nets), options

    @classmethod
    def open(cls, asked: Pof3dEvaluation) -> SamplesAndPhotos:
        """The protocol that is asked for.

        Raises:
            InputError: weights or photos cannot be used.
        """
        method = Pof3d(Pof3dOptions(weights=asked.weights)).to(device_named(asked.device))
        net, config = method.net, method.net.config
        images = ImageSet(
            asked.data,
            resolution=config.resolution,
            label_fov=asked.label_fov,
            fit=None if asked.fit == "none" else asked.fit,
            max_size=asked.reals or None,
            seed=asked.seed,
            mirrored=asked.mirror,
            at_least=FEWEST,
        )
        sources: dict[str, ImageSource] = {
            "photos": Photos(images, net, method.critic, up=asked.world_up, batch=asked.batch)
        }
        for poses in KINDS:
            if asked.poses in (poses, "both"):
                sources[poses] = Samples(
                    net,
                    asked.generated,
                    poses=poses,
                    truncation=asked.truncation,
                    random=asked.noise == "random",
                    labels=images if images.has_labels else None,
                    seed=asked.seed,
                    batch=asked.batch,
                )
        if asked.depths is not None:
            sources[DEPTHS] = Depths(
                images,
                asked.depths,
                net,
                method.critic,
                count=asked.depth_photos,
                steps=asked.depth_steps,
                seed=asked.seed,
            )
        return cls(sources, _nets(asked), asked, weights_digest(asked.weights))

    def together(self, out: Path, contents: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
        """All distances; those of samples from uniform poses end in _uniform."""
        real = self.arrays(out, contents, "photos")
        found: dict[str, float] = {}
        for kind in [name for name in self.sources if name in KINDS]:
            made = self.arrays(out, contents, kind)
            own: dict[str, float] = {"beyond_poles": float(made["outside"].mean())}
            for net, measures in self.measures.items():
                own |= image_distances(
                    net,
                    features_in(real, net),
                    features_in(made, net),
                    measures=measures,
                    divisor=self.options.covariance,
                    seed=self.options.seed,
                )
            own |= _pose_scores(real["pose"], made["pose"], self.options.reflect)
            found |= {f"{name}{'' if kind == 'own' else '_uniform'}": value for name, value in own.items()}
        if DEPTHS in self.sources:
            depths = self.arrays(out, contents, DEPTHS)
            found |= {f"depth_{name}": float(depths[name].mean()) for name in ("standard", "scale", "iou")}
        return found | _told_scores(real, self.options.reflect)


def _nets(asked: Pof3dEvaluation) -> dict[FeatureNet, tuple[Measure, ...]]:
    """Inception for distances and the score; VGG-16 for precision and recall alone; our own where neither is."""
    device, nets = device_named(asked.device), dict[FeatureNet, tuple[Measure, ...]]()
    if asked.inception is not None:
        name: FeatureName = "inception" if asked.resizing == "tensorflow" else "inception-pytorch"
        inception = open_features(name, asked.inception, device=device)
        nets[inception] = MEASURES if asked.vgg is None else ("frechet", "kernel", "score")
    if asked.vgg is not None:
        nets[open_features("vgg16", asked.vgg, device=device)] = ("precision",)
    return nets or {open_features(asked.features, device=device): MEASURES}


def _pose_scores(true: np.ndarray, made: np.ndarray, reflect: bool) -> dict[str, float]:
    """Nothing where no photo's pose is known."""
    known = true[np.isfinite(true).all(axis=1)]
    return pose_distances(known, made, reflect=reflect) if len(known) else {}


def _told_scores(real: Mapping[str, np.ndarray], reflect: bool) -> dict[str, float]:
    """How far the discriminator's poses of the photos are from the true ones, where it is there and they are known."""
    both = np.isfinite(real["pose"]).all(axis=1) & np.isfinite(real["told"]).all(axis=1)
    return pose_errors(real["pose"][both], real["told"][both], reflect=reflect) if both.any() else {}


EVALUATION = Evaluation(
    "FID and other distances of samples from photos, and of poses from true ones",
    Pof3dEvaluation,
    partial(evaluate, SamplesAndPhotos.open),
)
