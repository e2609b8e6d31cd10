"""PoF3D's generator: every option changes something, quick paths are their twins, gradients are those in float64."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from monoform.errors import InputError
from monoform.methods.pof3d.config import (
    Background,
    Compat,
    Network,
    Pof3dConfig,
    PoseHead,
    Rays,
    Rig,
    focal_of,
    fov_of,
)
from monoform.methods.pof3d.decoder import axes_of
from monoform.methods.pof3d.mapping import PoseMapping
from monoform.methods.pof3d.model import Pof3dGenerator, Synthesis
from monoform.methods.pof3d.poses import camera_poses, intrinsics_of, mirrored, within_poles
from monoform.methods.pof3d.presets import PRESETS, preset
from monoform.methods.pof3d.rendering import image_rays, normals_of_depth, sampling_of, see
from monoform.nn.field import FieldSamples
from monoform.nn.triplane import AXES, PlaneTable, plane_features, sample_planes
from monoform.render import RaySampleNoise

TINY = Pof3dConfig(
    resolution=16,
    network=Network(
        z_dim=8,
        w_dim=12,
        channel_base=128,
        channel_max=8,
        plane_resolution=16,
        plane_features=4,
        decoder_width=8,
        superresolution="2X",
    ),
    rig=Rig(radius=2.7, focal=2.0),
    rays=Rays(coarse=6, fine=5, raw_resolution=6),
)
OTHERS: dict[str, Any] = {
    "resolution": 32,
    "network.z_dim": 9,
    "network.w_dim": 13,
    "network.mapping_layers": 3,
    "network.mapping_rate": 0.02,
    "network.channel_base": 64,
    "network.channel_max": 4,
    "network.plane_resolution": 32,
    "network.plane_features": 5,
    "network.noise": False,
    "network.clamp": 0.2,
    "network.decoder_width": 9,
    "network.decoder_rate": 0.5,
    "network.superresolution": "8XDC",
    "network.superresolution_share": 0.25,
    "network.superresolution_noise": "const",
    "network.background": Background(width=6, frequencies=2),
    "pose.learned": "radius",
    "pose.linear": True,
    "pose.rate": 0.02,
    "pose.yaw": "number",
    "pose.elevation": "free",
    "pose.elevation_mean": 1.2,
    "pose.elevation_reach": 0.3,
    "pose.uniform": True,
    "pose.yaw_mean": 3.0,
    "pose.clamp_yaw": (0.0, 0.1),
    "pose.clamp_elevation": (1.0, 1.1),
    "rig.pivot": (0.1, 0.0, 0.0),
    "rig.radius": 2.6,
    "rig.focal": 2.2,
    "rays.near": 2.3,
    "rays.far": 3.2,
    "rays.box": 1.2,
    "rays.coarse": 7,
    "rays.fine": 4,
    "rays.disparity": True,
    "rays.white": True,
    "rays.raw_resolution": 7,
    "compat.repeated_axes": True,
}
ELSEWHERE = {
    "network.half_resolutions": "a GPU's",
    "network.superresolution_half": "test_the_clamp_of_half_precision_holds_everywhere",
    "network.superresolution_stop": "test_super_resolution_may_send_no_gradient_to_the_style",
    "rig.fill": "test_what_weights_know_of_their_objects_is_taken_where_nothing_is_said",
    "rays.surface": "test_what_weights_know_of_their_objects_is_taken_where_nothing_is_said",
    "pose.detached": "test_a_detached_pose_moves_no_style",
    "pose.third_mean": "test_what_is_learned_besides_begins_around_a_mean",
    "compat.linear_means": "test_a_linear_head_may_forget_the_mean",
    "compat.overwritten_raw": "test_what_the_first_block_adds_may_be_in_the_raw_image",
    "compat.batch_depth": "test_depths_are_held_by_their_ray_or_by_the_batch",
    "compat.late_misses": "test_rays_that_miss_the_box",
    "compat.unused_fov": "test_a_learned_field_of_view_is_used",
    "compat.random_rendering": "whoever makes images",
}


def changed(config: Any, path: str, value: Any) -> Any:
    name, _, rest = path.partition(".")
    return replace(config, **{name: changed(getattr(config, name), rest, value) if rest else value})


def built(config: Pof3dConfig) -> Pof3dGenerator:
    torch.manual_seed(0)
    net = Pof3dGenerator(config)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if name.endswith(("bias", "noise_strength")):
                parameter.add_(0.3 * torch.randn_like(parameter))
        net.decoder.net[2].weight.mul_(4)  # type: ignore[union-attr]
    return net


def latents(config: Pof3dConfig, count: int = 2) -> Tensor:
    return torch.randn(count, config.network.z_dim, generator=torch.Generator().manual_seed(1))


def shown(net: Pof3dGenerator, count: int = 2, **options: Any) -> Synthesis:
    mapped = net.map(latents(net.config, count))
    pose, _ = within_poles(mapped.pose)
    return net.synthesize(mapped.ws, *net.cameras(pose), **options)


@pytest.mark.parametrize("path", OTHERS)
def test_every_option_changes_something(path: str) -> None:
    images = []
    for config in (TINY, changed(TINY, path, OTHERS[path])):
        net = built(config)
        with torch.no_grad():
            images.append(shown(net).image)
    assert bool(torch.isfinite(images[1]).all())
    assert images[0].shape != images[1].shape or not torch.allclose(images[0], images[1], atol=1e-5)


def test_no_option_is_left_out() -> None:
    def paths(config: Any, before: str = "") -> list[str]:
        found = []
        for item in fields(config):
            value = getattr(config, item.name)
            found += paths(value, f"{before}{item.name}.") if is_dataclass(value) else [f"{before}{item.name}"]
        return found

    assert set(paths(TINY)) == set(OTHERS) | set(ELSEWHERE)


@pytest.mark.parametrize("option", ["width", "blocks", "samples", "start", "frequencies"])
def test_every_option_of_the_background_changes_something(option: str) -> None:
    images = []
    plain = Background(width=6, frequencies=2)
    for options in (plain, replace(plain, **{option: 0.4 if option == "start" else getattr(plain, option) + 1})):
        with torch.no_grad():
            images.append(shown(built(changed(TINY, "network.background", options))).image)
    assert not torch.allclose(*images, atol=1e-6)


def test_the_clamp_of_half_precision_holds_everywhere() -> None:
    largest = []
    for half in (True, False):
        net = built(changed(TINY, "network.superresolution_half", half))
        with torch.no_grad():
            net.superresolution.block1.torgb.weight.mul_(1e5)  # type: ignore[union-attr]
            largest.append(float((shown(net).image - shown(net).image_raw.mean()).abs().max()))
    assert largest[0] < 600 < largest[1]


def test_super_resolution_may_send_no_gradient_to_the_style() -> None:
    for stop in (False, True):
        net = built(changed(TINY, "network.superresolution_stop", stop))
        ws = torch.randn(1, net.slots, 12).requires_grad_()
        world, intrinsics = net.cameras(torch.full((1, 2), math.pi / 2))
        made = net.synthesize(ws, world, intrinsics, planes=torch.randn(1, 3, 4, 16, 16))
        assert (torch.autograd.grad(made.image.sum(), ws, allow_unused=True)[0] is None) == stop if stop else True
        assert made.image.requires_grad


def test_a_detached_pose_moves_no_style() -> None:
    for detached in (False, True):
        net = built(changed(TINY, "pose.detached", detached))
        pose = net.map(latents(TINY)).pose
        grad = torch.autograd.grad(pose.sum(), net.backbone.mapping.fc0.weight, allow_unused=True)[0]
        assert (grad is None) == detached


def test_a_linear_head_may_forget_the_mean() -> None:
    config = changed(changed(changed(TINY, "pose.linear", True), "pose.yaw", "number"), "pose.yaw_mean", 3.0)
    yaws = [built(changed(config, "compat.linear_means", kept)).map(latents(TINY)).pose for kept in (False, True)]
    torch.testing.assert_close(yaws[0][:, 0] - 3.0, yaws[1][:, 0] - math.pi / 2, atol=1e-5, rtol=0)
    torch.testing.assert_close(yaws[0][:, 1], yaws[1][:, 1])


def test_what_the_first_block_adds_may_be_in_the_raw_image() -> None:
    config = changed(TINY, "rays.raw_resolution", 8)
    with torch.no_grad():
        plain, kept = (shown(built(changed(config, "compat.overwritten_raw", kept))) for kept in (False, True))
        torch.testing.assert_close(plain.image_raw, plain.features[:, :3])
        torch.testing.assert_close(plain.image, kept.image)
        assert not torch.allclose(plain.image_raw, kept.image_raw, atol=1e-3)
        resized = shown(built(changed(TINY, "compat.overwritten_raw", True)))
        torch.testing.assert_close(resized.image_raw, resized.features[:, :3])


CLEAN = Compat()


class Shells:
    """A query of a soft ball; where it is empty, it is so everywhere."""

    def __init__(self, dense: float = 40.0, sign: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> None:
        self.dense, self.sign = dense, sign

    def __call__(self, points: Tensor, directions: Tensor | None = None) -> FieldSamples:
        points = points * points.new_tensor(self.sign)
        away = (points - points.new_tensor([0.1, 0.05, -0.15])).norm(dim=-1)
        colors = torch.sigmoid(torch.cat((3 * points, points[..., :1] * points[..., 1:2]), dim=-1))
        return FieldSamples(self.dense * (0.3 - away), colors)


def seen_from(query: Any, world: Tensor, rays: Rays, compat: Compat = CLEAN, side: int = 12) -> Any:
    origins, directions = image_rays(world, intrinsics_of(3.0, len(world)), side)
    noise = RaySampleNoise.even(tuple(origins.shape[:2]), sampling_of(rays))
    return see(query, origins, directions, noise, rays, compat)


@pytest.mark.parametrize("mirror", ["left_right", "up_down", "front_back"])
def test_a_mirrored_camera_sees_the_mirrored_world_mirrored(mirror: Any) -> None:
    world = camera_poses(torch.tensor([[1.0, 1.2], [4.0, 2.0]]))
    sign = {"left_right": (-1.0, 1.0, 1.0), "up_down": (1.0, -1.0, 1.0), "front_back": (1.0, 1.0, -1.0)}[mirror]
    plain = seen_from(Shells(), world, Rays()).colors.unflatten(1, (12, 12))
    other = seen_from(Shells(sign=sign), mirrored(world, mirror), Rays()).colors.unflatten(1, (12, 12))
    torch.testing.assert_close(other, plain.flip(1 if mirror == "up_down" else 2), atol=1e-4, rtol=0)
    assert float(plain.std()) > 0.05
    rotation = mirrored(world, mirror)[:, :3, :3]
    torch.testing.assert_close(torch.linalg.det(rotation), torch.ones(2))


def test_depths_are_held_by_their_ray_or_by_the_batch() -> None:
    world = camera_poses(torch.tensor([[1.0, 1.2]]))
    rays = Rays(near=None, far=None)
    own, batch = (seen_from(Shells(4000.0), world, rays, Compat(batch_depth=kept)) for kept in (False, True))
    assert bool((own.alpha == 0).any())
    empty = own.alpha == 0
    torch.testing.assert_close(own.depth[empty], own.samples.samples[..., -1][empty])
    torch.testing.assert_close(batch.depth[empty], own.samples.samples.max().expand(int(empty.sum())))


def test_rays_that_miss_the_box() -> None:
    world = camera_poses(torch.tensor([[1.0, 1.2]]))
    rays = Rays(near=None, far=None, box=0.5)
    plain, kept = (seen_from(Shells(), world, rays, Compat(late_misses=late)) for late in (False, True))
    misses = plain.samples.samples.amax(dim=-1) == 0
    assert bool(misses.any()) and bool((~misses).any())
    assert float(plain.alpha[misses].max()) == 0.0
    assert float(kept.samples.samples.amin(dim=-1)[misses].min()) > 1.0
    torch.testing.assert_close(plain.colors[~misses], kept.colors[~misses])


def test_a_learned_field_of_view_is_used() -> None:
    config = changed(TINY, "pose.learned", "fov")
    pose = torch.tensor([[1.0, 1.2, 30.0], [1.0, 1.2, 40.0]])
    focal = built(config).cameras(pose)[1][:, 0, 0]
    torch.testing.assert_close(focal, torch.tensor([focal_of(30.0), focal_of(40.0)]))
    unused = built(changed(config, "compat.unused_fov", True)).cameras(pose)[1][:, 0, 0]
    torch.testing.assert_close(unused, torch.full((2,), TINY.rig.focal))
    assert fov_of(focal_of(33.0)) == pytest.approx(33.0)
    assert focal_of(18.837, truncated=True) != focal_of(18.837)
    radius = changed(TINY, "pose.learned", "radius")
    world, _ = built(radius).cameras(torch.tensor([[1.0, 1.2, 2.0], [1.0, 1.2, 3.0]]))
    torch.testing.assert_close(world[:, :3, 3].norm(dim=1), torch.tensor([2.0, 3.0]))


@pytest.mark.parametrize("learned", ["radius", "fov"])
def test_what_is_learned_besides_begins_around_a_mean(learned: str) -> None:
    config = changed(TINY, "pose.learned", learned)
    rig, given = (built(changed(config, "pose.third_mean", mean)).map(latents(TINY)).pose[:, 2] for mean in (None, 5.0))
    own = TINY.rig.radius if learned == "radius" else fov_of(TINY.rig.focal)
    torch.testing.assert_close(rig - own, given - 5.0, atol=1e-4, rtol=0)


def test_poses_are_on_the_sphere_as_the_paper_has_them() -> None:
    quarter = math.pi / 2
    world = camera_poses(torch.tensor([[quarter, quarter], [math.pi, quarter], [1.0, 1e-5]]), radius=2.0)
    torch.testing.assert_close(world[0, :3, 3], torch.tensor([0.0, 0.0, 2.0]), atol=1e-6, rtol=0)
    torch.testing.assert_close(world[1, :3, 3], torch.tensor([2.0, 0.0, 0.0]), atol=1e-6, rtol=0)
    torch.testing.assert_close(world[0, :3, 2], torch.tensor([0.0, 0.0, -1.0]), atol=1e-6, rtol=0)
    assert float(world[2, 1, 3]) > 1.99
    even = torch.linspace(0.001, math.pi - 0.001, 101)
    heights = camera_poses(torch.stack((even, even), dim=1), radius=1.0)[:, 1, 3]
    torch.testing.assert_close(heights.diff(), heights.diff()[:1].expand(100), atol=1e-5, rtol=0)
    held, outside = within_poles(torch.tensor([[0.0, -0.1], [0.0, 1.0], [0.0, 3.2]]))
    assert outside == 2
    assert bool(torch.isfinite(camera_poses(held)).all())
    assert bool(torch.isnan(camera_poses(torch.tensor([[0.0, -0.1]]))).any())


def test_new_poses_are_bounded_and_round() -> None:
    head = PoseHead(rate=1.0)
    torch.manual_seed(0)
    mapping = PoseMapping(TINY.network, head)
    with torch.no_grad():
        mapping.affine_layer2.weight.mul_(30)
        pose = mapping.pose(torch.randn(500, 12))
    assert 0 < float(pose[:, 1].min()) < 0.1 and math.pi - 0.1 < float(pose[:, 1].max()) < math.pi
    assert float(pose[:, 0].min()) < -1.4 and float(pose[:, 0].max()) > 4.5
    assert float((pose[:, 0] - math.pi / 2).abs().max()) <= math.pi
    assert bool(torch.isfinite(camera_poses(pose)).all())


def test_uniform_poses_are_drawn_and_learn_nothing() -> None:
    net = built(changed(TINY, "pose.uniform", True))
    w = torch.randn(400, 12)
    pose = net.backbone.mapping.pose(w, torch.Generator().manual_seed(0))
    assert float(pose[:, 0].min()) < 0.1 and float(pose[:, 0].max()) > 2 * math.pi - 0.1
    assert float((pose[:, 1] - math.pi / 2).abs().max()) <= math.pi / 8
    again = net.backbone.mapping.pose(w, torch.Generator().manual_seed(0))
    assert torch.equal(pose, again)
    torch.testing.assert_close(net.backbone.mapping.pose(w), torch.full((400, 2), math.pi / 2))


def test_truncation_leaves_the_pose_alone_and_ends_at_the_mean() -> None:
    net = built(TINY)
    net.map(latents(TINY, 8), update_average=True)
    whole, none = net.map(latents(TINY)), net.map(latents(TINY), 0.0, 3)
    torch.testing.assert_close(whole.pose, none.pose)
    torch.testing.assert_close(none.ws[:, :3], net.backbone.mapping.w_avg.expand(2, 3, 12))
    torch.testing.assert_close(none.ws[:, 3:], whole.ws[:, 3:])
    assert float(net.backbone.mapping.w_avg.abs().max()) > 0


@pytest.mark.parametrize("count", [1, 3])
def test_without_gradients_all_is_the_same(count: int) -> None:
    net = built(TINY)
    draws = RaySampleNoise.random((count, 36), sampling_of(TINY.rays), torch.Generator().manual_seed(3))
    slow = shown(net, count, draws=draws, fused=False)
    with torch.no_grad():
        quick = shown(net, count, draws=draws)
    for name in ("image", "image_raw", "features", "depth", "alpha"):
        torch.testing.assert_close(getattr(quick, name), getattr(slow, name), atol=1e-4, rtol=1e-4)


def test_random_numbers_come_from_the_generator_alone() -> None:
    net = built(TINY)
    with torch.no_grad():
        first, second, third = (
            shown(net, noise=torch.Generator().manual_seed(1), draws=torch.Generator().manual_seed(seed)).image
            for seed in (1, 1, 2)
        )
        assert torch.equal(first, second)
        assert not torch.allclose(first, third)
        assert torch.equal(shown(net).image, shown(net).image)


def planted(net: Pof3dGenerator) -> Tensor:
    """Planes that hold a ball: density falls with the distance, and is nothing outside."""
    first, _, last = net.decoder.net
    with torch.no_grad():
        first.weight[0], last.weight[0] = 0.0, 0.0
        first.weight[0, 0], last.weight[0, 0] = 2.0, 3 * math.sqrt(8)
        last.bias[0] = -40.0
    side = (torch.arange(16) + 0.5) / 8 - 1
    planes = torch.randn(1, 3, 4, 16, 16, generator=torch.Generator().manual_seed(5))
    planes[:, :, 0] = 200 * (0.15 - side[:, None].square() - side.square())
    return planes


def test_empty_space_is_left_out_and_nothing_changes() -> None:
    config = replace(TINY, rays=replace(TINY.rays, coarse=24, fine=24, raw_resolution=16), resolution=32)
    net = built(config)
    planes, ws = planted(net), torch.randn(1, net.slots, 12)
    yaw = torch.linspace(0, 5, 4)
    worlds, intrinsics = net.cameras(torch.stack((yaw, 1 + yaw / 4), dim=1))
    space = net.space(planes)
    assert 0.01 < float(space.occupied.float().mean()) < 0.5
    with torch.no_grad():
        frames = list(net.film(ws, worlds, intrinsics, planes=planes))
        for frame, world, matrix in zip(frames, worlds, intrinsics, strict=True):
            whole = net.synthesize(ws, world[None], matrix[None], planes=planes)
            assert 0.03 < float(whole.alpha.mean()) < 0.9
            for name in ("image", "alpha"):
                torch.testing.assert_close(getattr(frame, name), getattr(whole, name), atol=3e-3, rtol=0)
            seen = whole.alpha > 0.01
            torch.testing.assert_close(frame.depth[seen], whole.depth[seen], atol=2e-3, rtol=0)
        nothing = net.space(planes.clone().fill_(-9.0))
        assert float(nothing.occupied.float().mean()) == 0.0
        blank = net.synthesize(ws, worlds[:1], intrinsics[:1], space=nothing)
        assert float(blank.alpha.max()) < 1e-3


def test_gradients_are_those_in_float64() -> None:
    torch.set_num_threads(1)
    grads = []
    draws = RaySampleNoise.even((1, 36), sampling_of(TINY.rays))
    for dtype in (torch.float32, torch.float64):
        net = built(TINY).to(dtype)
        z = latents(TINY, 1).to(dtype).requires_grad_()
        mapped = net.map(z)
        made = net.synthesize(mapped.ws, *net.cameras(mapped.pose), draws=draws)
        weights = torch.linspace(-1, 1, made.image.numel()).to(dtype).reshape(made.image.shape)
        loss = (made.image * weights).sum() + made.image_raw.square().sum()
        names = [name for name, _ in net.named_parameters()]
        grads.append(torch.autograd.grad(loss, (z, *net.parameters()), allow_unused=True))
    assert any("affine_layer2" in name for name in names)
    for name, single, double in zip(("z", *names), *grads, strict=True):
        if double is None:
            assert single is None
            continue
        scale = float(double.abs().max()) + 1e-3
        torch.testing.assert_close(single.double(), double, rtol=0, atol=2e-3 * scale, msg=name)


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("padding", ["zeros", "border"])
@pytest.mark.parametrize("align_corners", [False, True])
def test_the_table_of_planes_is_grid_sampling(axes: str, padding: Any, align_corners: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    planes = torch.randn(2, 3, 5, 6, 7, generator=generator)
    points = 3 * torch.rand(2, 200, 3, generator=generator) - 1.5
    given: dict[str, Any] = {"padding": padding, "align_corners": align_corners}
    wanted = plane_features(planes, points, AXES[axes], **given).mean(dim=1)
    torch.testing.assert_close(sample_planes(planes, points, AXES[axes], **given), wanted)
    table = PlaneTable(planes, padding)
    for twice in (False, True):
        found = table.sample(points, AXES[axes], align_corners=align_corners, twice=twice)
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)


def test_twice_differentiable_sampling_is_so() -> None:
    generator = torch.Generator().manual_seed(0)
    planes = torch.randn(1, 3, 2, 6, 6, generator=generator).double().requires_grad_()
    points = (torch.rand(1, 3, 3, generator=generator).double() - 0.5).requires_grad_()

    def sampled(planes: Tensor, points: Tensor) -> Tensor:
        return sample_planes(planes, points, AXES["fixed"], twice=True)

    assert torch.autograd.gradcheck(sampled, (planes, points))
    assert torch.autograd.gradgradcheck(sampled, (planes, points))


def test_the_third_plane_sees_height_only_where_axes_are_not_repeated() -> None:
    planes = torch.zeros(1, 3, 3, 8, 8)
    planes[:, 2] = torch.linspace(0, 1, 8)[:, None]
    points = torch.tensor([[[0.1, -0.5, 0.2], [0.1, 0.5, 0.2]]])
    fixed, repeated = (sample_planes(planes, points, axes_of(kept)) for kept in (False, True))
    assert not torch.allclose(fixed[:, 0], fixed[:, 1])
    torch.testing.assert_close(repeated[:, 0], repeated[:, 1])


def test_normals_of_a_plane_are_its_normal() -> None:
    flat = normals_of_depth(torch.full((1, 6, 6), 2.0))
    torch.testing.assert_close(flat, torch.tensor([0.0, 0.0, 1.0]).expand(1, 6, 6, 3), atol=1e-5, rtol=0)
    tilted = normals_of_depth(2.0 + 0.01 * torch.arange(6.0).expand(1, 6, 6))
    assert float(tilted[0, 2, 2, 0]) < -0.05
    assert torch.equal(tilted[0, 0], flat[0, 0])


def test_presets_are_the_published_ones() -> None:
    assert {
        "ffhq",
        "cats",
        "shapenetcars",
        "afhq",
        "compcars",
        "compcars_white",
        "small",
        "cars64",
        "cars64_gpu",
    } == set(PRESETS)
    assert preset("ffhq").rig.pivot == (0.0, 0.0, 0.2)
    assert preset("cats").rig.focal == pytest.approx(4.2634, abs=1e-3)
    cars = preset("shapenetcars")
    assert (cars.resolution, cars.rays.white, cars.rays.coarse, cars.rays.fine) == (128, True, 64, 64)
    assert not any(vars(config.compat)[name] for config in PRESETS.values() for name in vars(config.compat))


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: preset("dogs"), "no configuration 'dogs'"),
        (lambda: Network(plane_resolution=48), "power of two"),
        (lambda: PoseHead(clamp_yaw=(2.0, 1.0)), "clamp_yaw"),
        (lambda: Rays(near=3.0, far=2.0), "near must be below far"),
        (lambda: Rays(near=None), "give both"),
        (lambda: Rays(near=0.0, disparity=True), "above 0"),
        (lambda: Rays(coarse=2), "coarse is 2"),
        (lambda: Pof3dConfig(resolution=32, network=Network(superresolution="none")), "without super-resolution"),
        (lambda: Pof3dGenerator(changed(TINY, "resolution", 18)), None),
        (lambda: Pof3dGenerator(changed(changed(TINY, "network.superresolution", "8X"), "resolution", 18)), "no 18"),
    ],
)
def test_what_cannot_be_is_a_sentence(make: Any, word: str | None) -> None:
    if word is None:
        make()
        return
    with pytest.raises(InputError, match=word):
        make()


def test_elevations_stay_within_their_reach() -> None:
    with pytest.raises(InputError, match=r"elevation_reach is 0\.8, beyond a pole from the mean 0\.7: give 0\.7"):
        PoseHead(elevation_mean=0.7, elevation_reach=0.8)
    head = PoseHead(elevation_mean=1.2, elevation_reach=0.3)
    net = built(replace(TINY, pose=head))
    mapping = net.backbone.mapping
    with torch.no_grad():
        mapping.affine_layer2.weight.mul_(100)
        elevation = mapping.pose(torch.randn(200, 12))[:, 1]
    assert 0.89 < float(elevation.min()) < 1.0 < 1.4 < float(elevation.max()) < 1.51
    assert PoseHead(elevation_mean=0.7).reach == pytest.approx(0.7) == PoseHead(elevation_mean=math.pi - 0.7).reach
