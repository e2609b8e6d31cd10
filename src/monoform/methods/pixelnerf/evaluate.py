"""Evaluation of pixelNeRF by its paper's protocol (Yu et al. 2021, section 5): new views from given source views."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
import tyro
from jaxtyping import Float
from PIL import Image
from torch.nn import functional

from ...camera import Camera
from ...data.posed.objects import PosedObject, PosedObjects
from ...data.posed.open import open_posed
from ...data.posed.view_lists import read_view_list
from ...devices import CPU, device_named, device_of, to_device
from ...errors import InputError
from ...inputs.several import ViewNumbers
from ...metrics import psnr, ssim
from ...metrics.evaluation import Evaluation, EvaluationOptions, Protocol, evaluate
from ...metrics.lpips import Lpips
from ...outputs import atomic_stream, save_picture
from ...outputs.exr import save_exr
from ...ranges import LARGEST_SEED, require_range
from ...training.weights import load_pretrained, weights_digest
from .cameras import published_rays
from .config import PixelNerfConfig, Sampling, for_evaluation
from .fast import FastImage, FastOptions, render_image
from .fast_field import FastField
from .infer import weights_folder
from .model import PixelNerfNet
from .pixels import truncate_to_8_bit

FILES = r"\d{6,}(_depth|_depth_norm|_compare)?\.(png|npy|exr)"
COARSE_ONLY = Sampling(coarse=64, fine=128, depth=16)
Distance = Callable[[Float[torch.Tensor, "h w 3"], Float[torch.Tensor, "h w 3"]], float]


@dataclass(frozen=True)
class NewViewOptions:
    """What is rendered and compared."""

    sources: ViewNumbers = (64,)
    """Source views of every object, for instance 64 104; -1 is one at random."""
    source_list: Path | None = None
    """Source views by object, in place of --sources: lines of a category, an object and its views."""
    targets: ViewNumbers = ()
    """Views to render, for instance 0 24-40. Default: all others."""
    exclude: ViewNumbers = ()
    """Views that are no targets; dtu: those with bad exposures, 3-7 16-21 36-39."""
    include_sources: bool = False
    """Render the source views too."""
    quick: bool = False
    """One random target of each object."""
    coarse: bool = False
    """The coarse network alone, with 64 and 128 samples."""
    scale: float = 1.0
    """Size of the pictures, of the data's."""
    depth: bool = False
    """Write the depths too, along rays in the data's units: NNNNNN_depth.exr and .npy; and NNNNNN_depth_norm.png, from
    the nearest to the farthest of the picture."""
    compare: bool = False
    """Write source, truth and rendering side by side, NNNNNN_compare.png."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the networks."""
    seed: int = 0
    """Seed of all randomness."""

    def __post_init__(self) -> None:
        require_range("--seed", self.seed, 0, LARGEST_SEED)
        if not 0 < self.scale <= 4:
            raise InputError(f"--scale is {self.scale}; it must lie in 0..4.")
        if not self.sources and self.source_list is None:
            raise InputError("An evaluation needs source views: give their numbers, or a list.")

    def sources_of(self, content_key: str, views: int, generator: torch.Generator) -> list[int]:
        """The source views of an object."""
        if self.source_list is not None:
            listed = _view_list(self.source_list)
            if content_key not in listed:
                raise InputError(f"The view list has no line for {content_key}.")
            return list(listed[content_key])
        drawn = torch.randperm(views, generator=generator).tolist()
        return [drawn.pop() if view == -1 else view for view in self.sources]

    def targets_of(self, sources: Sequence[int], views: int, generator: torch.Generator) -> list[int]:
        """The views that are rendered."""
        left_out = set(self.exclude) | (set() if self.include_sources else set(sources))
        chosen = [view for view in (self.targets or range(views)) if view not in left_out]
        if self.quick and chosen:
            chosen = [chosen[int(torch.randint(len(chosen), (1,), generator=generator))]]
        return chosen


