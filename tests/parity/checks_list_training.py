"""LIST's losses and training steps against their golden cases."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from tests.parity.checks_list_model import (
    grid_of,
    list_config,
    network_config,
    picture,
    settled_cloud,
    summary,
    tensors,
    tree_matches,
)
from tests.parity.parity_case import Case
from tests.parity.parity_checks import check
from tests.parity.tolerances import differing_share
from torch import Tensor, nn

from monoform.methods.list.losses import (
    TINY,
    chamfer_loss,
    distance_error,
    distance_loss,
    occupancy_loss,
    sign_accuracy,
)
from monoform.methods.list.model import CoarseNet, ListNet
from monoform.methods.list.published import published_config
from monoform.methods.list.stages import published_optimizer


@check("list", "losses")
def losses(case: Case) -> None:
    """Factors that the project has fixed are taken out where the case has others."""
    config = case.config
    config.one_of("log_eps", TINY)
    scale, level = config["sdf_scale"], config["sign_level"]
    chamfer = chamfer_loss(case.tensor("cloud_pred"), case.tensor("cloud_gt"))
    case.compare("chamfer_loss", chamfer * (config["chamfer_weight"] / 1000))
    scaled, truth = case.tensor("sdf_pred"), case.tensor("sdf_gt")
    distance = distance_loss(scaled, truth, scale)
    case.compare("sdf_loss", distance)
    case.compare("report_sdf_mse", distance_error(scaled, truth, scale) * (config["report_scale"] / 10_000))
    case.compare("report_sign_accuracy", sign_accuracy(scaled, truth, level=level))
    occupied = occupancy_loss(case.tensor("occ_pred"), case.tensor("occ_gt"), config["occ_weight"])
    occupied = occupied * (config["occ_scale"] / 1000)
    case.compare("occ_loss", occupied)
    case.compare("total", occupied + distance)


def compare_norms(case: Case, net: nn.Module) -> None:
    """What has no gradient in the golden run, -1 there, has none here either."""
    golden: dict[str, float] = case.manifest["grad_norms"]
    found = {name: parameter.grad for name, parameter in net.named_parameters()}
    assert set(golden) == set(found)
    for name in [name for name, norm in golden.items() if norm < 0]:
        grad = found[name]
        assert grad is None or not grad.any(), name
    learned = [name for name, norm in golden.items() if norm >= 0]
    assert all(found[name] is not None for name in learned)
    ours = np.array([float(found[name].double().norm()) for name in learned])
    differing_share("grad_norms", ours, np.array([golden[name] for name in learned]), case.tolerance("grad_norms"))


def optimizer_of(case: Case, net: nn.Module) -> torch.optim.Optimizer:
    """The published optimizer with the case's numbers."""
    config = case.config
    options = replace(
        published_optimizer(), rate=config["lr"], betas=tuple(config["betas"]), weight_decay=config["weight_decay"]
    )
    return options.over([{"params": [each for each in net.parameters() if each.requires_grad]}])


@check("list", "train_step_coarse")
def train_step_coarse(case: Case) -> None:
    config, network = case.config, network_config(case)
    config.one_of("mode", "train")
    config.one_of("color_jitter", False)
    tree_matches(case, network, "features", "degrees")
    net = CoarseNet(replace(published_config("coarse"), network=network))
    net.load_state_dict(tensors(case))
    net.train()
    optimizer = optimizer_of(case, net)
    images, truth = picture(case, "image_u8"), case.tensor("cloud_gt")
    found: list[float] = []
    for step in range(config["steps"]):
        cloud = net(images)
        loss = chamfer_loss(cloud, truth)
        found.append(float(loss.detach()))
        if step == 0:
            case.compare("points_step0", cloud)
            case.compare("bn1_mean", net.image_encoder.bn1.running_mean)
            case.compare("bn1_var", net.image_encoder.bn1.running_var)
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            compare_norms(case, net)
        optimizer.step()
    case.compare("losses", np.array(found))


@check("list", "train_step_list")
def train_step_list(case: Case) -> None:
    config = case.config
    config.one_of("mode", "train")
    config.one_of("color_jitter", False)
    config.one_of("loss", "occ + sdf")
    config.one_of("frozen", ["im_encoder", "point_decoder"])
    config.one_of("frozen_batchnorm", "runs in train mode")
    net = ListNet(list_config(case))
    net.load_state_dict(tensors(case))
    net.freeze_first_stage()
    net.train()
    optimizer = optimizer_of(case, net)
    truth, scale = case.tensor("sdf_gt"), config["sdf_scale"]
    assert truth.shape[1] == config["queries"], "config.queries is not how many sdf_gt has"
    names = [f"occ_gt_idx{number}" for number in range(config["batch"])]
    target = torch.stack([grid_of(case.array(name), config["vox_res"]) for name in names])
    parts: list[tuple[float, float]] = []
    images = picture(case, "image_u8")
    cloud = settled_cloud(net, images)  # the same in all steps: what makes it does not learn
    for step in range(config["steps"]):
        seen = net.encode(images, cloud=cloud)
        probability, scaled = seen.volumes[0][:, 0], net.distances(seen, case.tensor("query"))
        occupied, distance = occupancy_loss(probability, target), distance_loss(scaled, truth, scale)
        parts.append((float(occupied.detach()), float(distance.detach())))
        if step == 0:
            _compare_first(case, net, probability, scaled, parts[0])
        optimizer.zero_grad()
        (occupied + distance).backward()
        if step == 0:
            compare_norms(case, net)
        optimizer.step()
    found = np.array(parts)
    case.compare("losses", found.sum(1))
    case.compare("parts", found)


def _compare_first(case: Case, net: ListNet, probability: Tensor, scaled: Tensor, parts: tuple[float, float]) -> None:
    """A wrong step is known at once, and the steps after it are not waited for."""
    differing_share("parts", np.array([parts]), case.arrays["parts"][:1], case.tolerance("parts"))
    case.compare("sdf_step0", scaled)
    case.compare("occ_summary_step0", summary(probability))
    case.compare("frozen_bn1_mean", net.im_encoder.bn1.running_mean)
