"""`monoform evaluate pictures`: pictures that any program has rendered against the true ones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
import tyro
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ..data.posed.objects import PosedObjects
from ..data.posed.open import open_posed
from ..data.posed.view_lists import read_view_list
from ..devices import device_named
from ..errors import InputError
from ..inputs import read_pixels, require_folder
from ..inputs.listing import PICTURE_SUFFIXES, listed
from ..inputs.several import ViewNumbers
from ..metrics import psnr, ssim
from ..metrics.evaluation import Evaluation, EvaluationOptions, Protocol, evaluate
from ..metrics.lpips import Lpips
from .figures import PERFECT

RATIO = 0.02  # relative difference of the sides' ratios, above which a picture shows another part of the scene


@dataclass(frozen=True, kw_only=True)
class PictureEvaluation(EvaluationOptions):
    """Measure pictures that are there already, ours or another program's, against the true ones: PSNR, SSIM, LPIPS.

    Nothing is rendered. The pictures of an object lie in PICTURES/OBJECT or PICTURES/CATEGORY_OBJECT, as `evaluate
    pixelnerf` and the programs of pixelNeRF's authors leave them; those of a single object may lie in PICTURES itself.
    With --data a picture's name is the number of its view (000064.png), with --truth it is that of the true one.
    Pictures without a true one, and objects without pictures, are left out and named. True pictures are brought to the
    size of those that are measured. Writes metrics.json, metrics.md and metrics.csv. Interrupted, the same line goes
    on.
    """

    pictures: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="PICTURES")]
    """Folder of what is measured."""
    data: Path | None = None
    """A data set in one of the published layouts, which holds the true pictures; see `monoform prepare check`."""
    truth: Path | None = None
    """Or a folder of true pictures that is laid out as PICTURES is; transparent ones stand on white."""
    split: Literal["train", "val", "test"] = "test"
    """Of the data set."""
    format: Literal["auto", "srn", "dvr", "dtu", "two_object", "captures"] = "auto"
    """Of the data set; auto tells it by its files."""
    unseen: bool = False
    """For dvr: the lists of the unseen categories."""
    sources: ViewNumbers = ()
    """Source views of every object, which are left out, for instance 64 104."""
    source_list: Path | None = None
    """Source views by object, left out, too: lines of a category, an object and its views."""
    targets: ViewNumbers = ()
    """Views to measure, for instance 0 24-40. Default: all."""
    exclude: ViewNumbers = ()
    """Further views to leave out; dtu: those with bad exposures, 3-7 16-21 36-39."""
    lpips: Annotated[tuple[Path, Path] | None, tyro.conf.arg(metavar="VGG16 LIN")] = None
    """Measure LPIPS too: torchvision's VGG-16 weights, and the linear layers of LPIPS v0.1."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.data is None) == (self.truth is None):
            raise InputError("Pictures need true ones to compare with: give either --data or --truth.")
        numbered = [name for name in ("sources", "source_list", "targets", "exclude") if getattr(self, name)]
        if self.data is None and numbered:
            flag = numbered[0].replace("_", "-")
            raise InputError(f"--{flag} names views of a data set by their numbers: give --data, or leave it out.")


class Truth(ABC):
    """True pictures of objects.

    Attributes:
        names: of all objects, CATEGORY/OBJECT or OBJECT.
    """

    names: Sequence[str]

    @abstractmethod
    def names_of(self, name: str) -> Mapping[str, str]:
        """Of each picture of an object that is measured, by the stem of its file, what the tables call it."""

    @abstractmethod
    def read(self, name: str, stem: str) -> Float[Tensor, "h w 3"]:
        """A true picture, sRGB 0..1."""

    def spelled(self, stem: str) -> str:
        """The stem of a measured picture as the true ones spell it."""
        return stem