@dataclass(frozen=True, kw_only=True)
class PixelNerfEvaluation(NewViewOptions, EvaluationOptions):
    """Render new views of every object of a data set from given source views, and compare them with the true ones.

    Writes OUT/[CATEGORY_]OBJECT/NNNNNN.png, metrics.json, metrics.md and metrics.csv. Interrupted, the same line goes
    on.
    """

    data: Path
    """A data set in one of the published layouts; see `monoform prepare check`."""
    weights: str = ""
    """Folder that `monoform convert` or `monoform train pixelnerf` wrote, or hub:OWNER/NAME; cars: the
    weights of cars that ship. Default: the small weights that ship."""
    split: Literal["train", "val", "test"] = "test"
    """Of the data set."""
    format: Literal["auto", "srn", "dvr", "dtu", "two_object", "captures"] = "auto"
    """Of the data set; auto tells it by its files."""
    unseen: bool = False
    """For dvr: the lists of the unseen categories."""
    lpips: Annotated[tuple[Path, Path] | None, tyro.conf.arg(metavar="VGG16 LIN")] = None
    """Measure LPIPS too: torchvision's VGG-16 weights, and the linear layers of LPIPS v0.1."""


class NewViews(Protocol):
    """New views of every object (Yu et al. 2021, section 5).

    Scores are means over an object's images: `psnr` and `ssim` of the 8-bit files, as the paper measures them,
    `psnr_float` and `ssim_float` of the images before rounding, and LPIPS where `perceptual` is given.

    Args:
        net: the network.
        objects: a split of a data set.
        perceptual: LPIPS.
        weights: SHA-256 of the network's file.
    """

    doing, files = "rendering new views", FILES

    def __init__(
        self,
        net: PixelNerfNet,
        objects: PosedObjects,
        options: NewViewOptions,
        perceptual: Distance | None = None,
        weights: str = "",
    ) -> None:
        self.net, self.objects, self.options, self.perceptual = net, objects, options, perceptual
        self.names, self.skipped, self.weights = objects.keys, tuple(objects.skipped.values()), weights

    @classmethod
    def open(cls, asked: PixelNerfEvaluation) -> NewViews:
        """The protocol that is asked for.

        Raises:
            InputError: weights or data cannot be used.
        """
        folder = weights_folder(asked.weights)
        net, config = load_pretrained(PixelNerfNet, PixelNerfConfig, folder, device=device_named(asked.device))
        domain = config.domain
        objects = open_posed(
            asked.data,
            asked.split,
            format=asked.format,
            unseen=asked.unseen,
            size=domain.size,
            radius=domain.world_radius,
        )
        perceptual = None if asked.lpips is None else Lpips.load(*asked.lpips)
        return cls(net, objects, asked, perceptual, weights_digest(folder))

    def folder(self, name: str) -> str:
        """One level of folders."""
        return name.replace("/", "_")

    def scores(self, content: Mapping[str, Any]) -> dict[str, float]:
        """Means over the images."""
        images = content["images"]
        names = images[0]["scores"] if images else {}
        return {score: float(np.mean([float(image["scores"][score]) for image in images])) for score in names}

    def measure(self, number: int, folder: Path) -> dict[str, Any]:
        """Render and score one object.

        Raises:
            InputError: a view is not there.
        """
        net, objects, options = self.net, self.objects, self.options
        generator = torch.Generator().manual_seed(options.seed * 1_000_003 + number)
        views, key = objects.view_count(number), objects.keys[number]
        sources = options.sources_of(key, views, generator)
        targets = options.targets_of(sources, views, generator)
        if not targets:
            raise InputError("no view is left to be rendered: all targets are sources or left out.")
        source, content = objects.load(number, sources), objects.load(number, targets)
        device = device_of(net)
        field = encode_object(net, to_device(source, device), FastOptions(precision=options.precision))
        images = []
        for index, view in enumerate(targets):
            camera, true = resized(content, index, options.scale)
            seen = to_device(render_view(net, field, camera, content, options, generator), CPU)
            picture = seen.rgb.clamp(0, 1)
            written = to_bytes(net, picture)
            save_picture(Image.fromarray(written), folder / f"{view:06d}.png")
            if options.depth:
                write_depth(seen.depth.numpy(), folder / f"{view:06d}_depth")
            if options.compare:
                row = torch.cat((resized(source, 0, options.scale)[1], true, picture), dim=1)
                save_picture(Image.fromarray(to_bytes(net, row)), folder / f"{view:06d}_compare.png")
            images.append({"view": view, "scores": scores_of(picture, written, true, net, self.perceptual)})
        return {"sources": sources, "images": images}


