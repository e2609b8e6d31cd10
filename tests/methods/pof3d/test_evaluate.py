"""Evaluation of PoF3D: photos that are its own samples are near, others far; poses against labels; files and words."""

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
from tests.methods.pof3d.tiny_generator import TINY, tiny_discriminator, tiny_generator

from monoform.data.images import ImageSet
from monoform.errors import InputError
from monoform.methods.pof3d.evaluate import Pof3dEvaluation, SamplesAndPhotos
from monoform.methods.pof3d.evaluated_depths import Depths, depth_along_z
from monoform.methods.pof3d.evaluated_images import Photos, Samples, angles_from
from monoform.methods.pof3d.networks import NetworksConfig, Pof3dNetworks
from monoform.methods.pof3d.poses import camera_poses
from monoform.metrics.evaluation import evaluate
from monoform.training import save_pretrained

COUNT = 24


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    networks = Pof3dNetworks(NetworksConfig(TINY, tiny_discriminator().config))
    networks.generator.load_state_dict(tiny_generator().state_dict())
    return save_pretrained(networks, networks.config, tmp_path_factory.mktemp("weights") / "tiny", card="tiny")


@pytest.fixture(scope="module")
def other_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Without a discriminator."""
    networks = Pof3dNetworks(NetworksConfig(TINY, None))
    networks.generator.load_state_dict(tiny_generator(5).state_dict())
    return save_pretrained(networks, networks.config, tmp_path_factory.mktemp("weights") / "other", card="other")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Samples of the generator itself, with true labels: of other latents than those of an evaluation."""
    folder, net, labels = tmp_path_factory.mktemp("photos"), tiny_generator(), []
    z = torch.randn(COUNT, TINY.network.z_dim, generator=torch.Generator().manual_seed(99))
    mapped = net.map(z)
    world, intrinsics = net.cameras(mapped.pose)
    images = net.synthesize(mapped.ws, world, intrinsics).image
    pixels = (images * 127.5 + 128).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()
    for number in range(COUNT):
        Image.fromarray(pixels[number]).save(folder / f"{number:03d}.png")
        numbers = [*world[number].flatten().tolist(), *intrinsics[number].flatten().tolist()]
        labels.append([f"{number:03d}.png", numbers])
    (folder / "dataset.json").write_text(json.dumps({"labels": labels}))
    return folder


def asked(photos: Path, weights: Path, out: Path, **more: object) -> Pof3dEvaluation:
    return Pof3dEvaluation(data=photos, weights=str(weights), out=out, generated=COUNT, block=10, batch=4, **more)  # type: ignore[arg-type]


def total(out: Path) -> dict[str, float]:
    found = json.loads((out / "metrics.json").read_text())["total"]
    return {name: value for name, value in found.items() if name != "seconds"}


def test_angles_of_cameras() -> None:
    pivot = (0.0, 0.0, 0.2)
    pose = torch.tensor([[math.pi / 2, math.pi / 2], [math.pi, math.pi / 2], [1.0, 0.7]], dtype=torch.float64)
    world = camera_poses(pose, radius=2.0)
    expected = torch.stack((pose[:, 0] - math.pi / 2, math.pi / 2 - torch.acos(1 - 2 * pose[:, 1] / math.pi)), dim=1)
    assert torch.allclose(angles_from(world, (0.0, 0.0, 0.0)), expected)
    assert torch.allclose(angles_from(world[:1], pivot), torch.zeros(1, 2).double(), atol=1e-12)
    upright = world.clone()
    upright[:, :3, 3] = torch.stack((world[:, 0, 3], -world[:, 2, 3], world[:, 1, 3]), dim=1)  # z is up
    assert torch.allclose(angles_from(upright, (0.0, 0.0, 0.0), "z"), expected)
    assert bool(angles_from(torch.zeros(1, 4, 4), pivot).isnan().all())


