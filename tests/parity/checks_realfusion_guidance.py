"""RealFusion's score distillation and textual inversion against their golden cases."""

from __future__ import annotations

import math

import numpy as np
import torch
from PIL import Image
from tests.guidance.priors import PointPrior
from tests.parity.fill import fill_state
from tests.parity.parity_case import Case
from tests.parity.parity_checks import check
from tests.tiny_diffusion import tiny_prior

from monoform.data.images.cutout import padded, resized
from monoform.guidance import GuidanceOptions, add_noise, guided_noise, score_distillation
from monoform.guidance.distillation import weight_of
from monoform.guidance.stable_diffusion import StableDiffusion
from monoform.guidance.textual.augment import CHANGES, Augmentation, Draw, apply_draw, draw, in_range, plain
from monoform.guidance.textual.learned import inversion_loss, learn
from monoform.guidance.words import Word
from monoform.methods.realfusion.cameras import look_at, on_sphere, rays
from monoform.training import Optimizer

PARTS = {"vae": "vae", "unet": "unet", "text": "text_encoder"}


def prior_of(case: Case) -> StableDiffusion:
    """The tiny model of a manifest, its weights by the manifest's rule."""
    config = {name: case.config[name] for name in ("vae", "unet", "text", "scheduler")}
    assert config["text"]["hidden_size"] % config["text"]["num_attention_heads"] == 0
    prior = tiny_prior(config=config, image_size=case.config.get("upsample", 0))
    state = fill_state(case.manifest)
    for prefix, name in PARTS.items():
        start = f"{prefix}."
        own = {key.removeprefix(start): torch.from_numpy(state[key]) for key in state if key.startswith(start)}
        missing, unexpected = getattr(prior, name).load_state_dict(own, strict=False)
        missing = [key for key in missing if not key.endswith("position_ids")]
        assert not unexpected and not missing, (missing, unexpected)
    return prior


@check("realfusion", "sds")
def sds(case: Case) -> None:
    config, prior = case.config, prior_of(case)
    config.one_of("weighting", "1 - alphas_cumprod")
    config.one_of("mode", "eval")
    assert prior.predicts == config.one_of("prediction_type", "epsilon")
    assert config["vae_scale"] == config["vae"]["scaling_factor"]
    scale, weight = float(case.array("guidance_scale")), float(case.array("lambda_prior"))
    assert scale == config["guidance_scale"] and weight == config["lambda_prior"]
    case.compare("alphas_cumprod", prior.alphas_cumprod)
    formula(case, prior, scale, weight)
    with torch.no_grad():
        texts = prior.embed_ids(case.tensor("token_ids").long())
    case.compare("text_embeds", texts)
    rows = {name: texts[[row]] for name, row in config["embedding_rows"].items()}
    pixels = case.tensor("pred_rgb").requires_grad_()
    assert list(pixels.shape[2:]) == config["image_size"]
    latents = prior.encode(pixels.permute(0, 2, 3, 1), noise=case.tensor("draw_posterior"))
    assert latents.shape[-1] == config["latent_size"]
    case.compare("latents", latents)
    time = case.tensor("t").long().reshape(1)
    assert int(time) == config["t"]
    options = GuidanceOptions(scale=scale)
    noise = case.tensor("draw_noise")
    found = score_distillation(
        prior, latents, rows["positive"], rows["negative"], options=options, timesteps=time, noise=noise
    )
    case.compare("noisy_latents", found.noisy)
    case.compare("eps_pred", torch.cat(found.predicted))
    case.compare("latent_grad", weight * found.gradient)
    case.compare("pseudo_loss", weight * found.loss)
    (gradient,) = torch.autograd.grad(weight * found.loss, pixels)
    case.compare("pixel_grad", gradient)


