"""Evaluation of pixelNeRF by its paper's protocol (Yu et al. 2021, section 5): new views from given source views."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch.nn import functional

from ...camera import Camera
from ...data.posed.objects import PosedObject, PosedObjects
from ...errors import InputError
from ...metrics import psnr, ssim
from ...metrics.evaluation import evaluation, read_scores
from ...metrics.table import ObjectScores, markdown_of, summary_of
from ...outputs import Kind, atomic_file, atomic_folder, atomic_stream, require_name, save_picture
from ...ranges import LARGEST_SEED, require_range
from .cameras import published_rays
from .config import Sampling, for_evaluation
from .fast import FastImage, FastOptions, render_image
from .fast_field import FastField
from .model import PixelNerfNet
from .pixels import truncate_to_8_bit

SCORES, SUMMARY, TABLE = "scores.json", "metrics.json", "metrics.md"
OBJECT = Kind("rendered object", SCORES, pattern=r"\d{6,}(_depth|_compare)?\.(png|npy)|scores\.json")
COARSE_ONLY = Sampling(coarse=64, fine=128, depth=16)
Distance = Callable[[Float[torch.Tensor, "h w 3"], Float[torch.Tensor, "h w 3"]], float]


@dataclass(frozen=True)
class EvaluationOptions:
    """What is rendered and compared.

    Attributes:
        sources: source views of every object; -1 stands for one at random.
        listed: source views by object, in place of `sources`.
        targets: views to render; none for all.
        excluded: views that are no targets.
        include_sources: render the source views too.
        quick: one random target of each object.
        coarse: the coarse network alone, with more samples.
        scale: size of the pictures, of the data's.
        depth: write the depth of each pixel too.
        compare: write source, truth and rendering side by side.
        seed: of what is random.
        render: what the renderer leaves out.
    """

    sources: tuple[int, ...] = (64,)
    listed: Mapping[str, tuple[int, ...]] | None = None
    targets: tuple[int, ...] = ()
    excluded: tuple[int, ...] = ()
    include_sources: bool = False
    quick: bool = False
    coarse: bool = False
    scale: float = 1.0
    depth: bool = False
    compare: bool = False
    seed: int = 0
    render: FastOptions = field(default_factory=FastOptions)

    def __post_init__(self) -> None:
        require_range("--seed", self.seed, 0, LARGEST_SEED)
        if not 0 < self.scale <= 4:
            raise InputError(f"The scale of the pictures is {self.scale}; it must lie in 0..4.")
        if not self.sources and self.listed is None:
            raise InputError("An evaluation needs source views: give their numbers, or a list.")

    def sources_of(self, content_key: str, views: int, generator: torch.Generator) -> list[int]:
        """The source views of an object."""
        if self.listed is not None:
            if content_key not in self.listed:
                raise InputError(f"The view list has no line for {content_key}.")
            return list(self.listed[content_key])
        drawn = torch.randperm(views, generator=generator).tolist()
        return [drawn.pop() if view == -1 else view for view in self.sources]

    def targets_of(self, sources: Sequence[int], views: int, generator: torch.Generator) -> list[int]:
        """The views that are rendered."""
        left_out = set(self.excluded) | (set() if self.include_sources else set(sources))
        chosen = [view for view in (self.targets or range(views)) if view not in left_out]
        if self.quick and chosen:
            chosen = [chosen[int(torch.randint(len(chosen), (1,), generator=generator))]]
        return chosen


def evaluate(
    net: PixelNerfNet,
    objects: PosedObjects,
    out: str | Path,
    options: EvaluationOptions | None = None,
    *,
    perceptual: Distance | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> dict[str, Any]:
    """Render every object of a data set into `out`/[CATEGORY_]NAME/NNNNNN.png and compare; finished objects are kept.

    Scores are means over an object's images, then over objects: `psnr` and `ssim` of the 8-bit files, as the paper
    prints them; `psnr_float` and `ssim_float` before they are rounded; `lpips` where `perceptual` is given.

    Args:
        perceptual: LPIPS of two images 0..1.
        progress: called with how many objects are finished, of how many, and the last one's name.

    Raises:
        InputError: a view is not there, or `out` holds another evaluation.
    """
    options = options or EvaluationOptions()
    folders = _folders(objects.keys)
    rows, skipped = [], dict(objects.skipped)
    with evaluation(out, options) as place:
        for number, key in enumerate(objects.keys):
            folder = place / folders[number]
            if not (folder / SCORES).is_file():
                with atomic_folder(folder, OBJECT) as draft:
                    scores = _one(net, objects, number, draft, options, perceptual)
                    (draft / SCORES).write_text(json.dumps(scores, indent=2))
            rows.append(_row(key, read_scores(folder, SCORES)))
            if progress is not None:
                progress(number + 1, len(objects), key)
        summary = summary_of(rows) | {"skipped": skipped}
        for name, text in ((SUMMARY, json.dumps(summary, indent=2)), (TABLE, markdown_of(summary))):
            with atomic_file(place / name) as file:
                file.write_text(text, encoding="utf-8")
    return summary


def _folders(keys: Sequence[str]) -> list[str]:
    """A folder's name for each object.

    Raises:
        InputError: a key is no name, or two objects would share a folder.
    """
    names = [require_name(key.replace("/", "_")) for key in keys]
    for name, count in Counter(names).items():
        if count > 1:
            raise InputError(f"{count} objects would be written to {name}: rename one of them or its category.")
    return names


def _row(key: str, content: dict[str, Any]) -> ObjectScores:
    """The scores of a finished object.

    Raises:
        InputError: they are damaged.
    """
    category, _, name = key.rpartition("/")
    try:
        images = content["images"]
        names = images[0]["scores"] if images else {}
        means = {score: float(np.mean([float(image["scores"][score]) for image in images])) for score in names}
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise InputError(f"The scores of {key} are damaged: remove its folder to evaluate it again.") from error
    return ObjectScores(name, category, len(images), means)


def _one(
    net: PixelNerfNet,
    objects: PosedObjects,
    number: int,
    folder: Path,
    options: EvaluationOptions,
    perceptual: Distance | None,
) -> dict[str, Any]:
    """Render and score one object."""
    generator = torch.Generator().manual_seed(options.seed * 1_000_003 + number)
    views, key = objects.view_count(number), objects.keys[number]
    sources = options.sources_of(key, views, generator)
    targets = options.targets_of(sources, views, generator)
    source, content = objects.load(number, sources), objects.load(number, targets or [0])
    field = encode_object(net, source, options.render)
    images = []
    for index, view in enumerate(targets):
        camera, true = resized(content, index, options.scale)
        seen = render_view(net, field, camera, content, options, generator)
        picture = seen.rgb.clamp(0, 1)
        written = to_bytes(net, picture)
        save_picture(Image.fromarray(written), folder / f"{view:06d}.png")
        if options.depth:
            with atomic_stream(folder / f"{view:06d}_depth.npy") as stream:
                np.save(stream, seen.depth.numpy())
        if options.compare:
            row = torch.cat((resized(source, 0, options.scale)[1], true, picture), dim=1)
            save_picture(Image.fromarray(to_bytes(net, row)), folder / f"{view:06d}_compare.png")
        images.append({"view": view, "scores": scores_of(picture, written, true, net, perceptual)})
    return {"sources": sources, "images": images}


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
    options: EvaluationOptions,
    generator: torch.Generator,
) -> FastImage:
    """One image of a field; random where the original is, else from even samples."""
    return render_image(
        net,
        field,
        published_rays(camera, content.near, content.far)[0],
        sampling=_sampling(net, options.coarse),
        generator=generator if net.config.compat.random_rendering else None,
        options=options.render,
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
