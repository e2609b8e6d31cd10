"""Whether what is said of a pose's error is its error: standard deviations against truth, and doubts against it.

    python benchmarks/pose_calibration.py SCENE ... -o OUT [--photos 0] [--starts 1] [--threads 1] [--learned 0]

Each SCENE is a folder of `monoform train scene` whose photos are where they were; `benchmarks/pose_captures.py` renders
meshes into captures to train them on. Every held-out photo is found from starts up to 20 degrees and a tenth of the
distance off, with what `monoform prepare poses` has kept beside the scene, if anything; photos that told it are not
taken. --learned 12 also measures what so many photos would have told that the scene learned from. Written are
OUT/NAME.json of each scene (one that is there is kept), OUT/calibration.json with every pose, calibration.md, and
calibration.png: errors over their standard deviations, and how often an error lies within so many of them, beside how
often it should.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from scipy.stats import chi2, norm

from monoform.camera import se3_log
from monoform.camera.rigid import rigid_inverse
from monoform.jobs.calibrate_poses import measured, own_photos
from monoform.jobs.estimate_pose import PoseOptions, estimate_pose
from monoform.jobs.estimate_pose_protocol import Protocol, chosen_views, starts_of
from monoform.jobs.pose_scenes import open_scene
from monoform.outputs import save_picture
from monoform.progress import shown
from monoform.scene.result_files import read_json, write_json

INK, GRID, FIRST, SECOND = (40, 40, 40), (225, 225, 225), (200, 60, 30), (40, 110, 200)


@dataclass(frozen=True)
class Row:
    """One pose.

    Attributes:
        scene: name of the scene.
        photo: name of the photo.
        degrees: error of the rotation, and `said_degrees` its standard deviation.
        share: error of the position in distances to the object, and `said_share` its standard deviation.
        z: the six errors over their standard deviations, rotation before position.
        distance: the errors' Mahalanobis distance; where the covariance is right its square is chi-squared with 6.
        believed: whether the estimate says that it can be believed.
        doubts: why not.
        seconds: it took.
        factor: on the deviations, that the scene's own photos told; 1 for none.
        believed_without: whether it would be believed without these.
    """

    scene: str
    photo: str
    degrees: float
    said_degrees: float
    share: float
    said_share: float
    z: tuple[float, ...]
    distance: float
    believed: bool
    doubts: tuple[str, ...]
    seconds: float
    factor: float = 1.0
    believed_without: bool = True


def rows_of(folder: Path, photos: int, starts: int) -> list[Row]:
    """All poses of a scene whose covariance is known."""
    scene = open_scene(folder)
    near = Protocol(photos=photos, starts=starts, angle=20.0, offset=0.1, relative=True)
    rows = []
    factor = 1.0 if scene.errors is None else scene.errors.deviation
    told = {Path(pose.photo).resolve() for pose in (scene.errors.poses if scene.errors else ())}
    for number, view in enumerate(chosen_views(scene, near)):
        if view.image.resolve() in told:
            raise SystemExit(f"{view.image} has told the scene's errors: measure on others.")
        for start in starts_of(view, scene, near, number):
            begun = time.process_time()
            plain = replace(scene, errors=None)
            found = estimate_pose(str(view.image), plain, PoseOptions(start=start), truth=view.camera)
            passed, without = time.process_time() - begun, found.estimate.converged
            if scene.errors is not None:
                found = replace(found, estimate=scene.errors.judged(found.estimate))
            if found.estimate.covariance is None:
                print(f"  {folder.name} {view.image.name}: no covariance", flush=True)
                continue
            covariance = found.estimate.covariance.double()
            pose, truth = (one.world_from_camera.double() for one in (found.estimate.camera, view.camera))
            error = se3_log(rigid_inverse(pose) @ truth)[0]
            away = found.errors["translation"] / max(found.errors["translation_share"], 1e-12)
            deviation = covariance.diagonal().sqrt()
            rows.append(
                Row(
                    scene=folder.name,
                    photo=view.image.name,
                    degrees=found.errors["rotation_degrees"],
                    said_degrees=math.degrees(float(deviation[:3].norm())),
                    share=found.errors["translation_share"],
                    said_share=float(deviation[3:].norm()) / away,
                    z=tuple((error / deviation).tolist()),
                    distance=float((error @ torch.linalg.solve(covariance, error)).sqrt()),
                    believed=found.estimate.converged,
                    doubts=found.estimate.failure_reasons,
                    seconds=passed,
                    factor=factor,
                    believed_without=without,
                )
            )
            print(
                f"  {folder.name} {view.image.name}: {rows[-1].degrees:.3f} degrees, said {rows[-1].said_degrees:.3f}; "
                f"Mahalanobis {rows[-1].distance:.2f}; {passed:.1f} s; {'; '.join(rows[-1].doubts)}",
                flush=True,
            )
    return rows


def learned(folder: Path, photos: int) -> float:
    """The factor that photos would have told that the scene learned from."""
    scene = open_scene(folder)
    return measured(scene, own_photos(scene, photos, "train")).deviation


def summary_of(rows: Sequence[Row]) -> dict[str, float]:
    """Medians, and how many errors lie within one and two standard deviations (0.68 and 0.95 where they are right)."""
    z, factors = np.abs(np.array([row.z for row in rows])), np.array([[row.factor] for row in rows])
    squares = np.array([row.distance for row in rows]) ** 2
    wrong = np.array([row.degrees > 2 or row.share > 0.02 for row in rows])
    doubted = np.array([not row.believed for row in rows])
    return {
        "poses": float(len(rows)),
        "median error, degrees": float(np.median([row.degrees for row in rows])),
        "median standard deviation, degrees": float(np.median([row.said_degrees for row in rows])),
        "median error, % of the distance": 100 * float(np.median([row.share for row in rows])),
        "median standard deviation, %": 100 * float(np.median([row.said_share for row in rows])),
        "median error over standard deviation, rotation": float(np.median([r.degrees / r.said_degrees for r in rows])),
        "within 1 standard deviation, of the six numbers": float((z < 1).mean()),
        "within 2": float((z < 2).mean()),
        "rotation within 1": float(np.mean([row.degrees < row.said_degrees for row in rows])),
        "rotation within 2": float(np.mean([row.degrees < 2 * row.said_degrees for row in rows])),
        "position within 1": float(np.mean([row.share < row.said_share for row in rows])),
        "position within 2": float(np.mean([row.share < 2 * row.said_share for row in rows])),
        "Mahalanobis within the ellipsoid of 68 %": float((squares < chi2.ppf(0.6827, 6)).mean()),
        "within that of 95 %": float((squares < chi2.ppf(0.9545, 6)).mean()),
        "factor on the deviations that would give 68 % of the six": float(np.quantile(z, 0.6827)),
        "factor that the scene's own photos told (median)": float(np.median(factors)),
        "without it: within 1, of the six numbers": float((z * factors < 1).mean()),
        "without it: within 2": float((z * factors < 2).mean()),
        "without it: factor that would give 68 %": float(np.quantile(z * factors, 0.6827)),
        "wrong by 2 degrees or 2 %": float(wrong.sum()),
        "doubted": float(doubted.sum()),
        "doubted without the scene's own photos": float(sum(not row.believed_without for row in rows)),
        "doubted and wrong": float((doubted & wrong).sum()),
        "median CPU seconds": float(np.median([row.seconds for row in rows])),
    }


def picture(rows: Sequence[Row]) -> np.ndarray:
    """Left: angles over their standard deviations. Right: shares within so many deviations, and what they should be."""
    side, edge = 360, 48
    left, right = (np.full((side, side, 3), 255, np.uint8) for _ in range(2))
    values = np.array([(row.said_degrees, row.degrees) for row in rows])
    low, high = np.log10(max(values.min(), 1e-3)) - 0.1, np.log10(values.max()) + 0.1

    def at(x: float, y: float) -> tuple[int, int]:
        return round(edge + (side - edge - 12) * x), round(side - edge - (side - edge - 24) * y)

    for factor, ink in ((1.0, INK), (2.0, GRID), (0.5, GRID)):
        ends = [(0.0, math.log10(factor) / (high - low)), (1.0, 1.0 + math.log10(factor) / (high - low))]
        cv2.line(left, at(*ends[0]), at(*ends[1]), ink, 1, cv2.LINE_AA)
    for said, error in np.log10(np.maximum(values, 1e-3)):
        place = at((said - low) / (high - low), (error - low) / (high - low))
        cv2.circle(left, place, 3, FIRST, -1, cv2.LINE_AA)
    for value in (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0):
        if low < math.log10(value) < high:
            share = (math.log10(value) - low) / (high - low)
            _write(left, f"{value:g}", (at(share, 0)[0] - 8, side - edge + 16))
            _write(left, f"{value:g}", (12, at(0, share)[1] + 4))
    _write(left, "degrees off over degrees said", (edge, 16))
    z, squares = np.abs(np.array([row.z for row in rows])).ravel(), np.array([row.distance for row in rows]) ** 2
    places = np.linspace(0.0, 4.0, 81)
    for curve, ink in (
        ([2 * norm.cdf(k) - 1 for k in places], INK),
        ([(z < k).mean() for k in places], FIRST),
        ([(chi2.cdf(squares, 6) < 2 * norm.cdf(k) - 1).mean() for k in places], SECOND),
    ):
        line = np.array([at(k / 4, share) for k, share in zip(places, curve, strict=True)], np.int32)
        cv2.polylines(right, [line.reshape(-1, 1, 2)], False, ink, 1 if ink == INK else 2, cv2.LINE_AA)
    for k in range(5):
        _write(right, str(k), (at(k / 4, 0)[0] - 4, side - edge + 16))
        _write(right, f"{k / 4:g}", (8, at(0, k / 4)[1] + 4))
    _write(right, "share within k deviations: normal, six numbers, ellipsoid", (10, 14), 0.34)
    return np.concatenate((left, right), axis=1)


def _write(image: np.ndarray, text: str, place: tuple[int, int], size: float = 0.4) -> None:
    cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, INK, 1, cv2.LINE_AA)


def main() -> None:
    """Measure."""
    from PIL import Image

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", type=Path, nargs="+")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--photos", type=int, default=0)
    parser.add_argument("--starts", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--learned", type=int, default=0)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    asked.out.mkdir(parents=True, exist_ok=True)
    found = {}
    for folder in asked.scenes:
        kept = asked.out / f"{folder.name}.json"
        if not kept.is_file():
            write_json(kept, {"poses": [asdict(row) for row in rows_of(folder, asked.photos, asked.starts)]})
        found[folder.name] = [Row(**row) for row in read_json(kept)["poses"]]
    every = [row for rows in found.values() for row in rows]
    summaries = {name: summary_of(rows) for name, rows in (found | {"all": every}).items()}
    if asked.learned:
        for folder in asked.scenes:
            summaries[folder.name]["factor that training photos would have told"] = learned(folder, asked.learned)
    lines = [["", *summaries], ["---", *["---:"] * len(summaries)]]
    keys = dict.fromkeys(key for one in summaries.values() for key in one)
    lines += [[key, *(f"{one[key]:.3g}" if key in one else "" for one in summaries.values())] for key in keys]
    text = "".join("| " + " | ".join(line) + " |\n" for line in lines)
    write_json(asked.out / "calibration.json", {"summary": summaries, "poses": [asdict(row) for row in every]})
    (asked.out / "calibration.md").write_text(text, encoding="utf-8")
    save_picture(Image.fromarray(picture(every)), asked.out / "calibration.png")
    print(text)


if __name__ == "__main__":
    with shown():
        main()
