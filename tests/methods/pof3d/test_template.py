"""A template of poses: its views, what it tells of renders of known directions, and what the losses take of it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.methods.pof3d.training_cases import (
    OPTIONS,
    TINY,
    Even,
    changed,
    gradients,
    latents,
    networks,
    photo_folder,
    real_images,
)
from torch import Tensor

from monoform.errors import InputError
from monoform.methods.pof3d.discriminator import coded
from monoform.methods.pof3d.losses import energy_distance, pose_loss
from monoform.methods.pof3d.steps import Steps
from monoform.methods.pof3d.template import (
    CELLS,
    FeatureMaps,
    Fit,
    Template,
    fitted,
    poses_by_template,
    template_poses,
)
from monoform.methods.pof3d.template_config import TemplateOptions
from monoform.methods.pof3d.template_terms import TemplateTerms, opposite
from monoform.methods.pof3d.train import train_pof3d
from monoform.metrics.pose_distribution import pose_errors
from monoform.training import list_checkpoints, load_checkpoint

FEW = TemplateOptions(weight=2.0, yaws=12, elevations=1, half_turn=False, starts=3, steps=60)


def made(options: TemplateOptions = FEW, seed: int = 0, places: int = 4) -> Template:
    """A field of random features."""
    template = Template(TINY, options, places=places, channels=4)
    template.begin(torch.Generator().manual_seed(seed))
    return template.requires_grad_(False)


def terms_of(options: TemplateOptions = FEW, told: Tensor | None = None) -> TemplateTerms:
    poses = template_poses(TINY, options) if told is None else told
    return TemplateTerms(networks().generator, "circle", options, lambda: poses)


def test_views_go_around_and_over_the_known_elevations() -> None:
    config = replace(TINY, pose=replace(TINY.pose, elevation_mean=1.0, elevation_reach=0.3))
    poses = template_poses(config, replace(FEW, elevations=3))
    assert poses.shape == (36, 2)
    torch.testing.assert_close(poses[::3, 0], torch.arange(12) * math.pi / 6)
    torch.testing.assert_close(poses[:3, 1], torch.tensor([0.8, 1.0, 1.2]))


def test_what_is_at_a_side_is_seen_there() -> None:
    """A dense cell at +x is in the middle seen from +x and from -x, and to the right seen from +z."""
    template = made(replace(FEW, yaws=4), places=16)
    template.cells.zero_()
    template.cells[:, 0] = -1
    middle = slice(CELLS // 2 - 1, CELLS // 2 + 1)
    template.cells[..., middle, middle, 3 * CELLS // 4 :] = 1
    seen = template().reshape(4, 16, 16, 4)[..., 0]
    across = (seen.sum(1) * (torch.arange(16) + 0.5 - 8)).sum(1) / seen.sum((1, 2))
    away, front, near, behind = across.tolist()  # yaws 0 (-x), 90 (+z), 180 (+x), 270 (-z)
    assert abs(away) < 0.3 and abs(near) < 0.3
    assert front > 2 and behind == pytest.approx(-front, abs=0.1)


def test_where_opposite_sides_look_alike_half_of_the_views_are_enough() -> None:
    """The field of what looks alike is the same half a turn around; its views are those of half a turn."""
    alike = replace(FEW, half_turn=True)
    template, points = made(alike), torch.rand(1, 50, 3, generator=torch.Generator().manual_seed(1)) - 0.5
    around = points * points.new_tensor([-1.0, 1.0, -1.0])
    here, there = (template.query(each, each) for each in (points, around))
    torch.testing.assert_close(here.geometry, there.geometry)
    torch.testing.assert_close(here.values, there.values)
    torch.testing.assert_close(template.poses, template_poses(TINY, FEW)[:6])


def test_the_nearest_view_tells_the_direction() -> None:
    template = made()
    fit = Fit(template, template().clone(), torch.Generator().manual_seed(0))
    torch.testing.assert_close(fit.tell(template()), template.poses)


def test_a_fit_tells_the_directions_of_renders() -> None:
    """Renders of a field from directions that nobody told, with noise: all are right up to one turn."""
    options, drawn = replace(FEW, yaws=24, starts=4), torch.Generator().manual_seed(3)
    views, numbers = made(options, places=6)(), torch.randint(24, (200,), generator=drawn)
    shown = views[numbers] / views.square().mean().sqrt()
    shown = shown + 0.2 * torch.randn(shown.shape, generator=drawn)
    fit = fitted(TINY, options, shown, places=6, seed=2)
    true, told = (each.double().numpy() for each in (template_poses(TINY, options)[numbers], fit.tell(shown)))
    assert pose_errors(true, told)["told_azimuth_error"] < 7.5  # half of what lies between two views
    assert abs(np.exp(1j * (true[:, 0] - told[:, 0])).mean()) > 0.9  # 0 where nothing is told


@pytest.mark.parametrize("prior", ["uniform", "free"])
def test_a_uniform_prior_spreads_photos_over_the_views(prior: str) -> None:
    """Photos that look alike go to one view, unless as many are known to be from each."""
    fit = Fit(made(replace(FEW, prior=prior)), torch.ones(20, 64), torch.Generator().manual_seed(0))
    fit.template.requires_grad_(True)
    for _ in range(3):
        fit.step(0.0)
    assert bool(fit.bias.any()) == (prior == "uniform")


def test_features_are_brought_to_variance_one_and_empty_places_to_zero() -> None:
    photos = torch.randint(0, 255, (6, 3, 4, 4), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    photos[:, :, [0, 0, -1, -1], [0, -1, 0, -1]] = 200
    maps = FeatureMaps(lambda images: images.float(), photos)
    found = maps(photos).reshape(6, 4, 4, 3)
    assert found.square().mean() == pytest.approx(1.0, abs=1e-4)
    assert float(found[:, 0, 0].abs().max()) < 1e-5


def test_photos_of_a_set_are_told_apart_by_where_their_mark_is() -> None:
    """A set of two kinds of pictures: those of one kind have one pose, the others another."""
    kinds = torch.full((2, 3, 4, 4), 255, dtype=torch.uint8)
    kinds[0, :, 1:3, 1] = 0
    kinds[1, 0, 1:3, 2] = 0
    numbers = torch.arange(40) % 2
    told = poses_by_template(
        TINY, FEW, lambda some: kinds[numbers[some]], 40, seed=0, net=lambda images: images.float()
    )
    assert told.shape == (40, 2)
    assert (told[::2] == told[0]).all() and (told[1::2] == told[1]).all() and (told[0] != told[1]).any()


def test_starts_steps_and_photos_say_how_much_is_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(Fit, "step", lambda self, share: seen.append(len(self.features)) or 0.0)
    photos = torch.randint(0, 255, (9, 3, 4, 4), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    few = replace(FEW, starts=2, steps=3, photos=5)
    poses_by_template(TINY, few, lambda some: photos[some], 9, net=lambda images: images.float())
    assert seen == 6 * [5]


def test_the_energy_distance_has_its_closed_form() -> None:
    """2 E|x - y| - E|x - x'| of few points."""
    x, y = torch.tensor([[0.0], [1.0]]), torch.tensor([[3.0]])
    assert float(energy_distance(x, y)) == pytest.approx(2 * 2.5 - 1.0)
    x = torch.zeros(5, 2, requires_grad=True)
    energy_distance(x, torch.ones(1, 2)).backward()
    assert x.grad is not None and torch.isfinite(x.grad).all() and (x.grad < 0).all()


