"""What the priors are told of a view, and the gradients that they give, in closed form."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from tests.guidance.priors import PointPrior
from tests.methods.realfusion.tiny_realfusion import ball, options, prior, view
from tests.tiny_diffusion import tiny_prior
from tests.tiny_zero123 import tiny_zero123
from torch import Tensor

from monoform import Photo
from monoform.cli.settings import parse_overrides
from monoform.errors import InputError
from monoform.memory import Portions
from monoform.methods import create
from monoform.methods.realfusion.cameras import BACK, FRONT, LABELS, look_at, on_sphere
from monoform.methods.realfusion.config import MAGIC123, RealFusionOptions
from monoform.methods.realfusion.fit_options import Weights
from monoform.methods.realfusion.guide import Guide, ViewGuide, encoded
from monoform.methods.realfusion.infer import RealFusion
from monoform.methods.realfusion.photo_square import PhotoSquare, cut_square
from monoform.methods.realfusion.prompts import view_texts
from monoform.methods.realfusion.sides import Sides

HALF = "0.5 / 0.5"  # of the schedule: no draw
SIDE = 8


def square_of(asked: RealFusionOptions) -> PhotoSquare:
    return cut_square(Photo.open(ball()), None, asked, asked.margin)


def seen_from(elevation: float, azimuth: float, radius: float, fov: float, *, mirrored: bool = False) -> Sides:
    asked = options()
    if mirrored:
        asked = options(network=type(asked.network)(mirrored=True))
    polar, turned = torch.tensor([math.radians(90 - elevation)]), torch.tensor([math.radians(azimuth)])
    poses = look_at(on_sphere(polar, turned, radius), mirrored=mirrored)
    return Sides.of(poses, torch.tensor([fov]), torch.tensor([BACK]), square_of(asked), asked)


def test_the_photos_own_camera_is_no_way_from_it() -> None:
    asked = options()
    square = square_of(asked)
    found = Sides.of(square.pose[None], torch.tensor([square.fov]), torch.tensor([FRONT]), square, asked)
    for values in (found.elevation, found.azimuth, found.distance, found.turn):
        assert abs(float(values)) < 1e-3


def test_the_way_is_told_in_angles_and_in_how_large_the_object_is_seen() -> None:
    found = seen_from(40.0, 90.0, 3.6, 55.0)  # the photo: 15 degrees, a radius of 1.8, a field of view of 55 degrees
    assert float(found.elevation) == pytest.approx(math.radians(25), abs=1e-4)
    assert float(found.azimuth) == pytest.approx(math.radians(90), abs=1e-4)
    assert float(found.distance) == pytest.approx(1.8, abs=1e-4)
    assert float(found.turn) == pytest.approx(
        math.acos(math.sin(math.radians(40)) * math.sin(math.radians(15))), abs=1e-4
    )
    wide = 2 * math.degrees(math.atan(2 * math.tan(math.radians(27.5))))
    assert float(seen_from(40.0, 90.0, 1.8, wide).distance) == pytest.approx(1.8, abs=1e-3)


def test_the_camera_turns_round_the_object_and_not_round_its_mirror_image() -> None:
    """A camera on the image's right of the photo's: its own picture, of a point on that side, comes nearer."""
    for mirrored in (False, True):
        asked = options(network=type(options().network)(mirrored=mirrored))
        right = square_of(asked).pose[0, 0]  # of the image, in the world, along x
        found = seen_from(15.0, 90.0 * float(right.sign()), 1.8, 55.0, mirrored=mirrored)
        assert math.sin(float(found.azimuth)) > 0.99


def pictures(count: int = 2) -> Tensor:
    return torch.rand(count, SIDE, SIDE, 3, generator=torch.Generator().manual_seed(1))


def latent(seed: int) -> Tensor:
    return torch.rand(4, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))


def pulled(judged: Any, labels: list[int], turn: float = 0.0) -> tuple[Tensor, Tensor]:
    """The gradient of a judge at latents, and these."""
    images = pictures(len(labels)).requires_grad_()
    angles = torch.zeros(len(labels))
    sides = Sides(torch.tensor(labels), angles, angles, angles, angles + turn)
    kept: list[Tensor] = []
    encode = judged.prior.encode

    def watched(*values: Any, **more: Any) -> Tensor:
        kept.append(encode(*values, **more))
        kept[-1].retain_grad()
        return kept[-1]

    judged.prior.encode = watched
    judged(images, sides, 0, torch.Generator().manual_seed(0)).backward()
    assert kept[0].grad is not None and images.grad is not None and bool(images.grad.any())
    return kept[0].grad, kept[0].detach()


def test_a_suppressed_face_pushes_other_sides_away_from_it_and_leaves_the_front() -> None:
    """(1 - abar) sqrt(abar / (1 - abar)) (z - u - s (c - u)), where u is the face from behind, and black in front."""
    scale = 3.0
    wanted, unwanted = view_texts("a head", "", directions=True, face="face")
    assert unwanted == ["", *["face"] * 5] and wanted[BACK] == "a head, back view"
    table = {text: latent(number) for number, text in enumerate(wanted)} | {"face": latent(20)}
    judge = PointPrior(table)
    asked = options(text="a head", suppress_face="face", timesteps=HALF, guidance_scale=scale)
    gradient, z = pulled(Guide(judge, asked), [FRONT, BACK])
    kept = float(judge.alphas_cumprod[500])
    size = (1 - kept) * (kept / (1 - kept)) ** 0.5 / 2  # the mean over two views
    for row, (text, without) in enumerate(((wanted[FRONT], torch.zeros(4, SIDE, SIDE)), (wanted[BACK], table["face"]))):
        expected = size * (z[row] - without - scale * (table[text] - without))
        torch.testing.assert_close(gradient[row], expected, rtol=1e-3, atol=1e-4)
    assert view_texts("a head", "blurred", directions=False, face="face") == (
        ["a head"] * len(LABELS),
        ["blurred", *["blurred, face"] * 5],
    )


class KnowsTheBack(PointPrior):
    """A view's prior to which every view is one picture, and nothing is black."""

    def __init__(self, picture: Tensor) -> None:
        super().__init__({"": picture})
        self.picture, self.told = picture, []

    def embed_view(self, photo: Tensor, *way: Tensor) -> tuple[Tensor, Tensor]:
        self.told.append((photo, way))
        wanted = self.picture.flatten()[None, None].expand(len(way[0]), -1, -1)
        return wanted, torch.zeros_like(wanted)


