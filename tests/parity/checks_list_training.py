"""LIST's losses and training steps against their golden cases."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from tests.parity.checks_list_model import grid_of, list_config, picture, summary, tensors
from tests.parity.parity_case import Case
from tests.parity.parity_checks import check
from torch import Tensor, nn

from monoform.methods.list.losses import (
    chamfer_loss,
    distance_error,
    distance_loss,
    occupancy_loss,
    sign_accuracy,
)
from monoform.methods.list.model import CoarseNet, ListNet
from monoform.methods.list.published import published_config
from monoform.methods.list.stages import published_optimiser

LOSS = 1e-5
LATER_LOSSES = 1e-2  # they go through statistics of four samples: the order of a sum is seen in them


@check("list", "losses")
def losses(case: Case) -> None:
    scale = case.manifest["config"]["sdf_scale"]
    chamfer = chamfer_loss(case.tensor("cloud_pred"), case.tensor("cloud_gt"))
    case.compare("chamfer_loss", chamfer, rtol=LOSS)
    scaled, truth = case.tensor("sdf_pred"), case.tensor("sdf_gt")
    distance = distance_loss(scaled, truth, scale)
    case.compare("sdf_loss", distance, rtol=LOSS)
    case.compare("report_sdf_mse", distance_error(scaled, truth, scale), rtol=LOSS)
    case.compare("report_sign_accuracy", sign_accuracy(scaled, truth, level=0.5), rtol=LOSS)
    weight = case.manifest["config"]["occ_weight"]
    occupied = occupancy_loss(case.tensor("occ_pred"), case.tensor("occ_gt"), weight)
    case.compare("occ_loss", occupied, rtol=LOSS)
    case.compare("total", occupied + distance, rtol=LOSS)


def compare_norms(case: Case, net: nn.Module, *, rtol: float) -> None:
    """Norms above a thousandth of the largest; what has no gradient has none here either."""
    golden: dict[str, float] = case.manifest["grad_norms"]
    floor = 1e-3 * max(golden.values())
    found = {name: parameter.grad for name, parameter in net.named_parameters()}
    assert set(golden) == set(found)
    for name, norm in golden.items():
        grad = found[name]
        if norm < 0:
            assert grad is None or not grad.any(), name
        elif norm > floor:
            assert grad is not None, name
            np.testing.assert_allclose(float(grad.double().norm()), norm, rtol=rtol, err_msg=name)


def optimiser_of(case: Case, net: nn.Module) -> torch.optim.Optimizer:
    """The published optimiser; its numbers are those of the case."""
    made = published_optimiser().build([{"params": [each for each in net.parameters() if each.requires_grad]}])
    config: dict[str, Any] = case.manifest["config"]
    for name in ("lr", "betas", "weight_decay"):
        if name in config:
            wanted = config[name]
            assert made.defaults[name] == (tuple(wanted) if isinstance(wanted, list) else wanted)
    return made


@check("list", "train_step_coarse")
def train_step_coarse(case: Case) -> None:
    net = CoarseNet(published_config("shapenet"))
    net.load_state_dict(tensors(case))
    net.train()
    optimiser = optimiser_of(case, net)
    images, truth = picture(case, "image_u8"), case.tensor("cloud_gt")
    found: list[float] = []
    for step in range(len(case.arrays["losses"])):
        cloud = net(images)
        loss = chamfer_loss(cloud, truth)
        found.append(float(loss.detach()))
        if step == 0:
            case.compare("points_step0", cloud, atol=1e-4)
            case.compare("bn1_mean", net.image_encoder.bn1.running_mean, atol=1e-5)
            case.compare("bn1_var", net.image_encoder.bn1.running_var, atol=1e-5)
        optimiser.zero_grad()
        loss.backward()
        if step == 0:
            compare_norms(case, net, rtol=1e-2)
        optimiser.step()
    np.testing.assert_allclose(found[0], case.arrays["losses"][0], rtol=1e-4)
    case.compare("losses", np.array(found), rtol=2e-3)


@check("list", "train_step_list")
def train_step_list(case: Case) -> None:
    net = ListNet(list_config(case))
    net.load_state_dict(tensors(case))
    net.freeze_first_stage()
    net.train()
    optimiser = optimiser_of(case, net)
    truth = case.tensor("sdf_gt")
    names = sorted(name for name in case.arrays if name.startswith("occ_gt_idx"))
    target = torch.stack([grid_of(case.array(name), net.config.network.volume_nodes) for name in names])
    scale = case.manifest["config"]["sdf_scale"]
    parts: list[tuple[float, float]] = []
    for step in range(len(case.arrays["losses"])):
        probability, scaled = net(picture(case, "image_u8"), case.tensor("query"))
        occupied, distance = occupancy_loss(probability, target), distance_loss(scaled, truth, scale)
        parts.append((float(occupied.detach()), float(distance.detach())))
        if step == 0:
            _compare_first(case, net, probability, scaled)
        optimiser.zero_grad()
        (occupied + distance).backward()
        if step == 0:
            compare_norms(case, net, rtol=5e-2)
        optimiser.step()
    found = np.array(parts)
    np.testing.assert_allclose(found.sum(1)[0], case.arrays["losses"][0], rtol=1e-3)
    np.testing.assert_allclose(found[0], case.arrays["parts"][0], rtol=1e-3)
    case.compare("losses", found.sum(1), rtol=LATER_LOSSES)
    case.compare("parts", found, rtol=LATER_LOSSES)


def _compare_first(case: Case, net: ListNet, probability: Tensor, scaled: Tensor) -> None:
    case.compare("sdf_step0", scaled, atol=1e-3)
    case.compare("occ_summary_step0", summary(probability), rtol=1e-4, atol=1e-4)
    case.compare("frozen_bn1_mean", net.im_encoder.bn1.running_mean, atol=1e-5)
