"""Bootstrapped inversion's training, of generator, discriminator and encoder, against its golden cases."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from tests.parity.checks_bootstrap_encoder import encoder_of
from tests.parity.checks_bootstrap_model import UNUSED_NOISE, config_of, generator_of, tensors
from tests.parity.fill import fill_state
from tests.parity.parity_case import Case, Fields
from tests.parity.parity_checks import check
from torch import Tensor, nn

from monoform.methods.bootstrap import BootstrapGenerator, losses, regularizers, schedules
from monoform.methods.bootstrap import steps as steps_module
from monoform.methods.bootstrap.augment import Similarity
from monoform.methods.bootstrap.config import BootstrapConfig, Training
from monoform.methods.bootstrap.discriminator import BootstrapDiscriminator, discriminator_of
from monoform.methods.bootstrap.presets import preset
from monoform.methods.bootstrap.regularizers import shape_terms, stratified_points
from monoform.methods.bootstrap.rendering import places_of
from monoform.methods.bootstrap.steps import Chance, GanSteps, Views
from monoform.nn.stylegan2 import Noise
from monoform.render import RaySampleNoise
from monoform.training import Ema


def norms(net: nn.Module, order: list[str], *, absent: float = 0.0) -> Tensor:
    """Lengths of the gradients of all parameters in a case's order; of unused noise, which ours lacks, `absent`."""
    parameters = dict(net.named_parameters())
    assert set(parameters) <= set(order), "parameter_order does not name all parameters"
    assert all(name in parameters or name.endswith(UNUSED_NOISE) for name in order), "others than ours"
    gradients = {name: each.grad for name, each in parameters.items() if each.grad is not None}
    return torch.tensor([float(gradients[name].norm()) if name in gradients else absent for name in order])


def total_norm(net: nn.Module) -> np.ndarray:
    squared = [each.grad.double().square().sum() for each in net.parameters() if each.grad is not None]
    return np.asarray(float(torch.stack(squared).sum().sqrt()))


def compare_named(
    case: Case,
    prefix: str,
    found: Mapping[str, Tensor],
    stored: Mapping[str, int] | None = None,
    rounding: Mapping[str, float] | None = None,
) -> None:
    """Arrays that are named by a parameter, of which every so many channels may be stored."""
    for name in case.names(f"{prefix}:"):
        key = name.removeprefix(f"{prefix}:")
        stride = (stored or {}).get(key, 1)
        values = found[key][:, ::stride] if stride > 1 else found[key]
        case.compare(name, values, rounding=(rounding or {}).get(key, 0.0))


def gradients_of(net: nn.Module) -> dict[str, Tensor]:
    return {name: each.grad.clone() for name, each in net.named_parameters() if each.grad is not None}


def adam_of(given: Fields, net: nn.Module) -> torch.optim.Optimizer:
    given.one_of("name", "adam")
    rates = {"betas": given["betas"], "eps": given["eps"], "weight_decay": given["weight_decay"]}
    return torch.optim.Adam(net.parameters(), given["lr"], **rates)


def strata(case: Case, name: str) -> Tensor:
    """Places of points in the cells of the cube, by the rule of the case."""
    rng = np.random.default_rng(zlib.crc32(f"{case.manifest['salt']}{name}".encode()))
    return torch.from_numpy(rng.random(case.config["strata_shape"], dtype=np.float32))


