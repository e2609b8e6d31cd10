"""pixelNeRF's training steps against golden cases."""

from __future__ import annotations

import copy
import re
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from tests.parity.checks_pixelnerf import per_camera, principal_point
from tests.parity.checks_pixelnerf_model import digest, network_of, poses_of, remembered, unit
from tests.parity.checks_pixelnerf_rendering import draws_of
from tests.parity.parity_case import Case
from tests.parity.parity_checks import check
from torch import Tensor

from monoform.camera import Camera
from monoform.methods.pixelnerf import from_published, published_rays
from monoform.methods.pixelnerf.model import PixelNerfNet
from monoform.methods.pixelnerf.published import write_published
from monoform.methods.pixelnerf.published_training import read_training
from monoform.methods.pixelnerf.render import render
from monoform.render import RayRender

DRAWN = ("u_coarse", "u_cdf", "u_bin", "n_depth")


@dataclass(frozen=True)
class Batch:
    """images (objects, source views, h, w, 3) and their cameras; rays of the objects' pixels, and their colours."""

    images: Tensor
    cameras: Camera
    rays: Tensor
    truth: Tensor


@dataclass(frozen=True)
class Stepped:
    """A network and its optimiser after a step, and what the step gave."""

    net: PixelNerfNet
    optimizer: torch.optim.Optimizer
    colors: tuple[Tensor, Tensor]
    losses: Tensor
    gradients: dict[str, Tensor | None]
    means: dict[str, Tensor]


@check("pixelnerf", "train_step")
def train_step(case: Case) -> None:
    """Each comparison comes as soon as its numbers are there; all steps but the first go on from the authors' files."""
    batch, options = batch_of(case), case.config["train"]
    given = digest(case, "images", "poses", "focal", "image_ord", "pix_inds")
    training = options.one_of("batchnorm", "batch", "running") == "batch"
    net = network_of(case).train(training)
    now = Stepped(net, torch.optim.Adam(net.parameters(), lr=options["lr"]), (), torch.empty(0), {}, {})
    for step in range(options["steps"]):
        now = resumed(now, step, options["lr"]) if step else now
        given += digest(case, *(f"step{step}/{name}" for name in DRAWN if f"step{step}/{name}" in case))
        now = remembered(f"training step {step}", given, lambda now=now, step=step: stepped(case, batch, now, step))
        case.compare(f"step{step}/losses", now.losses.double())
        if step == 0:
            case.compare("coarse_rgb", now.colors[0])
            case.compare("fine_rgb", now.colors[1])
            compare_gradients(case, now.gradients)
        for name in case.names(f"step{step}/", ".running_mean"):
            case.compare(name, now.means[f"encoder.model.{name.removeprefix(f'step{step}/')}"])
    for name in case.names("after/"):
        case.compare(name, now.net.state_dict()[name.removeprefix("after/")])


def batch_of(case: Case) -> Batch:
    config = case.config
    config.one_of("loss", "coarse mse + fine mse")
    config.one_of("noise_std", 0.0)
    images, poses, focal = case.tensor("images"), poses_of(case, "poses"), case.tensor("focal")
    levels = 127.5 * images + 127.5
    np.testing.assert_allclose(levels, levels.round(), atol=1e-3, err_msg="images have 8 bits, also where no ray looks")
    objects, views = config["objects"], config["views"]
    height, width = config["image_size"]
    near, far = config["near_far"]
    center = principal_point(config)

    def cameras(chosen: Tensor, each: int) -> Camera:
        focals = focal.reshape(objects, -1).expand(-1, 2).repeat_interleave(each, dim=0)
        return from_published(chosen.flatten(0, 1), width, height, focals, per_camera(center, objects * each))

    rays = published_rays(cameras(poses, views), near, far).reshape(objects, -1, 8)
    pixels, chosen = case.tensor("pix_inds"), case.tensor("image_ord")
    assert pixels.shape[1] == config["rays_per_object"], "config.rays_per_object is not how many pix_inds names"
    rays = rays.gather(1, pixels[..., None].expand(-1, -1, 8))
    case.compare("rays", rays)
    truth = unit(images).reshape(objects, -1, 3).gather(1, pixels[..., None].expand(-1, -1, 3))
    case.compare("rgb_gt", truth)
    rows, count = torch.arange(objects)[:, None], chosen.shape[1]
    assert count == config["source_views"], "config.source_views is not how many image_ord names"
    return Batch(unit(images)[rows, chosen], cameras(poses[rows, chosen], count), rays, truth)


