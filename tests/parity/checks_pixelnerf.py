"""pixelNeRF's geometry and metrics against golden cases."""

from __future__ import annotations

import math

import numpy as np
import torch
from tests.parity.parity_case import Case, Fields
from tests.parity.parity_checks import check
from tests.parity.tolerances import EPSILON

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
    options = case.config["posenc"][group]
    encode = FrequencyEncoding(
        options["num_freqs"],
        options["d_in"],
        factor=float(options["freq_factor"]),
        include_input=options.get("include_input", True),
    )
    x = case.tensor(f"{group}/x")
    assert x.shape[1] == options["d_in"], f"{options.where}.d_in is not the width of x"
    # A processor may round an angle before its phase is added or after: its last bit is seen in the sine.
    angle = float(encode._freqs.abs().max() * x.abs().max())
    case.compare(f"{group}/y", encode(x), rounding=EPSILON * angle)
    case.compare(f"{group}/_freqs", encode._freqs)
    case.compare(f"{group}/_phases", encode._phases)


def spherical_poses(case: Case, group: str) -> None:
    poses = [
        spherical_pose(math.radians(theta), math.radians(phi), radius)
        for theta, phi, radius in case.array(f"{group}/args").tolist()
    ]
    case.compare(f"{group}/out", torch.stack(poses))


def rays(case: Case, group: str) -> None:
    """Focal length and principal point are arrays or parameters."""
    options, poses = case.config["rays"][group], case.tensor(f"{group}/poses")
    width, height = options["width"], options["height"]
    focal = case.tensor(f"{group}/focal") if f"{group}/focal" in case else torch.tensor(options["focal"])
    center = case.tensor(f"{group}/c") if f"{group}/c" in case else principal_point(options)
    cameras = from_published(
        poses, width, height, per_camera(focal.float(), len(poses)), per_camera(center, len(poses))
    )
    case.compare(f"{group}/rays", published_rays(cameras, options["near"], options["far"]))


def principal_point(options: Fields) -> torch.Tensor | None:
    """(cx, cy) in pixels, or None for the image's centre, which is the published default."""
    given = options.get("principal_point", "centre")
    return None if given in (None, "centre") else torch.tensor(given)


def per_camera(values: torch.Tensor | None, n: int) -> torch.Tensor | None:
    """(n, 2) from one number, one pair, one number per camera or one pair per camera."""
    if values is None:
        return None
    one_for_each = values.ndim == 1 and len(values) not in (1, 2)
    return (values[:, None] if one_for_each else values).float().expand(n, 2)


def looking_at(case: Case, group: str) -> None:
    up = tuple(map(float, case.config["look_at"]["up"]))
    pose = look_at(case.tensor(f"{group}/origin")[None], case.tensor(f"{group}/target")[None], up)
    case.compare(f"{group}/pose", to_opengl(pose)[0].float())


def world_axes(case: Case, group: str) -> None:
    case.compare(f"{group}/from_blender", y_up_from_z_up(torch.eye(4)))
    case.compare(f"{group}/to_blender", z_up_from_y_up(torch.eye(4)))


def trajectories(case: Case, group: str) -> None:
    """Films of scans follow key views, all others a circle; that of real cars turns about another axis."""
    for name in case.names(f"{group}/"):
        label = name.removeprefix(f"{group}/")
        options = case.config["traj"][label]
        if "num_views" in options:
            case.compare(name, scan_path(options["num_views"]))
            continue
        make = real_car_path if label.startswith("eval_real") else camera_path
        case.compare(name, make(options["frames"], math.radians(options["elevation"]), options["radius"]))


def quaternions(case: Case, group: str) -> None:
    """The way back starts from the golden matrices: the published formula magnifies their rounding."""
    case.compare(f"{group}/R", rotation_from_quaternion(case.tensor(f"{group}/q")))
    case.compare(f"{group}/back", quaternion_w_first(torch.from_numpy(case.arrays[f"{group}/R"])))


def box_pixels(case: Case, group: str) -> None:
    inputs = (case.tensor(f"{group}/{name}") for name in ("bboxes", "ids", "ux", "uy"))
    case.compare(f"{group}/pix", pixels_in_boxes(*inputs))


def pooled_views(case: Case, group: str) -> None:
    features, options = case.tensor(f"{group}/t"), case.config["combine"]
    assert len(features) == options["objects"] * options["views"]
    for prefix, kind in (("avg", "average"), ("max", "max")):
        for name in case.names(f"{group}/{prefix}_"):
            case.compare(name, pool_views(features, options["views"], kind))


@check("pixelnerf", "metrics")
def metrics(case: Case) -> None:
    options = case.config["ssim"]
    for name, known in (("window", 7), ("kind", "uniform"), ("K1", 0.01), ("K2", 0.03), ("covariance", "n-1")):
        options.one_of(name, known)
    case.config.one_of("eight_bit", "truncate")
    data_range = float(options["data_range"])
    truth, prediction = case.tensor("gt"), case.tensor("pred")
    truth_8, prediction_8 = case.array("gt_u8") / 255.0, truncate_to_8_bit(prediction)
    case.compare("pred_u8", prediction_8)
    versions = {"": (prediction, truth), "_u8": (prediction_8.numpy() / 255.0, truth_8), "_util": (prediction, truth)}
    for suffix, (ours, theirs) in versions.items():
        for name, metric in (("psnr", psnr), ("ssim", ssim)):
            if f"{name}{suffix}" in case:
                span = data_range if name == "ssim" else 1.0
                values = [metric(image, other, data_range=span) for image, other in zip(ours, theirs, strict=True)]
                case.compare(f"{name}{suffix}", np.array(values))
