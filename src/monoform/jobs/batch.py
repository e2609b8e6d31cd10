"""Many photos, each its own object and folder: in parallel, continued where it was left, one failure alone."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import InputError, WriteError
from ..inputs import safe_name
from ..inputs.photo_folders import named_photos
from ..inputs.remote import AnyPath, RemotePath
from ..outputs import distinct, made_parents, remote_folder, sweep
from ..scene.result_files import MESH, RECONSTRUCTED, SavedResult, read_summary
from ..text import printable
from .engines import Engine, Local
from .further_photos import FurtherPhotos
from .posed_photos import PosedPhotos, masks_of
from .reconstruct import reconstruct_to_folder
from .reconstruct_options import ReconstructOptions, request
from .write_result import OVERLAY

Finish = Callable[[Path], object]
RUN = "run"  # what methods call the option that names a folder of checkpoints
TAKEN = ("index.html", "summary.csv", "poses.json")  # what batches write beside the folders


@dataclass(frozen=True)
class Item:
    """One object of a batch.

    Attributes:
        photo: file, URL or address of its photo, or its several photos.
        folder: of its result, or its address.
        mask: file of its mask, or the folder of its masks; None where it has none.
        seed: of its randomness; None: that of the batch.
        beside: masks of other objects of the photo, which share its camera.
    """

    photo: str | PosedPhotos | FurtherPhotos
    folder: AnyPath
    mask: str | None = None
    seed: int | None = None
    beside: tuple[str, ...] = ()

    def options(self, options: ReconstructOptions, *, alone: bool = True) -> ReconstructOptions:
        """Those of the batch as they are for this item.

        Args:
            alone: the folder of checkpoints that they name is for this item alone; else it has one for each item.
        """
        overrides = dict(options.overrides)
        if not alone and overrides.get(RUN):
            overrides[RUN] = str(Path(overrides[RUN]) / self.folder.name)
        seed = options.seed if self.seed is None else self.seed
        return replace(options, seed=seed, overrides=overrides, beside=self.beside)


@dataclass(frozen=True)
class Outcome:
    """What became of one photo.

    Attributes:
        name: of its result folder.
        status: "done", "kept" or "failed".
        message: why it failed, or what to look at.
        seconds: it took.
        iou: of the mask and the rendered shape.
        faces: of the mesh.
        watertight: whether the mesh is closed.
        components: of the mesh.
        mask: where the mask came from.
        folder: of the result.
        psnr: in dB, of its picture and the photo; where results are ranked.
        fog: how far it is no solid thing, 0..1; where results are ranked.
        clip: likeness of its other sides to the photo, -1..1; where results are ranked with CLIP.
        rank: among the results of one photo, from 1.
        confidence: in the mask, 0..1, where a program has found it and says how sure it is.
    """

    name: str
    status: str
    message: str = ""
    seconds: float = 0.0
    iou: float | None = None
    faces: int | None = None
    watertight: bool | None = None
    components: int | None = None
    mask: str | None = None
    folder: str | None = None
    psnr: float | None = None
    fog: float | None = None
    clip: float | None = None
    rank: int | None = None
    confidence: float | None = None

    def row(self) -> dict[str, Any]:
        """The outcome as plain values."""
        return asdict(self)


def plan(photos: Sequence[str], out: AnyPath, masks: str | Sequence[str] | None = None) -> list[Item]:
    """A folder for each photo, named after it; photos of one name get numbers.

    With several masks of one photo a folder for each mask, named after both.

    Args:
        photos: files, URLs, addresses that fsspec knows, and folders of photos.
        out: where the folders go, or its address.
        masks: the mask of a single photo, or several; or a folder with NAME.png or NAME_mask.png for each photo.

    Raises:
        InputError: there is no photo, or no mask where one is asked for.
    """
    if not photos:
        raise InputError("No photo was given: name at least one file or URL.")
    named = named_photos(photos, leave=out)
    if masks is not None and not isinstance(masks, str):
        return _objects(named, out, masks)
    names = distinct((name for _, name in named), TAKEN)
    files = [photo for photo, _ in named]
    found = _masks_for(files, masks)
    return [Item(photo, out / name, mask) for photo, name, mask in zip(files, names, found, strict=True)]


def _objects(named: Sequence[tuple[str, str]], out: AnyPath, masks: Sequence[str]) -> list[Item]:
    """An item for each mask of one photo."""
    if len(named) > 1:
        raise InputError(f"{len(masks)} masks are for one photo, and {len(named)} are given.")
    if folder := next(filter(os.path.isdir, masks), None):
        raise InputError(f"{folder} is a folder: of several masks, each must be the file of one.")
    ((photo, name),) = named
    marks = [safe_name(Path(mask).stem) for mask in masks]
    names = distinct([mark if mark.startswith(f"{name}_") else f"{name}_{mark}" for mark in marks], TAKEN)
    others = [tuple(masks[:index]) + tuple(masks[index + 1 :]) for index in range(len(masks))]
    return [
        Item(photo, out / each, mask, beside=beside) for each, mask, beside in zip(names, masks, others, strict=True)
    ]


def _masks_for(photos: Sequence[str], masks: str | None) -> list[str | None]:
    if masks is None or os.path.isdir(masks):
        return masks_of(photos, masks)
    if len(photos) > 1:
        raise InputError(f"--mask {masks} is one mask for {len(photos)} photos: give a folder with one mask for each.")
    return [masks]


def run(
    items: Sequence[Item],
    options: ReconstructOptions,
    *,
    engine: Engine | None = None,
    device: str | None = None,
    overwrite: bool = False,
    finish: Finish | None = None,
) -> Iterator[Outcome]:
    """Reconstruct every item that has no complete result yet; yield each outcome as it comes.

    Args:
        engine: what computes them; None: this process, one after the other.
        device: where it computes, "auto" too, looked for where the item is; None: that of the options.
        overwrite: reconstruct finished items anew.
    """
    alone = len(items) == 1
    waiting = []
    for item in items:
        own = item.options(options, alone=alone)
        if not overwrite and is_complete(item, own):
            yield _kept(item)
        elif not overwrite and (other := _made_of_another(item)) is not None:
            yield Outcome(item.folder.name, "failed", str(not_replaced(item.folder, other)))
        else:
            waiting.append((item, own))
    with ExitStack() as stack:
        first = waiting[0][0].folder if waiting else None
        if isinstance(first, Path):
            if len(waiting) > 1:  # one of several workers would make it, and leave it to the others
                stack.enter_context(made_parents(first))
            stack.callback(sweep, first.parent, again=True)  # what workers have left that were killed
        each = partial(_run_each, device=device, finish=finish, overwrite=overwrite)
        for _, outcome in (engine or Local())(each, waiting, _lost):
            yield outcome


def is_complete(item: Item, options: ReconstructOptions) -> bool:
    """Whether the item's folder holds a finished result, made from this photo and mask with these options."""
    return kept_result(item.folder, request(item.photo, item.mask, options)) is not None


