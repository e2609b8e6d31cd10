"""Bootstrapped inversion's generator: options, gradients, cameras, and rays that meet nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from monoform.camera import Camera, from_opengl, look_at
from monoform.errors import InputError
from monoform.methods.bootstrap import BootstrapConfig, BootstrapGenerator, Maps, preset
from monoform.methods.bootstrap.cameras import camera_of, published_numbers
from monoform.methods.bootstrap.config import PUBLISHED, Compat, Rays, Scene
from monoform.methods.bootstrap.presets import PRESETS

MAPS = Maps(palette=True, coordinates=True, normals=True)


def tiny(**network: Any) -> BootstrapConfig:
    small = preset("small")
    sizes: dict[str, Any] = {"z_dim": 8, "w_dim": 8, "channel_base": 64, "channel_max": 8, "decoder_width": 8}
    sizes |= {"plane_resolution": 8, "plane_features": 4, **network}
    return replace(small, resolution=8, rays=Rays(6, 6), network=replace(small.network, **sizes))


def made(config: BootstrapConfig, seed: int = 0) -> BootstrapGenerator:
    torch.manual_seed(seed)
    net = BootstrapGenerator(config).eval()
    if net.viewdir_mapper is not None:  # an untrained one tells nothing
        torch.nn.init.normal_(net.viewdir_mapper.output.weight)
    return net


def cameras(count: int, distance: float = 2.0, size: int = 8) -> Camera:
    place = torch.randn(count, 3, generator=torch.Generator().manual_seed(3))
    pose = look_at(torch.nn.functional.normalize(place, dim=1) * distance, (0.0, 0.0, 0.0))
    return Camera.from_fov(pose, 0.7, size, size)


def test_each_option_changes_what_is_rendered() -> None:
    seen = []
    for options in ({}, {"palette": 0}, {"view_directions": True}, {"sdf": False}, {"palette": 0, "sdf": False}):
        net = made(tiny(**options))
        with torch.no_grad():
            found = net.render(net.styles(net.map(torch.ones(2, 8))), cameras(2), maps=MAPS)
        assert found.rgb.shape == (2, 8, 8, 3) and found.coordinates is not None and found.normals is not None
        assert (found.palette is None) == ("palette" in options)
        assert net.slots == net.synthesis_network.slots + ("palette" not in options)
        assert bool(found.rgb.isfinite().all()) and bool(found.alpha.max() > 0)
        seen.append(found.rgb)
    for number, first in enumerate(seen):
        assert not any(torch.equal(first, other) for other in seen[number + 1 :])


def test_classes_move_styles_and_are_asked_for() -> None:
    net = made(tiny(classes=3))
    z = torch.randn(4, 8)
    styles = [net.map(z, torch.full((4,), number)) for number in range(3)]
    assert not torch.allclose(styles[0], styles[1])
    torch.testing.assert_close(net.map(z, torch.tensor([0, 1, 2, 0]))[1], styles[1][1])
    means = net.mean_style(classes=torch.tensor([2, 0]))
    assert means.shape == (2, 8) and not torch.allclose(means[0], means[1])
    for classes, words in {
        None: "knows 3 classes of objects",
        (0, 1): "4 objects",
        (0, 1, 2, 3): "knows 0..2",
        (0, 1, 2, -1): "knows 0..2",
    }.items():
        with pytest.raises(InputError, match=words):
            net.map(z, None if classes is None else torch.tensor(classes))
    with pytest.raises(InputError, match="has no classes"):
        made(tiny()).map(z, torch.zeros(4, dtype=torch.long))


@pytest.mark.parametrize("options", [{}, {"view_directions": True}, {"palette": 0, "sdf": False}])
def test_gradients_are_those_of_finite_differences(options: dict[str, object]) -> None:
    """Of pixels in styles and cameras, in double precision. Samples are constants, so rays are told how to lie."""
    config = replace(tiny(**options), rays=Rays(6, 0))
    net = made(config).double()
    pose = cameras(1, size=2).to(torch.float64)
    w = net.map(torch.randn(1, 8, dtype=torch.float64)).detach()

    def rendered(ws: torch.Tensor, intrinsics: torch.Tensor) -> torch.Tensor:
        found = net.render(ws, replace(pose, intrinsics=intrinsics), maps=Maps(coordinates=True))
        return torch.cat((found.rgb, found.alpha[..., None]), dim=-1)

    ws = net.styles(w).clone().requires_grad_()
    weights = torch.randn(1, 2, 2, 4, dtype=torch.float64)
    slope = torch.autograd.grad((rendered(ws, pose.intrinsics) * weights).sum(), ws)[0]
    step, direction = 1e-6, torch.randn_like(ws)
    with torch.no_grad():
        ahead, behind = (
            (rendered(ws + sign * step * direction, pose.intrinsics) * weights).sum() for sign in (1.0, -1.0)
        )
    torch.testing.assert_close((slope * direction).sum(), (ahead - behind) / (2 * step), rtol=1e-5, atol=1e-8)


def test_gradients_of_single_precision_are_those_of_double() -> None:
    net = made(tiny())
    z, view = torch.randn(1, 8), cameras(1)
    found = []
    for dtype in (torch.float32, torch.float64):
        net = net.to(dtype)
        pose = view.world_from_camera.to(dtype).requires_grad_()
        ws = net.styles(net.map(z.to(dtype))).detach().clone().requires_grad_()
        seen = net.render(ws, replace(view.to(dtype), world_from_camera=pose))
        found.append(torch.autograd.grad(seen.rgb.square().mean() + seen.alpha.mean(), (ws, pose)))
    for single, double in zip(*found, strict=True):
        torch.testing.assert_close(single.double(), double, rtol=2e-3, atol=2e-3 * double.abs().max().item())
        assert bool(double.abs().max() > 0)


@pytest.mark.parametrize("compat", [Compat(), PUBLISHED])
def test_a_camera_that_looks_away_sees_the_background(compat: Compat) -> None:
    """Where no ray at all meets the cube, and where it lies behind the camera."""
    net = made(replace(tiny(), compat=compat))
    ws = net.styles(net.map(torch.randn(1, 8)))
    beside = look_at(torch.tensor([[0.0, 0.0, 3.0]]), (9.0, 0.0, 3.0))
    behind = look_at(torch.tensor([[0.0, 0.0, 3.0]]), (0.0, 0.0, 9.0))
    for pose in (beside, behind):
        view = Camera.from_fov(pose.requires_grad_(), 0.4, 8, 8)
        seen = net.render(ws, view, maps=MAPS)
        assert not bool(seen.hit.any())
        assert bool((seen.alpha == 0).all()) and bool((seen.rgb == 1).all())
        slope = torch.autograd.grad(seen.rgb.sum(), pose)[0]
        assert bool((slope == 0).all())
    assert bool(net.render(ws, cameras(1)).hit.any())


def test_no_chance_without_a_generator_and_the_same_with_a_seed() -> None:
    net = made(tiny(noise=True))
    for layer in net.synthesis_network.modules():
        if hasattr(layer, "noise_strength"):
            torch.nn.init.ones_(layer.noise_strength)  # type: ignore[arg-type]
    ws, view = net.styles(net.map(torch.randn(1, 8))), cameras(1)
    with torch.no_grad():
        assert torch.equal(net.render(ws, view).rgb, net.render(ws, view).rgb)
        drawn = [
            net.render(ws, view, noise=(g := torch.Generator().manual_seed(seed)), draws=g).rgb for seed in (1, 1, 2)
        ]
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])


def test_pixels_are_those_of_the_whole_image() -> None:
    net, view = made(tiny()), cameras(2)
    ws = net.styles(net.map(torch.randn(2, 8)))
    with torch.no_grad():
        whole = net.render(ws, view, maps=MAPS)
        chosen = view.pixel_centers()[[3, 40]].expand(2, -1, -1)
        some = net.render(ws, view, maps=MAPS, pixels=chosen)
    for name in ("rgb", "alpha", "depth", "palette", "coordinates", "normals"):
        torch.testing.assert_close(getattr(some, name), getattr(whole, name).flatten(1, 2)[:, [3, 40]])


@pytest.mark.parametrize("focal", [None, 1.3])
@pytest.mark.parametrize("size", [(6, 6), (4, 9)])
def test_a_crop_is_part_of_the_image(focal: float | None, size: tuple[int, int]) -> None:
    """Rays of a crop's pixels are those through the same places of the whole image, and numbers come back."""
    height, width = size
    pose = from_opengl(cameras(2).world_from_camera)
    if focal is None:
        pose = torch.cat((pose[:, :, :3] / 1.7, pose[:, :, 3:]), dim=2)
        pose[:, 3, 3] /= 1.7
    given = None if focal is None else torch.full((2,), focal)
    box = torch.tensor([[-0.5, -0.25], [0.75, 1.0]]).expand(2, 2, 2)  # right 0.25, top 0.75, where y is up
    whole, crop = camera_of(pose, given, size), camera_of(pose, given, size, box=box)
    places = torch.tensor([[0.0, 0.0], [1.0, 1.0], [0.3, 0.8]])
    within = torch.stack((0.25 + 0.375 * places[:, 0], 0.125 + 0.5 * places[:, 1]), dim=1)
    scale = torch.tensor([float(width), float(height)])
    for ours, theirs in zip(
        crop.rays((places * scale).expand(2, -1, -1)), whole.rays((within * scale).expand(2, -1, -1)), strict=True
    ):
        torch.testing.assert_close(ours, theirs)
    matrix, back = published_numbers(whole)
    torch.testing.assert_close(matrix, pose)
    assert (back is None) == (focal is None)
    if back is not None and given is not None:
        torch.testing.assert_close(back, given)