@check("bootstrap-inversion", "augment-schedules")
def augment_schedules(case: Case) -> None:
    config = case.config
    kinds = [f"draw{n}_{'randn' if 'normal' in name else 'rand'}" for n, name in enumerate(config["draw_order"])]
    for name, kind in config["variants"].items():
        images, poses = case.tensor(f"{name}_image"), case.tensor(f"{name}_cam2world")
        assert tuple(images.shape) == (kind["batch"], kind["channels"], *kind["image_size"])
        assert kind["has_mask"] != kind["white_background"]
        assert preset(kind["dataset"]).scene.flipped == kind["camera_flipped"]
        assert preset(kind["dataset"]).scene.half_side == kind["scene_range"]
        focal = (
            case.tensor(f"{name}_focal") if kind.one_of("projection", "perspective", "orthographic")[0] == "p" else None
        )
        for run, options in config["runs"].items():
            scaled, prefix = not options["disable_scale"], f"{name}{run}"
            own = kinds if scaled else [*kinds[:2], "draw2_randn", "draw3_rand"]
            draws = iter([case.tensor(f"{prefix}_{each}") for each in own])
            motion = Similarity.draw(len(images), config["p"], scaled=scaled, draws=draws)
            case.compare(f"{prefix}_out_rot", motion.rotation)
            case.compare(f"{prefix}_out_scale", motion.scale)
            case.compare(f"{prefix}_out_translation", motion.shift)
            case.compare(f"{prefix}_out_image", motion.images(images, white=kind["white_background"]))
            found, lengths = motion.cameras(poses, focal)
            case.compare(f"{prefix}_out_cam2world", found)
            if lengths is not None:
                case.compare(f"{prefix}_out_focal", lengths)
    blur, average = config["blur"], config["ema"]
    training = Training(warmup=blur["warmup_iterations"])
    assert blur["backgrounds"] == {"black": 0.0, "white": 1.0}
    for iteration in blur["iterations"]:
        for name in blur["backgrounds"]:
            found = losses.real_images(case.tensor("blur_image"), iteration, training, white=name == "white")
            case.compare(f"out_blur_{name}_{iteration}", found)
    assert average["half_life_images"] == schedules.HALF_LIFE
    assert average["faster"] == {f"below_{below}": times for below, times in schedules.FASTER}
    for iteration in average["iterations"]:
        case.compare(f"out_ema_{iteration}", averaged(case, average["images_per_step"], iteration))


def averaged(case: Case, batch: int, iteration: int) -> Tensor:
    module = nn.Module()
    module.value = nn.Parameter(case.tensor("ema_dst").clone())
    ema = Ema(module, schedules.AverageDecay(batch))
    with torch.no_grad():
        module.value.copy_(case.tensor("ema_src"))
    ema.update(iteration)
    return ema.averages["value"]


@check("bootstrap-inversion", "ada-p")
def ada_p(case: Case) -> None:
    config, times = case.config, case.config["iterations"]
    config.one_of("dual_discriminator", False)
    assert (config["every"], config["residue"]) == (schedules.ADA_EVERY, schedules.ADA_AT)
    assert (config["ada_interval"], config["rampup_images"]) == (schedules.ADA_STEPS, schedules.ADA_SPAN)
    assert config["blur_warmup_iterations"] == config["zero_below"]
    training = Training(
        batch=config["batch_size"],
        ada_target=config["ada_target"],
        augment=config["augment_p_max"],
        warmup=config["zero_below"],
    )
    signs = case.tensor("logits_real").sign().mean(dim=(1, 2))
    assert len(signs) == times["count"]
    case.compare("out_sign_real", signs)
    probability, found, row = config["start_p"], [], 0
    for iteration in range(times["first"], times["first"] + times["count"] * times["step"]):
        own = (iteration - times["first"]) % times["step"] == 0
        probability = schedules.augment_probability(probability, iteration, float(signs[row]), training)
        if own:
            found.append(probability)
            row = min(row + 1, len(signs) - 1)
    case.compare("out_p", np.asarray(found, case.arrays["out_p"].dtype))


