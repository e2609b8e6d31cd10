"""The frequency network of NeRF, its rays and its compositing against golden cases."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tests.parity.checks_inerf import nerf_mlp
from tests.parity.checks_pixelnerf_data import files_of
from tests.parity.fill import fill_state
from tests.parity.parity_case import Case, Fields
from tests.parity.parity_checks import check

from monoform.camera import to_blender
from monoform.data.capture import open_capture, read_image
from monoform.data.captures.llff import read_poses_bounds
from monoform.inputs.pictures import picture_size
from monoform.methods.inerf import EulerOrder, euler_start
from monoform.methods.nerf import TwoPass, field_samples, ndc_rays, published_rays
from monoform.render import importance
from monoform.render.intervals import ENDLESS
from monoform.render.passes import composite


@check("inerf", "vanilla_pieces")
def vanilla_pieces(case: Case) -> None:
    config = case.config
    config.one_of("last_interval", ENDLESS)
    net = nerf_mlp(config).eval()
    net.load_state_dict({name: torch.from_numpy(values) for name, values in fill_state(case.manifest).items()})
    with torch.no_grad():
        raw = net(case.tensor("x"), case.tensor("viewdirs"))
        case.compare("raw_out", raw)
        torch.testing.assert_close(net.density(case.tensor("x")), raw[:, 3].relu())
    levels = levels_of(config["pdf_u"]).expand(len(case.array("bins")), -1)
    case.compare("pdf_samples", importance(case.tensor("bins"), case.tensor("weights"), levels))
    distances, scale = case.tensor("comp_z"), case.tensor("comp_rays_d").norm(dim=-1, keepdim=True)
    ends, options = (distances[:, :1], distances[:, -1:]), TwoPass(white=config["white_bkgd"]).rays
    seen = composite(field_samples(case.tensor("comp_raw")), distances, *ends, options, scale=scale)
    ours = {
        "rgb": seen.rgb,
        "disp": seen.disparity,
        "acc": seen.alpha,
        "weights": seen.weights,
        "depth": seen.depth,
    }
    for name, values in ours.items():
        case.compare(f"comp_{name}", values)
    options = config["ndc"]
    scale = (2 * options["focal"] / options["W"], 2 * options["focal"] / options["H"])
    turned = ndc_rays(case.tensor("ndc_o_in"), case.tensor("ndc_d_in"), scale, options["near"])
    for name, values in zip(("o", "d"), turned, strict=True):
        case.compare(f"ndc_{name}", values)
    options = config["rays"]
    rays = published_rays(case.tensor("rays_c2w"), options["H"], options["W"], options["focal"])
    for name, values in zip(("o", "d"), rays, strict=True):
        case.compare(f"rays_{name}", values)


def levels_of(words: str) -> torch.Tensor:
    """ "linspace(0, 1, 6)"."""
    found = re.fullmatch(r"linspace\(([\d.]+), ([\d.]+), (\d+)\)", words)
    assert found, f"config.pdf_u is {words!r}; only linspace(FIRST, LAST, COUNT) is known here"
    return torch.linspace(float(found[1]), float(found[2]), int(found[3]))


@check("inerf", "data_nerf")
def data_nerf(case: Case) -> None:
    """Groups of one layout share what was asked of their data, and differ in size, background and world."""
    layouts = {"blender": blender_view, "llff": llff_view}
    with files_of(case) as root:
        for file in root.rglob("*.png"):  # those that are not looked at are pictures too
            picture_size(file)
        for group, options in case.config["groups"].items():
            layouts[options["layout"]](case, group, options, case.config[options["layout"]], root)


ORDERS: dict[str, EulerOrder] = {"shift last": "blender", "shift first": "llff"}


def offset_of(config: Fields, order: str, pose: np.ndarray) -> np.ndarray:
    phi, theta, psi = (math.radians(config[f"delta_{name}"]) for name in ("phi", "theta", "psi"))
    return euler_start(
        torch.from_numpy(pose), (phi, theta, psi), config["delta_t"], order=ORDERS[order], up="z"
    ).numpy()


def compare_view(case: Case, group: str, image: np.ndarray, hwf: tuple, pose: np.ndarray) -> None:
    case.compare(f"{group}/image", np.rint(255 * image).astype(np.uint8))
    case.compare(f"{group}/hwf", np.array(hwf, np.float64))
    case.compare(f"{group}/obs_pose", pose.astype(case.arrays[f"{group}/obs_pose"].dtype))


def blender_view(case: Case, group: str, options: Fields, config: Fields, root: Path) -> None:
    options.one_of("spherify", False)
    (folder,) = {file.parent for file in root.rglob("transforms.json")}
    view = open_capture(folder, up="z").views[config["image"]]
    smaller = 2 if options["half_res"] else 1
    camera = view.camera.resized(view.camera.width // smaller, view.camera.height // smaller)
    pixels = read_image(view, (camera.width, camera.height))
    image = pixels[..., :3]
    if options["white_background"] and pixels.shape[2] == 4:
        image = image * pixels[..., 3:] + 1 - pixels[..., 3:]
    pose = to_blender(camera.world_from_camera)[0].double().numpy()
    compare_view(case, group, image, (camera.height, camera.width, float(camera.intrinsics[0, 0, 0])), pose)
    case.compare(f"{group}/start_pose", offset_of(config, options["start_order"], pose))


def llff_view(case: Case, group: str, options: Fields, config: Fields, root: Path) -> None:
    for name in ("half_res", "white_background"):
        options.one_of(name, False)
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
        recenter=config["recenter"],
        spherify=options["spherify"],
    )
    pose = read.poses[config["image"]]
    compare_view(case, group, image, tuple(read.hwf[config["image"]]), pose)
    case.compare(f"{group}/bds", read.bounds.astype(np.float32))
    case.compare(f"{group}/start_pose", offset_of(config, options["start_order"], pose))
