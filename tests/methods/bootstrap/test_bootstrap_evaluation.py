"""The release's protocol with tiny networks: the same figures in whatever blocks, and what does not fit is said."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tests.data import category_cases, posed_files_cases
from tests.methods.bootstrap.tiny_bootstrap import TINY_BACKBONE

from monoform.errors import InputError
from monoform.methods.bootstrap import BootstrapConfig, BootstrapEncoder, BootstrapGenerator, EncoderConfig
from monoform.methods.bootstrap.config import Network, Rays, Scene, Training
from monoform.methods.bootstrap.encoder import small_encoder
from monoform.methods.bootstrap.evaluate import EVALUATION, BootstrapEvaluation, InvertedCategory
from monoform.methods.bootstrap.train_encoder import PRESETS, EncoderTraining
from monoform.training.weights import save_pretrained

SIZE = 32
NETWORK = Network(
    8, 8, channel_base=64, channel_max=8, plane_resolution=8, plane_features=4, decoder_width=8, palette=3
)


def weights(place: Path, *, white: bool, birds: int = 0) -> tuple[str, str]:
    """Folders of a generator, of so many classes of birds or of other things, and of its encoder, both untrained."""
    torch.manual_seed(0)
    scene = Scene(1.4, "orthographic" if birds else "perspective", flipped=not white, white=white)
    training = Training(alpha=False, augment=0.0, ada_target=None)
    config = BootstrapConfig(SIZE, replace(NETWORK, classes=birds), scene, Rays(4, 4), training, refine_pose=not white)
    folders = place / "generator", place / "encoder"
    save_pretrained(BootstrapGenerator(config), config, folders[0], card="tiny")
    encoding: EncoderConfig = small_encoder(8)
    save_pretrained(BootstrapEncoder(encoding), encoding, folders[1], card="tiny")
    return str(folders[0]), str(folders[1])


@pytest.fixture(scope="module")
def cars(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Options for a set of photos with masks and cameras."""
    place = tmp_path_factory.mktemp("cars")
    category_cases.write_detections(place, count=3)
    net, encoder = weights(place, white=False)
    options = {"data": str(place), "category": "p3d_car", "weights": net, "encoder": encoder, "test_set": "train"}
    return options | {"refine": (0, 1), "loss": "l1"}


def figures(out: Path) -> dict[str, float]:
    found = json.loads((out / "metrics.json").read_text())["total"]
    return {name: value for name, value in found.items() if name != "seconds"}


def measured(out: Path, options: dict[str, Any], **more: Any) -> dict[str, float]:
    EVALUATION.run(BootstrapEvaluation(out=out, **options, **more))
    return figures(out)


def test_figures_do_not_depend_on_blocks(cars: dict[str, Any], tmp_path: Path) -> None:
    """Two photos in one block or one by one, begun and gone on with."""
    together = measured(tmp_path / "a", cars)
    out = tmp_path / "b"
    apart = measured(out, cars, block=1)
    assert together == pytest.approx(apart, rel=1e-6)
    damaged = next(out.glob("inverted/*/block.npz"))
    for file in list(damaged.parent.iterdir()):
        file.unlink()
    damaged.parent.rmdir()
    assert measured(out, cars, block=1) == pytest.approx(apart, rel=1e-6)
    names = {f"{name}_n{steps}" for name in ("psnr", "ssim", "iou", "rotation", "found", "refined") for steps in (0, 1)}
    distances = {f"{start}frechet_pyramid_n-1_n{steps}" for start in ("", "random_") for steps in (0, 1)}
    assert set(together) == names | distances | {"generation_frechet_pyramid_n-1"}
    assert together["psnr_n0"] > 0 and together["refined_n0"] == 0


def test_strips_show_random_photos_before_and_after(cars: dict[str, Any], tmp_path: Path) -> None:
    """Six pictures a row, two rows a photo; the same photos of the same seed; another's file is left alone."""
    options = cars | {"strips": 2, "generation": False}
    out, again = tmp_path / "out", tmp_path / "again"
    measured(out, options)
    picture = np.asarray(Image.open(out / "strips.png"))
    assert picture.shape == (2 * 2 * 128, 6 * 128, 3)
    photos = picture[:, :128].reshape(4, 128, 128, 3)
    np.testing.assert_array_equal(photos[0], photos[1])
    assert abs(photos[0].astype(float) - photos[2]).max() > 2
    again.mkdir()
    (again / "strips.png").write_bytes(b"mine")
    with pytest.raises(InputError, match="is there"):
        measured(again, options)
    assert (again / "strips.png").read_bytes() == b"mine"


def test_a_photo_that_cannot_be_used_is_left_out_alone(tmp_path: Path) -> None:
    """In whatever block."""
    category_cases.write_detections(tmp_path, count=5)
    net, encoder = weights(tmp_path, white=False)
    options = {"data": str(tmp_path), "category": "p3d_car", "weights": net, "encoder": encoder, "test_set": "train"}
    options |= {"refine": (0,), "loss": "l1"}
    (tmp_path / "p3d/photos/2.png").write_bytes(b"no picture")
    told = EVALUATION.run(BootstrapEvaluation(out=tmp_path / "a", block=4, **options))
    assert told.count("2.png") == 2 and "Images: 3 photos, 6 inverted, 4 samples" in told
    EVALUATION.run(BootstrapEvaluation(out=tmp_path / "b", block=1, **options))
    assert figures(tmp_path / "a") == pytest.approx(figures(tmp_path / "b"), rel=1e-6)