def test_a_generator_is_near_its_own_samples_and_another_is_not(
    photos: Path, weights: Path, other_weights: Path, tmp_path: Path
) -> None:
    told = evaluate(SamplesAndPhotos.open, asked(photos, weights, tmp_path / "own"))
    evaluate(SamplesAndPhotos.open, asked(photos, other_weights, tmp_path / "other", poses="own"))
    own, other = total(tmp_path / "own"), total(tmp_path / "other")
    for name in ("frechet_pyramid_n", "kernel_pyramid"):
        assert own[name] < 0.5 * other[name]
    assert own["precision3_pyramid"] > other["precision3_pyramid"] + 0.3
    assert "Images: 24 photos, 24 own, 24 uniform" in told and "frechet_pyramid_n_uniform" in told
    evaluate(
        SamplesAndPhotos.open, asked(photos, weights, tmp_path / "seen", poses="own", features="efficientnet-lite0")
    )
    named = {name for name in total(tmp_path / "seen") if name.startswith(("frechet", "kernel", "precision"))}
    assert named == {
        f"{name}_efficientnet-lite0-matting{end}"
        for name, end in (("frechet", "_n"), ("kernel", ""), ("precision3", ""))
    }
    names = {"azimuth_kl", "elevation_kl", "azimuth_w1", "elevation_w1"}
    assert names | {f"{name}_uniform" for name in names} < set(own) and not [n for n in other if "uniform" in n]
    assert own["elevation_w1"] == pytest.approx(own["elevation_w1_uniform"])
    assert {"told_azimuth_error", "told_elevation_error"} < set(own)


def test_depth_of_photos_is_compared_with_the_truth(photos: Path, weights: Path, tmp_path: Path) -> None:
    """The photos' own depth, in another unit, is closer than others; and a photo without is left alone."""
    net = tiny_generator()
    mapped = net.map(torch.randn(COUNT, TINY.network.z_dim, generator=torch.Generator().manual_seed(99)))
    world, intrinsics = net.cameras(mapped.pose)
    seen = net.synthesize(mapped.ws, world, intrinsics)
    depth = torch.where(seen.alpha[:, 0] > 0.5, 7 * depth_along_z(seen.depth[:, 0], world, intrinsics), 0.0).numpy()
    for folder, values in (("true", depth), ("false", depth[:, ::-1])):
        (tmp_path / folder).mkdir()
        for number in (0, 3):
            np.save(tmp_path / folder / f"{number:03d}.npy", values[number].repeat(2, axis=0).repeat(2, axis=1))
        out = tmp_path / f"out {folder}"
        evaluate(
            SamplesAndPhotos.open,
            asked(photos, weights, out, poses="own", depths=tmp_path / folder, depth_steps=3, noise="const"),
        )
    good, bad = total(tmp_path / "out true"), total(tmp_path / "out false")
    assert good["depth_standard"] < bad["depth_standard"] and good["depth_scale"] < bad["depth_scale"]
    assert good["depth_iou"] > 0.5
    summary = json.loads((tmp_path / "out true" / "metrics.json").read_text())
    assert [name for name in summary["each"] if name.startswith("depths/")] == ["depths/000000", "depths/000001"]
    with pytest.raises(InputError, match="No photo has a depth map"):
        SamplesAndPhotos.open(asked(photos, weights, tmp_path / "none", depths=tmp_path))
    np.save(tmp_path / "true" / "000.npy", np.zeros((4, 5)))
    net_of = Depths(ImageSet(photos), tmp_path / "true", net, None, count=1, steps=1)
    assert "a depth map is square" in next(net_of.blocks(range(1))).left_out[0]


def test_poses_are_those_of_the_latents_and_of_the_labels(photos: Path) -> None:
    net = tiny_generator()
    images = ImageSet(photos)
    real = list(Photos(images, net, None, batch=5).blocks(range(COUNT)))
    poses = np.concatenate([block.more["pose"] for block in real])
    z = torch.randn(COUNT, TINY.network.z_dim, generator=torch.Generator().manual_seed(99))
    expected = angles_from(net.cameras(net.map(z).pose)[0].double(), TINY.rig.pivot)
    assert np.allclose(poses, expected.numpy(), atol=1e-5)
    assert np.isnan(real[0].more["told"]).all()
    told = [block.more["told"] for block in Photos(images, net, tiny_discriminator(), batch=5).blocks(range(7))]
    assert [len(each) for each in told] == [5, 2] and np.isfinite(np.concatenate(told)).all()
    own, uniform = (
        np.concatenate([block.more["pose"] for block in Samples(net, 40, poses=kind).blocks(range(40))])
        for kind in ("own", "uniform")
    )
    assert np.allclose(own[:, 1], uniform[:, 1], atol=1e-5) and not np.allclose(own[:, 0], uniform[:, 0], atol=0.1)
    assert np.histogram(uniform[:, 0], bins=4, range=(-math.pi, math.pi))[0].min() > 3