@check("bootstrap-inversion", "sdf-pretrain")
def sdf_pretrain(case: Case) -> None:
    config, order = case.config, case.manifest["parameter_order"]
    config.one_of("mode", "train")
    config.one_of("warmup", False)
    ours, weights = config_of(config), config["weights"]
    assert weights["distance"] == 1 and config["lr_g"] == config["optimiser"]["lr"]
    training = replace(ours.training, eikonal=weights["eikonal"])
    net = generator_of(ours, case.manifest).train()
    adam, sums = adam_of(config["optimiser"], net), []
    for step in range(config["steps"]):
        prefix, z = f"out_step{step}_", case.tensor(f"step{step}_z")
        assert len(z) == config["batch"]
        planes = net.planes(net.styles(net.map(z)))
        points = stratified_points(strata(case, f"draw/strata{step}"), ours.scene.half_side)
        shape = shape_terms(net, planes, points, torch.zeros_like(points), radius=config["sphere_radius"])
        loss = losses.total(losses.pretraining_terms(shape, training))
        adam.zero_grad()
        loss.backward()
        case.compare(f"{prefix}sdf_distance_loss", shape.sphere)
        case.compare(f"{prefix}sdf_eikonal_loss", shape.eikonal)
        found = norms(net, order, absent=-1.0).double()
        case.compare(f"{prefix}gradnorms", found)
        if step == 0:
            compare_named(case, "out_grad", gradients_of(net))
        adam.step()
        compare_named(case, f"{prefix}new", dict(net.named_parameters()))
        sums.append(loss.item())
    case.compare("out_loss", np.asarray(sums, np.float32))


@check("bootstrap-inversion", "encoder-train-step")
def encoder_train_step(case: Case) -> None:
    config, order = case.config, case.manifest["parameter_order"]
    config.one_of("mode", "train")
    config.one_of("image_clamp", [-1, 1])
    config.one_of("mask", "u8/255")
    config["drop_path"].one_of("rescaled", True)
    assert config["loss"]["weights"] == [1, 1, 1]
    net, fall = encoder_of(config, case.manifest).train(), config["lr_fall"]
    assert config["total_iterations"] == config["steps"]
    rates = schedules.encoder_rate(config["steps"])
    assert rates.milestones == (fall["after"],) and rates.factor == fall["factor"]
    adam = adam_of(config["optimiser"], net)
    stored, stride = config["stored"]["channels"], config["stored"]["stride"]
    history: dict[str, list[float]] = {name: [] for name in ("loss_coords", "loss_mask", "loss_latent", "loss", "lr")}
    lengths = []
    for step in range(config["steps"]):
        given = f"step{step}_"
        image = case.tensor(f"{given}image").float().clamp(-1, 1)
        assert tuple(image.shape[:3]) == (config["batch"], *config["image_size"])
        mask, latent = case.tensor(f"{given}mask_u8").float() / 255, case.tensor(f"{given}w")
        assert latent.shape[1] == config["num_ws"]
        kept: Iterator[Tensor] = iter([case.tensor(name) for name in case.names(f"{given}keep")])
        found = net(image.permute(0, 3, 1, 2), kept)
        assert next(kept, None) is None, "draws are left over"
        terms = losses.encoder_terms(found, case.tensor(f"{given}coords").float(), mask, latent[:, 0])
        loss = losses.total(terms)
        for group in adam.param_groups:
            group["lr"] = config["optimiser"]["lr"] * rates(step)
        adam.zero_grad()
        loss.backward()
        numbers = (*terms.values(), loss, adam.param_groups[0]["lr"])
        for values, number in zip(history.values(), numbers, strict=True):
            values.append(float(number.detach() if isinstance(number, Tensor) else number))
        lengths.append(float(total_norm(net)))
        if f"out_step{step}_gradnorms" in case:
            case.compare(f"out_step{step}_gradnorms", norms(net, order, absent=-1.0).double())
        if step == 0:
            case.compare("out_pred_coords_sub", found.coordinates[:, ::stride, ::stride])
            case.compare("out_pred_mask_sub", found.mask[:, ::stride, ::stride])
            case.compare("out_pred_w", found.latent)
            compare_named(case, "out_grad", gradients_of(net), stored)
        adam.step()
        compare_named(case, f"out_step{step}_new", dict(net.named_parameters()), stored)
    for name, values in history.items():
        case.compare(f"out_{name}", np.asarray(values))
    case.compare("out_gradnorm_total", np.asarray(lengths))


