"""The frequency network of NeRF, its rays and its compositing against golden cases."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tests.parity.checks_pixelnerf_data import files_of
from tests.parity.fill import fill_state
from tests.parity.parity_case import Case
from tests.parity.parity_checks import check

from monoform.camera import to_blender
from monoform.data.capture import image_size, open_capture, read_image
from monoform.data.llff import read_poses_bounds
from monoform.data.start_poses import offset_pose
from monoform.methods.nerf import TwoPass, field_samples, ndc_rays, published_rays
from monoform.nn.nerf_mlp import NerfMlp
from monoform.render import importance
from monoform.render.passes import composite

NETWORK, PARTS, DATA = 1e-3, 1e-4, 1e-5
NDC_SIZE = (30, 40, 37.5)  # height, width, focal length: in the case's text alone
RAYS_FOCAL = 6.5


@check("inerf", "vanilla_pieces")
def vanilla_pieces(case: Case) -> None:
    config = case.manifest["config"]
    net = NerfMlp(
        config["multires"], config["multires_views"], depth=config["netdepth"], width=config["netwidth"]
    ).eval()
    net.load_state_dict({name: torch.from_numpy(values) for name, values in fill_state(case.manifest).items()})
    with torch.no_grad():
        raw = net(case.tensor("x"), case.tensor("viewdirs"))
        case.compare("raw_out", raw, atol=NETWORK)
        torch.testing.assert_close(net.density(case.tensor("x")), raw[:, 3].relu())
    levels = torch.linspace(0.0, 1.0, case.arrays["pdf_samples"].shape[1]).expand(len(case.arrays["bins"]), -1)
    case.compare("pdf_samples", importance(case.tensor("bins"), case.tensor("weights"), levels), atol=PARTS)
    distances, scale = case.tensor("comp_z"), case.tensor("comp_rays_d").norm(dim=-1, keepdim=True)
    ends = distances[:, :1], distances[:, -1:]
    seen = composite(field_samples(case.tensor("comp_raw")), distances, *ends, TwoPass(white=True).rays, scale=scale)
    ours = {
        "rgb": seen.rgb,
        "disp": seen.disparity,
        "acc": seen.alpha,
        "weights": seen.weights,
        "depth": seen.depth,
    }
    for name, values in ours.items():
        case.compare(f"comp_{name}", values, atol=PARTS)
    height, width, focal = NDC_SIZE
    scale = (2 * focal / width, 2 * focal / height)
    for name, values in zip(("o", "d"), ndc_rays(case.tensor("ndc_o_in"), case.tensor("ndc_d_in"), scale), strict=True):
        case.compare(f"ndc_{name}", values, atol=PARTS, rtol=PARTS)
    rows, columns = case.arrays["rays_d"].shape[:2]
    rays = published_rays(case.tensor("rays_c2w"), rows, columns, RAYS_FOCAL)
    for name, values in zip(("o", "d"), rays, strict=True):
        case.compare(f"rays_{name}", values, atol=PARTS)


@check("inerf", "data_nerf")
def data_nerf(case: Case) -> None:
    """Groups ending in _half have half the size, those ending in _spherify are turned upright around their centre."""
    with files_of(case) as root:
        for file in root.rglob("*.png"):
            image_size(file)
        for group in case.groups():
            if f"{group}/image" in case:
                (blender_view if group.startswith("blender") else llff_view)(case, group, root)


def offset_of(config: dict, order: str, pose: np.ndarray) -> np.ndarray:
    angles = {name: math.radians(config[f"delta_{name}"]) for name in ("phi", "theta", "psi")}
    return offset_pose(pose, **angles, shift=config["delta_t"], order=order)


def compare_view(case: Case, group: str, image: np.ndarray, hwf: tuple, pose: np.ndarray) -> None:
    golden = case.arrays[f"{group}/image"]
    levels = np.abs(np.rint(255 * image).astype(int) - golden.astype(int))
    assert levels.shape == golden.shape and levels.max() <= 1, f"{group}/image: {levels.max()} levels away"
    case.deviations[f"{group}/image"] = float(levels.max())
    case.compare(f"{group}/hwf", np.array(hwf, np.float64), atol=DATA)
    golden_pose = case.arrays[f"{group}/obs_pose"]
    case.compare(f"{group}/obs_pose", pose.astype(golden_pose.dtype), atol=DATA)


def blender_view(case: Case, group: str, root: Path) -> None:
    config = case.manifest["config"]["blender"]
    (folder,) = {file.parent for file in root.rglob("transforms.json")}
    view = open_capture(folder, up="z").views[config["image"]]
    half = 2 if group.endswith("_half") else 1
    camera = view.camera.resized(view.camera.width // half, view.camera.height // half)
    pixels = read_image(view, (camera.width, camera.height))
    image = pixels[..., :3] * pixels[..., 3:] + 1 - pixels[..., 3:] if pixels.shape[2] == 4 else pixels
    pose = to_blender(camera.world_from_camera)[0].double().numpy()
    compare_view(case, group, image, (camera.height, camera.width, float(camera.intrinsics[0, 0, 0])), pose)
    case.compare(f"{group}/start_pose", offset_of(config, "shift last", pose), atol=DATA)


def llff_view(case: Case, group: str, root: Path) -> None:
    config = case.manifest["config"]["llff"]
    (file,) = root.rglob("poses_bounds.npy")
    folder = file.parent / f"images_{config['factor']}"
    photo = sorted(folder.iterdir())[config["image"]]
    with Image.open(photo) as opened:
        image = np.asarray(opened.convert("RGB")) / 255.0
    read = read_poses_bounds(
        file,
        factor=config["factor"],
        size=image.shape[1::-1],
        nearest=config["bd_factor"],
        recentre=config["recenter"],
        spherify=group.endswith("_spherify"),
    )
    pose = read.poses[config["image"]]
    compare_view(case, group, image, tuple(read.hwf[config["image"]]), pose)
    case.compare(f"{group}/bds", read.bounds.astype(np.float32), atol=DATA)
    case.compare(f"{group}/start_pose", offset_of(config, "shift first", pose), atol=DATA)