def test_a_box_and_a_center_are_one_too_many() -> None:
    with pytest.raises(InputError, match="a box or a principal point"):
        camera_of(torch.eye(4)[None], torch.ones(1), (4, 4), box=torch.ones(1, 2, 2), center=torch.ones(1, 2))


def test_the_field_is_what_is_rendered() -> None:
    """Distances and colors of one object, in the cube; colors of a direction where they depend on it."""
    for options in ({}, {"view_directions": True}, {"sdf": False}):
        net = made(tiny(**options))
        with torch.no_grad():
            ws = net.styles(net.map(torch.randn(1, 8)))
            planes, palette = net.planes(ws), net.palette(ws)
            assert palette is not None
            field = net.field(planes[0], palette[0])
            points, along = torch.rand(1, 5, 3) * 0.5, torch.tensor([0.0, 0.6, 0.8]).expand(1, 5, 3)
            objects = net.objects(planes, palette)
            found, wanted = field.query(points[0], along[0]), objects.sample(points, objects.seen_from(along))
        torch.testing.assert_close(found.rgb, ((wanted.rgb[0] + 1) / 2).clamp(0, 1))
        geometry = wanted.geometry if field.kind == "sdf" else wanted.density
        torch.testing.assert_close(found.geometry, geometry[0])
        torch.testing.assert_close(field.geometry(points[0]), geometry[0])
        assert field.bounds.tolist() == [[-net.config.scene.half_side] * 3, [net.config.scene.half_side] * 3] or (
            torch.allclose(field.bounds[1], torch.tensor(net.config.scene.half_side))
        )
        assert (field.representative_direction is None) == ("view_directions" not in options)


def test_presets_hold_what_is_published() -> None:
    assert preset("cub").scene.projection == "orthographic" and preset("cub").network.noise
    assert preset("imagenet_elephant").training.r1 == 10 and preset("imagenet_elephant").network.noise
    assert preset("carla").network.view_directions and not preset("carla").training.alpha
    assert not preset("shapenet_chairs").refine_pose
    assert {name for name, config in PRESETS.items() if config.network.noise} == {"cub", "imagenet_elephant"}
    with pytest.raises(InputError, match="choose one of p3d_car"):
        preset("p3d")


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match="no mask"):
        replace(preset("p3d_car"), scene=Scene(white=True))
    with pytest.raises(InputError, match="16 of a 4 x 4"):
        Scene(poses=((1.0, 2.0),), pose_focals=(1.0,))
    with pytest.raises(InputError, match="1 sample poses have 0 focal"):
        Scene(poses=((0.0,) * 16,))
    with pytest.raises(InputError, match="power of two"):
        replace(preset("small").network, plane_resolution=48)
