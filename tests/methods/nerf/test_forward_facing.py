"""Scenes in normalised device coordinates: how far away things are, and poses by the fast optimizer."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from monoform.camera import Camera, from_opengl, so3_exp
from monoform.camera.rigid import rigid
from monoform.jobs.estimate_pose import PoseOptions, estimate_pose
from monoform.jobs.pose_scenes import facing_target, scene_of
from monoform.methods.inerf import InerfOptions
from monoform.methods.nerf import NerfConfig, NerfNet, NerfRenderer, Scene, TwoPass
from monoform.metrics.pose import rotation_error
from monoform.nn.nerf_mlp import NerfMlp
from monoform.render.camera_render import camera_colors
from monoform.scene import Photo

SIZE, FOCAL = (96, 72), 80.0
SAMPLING = TwoPass(0.0, 1.0, 48, 24, white=False, ndc=(2 * FOCAL / SIZE[0], 2 * FOCAL / SIZE[1]))
BACK, FRONT = 4.0, 2.5  # depths of a wall and of a post before it


class PaintedWall(NerfMlp):
    """A wall with a post before it, in normalised device coordinates, painted in waves of the world's coordinates."""

    def forward(self, points: Tensor, directions: Tensor) -> Tensor:
        depth = 2.0 / (1.0 - points[..., 2]).clamp_min(1e-4)
        x, y = (points[..., axis] * depth / scale for axis, scale in enumerate(SAMPLING.ndc or ()))
        post = (x.abs() < 0.35) & (depth > FRONT)
        density = torch.where(post | (depth > BACK), 400.0, 0.0)
        waves = (torch.sin(2 * x + y + depth), torch.cos(2.5 * y - x), torch.sin(x * y + 4 * x))
        return torch.cat((torch.stack(waves, -1), density[..., None]), -1)


@pytest.fixture(scope="module")
def scene() -> Scene:
    net = NerfNet(NerfConfig(sampling=SAMPLING, up="y"))
    net.coarse = net.fine = PaintedWall(1, 1, depth=2, width=4)
    return Scene(Path("wall"), net, (), (0.0, 0.0, 0.0), 1.0)


def camera(pose: Tensor | None = None) -> Camera:
    matrix = torch.tensor([[FOCAL, 0, SIZE[0] / 2], [0, FOCAL, SIZE[1] / 2], [0, 0, 1]])[None]
    return Camera((from_opengl(torch.eye(4)) if pose is None else pose)[None], matrix, *SIZE)


def test_distances_are_those_of_the_world(scene: Scene) -> None:
    seen = camera_colors(scene.renderer(), camera())
    origins, directions = (rays[0] for rays in camera().rays())
    depth = -(origins + seen.distance[:, None] * directions)[:, 2].reshape(SIZE[1], SIZE[0])
    assert depth[36, 48] == pytest.approx(FRONT, rel=0.03)
    assert depth[36, 4] == pytest.approx(BACK, rel=0.03)
    behind = replace(camera(), world_from_camera=torch.eye(4)[None])
    nothing = camera_colors(scene.renderer(), behind)
    assert float(nothing.alpha.max()) == 0.0 and float(nothing.rgb.max()) == 0.0 and not nothing.distance.any()


def test_the_middle_camera_is_known(scene: Scene) -> None:
    facing = scene.facing
    assert facing is not None and facing.width * SIZE[1] == facing.height * SIZE[0]
    torch.testing.assert_close(facing.resized(*SIZE).intrinsics, camera().intrinsics)
    target = facing_target(scene_of(scene.reconstruction()), facing)
    assert FRONT * 0.9 < -target.scene_bounds.center[2] < BACK * 1.1 and not target.bare


def test_the_fast_optimizer_finds_a_photo_of_it(scene: Scene) -> None:
    facing = scene.facing
    assert facing is not None
    turn = rigid(so3_exp(torch.tensor([[0.05, -0.08, 0.06]]))[0], torch.tensor([0.25, -0.15, 0.1]))
    true = camera(turn @ from_opengl(torch.eye(4)))
    picture = camera_colors(NerfRenderer(scene.net), true).rgb.reshape(SIZE[1], SIZE[0], 3)
    target = facing_target(scene_of(scene.reconstruction()), facing)
    options = PoseOptions(method=InerfOptions(starts=1, longest=64, elsewhere=False))
    found = estimate_pose(Photo.open(np.ascontiguousarray(picture.numpy())), target, options, truth=true)
    pose = found.estimate.camera.world_from_camera
    assert math.degrees(float(rotation_error(pose, true.world_from_camera)[0])) < 0.5
    assert found.errors["translation"] < 0.03
    assert found.estimate.converged, found.estimate.failure_reasons
    assert found.estimate.covariance is not None