EVALUATION = Evaluation("new views from given source views", PixelNerfEvaluation, partial(evaluate, NewViews.open))


@lru_cache(maxsize=1)
def _view_list(file: Path) -> Mapping[str, tuple[int, ...]]:
    return read_view_list(file)


def write_depth(depth: Float[np.ndarray, "h w"], stem: Path) -> None:
    """STEM.npy and STEM.exr, and STEM_norm.png: 0 at the least, 255 at the largest."""
    with atomic_stream(stem.with_suffix(".npy")) as stream:
        np.save(stream, depth)
    save_exr(depth, stem.with_suffix(".exr"))
    save_picture(
        Image.fromarray(np.rint(255 * normalized(depth)).astype(np.uint8)), stem.with_name(f"{stem.name}_norm.png")
    )


def normalized(depth: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """0 at the least, 1 at the largest; 0 where all are the same."""
    low, high = depth.min(), depth.max()
    return (depth - low) / (high - low if high > low else 1.0)


def encode_object(net: PixelNerfNet, source: PosedObject, options: FastOptions) -> FastField:
    """The field of an object from its source views."""
    with torch.no_grad():
        return FastField(net, net.encode(source.images[None], source.cameras), precision=options.precision)


def resized(content: PosedObject, index: int, scale: float) -> tuple[Camera, Float[torch.Tensor, "h w 3"]]:
    """A view's camera and picture at another size, areas averaged."""
    camera, image = content.cameras[index], content.images[index]
    if scale == 1:
        return camera, image
    width, height = max(1, int(camera.width * scale)), max(1, int(camera.height * scale))
    smaller = functional.interpolate(image.permute(2, 0, 1)[None], (height, width), mode="area")[0]
    return camera.resized(width, height), smaller.permute(1, 2, 0)


def render_view(
    net: PixelNerfNet,
    field: FastField,
    camera: Camera,
    content: PosedObject,
    options: NewViewOptions,
    generator: torch.Generator,
) -> FastImage:
    """One image of a field; random where the original is, else from even samples."""
    return render_image(
        net,
        field,
        published_rays(camera, content.near, content.far)[0].to(device_of(net)),
        sampling=_sampling(net, options.coarse),
        generator=generator if net.config.compat.random_rendering else None,
        options=FastOptions(precision=options.precision),
    )


def _sampling(net: PixelNerfNet, coarse: bool) -> Sampling:
    sampling = for_evaluation(net.config).sampling
    return replace(COARSE_ONLY, white=sampling.white) if coarse else sampling


def to_bytes(net: PixelNerfNet, image: Float[torch.Tensor, "h w 3"]) -> np.ndarray:
    """8 bits, rounded down where the original is followed, else to the nearest."""
    if net.config.compat.truncate:
        return truncate_to_8_bit(image).numpy()
    return (image * 255).round().to(torch.uint8).numpy()


def scores_of(
    picture: Float[torch.Tensor, "h w 3"],
    written: np.ndarray,
    true: Float[torch.Tensor, "h w 3"],
    net: PixelNerfNet,
    perceptual: Distance | None,
) -> dict[str, float]:
    """All scores of an image."""
    read = torch.from_numpy(written.astype(np.float32) / 255)
    found = {"psnr": psnr(read, true), "ssim": ssim(read, true)}
    if perceptual is not None:
        found["lpips"] = perceptual(read, true)
    return found | {"psnr_float": psnr(picture, true), "ssim_float": ssim(picture, true)}
