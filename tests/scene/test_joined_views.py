"""Views that each guess wrong behind what they see are right together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import pytest
import torch
from jaxtyping import Float
from tests.scene.test_centered import balls
from torch import Tensor

from monoform import InputError, Reconstruction, View
from monoform.camera import Camera, look_at
from monoform.nn.field import Field
from monoform.scene import Provenance
from monoform.scene.along_rays import SmallMask, Stretch, StretchedField, fitted, moved
from monoform.scene.joined_views import joined

RADIUS, LONG = 0.3, 0.25
COLORS = [*torch.eye(3).tolist(), [1.0, 1.0, 0.0]]


@dataclass(frozen=True, eq=False, repr=False)
class Drawn(Field):
    """A ball that goes on behind what the camera sees, as far as it is wide: the guess of a view, in one color."""

    kind: ClassVar[Literal["sdf"]] = "sdf"

    radius: float
    behind: Float[Tensor, " 3"]
    color: list[float]

    @property
    def bounds(self) -> Float[Tensor, "2 3"]:
        return torch.tensor([[-0.5] * 3, [0.5] * 3])

    def geometry(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        along = (points @ self.behind / self.behind.square().sum()).clamp(0, 1)
        return (points - along[:, None] * self.behind).norm(dim=-1) - self.radius

    def values(
        self, points: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"] | None = None
    ) -> Float[Tensor, "n 3"]:
        return torch.tensor(self.color).expand(len(points), 3)


def alone_with(colors: list[list[float]], shrunk: float):
    """Reconstructs a view in a world of its own, which is smaller and turned."""
    left = list(colors)

    def alone(view: View) -> Reconstruction:
        assert view.camera is not None and torch.equal(view.camera.world_from_camera[0], torch.eye(4))
        eye = shrunk * 1.3 * torch.tensor([0.0, 0.6, 0.8])
        camera = Camera(look_at(eye[None]), view.camera.intrinsics, view.camera.width, view.camera.height)
        field = Drawn(shrunk * RADIUS, -shrunk * LONG * eye / eye.norm(), left.pop(0))
        return Reconstruction(field, (View(view.photo, camera),), Provenance("test"))

    return alone


def test_what_others_see_through_is_cut_away_and_each_paints_what_it_sees() -> None:
    views = balls(4, radius=RADIUS, center=[0.0, 0.0, 0.0], scale=1.0)
    found = joined(views, alone_with(COLORS, 0.7), Provenance("test"))
    points = torch.from_numpy(np.random.default_rng(0).uniform(-0.5, 0.5, (4000, 3))).float()
    away = points.norm(dim=-1)
    # The masks that tell its place and thickness have pixels 0.025 wide there.
    inside, outside = found.field.geometry(points) < 0, away > RADIUS + 0.04
    assert inside[away < RADIUS - 0.05].all()
    guesses = [view.field.inner for view in found.field.views]  # before they were stretched to the other masks
    assert min((each.geometry(points) < 0)[outside].sum() for each in guesses) > 100
    assert inside[outside].sum() < 5  # below, where none of them looks
    eyes = torch.cat([view.camera.position for view in views if view.camera])
    seen = found.field.values(RADIUS * eyes / eyes.norm(dim=-1, keepdim=True))
    torch.testing.assert_close(seen, torch.tensor(COLORS), atol=0.1, rtol=0)  # the neighbors have a say
    assert found.has_camera and len(found.views) == 4 and found.parts == 1


@pytest.mark.parametrize("wrong", [Stretch(1.3, 0.08, 1.0), Stretch(1.3, 0.0, 1.7), Stretch(1.3, -0.05, 0.7)])
def test_other_masks_tell_how_far_away_and_how_thick_a_guess_is(wrong: Stretch) -> None:
    views = balls(4, radius=RADIUS, center=[0.0, 0.0, 0.0], scale=1.0)
    eye = views[0].camera.position[0]
    field = StretchedField(Drawn(RADIUS, torch.tensor([0.0, 0.0, 1e-6]), COLORS[0]), eye, wrong)
    found = fitted(field, field.bounds, eye, [SmallMask.of(view) for view in views[1:]])
    assert found is not None
    mended = StretchedField(field, eye, found)
    for distance in (1.0, 1.6):  # where the ball begins and ends
        place = eye * (1 - distance / eye.norm())
        assert abs(float(mended.geometry(place[None]))) < 0.04  # pixels of the masks are 0.025 wide there
    stretch = Stretch(1.3, 0.1, 1.4)
    points = torch.rand(50, 3, generator=torch.Generator().manual_seed(0)) - 0.5
    torch.testing.assert_close(moved(moved(points, eye, stretch), eye, stretch, back=True), points, atol=1e-5, rtol=0)


def test_all_photos_paint_the_mesh() -> None:
    views = balls(4, radius=RADIUS, center=[0.0, 0.0, 0.0], scale=1.0)
    mesh = joined(views, alone_with(COLORS, 1.0), Provenance("test")).mesh(faces=800, texture=64, resolution=48)
    # The photos show one color; the guesses' own colors are left where no photo looks at a fair angle.
    assert mesh.texture is not None
    painted = np.abs(mesh.texture / 255.0 - [1.0, 0.5, 0.2]).max(-1) < 0.1
    assert painted.mean() > 0.5


def test_views_without_cameras_are_refused() -> None:
    views = balls(2, center=[0.0, 0.0, 0.0], scale=1.0)
    with pytest.raises(InputError, match=r"View 2 .* lacks its mask or its camera"):
        joined([views[0], View(views[1].photo)], alone_with(COLORS, 1.0), Provenance("test"))