def test_samples_depend_on_seed_noise_and_number_but_not_on_the_batch() -> None:
    net = tiny_generator()
    for layer in net.modules():
        if hasattr(layer, "noise_strength"):
            layer.noise_strength += 0.5

    def images(**options: object) -> torch.Tensor:
        made = Samples(net, 6, **options).blocks(range(2, 6))  # type: ignore[arg-type]
        return torch.cat([block.images for block in made if block.images is not None]).int()

    constant = images(random=False, batch=4)
    assert constant.shape == (4, 3, 32, 32)
    assert int((images(random=False, batch=1) - constant).abs().max()) <= 1
    assert torch.equal(images(batch=2), images(batch=2))
    for options in ({"batch": 4}, {"random": False, "seed": 1}, {"random": False, "poses": "uniform"}):
        assert int((images(**options) - constant).abs().max()) > 3


def test_labels_change_the_field_of_view_of_samples(photos: Path, tmp_path: Path) -> None:
    near = tiny_generator()
    labels = json.loads((photos / "dataset.json").read_text())["labels"]
    for number in range(COUNT):
        (tmp_path / f"{number:03d}.png").write_bytes((photos / f"{number:03d}.png").read_bytes())
    for row in labels:
        row[1][16] = row[1][20] = 4.0
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": labels}))
    plain, told, other = (
        next(Samples(near, 2, labels=chosen, random=False).blocks(range(2))).images
        for chosen in (None, ImageSet(photos), ImageSet(tmp_path))
    )
    assert plain is not None and told is not None and other is not None
    assert int((plain.int() - told.int()).abs().max()) <= 1
    assert int((plain.int() - other.int()).abs().max()) > 3


def test_elevations_beyond_a_pole_are_held_there_and_counted() -> None:
    config = replace(TINY, pose=replace(TINY.pose, elevation="free", yaw="number"))
    net = tiny_generator(config=config)
    net.backbone.mapping.affine_layer2.bias[1] += 100 * math.pi
    blocks = list(Samples(net, 3, random=False).blocks(range(3)))
    assert blocks[0].images is not None and not blocks[0].left_out
    outside = np.concatenate([block.more["outside"] for block in blocks])
    assert outside.tolist() == [1, 1, 1]


def test_bad_words_are_one_sentence(photos: Path, weights: Path, tmp_path: Path) -> None:
    for more, said in (({"generated": 1}, "--generated"), ({"block": 0}, "--block"), ({"reals": -1}, "--reals")):
        with pytest.raises(InputError, match=said):
            Pof3dEvaluation(**{"data": photos, "weights": str(weights), "out": tmp_path / "out", **more})
    with pytest.raises(InputError, match="at least 2"):
        SamplesAndPhotos.open(asked(photos, weights, tmp_path / "out", reals=1))
    with pytest.raises(InputError, match=r"none\.pth"):
        SamplesAndPhotos.open(asked(photos, weights, tmp_path / "out", inception=tmp_path / "none.pth"))
    assert not (tmp_path / "out").exists()


def test_the_command_resumes_and_shares_its_blocks(photos: Path, weights: Path, tmp_path: Path) -> None:
    words = ["evaluate", "pof3d", "--data", photos, "--weights", weights, "--generated", 12, "--block", 6, "--batch", 3]
    words += ["--covariance", "n-1", "--poses", "own", "--noise", "const"]
    first = monoform(*words, "-o", tmp_path / "one")
    assert first.returncode == 0, first.stderr
    assert "frechet_pyramid_n-1" in first.stdout and "Images: 24 photos, 12 own" in first.stdout
    for file in (tmp_path / "one" / "own" / "000006").iterdir():
        file.unlink()
    (tmp_path / "one" / "own" / "000006").rmdir()
    assert monoform(*words, "-o", tmp_path / "one").returncode == 0
    two = monoform(*words, "--workers", 2, "-o", tmp_path / "two")
    assert two.returncode == 0, two.stderr
    assert total(tmp_path / "one") == pytest.approx(total(tmp_path / "two"), rel=1e-6)
    refused = monoform(*words[:-1], "random", "-o", tmp_path / "one")
    assert refused.returncode == 2 and "noise was" in refused.stderr
