"""The way of a camera through a known scene: of a film or of photos in order, each found from the one before."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from ..camera import Camera, stored_camera, transforms_from_cameras
from ..data.captures.transforms import UP_AXIS
from ..errors import InputError
from ..inputs import picture_orientation
from ..inputs.films import FILM_ENDINGS, film_pictures
from ..inputs.photo_folders import named_photos
from ..mesh.texture import to_bytes
from ..metrics.pose import rotation_error, translation_error
from ..outputs import Kind, atomic_folder, save_picture
from ..progress import work
from ..render.video import write_video
from ..scene import versions
from ..scene.result_files import RESULT, write_json, write_summary
from ..text import printable
from .estimate_pose import FoundPose, PoseOptions, estimate_pose, truth_of
from .pose_pictures import comparison, number_curves
from .pose_scenes import PoseTarget

PATH, FILM, CURVES, PICTURES = "transforms.json", "track.mp4", "track.png", "frames"
TRACKED = Kind(
    "camera path of monoform",
    RESULT,
    lambda record: record["files"] if record.get("job") == "track" else None,
    pictures=frozenset({PICTURES}),
)


@dataclass(frozen=True)
class TrackedFrame:
    """One picture on the way.

    Attributes:
        file: of the picture.
        found: its pose.
        turned: degrees since the picture before; 0 for the first.
        moved: world units since then.
    """

    file: Path
    found: FoundPose
    turned: float
    moved: float

    def row(self) -> dict[str, Any]:
        """As plain values for a table."""
        return {
            "photo": printable(self.file.name),
            "converged": self.found.estimate.converged,
            "doubts": list(self.found.estimate.failure_reasons),
            "score": self.found.estimate.score,
            "turned_degrees": self.turned,
            "moved": self.moved,
            "seconds": round(self.found.seconds, 3),
            "errors": dict(self.found.errors) or None,
        }


def track(
    files: Sequence[Path], scene: PoseTarget, options: PoseOptions | None = None, *, truth: Path | None = None
) -> Iterator[TrackedFrame]:
    """Cameras of pictures in order; each is sought from that of the last picture that could be believed.

    Only the first is sought as a single photo is: from several starts, or all around.

    Args:
        truth: a file or a capture with true cameras, to compare with.

    Raises:
        InputError: a picture cannot be used.
    """
    options = options or PoseOptions()
    following = replace(options, method=replace(options.method, starts=1), search=False)
    last: Camera | None = None
    before: Camera | None = None
    with work("following the camera", len(files), unit="picture") as show:
        for number, file in enumerate(files, start=1):
            known = None if truth is None else truth_of(truth, str(file))
            asked = options if last is None else replace(following, start=last)
            found = estimate_pose(str(file), scene, asked, truth=known)
            camera = found.estimate.camera
            turned = moved = 0.0
            if before is not None:
                poses = camera.world_from_camera, before.world_from_camera
                turned = math.degrees(float(rotation_error(*poses)[0]))
                moved = float(translation_error(*poses)[0])
            yield TrackedFrame(file, found, turned, moved)
            before = camera
            if found.estimate.converged:
                last = camera
            show(number)


def track_to_folder(
    photos: Sequence[str],
    out: Path,
    scene: PoseTarget,
    options: PoseOptions | None = None,
    *,
    truth: Path | None = None,
    every: int = 1,
    scene_name: str = "",
) -> dict[str, Any]:
    """Follow a camera and write its path, whole or not at all.

    Writes transforms.json (the path, z up, as captures have it), result.json (each picture's errors, doubts and
    seconds), track.png, and track.mp4 where `options.frames` is above 0; of a film its pictures, in `frames`.

    Args:
        photos: a film, or photos and folders of photos, which count in the order of their names.
        every: of a film or of the photos, the first of so many each.

    Returns:
        What result.json holds.

    Raises:
        InputError: a picture cannot be used, or they differ in size.
    """
    options = options or PoseOptions()
    frames: list[TrackedFrame] = []
    with atomic_folder(out, TRACKED, inputs=(*photos, scene_name)) as place:
        files = _files(photos, out, place, every)

        def pictures() -> Iterator[UInt8[np.ndarray, "h w 3"]]:
            for frame in track(files, scene, options, truth=truth):
                frames.append(frame)
                _require_size(frame, frames[0])
                yield to_bytes(comparison(frame.found.photo, frame.found.estimate.camera, scene))

        if options.frames:
            write_video(pictures(), place / FILM, fps=8.0)
        else:
            frames.extend(track(files, scene, options, truth=truth))
        write_json(place / PATH, _path_of(frames, place))
        save_picture(Image.fromarray(_curves(frames)), place / CURVES)
        summary = _summary(frames, scene, options, scene_name)
        write_summary(place, summary)
    return summary


def _files(photos: Sequence[str], out: Path, place: Path, every: int) -> list[Path]:
    """The pictures as files; those of a film are written."""
    films = [photo for photo in photos if Path(photo).suffix.lower() in FILM_ENDINGS]
    if films:
        if len(photos) > 1:
            raise InputError(f"--track follows one film at a time: give {printable(films[0])} alone.")
        (place / PICTURES).mkdir()
        files = []
        for number, picture in enumerate(film_pictures(films[0], every=every)):
            files.append(place / PICTURES / f"{number:05d}.png")
            save_picture(Image.fromarray(picture), files[-1], marked=True)
    else:
        files = [Path(photo) for photo, _ in named_photos(photos, leave=out)][::every]
    for file in files:
        if not file.is_file():
            raise InputError(f"There is no file {printable(file)}; --track takes files, a folder of them or a film.")
    if len(files) < 2:
        raise InputError(f"--track follows a camera through several pictures, not {len(files)}: give more, or a film.")
    return files


def _require_size(frame: TrackedFrame, first: TrackedFrame) -> None:
    sizes = [(one.found.photo.width, one.found.photo.height) for one in (frame, first)]
    if sizes[0] != sizes[1]:
        told = [f"{width} x {height}" for width, height in sizes]
        raise InputError(
            f"{printable(frame.file)} has {told[0]} pixels and the first picture {told[1]}: cut them alike."
        )


def _path_of(frames: Sequence[TrackedFrame], place: Path) -> dict[str, Any]:
    """The content of transforms.json: cameras of the pixels as the files store them."""
    named = []
    for frame in frames:
        own = frame.file.parent.parent == place
        name = f"{PICTURES}/{frame.file.name}" if own else str(frame.file.resolve())
        camera = stored_camera(frame.found.estimate.camera, picture_orientation(frame.file), str(frame.file))
        named.append((name, camera))
    return {**transforms_from_cameras(named), UP_AXIS: "z", "written_by": "monoform pose"}


def _curves(frames: Sequence[TrackedFrame]) -> UInt8[np.ndarray, "h w 3"]:
    """Over the number of the picture: difference of pictures, turn since the last, and errors where they are known."""
    series: dict[str, Float[np.ndarray, " n"]] = {
        "difference of pictures": np.array([frame.found.estimate.score for frame in frames]),
        "turn since the picture before, degrees": np.array([frame.turned for frame in frames]),
    }
    if frames[0].found.errors:
        errors = [frame.found.errors for frame in frames]
        series["rotation error, degrees"] = np.array([each["rotation_degrees"] for each in errors])
        series["position error, % of the distance"] = np.array([100 * each["translation_share"] for each in errors])
    return number_curves(series)


def _summary(
    frames: Sequence[TrackedFrame], scene: PoseTarget, options: PoseOptions, scene_name: str
) -> dict[str, Any]:
    rows = [frame.row() for frame in frames]
    errors = None
    if all(frame.found.errors for frame in frames):
        names = frames[0].found.errors
        errors = {f"median_{name}": float(np.median([frame.found.errors[name] for frame in frames])) for name in names}
    return {
        "job": "track",
        "scene": {"source": printable(scene_name), "kind": scene.kind},
        "optimizer": options.method.optimizer,
        "pictures": len(rows),
        "believed": sum(row["converged"] for row in rows),
        "median_seconds": float(np.median([row["seconds"] for row in rows])),
        "errors": errors,
        "each": rows,
        "seed": options.seed,
        "versions": versions(),
    }