def stepped(case: Case, batch: Batch, before: Stepped, step: int) -> Stepped:
    """One more step; the network before it is left as it was."""
    net, optimizer = copy.deepcopy((before.net, before.optimizer))
    seen = forward(case, net, batch, step)
    assert seen.fine is not None
    parts = [(one.rgb - batch.truth).square().mean() for one in (seen.coarse, seen.fine)]
    losses = torch.stack([*parts, parts[0] + parts[1]])
    optimizer.zero_grad()
    losses[2].backward()
    gradients = {name: None if each.grad is None else each.grad.clone() for name, each in net.named_parameters()}
    means = {name: value.clone() for name, value in net.state_dict().items() if name.endswith("running_mean")}
    optimizer.step()
    colors = seen.coarse.rgb.detach(), seen.fine.rgb.detach()
    return Stepped(net, optimizer, colors, losses.detach(), gradients, means)


def resumed(now: Stepped, steps: int, rate: float) -> Stepped:
    """The training as it goes on from a folder of the authors' program, which says that so many steps are done."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_published(now.net, folder / "pixel_nerf_latest")
        scheduler = torch.optim.lr_scheduler.ExponentialLR(now.optimizer, 1.0)
        states = {"_optim": now.optimizer.state_dict(), "_iter": {"iter": steps}, "_lrsched": scheduler.state_dict()}
        for file, state in states.items():
            torch.save(state, folder / file)
        net, started = read_training(folder, now.net.config, rate=rate)
    assert started.step == steps
    net.train(now.net.training)
    optimizer = torch.optim.Adam(net.parameters(), lr=rate)
    optimizer.load_state_dict(started.optimizers["pixelnerf"])
    return replace(now, net=net, optimizer=optimizer)


def forward(case: Case, net: PixelNerfNet, batch: Batch, step: int) -> RayRender:
    draws = draws_of(case, f"step{step}/", batch.rays, net.config.sampling)
    return render(net, net.encode(batch.images, batch.cameras), batch.rays, noise=draws, sparse=True)


def compare_gradients(case: Case, gradients: dict[str, Tensor | None]) -> None:
    """-1 is the norm of what has none; of large tensors the manifest says which rows are stored."""
    order = case.manifest["grad_names"]
    assert set(order) == set(gradients)
    norms = [-1.0 if (found := gradients[name]) is None else float(found.double().norm()) for name in order]
    case.compare("grad_norms", np.array(norms))
    for name in case.names("grad/"):
        key = name.removeprefix("grad/")
        ours = gradients[key]
        assert ours is not None, name
        whole = ours.shape == case.arrays[name].shape
        case.compare(name, ours if whole else stored_part(case.config["stored"], key, ours))


def stored_part(stored: dict[str, str], key: str, values: Tensor) -> Tensor:
    """ "first 8 filters" or "every 32nd row" of weights whose layer is named."""
    for layer, words in stored.items():
        if key.split(".")[-2:] == [layer, "weight"]:
            found = re.fullmatch(r"(first|every) (\d+)(?:st|nd|rd|th)? \w+", words)
            assert found, f"config.stored.{layer} is {words!r}; only 'first N ...' and 'every Nth ...' are known here"
            number = int(found[2])
            return values[:number] if found[1] == "first" else values[::number]
    return values
