"""PoF3D's metrics on given features, and its inverse renderer, against their golden cases."""

from __future__ import annotations

import torch
from tests.parity.fill import fill_state
from tests.parity.parity_case import Case
from tests.parity.parity_checks import check

from monoform.methods.pof3d.geod.config import RESOLUTION, GeodConfig
from monoform.methods.pof3d.geod.geometry import view_rotation
from monoform.methods.pof3d.geod.losses import normal_loss, reconstruction_loss
from monoform.methods.pof3d.geod.model import InverseRenderer
from monoform.metrics.frechet import Moments, frechet_distance
from monoform.metrics.inception_score import inception_score
from monoform.metrics.kernel_distance import kernel_distance_of
from monoform.metrics.precision_recall import precision_recall


@check("pof3d", "metrics")
def metrics(case: Case) -> None:
    config = case.config
    real, generated = case.array("real"), case.array("gen")
    divisor = config.one_of("fid_covariance", "n", "n-1")
    moments = Moments(real.shape[1]), Moments(generated.shape[1])
    for found, features in zip(moments, (real, generated), strict=True):
        for start in range(0, len(features), 48):  # in batches that do not divide them evenly
            found.add(features[start : start + 48])
    case.compare("fid", frechet_distance(*moments, divisor))
    subsets = case.array("kid_real_index"), case.array("kid_gen_index")
    for indices in subsets:
        assert indices.shape == (config["kid"]["subsets"], config["kid"]["size"]), "config.kid is not what is stored"
    pairs = zip(*subsets, strict=True)
    case.compare("kid_subsets", kernel_distance_of(real, generated, pairs, degree=config["kid"]["degree"]))
    numbers = config.one_of("precision", "float16", "float32")
    found = precision_recall(real, generated, neighbors=config["neighbours"], numbers=numbers)
    for name, share in zip(("precision", "recall"), found, strict=True):
        case.compare(name, share)
    score = inception_score(case.array("probs"), splits=config["is_splits"])
    for name, value in zip(("is_mean", "is_std"), score, strict=True):
        case.compare(name, value)


def _range_of(text: str, light: str) -> tuple[float, float]:
    """ "ambient 0..1, diffuse 0..1" -> that of one of them."""
    (part,) = (part.split() for part in text.split(",") if part.split()[0] == light)
    low, high = part[1].split("..")
    return float(low), float(high)


def geod_config(case: Case) -> GeodConfig:
    """The inverse renderer that a case describes."""
    config = case.config
    config.one_of("resolution", RESOLUTION)
    return GeodConfig(
        fov=config["fov"],
        min_depth=config["min_depth"],
        max_depth=config["max_depth"],
        border_depth=config["border_depth"],
        rotation_depth=config["rot_center_depth"],
        rotation_range=config["xyz_rotation_range"],
        xy_shift=config["xy_translation_range"],
        z_shift=config["z_translation_range"],
        ambient=_range_of(config["light_ranges"], "ambient"),
        diffuse=_range_of(config["light_ranges"], "diffuse"),
        margin=config["margin"],
        supersampling=config["supersampling"],
        uncovered=config["uncovered"],
    )


@check("pof3d", "geod")
def geod(case: Case) -> None:
    net = InverseRenderer(geod_config(case))
    state = {name: torch.from_numpy(values) for name, values in fill_state(case.manifest).items()}
    net.load_state_dict(state, strict=True)
    image = case.tensor("image")
    with torch.no_grad():
        raw = {"depth": net.netD(image), "light": net.netL(image), "view": net.netV(image)}
        albedo, confidences = net.netA(image), net.netC(image)
        seen, found = net(image)
    for name, values in raw.items():
        case.compare(f"net_{name}", values)
    case.compare("net_albedo_strided", albedo[:, :, ::2, ::2])
    case.compare("net_conf64_strided", confidences[0][:, :, ::2, ::2])
    case.compare("net_conf16", confidences[1])
    case.compare("canon_depth", seen.depth)
    case.compare("canon_normal_strided", seen.normal[:, ::2, ::2])
    case.compare("canon_image_strided", seen.image[:, :, ::2, ::2])
    case.compare("shading_strided", seen.facing[:, :, ::2, ::2])
    case.compare("view", seen.view)
    case.compare("rotation", view_rotation(seen.view[:, :3]))
    case.compare("recon_depth", found.depth)
    case.compare("recon_image_strided", found.image[:, :, ::2, ::2])
    case.compare("recon_normal_strided", found.normal[:, ::2, ::2])
    case.compare("mask", found.mask.to(torch.uint8))
    parts = reconstruction_loss(seen, found, image)[1]
    for name, value in parts.items():
        case.compare(name, value)
    case.compare("normal_loss", normal_loss(case.tensor("normal_map"), found))
