"""Some steps of the whole training against a twin written down; going on; what the configurations say; what is told."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from tests.methods.pof3d.training_cases import OPTIONS, TINY, changed, networks, photo_folder
from torch import Tensor, nn

from monoform.cli.settings import parse_settings
from monoform.data.images import ImageSet, half_window_order
from monoform.errors import InputError
from monoform.methods.pof3d.geod import GeodOptions
from monoform.methods.pof3d.journal import pose_figures, pose_picture
from monoform.methods.pof3d.networks import NetworksConfig, Pof3dNetworks
from monoform.methods.pof3d.ordered_images import OrderedImages
from monoform.methods.pof3d.presets import PRESETS as NETWORKS
from monoform.methods.pof3d.step_parts import Chance
from monoform.methods.pof3d.task import Pof3dTask
from monoform.methods.pof3d.train import PRESETS, TRAINING, train_pof3d
from monoform.methods.pof3d.trained_state import TrainedState
from monoform.methods.pof3d.training_config import Pof3dTraining
from monoform.training import list_checkpoints, load_checkpoint, load_pretrained, train
from monoform.training.randomness import seed_for, seed_globals

LAZY = changed(augment="ada", every_generator=2, every_discriminator=3, augment_every=2, augment_kimg=0.1, blur=1.0)


def task_of(options: Pof3dTraining, folder: Path) -> Pof3dTask:
    photos = ImageSet(folder / "photos" if (folder / "photos").exists() else photo_folder(folder / "photos"))
    return Pof3dTask(
        TrainedState(networks(options=options), options),
        OrderedImages(photos, seed=0, count=options.batch),
        options,
        images_a_step=options.images_a_step(),
        out=folder,
        card=lambda step, figures: f"# Step {step}",
    )


class Adam:
    """Kingma and Ba 2015, algorithm 1, with a first decay of 0: the moment is the gradient."""

    def __init__(self, rate: float, decay: float) -> None:
        self.rate, self.decay = rate, decay
        self.state: dict[str, tuple[int, Tensor]] = {}

    @torch.no_grad()
    def step(self, net: nn.Module) -> None:
        for name, parameter in net.named_parameters():
            if parameter.grad is None:
                continue
            count, square = self.state.get(name, (0, torch.zeros_like(parameter)))
            count, square = count + 1, self.decay * square + (1 - self.decay) * parameter.grad**2
            self.state[name] = count, square
            root = (square / (1 - self.decay**count)).sqrt() + 1e-8
            parameter -= self.rate * parameter.grad / root


@pytest.mark.parametrize("published", [False, True])
def test_steps_with_averages_lazy_corrections_and_adapted_augmentation(published: bool, tmp_path: Path) -> None:
    """Three iterations; the twin knows the losses of a step, and does everything else by formulas."""
    options, steps = changed(LAZY, published=published), 3
    ours = task_of(options, tmp_path)
    loop = options.loop(steps=steps, seed=5, device="cpu", nonfinite="zero", log_every=1, progress=False)
    result = train(ours, tmp_path / "run", options=replace(loop, evaluate_every=0))
    averages = load_checkpoint(result.checkpoint).ema

    twin = task_of(options, tmp_path)
    networks, losses, images = twin.state.networks, twin.steps, twin.images
    generator, judge, pipe = networks.generator, networks.discriminator, twin.state.augment
    assert judge is not None and pipe is not None and averages is not None
    mean = {name: each.detach().clone() for name, each in generator.named_parameters()}
    adams = {"g": Adam(0.0025 * 2 / 3, 0.99 ** (2 / 3)), "d": Adam(0.002 * 3 / 4, 0.99 ** (3 / 4))}
    w_avg, signs, moved = generator.backbone.mapping.w_avg.clone(), [], []

    def run(name: str, side: str, step: int, terms: Any) -> None:
        net, other = (generator, judge) if side == "g" else (judge, generator)
        net.requires_grad_(True).zero_grad()
        other.requires_grad_(False)
        seed_globals(seed_for(5, step, 0, name, "globals"), torch.device("cpu"))
        chance = Chance(torch.Generator().manual_seed(seed_for(5, step, 0, name, "loss")))
        drawn = {} if name == "penalty" else {"z": chance.normal(4, 8)}
        for loss, metrics in terms(*drawn.values(), chance):
            loss.backward()
            signs.extend([float(metrics["sign_real"])] if "sign_real" in metrics else [])
        if name == "discriminator":
            with torch.no_grad():
                moved.append(generator.backbone.mapping(drawn["z"]).mean(dim=0))
        adams[side].step(net)
        net.zero_grad()

    for step in range(steps):
        seen, real = 4.0 * step, images.batch(step).float() / 127.5 - 1
        run("generator", "g", step, lambda z, chance, seen=seen: losses.generator_terms(z, seen, chance))
        if step % 2 == 0:
            run("smoothness", "g", step, lambda z, chance, seen=seen: losses.smoothness_terms(z, seen, chance))
        both = lambda z, chance, seen=seen, real=real: losses.discriminator_terms(z, real, seen, chance)  # noqa: E731
        run("discriminator", "d", step, both)
        if step % 3 == 0:
            run("penalty", "d", step, lambda chance, seen=seen, real=real: losses.penalty_terms(real, seen, chance))
        for _ in range(3 if published else 1):
            w_avg = 0.998 * w_avg + 0.002 * moved[-1]
        if step % 2 == 1:
            certainty = sum(signs) / len(signs)
            signs.clear()
            pipe.p += (1 if certainty > 0.6 else -1 if certainty < 0.6 else 0) * 4 * 2 / 100
            pipe.p.clamp_(min=0)
        life = min(1000 * 4 / 32, 0.05 * seen)
        decay = 0.5 ** (4 / max(life, 1e-8))
        for name, parameter in generator.named_parameters():
            mean[name] = decay * mean[name] + (1 - decay) * parameter.detach()

    assert float(pipe.p) > 0 or certainty <= 0.6
    torch.testing.assert_close(ours.state.augment.p, pipe.p)  # type: ignore[union-attr]
    torch.testing.assert_close(ours.generator.backbone.mapping.w_avg, w_avg, rtol=1e-4, atol=1e-6)
    known = dict(networks.named_parameters())
    for name, parameter in ours.state.networks.named_parameters():
        torch.testing.assert_close(parameter, known[name], rtol=1e-3, atol=2e-5, msg=name)
    for name, values in mean.items():
        torch.testing.assert_close(averages[f"networks.generator.{name}"], values, rtol=1e-3, atol=2e-5, msg=name)


def test_a_training_that_was_interrupted_ends_with_the_same_bits(tmp_path: Path) -> None:
    photos = photo_folder(tmp_path / "photos")
    options = changed(LAZY, evaluate_every=2, metric_images=4, accumulate=2)
    ends = []
    for name, stops in {"whole": (5,), "parts": (3, 5)}.items():
        for steps in stops:
            loop = options.loop(steps=steps, seed=1, device="cpu", progress=False)
            train_pof3d(photos, tmp_path / name, loop, options)
        ends.append(load_checkpoint(list_checkpoints(tmp_path / name)[-1]))
    for part in ("model", "ema"):
        first, second = (getattr(end, part) for end in ends)
        assert set(first) == set(second)
        assert all(torch.equal(values, second[name]) for name, values in first.items())
    moments = [end.optimizers["discriminator"]["state"] for end in ends]
    assert all(torch.equal(moments[0][key]["exp_avg_sq"], moments[1][key]["exp_avg_sq"]) for key in moments[0])


def test_what_a_training_leaves(tmp_path: Path) -> None:
    photos = photo_folder(tmp_path / "photos")
    options = changed(snapshots=True, evaluate_every=2)
    result = train_pof3d(photos, tmp_path / "run", options.loop(steps=2, device="cpu", progress=False), options)
    names = {path.name for path in (tmp_path / "run" / "pictures").glob("*.png")}
    shown = ("reals", "fakes", "fakes_raw", "fakes_depth", "fakes_normals", "poses")
    assert names == {f"{name}_0000002.png" for name in shown}
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    told = {name for line in lines for name in line}
    assert {"discriminator/lost", "generator/nonfinite", "evaluate/yaw_from_0", "evaluate/collapsed"} <= told
    assert result.metrics["evaluate/frechet_pyramid_n"] >= 0
    for folder in ("weights", "best", "snapshots/0000002"):
        found, config = load_pretrained(Pof3dNetworks, NetworksConfig, tmp_path / "run" / folder)
        assert config == options.networks()
        assert "12 photos" in (tmp_path / "run" / folder / "README.md").read_text()
    started = changed(weights=str(tmp_path / "run" / "weights"), kimg=0.1)
    again = train_pof3d(photos, tmp_path / "tuned", started.loop(steps=1, device="cpu", progress=False), started)
    assert again.finished
    assert started.first_blur == 0.0 and changed(started, blur=2.0, blur_resumed=True).first_blur == 2.0
    assert found.generator.config == TINY


def test_pictures_get_better(tmp_path: Path) -> None:
    """Discs on white: what is made comes nearer to them than it was after the first steps."""
    options = changed(rate=0.005, rate_discriminator=0.004, ema_kimg=0.5, ema_rampup=0.3, metric_images=32)
    options = changed(options, evaluate_every=25)
    loop = options.loop(steps=75, device="cpu", progress=False)
    train_pof3d(photo_folder(tmp_path / "photos", count=40), tmp_path / "run", loop, options)
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    distances = [line["evaluate/frechet_pyramid_n"] for line in lines if line["kind"] == "evaluate"]
    assert len(distances) == 3 and distances[-1] < 0.7 * distances[0]


def test_weights_render_as_large_as_the_training_did(tmp_path: Path) -> None:
    task = task_of(changed(resolution_start=4, resolution_end=8, resolution_kimg=0.04), tmp_path)
    assert [task.config_at(step).generator.rays.raw_resolution for step in (0, 5, 10, 99)] == [4, 6, 8, 8]


def test_numbers_that_are_not_finite_are_counted(tmp_path: Path) -> None:
    """Poses beyond a pole give NaN in the published head: the step is lost, and the journal says so."""
    free = replace(TINY, pose=replace(TINY.pose, elevation="free", clamp_elevation=None))
    task = task_of(changed(network=free, evaluate_every=0), tmp_path)
    with torch.no_grad():
        task.generator.backbone.mapping.affine_layer2.bias.fill_(1e4)
    options = OPTIONS.loop(steps=2, device="cpu", nonfinite="zero", log_every=1, progress=False)
    train(task, tmp_path / "run", options=replace(options, evaluate_every=0))
    assert int(task.state.lost) >= 2
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["discriminator/lost"] > 0


def test_a_pose_collapse_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task = task_of(OPTIONS, tmp_path)
    usual = task.evaluate(task.module, 1)
    assert usual["collapsed"] == 0 and not capsys.readouterr().err
    with torch.no_grad():
        task.generator.backbone.mapping.affine_layer2.weight.zero_()
    found = task.evaluate(task.module, 2)
    assert found["collapsed"] == 1 and found["yaw_deviation"] < 1e-3
    assert "poses have collapsed after 2 steps" in capsys.readouterr().err


def test_figures_of_poses_are_those_of_the_circle() -> None:
    yaw = torch.tensor([0.1, -0.1, 0.1, -0.1])
    found = pose_figures(torch.stack([yaw, torch.full((4,), torch.pi / 2)], dim=1))
    assert found["yaw_deviation"] == pytest.approx(5.73, abs=0.02)
    assert found["yaw_from_0"] == found["yaw_from_330"] == 0.5
    assert found["elevation_mean"] == pytest.approx(0, abs=1e-4)
    beyond = pose_figures(torch.tensor([[0.0, -0.5], [0.0, 1.0]]))
    assert beyond["beyond_poles"] == 0.5


def test_the_histogram_of_poses_has_its_axes() -> None:
    """Bars stand over their degrees: a yaw of 90 a quarter along, an elevation of 0 in the middle."""
    plain = pose_picture(torch.tensor([[math.pi / 2 + 0.01, math.pi / 2]]))
    height, width, _ = plain.shape
    blue = plain[..., 2] - plain[..., 0] > 0.2
    upper, lower = (part.any(0).nonzero().squeeze(1).float() for part in blue.split(height // 2))
    across = width - 24  # without the borders
    assert 12 + across / 4 - 1 <= upper.min() <= 12 + across / 4 + 1 and len(upper) == across // 36
    assert abs(lower.mean() - 12 - across / 2) <= across / 18
    dark = plain.amax(-1) < 0.4
    lines = [row for row in range(height) if dark[row].sum() > 0.9 * across]
    assert len(lines) == 2 and dark[: lines[0] - 97].sum() > 20  # the axes, and words above the first
    assert all(dark[line + 4 : line + 16].sum() > 20 for line in lines)  # degrees below them


def test_images_come_in_one_order_whatever_was_asked_before(tmp_path: Path) -> None:
    photos = ImageSet(photo_folder(tmp_path / "photos"))
    images = OrderedImages(photos, seed=3, count=4)
    numbers = half_window_order(len(photos), seed=3)
    known = [torch.stack([torch.from_numpy(photos.image(next(numbers))) for _ in range(4)]) for _ in range(4)]
    for number in (0, 1, 3, 2, 0):
        assert torch.equal(images.batch(number).permute(0, 2, 3, 1), known[number])


PUBLISHED = {
    "ffhq": (256, 1.0, 2.0, 1.0, "flip_both", 4.2647, 2.7, (2.25, 3.3), 1.0, (48, 48), False),
    "cats": (256, 5.0, 10.0, 10.0, "flip_both", 4.2634, 2.7, (2.25, 3.3), 1.0, (48, 48), False),
    "shapenetcars": (128, 0.3, 2.0, 2.0, "flip_both_shapenet", 1.025390625, 1.7, (0.1, 2.6), 1.6, (64, 64), True),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_configurations(name: str) -> None:
    """Values of the published scripts."""
    found = PRESETS[name]
    side, gamma, cam, gd, mirrors, focal, radius, limits, box, samples, white = PUBLISHED[name]
    assert (found.network.resolution, found.gamma, found.lambda_cam, found.lambda_gd) == (side, gamma, cam, gd)
    assert found.mirrors == mirrors
    rays, rig = found.network.rays, found.network.rig
    assert rig.focal == pytest.approx(focal, abs=1e-3) and rig.radius == radius
    assert ((rays.near, rays.far), rays.box, (rays.coarse, rays.fine), rays.white) == (limits, box, samples, white)
    assert rays.raw_resolution == found.resolution_start == 64 and found.resolution_end is None
    assert (found.batch, found.images_a_step(), TRAINING.steps_of(found)) == (4, 32, 781250)
    assert (found.every_generator, found.every_discriminator) == (4, 16)
    assert (found.rate, found.rate_discriminator) == (0.0025, 0.002)
    assert (found.blur, found.blur_kimg, found.density_reg, found.density_distance) == (10.0, 200.0, 0.25, 0.004)
    assert (found.ema_kimg, found.ema_rampup, found.augment, found.style_mixing) == (10.0, 0.05, "none", 0.0)
    judge = found.discriminator
    assert (judge.channel_base, judge.channel_max, judge.group, judge.clamp, judge.half) == (32768, 512, 4, 256.0, 4)
    assert found.evaluate_every * 32 == 200_000
    adam = task_adam(found)
    assert adam == pytest.approx((0.002, 0.99**0.8, 0.0018823529, 0.99 ** (16 / 17)))
    exact = replace(found, published=True).networks()
    assert exact.discriminator is not None and exact.discriminator.pose_coding == "angles"
    clamps = ((0.0, 2 * torch.pi), (0.0, 3.1415926)) if name == "shapenetcars" else (None, None)
    assert (exact.generator.pose.clamp_yaw, exact.generator.pose.clamp_elevation) == clamps
    assert exact.generator.compat.repeated_axes and not found.networks().generator.compat.repeated_axes


def task_adam(options: Pof3dTraining) -> tuple[float, float, float, float]:
    """Rates and second decays of both optimizers."""
    g = Pof3dTask._adam(_Only(options), options.rate, options.every_generator)  # type: ignore[arg-type]
    d = Pof3dTask._adam(_Only(options), options.rate_discriminator, options.every_discriminator)  # type: ignore[arg-type]
    return g.rate, g.betas[1], d.rate, d.betas[1]


class _Only:
    def __init__(self, settings: Pof3dTraining) -> None:
        self.settings = settings


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"config": "dogs"}, "config"),
        ({"batch": 6}, "batch is 6"),
        ({"gamma": -1.0}, "gamma"),
        ({"resolution_start": 0}, "resolution_start"),
        ({"network": replace(TINY, network=replace(TINY.network, superresolution="none"))}, "without super-resolution"),
    ],
)
def test_options_that_cannot_be(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        changed(**fields)


def test_photos_that_cannot_be_learned_from(tmp_path: Path) -> None:
    photos = photo_folder(tmp_path / "photos", count=2)
    loop = OPTIONS.loop(steps=1, device="cpu", progress=False)
    with pytest.raises(InputError, match="at least 4"):
        train_pof3d(photos, tmp_path / "few", loop, OPTIONS)
    damaged = photo_folder(tmp_path / "damaged", count=6)
    (damaged / "003.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"003\.png"):
        train_pof3d(damaged, tmp_path / "corrupt", loop, OPTIONS)
    with pytest.raises(InputError, match="no metric 'beauty'"):
        own = changed(metric="beauty", evaluate_every=1)
        loop = own.loop(steps=1, device="cpu", progress=False)
        train_pof3d(photo_folder(tmp_path / "good"), tmp_path / "beauty", loop, own)


@pytest.mark.parametrize(
    ("fields", "p", "signs", "wanted"),
    [
        ({}, 0.0, (3.0, 4.0), 8 / 500_000),  # certain of 3 in 4 real images, more than 0.6: stronger, by two steps of 4
        ({}, 0.5, (1.0, 4.0), 0.5 - 8 / 500_000),
        ({"augment_target": 0.8}, 0.5, (3.0, 4.0), 0.5 - 8 / 500_000),
        ({"augment_kimg": 1.0}, 0.0, (3.0, 4.0), 8 / 1000),
        ({"weights": "somewhere"}, 0.0, (3.0, 4.0), 8 / 100_000),
        ({}, 0.0, (1.0, 4.0), 0.0),  # never below 0
        ({"augment": "fixed", "augment_strength": 0.3}, 0.3, (3.0, 4.0), 0.3),
        ({"augment_every": 4}, 0.0, (3.0, 4.0), 0.0),  # not yet due
    ],
)
def test_the_augmentation_follows_the_discriminator(
    fields: dict[str, Any], p: float, signs: tuple[float, float], wanted: float, tmp_path: Path
) -> None:
    task = task_of(changed(**{"augment": "ada", "augment_every": 2, **fields}), tmp_path)
    pipe = task.state.augment
    assert pipe is not None and task.steps.augment is pipe
    pipe.p.fill_(p)
    task.state.signs.copy_(torch.tensor(signs))
    task.after_step(1, torch.Generator())
    assert float(pipe.p) == pytest.approx(wanted, abs=1e-7)


def test_options_of_optimizers_averages_and_data(tmp_path: Path) -> None:
    usual = task_of(OPTIONS, tmp_path)
    other = task_of(changed(rate=0.1, rate_discriminator=0.2, beta2=0.5, every_discriminator=0), tmp_path)
    phases = {phase.name: phase for phase in other.phases()}
    assert phases["generator"].optimizer.rate == pytest.approx(0.1 * 4 / 5)
    assert phases["discriminator"].optimizer.rate == 0.2 and "penalty" not in phases
    assert phases["discriminator"].optimizer.betas == (0.0, 0.5)
    assert [phase.name for phase in usual.phases()] == ["generator", "smoothness", "discriminator", "penalty"]
    # 4 images a step: half-lives of an eighth of 1000 images, or 5 % of 4000 seen.
    assert usual.ema().decay_at(1000) == pytest.approx(0.5 ** (4 / 125))
    assert usual.ema().decay_at(100) == pytest.approx(0.5 ** (4 / 20))
    longer = task_of(changed(ema_kimg=100.0, ema_rampup=1.0), tmp_path).ema()
    assert longer.decay_at(100) == pytest.approx(0.5 ** (4 / 400))
    photos = photo_folder(tmp_path / "wide", count=4)
    with_wide = photos / "000.png"
    Image.new("RGB", (24, 16)).save(with_wide)
    loop = OPTIONS.loop(steps=1, device="cpu", progress=False)
    with pytest.raises(InputError, match="not square"):
        train_pof3d(photos, tmp_path / "none", loop, OPTIONS)
    cropped = changed(fit="crop", mirror_data=True, metric_images=0, evaluate_every=0, kimg=0.004)
    result = train_pof3d(photos, tmp_path / "crop", cropped.loop(steps=1, device="cpu", progress=False), cropped)
    assert result.finished and "8 photos" in (tmp_path / "crop" / "weights" / "README.md").read_text()
    assert TRAINING.steps_of(cropped) == 1


def test_geod_learns_beside_and_tells_the_generator(tmp_path: Path) -> None:
    task = task_of(changed(geod=GeodOptions(weight=0.5, stop=0.002)), tmp_path)
    names = [phase.name for phase in task.phases()]
    assert names[0] == "geod" and task.state.geod is not None
    assert [task.phases()[0].schedule(step) for step in (0, 1)] == [1.0, 0.0]
    loss, _ = task._of_geod(task.numbered_batch(0, torch.Generator()), 0, torch.Generator())
    assert float(loss.detach()) != 0 and loss.requires_grad
    over, _ = task._of_geod(task.numbered_batch(0, torch.Generator()), 9, torch.Generator())
    assert float(over.detach()) == 0
    _, metrics = next(iter(task.steps.generator_terms(torch.randn(4, 8), 0.0, Chance(torch.Generator()))))
    assert float(metrics["loss_geod"].detach()) > 0


def test_words_change_the_configuration_that_they_name() -> None:
    """Also where they change a part of a part of it."""

    def settings(*words: str) -> Pof3dTraining:
        found = TRAINING.settings(lambda start: parse_settings(Pof3dTraining, words, "pof3d", start))
        assert isinstance(found, Pof3dTraining)
        return found

    assert settings() == PRESETS["small"]
    found = settings("config=ffhq", "network.rig.radius=3", "gamma=7", "discriminator.frozen=2")
    assert found.network == replace(PRESETS["ffhq"].network, rig=replace(PRESETS["ffhq"].network.rig, radius=3.0))
    assert (found.gamma, found.lambda_cam, found.discriminator.frozen) == (7.0, 2.0, 2)
    assert found.accumulate == 8


def test_every_configuration_of_networks_has_a_training() -> None:
    assert set(PRESETS) == set(NETWORKS)
    assert all(each.config == name and each.network == NETWORKS[name] for name, each in PRESETS.items())
