"""One step: what is computed once is what the published code computes twice; closed forms of the regularisations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from tests.methods.pof3d.training_cases import (
    JUDGE,
    OPTIONS,
    PHASES,
    SIDE,
    TINY,
    Even,
    assert_same,
    changed,
    latents,
    networks,
    of_discriminator,
    of_generator,
    of_penalty,
    of_smoothness,
    real_images,
    steps_of,
)
from torch import Tensor

from monoform.errors import InputError
from monoform.methods.pof3d.discriminator import coded
from monoform.methods.pof3d.inputs import resized
from monoform.methods.pof3d.published_steps import PublishedSteps
from monoform.methods.pof3d.schedules import rendering_resolution
from monoform.methods.pof3d.shared_graph import SharedGraph
from monoform.methods.pof3d.step_parts import Shown
from monoform.methods.pof3d.steps import Steps
from monoform.nn.stylegan2.augment import AugmentOptions, AugmentPipe
from monoform.training.adversarial import blur_sigma, blurred


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("dual", [True, False])
def test_a_step_is_the_published_one(first: bool, dual: bool) -> None:
    """Without chance, blur and augmentation every gradient is the same, with one rendering and look or with many."""
    options = changed(discriminator=replace(JUDGE, dual=dual), mirrors="flip_both")
    nets = networks(options=options)
    assert nets.discriminator is not None
    ours = Steps(nets.generator, nets.discriminator, options, images_a_step=4)
    theirs = PublishedSteps(nets.generator, nets.discriminator, options, images_a_step=4)
    theirs.points = lambda *given: Steps.points(theirs, *given)  # type: ignore[method-assign]
    for phase in PHASES:
        own, logged = phase(ours, Even(first=first))
        published, said = phase(theirs, Even(first=first))
        assert own and any(bool(each.any()) for each in own.values())
        assert_same(own, {name: values for name, values in published.items() if name in own})
        assert not any(bool(values.any()) for name, values in published.items() if name not in own)
        assert logged == pytest.approx({name: said[name] for name in logged}, rel=1e-4, abs=1e-6)


def test_what_is_judged_is_blurred_twice_where_published() -> None:
    options = changed(blur=3.0, blur_kimg=1000.0)
    shown = Shown(real_images(), resized(real_images(), 8))
    once = Shown(*(blurred(each, 3.0) for each in shown))
    twice = Shown(*(blurred(each, 3.0) for each in once))
    for published, wanted in ((False, once), (True, twice)):
        steps = steps_of(changed(options, published=published))
        told = steps.discriminator(*once).pose
        known = steps.discriminator(*wanted, told.detach())
        if published:
            assert isinstance(steps, PublishedSteps)
            found = steps._twice(shown, 0.0, Even())
        else:
            found = steps.judged(shown, 0.0, Even())
        torch.testing.assert_close(found.score, known.score)


class Slope(Steps):
    """Density that rises along z by a learned slope."""

    slope: Tensor

    def density(self, points: Tensor, planes: Tensor) -> Tensor:
        return self.slope * points[..., 2]


@pytest.mark.parametrize("kind", ["monotonic-fixed", "monotonic-detach"])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_density_that_falls_behind_a_point_is_charged(kind: str, sign: float) -> None:
    """Of slope k, density falls by k d over the distance d to what is behind: 10 k d, or nothing where it rises."""
    nets = networks()
    assert nets.discriminator is not None
    steps = Slope(nets.generator, nets.discriminator, changed(density_type=kind, density_reg=0.0), images_a_step=4)
    steps.slope = torch.tensor(3.0 * sign, requires_grad=True)
    ((loss, _),) = list(steps.smoothness_terms(latents(), 0.0, Even()))
    distance = TINY.rays.box / 256
    every = OPTIONS.every_generator
    assert float(loss.detach()) == pytest.approx(every * 10 * 3.0 * distance * (sign > 0), rel=1e-3, abs=1e-9)
    (gradient,) = torch.autograd.grad(loss, steps.slope)
    if sign < 0:
        assert gradient == 0
    elif kind == "monotonic-fixed":
        assert float(gradient) == pytest.approx(every * 10 * distance, rel=1e-3)
    else:  # what is in front stands still: the slope moves what is behind, by its mean height
        front = Steps.points(steps, 4, 2000, Even())
        assert float(gradient) == pytest.approx(-every * 10 * float(front[..., 2].mean() - distance), rel=1e-3)


def test_beside_the_monotonic_term_roughness_is_measured_at_its_distance() -> None:
    nets = networks()
    assert nets.discriminator is not None
    options = changed(density_type="monotonic-detach", density_reg=0.5)
    steps = Slope(nets.generator, nets.discriminator, options, images_a_step=4)
    steps.slope = torch.tensor(3.0, requires_grad=True)
    ((_, metrics),) = list(steps.smoothness_terms(latents(), 0.0, Even()))
    draw = Even()
    Steps.points(steps, 4, 2000, draw)
    here = Steps.points(steps, 4, OPTIONS.density_points, draw)
    moved = float(draw.normal(*here.shape)[..., 2].abs().mean())
    assert float(metrics["loss_density"].detach()) == pytest.approx(0.5 * 3.0 * TINY.rays.box / 256 * moved, rel=1e-3)


def test_roughness_is_measured_at_the_distance_that_is_asked_for() -> None:
    nets = networks()
    assert nets.discriminator is not None
    steps = Slope(nets.generator, nets.discriminator, changed(density_distance=0.1), images_a_step=4)
    steps.slope = torch.tensor(3.0, requires_grad=True)
    (rough,) = list(steps.smoothness_terms(latents(), 0.0, Even()))
    draw = Even()
    here = Steps.points(steps, 4, OPTIONS.density_points, draw)
    moved = draw.normal(*here.shape)[..., 2].abs().mean()
    assert float(rough[0].detach()) == pytest.approx(4 * 0.25 * 3.0 * 0.1 * float(moved), rel=1e-3)
    assert float(here.abs().max()) <= TINY.rays.box / 2


def test_the_rendering_grows_from_one_resolution_to_the_other() -> None:
    options = changed(resolution_start=4, resolution_end=8, resolution_kimg=1.0)
    steps = steps_of(options)
    assert [steps.resolution(images) for images in (0, 124, 126, 499, 501, 1000, 9999)] == [4, 4, 5, 6, 6, 8, 8]
    assert rendering_resolution(10, start=64, end=None, fade=0) == 64
    for images, side in ((0, 4), (500, 6), (1000, 8)):
        assert steps.real(real_images(), images).image_raw.shape[-1] == side
        made = steps.rendered(steps.chosen(latents(), Even()), images, Even())
        assert made.image_raw.shape == (4, 3, side, side)
        assert made.image.shape == (4, 3, SIDE, SIDE)


def test_the_blur_falls_to_nothing() -> None:
    assert [blur_sigma(images, start=10, fade=200) for images in (0, 100, 200, 300)] == [10, 5, 0, 0]
    assert blur_sigma(0, start=10, fade=0) == 0
    assert blurred(real_images(), 0.3) is not None
    assert torch.equal(blurred(real_images(), 0.3), real_images())
    # 16 images a step instead of 32: over half as many images.
    assert steps_of(changed(batch=16, blur_kimg=200.0)).blur_images == 100_000


def test_a_pose_is_told_to_the_generator_through_its_own_layers_alone() -> None:
    """Where the images teach nothing, the layers that choose the pose learn, and no other."""
    steps = steps_of(changed(lambda_gd=5.0, flip_generator=False))
    steps.discriminator.b4.out.weight.data.zero_()
    found, _ = of_generator(steps, Even())
    learned = {name for name, values in found.items() if bool(values.any())}
    assert learned and all("affine_layer" in name for name in learned if name.startswith("backbone.mapping"))
    assert all(name.startswith("backbone.mapping.affine_layer") for name in learned)


Look = Callable[[Steps, Even], Any]
CHANGES: dict[str, tuple[dict[str, Any], Look]] = {
    "published": ({"published": True}, of_discriminator),
    "gamma": ({"gamma": 2.0}, of_penalty),
    "lambda_cam": ({"lambda_cam": 7.0}, of_discriminator),
    "lambda_gd": ({"lambda_gd": 7.0}, of_generator),
    "lambda_shown": ({"lambda_shown": 7.0}, of_generator),
    "every_generator": ({"every_generator": 2}, of_smoothness),
    "every_discriminator": ({"every_discriminator": 2}, of_penalty),
    "mirrors": ({"mirrors": "left_right"}, of_generator),
    "flip_generator": ({"flip_generator": False}, of_generator),
    "flip_discriminator": ({"flip_discriminator": False}, of_discriminator),
    "flip_weight_generator": ({"flip_weight_generator": 0.5}, of_generator),
    "flip_weight_discriminator": ({"flip_weight_discriminator": 0.5}, of_discriminator),
    "detach_pose": ({"detach_pose": True}, of_generator),
    "density_reg": ({"density_reg": 1.0}, of_smoothness),
    "density_distance": ({"density_distance": 0.1}, of_smoothness),
    "density_type": ({"density_type": "monotonic-fixed"}, of_smoothness),
    "density_points": ({"density_points": 8}, of_smoothness),
    "resolution_start": ({"resolution_start": 6}, of_generator),
    "resolution_end": ({"resolution_end": 6}, of_generator),
    "blur": ({"blur": 2.0, "blur_kimg": 1e5}, of_discriminator),
    "style_mixing": ({"style_mixing": 1.0}, of_generator),
    "pose_swapping": ({"pose_swapping": 1.0}, of_generator),
    "pose_noise": ({"discriminator": replace(JUDGE, pose_noise=1.0)}, of_discriminator),
    "linear_pose": ({"discriminator": replace(JUDGE, linear_pose=True)}, of_discriminator),
    "frozen": ({"discriminator": replace(JUDGE, frozen=2)}, of_discriminator),
    "group": ({"discriminator": replace(JUDGE, group=2)}, of_discriminator),
    "clamp": ({"discriminator": replace(JUDGE, clamp=0.05)}, of_discriminator),
    "pose_coding": ({"discriminator": replace(JUDGE, pose_coding="angles")}, of_discriminator),
    "stop": ({"network": replace(TINY, network=replace(TINY.network, superresolution_stop=True))}, of_generator),
    "detached": ({"network": replace(TINY, pose=replace(TINY.pose, detached=True))}, of_generator),
    "uniform": ({"network": replace(TINY, pose=replace(TINY.pose, uniform=True))}, of_generator),
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_option_changes_a_step(name: str) -> None:
    fields, look = CHANGES[name]
    usual, other = (look(steps_of(options), Even())[0] for options in (OPTIONS, changed(**fields)))
    differ = set(usual) != set(other) or any(
        values.shape != other[key].shape or not torch.allclose(values, other[key], rtol=1e-3, atol=0)
        for key, values in usual.items()
    )
    assert differ


def test_resolution_and_blur_take_as_long_as_is_asked_for() -> None:
    grown = changed(resolution_end=4, resolution_kimg=1.0)
    assert steps_of(grown).resolution(500) != steps_of(changed(grown, resolution_kimg=100.0)).resolution(500)
    blur = changed(blur=2.0, blur_kimg=8.0)
    looks = [of_penalty(steps_of(options), Even(), 500)[0] for options in (blur, changed(blur, blur_kimg=80.0))]
    assert not torch.allclose(looks[0]["b16.conv0.weight"], looks[1]["b16.conv0.weight"], rtol=1e-3)


def test_the_augmentation_is_seen_by_the_discriminator() -> None:
    pipe = AugmentPipe(AugmentOptions(xfrac=1, contrast=1), 1.0)
    nets = networks()
    usual = of_discriminator(steps_of(OPTIONS, nets), Even())[0]
    other = of_discriminator(steps_of(OPTIONS, nets, augment=pipe), Even())[0]
    assert not torch.allclose(usual["b16.conv0.weight"], other["b16.conv0.weight"], rtol=1e-2)


def test_a_further_term_is_added() -> None:
    def depth_term(depth: Tensor, image: Tensor, images: float) -> tuple[Tensor, dict[str, Tensor]]:
        assert len(depth) == len(image) == 4 and images == 1e6
        return depth.mean(), {"loss_depth": depth.mean()}

    for published in (False, True):
        options = changed(published=published)
        usual, _ = of_generator(steps_of(options), Even())
        other, logged = of_generator(steps_of(options, extra=depth_term), Even())
        assert "loss_depth" in logged
        assert not torch.allclose(usual["decoder.net.0.weight"], other["decoder.net.0.weight"], rtol=1e-3)


def test_gradients_through_what_terms_share_are_those_of_their_sum() -> None:
    """However the loop scales the terms."""
    weights = torch.randn(5, generator=torch.Generator().manual_seed(0), requires_grad=True)
    for scale in (1.0, 0.25):
        made = (weights**3, weights.sin())
        shared = SharedGraph([*made, torch.ones(5)])
        first, second, constant = shared.leaves
        (scale * shared.counted((first * second).sum())).backward()
        (scale * shared.counted((first.exp() + constant).sum())).backward()
        rest = shared.rest()
        assert float(rest.detach()) == 0
        (found,) = torch.autograd.grad(scale * rest, weights)
        whole = (weights**3 * weights.sin()).sum() + (weights**3).exp().sum()
        (known,) = torch.autograd.grad(scale * whole, weights)
        torch.testing.assert_close(found, known)


def test_a_swapped_view_is_told_by_its_own_pose() -> None:
    steps = steps_of(changed(OPTIONS, pose_swapping=1.0))
    own = steps_of(changed(OPTIONS, pose_swapping=0.0)).chosen(latents(), Even())
    swapped = steps.chosen(latents(), Even())
    for each in ("pose", "pose_alone", "cameras"):
        torch.testing.assert_close(getattr(swapped, each), getattr(own, each).roll(1, 0))
    torch.testing.assert_close(swapped.ws, own.ws)
    torch.testing.assert_close(steps.generator.cameras(swapped.pose)[0], swapped.cameras)
    kept = steps_of(changed(OPTIONS, pose_swapping=1.0, published=True)).chosen(latents(), Even())
    torch.testing.assert_close(kept.pose_alone, kept.pose)  # as published: the latent's own, whatever is seen


def test_fakes_are_to_show_the_pose_that_they_are_seen_from() -> None:
    steps = steps_of(changed(OPTIONS, lambda_shown=3.0, pose_swapping=1.0, lambda_gd=0.0))
    _, logged = of_generator(steps, Even())
    with torch.no_grad():
        own = steps_of(changed(OPTIONS, pose_swapping=0.0)).chosen(latents(), Even())
        seen = own._replace(cameras=own.cameras.roll(1, 0), intrinsics=own.intrinsics.roll(1, 0))
        made = steps.rendered(seen, 1e6, Even())
        told = steps.judged(Shown(made.image, made.image_raw), 1e6, Even()).pose
        wanted = 3 * (told - coded(own.pose.roll(1, 0)[:, :2], "circle")).square().mean()
    assert logged["loss_shown"] == pytest.approx(float(wanted), rel=1e-4)
    assert "loss_shown" not in of_generator(steps_of(OPTIONS), Even())[1]
    with pytest.raises(InputError, match="lambda_shown is 3; the published training has none"):
        changed(OPTIONS, lambda_shown=3.0, published=True)