def test_photos_are_seen_from_anywhere_between_the_views_of_the_template() -> None:
    options = replace(FEW, elevations=2)
    told = torch.tensor([[1.0, 1.5], [2.0, 1.2]])
    found = terms_of(options, told).of_photos(torch.tensor([1]).expand(2000), Even())
    off = found - told[1]
    width = torch.tensor([math.pi / 12, TINY.pose.reach / 2])
    assert (off.abs() <= width * (1 + 1e-5)).all() and (off.abs().amax(0) > 0.95 * width).all()
    assert (off.mean(0).abs() < 0.1 * width).all()


def test_of_opposite_sides_the_discriminator_tells_which() -> None:
    poses = torch.tensor([[0.3, 1.5], [2.0, 1.2]])
    here, there = coded(poses, "circle"), coded(opposite(poses), "circle")
    told = torch.stack([0.2 * here[0], 0.2 * there[1]])
    wanted = torch.stack([here[0], there[1]])
    torch.testing.assert_close(terms_of(replace(FEW, half_turn=True)).condition_of_photos(poses, told), wanted)
    known = terms_of().condition_of_photos(poses, told)
    torch.testing.assert_close(known, here)


def test_poses_that_are_chosen_come_to_be_distributed_as_those_of_photos() -> None:
    """All photos from one side: the loss moves nothing but what tells poses, and these go there."""
    ones = torch.tensor([[3.0, math.pi / 2]])
    terms = terms_of(replace(FEW, yaws=360, elevations=90), ones)
    mapping = terms.generator.backbone.mapping
    terms.unlike(Even()).backward()
    moved = {name for name, each in terms.generator.named_parameters() if each.grad is not None and each.grad.any()}
    assert moved and all("affine_layer" in name for name in moved)

    def near() -> float:
        return float(torch.cos(mapping.pose(mapping(latents(200)))[:, 0] - 3.0).detach().mean())

    before, optimizer = near(), torch.optim.Adam(mapping.parameters(), 1.0)
    for seed in range(100):
        optimizer.zero_grad()
        terms.unlike(Even(seed)).backward()
        optimizer.step()
    assert near() > before + 0.5
    both = TemplateTerms(terms.generator, "circle", replace(terms.options, half_turn=True), lambda: ones)
    assert float(both.unlike(Even(3)).detach()) > float(terms.unlike(Even(3)).detach()) + 0.2


