"""What a scene's own photos tell of poses found in it: how far off they are, what right ones look like.

What a scene has wrong as a whole shows in no photo's residuals; photos whose pose is known tell it. `calibrate_poses`
finds them again; what came out lies beside the scene, and whoever opens the scene has it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..inputs import read_json
from ..methods import PoseEstimate
from ..methods.inerf import Limits, unsure
from ..outputs import require_ours
from ..scene.result_files import write_json
from ..training.weights import weights_digest

FILE = "pose_errors.json"
ONE = 0.6827  # share of a normal number within one standard deviation
LARGEST = 100.0  # factor on a deviation, or divisor
BEYOND = 3.0  # deviations of what right poses look like, beyond which one is doubted
LACKING = 1e-3  # nothing is more alike
LIKENESS = 0.3  # least deviation of the logarithm of what is lacking to a full likeness
ZOOM = 0.02  # least deviation of the logarithm of a focal length that is told
NAMES = {"detail": "the correlation of its detail with the scene", "explained": "the share that the scene explains"}


@dataclass(frozen=True)
class OwnPose:
    """A photo of the scene, found again from its true pose.

    Attributes:
        photo: its path.
        split: train, val or test.
        errors: of the pose, six in stated standard deviations, rotation before position.
        detail: correlation of detail, as in `Limits`.
        explained: share of what the photo shows that the scene explains.
        focal_factor: on the focal length that would fit best; 1 is right.
    """

    photo: str
    split: str
    errors: tuple[float, ...]
    detail: float
    explained: float
    focal_factor: float


@dataclass(frozen=True)
class PoseErrors:
    """What a scene's own photos tell.

    Attributes:
        poses: one for each photo.
        weights: SHA-256 of the scene's weights, which the poses were found in.
    """

    poses: tuple[OwnPose, ...]
    weights: str = ""

    @property
    def deviation(self) -> float:
        """Factor on stated standard deviations: what 68.27 % of a further photo's errors are to stay within.

        The six errors of a photo are alike, so that photos count and not numbers: with n of them, it is the quantile of
        the sizes of all errors at 0.6827 (n + 1) / n, as if a further photo had told errors without end (pooled
        conformal prediction: Dunn, Wasserman and Ramdas 2023, arXiv 1809.07441).
        """
        sizes, count = np.abs([pose.errors for pose in self.poses]), len(self.poses)
        return float(np.clip(np.quantile(sizes, min(ONE * (count + 1) / count, 1.0)), 1.0 / LARGEST, LARGEST))

    @property
    def limits(self) -> Limits:
        """What right poses look like in this scene, never wider than what holds for all.

        What is lacking to a full correlation of detail, and what the scene does not explain, are taken as log-normal:
        beyond three deviations (of a further photo, where n have told them) a pose is none of these. So is a focal
        length that would be changed by more than three of what true ones are changed by.
        """
        general, few = Limits(), math.sqrt(1.0 + 1.0 / len(self.poses))

        def least(name: str) -> float:
            lacking = np.log([np.clip(1.0 - getattr(pose, name), LACKING, 1.0) for pose in self.poses])
            spread = max(float(lacking.std(ddof=1)) if len(lacking) > 1 else 0.0, LIKENESS)
            return max(getattr(general, name), 1.0 - float(np.exp(lacking.mean() + BEYOND * few * spread)))

        zooms = np.log([pose.focal_factor for pose in self.poses])
        zoom = BEYOND * few * max(float(np.sqrt(np.mean(zooms**2))), ZOOM)
        return replace(general, detail=least("detail"), explained=least("explained"), zoom=min(general.zoom, zoom))

    def judged(self, estimate: PoseEstimate) -> PoseEstimate:
        """The estimate with the scene's deviation and, where it looks like none of the scene's own, doubts."""
        limits, details = self.limits, estimate.details
        told = estimate.covariance
        spread = None if told is None else self.deviation**2 * told
        before = () if told is None else unsure(told, limits)
        doubts = [reason for reason in estimate.failure_reasons if reason not in before]
        if not doubts and {"detail", "explained", "focal_factor"} <= details.keys():
            for name in ("detail", "explained"):
                least = getattr(limits, name)
                if details[name] < least:
                    doubts.append(
                        f"{NAMES[name]} is {details[name]:.2f}; of right poses in it it is at least {least:.2f}"
                    )
            if abs(math.log(details["focal_factor"])) > limits.zoom:
                doubts.append(
                    f"a focal length {details['focal_factor']:.2f} times as long would fit better, more than that of "
                    "photos of this scene"
                )
        doubts += () if spread is None else unsure(spread, limits)
        return replace(
            estimate,
            covariance=spread,
            converged=not doubts,
            failure_reasons=tuple(doubts),
            details={**details, "deviation_factor": self.deviation},
        )


def write_pose_errors(folder: Path, errors: PoseErrors) -> Path:
    """Write FOLDER/pose_errors.json, beside the scene's weights.

    Raises:
        InputError: a file of this name is there that was not written by this.
    """
    file = require_free(folder)
    content = {
        "weights": errors.weights,
        "deviation": errors.deviation,
        "poses": [asdict(each) for each in errors.poses],
    }
    write_json(file, content)
    return file


def require_free(folder: Path) -> Path:
    """FOLDER/pose_errors.json, where nothing of the user's is.

    Raises:
        InputError: a file of this name is there that was not written by this.
    """
    file = folder / FILE
    require_ours(file, _is_pose_errors, advice="rename it, or move it elsewhere")
    return file


def read_pose_errors(folder: Path) -> PoseErrors | None:
    """What lies beside a scene's weights; None where nothing does, or what is of other weights.

    Raises:
        InputError: the file is damaged.
    """
    file = folder / FILE
    if not file.is_file():
        return None
    advice = "delete it, and measure again with monoform prepare poses"
    content = read_json(file, advice=advice)
    if not _is_pose_errors(file) or not content["poses"]:
        raise InputError(f"{file} holds no poses; {advice}.")
    if content["weights"] != weights_digest(folder):
        return None
    return PoseErrors(tuple(_own_pose(row, file, advice) for row in content["poses"]), content["weights"])


def _is_pose_errors(file: Path) -> bool:
    content = read_json(file)
    return content.keys() == {"weights", "deviation", "poses"} and isinstance(content["poses"], list)


def _own_pose(row: Any, file: Path, advice: str) -> OwnPose:
    """A row of the file, of finite numbers."""
    try:
        told: Mapping[str, Any] = {item.name: row[item.name] for item in fields(OwnPose)}
        pose = OwnPose(
            photo=str(told["photo"]),
            split=str(told["split"]),
            errors=tuple(float(value) for value in told["errors"]),
            **{name: float(told[name]) for name in ("detail", "explained", "focal_factor")},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{file} has a pose that cannot be read; {advice}.") from error
    if len(pose.errors) != 6 or not np.isfinite([*pose.errors, pose.detail, pose.explained, pose.focal_factor]).all():
        raise InputError(f"{file} has a pose without its six errors; {advice}.")
    if pose.focal_factor <= 0 or max(pose.detail, pose.explained) > 1:
        raise InputError(f"{file} has a pose that is likelier than likely, or whose focal length is none; {advice}.")
    return pose