class GivenChance(Chance):
    """The draws of a step: its places, uniform numbers, and normal ones in their order."""

    def __init__(self, places: RaySampleNoise, uniform: Tensor | None = None, normal: Iterable[Tensor] = ()) -> None:
        super().__init__(torch.Generator())
        self.given, self.cells, self.draws = places, uniform, iter(normal)

    def uniform(self, *shape: int) -> Tensor:
        assert self.cells is not None and self.cells.shape == shape
        return self.cells

    def normal(self, *shape: int) -> Tensor:
        return next(self.draws).reshape(shape)

    def places(self) -> RaySampleNoise:
        return self.given

    def noise(self) -> Noise:
        return "none"


class NotedSteps(GanSteps):
    """Steps that keep what only their sums are told of: scores in their order."""

    def __init__(self, net: BootstrapGenerator, judge: BootstrapDiscriminator) -> None:
        super().__init__(net, judge)
        self.scores: list[Tensor] = []

    def score(self, images: Tensor, views: Views) -> Tensor:
        self.scores.append(super().score(images, views))
        return self.scores[-1]


@check("bootstrap-inversion", "gan-step")
def gan_step(case: Case) -> None:
    config, ours = case.config, gan_config(case)
    config.one_of("augment_p", 0.0)
    config.one_of("fake_latents", "g_z reversed")
    rounding = fakes_rounding(case, ours)
    steps = new_steps(case, ours)
    check_generator_step(case, steps)
    steps.judge.zero_grad(set_to_none=True)
    check_discriminator_step(case, steps, rounding)


def new_steps(case: Case, ours: BootstrapConfig) -> NotedSteps:
    net = generator_of(ours, case.manifest).train()
    judge = BootstrapDiscriminator(discriminator_of(ours))
    judge.load_state_dict(tensors(case.manifest["discriminator"]))
    return NotedSteps(net, judge)


def generator_chance(case: Case, net: BootstrapGenerator) -> GivenChance:
    salt = case.manifest["salt"]
    drawn = fill_state({"tensors": case.manifest["draws"], "salt": salt})
    along, jitter = (torch.from_numpy(drawn[f"draw/{name}"]) for name in ("pl_noise", "tv"))
    normals = (along, case.tensor("g_draw_pl_palette"), jitter)
    return GivenChance(places_in(case, "g", net.config), strata(case, "draw/strata"), normals)


def fakes_rounding(case: Case, ours: BootstrapConfig) -> float:
    """How far off the scores of the updated generator's fakes are for the rounding of its gradients alone.

    Adam's first step is the learning rate times a gradient's sign, so that entries which are nothing but rounding move
    their parameters either way (the case lets 3 % of them differ by two whole steps): three deviations, over scores
    after steps from latents that are moved by half their last bit.
    """
    config, draw = case.config, torch.Generator().manual_seed(0)
    fake = Views(case.tensor("d_fake_cam2world"), case.tensor("d_fake_focal"))
    found = []
    for size in (0.0, HALF_BIT, HALF_BIT):
        steps = new_steps(case, ours)
        net, z = steps.net, case.tensor("g_z")
        views = Views(case.tensor("g_cam2world"), case.tensor("g_focal"))
        latents = z * (1 + size * torch.randn(z.shape, generator=draw))
        before, iteration = config["path_length"]["running_before"], config["iterations"]["generator"]
        terms, _ = steps.generator_terms(latents, views, iteration, before, generator_chance(case, net))
        losses.total(terms).backward()
        nn.utils.clip_grad_norm_(net.parameters(), config["clip_gradient_norm"])
        adam(case, net, config["optimiser"]["lr_generator"]).step()
        net.clamp_surface()
        with torch.no_grad():
            ws = net.styles(net.map(z.flip(0), None))
            chance = GivenChance(places_in(case, "d", net.config))
            found.append(steps.score(steps.seen(ws, fake, chance, net.planes(ws, noise="none"), net.palette(ws)), fake))
    return 3 * float(torch.stack(found).double().var(dim=0).mean().sqrt())