def formula(case: Case, prior: StableDiffusion, scale: float, weight: float) -> None:
    """The gradient as if the U-Net had predicted what is given."""

    class Given(PointPrior):
        def predict(self, latents, timesteps, embeddings):
            return embeddings

    given = Given({"": torch.zeros(4, 8, 8)})
    given.alphas_cumprod = prior.alphas_cumprod
    latents, noise = case.tensor("formula_latents"), case.tensor("formula_noise")
    told = case.tensor("formula_eps_text"), case.tensor("formula_eps_uncond")
    assert (case.array("formula_t") == case.config["formula_t"]).all()
    noisy, gradients = [], []
    for time in case.tensor("formula_t").long():
        noisy.append(add_noise(prior, latents, noise, time[None]))
        guided, _ = guided_noise(given, noisy[-1], time[None], *told, scale)
        gradients.append(weight * weight_of(prior, time[None], noisy[-1], "variance") * (guided - noise))
    case.compare("formula_noisy", torch.cat(noisy))
    case.compare("formula_grad", torch.cat(gradients))


@check("realfusion", "textual_augmentation")
def textual_augmentation(case: Case) -> None:
    config = case.config
    options = augmentation_of(config)
    image = Image.fromarray(case.array("image"))
    seeds = {name: case.manifest["seeds"][name]["seeds"] for name in ("items", "plain")}
    assert len(seeds["items"]) == config["items"]
    for item, seed in enumerate(seeds["items"]):
        given = draw_of(case, f"item{item}_")
        assert_drawn(draw(options, torch.Generator().manual_seed(seed)), given)
        case.compare(f"item{item}_out", np.asarray(apply_draw(image, options, given)).transpose(2, 0, 1))
    for (name, plainly), seed in zip(config["plain"].items(), seeds["plain"], strict=True):
        (coin,) = case.array(f"{name}_coins").tolist()
        assert coin == float(torch.rand(1, generator=torch.Generator().manual_seed(seed))), name
        assert seed == plainly["seed"], name
        kept = {key: plainly[key] for key in ("center_crop", "interpolation")}
        made = plain(image, config["size"], flip=coin < plainly["flip_p"], **kept)
        case.compare(f"{name}_out", 2 * in_range(made).permute(2, 0, 1) - 1)
    assert config["range"] == {"augmented": [0, 1], "plain": [-1, 1]}
    # Where the release gives 0..1 to an encoder of -1..1, it sees what it would see of 0.5..1.
    assert torch.allclose(2 * in_range(image, published=True) - 1, in_range(image))


def assert_drawn(ours: Draw, given: Draw) -> None:
    """The published transforms and ours draw the same numbers of one generator."""
    assert ours.coins == given.coins and ours.crop == given.crop, (ours, given)
    assert (ours.angle, ours.gray, ours.flip) == (given.angle, given.gray, given.flip), (ours, given)
    np.testing.assert_allclose(ours.sigma or 0.0, given.sigma or 0.0, rtol=1e-6)
    assert [name for name, _ in ours.changes or ()] == [name for name, _ in given.changes or ()], (ours, given)
    factors = [[factor for _, factor in each.changes or ()] for each in (ours, given)]
    np.testing.assert_allclose(*factors, rtol=1e-6)


def augmentation_of(config: dict) -> Augmentation:
    """The options of a manifest, its sizes as parts of each other."""
    rotation, crop, jitter, blur = (config[name] for name in ("rotation", "resized_crop", "jitter", "blur"))
    size, wide = config["size"], config["resize"]
    assert config["centre_crop"] == wide and rotation["then_resize"] == size and crop["size"] == size
    rotation.one_of("interpolation", "nearest")
    assert tuple(jitter["order_codes"]) == CHANGES
    order = ["resize", "centre crop", "rotation", "resized crop", "jitter", "greyscale", "blur", "flip", "to tensor"]
    assert config["order"] == order
    return Augmentation(
        size=size,
        wide=wide / size,
        rotate=rotation["p"],
        degrees=rotation["degrees"],
        kept=rotation["then_centre_crop"] / wide,
        scale=tuple(crop["scale"]),
        ratio=tuple(crop["ratio"]),
        jitter=jitter["p"],
        strength=tuple(float(jitter[name]) for name in CHANGES),
        gray=config["greyscale"]["p"],
        blur=blur["p"],
        sigma=tuple(blur["sigma"]),
        kernel=blur["kernel"],
        flip=config["flip"]["p"],
        fill=rotation["fill"],
    )