class TrueViews(Truth):
    """Views of a data set by their numbers."""

    def __init__(self, objects: PosedObjects, options: PictureEvaluation) -> None:
        self.objects, self.options, self.names = objects, options, objects.keys
        self.left_out = set(options.sources) | set(options.exclude)
        self.listed = {} if options.source_list is None else read_view_list(options.source_list)

    def names_of(self, name: str) -> Mapping[str, str]:
        """As `Truth.names_of`."""
        if self.options.source_list is not None and name not in self.listed:
            raise InputError(f"the view list has no line for {name}.")
        left_out = self.left_out | set(self.listed.get(name, ()))
        views = range(self.objects.view_count(self.objects.index(name)))
        wanted = [
            view
            for view in views
            if view not in left_out and (not self.options.targets or view in self.options.targets)
        ]
        return {str(view): f"{view:06d}" for view in wanted}

    def read(self, name: str, stem: str) -> Float[Tensor, "h w 3"]:
        """As `Truth.read`."""
        return self.objects.load(self.objects.index(name), [int(stem)]).images[0]

    def spelled(self, stem: str) -> str:
        """As `Truth.spelled`: numbers may have leading zeros."""
        return str(int(stem)) if stem.isascii() and stem.isdigit() and len(stem) < 10 else stem


class TruePictures(Truth):
    """Files of a folder by their names."""

    def __init__(self, root: Path) -> None:
        self.folders = _folders_of_pictures(root)
        self.names = list(self.folders)

    def names_of(self, name: str) -> Mapping[str, str]:
        """As `Truth.names_of`."""
        return {stem: stem for stem in _pictures(self.folders[name])}

    def read(self, name: str, stem: str) -> Float[Tensor, "h w 3"]:
        """As `Truth.read`."""
        return _read(_pictures(self.folders[name])[stem])


class Pictures(Protocol):
    """Pictures against the true ones; scores are means over an object's pictures, then over objects.

    Args:
        folders: of the pictures, by what the truth calls their objects.
        truth: the true pictures.
        lpips: the perceptual distance; None leaves it out.
    """

    doing = "measuring pictures"

    def __init__(self, folders: Mapping[str, Path], truth: Truth, lpips: Lpips | None) -> None:
        self.folders, self.truth, self.lpips = folders, truth, lpips
        self.names = [name for name in truth.names if name in folders]
        self.skipped = [f"{name}: there is no folder of its pictures." for name in truth.names if name not in folders]

    @classmethod
    def open(cls, asked: PictureEvaluation) -> Pictures:
        """The protocol that is asked for.

        Raises:
            InputError: there are no pictures, or the truth cannot be read.
        """
        found = _folders_of_pictures(asked.pictures)
        lpips = None if asked.lpips is None else Lpips.load(*asked.lpips).to(device_named(asked.device))
        if asked.truth is not None:
            files = TruePictures(asked.truth)
            return cls(_renamed(found, files), files, lpips)
        assert asked.data is not None
        first = _read(next(iter(_pictures(next(iter(found.values()))).values())))
        size = (first.shape[0], first.shape[1])
        objects = open_posed(asked.data, asked.split, format=asked.format, unseen=asked.unseen, size=size)
        truth = TrueViews(objects, asked)
        return cls(_renamed(found, truth), truth, lpips)

    def folder(self, name: str) -> str:
        """One level of folders."""
        return name.replace("/", "_")

    def scores(self, content: Mapping[str, Any]) -> dict[str, float]:
        """Means over the pictures."""
        images = content["images"]
        return {score: float(np.mean([float(one["scores"][score]) for one in images])) for score in images[0]["scores"]}

    def measure(self, number: int, folder: Path) -> dict[str, Any]:
        """Scores of an object's pictures.

        Raises:
            InputError: none has a true one, one cannot be read, or shows another part of the scene.
        """
        del folder
        name = self.names[number]
        truth, wanted = self.truth, self.truth.names_of(name)
        files = {truth.spelled(stem): file for stem, file in _pictures(self.folders[name]).items()}
        images = []
        for stem in wanted.keys() & files.keys():
            scores = self._scores(_read(files[stem]), truth.read(name, stem), files[stem])
            images.append({"view": wanted[stem], "scores": scores})
        if not images:
            raise InputError(f"none of the {len(files)} pictures in {self.folders[name]} has a true one.")
        left = sorted(file.name for stem, file in files.items() if stem not in wanted)
        return {"images": sorted(images, key=lambda image: str(image["view"])), "without_truth": left}

    def _scores(self, picture: Tensor, true: Tensor, file: Path) -> dict[str, float]:
        true = _as_large(true, picture, file)
        found = {"psnr": min(psnr(picture, true), PERFECT), "ssim": ssim(picture, true)}
        return found if self.lpips is None else found | {"lpips": self.lpips(picture, true)}

    def finish(self, out: Path, contents: Mapping[str, Mapping[str, Any]]) -> str | None:
        """How many pictures had no true one, or were left out."""
        del out
        count = sum(len(content.get("without_truth", ())) for content in contents.values())
        pictures = sum(len(content["images"]) for content in contents.values())
        return f"{pictures} pictures measured, {count} more without a true one or left out.\n" if count else None


