"""Meshes rendered into the layouts of published data sets: in parallel, continued where it was left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ...errors import InputError, WriteError
from ...outputs import Claim, Kind, atomic_file, claimed, sweep
from ...progress import work
from ...workers import map_unordered
from ..objects.sources import Source, load_source, request_digest, require_names
from ..posed.dvr import SEEN
from ..posed.srn import SPLITS, Split, bounds_of
from .layout_files import write_nmr_object, write_srn_object
from .layout_photos import RADIUS, photo_cameras, photos_of, write_photo_lists, write_photos_object
from .layout_renderings import renderings_folder, renderings_of, unit_diagonal, write_lists, write_renderings
from .layout_scenes import RADIUS as SCENE_RADIUS
from .layout_scenes import scene_cameras, write_scene_object
from .layout_splits import deal_splits, near_duplicates
from .layout_views import circle_cameras, lit_pictures, scattered_cameras, spiral_cameras

INDEX = "renders.json"
_FORMAT = 1
RENDERS = Kind(
    "rendered data set of monoform",
    INDEX,
    lambda record: () if isinstance(record["splits"], dict) and isinstance(record["left_out"], dict) else None,
    tolerated=frozenset({"isosurface", "sampled_points", "samples.json"}),  # LIST's samples beside its pictures
)
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class LayoutOptions:
    """What is rendered.

    Attributes:
        layout: "srn" (CATEGORY_train/OBJECT/rgb, pose, intrinsics.txt), "nmr" (CATEGORY/OBJECT/image, mask,
            cameras.npz and lists), "p3d" (p3d/p3d_CATEGORY/detections.npy and cameras, photos and test list beside),
            "shapenet" (images/CATEGORY/OBJECT/easy and hard, and lists, as LIST takes them) or "blender"
            (CATEGORY/OBJECT/transforms_train.json and transforms_test.json: a capture of each object).
        views: pictures of each object; of shapenet in each of its two sets; of blender, of those to train on.
        test_views: pictures of each val and test object; None for the same. Of blender, held-out ones of each object.
        size: width and height in pixels.
        samples: each pixel is the mean of samples x samples rays.
        split: "auto" deals the objects to train, val and test; another word puts all there.
        share: of the objects for val, and for test.
        keep_likes: whether near-duplicates of test objects are not looked for.
        seed: of all randomness.
    """

    layout: Literal["srn", "nmr", "p3d", "shapenet", "blender"] = "srn"
    views: int = 50
    test_views: int | None = None
    size: int = 128
    samples: int = 3
    split: Literal["auto", "train", "val", "test"] = "auto"
    share: float = 0.1
    keep_likes: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("views", "test_views", "size", "samples"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"{name} is {value}; it must be at least 1.")
        if not 0 <= self.share < 0.5:
            raise InputError(f"share is {self.share}; it must lie between 0 and 0.5.")
        if self.layout not in ("srn", "nmr", "p3d", "shapenet", "blender"):
            raise InputError(f"There is no layout {self.layout!r}; choose srn, nmr, p3d, shapenet or blender.")

    @property
    def held_out(self) -> int:
        """Of blender: views of each object that are not to train on."""
        return self.views if self.test_views is None else self.test_views


@dataclass(frozen=True)
class Rendered:
    """What has been rendered.

    Attributes:
        counts: objects of each split.
        left_out: objects that were not to be rendered, and why.
        failed: objects that could not be rendered, and why.
    """

    counts: dict[Split, int]
    left_out: dict[str, str]
    failed: dict[str, str]


def render_layout(
    sources: Sequence[Source],
    out: str | Path,
    options: LayoutOptions | None = None,
    *,
    workers: int = 2,
    progress: Progress | None = None,
) -> Rendered:
    """Render every source into the folder `out`; `SrnObjects`, `DvrObjects`, `open_category` or `DisnObjects` read it.

    Each object's folder appears when it is whole; the same call goes on where it was left. `renders.json` keeps the
    options and each object's credit. The pictures do not depend on the number of workers.

    Raises:
        InputError: there is no source, none can be used, or `out` was made with other sources or options.
    """
    options, out = options or LayoutOptions(), Path(out)
    if not sources:
        raise InputError("There is no object to render; give at least one.")
    if workers < 1:
        raise InputError(f"workers is {workers}; it must be at least 1.")
    require_names(sources)
    request = request_digest(_FORMAT, sources, options)
    other = f"{out} was rendered from other meshes or with other options; choose another folder."
    with claimed(out, RENDERS, same=lambda record: record["request"] == request, other=other) as place:
        return _render(place, request, sources, options, workers, progress)


def _render(
    place: Claim,
    request: str,
    sources: Sequence[Source],
    options: LayoutOptions,
    workers: int,
    progress: Progress | None,
) -> Rendered:
    if place.stored is None:
        splits, left_out = _splits(sources, options)
        place.record({"request": request, "options": asdict(options), "splits": splits, "left_out": left_out})
    else:
        splits, left_out = place.stored["splits"], place.stored["left_out"]
    chosen = [source for source in sources if source.name in splits]
    folders = {source.name: _folder(place.folder, source, splits[source.name], options) for source in chosen}
    waiting = [source for source in chosen if not folders[source.name].is_dir()]
    for parent in {folder.parent for folder in folders.values()}:
        sweep(parent, again=True)
    make = partial(_render_object, splits=splits, folders=folders, options=options)
    failed: dict[str, str] = {}
    for number, (source, reason) in enumerate(map_unordered(make, waiting, workers=workers), start=1):
        if reason:
            failed[source.name] = reason
        if progress:
            progress(len(chosen) - len(waiting) + number, len(chosen), source.name)
    made = [source for source in chosen if source.name not in failed]
    if not made:
        first = next(iter(failed.values()), "all are left out of training")
        raise InputError(f"None of the {len(sources)} objects could be rendered; the first: {first}")
    if options.layout == "nmr":
        _write_lists(place.folder, made, splits)
    elif options.layout == "p3d":
        for category in sorted({_category(source) for source in made}):
            own = sorted(source.name for source in made if _category(source) == category)
            test = [name for name in own if splits[name] == "test"]
            write_photo_lists(place.folder, category, [name for name in own if name not in test], test)
    elif options.layout == "shapenet":
        for category in sorted({_category(source) for source in made}):
            own = [source.name for source in made if _category(source) == category]
            dealt = {split: [name for name in own if splits[name] == split] for split in ("train", "test")}
            write_lists(place.folder, category, dealt)
    place.record(_index(request, options, made, splits, left_out, failed))
    counts = {split: sum(splits[source.name] == split for source in made) for split in SPLITS}
    return Rendered(counts, left_out, failed)


def render_views_of(source: Source, split: Split, options: LayoutOptions) -> tuple[np.ndarray, np.ndarray, Any]:
    """(pictures over white, alpha, cameras) of one object.

    SRN: the cameras stand midway between near and far, the object touches both; scattered for training, on a spiral
    for val and test. NMR: on a circle; the object has radius 0.5. P3D: as photos are taken; it has radius 1.2.
    ShapeNet: from all around, a set with the object in the middle and one with it off it; its box has the diagonal 1.
    Blender: over the upper half of a sphere of radius 4, the held-out ones last; it has radius 1.2.

    Raises:
        InputError: its mesh cannot be used.
    """
    mesh = load_source(source, seed=options.seed)
    views = options.views if split == "train" or options.test_views is None else options.test_views
    if options.layout == "nmr":
        cameras = circle_cameras(views, options.size)
    elif options.layout == "blender":
        mesh = replace(mesh, vertices=mesh.vertices * (2 * SCENE_RADIUS))
        generator = source.generator(options.seed + 2)
        cameras = scene_cameras(options.views, options.held_out, options.size, generator=generator)
    elif options.layout == "p3d":
        mesh = replace(mesh, vertices=mesh.vertices * (2 * RADIUS))
        cameras = photo_cameras(views, options.size, generator=source.generator(options.seed + 2))
    elif options.layout == "shapenet":
        mesh = unit_diagonal(mesh)
        made = renderings_of(mesh, views, options.size, generator=source.generator(options.seed + 2))
        return (*lit_pictures(mesh, made.cameras, samples=options.samples), made)
    else:
        near, far = bounds_of(_category(source))
        mesh = replace(mesh, vertices=mesh.vertices * (far - near))
        distance = 0.5 * (near + far)
        if split == "train":
            generator = source.generator(options.seed + 2)
            cameras = scattered_cameras(views, distance, options.size, generator=generator)
        else:
            cameras = spiral_cameras(views, distance, options.size)
    return (*lit_pictures(mesh, cameras, samples=options.samples), cameras)


def _render_object(
    source: Source, *, splits: dict[str, Split], folders: dict[str, Path], options: LayoutOptions
) -> str:
    """Render one object into its folder; the reason if that cannot be done, else empty."""
    try:
        images, alpha, cameras = render_views_of(source, splits[source.name], options)
    except WriteError:
        raise
    except InputError as error:
        return str(error)
    if not (alpha > 0).any():
        return "No pixel of it is seen; its faces may all be of no size."
    if options.layout == "blender":
        write_scene_object(folders[source.name], images, alpha, cameras, options.held_out)
        return ""
    writers: dict[str, Callable[..., None]] = {
        "srn": write_srn_object,
        "nmr": write_nmr_object,
        "p3d": write_photos_object,
        "shapenet": write_renderings,
    }
    writers[options.layout](folders[source.name], images, alpha, cameras)
    return ""


def _splits(sources: Sequence[Source], options: LayoutOptions) -> tuple[dict[str, Split], dict[str, str]]:
    if options.layout == "blender":  # each object has views of both kinds, and nothing is learned across objects
        return {source.name: "train" for source in sources}, {}
    if options.split != "auto":
        return {source.name: options.split for source in sources}, {}
    with work("comparing shapes, so that nothing like a test object is trained on"):
        near = (lambda _name: []) if options.keep_likes else near_duplicates(sources, seed=options.seed)
        splits, left_out = deal_splits(sources, near, share=options.share, seed=options.seed)
    if options.layout in ("p3d", "shapenet"):  # which have no third split
        splits = {name: "train" if split == "val" else split for name, split in splits.items()}
    return splits, left_out


def _category(source: Source) -> str:
    return source.category or "objects"


def _folder(out: Path, source: Source, split: Split, options: LayoutOptions) -> Path:
    category = _category(source)
    if options.layout == "p3d":
        return photos_of(out, category, source.name)
    if options.layout == "shapenet":
        return renderings_folder(out, category, source.name)
    return out / (f"{category}_{split}" if options.layout == "srn" else category) / source.name


def _write_lists(out: Path, made: Sequence[Source], splits: dict[str, Split]) -> None:
    """softras_SPLIT.lst in every category, those without an object empty as in the published data."""
    for category in sorted({_category(source) for source in made}):
        for split in SPLITS:
            names = [s.name for s in made if _category(s) == category and splits[s.name] == split]
            with atomic_file(out / category / f"{SEEN}{split}.lst") as path:
                path.write_text("".join(f"{name}\n" for name in sorted(names)), encoding="utf-8")


def _index(
    request: str,
    options: LayoutOptions,
    made: Sequence[Source],
    splits: dict[str, Split],
    left_out: dict[str, str],
    failed: dict[str, str],
) -> dict[str, Any]:
    objects = [
        {"name": s.name, "category": _category(s), "split": splits[s.name], "licence": s.license, "credit": s.credit}
        for s in made
    ]
    content = {"request": request, "options": asdict(options), "splits": splits, "left_out": left_out}
    return {**content, "objects": objects, "failed": failed}