def test_another_seed_gives_other_samples(cars: dict[str, Any], tmp_path: Path) -> None:
    quick = cars | {"refine": (0,)}
    first, second = (measured(tmp_path / str(seed), quick, seed=seed) for seed in (0, 1))
    assert first != second
    without = measured(tmp_path / "without", quick, generation=False)
    assert without == {name: value for name, value in first.items() if not name.startswith("generation")}


def test_other_views_of_the_same_object_are_compared(tmp_path: Path) -> None:
    for split in ("train", "test"):
        posed_files_cases.write_srn(tmp_path / f"shapenet/cars_{split}", ("a", "b"), views=3)
    net, encoder = weights(tmp_path, white=True)
    options = {"data": str(tmp_path), "category": "shapenet_cars", "weights": net, "encoder": encoder}
    options |= {"refine": (0,), "loss": "l1", "limit": 4, "features": "efficientnet-lite0"}
    found = measured(tmp_path / "out", options)
    distance = "frechet_efficientnet-lite0-matting_n-1_test_n0"
    assert {"random_psnr_n0", "random_ssim_n0", distance, "rotation_n0"} <= set(found)
    assert "iou_n0" not in found
    protocol = InvertedCategory.open(BootstrapEvaluation(out=tmp_path / "x", **options, same_view=False))
    inverted = protocol.sources["inverted"]
    views = inverted.views
    assert len(views.numbers) == 4 and torch.equal(views.numbers // 3, views.other // 3)
    assert not inverted.measuring.options.refine_pose
    blocks = list(inverted.blocks(range(1)))
    assert [block.more["shown"].item() for block in blocks] == [0, 1]
    assert np.isfinite(blocks[1].more["psnr"]).all() and blocks[0].images.shape == (1, 3, SIZE, SIZE)


def test_an_encoder_that_is_missing_is_trained_first_and_kept(
    cars: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = EncoderTraining(backbone=TINY_BACKBONE, batch=2, iterations=2, evaluated=2, evaluate_every=0)
    monkeypatch.setitem(PRESETS, "small", quick)
    options = cars | {"encoder": str(tmp_path / "run"), "refine": (0,), "generation": False, "train_encoder": "small"}
    first = measured(tmp_path / "first", options)
    file = tmp_path / "run" / "weights" / "model.safetensors"
    made = file.stat().st_mtime_ns
    assert measured(tmp_path / "second", options) == first and file.stat().st_mtime_ns == made
    given = options | {"encoder": str(tmp_path / "run" / "weights")}
    assert measured(tmp_path / "third", given | {"train_encoder": "none"}) == first
    with pytest.raises(InputError, match="is kept in --encoder DIR"):
        measured(tmp_path / "out", options | {"encoder": ""})


def test_birds_of_classes_are_inverted_and_sampled(tmp_path: Path) -> None:
    """The encoder tells a style, which has a class already; samples need one."""
    root = category_cases.write_birds(category_cases.write_birds(tmp_path, 3), 3, "test")
    net, encoder = weights(tmp_path, white=False, birds=5)
    options = {"data": str(root), "category": "cub", "weights": net, "encoder": encoder, "refine": (0, 1)}
    found = measured(tmp_path / "out", options, loss="l1")
    assert {"iou_n1", "rotation_n1", "frechet_pyramid_n-1_test_n1", "generation_frechet_pyramid_n-1"} <= set(found)
    (tmp_path / "few").mkdir()
    net, encoder = weights(tmp_path / "few", white=False, birds=2)
    with pytest.raises(InputError, match="told one of 2 classes, the photos of cub have 5"):
        measured(tmp_path / "no", options | {"weights": net, "encoder": encoder}, loss="l1")


def test_what_does_not_fit_is_said(cars: dict[str, Any], tmp_path: Path) -> None:
    def refused(sentence: str, **more: Any) -> None:
        with pytest.raises(InputError, match=sentence):
            measured(tmp_path / "out", cars | more)

    category_cases.write_carla(Path(cars["data"]) / "other")
    refused("is a generator for perspective cameras and a gray background, carla has others", category="carla")
    refused("There is no category 'boats'", category="boats")
    refused("compares perceptual features", loss="vgg")
    refused("imagenet_car", test_set="imagenet")
    category_cases.write_detections(Path(cars["data"]), "imagenet_car")
    refused("imagenet_car has no test photos, and --test-set is test", category="imagenet_car", test_set="test")
    refused("give numbers of steps, each once", refine=(3, 3))
    encoding = replace(small_encoder(8), latent_dim=16)
    save_pretrained(BootstrapEncoder(encoding), encoding, tmp_path / "encoder", card="tiny")
    refused("tells latents of 16 numbers, the generator takes 8", encoder=str(tmp_path / "encoder"))
    assert not (tmp_path / "out").exists()