def adam(case: Case, net: nn.Module, rate: float) -> torch.optim.Adam:
    return torch.optim.Adam(net.parameters(), rate, betas=case.config["optimiser"]["betas"])


def gan_config(case: Case) -> BootstrapConfig:
    config, weights = case.config, case.config["weights"]
    base = config_of(config)
    size = config["image_size"]
    assert size[0] == size[1] and config["channels"] == 3 + config["supervise_alpha"]
    training = Training(
        batch=config["batch"],
        conditional_pose=config["conditional_pose"],
        alpha=config["supervise_alpha"],
        r1=weights["r1"],
        tv=weights["total_variation"],
        entropy=weights["entropy"],
        eikonal=weights["eikonal"],
        path_length=weights["path_length"],
        warmup=config["blur_warmup_iterations"],
        path_warmup=config["ramps"]["path_length_warmup_iterations"],
        cells=config["strata_shape"][1],
    )
    return replace(base, resolution=size[0], training=training)


def places_in(case: Case, prefix: str, ours: BootstrapConfig) -> RaySampleNoise:
    strata = case.tensor(f"{prefix}_draw_jitter").flatten(1, 2)
    levels = case.tensor(f"{prefix}_draw_pdf").reshape(strata.shape)
    return replace(places_of(tuple(strata.shape[:2]), ours, None), strata=strata, levels=levels)


RENDERED = 2e-6
"""By which renderings differ between numbers of threads."""
HALF_BIT = 6e-8
"""Half of the last bit of single numbers, as a share of them."""


def surface_rounding(case: Case, steps: GanSteps, views: Views, chance: Chance) -> dict[str, float]:
    """How far off the gradients of the surface's two numbers are for the rounding of renderings alone.

    Each is a small rest of large sums over all pixels, whose slopes change where an activation of the discriminator
    lies at the kink of its leaky ReLU: three deviations over renderings that are moved by their rounding.
    """
    net, draw = steps.net, torch.Generator().manual_seed(0)
    with torch.no_grad():
        ws = net.styles(net.map(case.tensor("g_z")))
        planes, palette = net.planes(ws, noise="none"), net.palette(ws)
    images = steps.seen(ws, views, chance, planes, palette)
    along = torch.zeros_like(images, requires_grad=True)
    numbers = {"alpha": net.alpha, "beta": net.beta}
    moved = torch.autograd.grad(images, list(numbers.values()), along, create_graph=True)
    moves = torch.stack([torch.autograd.grad(each.sum(), along, retain_graph=True)[0] for each in moved]).double()
    found = []
    for _ in range(8):
        noisy = images.detach() + RENDERED * torch.randn(images.shape, generator=draw)
        loss = losses.generator_loss(steps.score(noisy.requires_grad_(), views))
        found.append((moves * torch.autograd.grad(loss, noisy)[0].double()).sum(dim=(1, 2, 3, 4)))
    return dict(zip(numbers, (3 * torch.stack(found).std(dim=0)).tolist(), strict=True))


def stepped(
    case: Case,
    net: nn.Module,
    terms: losses.Terms,
    prefix: str,
    rate: float,
    rounding: Mapping[str, float] | None = None,
) -> None:
    """Gradients, clipped, and Adam's first step; all of it compared."""
    config = case.config
    config["optimiser"].one_of("name", "adam")
    losses.total(terms).backward()
    order = case.manifest["parameter_order" if prefix == "g" else "discriminator_parameter_order"]
    each = np.array([(rounding or {}).get(name, 0.0) for name in order])
    case.compare(f"out_{prefix}_gradnorms", norms(net, order), rounding=each)
    case.compare(f"out_{prefix}_gradnorm_total", total_norm(net))
    nn.utils.clip_grad_norm_(net.parameters(), config["clip_gradient_norm"])
    compare_named(case, f"out_{prefix}_grad", gradients_of(net), rounding=rounding)
    adam(case, net, rate).step()


