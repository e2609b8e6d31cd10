"""monoform pose PHOTO... --scene SCENE -o OUT"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from ..computing import Computing
from ..errors import InputError
from .options import parse

if TYPE_CHECKING:
    from ..jobs.estimate_pose import FoundPose, PoseOptions
    from ..jobs.pose_scenes import PoseTarget
    from ..methods.inerf import InerfOptions


@dataclass(frozen=True)
class Pose(Computing):
    """Find the camera of each PHOTO of a known scene, by comparing the photo with what the scene would look like.

    Writes OUT/PHOTO/camera.json (with covariance), overlay.png, convergence.mp4 and .png, result.json. With --track the
    photos, or a film, are one way of a camera: OUT/transforms.json, track.png, track.mp4, result.json.
    """

    photos: tyro.conf.Positional[tuple[str, ...]]
    """Paths or http(s) URLs, or folders, of which every photo is taken."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """Where the folders go, each named after its photo."""
    scene: Path | None = None
    """A result folder of reconstruct, a trained scene or a converted one."""
    source: Annotated[str | None, tyro.conf.arg(name="from")] = None
    """Instead of a scene: another photo of the object, reconstructed by --method."""
    method: str | None = None
    """With --from: what reconstructs the source photo. Default: pixelnerf."""
    weights: str = ""
    """With --from: folder of the method's weights. Default: those that ship with monoform."""
    start: Path | None = None
    """A rough camera of the photo, camera.json. Default: the scene's own, else the pose is sought all around."""
    search: bool = False
    """Seek all around even where a start is known."""
    focal: float | None = None
    """Focal length in pixels of the original photo. Default: of the start, the scene's photos, EXIF, or 40 degrees."""
    fit_focal: bool = False
    """Find the focal length too."""
    optimizer: str | None = None
    """lm: least squares, coarse to fine; adam: the paper's. Default: lm."""
    starts: int | None = None
    """Poses that are tried around the start. Default: 7."""
    spread: float | None = None
    """Degrees between them. Default: 14."""
    longest: int | None = None
    """Pixels of the photo's longer side that are used at most. Default: 288."""
    steps: int | None = None
    """adam: updates. Default: 300."""
    rays: int | None = None
    """adam: pixels in each update. Default: 2048."""
    sampling: str | None = None
    """adam: which pixels: random, center, patch, points, regions or object. Default: regions."""
    set: tuple[str, ...] = ()
    """NAME=VALUE of further options, see `monoform models inerf`; preset=script: a published program's settings."""
    truth: Path | None = None
    """The true camera (camera.json), or a transforms.json that names the photos: errors are measured."""
    noise: str = "none"
    """Disturb the photo first: gaussian, s&p, salt, pepper or poisson."""
    sigma: float = 0.05
    """Of gaussian noise."""
    amount: float = 0.05
    """Share of pixels for s&p, salt and pepper."""
    brightness: float = 0.0
    """Added to the photo's colours first, -1..1."""
    exposure: float = 1.0
    """Factor on the photo's colours first."""
    mask: str | None = None
    """With --from: mask of the source photo."""
    matting: str = "auto"
    """How an object is told from its background where the scene has none: auto, rembg, network or grabcut."""
    frames: int = 24
    """Frames of the film at most; 0 leaves it out."""
    add_to: Path | None = None
    """Write ADD_TO/transforms.json: the scene's own photos and those whose pose can be believed, for `monoform train
    scene --data ADD_TO`."""
    track: bool = False
    """Follow the camera: each photo, or each picture of a film, is sought from the pose of the one before."""
    every: int = 1
    """With --track: take the first of so many pictures each."""
    seed: int = 0
    """Seed of all randomness."""


def read(words: list[str]) -> Pose:
    """The options."""
    asked = parse(Pose, "pose", words)
    if asked.scene is None and asked.source is None:
        raise InputError("pose needs either --scene SCENE or --from SOURCE_PHOTO.")
    if asked.scene is not None and asked.source is not None:
        raise InputError("pose takes --scene SCENE or --from SOURCE_PHOTO, not both: leave out one.")
    if asked.source is None and asked.method is not None:
        raise InputError("--method reconstructs the photo of --from; with --scene there is none.")
    if asked.track and asked.add_to is not None:
        raise InputError("--track writes its own transforms.json: leave out --add-to.")
    if asked.every != 1 and not asked.track:
        raise InputError("--every belongs to --track: without it each photo is a photo of its own.")
    return asked


def method_options(asked: Pose) -> InerfOptions:
    """How poses are found: the preset, then what is set, then the flags."""
    from ..methods.inerf import InerfOptions
    from .settings import parse_overrides

    told = parse_overrides("inerf", asked.set)
    name = told.pop("preset", None)
    base = InerfOptions() if name is None else InerfOptions.preset(name)
    return replace(base, **told).changed(
        optimizer=asked.optimizer,
        starts=asked.starts,
        spread=asked.spread,
        fit_focal=asked.fit_focal or None,
        longest=asked.longest,
        steps=asked.steps,
        rays=asked.rays,
        sampling=asked.sampling,
    )


