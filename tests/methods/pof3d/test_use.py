"""PoF3D in use: samples and their cameras, the published program's files, a photo in the generator."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.command_line import monoform
from tests.methods.pof3d.tiny import CONFIG, networks, taught
from torch import Tensor

from monoform import InputError, Photo, View
from monoform.camera import Camera, orbit
from monoform.data.images import ImageSet
from monoform.jobs.generate import generate, generator_of_weights
from monoform.jobs.sample_labels import write_data_set
from monoform.jobs.sample_pictures import GenerateOptions
from monoform.mesh.read import load as load_mesh
from monoform.methods import PublishedSamples, make
from monoform.methods.pof3d.config import Pof3dConfig, PoseHead, focal_of
from monoform.methods.pof3d.find_photo import find
from monoform.methods.pof3d.infer import CLAMPED, Pof3d
from monoform.methods.pof3d.networks import NetworksConfig, Pof3dNetworks
from monoform.methods.pof3d.photo_crop import Square, square_of
from monoform.methods.pof3d.poses import camera_poses
from monoform.methods.pof3d.published_shapes import surface_of, volume_of
from monoform.training import save_pretrained

SAMPLED = GenerateOptions("pof3d", meshed=True, faces=300, texture=64, resolution=32, frames=0, wobble=2)


def saved(folder: Path, made: Pof3dNetworks | None = None) -> str:
    made = made or networks()
    return str(save_pretrained(made, made.config, folder / "weights", card="Of the tests.", exact=True))


def method_of(folder: Path, made: Pof3dNetworks | None = None, **options: object) -> Pof3d:
    found = make("pof3d", weights=saved(folder, made), **options)
    assert isinstance(found, Pof3d)
    return found


def latent(seed: int) -> Tensor:
    return torch.from_numpy(np.random.RandomState(seed).randn(1, 8).astype(np.float32))


def pixels(file: Path) -> np.ndarray:
    return np.asarray(Image.open(file)).astype(np.int64)


def with_head(head: PoseHead, config: Pof3dConfig = CONFIG) -> Pof3dNetworks:
    return networks(replace(config, pose=head), None)


def test_a_sample_is_the_networks_picture_from_its_own_camera(tmp_path: Path) -> None:
    method = method_of(tmp_path)
    list(generate(tmp_path, [5], SAMPLED, method=method))
    folder = tmp_path / "seed_0005"
    mapped = method.net.map(latent(5))
    world, intrinsics = method.net.cameras(mapped.pose)
    seen = method.net.synthesize(mapped.ws, world, intrinsics)
    for file, image in (("image.png", seen.image), ("image_raw.png", seen.image_raw)):
        expected = (127.5 * (image[0].clamp(-1, 1) + 1)).permute(1, 2, 0).detach().numpy()
        assert np.abs(pixels(folder / file) - expected).max() < 1.01, file
    camera = Camera.from_dict(json.loads((folder / "camera.json").read_text()))
    assert camera.width == 16 and float(camera.intrinsics[0, 0, 0]) == pytest.approx(16 * CONFIG.rig.focal, rel=1e-5)
    # The box of 1.6 lies in the cube of side 1.
    np.testing.assert_allclose(camera.position[0], world[0, :3, 3].detach() / 1.6, atol=1e-5)
    bounds = np.array(json.loads((folder / "result.json").read_text())["mesh"]["bounds"])
    assert np.abs(bounds).max() < 0.52
    written = write_data_set(method, [folder], tmp_path / "set")
    label = json.loads((written / "dataset.json").read_text())["labels"][0][1]
    np.testing.assert_allclose(np.reshape(label[:16], (4, 4)), world[0].detach(), atol=1e-5)
    np.testing.assert_allclose(np.reshape(label[16:], (3, 3)), intrinsics[0].detach(), atol=1e-5)


def test_depth_and_alpha_are_in_world_units(tmp_path: Path) -> None:
    method = method_of(tmp_path)
    sample = method.generate(latent(1)[0], generator=torch.Generator())
    camera = method.studio.fixed()
    seen = sample.image(camera)  # type: ignore[misc]
    rays = sample.ray_renderer()(*(part[0] for part in camera.resized(8, 8).rays()))
    raw = method.net.synthesize(
        method.net.map(latent(1)).ws, *method.net.cameras(torch.tensor([[math.pi, math.pi / 2]]))
    )
    torch.testing.assert_close(rays.alpha, raw.alpha.flatten(), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(rays.distance, raw.depth.flatten() / 1.6, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(rays.rgb, ((raw.image_raw[0] + 1) / 2).flatten(1).T, atol=1e-4, rtol=1e-4)
    assert seen.rgb.shape == (256, 3) and seen.distance.min() >= 0.1 / 1.6
    small = sample.image(camera.resized(8, 8))  # type: ignore[misc]
    assert small.rgb.shape == (64, 3)
    points = 0.4 * torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    density = sample.field.geometry(points) / 1.6
    planes = method.net.planes(method.net.map(latent(1)).ws)
    own = torch.nn.functional.softplus(method.net.density(1.6 * points[None], planes)[0] - 1)
    torch.testing.assert_close(density, own, atol=1e-4, rtol=1e-4)


def test_planes_are_made_once_for_a_latent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    method, calls = method_of(tmp_path), []
    forward = type(method.net.backbone.synthesis).forward
    monkeypatch.setattr(
        type(method.net.backbone.synthesis), "forward", lambda *a, **k: calls.append(1) or forward(*a, **k)
    )
    sample = method.generate(latent(0)[0], generator=torch.Generator())
    for camera in method.studio.orbit(4):
        sample.render(camera)
    sample.mesh(faces=300, texture=64, resolution=32)
    assert len(calls) == 1


def test_options_of_samples(tmp_path: Path) -> None:
    weights = saved(tmp_path)

    def drawn(seed: int = 3, **options: object) -> tuple[np.ndarray, Camera]:
        method = make("pof3d", weights=weights, **options)
        assert isinstance(method, Pof3d)
        styles = method.styles(latent(seed)[0])
        sample = method.of_styles(styles, generator=torch.Generator().manual_seed(seed))
        camera = method.predicted_camera(styles)
        assert camera is not None
        return sample.render(camera).rgb, camera

    plain, camera = drawn()
    short, same = drawn(truncation=0.3)
    assert np.abs(short - plain).max() > 1e-3 and torch.equal(same.world_from_camera, camera.world_from_camera)
    assert np.abs(drawn(truncation=0.3, cutoff=1)[0] - short).max() > 1e-3
    wide = drawn(fov=40.0)[1]
    assert float(wide.intrinsics[0, 0, 0]) == pytest.approx(16 * focal_of(40.0, truncated=True), rel=1e-5)
    with torch.no_grad():  # noise of new networks has no strength
        made = networks()
        for name, parameter in made.named_parameters():
            if name.endswith("noise_strength"):
                parameter.fill_(0.5)
    weights = saved(tmp_path / "noisy", made)
    const, random = drawn()[0], drawn(noise="random")[0]
    assert np.abs(const - random).max() > 1e-3 and np.array_equal(drawn(noise="random")[0], random)
    assert np.abs(drawn(noise="none")[0] - const).max() > 1e-3
    level = make("pof3d", weights=weights, level=0.5).generate(latent(0)[0], generator=torch.Generator()).level  # type: ignore[attr-defined]
    assert level == pytest.approx(1.6 * math.log(1 + math.exp(-0.5)), rel=1e-4)


def test_a_pose_out_of_range_is_clamped_and_said(tmp_path: Path) -> None:
    made = with_head(PoseHead(yaw="number", elevation="free", yaw_mean=math.pi))
    with torch.no_grad():
        made.generator.backbone.mapping.affine_layer2.weight.mul_(4)
    method = method_of(tmp_path, made)
    made.generator.requires_grad_(False)
    elevations = [float(made.generator.map(latent(seed)).pose[0, 1]) for seed in range(12)]
    outside = [seed for seed in range(12) if not 0 <= elevations[seed] <= math.pi]
    inside = [seed for seed in range(12) if 0 <= elevations[seed] <= math.pi]
    assert outside and inside
    options = replace(SAMPLED, meshed=False, wobble=0)
    list(generate(tmp_path, [outside[0], inside[0]], options, method=method))
    told = [json.loads((tmp_path / f"seed_{s:04d}" / "result.json").read_text()) for s in (outside[0], inside[0])]
    assert told[0]["notices"] == [CLAMPED] and told[1]["notices"] == []
    assert pixels(tmp_path / f"seed_{outside[0]:04d}" / "image.png").std() > 0
    lines = list(method.write_published(tmp_path / "published", [outside[0]], PublishedSamples()))
    assert "the elevation lies out of range" in lines[0]
    assert np.isfinite(np.load(tmp_path / "published" / f"seed{outside[0]:05d}_pose.npy")).all()


def test_the_published_programs_files(tmp_path: Path) -> None:
    config = replace(CONFIG, rig=replace(CONFIG.rig, focal=focal_of(18.837)))
    method = method_of(tmp_path, networks(config, None), truncation=0.7)
    out = tmp_path / "out"
    lines = list(method.write_published(out, [3, 12], PublishedSamples("mrc", 12)))
    expected = ["seed00003_pose.npy", "seed0003.mrc", "seed0003.png", "seed00012_pose.npy"]
    assert sorted(path.name for path in out.iterdir()) == sorted([*expected, "seed0012.mrc", "seed0012.png"])
    mapped = method.net.map(latent(3), truncation=0.7)
    world, _ = method.net.cameras(mapped.pose)
    pose = np.load(out / "seed00003_pose.npy")
    assert pose.dtype == np.float32 and pose.shape == (1, 4, 4)
    np.testing.assert_allclose(pose, world.detach(), atol=1e-6)
    # The script reads 18.837 degrees as 18.
    matrix = torch.eye(3)[None].clone()
    matrix[:, 0, 0] = matrix[:, 1, 1] = focal_of(18, truncated=True)
    matrix[:, :2, 2] = 0.5
    drawn = torch.Generator().manual_seed(3)
    image = method.net.synthesize(mapped.ws, world, matrix, noise=drawn, draws=drawn).image[0]
    exact = (image.detach() * 127.5 + 128).clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(pixels(out / "seed0003.png"), exact)
    header = (out / "seed0003.mrc").read_bytes()
    assert len(header) == 1024 + 4 * 12**3 and header[208:212] == b"MAP "
    assert np.frombuffer(header[:16], "<i4").tolist() == [12, 12, 12, 2]
    volume = np.frombuffer(header[1024:], "<f4").reshape(12, 12, 12)
    assert (volume[0] == -1000).all() and (volume[:, -1] == -1000).all() and volume[6, 6, 6] > -1000
    planes = method.net.planes(mapped.ws)
    corner = torch.tensor([[[-0.8, -0.8, -0.8]]])  # the first point, at the other end of the flipped axis
    assert float(method.net.density(corner, planes)) == pytest.approx(
        float(volume_of(lambda p: method.net.density(p[None], planes)[0], 12, 1.6)[0][0]), abs=1e-5
    )
    assert [line.split()[0] for line in lines] == ["max", "min", "median", "mean"]
    with pytest.raises(InputError, match="is there already"):
        list(method.write_published(out, [3], PublishedSamples()))
    list(method.write_published(out, [3], PublishedSamples(overwrite=True)))


def test_a_published_mesh_is_in_voxels(tmp_path: Path) -> None:
    made = networks(replace(taught().config), None)
    made.generator.load_state_dict(taught().state_dict())
    with torch.no_grad():
        made.generator.decoder.net[2].bias[0] += 8  # not every density is as high as that of long trainings
    method = method_of(tmp_path, made)
    for shapes in ("mrc", "ply"):
        list(method.write_published(tmp_path / "out", [0], PublishedSamples(shapes, 24, overwrite=True)))
    mesh = load_mesh(tmp_path / "out" / "seed0000.ply")
    assert mesh.vertices.min() > 2 and mesh.vertices.max() < 21
    planes = made.generator.planes(made.generator.map(latent(0)).ws)
    _, exact = volume_of(lambda points: made.generator.density(points[None], planes)[0], 24, 1.6)
    volume = np.frombuffer((tmp_path / "out" / "seed0000.mrc").read_bytes()[1024:], "<f4").reshape(24, 24, 24)
    np.testing.assert_allclose(volume, exact, atol=1e-4)
    # Where the density hardly changes a vertex moves far for its last bit: the surface is that of the same volume.
    np.testing.assert_allclose(mesh.vertices, surface_of(volume)[0], atol=1e-5)


def test_weights_tell_their_method(tmp_path: Path) -> None:
    assert generator_of_weights(saved(tmp_path)) == "pof3d"
    (tmp_path / "unnamed").mkdir()
    (tmp_path / "unnamed" / "config.json").write_text("{}")
    with pytest.raises(InputError, match="does not say what its weights are of"):
        generator_of_weights(str(tmp_path / "unnamed"))


def degrees_between(one: Tensor, other: Tensor) -> float:
    a, b = (camera_poses(pose)[0, :3, 3] for pose in (one, other))
    return math.degrees(math.acos(float((a * b).sum() / a.norm() / b.norm())))


def test_its_own_picture_is_found_again() -> None:
    net = taught()
    mapped = net.map(latent(7))
    picture = net.synthesize(mapped.ws, *net.cameras(mapped.pose)).image[0]
    square = Square(picture, torch.ones(32, 32), (0.0, 0.0, 32.0))
    wrong = mapped.pose + torch.tensor([[0.3, 0.2]])
    how = {"steps": 80, "starts": 2, "generator": torch.Generator().manual_seed(0)}
    found = find(net, lambda image, raw: wrong, square, net.config.rig.focal, **how)  # type: ignore[arg-type]
    assert found.loss < 0.1 * found.first
    away = degrees_between(found.pose[None], mapped.pose)
    assert away < 10 and away < 0.6 * degrees_between(wrong, mapped.pose)
    again = net.synthesize(found.styles[None], *net.cameras(found.pose[None])).image[0]
    assert (again - picture).square().mean() < 0.2 * picture.var()


def test_a_photo_becomes_a_result_with_its_camera(tmp_path: Path) -> None:
    made = Pof3dNetworks(NetworksConfig(taught().config, None))
    made.generator.load_state_dict(taught().state_dict())
    method = method_of(tmp_path, made, steps=60, starts=3)
    sample = method.generate(latent(7)[0], generator=torch.Generator())
    camera = method.predicted_camera(method.styles(latent(7)[0]))
    assert camera is not None
    shot = sample.render(camera.resized(64, 64))
    # The same picture, off the middle of a larger photo.
    rgb, mask = np.ones((90, 120, 3), np.float32), np.zeros((90, 120), np.float32)
    rgb[10:74, 30:94], mask[10:74, 30:94] = shot.rgb, shot.alpha > 0.5
    found = method.reconstruct([View(Photo.open(rgb, mask=mask))], generator=torch.Generator().manual_seed(0))
    fit = found.provenance.fit
    assert fit is not None and fit["loss"] < 0.5 * fit["first"]
    again = found.render(found.camera)
    rows, columns = np.nonzero(mask > 0.5)
    wrong = np.abs(again.rgb - rgb)[rows, columns].mean()
    assert again.rgb.shape == rgb.shape and wrong < 0.15
    overlap = ((again.alpha > 0.5) & (mask > 0.5)).sum() / ((again.alpha > 0.5) | (mask > 0.5)).sum()
    assert overlap > 0.75


def test_squares_of_photos() -> None:
    rgb, mask = np.full((60, 100, 3), 0.25, np.float32), np.zeros((60, 100), np.float32)
    mask[20:40, 50:60] = 1
    photo = Photo.open(rgb, mask=mask)
    center = square_of(photo, 16, "auto", white=False, fill=0.8)
    assert center.box == (20, 0, 60) and torch.allclose(center.image, torch.tensor(-0.5), atol=5e-3)
    assert torch.allclose(center.weight, torch.tensor(1.0), atol=1e-4)
    thing = square_of(photo, 16, "auto", white=True, fill=0.8)
    assert thing.box == (55 - 12.5, 30 - 12.5, 25)
    assert float(thing.image[0, 0, 0]) == 1 and float(thing.image[0, 8, 8]) == pytest.approx(-0.5, abs=0.02)
    whole = square_of(photo, 16, "pad", white=False, fill=0.8)
    assert whole.box == (0, -20, 100) and float(whole.image[0, 0, 8]) == 1
    around = square_of(photo, 16, "object", white=False, fill=0.2)
    assert around.box == (5, -20, 100) and float(around.weight[0, 8]) == 0 and float(around.weight[8, 8]) == 1
    pose = orbit(1, elevation=0.0, distance=2.0, fov_y=0.5, width=16, height=16).world_from_camera
    camera = thing.camera(photo, pose, 1.5)
    seen, _ = camera.project(torch.zeros(1, 1, 3))
    assert (camera.width, camera.height) == (100, 60) and seen[0, 0].tolist() == pytest.approx([55, 30], abs=1e-4)
    assert float(camera.intrinsics[0, 0, 0]) == pytest.approx(1.5 * 25)


def test_what_weights_know_of_their_objects_is_taken_where_nothing_is_said(tmp_path: Path) -> None:
    rgb, mask = np.full((60, 100, 3), 0.25, np.float32), np.zeros((60, 100), np.float32)
    mask[20:40, 50:60] = 1
    views = [View(Photo.open(rgb, mask=mask))]
    rays = replace(CONFIG.rays, white=True, surface=0.125)  # below its largest density
    white = replace(CONFIG, rays=rays, rig=replace(CONFIG.rig, fill=0.5))
    made = networks(white, None)
    for number, (said, side) in enumerate(((None, 40), (0.8, 25))):
        method = method_of(tmp_path / str(number), made, steps=1, starts=1, fill=said)
        found = method.reconstruct(views, generator=torch.Generator().manual_seed(0))
        camera = found.camera
        assert camera is not None and found.level == pytest.approx(math.log1p(math.exp(0.125 - 1)) / method.scale)
        assert float(camera.intrinsics[0, 0, 0]) == pytest.approx(white.rig.focal * side)


def test_the_cars_that_ship_are_sampled_and_looked_for_offline(tmp_path: Path) -> None:
    words = ("--offline", "--faces", 200, "--texture", 64, "--resolution", 32, "--frames", 0)
    told = monoform("generate", "pof3d", "--seeds", 0, "-o", tmp_path / "cars", "--wobble", 0, *words)
    assert told.returncode == 0, told.stderr
    sample = tmp_path / "cars" / "seed_0000"
    picture = pixels(sample / "image.png")
    assert picture.shape == (64, 64, 3) and picture[0].mean() > 200 and picture[20:44, 20:44].min() < 150  # on white
    seen = Image.fromarray((255 * (picture.min(axis=2) < 200)).astype(np.uint8))
    seen.save(tmp_path / "mask.png")
    more = ("--mask", tmp_path / "mask.png", "--method", "pof3d", "--set", "steps=4", "starts=2")
    told = monoform("reconstruct", sample / "image.png", *more, "-o", tmp_path / "found", *words)
    assert told.returncode == 0, told.stderr
    for place in (sample, tmp_path / "found" / "image"):
        assert json.loads((place / "result.json").read_text())["weights"] == {"source": "monoform/pof3d"}


def test_the_command_makes_samples_and_a_data_set(tmp_path: Path) -> None:
    weights, words = (
        saved(tmp_path),
        ("--faces", 200, "--texture", 64, "--resolution", 32, "--frames", 2, "--wobble", 2),
    )
    told = monoform("generate", "--weights", weights, "--seeds", "2-3", "-o", tmp_path / "out", "--labels", *words)
    assert told.returncode == 0, told.stderr
    names = ["seed_0002", "seed_0003", "sheet.png", "data_set"]
    assert [Path(line.split(": ")[0]).name for line in told.stdout.splitlines()] == names
    assert "image_raw.png" in [path.name for path in (tmp_path / "out" / "seed_0002").iterdir()]
    images = ImageSet(tmp_path / "out" / "data_set")
    assert len(images) == 2 and images.resolution == 16 and images.has_labels
    world, _ = networks().generator.cameras(networks().generator.map(latent(3)).pose)
    label = images.label(1)
    assert label is not None
    np.testing.assert_allclose(np.reshape(label[:16], (4, 4)), world[0].detach(), atol=1e-5)
    again = monoform("generate", "--weights", weights, "--seeds", 3, "-o", tmp_path / "out", *words)
    assert "already there" in again.stdout
    told = monoform("generate", "--weights", weights, "--mix", 2, 3, "-o", tmp_path / "out", "--between", 4)
    assert [Path(line).name for line in told.stdout.splitlines()] == ["mix_0002_0003.mp4", "mix_0002_0003.png"]
    row = pixels(tmp_path / "out" / "mix_0002_0003.png")
    assert row.shape == (16, 16 * (1 + networks().generator.slots), 3)
    told = monoform("generate", "--weights", weights, "--noise", "much", "-o", tmp_path / "none")
    assert told.returncode == 2 and "pof3d's noise is 'much'" in told.stderr and not (tmp_path / "none").exists()