@pytest.mark.parametrize(("by_angle", "factor"), [(False, 1.0), (True, 0.25)])
def test_a_views_prior_pulls_by_its_own_scale_and_by_the_angle(by_angle: bool, factor: float) -> None:
    judge = KnowsTheBack(latent(3))
    asked = options(view_timesteps=HALF, timesteps="0.1 / 0.1", view_scale=2.0, view_by_angle=by_angle)
    gradient, z = pulled(ViewGuide(judge, asked, torch.ones(4, 4, 3)), [BACK], turn=0.25 * math.pi)
    kept = float(judge.alphas_cumprod[500])
    expected = factor * (1 - kept) * (kept / (1 - kept)) ** 0.5 * (z - 2.0 * latent(3))
    torch.testing.assert_close(gradient, expected, rtol=1e-3, atol=1e-4)
    assert bool((judge.told[0][0] == 1).all())


def field_of(asked: RealFusionOptions, **priors: Any) -> Tensor:
    made = RealFusion(asked, **priors).reconstruct([view()], generator=torch.Generator().manual_seed(3))
    return made.field.net.encoder.embeddings.detach()  # type: ignore[union-attr]


def test_both_priors_judge_together_and_each_alone() -> None:
    zero = tiny_zero123()
    strong: dict[str, Any] = {"steps": 2, "prior_scale": 1e-2, "ema_decay": 0.0}
    alone = options(**strong, losses=Weights(prior="0"), prior="/nowhere/at/all", text="")
    made = {
        "text": field_of(options(**strong), prior=prior()),
        "view": field_of(alone, view_prior=zero),
        "both": field_of(options(**strong), prior=prior(), view_prior=zero),
        "unweighted": field_of(options(**strong, losses=Weights(view="0")), prior=prior(), view_prior=zero),
    }
    assert torch.equal(made["text"], made["unweighted"])
    for one, other in (("text", "view"), ("text", "both"), ("view", "both")):
        assert float((made[one] - made[other]).abs().max()) > 1e-3, (one, other)


def test_missing_weights_are_a_sentence_that_says_how_to_get_them() -> None:
    method = RealFusion(options(view_prior="/nowhere/at/all"), prior=prior())
    with pytest.raises(InputError, match=r"hf download ashawkey/zero123-xl-diffusers .* lift works without"):
        method.reconstruct([view()], generator=torch.Generator().manual_seed(3))


def test_pictures_keep_their_precision_until_they_have_the_priors_size() -> None:
    coarse, images = tiny_prior(), torch.full((1, 256, 256, 3), 0.5)
    images[:, ::2] += 1 / 512  # half of what bfloat16 tells apart there
    coarse.vae.to(torch.bfloat16), coarse.unet.to(torch.bfloat16)
    seen: list[Tensor] = []
    inner = coarse.vae.encode
    coarse.vae.encode = lambda given: (seen.append(given), inner(given))[1]
    encoded(coarse, images, Portions("pictures"), torch.Generator().manual_seed(0))
    exact = 2 * torch.nn.functional.interpolate(images.permute(0, 3, 1, 2), (64, 64), mode="bilinear") - 1
    assert torch.equal(seen[0], exact.to(torch.bfloat16)) and float(exact.abs().max()) > 0


def test_magic123_is_reached_by_the_command_and_may_be_changed() -> None:
    assert (MAGIC123.losses.prior, MAGIC123.losses.view, MAGIC123.guidance_scale, MAGIC123.view_scale) == (
        "1",
        "40",
        100.0,
        5.0,
    )
    given = parse_overrides("realfusion", ["preset=magic123", "losses.depth=0.5", "steps=7"])
    config = create("realfusion", **given).config  # type: ignore[attr-defined]
    assert (config.losses.depth, config.losses.view, config.steps, config.timesteps) == ("0.5", "40", 7, "0.2 / 0.6")
    assert np.allclose(config.views.fov_range, 40.0) and config.normal_steps == 1000
    assert create("realfusion", preset="published").config.compat.off_center  # type: ignore[attr-defined]
    for words in (["preset=magic"], ["preset="]):
        with pytest.raises(InputError, match=r"no preset .*: choose one of published, magic123"):
            parse_overrides("realfusion", words)