def check_generator_step(case: Case, steps: GanSteps) -> None:
    config, net = case.config, steps.net
    before, iteration = config["path_length"]["running_before"], config["iterations"]["generator"]
    assert config["path_length"]["decay"] == 1 - losses.PATH_MEMORY or np.isclose(1 - losses.PATH_MEMORY, 0.01)
    ramps = config["ramps"]
    training = net.config.training
    assert ramps["total_variation"] == ramps["entropy"] == schedules.ramp(iteration, training.warmup)
    assert ramps["path_length"] == schedules.ramp(iteration, training.path_warmup)
    chance, z = generator_chance(case, net), case.tensor("g_z")
    assert len(z) == config["batch"]
    ema = Ema(net, schedules.AverageDecay(32))
    for average in ema.averages.values():
        average *= config["ema"]["before"]
    views = Views(case.tensor("g_cam2world"), case.tensor("g_focal"))
    lengths: list[Tensor] = []

    def noted(*given: Any) -> Tensor:
        lengths.append(regularizers.path_lengths(*given))
        return lengths[-1]

    with patch.object(steps_module, "path_lengths", noted):
        terms, mean = steps.generator_terms(z, views, iteration, before, chance)
    assert mean is not None and len(lengths) == 1
    case.compare("out_g_path_length", lengths[0])
    case.compare("out_g_adv", terms["score"])
    case.compare("out_g_total", losses.total(terms))
    case.compare("out_g_sdf_eikonal_loss", terms["eikonal"] / training.eikonal)
    case.compare("out_g_total_variation_loss", terms["total_variation"] / training.tv / ramps["total_variation"])
    case.compare("out_g_entropy_loss", terms["entropy"] / training.entropy / ramps["entropy"])
    case.compare("out_g_pl_running", np.asarray(mean))
    places = GivenChance(places_in(case, "g", net.config))
    rounding = surface_rounding(case, steps, views, places)
    stepped(case, net, terms, "g", config["optimiser"]["lr_generator"], rounding)
    net.clamp_surface()
    compare_named(case, "out_g_new", dict(net.named_parameters()))
    ema.update(iteration)
    compare_named(case, "out_g_ema", ema.averages)


def check_discriminator_step(case: Case, steps: NotedSteps, rounding: float) -> None:
    config, net = case.config, steps.net
    iteration = config["iterations"]["discriminator"]
    coded = case.tensor("d_real_u8").float()
    images = torch.cat((coded[:, :3] / 127.5 - 1, coded[:, 3:] / 255), dim=1)
    stride = config["blurred_stride"]
    shown = losses.real_images(images, iteration, net.config.training, white=net.config.scene.white)
    case.compare("out_d_blurred_sub", shown[..., ::stride, ::stride])
    fake = Views(case.tensor("d_fake_cam2world"), case.tensor("d_fake_focal"))
    real = Views(case.tensor("d_real_cam2world"), case.tensor("d_real_focal"))
    chance = GivenChance(places_in(case, "d", net.config))
    steps.scores.clear()
    terms, score = steps.discriminator_terms(case.tensor("g_z").flip(0), fake, images, real, iteration, chance)
    told, made = steps.scores
    assert torch.equal(told, score)
    case.compare("out_d_logit_real", score)
    case.compare("out_d_logit_fake", made, rounding=rounding)
    case.compare("out_d_penalty", terms["penalty"] / (config["weights"]["r1"] / 2))
    case.compare("out_d_loss_real", terms["real"])
    case.compare("out_d_loss_fake", terms["fake"])
    stepped(case, steps.judge, terms, "d", config["optimiser"]["lr_discriminator"])
    compare_named(case, "out_d_new", dict(steps.judge.named_parameters()))