def run(words: list[str]) -> int:
    """Find all poses, say what came out, and leave 2 when a photo failed."""
    asked = read(words)
    from ..camera import Camera
    from ..inputs import read_json
    from ..inputs.films import FILM_ENDINGS
    from ..jobs.batch import plan
    from ..jobs.estimate_pose import POSES, Disturbance, PoseOptions, is_poses, write_poses
    from ..jobs.pose_scenes import SOURCE_METHOD, open_scene, source_scene
    from ..outputs import require_ours
    from ..progress import work
    from .main import begin

    device = begin(asked)
    options = PoseOptions(
        method=method_options(asked),
        start=None if asked.start is None else _camera_in(asked.start),
        search=asked.search,
        focal=asked.focal,
        disturbance=Disturbance(asked.noise, asked.sigma, asked.amount, asked.brightness, asked.exposure),
        matting=asked.matting,
        frames=asked.frames,
        seed=asked.seed,
        device=device,
    )
    films = [photo for photo in asked.photos if Path(photo).suffix.lower() in FILM_ENDINGS[:-1]]  # a .gif is a photo
    if films and not asked.track:
        raise InputError(f"{films[0]} is a film: add --track to follow its camera.")
    items = [] if asked.track else plan(asked.photos, asked.out)
    if len(items) > 1:
        require_ours(asked.out / POSES, is_poses)
    if asked.scene is not None:
        with work("opening the scene"):
            scene, name = open_scene(asked.scene, device=device), str(asked.scene)
    else:
        with work("looking at the source photo"):
            scene = source_scene(
                str(asked.source),
                asked.weights,
                method=asked.method or SOURCE_METHOD,
                mask=asked.mask,
                matting=asked.matting,
                device=device,
                batch_statistics=options.method.descent.compat.encoder_batchnorm == "batch",
            )
        name = str(asked.source)
    if asked.track:
        return _track(asked, scene, options, name)
    if asked.add_to is not None:
        from ..jobs.estimate_pose_capture import require_addable, write_extended_capture

        require_addable(asked.add_to, scene, asked.photos)
    rows = []
    with work("finding cameras of photos", len(items), unit="photo") as show:
        for item in items:
            rows.append(_one(str(item.photo), asked.out / item.folder.name, scene, options, asked.truth, name))
            show(len(rows))
    if asked.add_to is not None:
        placed = [
            (Path(row["photo"]), Camera.from_dict(read_json(asked.out / row["folder"] / "camera.json")))
            for row in rows
            if row.get("converged")
        ]
        count = write_extended_capture(asked.add_to, scene, placed)
        print(f"{asked.add_to}: {count} of {len(items)} photos added")
    if len(items) > 1:
        write_poses(asked.out, rows)
    elif "error" in rows[0]:
        raise InputError(rows[0]["error"])
    return 2 if any("error" in row for row in rows) else 0


def _track(asked: Pose, scene: PoseTarget, options: PoseOptions, name: str) -> int:
    from ..jobs.track_poses import track_to_folder

    told = track_to_folder(
        asked.photos, asked.out, scene, options, truth=asked.truth, every=asked.every, scene_name=name
    )
    text = f"{asked.out}: {told['believed']} of {told['pictures']} poses can be believed, "
    text += f"{told['median_seconds']:.1f} s a picture"
    if told["errors"]:
        turned, moved = (told["errors"][f"median_{each}"] for each in ("rotation_degrees", "translation_share"))
        text += f", {turned:.2f} degrees and {100 * moved:.2f} % of the distance off (medians)"
    print(text)
    return 0


def _one(
    photo: str, folder: Path, scene: PoseTarget, options: PoseOptions, truth: Path | None, name: str
) -> dict[str, Any]:
    from ..jobs.estimate_pose import estimate_to_folder, truth_of
    from ..text import printable

    try:
        known = None if truth is None else truth_of(truth, photo)
        found = estimate_to_folder(photo, folder, scene, options, truth=known, scene_name=name)
    except InputError as error:
        print(printable(f"{folder.name}: {error}"))
        return {"photo": photo, "error": str(error)}
    print(_line(folder, found))
    for doubt in found.estimate.failure_reasons:
        print(f"  did not converge: {doubt}")
    for notice in found.notices:
        print(f"  {notice}")
    return {
        "photo": photo,
        "folder": folder.name,
        "converged": found.estimate.converged,
        "doubts": list(found.estimate.failure_reasons),
        "seconds": round(found.seconds, 2),
        "errors": dict(found.errors) or None,
    }


def _line(folder: Path, found: FoundPose) -> str:
    state = "pose found" if found.estimate.converged else "DID NOT CONVERGE"
    text = f"{folder}: {state} in {found.seconds:.1f} s"
    if found.errors:
        turned, moved = found.errors["rotation_degrees"], 100 * found.errors["translation_share"]
        text += f", {turned:.2f} degrees and {moved:.2f} % of the distance off"
    return text


def _camera_in(file: Path) -> Camera:
    """The camera of a file, whose name stands in what is said of it.

    Raises:
        InputError: it holds none.
    """
    from ..camera import Camera
    from ..inputs import read_json

    content = read_json(file)
    try:
        return Camera.from_dict(content)
    except InputError as error:
        raise InputError(f"{file}{str(error).removeprefix('camera.json')}") from error
