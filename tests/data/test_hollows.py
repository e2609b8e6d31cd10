"""The free stretch behind each pixel, and the upright planes that mirror an object, against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from monoform.camera import Camera
from monoform.camera.poses import look_at
from monoform.data.objects.solids import box
from monoform.data.packs.hollows import MIRRORS, _longest_run, hollow_views, mirror_errors
from monoform.mesh import Mesh
from monoform.mesh.solid.inside import Solid


def joined(*parts: Mesh) -> Mesh:
    starts = np.cumsum([0, *(len(part.vertices) for part in parts)])
    faces = [part.faces + start for part, start in zip(parts, starts, strict=False)]
    return Mesh(np.concatenate([part.vertices for part in parts]), np.concatenate(faces))


def test_the_air_between_two_walls_is_found():
    walls = Solid(joined(box((0.4, 0.4, 0.1), center=(0, 0, 0.25)), box((0.4, 0.4, 0.1), center=(0, 0, -0.15))))
    camera = Camera.from_fov(look_at(torch.tensor([[0.0, 0.0, 2.0]])), torch.tensor([0.5]), 16, 16)
    front, back = np.full((1, 16, 16), np.inf, np.float16), np.full((1, 16, 16), np.inf, np.float16)
    front[0, 7:9, 6:8], back[0, 7:9, 6:8] = 1.7, 2.2
    front[0, 7, 9], back[0, 7, 9] = 1.7, 1.8  # one wall alone
    found = hollow_views(walls, camera, front, back)
    np.testing.assert_allclose(found[0, 7:9, 6:8], np.broadcast_to([1.8, 2.1], (2, 2, 2)), atol=0.015)
    assert np.isinf(found[0, 7, 9]).all() and np.isinf(found[0, 0]).all()


def test_the_longest_run_of_a_row():
    free = np.array([[0, 1, 1, 0, 1], [1, 0, 1, 1, 1], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]], bool)
    begins, length = _longest_run(free)
    assert begins.tolist() == [1, 2, 0, 0] and length.tolist() == [2, 3, 0, 5]


@pytest.mark.parametrize("turn", [0, 5])
def test_a_box_is_mirrored_by_the_planes_along_its_sides(turn):
    angle = turn * math.pi / MIRRORS
    sides = box((0.8, 0.3, 0.3))
    rotation = np.array([[math.cos(angle), 0, -math.sin(angle)], [0, 1, 0], [math.sin(angle), 0, math.cos(angle)]])
    errors = mirror_errors(Solid(Mesh(sides.vertices @ rotation.T, sides.faces)), seed=0)
    assert set(np.argsort(errors)[:2]) == {turn, turn + MIRRORS // 2}
    assert errors[turn] < 0.004 and errors[turn + MIRRORS // 4] > 0.03