def kept_result(folder: AnyPath, asked: Mapping[str, Any]) -> dict[str, Any] | None:
    """What result.json of a finished result says, where it is of this request; else None."""
    try:
        summary = read_summary(folder)
        same = summary["request"] == asked
        whole = same and _is_sound(summary) and _has_all(folder, summary["files"])
        return summary if whole else None
    except (InputError, KeyError, TypeError):
        return None


def _has_all(folder: AnyPath, names: Sequence[str]) -> bool:
    if isinstance(folder, RemotePath):  # asked once, not for each file
        return set(names) <= set(folder.names())
    return all((folder / name).is_file() for name in names)


def recorded_request(folder: AnyPath) -> Mapping[str, Any] | None:
    """What the result in a folder was asked for as; None where there is none that tells."""
    try:
        found = read_summary(folder)["request"]
    except (InputError, KeyError, TypeError):
        return None
    return found if isinstance(found, Mapping) else None


def not_replaced(folder: AnyPath, what: str) -> InputError:
    """The sentence about a folder that holds the result of something else."""
    sentence = f"{folder} is the result of {what}: choose another -o, or add --overwrite to replace it."
    return InputError(printable(sentence))


def _made_of_another(item: Item) -> str | None:
    """What the item's folder is a result of, where that is another photo of the same name, or none."""
    asked = recorded_request(item.folder)
    if asked is None or not isinstance(item.photo, str):
        return None
    recorded = asked.get("photo")
    if recorded is None and "photo" in asked:
        return f"a sample of {asked.get('method')}"
    if not isinstance(recorded, str) or recorded == item.photo:
        return None
    try:
        return None if os.path.samefile(recorded, item.photo) else recorded
    except (OSError, ValueError):
        return recorded


