"""A whole iteration of RealFusion, with a tiny diffusion model, against its golden cases."""

from __future__ import annotations

import numpy as np
import torch
from tests.parity.checks_realfusion_field import compare_gradients, field_of
from tests.parity.checks_realfusion_guidance import prior_of
from tests.parity.checks_realfusion_steps import options_of
from tests.parity.parity_case import Case, Fields
from tests.parity.parity_checks import check
from torch import Tensor

from monoform.guidance import GuidanceOptions, score_distillation
from monoform.methods.realfusion.cameras import LABELS
from monoform.methods.realfusion.model import RealFusionField
from monoform.methods.realfusion.optimizing import groups_of, optimizer_of
from monoform.methods.realfusion.prompts import view_texts
from monoform.methods.realfusion.steps import (
    PhotoRays,
    PriorDraws,
    Terms,
    add_photo_terms,
    add_view_terms,
    choose,
    orientation_of,
    photo_view,
    prior_view,
    prompt_of,
    smoothness_of,
)

PROMPT = "a cat"


@check("realfusion", "train_iteration")
def train_iteration(case: Case) -> None:
    config, options = case.config, options_of(case.config["training"])
    config.one_of("precision", "float32")
    config.one_of("loss_scaler", None)
    assert config["training"].one_of("debug", False) is False
    field, step = field_of(case, Fields({**config, **config["renderer"]}, config.where)), config["global_step"]
    shading = float(case.array("draw_shading_choice")) if "draw_shading_choice" in case else 0.0
    choice = choose(step, shading, options)
    assert (choice.replaced, choice.shading) == (config["replaced"], config["shading"])
    assert choice.ambient == config["ambient_ratio"]
    terms, distilled = prior_terms(case, field, choice, options)
    image, mask = photo_terms(case, field, options)
    case.compare("loss_synthetic", distilled.detach() + terms.total)
    rest = terms.total + image + mask
    case.compare("loss", distilled.detach() + rest)
    for prefix, loss in (("sds_grad", distilled), ("rest_grad", rest)):
        field.zero_grad()
        loss.backward(retain_graph=True)
        compare_gradients(case, field, prefix, config["stored_rows"])
    # The first step of Adam is a sign, which rounding decides where both gradients cancel: the golden ones are given.
    small = {name: one for name, one in field.named_parameters() if not name.startswith("encoder.")}
    golden = {name: [case.arrays[f"{prefix}.{name}"] for prefix in ("sds_grad", "rest_grad")] for name in small}
    for name, one in small.items():
        one.grad = torch.from_numpy(sum(golden[name]))
    optimizer_of(options.optimizer, options.rate).over(groups_of(field, options)).step()
    for name, one in small.items():
        strength = np.abs(sum(golden[name]))
        kept = np.where(strength > 1e-6 * strength.max(), one.detach().numpy(), case.arrays[f"updated.{name}"])
        case.compare(f"updated.{name}", kept)


def prior_terms(case: Case, field: RealFusionField, choice, options) -> tuple[Terms, Tensor]:
    """The view that the prior judges, its regularisers, and the prior's loss."""
    config = case.config
    height, width = config["syn_size"]
    moved = torch.zeros(2, 3)
    if choice.replaced:
        moved = torch.stack([case.tensor(f"draw_cam_{part}").reshape(3) for part in "od"])
    draws = PriorDraws(0.0, case.tensor("draw_light"), case.tensor("draw_march"), moved)
    rays = case.tensor("syn_rays_o")[0], case.tensor("syn_rays_d")[0]
    seen, sampled = prior_view(field, *rays, choice, draws, options)
    image = seen.image.reshape(1, height, width, 3)
    case.compare("syn_image", image.permute(0, 3, 1, 2))
    case.compare("syn_weights_sum", seen.alpha[None])
    case.compare("syn_normals", seen.normals)
    orient = orientation_of(sampled, options)
    perturb = case.tensor("draw_normal_perturb")
    smooth = smoothness_of(field, sampled, perturb, options)
    case.compare("loss_orient", orient)
    case.compare("loss_smooth", smooth)
    terms = Terms(options, config["global_step"])
    maps = seen.normals.reshape(1, height, width, 3).permute(0, 3, 1, 2)
    add_view_terms(terms, seen.alpha[None], maps, orient, smooth)
    prior = prior_of(case)
    positive, negative = (prior.embed(texts) for texts in view_texts(PROMPT, "", directions=True))
    texts = torch.stack((negative, positive), dim=1)
    assert len(texts) == len(LABELS)
    case.compare("text_embeds", texts)
    used = texts[prompt_of(case.tensor("syn_dir"), choice)]
    case.compare("used_text_embeds", used[0])
    latents = prior.encode(image, noise=case.tensor("draw_posterior"))
    found = score_distillation(
        prior,
        latents,
        used[:, 1],
        used[:, 0],
        options=GuidanceOptions(scale=config["training"]["guidance_scale"]),
        timesteps=case.tensor("draw_t").long(),
        noise=case.tensor("draw_noise"),
    )
    distilled = terms.weight("prior") * found.loss
    case.compare("pseudo_loss", distilled)
    return terms, distilled


def photo_terms(case: Case, field: RealFusionField, options) -> tuple[Tensor, Tensor]:
    """The photo's rays and their weighted losses."""
    rgba = case.tensor("real_rgba")[0]
    assert len(rgba) == case.config["real_rays"]
    rays = PhotoRays(case.tensor("real_rays_o")[0], case.tensor("real_rays_d")[0], rgba[:, :3], rgba[:, 3])
    draws = torch.stack([case.tensor(f"draw_real_cam_{part}").reshape(3) for part in "od"])
    case.array("draw_real_light")  # which albedo does not see
    seen = photo_view(field, rays, case.tensor("draw_real_march"), draws, case.config["global_step"], options)
    case.compare("real_image", seen.image[None])
    case.compare("real_weights_sum", seen.alpha[None])
    terms = Terms(options, case.config["global_step"])
    add_photo_terms(terms, seen, rays)
    image, mask = (terms.weight(name) * terms.live[name] for name in ("image", "mask"))
    case.compare("loss_real_image", image)
    case.compare("loss_real_mask", mask)
    return image, mask
