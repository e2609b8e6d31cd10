"""Training of bootstrapped inversion's encoder: from renders alone, from any cameras, resumed, ready for photos."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.data.category_cases import write_birds, write_detections
from tests.methods.bootstrap.tiny_bootstrap import (
    NETWORK,
    SIZE,
    config_of,
    generator,
    save_seen_from_around,
    seen_from_around,
)
from tests.methods.bootstrap.tiny_bootstrap import TINY_BACKBONE as TINY
from tests.pictures import disc

from monoform import InputError, Photo, View
from monoform.methods import make
from monoform.methods.bootstrap import BootstrapConfig, BootstrapEncoder, BootstrapGenerator, EncoderConfig
from monoform.methods.bootstrap.cameras import camera_of
from monoform.methods.bootstrap.encoder_task import EncoderTask
from monoform.methods.bootstrap.networks import open_networks
from monoform.methods.bootstrap.photo_square import margin_of
from monoform.methods.bootstrap.steps import Views
from monoform.methods.bootstrap.train_encoder import TRAINING, EncoderTraining, cameras_of, train_encoder
from monoform.nn.segformer import Segformer, SegformerConfig
from monoform.scene.silhouette import mask_box
from monoform.training import TrainResult, save_pretrained
from monoform.training.randomness import seed_for

QUICK: dict[str, Any] = {"backbone": TINY, "batch": 4, "evaluated": 4, "evaluate_every": 0}


def save_generator(folder: Path, config: BootstrapConfig) -> Path:
    """Of one that has learned nothing."""
    net = BootstrapGenerator(config)
    return save_pretrained(net, net.config, folder, card="Of the tests.", exact=True)


def trained(data: Path, out: Path, steps: int, **more: Any) -> TrainResult:
    settings = EncoderTraining(**{**QUICK, **more})
    options = settings.loop(steps=steps, device="cpu", progress=False)
    return train_encoder(data, out, options, settings)


def state(folder: Path) -> dict[str, torch.Tensor]:
    encoder = open_networks(str(folder)).encoder
    assert encoder is not None
    return encoder.state_dict()


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_seen_from_around(tmp_path_factory.mktemp("balls") / "weights")


def test_it_learns_from_renders_alone_and_its_weights_take_photos(weights: Path, tmp_path: Path) -> None:
    result = trained(weights, tmp_path / "run", 80, batch=8, rate=8e-3, evaluate_every=20)
    lines = map(json.loads, (tmp_path / "run" / "metrics.jsonl").read_text().splitlines())
    found = [line for line in lines if line["kind"] == "evaluate"]
    assert [line["step"] for line in found] == [20, 40, 60, 80]
    assert found[-1]["evaluate/mask"] < found[0]["evaluate/mask"] and found[-1]["evaluate/iou"] > 0.4
    assert result.metrics["encoder/rate"] == pytest.approx(8e-4)
    assert (tmp_path / "run" / "pictures" / "encoder_0000080.png").is_file()
    folder = tmp_path / "run" / "weights"
    kept, original = open_networks(str(folder)).generator, open_networks(str(weights)).generator
    assert kept is not None and original is not None and kept.config == original.config
    for name, value in original.state_dict().items():
        torch.testing.assert_close(kept.state_dict()[name], value, atol=1e-3, rtol=1e-3)
    assert "6 cameras; no photo" in (folder / "README.md").read_text()
    rgb, mask = disc(48, 48, 15.0)
    method = make("bootstrap", weights=str(folder), refine=1)
    made = method.reconstruct([View(Photo.open(rgb, mask=mask))], generator=torch.Generator().manual_seed(0))  # type: ignore[attr-defined]
    assert torch.isfinite(made.field.geometry(torch.zeros(1, 3))).all()


def test_it_goes_on_bit_for_bit(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained(weights, tmp_path / "once", 4)
    plain = EncoderTask.batch

    def signaled(task: EncoderTask, step: int, draws: torch.Generator) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return plain(task, step, draws)

    with monkeypatch.context() as patched:
        patched.setattr(EncoderTask, "batch", signaled)
        first = trained(weights, tmp_path / "twice", 4)
    assert (first.stopped, first.step) == ("SIGTERM", 1)
    assert trained(weights, tmp_path / "twice", 4).finished
    once, twice = state(tmp_path / "once" / "weights"), state(tmp_path / "twice" / "weights")
    assert all(torch.equal(once[name], twice[name]) for name in once)


def test_renders_that_are_kept_depend_on_nothing_but_seed_and_number(weights: Path, tmp_path: Path) -> None:
    """So that a training that goes on meets the same; half precision is off by one part in 2048."""
    net = generator(seen_from_around())
    encoder = BootstrapEncoder(EncoderConfig(TINY, NETWORK.w_dim))
    views = cameras_of(net, "", EncoderTraining(**QUICK))
    first, again, other = (
        EncoderTask(encoder, net, views, batch=4, rate=1e-3, steps=2, kept=6, seed=seed) for seed in (0, 0, 1)
    )
    drawn = first.batch(0, torch.Generator().manual_seed(1))
    assert isinstance(drawn, torch.Tensor) and drawn.shape == (4,) and int(drawn.max()) < 6
    several = first.pool[torch.tensor([3, 1, 3])]
    assert torch.equal(several.images[0], several.images[2])
    assert not torch.equal(several.images[0], several.images[1])
    for name in ("images", "coordinates", "mask", "latent"):
        assert torch.equal(getattr(again.pool[torch.tensor([1])], name)[0], getattr(several, name)[1])
    assert not torch.equal(other.pool[torch.tensor([1])].latent[0], several.latent[1])
    made = first._numbered(seed_for(0, "render", 1))
    torch.testing.assert_close(several.images[1], made.images[0], rtol=2**-11, atol=1e-6)
    settings = EncoderTraining(**QUICK, renders=6)
    options = settings.loop(steps=2, device="cpu", progress=False, precision="bf16-mixed")
    assert train_encoder(weights, tmp_path / "run", options, settings).finished


@pytest.mark.parametrize(("option", "value"), [("cropped", False), ("renders", 3), ("backbone", SegformerConfig())])
def test_it_does_not_go_on_with_other_options(weights: Path, tmp_path: Path, option: str, value: Any) -> None:
    trained(weights, tmp_path / "run", 1)
    with pytest.raises(InputError, match=rf"holds a training with {option}"):
        trained(weights, tmp_path / "run", 2, **{option: value})


def test_renders_show_the_object_cut_out_as_photos_do() -> None:
    """Its box, found in a render half as large, is off by no more than 2 pixels of the view on each side."""
    net = generator(replace(seen_from_around(), resolution=48))
    encoder = BootstrapEncoder(EncoderConfig(TINY, NETWORK.w_dim))
    views = cameras_of(net, "", EncoderTraining(**QUICK))
    for cropped in (True, False):
        task = EncoderTask(encoder, net, views, batch=4, rate=1e-3, steps=2, cropped=cropped)
        drawn = task.batch(0, torch.Generator().manual_seed(1))
        assert not isinstance(drawn, torch.Tensor)
        renders = task._rendered(*drawn, torch.Generator().manual_seed(2))
        if not cropped:
            assert renders.box is None
            continue
        assert renders.box is not None
        for mask, box, pose in zip(renders.mask, renders.box, renders.views.world_from_camera, strict=True):
            x0, y0, x1, y1 = mask_box(mask.numpy() > 0.5)
            share = max(x1 - x0, y1 - y0) / 48
            slack = 2 * 2 / (48 * float(box[1, 0]) / 2)
            assert abs(share - 1 / (1 + 2 * margin_of(net.config.scene))) < slack + 2 / 48, pose


def test_it_does_not_go_on_with_another_generator(weights: Path, tmp_path: Path) -> None:
    other = save_generator(tmp_path / "other", seen_from_around())
    trained(weights, tmp_path / "run", 1)
    with pytest.raises(InputError, match="has learned the images of another generator"):
        trained(other, tmp_path / "run", 2)
    assert trained(weights, tmp_path / "run", 2).finished


def test_a_training_that_is_done_keeps_its_figures(weights: Path, tmp_path: Path) -> None:
    first = trained(weights, tmp_path / "run", 2, evaluate_every=1)
    card = (tmp_path / "run" / "weights" / "README.md").read_text()
    again = trained(weights, tmp_path / "run", 2, evaluate_every=1)
    assert again.metrics == first.metrics and "evaluate/iou" in again.metrics
    assert (tmp_path / "run" / "weights" / "README.md").read_text() == card


def test_what_is_to_be_told_is_where_pixels_lie_on_the_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many rays are rendered at once."""
    net, settings = generator(seen_from_around()), EncoderTraining(**QUICK)
    encoder = BootstrapEncoder(EncoderConfig(TINY, NETWORK.w_dim))
    task = EncoderTask(encoder, net, cameras_of(net, "", settings), batch=3, rate=1e-3, steps=2)
    draws = torch.Generator().manual_seed(0)
    z, views = task.batch(0, draws)
    assert z.shape == (3, NETWORK.z_dim) and len(views) == 3
    for rays in (1 << 15, SIZE**2):
        monkeypatch.setattr("monoform.methods.bootstrap.encoder_task.RAYS", rays)
        renders = task._rendered(z, views, draws)
        assert renders.images.shape == (3, 3, SIZE, SIZE) and float(renders.images.abs().max()) <= 1
        camera = camera_of(views.world_from_camera, views.focal, (SIZE, SIZE))
        places = renders.coordinates / renders.mask[..., None]
        pixels, _ = camera.project(places.flatten(1, 2))
        full = (renders.mask > 0.5).flatten(1)
        assert int(full.sum()) > 300
        torch.testing.assert_close(pixels[full], camera.pixel_centers().expand(3, -1, -1)[full], atol=0.01, rtol=0)
        assert torch.equal(renders.latent, net.map(z)) and not renders.images.requires_grad
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = task._rendered(z, views, torch.Generator().manual_seed(1))
    assert torch.equal(half.coordinates, task._rendered(z, views, torch.Generator().manual_seed(1)).coordinates)