def _renamed(found: Mapping[str, Path], truth: Truth) -> dict[str, Path]:
    """Folders by what the truth calls their objects: CATEGORY/OBJECT, or CATEGORY_OBJECT, or OBJECT where it is alone.

    One folder and one object belong together whatever they are called.
    """
    if len(found) == 1 and len(truth.names) == 1:
        return {truth.names[0]: next(iter(found.values()))}
    alone = Counter(name.rpartition("/")[2] for name in truth.names)
    matched: dict[str, Path] = {}
    for name in truth.names:
        last = name.rpartition("/")[2]
        spellings = (name, name.replace("/", "_"), *((last,) if alone[last] == 1 else ()))
        folder = next((found[spelled] for spelled in spellings if spelled in found), None)
        if folder is not None:
            matched[name] = folder
    return matched


def _folders_of_pictures(root: Path) -> dict[str, Path]:
    """Folders that hold pictures, by their names below the root, two levels at most; the root itself by its own name.

    Raises:
        InputError: there are none.
    """
    require_folder(root, "folder of pictures")
    if _pictures(root):
        return {root.resolve().name: root}
    below = [folder for folder in listed(root) if folder.is_dir()]
    folders = [*below, *(inner for folder in below for inner in listed(folder) if inner.is_dir())]
    found = {folder.relative_to(root).as_posix(): folder for folder in folders if _pictures(folder)}
    if not found:
        raise InputError(f"{root} holds no pictures ({', '.join(PICTURE_SUFFIXES)}), nor do the folders in it.")
    return found


def _pictures(folder: Path) -> dict[str, Path]:
    """Files by their stems, without depths and comparisons that stand beside them."""
    files = listed(folder, PICTURE_SUFFIXES)
    return {file.stem: file for file in files if not file.stem.endswith(("_depth", "_depth_norm", "_compare"))}


def _read(file: Path) -> Float[Tensor, "h w 3"]:
    """sRGB 0..1, on white where it is transparent."""
    pixels = torch.from_numpy(read_pixels(file, "RGBA").astype(np.float32) / 255)
    return pixels[..., :3] * pixels[..., 3:] + 1 - pixels[..., 3:]


def _as_large(true: Float[Tensor, "h w 3"], picture: Float[Tensor, "i j 3"], file: Path) -> Float[Tensor, "i j 3"]:
    """A true picture, areas averaged down to the size of another."""
    (height, width), (rows, columns) = true.shape[:2], picture.shape[:2]
    if (height, width) == (rows, columns):
        return true
    if rows > height or columns > width or abs(columns * height / (rows * width) - 1) > RATIO:
        raise InputError(f"{file} has {columns} x {rows} pixels, the true one {width} x {height}: render it as large.")
    smaller = functional.interpolate(true.permute(2, 0, 1)[None], (rows, columns), mode="area")[0]
    return smaller.permute(1, 2, 0)


EVALUATION = Evaluation(
    "pictures that are there against the true ones", PictureEvaluation, partial(evaluate, Pictures.open)
)