def draw_of(case: Case, prefix: str) -> Draw:
    """What the published transforms drew for one picture."""

    def number(name: str) -> float | None:
        return float(case.array(prefix + name)) if prefix + name in case else None

    options = augmentation_of(case.config)
    coins = tuple(case.array(f"{prefix}coins").tolist())
    top, left, height, width = case.array(f"{prefix}crop").tolist()
    changes = None
    if f"{prefix}jitter" in case:
        factors = case.array(f"{prefix}jitter").tolist()
        order = case.array(f"{prefix}jitter_order").tolist()
        changes = tuple((CHANGES[which], factors[which]) for which in order)
    gray, flip = coins[2] < options.gray, coins[4] < options.flip
    return Draw(number("angle"), (left, top, width, height), changes, gray, number("blur_sigma"), flip, coins)


@check("realfusion", "textual_inversion")
def textual_inversion(case: Case) -> None:
    config, prior = case.config, prior_of(case)
    for name, known in (("batch", 1), ("accumulation", 1), ("mode", "eval")):
        config.one_of(name, known)
    assert prior.predicts == config.one_of("prediction_type", "epsilon")
    start = int(case.array("initializer_id"))
    table = prior.text_encoder.get_input_embeddings().weight
    word = Word("_learned_", table[[start]].clone())
    case.compare("init_embedding", word.vectors[0])
    before = table.clone()
    learned = learn(prior, word)
    number = int(prior.token_ids(["_learned_"])[0, 1])
    assert number == int(case.array("placeholder_id")) == config["placeholder_id"] and start == config["initializer_id"]
    asked = config["optimiser"]
    asked.one_of("name", "adamw")
    options = Optimizer("adamw", asked["lr"], tuple(asked["betas"]), asked["eps"], asked["weight_decay"])
    optimizer = options.over([{"params": list(learned.parameters())}])
    losses, gradients, vectors = [], [], []
    draws = [case.tensor(name) for name in ("latents", "noise", "timesteps", "token_ids")]
    assert len(draws[0]) == config["steps"]
    for latents, noise, timestep, ids in zip(*draws, strict=True):
        optimizer.zero_grad()
        loss = inversion_loss(prior, latents[None], noise[None], timestep[None].long(), ids[None].long())
        loss.backward()
        losses.append(loss.detach())
        gradients.append(learned.vectors.grad[0].clone())
        optimizer.step()
        vectors.append(learned.vectors[0].detach().clone())
    case.compare("losses", torch.stack(losses))
    case.compare("gradients", torch.stack(gradients))
    case.compare("embeddings", torch.stack(vectors))
    assert torch.equal(prior.text_encoder.get_input_embeddings().weight[: len(before)], before)


@check("realfusion", "image_preparation")
def image_preparation(case: Case) -> None:
    config = case.config
    size = config["size"]
    config["resize"].one_of("image", "bilinear, align_corners False, no antialias")
    config["resize"].one_of("mask", "nearest")
    config["rgba"].one_of("premultiplied", False)
    config["rgba"].one_of("square", "squashed")
    for name in (each.removesuffix(".image") for each in case.names(suffix=".image")):
        case.compare(f"{name}.image{size}", resized(padded(case.tensor(f"{name}.image")), size))
        case.compare(f"{name}.mask{size}", resized(padded(case.tensor(f"{name}.mask")), size, mode="nearest"))
    rgba = case.tensor("rgba").float().permute(2, 0, 1)[None] / 255
    case.compare(f"rgba{size}", resized(rgba, size).permute(0, 2, 3, 1))
    camera = config["camera"]
    polar, azimuth = (torch.tensor([math.radians(camera[name])]) for name in ("polar", "azimuth"))
    centers = on_sphere(polar, azimuth, camera["radius"])
    origins, directions = rays(look_at(centers, mirrored=True), camera["fovy"], size, size)
    case.compare("rays_o", origins)
    case.compare("rays_d", directions)
    count = config["validation_views"]
    around = 2 * math.pi * torch.arange(count) / count
    case.compare("val_rays_o", on_sphere(polar.expand(count), around, camera["radius"])[:, None])
