"""pixelNeRF against its golden cases."""

from __future__ import annotations

import math
import re

import numpy as np
import torch
from tests.parity.parity_case import Case
from tests.parity.parity_checks import check

from monoform.camera import (
    look_at,
    rotation_from_quaternion,
    to_opengl,
    y_up_from_z_up,
    z_up_from_y_up,
)
from monoform.methods.pixelnerf import (
    camera_path,
    from_published,
    pixels_in_boxes,
    pool_views,
    published_rays,
    quaternion_w_first,
    real_car_path,
    scan_path,
    spherical_pose,
    truncate_to_8_bit,
)
from monoform.metrics import psnr, ssim
from monoform.nn import FrequencyEncoding

TOLERANCE = 1e-5


@check("pixelnerf", "geometry")
def geometry(case: Case) -> None:
    parts = {
        "posenc": positional_encoding,
        "pose": spherical_poses,
        "rays": rays,
        "look": looking_at,
        "coord": world_axes,
        "traj": trajectories,
        "quat": quaternions,
        "bbox": box_pixels,
        "combine": pooled_views,
    }
    for group in case.groups():
        part = parts.get(group.split("_")[0])
        if part is not None:
            part(case, group)


def positional_encoding(case: Case, group: str) -> None:
    """The options are in the arrays: factor and count in the stored frequencies, the input in the width."""
    x, frequencies = case.tensor(f"{group}/x"), case.arrays[f"{group}/_freqs"]
    count, dimensions = frequencies.shape[1] // 2, x.shape[1]
    include_input = case.arrays[f"{group}/y"].shape[1] % (2 * count * dimensions) != 0
    encode = FrequencyEncoding(count, dimensions, factor=float(frequencies[0, 0, 0]), include_input=include_input)
    case.compare(f"{group}/y", encode(x), atol=TOLERANCE)
    case.compare(f"{group}/_freqs", encode._freqs, atol=TOLERANCE)
    case.compare(f"{group}/_phases", encode._phases, atol=TOLERANCE)


def spherical_poses(case: Case, group: str) -> None:
    poses = [
        spherical_pose(math.radians(theta), math.radians(phi), radius)
        for theta, phi, radius in case.array(f"{group}/args").tolist()
    ]
    case.compare(f"{group}/out", torch.stack(poses), atol=TOLERANCE)


def rays(case: Case, group: str) -> None:
    poses, golden = case.tensor(f"{group}/poses"), case.arrays[f"{group}/rays"]
    height, width = golden.shape[1:3]
    principal_point = case.tensor(f"{group}/c").float() if f"{group}/c" in case else None
    if f"{group}/focal" in case:
        focal = case.tensor(f"{group}/focal").float()
    else:
        focal = torch.tensor(focal_of_first_ray(golden, poses.numpy(), principal_point))
    camera = from_published(
        poses, width, height, per_camera(focal, len(poses)), per_camera(principal_point, len(poses))
    )
    near, far = golden[0, 0, 0, 6:].tolist()
    case.compare(f"{group}/rays", published_rays(camera, near, far), atol=TOLERANCE)


def focal_of_first_ray(golden: np.ndarray, poses: np.ndarray, principal_point: torch.Tensor | None) -> float:
    """The one number that a case may leave out: the ray of pixel (0, 0) gives it, all others are then checked."""
    direction = poses[0, :3, :3].T.astype(np.float64) @ golden[0, 0, 0, 3:6]
    centre = golden.shape[2] / 2 if principal_point is None else float(principal_point.reshape(-1)[0])
    return float(centre * direction[2] / direction[0])


def per_camera(values: torch.Tensor | None, n: int) -> torch.Tensor | None:
    """(n, 2) from one number, one pair, one number per camera or one pair per camera."""
    if values is None:
        return None
    one_for_each = values.ndim == 1 and len(values) > 2
    return (values[:, None] if one_for_each else values).expand(n, 2)


def looking_at(case: Case, group: str) -> None:
    pose = look_at(case.tensor(f"{group}/origin")[None], case.tensor(f"{group}/target")[None])
    case.compare(f"{group}/pose", to_opengl(pose)[0], atol=TOLERANCE)


def world_axes(case: Case, group: str) -> None:
    case.compare(f"{group}/from_blender", y_up_from_z_up(torch.eye(4)), atol=TOLERANCE)
    case.compare(f"{group}/to_blender", z_up_from_y_up(torch.eye(4)), atol=TOLERANCE)


def trajectories(case: Case, group: str) -> None:
    """Frames, radius and elevation are read off the first golden pose: its distance and its height."""
    for name in [name for name in case.arrays if name.startswith(f"{group}/")]:
        golden = case.arrays[name]
        if name.endswith("_dtu"):
            case.compare(name, scan_path(len(golden) // 6 * 5), atol=TOLERANCE)
            continue
        position = golden[0, :3, 3].astype(np.float64)
        radius = float(np.linalg.norm(position))
        make, up = (real_car_path, 1) if "eval_real" in name else (camera_path, 2)
        case.compare(name, make(len(golden), -math.asin(position[up] / radius), radius), atol=TOLERANCE)


def quaternions(case: Case, group: str) -> None:
    """The way back starts from the golden matrices: the published formula magnifies their rounding."""
    case.compare(f"{group}/R", rotation_from_quaternion(case.tensor(f"{group}/q")), atol=TOLERANCE)
    case.compare(f"{group}/back", quaternion_w_first(torch.from_numpy(case.arrays[f"{group}/R"])), atol=TOLERANCE)


def box_pixels(case: Case, group: str) -> None:
    inputs = (case.tensor(f"{group}/{name}") for name in ("bboxes", "ids", "ux", "uy"))
    case.compare(f"{group}/pix", pixels_in_boxes(*inputs))


def pooled_views(case: Case, group: str) -> None:
    features = case.tensor(f"{group}/t")
    for name in case.arrays:
        found = re.fullmatch(rf"{group}/(avg|max)_(\d+)x(\d+)", name)
        if found:
            kind = "average" if found[1] == "avg" else "max"
            case.compare(name, pool_views(features, int(found[3]), kind), atol=TOLERANCE)


@check("pixelnerf", "metrics")
def metrics(case: Case) -> None:
    truth, prediction = case.tensor("gt"), case.tensor("pred")
    truth_8, prediction_8 = case.array("gt_u8") / 255.0, truncate_to_8_bit(prediction)
    if "pred_u8" in case:
        case.compare("pred_u8", prediction_8)
    versions = {"": (prediction, truth), "_u8": (prediction_8.numpy() / 255.0, truth_8), "_util": (prediction, truth)}
    for suffix, (ours, theirs) in versions.items():
        for name, metric in (("psnr", psnr), ("ssim", ssim)):
            if f"{name}{suffix}" in case:
                values = [metric(image, reference) for image, reference in zip(ours, theirs, strict=True)]
                case.compare(f"{name}{suffix}", np.array(values), atol=TOLERANCE)