@pytest.mark.parametrize(
    "more",
    [{"batch": 2}, {"rate": 2e-3}, {"separate_backbones": True}, {"backbone": replace(TINY, head_width=4)}],
    ids=["batch", "rate", "separate_backbones", "backbone"],
)
def test_options_change_what_is_learned(weights: Path, tmp_path: Path, more: dict[str, Any]) -> None:
    trained(weights, tmp_path / "plain", 2)
    trained(weights, tmp_path / "other", 2, **more)
    plain, other = state(tmp_path / "plain" / "weights"), state(tmp_path / "other" / "weights")
    assert plain.keys() != other.keys() or any(
        plain[name].shape != other[name].shape or not torch.equal(plain[name], other[name]) for name in plain
    )
    assert ("backbone_latent.linear_pred.weight" in other) == ("separate_backbones" in more)


def test_it_may_start_from_a_backbone_or_an_encoder(weights: Path, tmp_path: Path) -> None:
    torch.manual_seed(5)
    stages = {name: value for name, value in Segformer(TINY).state_dict().items() if not name.startswith("linear_")}
    torch.save(stages, tmp_path / "mit.pth")
    nothing = {"rate": 0.0, "separate_backbones": True}
    trained(weights, tmp_path / "run", 1, backbone_weights=str(tmp_path / "mit.pth"), **nothing)
    first = state(tmp_path / "run" / "weights")
    for name, value in stages.items():
        for own in ("backbone", "backbone_latent"):
            torch.testing.assert_close(first[f"{own}.{name}"], value, atol=1e-3, rtol=1e-3)
    trained(weights, tmp_path / "again", 1, encoder=str(tmp_path / "run" / "weights"), rate=0.0)
    again = state(tmp_path / "again" / "weights")
    assert first.keys() == again.keys() and all(torch.equal(first[name], again[name]) for name in first)