def test_photos_are_judged_and_learned_from_under_the_poses_of_the_template() -> None:
    options = changed(template=FEW, flip_discriminator=False)
    nets = networks(options=options)
    assert nets.discriminator is not None
    terms = TemplateTerms(nets.generator, "circle", options.template, lambda: template_poses(TINY, FEW))
    steps = Steps(nets.generator, nets.discriminator, options, images_a_step=4, template=terms)
    poses, real = template_poses(TINY, FEW)[:4], real_images()
    _, logged = gradients(
        nets.discriminator, nets.generator, steps.discriminator_terms(latents(), real, 1e6, Even(), poses)
    )
    shown = steps.real(real, 1e6)
    known = coded(poses, "circle")
    judged = nets.discriminator(*shown, known)
    assert logged["loss_template"] == pytest.approx(2.0 * float(pose_loss(judged.pose, known).detach()), rel=1e-4)
    assert logged["score_real"] == pytest.approx(float(judged.score.mean().detach()), rel=1e-3, abs=1e-5)
    _, logged = gradients(nets.generator, nets.discriminator, steps.generator_terms(latents(), 1e6, Even()))
    assert "loss_template" in logged


def test_a_training_with_a_template_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    photos = photo_folder(tmp_path / "photos")
    options = changed(template=replace(FEW, half_turn=True, starts=1, steps=2, photos=6), evaluate_every=0)
    ends = []
    for name, stops in {"whole": (3,), "parts": (2, 3)}.items():
        for steps in stops:
            loop = options.loop(steps=steps, seed=1, device="cpu", progress=False)
            train_pof3d(photos, tmp_path / name, loop, options)
        ends.append(load_checkpoint(list_checkpoints(tmp_path / name)[-1]).model)
    assert ends[0]["told"].shape == (12, 2) and len(ends[0]["told"].unique(dim=0)) > 1
    assert all(torch.equal(values, ends[1][name]) for name, values in ends[0].items())


def test_templates_that_cannot_be() -> None:
    with pytest.raises(InputError, match=r"template\.weight is 1"):
        changed(OPTIONS, published=True, template=TemplateOptions(weight=1.0))
    with pytest.raises(InputError, match="yaws"):
        TemplateOptions(yaws=1)