def _is_sound(summary: dict[str, Any]) -> bool:
    """Whether what is shown of a kept result is of the kinds that it is written in."""
    mesh, overlay, notices = (summary.get(name) for name in ("mesh", "overlay", "notices"))
    fit = isinstance(overlay, dict) and isinstance(overlay.get("iou"), float)
    counts = ("faces", "watertight", "components")
    whole = isinstance(mesh, dict) and all(isinstance(mesh.get(name), int) for name in counts)
    return (
        (whole or (mesh is None and MESH not in summary["files"]))
        and (fit or (overlay is None and OVERLAY not in summary["files"]))
        and isinstance(notices, list)
        and all(isinstance(notice, str) for notice in notices)
    )


def _run_each(
    asked: tuple[Item, ReconstructOptions],
    *,
    device: str | None = None,
    finish: Finish | None = None,
    overwrite: bool = False,
) -> Outcome:
    """The outcome of an item; one that another process has finished meanwhile is not made again."""
    if not overwrite and is_complete(*asked):
        return replace(_kept(asked[0]), status="done")
    return run_one(*asked, finish, device=device)


def run_one(
    item: Item, options: ReconstructOptions, finish: Finish | None = None, *, device: str | None = None
) -> Outcome:
    """Reconstruct one item; bad input becomes a failed outcome with its sentence.

    Args:
        device: where it computes, looked for now; None: that of the options.

    Raises:
        WriteError: the disk is full.
    """
    start = time.perf_counter()
    try:
        options = options if device is None else replace(options, device=device)
        saved = _saved(item, options, finish)
    except InputError as error:
        if isinstance(error, WriteError) and error.is_full:
            raise  # all further photos would be computed for nothing
        return Outcome(item.folder.name, "failed", printable(error), round(time.perf_counter() - start, 2))
    seconds = round(time.perf_counter() - start, 2)
    return outcome_of(item.folder, "done", saved.summary, seconds)


def _saved(item: Item, options: ReconstructOptions, finish: Finish | None) -> SavedResult:
    if isinstance(item.folder, Path):
        return reconstruct_to_folder(item.photo, item.folder, mask=item.mask, options=options, finish=finish)
    with remote_folder(item.folder, RECONSTRUCTED) as place:
        return reconstruct_to_folder(item.photo, place, mask=item.mask, options=options, finish=finish)


def _lost(asked: tuple[Item, ReconstructOptions], why: str) -> Outcome:
    return Outcome(asked[0].folder.name, "failed", printable(why))


def _kept(item: Item) -> Outcome:
    return outcome_of(item.folder, "kept", read_summary(item.folder), 0.0)


def outcome_of(folder: AnyPath, status: str, summary: Mapping[str, Any], seconds: float) -> Outcome:
    """What became of the object of a result folder."""
    mesh, overlay, mask, figures = (summary.get(name) or {} for name in ("mesh", "overlay", "mask", "figures"))
    return Outcome(
        name=folder.name,
        status=status,
        message=" ".join(summary.get("notices") or ()),
        seconds=seconds,
        iou=overlay.get("iou"),
        faces=mesh.get("faces"),
        watertight=mesh.get("watertight"),
        components=mesh.get("components"),
        mask=mask.get("origin"),
        confidence=mask.get("confidence"),
        folder=folder.name,
        psnr=figures.get("psnr"),
        fog=figures.get("fog"),
    )