def test_generators_with_classes_and_noise_are_encoded(tmp_path: Path) -> None:
    network = replace(NETWORK, classes=3, noise=True)
    config = seen_from_around(replace(config_of(), network=network))
    net = BootstrapGenerator(config)
    task = EncoderTask(
        BootstrapEncoder(EncoderConfig(TINY, 8)), net, cameras_of(net, "", EncoderTraining()), batch=64, rate=0, steps=2
    )
    _, views = task.batch(0, torch.Generator().manual_seed(0))
    assert views.classes is not None and set(views.classes.tolist()) == {0, 1, 2}
    assert trained(save_generator(tmp_path / "weights", config), tmp_path / "run", 1).finished


def test_cameras_come_from_photos_where_they_are_given(weights: Path, tmp_path: Path) -> None:
    photos = str(write_detections(tmp_path / "photos", count=3))
    net = open_networks(str(weights)).generator
    assert net is not None
    settings = EncoderTraining(photos=photos, category="p3d_car")
    assert len(cameras_of(net, "", settings)) == 4  # two with cameras, and their mirror images
    trained(weights, tmp_path / "run", 1, photos=photos, category="p3d_car")
    assert "4 cameras" in (tmp_path / "run" / "weights" / "README.md").read_text()


def test_what_cannot_be_learned_from_is_one_sentence(weights: Path, tmp_path: Path) -> None:
    blind = save_generator(tmp_path / "blind", config_of())
    with pytest.raises(InputError, match="holds no cameras that its objects could be seen from: give --photos DIR"):
        trained(blind, tmp_path / "run", 1)
    with pytest.raises(InputError, match="give both, or none"):
        EncoderTraining(photos="x")
    write_birds(tmp_path / "birds")
    with pytest.raises(InputError, match="is a generator for perspective cameras, cub has others"):
        trained(weights, tmp_path / "run", 1, photos=str(tmp_path / "birds"), category="cub")
    with pytest.raises(InputError, match="holds no encoder to start from"):
        trained(weights, tmp_path / "run", 1, encoder=str(weights))
    with pytest.raises(InputError, match="choose one of small, published"):
        EncoderTraining(config="b5")
    with pytest.raises(InputError, match=r"mit_b5\.pth"):
        trained(weights, tmp_path / "run", 1, backbone_weights=str(tmp_path / "none.pth"))
    assert not (tmp_path / "run").exists()


def test_the_published_training_is_that_of_the_paper() -> None:
    published = TRAINING.presets["published"]
    assert isinstance(published, EncoderTraining)
    assert (published.batch, published.rate, TRAINING.steps_of(published)) == (32, 6e-5, 120_000)
    assert published.backbone == SegformerConfig() and published.clip is None and published.ema_decay is None
    net = generator(seen_from_around())
    encoder = BootstrapEncoder(EncoderConfig(TINY, NETWORK.w_dim))
    (phase,) = EncoderTask(encoder, net, Views(torch.eye(4)[None], None), batch=1, rate=6e-5, steps=120_000).phases()
    assert (phase.optimizer.name, phase.optimizer.betas, phase.optimizer.rate) == ("adam", (0.9, 0.999), 6e-5)
    assert [round(phase.schedule(step), 9) for step in (0, 59_999, 60_000)] == [1, 1, 0.1]
