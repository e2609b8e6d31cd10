"""Scenes photographed by known cameras as a posed data set: transforms.json, LLFF, COLMAP, one or a folder of them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ...camera import Camera
from ...errors import InputError
from ...inputs import listed
from ...inputs.remote import AnyPath
from ..captures.capture import Capture, CaptureView
from ..captures.geometry import content_sphere
from ..captures.images import read_counted, read_image
from ..captures.open import detect_capture, open_capture
from .files import boxes_of
from .objects import Place, PosedObject, PosedObjects
from .srn import SPLITS, Split

HELD_OUT = 8  # every eighth scene is for judging, where there are so many
AROUND = 1.25  # radii before and behind the content in which rays are sampled
NEAREST = 0.05  # of the content's radius
FARTHEST = 20.0  # radii behind the content, where a capture says how far it sees


class NothingHeldOut(InputError):
    """There is nothing for a split."""


class CaptureScenes(PosedObjects):
    """Reader of one split; what a scene shows is brought into a sphere around the origin.

    Folders train, val and test hold the scenes of their split. Without them every eighth scene is for judging; of fewer
    scenes the photos that they hold out are, where these are two at least. Views are numbered as a capture lists them.

    Args:
        data: a capture, or a folder of captures.
        size: (height, width) in pixels whose longer side the photos' longer side is brought to; all have the shape of
            the first. None leaves them as they are, as long as they have one size.
        radius: of the sphere, in the world that comes out.

    Raises:
        InputError: there is no capture, one cannot be read, or the split has none.
    """

    def __init__(
        self,
        data: str | Path,
        split: Split = "train",
        *,
        size: tuple[int, int] | None = None,
        radius: float = 0.5,
    ) -> None:
        if split not in SPLITS:
            raise InputError(f"There is no split {split!r}; choose one of {', '.join(SPLITS)}.")
        self._radius = radius
        self._captures: dict[str, tuple[Capture, list[CaptureView]]] = {}
        for folder, held_out in _of_split(Path(data), split):
            capture = open_capture(folder)
            views = list(capture.views) if held_out is None else _views_of(capture, split)
            if len(views) > (held_out is not None and split != "train"):
                self._captures[folder.name] = (capture, views)
        if not self._captures:
            raise NothingHeldOut(f"{data} has no scene, and no two photos of one, for the split {split}.")
        super().__init__([Place(capture.root, name) for name, (capture, _) in self._captures.items()])
        first = self._captures[self._places[0].name][1][0].camera
        share = 1.0 if size is None else min(1.0, max(size) / max(first.width, first.height))
        self._size = max(1, round(share * first.width)), max(1, round(share * first.height))
        limits = [self._placed(place)[1:] for place in self._places]
        self.near, self.far = min(near for near, _ in limits), max(far for _, far in limits)

    def _image_files(self, place: Place) -> list[AnyPath]:
        return [view.image for view in self._captures[place.name][1]]

    def _read(self, place: Place, files: list[AnyPath], views: list[int]) -> PosedObject:
        chosen = [self._captures[place.name][1][view] for view in views]
        images, inside = zip(*(_composited(view, self._size) for view in chosen), strict=True)
        cameras, near, far = self._placed(place)
        own = Camera(cameras.world_from_camera[views], cameras.intrinsics[views], cameras.width, cameras.height)
        masks = None if any(mask is None for mask in inside) else np.stack(inside)
        stacked = torch.from_numpy(np.stack(images))
        seen = self._seen(
            place,
            views,
            stacked,
            own,
            None if masks is None else torch.from_numpy(masks[..., None]),
            None if masks is None else boxes_of(masks > 0, (1.0, 1.0)),
        )
        return replace(seen, near=near, far=far)

    def _placed(self, place: Place) -> tuple[Camera, float, float]:
        """All cameras with the content around the origin, and where rays begin and end."""
        capture, views = self._captures[place.name]
        center, radius = content_sphere(capture)
        scale = self._radius / radius
        cameras = Camera.concatenate([view.camera.resized(*self._size) for view in views])
        poses = cameras.world_from_camera.clone()
        poses[:, :3, 3] = scale * (poses[:, :3, 3] - poses.new_tensor(center))
        distance = poses[:, :3, 3].norm(dim=-1)
        near = float(distance.min()) - AROUND * self._radius
        far = float(distance.max()) + AROUND * self._radius
        if capture.near_far is not None:
            near = 0.9 * scale * float(capture.near_far[:, 0].min())
            far = min(
                1.1 * scale * float(capture.near_far[:, 1].max()), float(distance.max()) + FARTHEST * self._radius
            )
        near = max(near, NEAREST * self._radius)
        return replace(cameras, world_from_camera=poses), near, max(far, 2 * near)


def captures_in(data: Path) -> dict[str, PosedObjects]:
    """A reader for each split that has scenes or photos, in the photos' own size."""
    readers: dict[str, PosedObjects] = {}
    for split in SPLITS if _by_folders(data) else SPLITS[:2]:
        with suppress(NothingHeldOut):
            readers[split] = CaptureScenes(data, split)
    return readers


def has_captures(data: Path) -> bool:
    """Whether a folder is a capture, or one of captures."""
    return data.is_dir() and any(_folders(data, split) for split in ("", *SPLITS))


def _by_folders(data: Path) -> bool:
    """Whether there are folders of splits."""
    return detect_capture(data) is None and any(_folders(data, split) for split in SPLITS)


def _folders(data: Path, split: str) -> list[Path]:
    """The capture itself, or those in the folder, or in that of a split."""
    root = data / split if split else data
    if not root.is_dir():
        return []
    if detect_capture(root) is not None:
        return [root]
    return [folder for folder in map(Path, listed(root)) if folder.is_dir() and detect_capture(folder) is not None]


def _of_split(data: Path, split: Split) -> list[tuple[Path, bool | None]]:
    """The captures of a split; with each, whether its own photos are split, or None where all of them count."""
    if _by_folders(data):
        return [(folder, None) for folder in _folders(data, split)]
    folders = _folders(data, "")
    if not folders:
        raise InputError(
            f"{data} holds no capture: give a folder with a transforms.json, a poses_bounds.npy (LLFF) or sparse/0 "
            "(COLMAP), or a folder of such folders."
        )
    if len(folders) < HELD_OUT:
        return [(folder, True) for folder in folders]
    held_out = folders[HELD_OUT - 1 :: HELD_OUT]
    return [(folder, None) for folder in folders if (folder in held_out) == (split != "train")]


def _views_of(capture: Capture, split: Split) -> list[CaptureView]:
    """Photos to learn from, or all that are held out: a capture has a few of these, whatever it calls them."""
    return capture.of_split("train") if split == "train" else capture.of_split("val", "test")


def _composited(view: CaptureView, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray | None]:
    """The photo before white, and the share of each pixel that counts, or None where all do."""
    pixels, counted = read_image(view, size), read_counted(view, size)
    alpha = pixels[..., 3] if pixels.shape[2] == 4 else None
    if counted is not None:
        alpha = counted.astype(np.float32) * (1.0 if alpha is None else alpha)
    colors = np.ascontiguousarray(pixels[..., :3], dtype=np.float32)
    if alpha is None:
        return colors, None
    return colors * alpha[..., None] + (1.0 - alpha[..., None]), alpha
