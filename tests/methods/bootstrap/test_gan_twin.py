"""Iterations of the generator's training against a restatement of the paper's supplement by plain formulas.

The twin takes the networks' own maps (styles, planes, distances, renderings, scores) and the same random numbers;
losses, motions of images and cameras, schedules, optimizers and averages are written down again.
"""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from tests.methods.bootstrap.training_cases import changed, loop, task_of
from torch import Tensor, nn
from torch.nn.functional import affine_grid, avg_pool2d, conv2d, grid_sample, softplus

from monoform.methods.bootstrap.cameras import camera_of
from monoform.methods.bootstrap.feeding import TrainingPhotos
from monoform.methods.bootstrap.pose_parameters import condition_vectors
from monoform.methods.bootstrap.steps import Views
from monoform.methods.bootstrap.task import BootstrapTask
from monoform.methods.bootstrap.training_config import BootstrapTraining
from monoform.training import load_checkpoint, train
from monoform.training.randomness import seed_for

SEED, PERIOD = 5, 8


class Adam:
    """Kingma and Ba 2015, algorithm 1, after a gradient that is cut to a norm of 100."""

    def __init__(self, net: nn.Module, rate: float, betas: tuple[float, float]) -> None:
        self.net, self.rate, self.betas, self.count = net, rate, betas, 0
        self.first = {name: torch.zeros_like(each) for name, each in net.named_parameters()}
        self.second = {name: torch.zeros_like(each) for name, each in net.named_parameters()}

    def step(self, loss: Tensor, factor: float) -> None:
        self.count += 1
        names = list(self.first)
        found = torch.autograd.grad(loss, list(self.net.parameters()), allow_unused=True)
        norm = math.sqrt(sum(float(each.square().sum()) for each in found if each is not None))
        for name, parameter, slope in zip(names, self.net.parameters(), found, strict=True):
            if slope is None:
                continue
            slope = slope * min(1.0, 100.0 / norm)
            (b1, b2), first, second = self.betas, self.first[name], self.second[name]
            first.mul_(b1).add_((1 - b1) * slope)
            second.mul_(b2).add_((1 - b2) * slope**2)
            root = (second / (1 - b2**self.count)).sqrt() + 1e-8
            parameter.data -= factor * self.rate * first / (1 - b1**self.count) / root


