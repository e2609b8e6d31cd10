"""`monoform evaluate realfusion`: result folders of any method against their photos."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import tyro

from ..devices import device_named
from ..errors import InputError
from ..guidance.clip import open_clip
from ..inputs import require_folder
from ..metrics import psnr
from ..metrics.evaluation import Evaluation, EvaluationOptions, Protocol, evaluate
from ..metrics.lpips import Lpips
from ..ranges import require_range
from ..scene import load as load_result
from ..scene.result_files import RESULT, read_summary
from .evaluate_co3d import Match, against_sequence, matches
from .figures import PERFECT, at_photo, clip_similarity

FOREIGN = "none of CO3D's: give it as CO3D/CATEGORY/SEQUENCE/images/PHOTO, or name the result's folder SEQUENCE."
LEFT_OUT = "LPIPS needs --vgg and --lpips, similarity to CLIP needs --clip: "


@dataclass(frozen=True, kw_only=True)
class ResultEvaluation(EvaluationOptions):
    """Measure result folders of any method against their photos.

    PSNR and LPIPS at the photo's view, and CLIP similarity of views all around to the photo. With --data, of photos of
    CO3D: F-scores against the point cloud of the photo's sequence, and CLIP similarity to its other photos.
    The meshes of the results are measured; figures whose networks are not given are left out. Writes metrics.json,
    metrics.md and metrics.csv. Interrupted, the same line goes on.
    """

    results: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RESULTS")]
    """A result folder, or a folder of them, or of folders of them (CATEGORY/RESULT)."""
    clip: str = ""
    """Folder or hub id of a CLIP model, as transformers keeps it."""
    vgg: Path | None = None
    """torchvision's VGG-16 weights, for LPIPS."""
    lpips: Path | None = None
    """The linear layers of LPIPS 0.1 for VGG."""
    size: int = 256
    """Pixels of the longer side of the photo as it is compared, at most its own."""
    data: Path | None = None
    """CO3D's folder, or that of one of its categories, which the photos are of."""
    held_out: int = 8
    """How many other photos of a sequence CLIP sees, evenly spread."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_range("--size", self.size, 16, 4096)
        require_range("--held-out", self.held_out, 1, 1000)


class Results(Protocol):
    """Result folders against their photos.

    Args:
        folders: of results, by the names that the tables give them.
        options: how.
        clip: the model of `open_clip`; None leaves it out.
        lpips: the perceptual distance; None leaves it out.

    Raises:
        InputError: no result is of a photo of the data.
    """

    doing = "measuring results"
    unit = "result"

    def __init__(
        self, folders: Mapping[str, Path], options: ResultEvaluation, clip: Any | None, lpips: Lpips | None
    ) -> None:
        self.names, self.folders, self.options = list(folders), list(folders.values()), options
        self.clip, self.lpips = clip, lpips
        self.matches: dict[Path, Match] = {}
        if options.data is not None:
            self._match(options.data)

    def _match(self, data: Path) -> None:
        """Find the frames that the results are of; categories go before names that have none."""
        sources = {name: _source(folder) for name, folder in zip(self.names, self.folders, strict=True)}
        found = matches(data, sources)
        self.skipped = [f"{name}: its photo {sources[name]} is {FOREIGN}" for name in self.names if name not in found]
        if not found:
            raise InputError(f"No result could be measured with {data}: {self.skipped[0]}")
        kept = [(name, folder) for name, folder in zip(self.names, self.folders, strict=True) if name in found]
        self.matches = {folder: found[name] for name, folder in kept}
        self.names = [name if "/" in name else f"{found[name].sequence.category}/{name}" for name, _ in kept]
        self.folders = [folder for _, folder in kept]

    @classmethod
    def open(cls, asked: ResultEvaluation) -> Results:
        """The protocol that is asked for.

        Raises:
            InputError: there is no result, or a network cannot be read.
        """
        device = device_named(asked.device)
        clip = open_clip(asked.clip, "leave out --clip")[0].to(device) if asked.clip else None
        wanted = asked.vgg is not None or asked.lpips is not None
        lpips = Lpips.load(asked.vgg, asked.lpips).to(device) if wanted else None
        return cls(_result_folders(asked.results), asked, clip, lpips)

    def measure(self, number: int, folder: Path) -> dict[str, float]:
        """Figures of one result.

        Raises:
            InputError: it cannot be read, or has no photo with a mask and a camera.
        """
        del folder
        result = load_result(self.folders[number])
        if not result.can_be_overlaid:
            raise InputError("the result has no photo with its mask and camera; reconstruct it from a photo.")
        drawn, photo = at_photo(result, result.mesh(), self.options.size)
        found = {"psnr": min(psnr(drawn, photo), PERFECT)}
        if self.lpips is not None:
            found["lpips"] = self.lpips(drawn, photo)
        likeness = None if self.clip is None else clip_similarity(self.folders[number], self.clip)
        if likeness is not None:
            found["clip"] = likeness
        match = self.matches.get(self.folders[number])
        if match is not None:
            options = self.options
            found |= against_sequence(
                result, result.mesh(), match, clip=self.clip, held_out=options.held_out, seed=options.seed
            )
        return found

    def finish(self, out: Path, contents: Mapping[str, Mapping[str, Any]]) -> str | None:
        """Which figures are left out for want of a network."""
        del out, contents
        missing = [name for name, net in (("lpips", self.lpips), ("clip", self.clip)) if net is None]
        return f"{LEFT_OUT}no {' and no '.join(missing)} here.\n" if missing else None


def _source(folder: Path) -> str:
    """The photo of a result, as it was given."""
    told = read_summary(folder).get("photo")
    return str(told.get("source", "")) if isinstance(told, dict) else ""


def _result_folders(root: Path) -> dict[str, Path]:
    """Result folders by name: the folder itself, or those in it and in its folders."""
    require_folder(root, "folder of results", advice="give a folder that monoform reconstruct has written")
    if (root / RESULT).is_file():
        return {root.resolve().name: root}
    found = sorted(file.parent for depth in ("*", "*/*") for file in root.glob(f"{depth}/{RESULT}"))
    if not found:
        raise InputError(f"{root} holds no result ({RESULT}); give a folder that monoform reconstruct has written.")
    return {folder.relative_to(root).as_posix(): folder for folder in found}


EVALUATION = Evaluation("result folders against their photos", ResultEvaluation, partial(evaluate, Results.open))
