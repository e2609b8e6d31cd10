"""monoform prepare poses"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..computing import Computing
from ..ranges import require_range


@dataclass(frozen=True)
class Poses(Computing):
    """Measure how far off poses found in a trained scene are, on its own photos, and keep it beside the scene.

    Each photo is found again from its true pose: of the split val, else test, else of those that the scene learned
    from, which it shows better than others. Writes pose_errors.json into the scene's folder; `monoform pose` takes it
    from there.
    """

    scene: Path
    """A folder that `monoform train scene` wrote; its photos have to be where they were."""
    photos: int = 12
    """How many, evenly spread; 0 for all."""
    split: Literal["auto", "val", "test", "train"] = "auto"
    """Which: val, test or train; auto: the first of these that the scene has."""

    def __post_init__(self) -> None:
        require_range("--photos", self.photos, 0, 1_000_000)


def run(asked: Poses) -> int:
    """Measure, and say what came out."""
    from ..jobs.calibrate_poses import calibrate_poses
    from ..jobs.pose_errors import FILE
    from .main import begin

    found = calibrate_poses(asked.scene, photos=asked.photos, split=asked.split, device=begin(asked))
    split = found.poses[0].split
    print(
        f"{len(found.poses)} photos of {asked.scene} ({split}) were found again: monoform pose multiplies the standard "
        f"deviations of poses in it by {found.deviation:.2f} from now on; {FILE} lies beside its weights."
    )
    return 0