class Twin:
    """Section 4 of the paper's supplement, line by line."""

    def __init__(self, task: BootstrapTask, photos: TrainingPhotos, options: BootstrapTraining, p: float) -> None:
        self.net, self.judge = task.generator, task.discriminator
        self.photos, self.options, self.p = photos, options, p
        self.mean: float | None = None
        self.adams = {
            "sphere": Adam(self.net, 0.0025, (0.9, 0.999)),
            "generator": Adam(self.net, 0.0025, (0.0, 0.99)),
            "discriminator": Adam(self.judge, 0.002, (0.0, 0.99)),
        }
        self.average = {name: each.detach().clone() for name, each in self.net.named_parameters()}

    def run(self, steps: int) -> None:
        for step in range(steps):
            i = step - self.options.pretraining
            name = "sphere" if i < 0 else ("generator", "discriminator")[i % 2]
            draw = torch.Generator().manual_seed(seed_for(SEED, step, 0, "batch"))
            fake = self.photos.views.chosen(torch.randint(len(self.photos), (4,), generator=draw))
            self.draw = torch.Generator().manual_seed(seed_for(SEED, step, 0, name, "loss"))
            z = torch.randn(4, 8, generator=self.draw) if name != "discriminator" else None
            warm = 1.0 if i < 0 else min(0.1 + 0.9 * (i // 2) / 2, 1.0)
            loss = self.sphere(z) if z is not None and i < 0 else None
            if loss is None:
                loss = self.generator(z, fake, i) if z is not None else self.discriminator(fake, i)
            self.adams[name].step(loss, warm)
            if name == "generator":
                for value in (self.net.beta, self.net.alpha):
                    assert value is not None
                    value.data.clamp_(min=1e-3)
            decay = 0.0 if i < 0 else 0.5 ** (4 / 10_000 * (100 if i < 1000 else 10))
            if name != "discriminator":
                for key, parameter in self.net.named_parameters():
                    self.average[key] = decay * self.average[key] + (1 - decay) * parameter.detach()

    def points(self) -> Tensor:
        k = self.options.training.cells
        uniform = torch.rand(4, k, k, k, 3, generator=self.draw)
        x, y, z = torch.meshgrid(*[torch.arange(k)] * 3, indexing="xy")
        cells = torch.stack((x, y, z), dim=-1)
        return (((cells + uniform) / k * 2 - 1) * 1.4).reshape(4, -1, 3)

    def sphere(self, z: Tensor) -> Tensor:
        planes, points = self.net.planes(self.net.styles(self.net.map(z))), self.points().requires_grad_()
        d = self.net.distance(points, planes, twice=True)
        slope = torch.autograd.grad(d.sum(), points, create_graph=True)[0]
        radius = min(1.0, 0.7 * 1.4)
        return ((d - (points.norm(dim=-1) - radius)) ** 2).mean() + 0.1 * ((slope.norm(dim=-1) - 1) ** 2).mean()

    def generator(self, z: Tensor, views: Views, i: int) -> Tensor:
        training = self.options.training
        _, views = self.augmented(None, views)
        ws = self.net.styles(self.net.map(z)).contiguous()
        planes, palette = self.net.planes(ws), self.net.palette(ws)
        assert palette is not None and self.net.beta is not None
        loss = softplus(-self.score(self.seen(ws, views, planes, palette), views)).mean()
        noise = torch.randn(planes.shape, generator=self.draw), torch.randn(palette.shape, generator=self.draw)
        side = planes.shape[-1]
        moved = (planes * noise[0]).sum() / side + (palette * noise[1]).sum()
        jacobian = torch.autograd.grad(moved, ws, create_graph=True)[0]
        lengths = (jacobian**2).sum(dim=2).mean(dim=1).sqrt()
        self.mean = (
            float(lengths.detach().mean())
            if self.mean is None
            else 0.99 * self.mean + 0.01 * float(lengths.detach().mean())
        )
        loss = loss + 2 * min(i / 2, 1) * ((lengths - self.mean) ** 2).mean()
        points = self.points().requires_grad_()
        d = self.net.distance(points, planes, twice=True)
        slope = torch.autograd.grad(d.sum(), points, create_graph=True)[0]
        beside = points.detach() + 0.004 * 1.4 * torch.randn(points.shape, generator=self.draw)
        near, beta = self.net.distance(beside, planes), self.net.beta

        def psi(x: Tensor) -> Tensor:
            return 0.5 + 0.5 * x.sign() * (1 - (-x.abs() / beta).exp())

        ramp = min(i / training.warmup, 1) if training.warmup else 1
        loss = loss + 0.1 * ((slope.norm(dim=-1) - 1) ** 2).mean()
        loss = loss + 0.5 * ramp * (psi(-d) - psi(-near)).abs().mean()
        return loss + 0.05 * ramp * ((-d.abs() / beta).exp() / (2 * beta)).mean()

    def discriminator(self, fake: Views, i: int) -> Tensor:
        numbers = self.photos.following(4 * (i // 2), 4)
        images, views = self.augmented(self.photos.images(numbers), self.photos.views.chosen(torch.tensor(numbers)))
        assert images is not None
        images = self.blurred(avg_pool2d(images, 2), i).requires_grad_()
        z = torch.randn(4, 8, generator=self.draw)
        _, fake = self.augmented(None, fake)
        with torch.no_grad():
            ws = self.net.styles(self.net.map(z))
            made = self.seen(ws, fake, self.net.planes(ws), self.net.palette(ws))
        real = self.score(images, views)
        slope = torch.autograd.grad(real.sum(), images, create_graph=True)[0]
        if i % PERIOD == PERIOD - 1 and i >= self.options.training.warmup:
            sure = float(real.detach().sign().mean()) - 0.6
            self.p = min(max(self.p + math.copysign(4 * 4 / 500_000, sure), 0.0), 0.8)
        penalty = (slope**2).sum(dim=(1, 2, 3)).mean()
        return softplus(-real).mean() + softplus(self.score(made, fake)).mean() + 5 / 2 * penalty

    def seen(self, ws: Tensor, views: Views, planes: Tensor, palette: Tensor | None) -> Tensor:
        camera = camera_of(views.world_from_camera, views.focal, (16, 16))
        found = self.net.render(ws, camera, draws=self.draw, planes=planes, palette=palette)
        return torch.cat((found.rgb, found.alpha[..., None]), dim=-1).permute(0, 3, 1, 2)

    def score(self, images: Tensor, views: Views) -> Tensor:
        told: Tensor = self.judge(images, condition_vectors(views.world_from_camera, views.focal, flipped=True))
        return told

    def blurred(self, images: Tensor, i: int) -> Tensor:
        """Published: sigma 10 (here 1) falls to 0 over the warm-up, 2^-(k / sigma)^2, beyond the border 0."""
        warmup = self.options.training.warmup
        sigma = max(1 - i / warmup, 0) if warmup else 0
        r = math.floor(3 * sigma)
        if r == 0:
            return images
        taps = torch.tensor([2 ** -((k / sigma) ** 2) for k in range(-r, r + 1)])
        kernel = torch.outer(taps, taps) / taps.sum() ** 2
        return conv2d(images, kernel.expand(4, 1, -1, -1), padding=r, groups=4)

    def augmented(self, images: Tensor | None, views: Views) -> tuple[Tensor | None, Views]:
        p = self.p
        if p == 0:
            return images, views

        def coin(*shape: int) -> Tensor:
            return (torch.rand(shape, generator=self.draw) < p).float()

        angle = (torch.rand(4, generator=self.draw) - 0.5) * 2 * math.pi
        angle = angle * coin(4)
        scale = 2 ** (0.2 * torch.randn(4, generator=self.draw))
        scale = 1 + (scale - 1) * coin(4)
        t = 0.1 * torch.randn(4, 2, generator=self.draw)
        t = t * coin(4, 1)
        poses, focals, moved = [], [], []
        for k in range(4):
            cos, sin, s = float(angle[k].cos()), float(angle[k].sin()), float(scale[k])
            turn = torch.tensor([[cos, -sin], [sin, cos]])
            if images is not None:
                column = turn @ (s * torch.tensor([t[k, 0], -t[k, 1]]))
                grid = affine_grid(torch.cat((s * turn, column[:, None]), 1)[None], [1, 4, 32, 32], align_corners=False)
                moved.append(grid_sample(images[k : k + 1], grid, padding_mode="zeros", align_corners=False))
            roll = torch.eye(4)
            roll[:2, :2] = turn.T
            assert views.focal is not None
            pose, f = views.world_from_camera[k] @ roll, views.focal[k] / s
            seen = pose.inverse()
            seen[:2, 3] -= t[k] * (-seen[2, 3]) / (2 * f)
            poses.append(seen.inverse())
            focals.append(f)
        return torch.cat(moved) if moved else None, Views(torch.stack(poses), torch.stack(focals))


@pytest.mark.parametrize(("warmup", "p"), [(4, 0.0), (0, 0.5)], ids=["blurred", "augmented"])
def test_iterations_are_those_of_the_paper(warmup: int, p: float, tmp_path: Path) -> None:
    """Two steps of spheres, eight iterations: with ramps, blur and the first move of the augmentation's probability."""
    options = changed(training={"warmup": warmup, "iterations": 8})
    ours = task_of(options, tmp_path, p, seed=SEED)
    result = train(ours, tmp_path / "run", options=loop(options, seed=SEED))
    averages = load_checkpoint(result.checkpoint).ema
    assert averages is not None

    other = task_of(options, tmp_path, p, seed=SEED)
    twin = Twin(other, other.photos, options, p)
    twin.run(10)
    assert (float(ours.state.probability) == pytest.approx(twin.p, abs=1e-12) and twin.p not in (0.0, p)) or p == 0
    assert twin.mean is not None and float(ours.state.path) == pytest.approx(twin.mean, rel=1e-4)
    start = dict(task_of(options, tmp_path).state.named_parameters())
    known = dict(other.state.named_parameters())
    for name, parameter in ours.state.named_parameters():
        assert not torch.equal(parameter, start[name]) or not parameter.requires_grad, name
        torch.testing.assert_close(parameter, known[name], rtol=1e-3, atol=3e-5, msg=name)
    for name, values in twin.average.items():
        torch.testing.assert_close(averages[f"networks.generator.{name}"], values, rtol=1e-3, atol=3e-5, msg=name)
