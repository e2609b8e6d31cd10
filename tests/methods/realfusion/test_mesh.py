"""The mesh of a field whose surface is known: where it lies, which way round, and what is said where there is none."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from tests.methods.realfusion.solids import CENTER, LEVEL, RADIUS, SHARP, Solid, solid
from tests.methods.realfusion.tiny_realfusion import options, prior, view

from monoform.errors import InputError
from monoform.mesh import Mesh, extract, largest
from monoform.methods.realfusion.infer import BEYOND, RealFusion
from monoform.scene import Reconstruction

SCALE = 0.5 / 0.75
CELLS = 96


def result(net: Solid, **more: Any) -> Reconstruction:
    """Of the field; nothing is fitted."""
    method = RealFusion(options(**more))
    method.net = net
    return method.reconstruct([view()], generator=torch.Generator().manual_seed(1))


def surface(made: Reconstruction) -> Mesh:
    """As the mesh of a result has it, before it is simplified and painted."""
    return largest(extract(made.field, resolution=CELLS, level=made.level))


def volume(mesh: Mesh) -> float:
    """Positive where the faces look outward."""
    a, b, c = mesh.triangles.transpose(1, 0, 2)
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def ball_volume(radius: float) -> float:
    return 4 / 3 * math.pi * (SCALE * radius) ** 3


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_ball_lies_where_the_world_has_it_and_looks_outward(mirrored: bool) -> None:
    mesh = surface(result(solid(mirrored=mirrored)))
    away = mesh.triangles.mean(axis=1) - SCALE * np.array(CENTER)
    distance = np.linalg.norm(away, axis=1)
    assert np.abs(distance - SCALE * RADIUS).max() < 1 / CELLS
    assert (np.einsum("ij,ij->i", mesh.face_normals, away) > 0.9 * distance).all()
    assert volume(mesh) == pytest.approx(ball_volume(RADIUS), rel=0.02)


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_colors_are_on_their_sides(mirrored: bool) -> None:
    made = result(solid(mirrored=mirrored))
    ends = SCALE * (torch.tensor(CENTER) + torch.tensor([[0.0, 0.0, RADIUS], [0.0, 0.0, -RADIUS]]))
    assert torch.allclose(made.field.query(ends).rgb, torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), atol=1e-3)
    assert made.mesh(faces=200, texture=64, resolution=48).vertices[:, 0].mean() == pytest.approx(
        SCALE * CENTER[0], abs=0.01
    )


def test_a_given_density_is_that_of_the_surface() -> None:
    inner = surface(result(solid(), level=LEVEL * math.exp(SHARP * 0.05)))
    assert volume(inner) == pytest.approx(ball_volume(RADIUS - 0.05), rel=0.03)


def test_fog_has_its_surface_at_its_mean_density() -> None:
    net = solid()
    net.occupancy.density_threshold = 1e5
    mean = float(net.occupancy.density_grid.mean())
    radius = RADIUS - math.log(mean / LEVEL) / SHARP
    assert volume(surface(result(net))) == pytest.approx(ball_volume(radius), rel=0.03)


def test_only_the_largest_part_is_kept() -> None:
    net = solid(balls=((CENTER, RADIUS), ((-0.4, -0.4, 0.0), 0.1)))
    mesh = result(net).mesh(faces=400, texture=64, resolution=48)
    assert mesh.vertices[:, 0].min() > 0.0
    assert volume(mesh) == pytest.approx(ball_volume(RADIUS), rel=0.1)


@pytest.mark.parametrize("mirrored", [False, True])
def test_what_reaches_beyond_the_box_is_cut_there_and_closed(mirrored: bool) -> None:
    mesh = surface(result(solid(mirrored=mirrored, balls=(((0.75, 0.0, 0.0), 0.3),))))
    assert mesh.vertices[:, 0].max() == pytest.approx(0.5, abs=1 / CELLS)
    assert volume(mesh) == pytest.approx(0.5 * ball_volume(0.3), rel=0.05)


@pytest.mark.parametrize("known", [True, False])
def test_where_there_is_no_surface_a_sentence_says_so(known: bool) -> None:
    net = solid(balls=())
    if not known:  # as a checkpoint has it from before the first look
        net.occupancy.density_grid.zero_()
    with pytest.raises(InputError, match=r"no surface at level 15 "):
        result(net).mesh(faces=200, texture=64, resolution=32)


def test_a_level_above_all_densities_is_refused_as_it_was_given() -> None:
    with pytest.raises(InputError, match=r"level is 1e\+06 and the field is nowhere denser than 29\d\d: give a lower"):
        result(solid(), level=1e6)


def test_a_fit_is_not_lost_for_a_level_above_all_its_densities() -> None:
    """After a fit that is said, and the surface is that which would have been found."""
    made = [
        RealFusion(options(steps=1, level=level), prior=prior()).reconstruct(
            [view()], generator=torch.Generator().manual_seed(1)
        )
        for level in (0.0, 1e6)
    ]
    assert made[1].level == made[0].level and not made[0].photo.notices
    (notice,) = made[1].photo.notices
    assert "level is 1e+06 and the field is nowhere denser than" in notice and "its surface lies at" in notice


@pytest.mark.parametrize(("margin", "bound", "warned"), [(0.09, 0.75, True), (0.11, 0.75, False), (0.09, 0.8, False)])
def test_an_object_that_is_larger_than_the_box_is_warned_of(margin: float, bound: float, warned: bool) -> None:
    # The photo shows 1.8 tan(27.5 degrees) = 0.937 to each side, of which the object takes 1 - 2 margin.
    net = Solid(replace(solid().config, bound=bound)).eval()
    notices = result(net, margin=margin).photo.notices
    assert (BEYOND in notices) == warned
