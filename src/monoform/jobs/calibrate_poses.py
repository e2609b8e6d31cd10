"""How far off poses found in a scene are, measured on photos whose pose is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..camera import se3_log
from ..camera.rigid import rigid_inverse
from ..data import CaptureView
from ..errors import InputError
from ..methods.inerf import InerfOptions
from ..progress import work
from ..training.weights import weights_digest
from .estimate_pose import PoseOptions, estimate_pose
from .estimate_pose_protocol import Protocol, chosen_views
from .pose_errors import OwnPose, PoseErrors, require_free, write_pose_errors
from .pose_scenes import PoseTarget, open_scene

SPLITS = ("val", "test", "train")  # photos that the scene was not trained on come first
FEWEST = 3  # photos that tell anything


def own_photos(scene: PoseTarget, count: int, split: str = "auto") -> list[CaptureView]:
    """Photos of known pose, evenly spread: the validation ones, else the test ones, else those that it learned from.

    Args:
        count: 0 for all.
        split: val, test or train: only these.

    Raises:
        InputError: the scene has too few.
    """
    there = {view.split for view in scene.views if view.image.is_file()}
    found = next((each for each in SPLITS if each in there and split in ("auto", each)), None)
    views = [] if found is None else chosen_views(scene, Protocol(split=found, photos=count))
    views = [view for view in views if view.image.is_file()]
    if len(views) < FEWEST:
        raise InputError(
            f"{len(views)} photos of the scene are where they were when it was trained: {FEWEST} at least tell how far "
            "off poses are."
        )
    return views


def own_pose(view: CaptureView, scene: PoseTarget, method: InerfOptions | None = None) -> OwnPose | None:
    """A photo found again from its true pose; None where what is found fixes no pose."""
    method = replace(method or InerfOptions(), starts=1, elsewhere=False)
    options = PoseOptions(method, start=view.camera)
    found = estimate_pose(str(view.image), replace(scene, errors=None), options).estimate
    if found.covariance is None:
        return None
    pose, truth = (one.world_from_camera.double() for one in (found.camera, view.camera))
    error = se3_log(rigid_inverse(pose) @ truth)[0]
    details = {name: found.details[name] for name in ("detail", "explained", "focal_factor")}
    errors = tuple((error / found.covariance.double().diagonal().sqrt()).tolist())
    return OwnPose(str(view.image), view.split, errors, **details)


def measured(scene: PoseTarget, views: Sequence[CaptureView], weights: str = "") -> PoseErrors:
    """The photos found again.

    Raises:
        InputError: too few of them fix a pose.
    """
    rows = []
    with work("finding the scene's own photos", len(views), unit="photo") as show:
        for number, view in enumerate(views):
            rows.append(own_pose(view, scene))
            show(number + 1)
    poses = tuple(row for row in rows if row is not None)
    if len(poses) < FEWEST:
        raise InputError(f"Of {len(views)} photos of the scene {len(poses)} fix a pose: too few to tell its errors.")
    return PoseErrors(poses, weights)


def calibrate_poses(folder: str | Path, *, photos: int = 12, split: str = "auto", device: str = "cpu") -> PoseErrors:
    """Find photos of a trained scene again and keep how far off they were beside the scene, in pose_errors.json.

    Args:
        folder: of a scene that `monoform train scene` wrote; its photos have to be where they were.
        photos: how many; 0 for all of the split.
        split: val, test or train; auto: the first of them that the scene has.

    Raises:
        InputError: the folder is no such scene, or too few of its photos fix a pose.
    """
    from ..methods.nerf.scene import scene_folder

    scene = open_scene(folder, device=device)
    if not scene.views:
        raise InputError(f"{folder} tells no photos that it was trained on: a scene of monoform train scene does.")
    place = scene_folder(folder)
    require_free(place)  # before all the work
    errors = measured(scene, own_photos(scene, photos, split), weights_digest(place))
    write_pose_errors(place, errors)
    return errors
