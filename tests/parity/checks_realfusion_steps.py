"""RealFusion's optimizers and steps against their golden cases."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from tests.parity.parity_case import Case
from tests.parity.parity_checks import check
from torch import nn

from monoform.methods.realfusion import losses
from monoform.methods.realfusion.cameras import FRONT, LABELS
from monoform.methods.realfusion.fit_options import PUBLISHED, FitOptions, Views, Weights
from monoform.methods.realfusion.optimizing import ADAN_CLIP, BETAS, EPSILON, clip_of, optimizer_of, published_decay
from monoform.methods.realfusion.steps import (
    ALBEDO_ABOVE,
    TEXTURELESS_ABOVE,
    Terms,
    add_view_terms,
    choose,
    moved,
    prompt_of,
)
from monoform.training import Ema

WEIGHTS = ("prior", "image", "mask", "entropy", "opacity", "orient", "smooth", "smooth_2d")


def options_of(training: Any) -> FitOptions:
    """The published options with what a manifest's training says."""
    weights = {name: " ".join(map(str, training[f"lambda_{name}"])) for name in WEIGHTS if f"lambda_{name}" in training}
    views = Views(
        directions=training.one_of("dir_text", True),
        replace_every=training["replace_synthetic_camera_every"],
        replace_noise=training["replace_synthetic_camera_noise"],
    )
    photo = PUBLISHED.photo
    if "noise_real_camera" in training:
        photo = replace(
            photo, noise=training["noise_real_camera"], noise_annealed=training["noise_real_camera_annealing"]
        )
    return replace(
        PUBLISHED,
        steps=training["iters"],
        albedo_steps=training["albedo_iters"],
        views=views,
        photo=photo,
        losses=Weights(**weights),
        optimizer=training.get("optim", "adamw"),
        rate=training.get("lr", 1e-3),
        prior_scale=1.0,
    )


@check("realfusion", "optimizers_ema_scaler")
def optimizers_ema_scaler(case: Case) -> None:
    config = case.config
    for name in ("adan", "adam"):
        own = {part: nn.Parameter(case.tensor(f"{part}0").clone()) for part in "pq"}
        options = optimizer_of(name, 1.0)
        asked = config[name]
        assert (list(options.betas), options.epsilon) == (asked["betas"], asked["eps"])
        if name == "adan":
            asked.one_of("no_prox", False)
            assert (options.weight_decay, ADAN_CLIP) == (asked["weight_decay"], asked["max_grad_norm"])
        else:
            assert (tuple(asked["betas"]), asked["eps"]) == (BETAS, EPSILON)
        optimizer = options.over([{"params": [own[part]], "lr": config["lr"][part]} for part in "pq"])
        found: dict[str, list[torch.Tensor]] = {"p": [], "q": []}
        for step in range(config["steps"]):
            for part in "pq":
                own[part].grad = case.tensor(f"grads_{part}")[step].clone()
            if (limit := clip_of(name)) is not None:
                nn.utils.clip_grad_norm_(list(own.values()), limit)
            optimizer.step()
            for part in "pq":
                found[part].append(own[part].detach().clone())
        for part in "pq":
            case.compare(f"{name}_{part}", torch.stack(found[part]))
    averaged(case)
    weight, scale = case.tensor("scaler_w").requires_grad_(), float(case.array("scaler_scale"))
    assert scale == config["scaler_scale"]
    total = weight.square().sum() + (3.0 * weight * case.tensor("scaler_manual_grad")).sum() / scale
    case.compare("scaler_effective_grad", torch.autograd.grad(total, weight)[0])


def averaged(case: Case) -> None:
    """Averages of a parameter that begins at the case's start."""
    asked, values = case.config["ema"], case.tensor("ema_values")
    module = nn.Module()
    module.p = nn.Parameter(torch.full_like(values[0], float(asked["start"])))
    ema, found = Ema(module, lambda number: published_decay(asked["decay"], number)), []
    for number, value in enumerate(values):
        module.p.data.copy_(value)
        ema.update(number)
        found.append(ema.averages["p"].clone())
    case.compare("ema_shadow", torch.stack(found))


@check("realfusion", "replaced_camera_step")
def replaced_camera_step(case: Case) -> None:
    config = case.config
    options = options_of(config["training"])
    assert tuple(config["labels"]) == LABELS
    assert config["replaced_prompt"] == FRONT
    assert config["shading_limits"] == [ALBEDO_ABOVE, TEXTURELESS_ABOVE]
    assert config["entropy_clamp"] == losses.CLAMP
    blur = config["smooth_2d"]
    assert (blur["kernel"], blur["sigma"], blur.one_of("padding", "reflect")) == (
        losses.KERNEL,
        losses.SIGMA,
        "reflect",
    )
    config.one_of("replaced_when", "step modulo the interval is not 0")
    config.one_of("force_all_rays", True)
    config.one_of("perturb", True)
    height, width = config["image_size"]
    origins, directions = case.tensor("rays_o")[0], case.tensor("rays_d")[0]
    image = case.tensor("render_image")[0].reshape(height, width, 3).permute(2, 0, 1)[None]
    maps = case.tensor("render_normals").reshape(1, height, width, 3).permute(0, 3, 1, 2)
    found: dict[str, list[Any]] = {name: [] for name in case.names("out_")}
    for number, step in enumerate(case.array("global_step").tolist()):
        choice = choose(step, float(case.array("draw_shading")[number]), options)
        draws = case.tensor("draw_cam")[number].reshape(2, 3)
        rays = origins, directions
        if choice.replaced:
            rays = moved(*rays, draws, options.views.replace_noise)
        terms = Terms(options, step)
        orient, smooth = (torch.tensor(float(case.array(f"render_loss_{name}"))) for name in ("orient", "smooth"))
        add_view_terms(terms, case.tensor("render_weights_sum"), maps, orient, smooth)
        values = {
            "moved": choice.replaced,
            "rays_o": rays[0].numpy(),
            "rays_d": rays[1].numpy(),
            "prompt": int(prompt_of(case.tensor("label"), choice)),
            "shading": config["shadings"][choice.shading],
            "ambient": choice.ambient,
            "prior_weight": terms.weight("prior"),
            "loss": float(case.array("guidance_loss")) + float(terms.total),
        }
        assert config["ambient_ratio"][choice.shading] == choice.ambient
        for name, value in values.items():
            found[f"out_{name}"].append(value)
    for name, values in found.items():
        if name == "out_guidance_image":
            case.compare(name, image)
        else:
            case.compare(name, np.asarray(values, case.arrays[name].dtype))
