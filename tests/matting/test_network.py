"""The matting network: shapes, learning, weights, refinement."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.matting.test_composites import source
from tests.pictures import disc, mug

from monoform import InputError, Photo
from monoform.cli.train import run as train_command
from monoform.data import procedural_sources
from monoform.data.packs.labels import LabelOptions
from monoform.data.packs.pack import PackOptions, pack_meshes
from monoform.data.packs.views import ViewOptions
from monoform.matting import network_mask, network_probability, segment, unsure_sides
from monoform.matting.composites import batch
from monoform.matting.lite import LiteMattingConfig, LiteMattingNet
from monoform.matting.network import WEIGHTS, Letterbox, MattingConfig, MattingNet, has_weights
from monoform.matting.train import MattingTask, MattingTraining, begun, mask_loss, overlap
from monoform.metrics import mask_iou
from monoform.training import TrainOptions, save_pretrained, train

TINY = MattingConfig(image_size=32, stem=8, widths=(12, 16))


@pytest.fixture
def tiny(tmp_path):
    torch.manual_seed(0)
    return save_pretrained(MattingNet(TINY), TINY, tmp_path / "tiny", card="# tiny")


@pytest.mark.parametrize("size", [8, 22, 32, 50])
def test_logits_have_the_size_of_the_square(size):
    config = MattingConfig(image_size=size, stem=8, widths=(8, 8, 8))
    assert MattingNet(config).eval()(torch.zeros(2, 5, size, size)).shape == (2, size, size)


def test_every_pixel_sees_the_whole_photo():
    torch.manual_seed(0)
    net = MattingNet(MattingConfig()).eval()
    inputs = torch.randn(1, 5, 160, 160, requires_grad=True)
    net(inputs)[0, 8, 8].backward()
    assert inputs.grad is not None
    assert bool((inputs.grad[0, :3, -16:, -16:].abs().amax(dim=(1, 2)) > 0).all())


def test_parameters_and_file_are_small():
    assert 0.3e6 < sum(item.numel() for item in MattingNet().parameters()) < 1.2e6


@pytest.mark.parametrize("shape", [(1, 1), (1, 60), (60, 1), (37, 53), (64, 64), (200, 31)])
def test_what_is_put_in_a_letter_box_can_be_taken_out(shape):
    height, width = shape
    box = Letterbox.around(width, height, 64)
    ramp = np.linspace(0.2, 0.8, width)[None] + np.linspace(-0.1, 0.1, height)[:, None]
    image = np.repeat(ramp[..., None], 3, axis=2).astype(np.float32)
    square = box.put(image)
    assert square.shape == (64, 64, 3)
    np.testing.assert_allclose(box.take(square[..., 0], width, height), image[..., 0], atol=0.04)
    coordinates = box.coordinates()
    inside = np.abs(coordinates).max(axis=2) < 1
    assert inside.sum() == box.width * box.height
    np.testing.assert_allclose(coordinates[inside].mean(axis=0), 0, atol=1e-5)


def test_the_filled_part_is_the_photo_reflected():
    image = np.random.default_rng(0).random((20, 40, 3)).astype(np.float32)
    square = Letterbox.around(40, 20, 40).put(image)
    np.testing.assert_array_equal(square[10:30], image)
    np.testing.assert_array_equal(square[:10], image[:10][::-1])
    np.testing.assert_array_equal(square[30:], image[-10:][::-1])


def test_loss_and_overlap_of_known_masks():
    masks = torch.zeros(1, 10, 10)
    masks[:, :, :5] = 1
    inside = torch.ones_like(masks)
    right, wrong = (masks * 2 - 1) * 30, (1 - masks * 2) * 30
    assert float(mask_loss(right, masks, inside)[0]) < 1e-6
    total, parts = mask_loss(wrong, masks, inside)
    assert float(parts["entropy"]) == pytest.approx(30, rel=1e-5)
    assert float(parts["dice"]) == pytest.approx(1 - 1 / 101, rel=1e-5)
    assert float(total) == pytest.approx(float(parts["entropy"] + parts["dice"]))
    inside[:, :, 5:] = 0
    assert float(mask_loss(torch.full_like(masks, 30), masks, inside)[0]) < 1e-6  # what lies outside does not count
    quarter = torch.zeros_like(masks)
    quarter[:, :5, :5] = 1
    assert float(overlap(quarter, masks, torch.ones_like(masks))) == 0.5
    assert float(overlap(torch.zeros_like(masks), torch.zeros_like(masks), inside)) == 1


def test_gradient_of_the_loss_matches_differences():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 4, 4, dtype=torch.float64, generator=generator, requires_grad=True)
    masks = torch.rand(2, 4, 4, dtype=torch.float64, generator=generator)
    inside = (torch.rand(2, 4, 4, generator=generator) < 0.7).double()
    assert torch.autograd.gradcheck(lambda x: mask_loss(x, masks, inside)[0], (logits,))


class OnePicture(MattingTask):
    """The same picture at every step."""

    def batch(self, step, generator):
        return batch(torch.Generator().manual_seed(8), self.source, 4, self.size)


def test_a_tiny_network_learns_one_batch_and_trains_alike_twice(tmp_path):
    weights = []
    for run in range(2):
        torch.manual_seed(0)
        net = MattingNet(TINY)
        task = OnePicture(net, source, MattingTraining(pictures=4, rate=1e-2, warmup=5), steps=120)
        result = train(task, tmp_path / str(run), options=TrainOptions(120, log_every=10, device="cpu", progress=False))
        weights.append(net.state_dict())
    assert result.metrics["matting/iou"] > 0.9
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


@pytest.mark.parametrize(
    "net", [MattingNet(TINY), LiteMattingNet(LiteMattingConfig(image_size=64))], ids=lambda net: type(net).__name__
)
def test_a_training_goes_on_with_weights_of_either_network(tmp_path, net):
    save_pretrained(net, net.config, tmp_path, card="# a card", exact=True)
    known, module = net.state_dict(), begun(MattingTraining(start=str(tmp_path)))
    assert type(module) is type(net) and module.config == net.config
    assert all(torch.equal(known[name], value) for name, value in module.state_dict().items())
    learning = {name for name, each in module.named_parameters() if each.requires_grad}
    assert learning == {name for name, each in net.named_parameters() if each.requires_grad} != set()


def test_weights_that_a_training_cannot_go_on_with(tmp_path):
    with pytest.raises(InputError, match="weights"):
        begun(MattingTraining(start=str(tmp_path / "none")))
    with pytest.raises(InputError, match="leave out backbone"):
        MattingTraining(start=str(tmp_path), backbone="weights.pth")


def test_evaluation_is_the_same_each_time_and_of_the_held_out_objects(tmp_path):
    torch.manual_seed(0)
    net = MattingNet(TINY).eval()
    task = MattingTask(net, source, MattingTraining(validation_images=16), held_out=source)
    first = task.evaluate(net, 0)
    assert first == task.evaluate(net, 5) and 0 <= first["iou"] <= 1 and 0 < first["absolute"] < 1
    assert MattingTask(net, source, MattingTraining()).evaluate(net, 0) == {}
    with torch.no_grad():
        shown = task.pictures(net)["mask"]
    assert shown.shape == (32, 96, 3) and float(shown.min()) >= 0 and float(shown.max()) <= 1


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 3))
def test_photos_of_any_small_size(tmp_path_factory, width, height, seed):
    folder = tmp_path_factory.getbasetemp() / "any"
    if not folder.exists():
        torch.manual_seed(0)
        save_pretrained(MattingNet(TINY), TINY, folder, card="# tiny")
    rgb = np.random.default_rng(seed).random((height, width, 3)).astype(np.float32)
    for found in (network_probability(rgb, weights=folder), network_mask(rgb, weights=folder)):
        assert found.shape == (height, width) and found.dtype == np.float32
        assert np.isfinite(found).all() and found.min() >= 0 and found.max() <= 1


def test_a_mirrored_photo_gives_the_mirrored_probability(tiny):
    rgb = np.random.default_rng(0).random((21, 34, 3)).astype(np.float32)
    straight = network_probability(rgb, weights=tiny)
    mirrored = network_probability(np.ascontiguousarray(rgb[:, ::-1]), weights=tiny)
    np.testing.assert_allclose(mirrored[:, ::-1], straight, atol=0.02)


@pytest.mark.parametrize("harm", ["missing", "truncated", "noise", "other", "config", "size"])
def test_weights_that_cannot_be_used_are_refused_in_a_sentence(tiny, harm):
    weights, config = tiny / "model.safetensors", tiny / "config.json"
    if harm == "missing":
        weights.unlink()
    elif harm == "truncated":
        weights.write_bytes(weights.read_bytes()[:300])
    elif harm == "noise":
        weights.write_bytes(bytes(range(256)) * 4)
    elif harm == "other":
        config.write_text(json.dumps({"config": {"image_size": 32, "stem": 8, "widths": [12, 20]}}))
    elif harm == "config":
        config.write_text("{")
    else:
        config.write_text(json.dumps({"config": {"image_size": -4, "stem": 8, "widths": [12, 16]}}))
    with pytest.raises(InputError) as refusal:
        network_mask(disc()[0], weights=tiny)
    assert str(tiny) in str(refusal.value) and "\n" not in str(refusal.value)


def test_no_weights_no_network(tmp_path):
    assert not has_weights(tmp_path)
    with pytest.raises(InputError, match="no weights at"):
        network_probability(disc()[0], weights=str(tmp_path / "none"))


def test_the_shipped_weights_are_small_and_have_a_card():
    assert has_weights()
    assert (WEIGHTS / "model.safetensors").stat().st_size <= 7.5e6
    card = (WEIGHTS / "README.md").read_text()
    for word in ("Apache-2.0", "CC-BY-4.0", "EfficientNet-Lite0", "Google Scanned Objects", "YCB", "Fails on"):
        assert word in card


@pytest.mark.parametrize("picture", [disc, mug])
def test_the_shipped_network_finds_drawn_objects(picture):
    rgb, mask = picture()
    assert mask_iou(network_probability(rgb) > 0.5, mask > 0.5) > 0.8
    found = network_mask(rgb)
    assert mask_iou(found > 0.5, mask > 0.5) > 0.93
    np.testing.assert_array_equal(found, network_mask(rgb))


def test_the_shipped_network_does_without_plain_borders():
    """A patterned ball on a ground of strong tiles, cut by the frame: no colour tells it from the borders."""
    rows, columns = np.mgrid[0:200, 0:240]
    tiles = np.where(((rows // 30 + columns // 30) % 2)[..., None] > 0, (0.75, 0.7, 0.6), (0.35, 0.3, 0.3))
    rgb, mask = disc(240, 200, radius=60)
    rgb = mask[..., None] * rgb + (1 - mask[..., None]) * tiles
    assert mask_iou(network_mask(rgb.astype(np.float32)) > 0.5, mask > 0.5) > 0.9


def test_a_photo_of_nothing_is_refused():
    for value in (0.5, 1.0):
        with pytest.raises(InputError, match="No object can be told from the background in array: give a mask"):
            segment(Photo.open(np.full((100, 120, 3), value)), backend="network")


def test_the_network_is_chosen_where_rembg_is_not_installed(monkeypatch):
    import importlib.util

    rgb, _ = disc()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    found = segment(Photo.open(rgb))
    assert found.mask_origin == "network" and "mask.png" in found.notices[0]
    monkeypatch.setattr("monoform.matting.has_weights", lambda: False)
    assert segment(Photo.open(rgb)).mask_origin == "grabcut"


def test_the_command_goes_from_data_to_weights(tmp_path):
    options = PackOptions(views=ViewOptions(count=2, size=48), labels=LabelOptions(points=2048, surface=512))
    assert pack_meshes(procedural_sources(2), tmp_path / "pack", options, workers=1) == []
    words = ["matting", "--data", str(tmp_path / "pack"), "-o", str(tmp_path / "run"), "--steps", "2"]
    assert train_command([*words, "--device", "cpu"]) == 0
    folder = tmp_path / "run" / "weights"
    assert "2 steps of 16 pictures" in (folder / "README.md").read_text()
    found = network_probability(disc()[0], weights=folder)
    assert found.shape == (120, 160) and np.isfinite(found).all()
    with pytest.raises(InputError, match="did you mean matting"):
        train_command(["mating", *words[1:]])


@pytest.mark.parametrize(("seen", "sides"), [(0.9, ()), (0.1, ("bottom",))])
def test_a_mask_at_the_frame_is_trusted_where_the_network_sees_the_object(seen, sides):
    """A round object; a shadow below it, as broad as the object, reaches the frame."""
    _, mask = disc(radius=40, center=(80, 60))
    mask[60:, 40:120] = 1
    probability = np.where(np.arange(120)[:, None] < 100, 0.9, seen) * np.ones_like(mask)
    assert unsure_sides(mask, probability) == sides


def test_a_mask_that_keeps_off_the_frame_is_sure_of_all_sides():
    _, mask = disc()
    assert unsure_sides(mask, np.zeros_like(mask)) == ()


def test_the_network_over_a_backbone_finds_a_mask_by_its_own_weights(tmp_path):
    config = LiteMattingConfig(image_size=64, widths=(8, 8, 8, 8))
    torch.manual_seed(0)
    net = LiteMattingNet(config).eval()
    assert net(torch.zeros(2, 5, 64, 64)).shape == (2, 64, 64)
    with torch.no_grad():
        net.leave.weight.zero_()
        net.leave.bias.fill_(2.0)
    folder = save_pretrained(net, config, tmp_path / "lite", card="# lite")
    found = network_probability(np.full((40, 50, 3), 0.5, np.float32), weights=folder)
    assert np.allclose(found, 1 / (1 + np.exp(-2)), atol=1e-3)


def test_pixels_near_an_outline_weigh_more_where_that_is_asked_for():
    masks = torch.zeros(1, 32, 32)
    masks[:, :, 16:] = 1
    logits, inside = torch.where(masks > 0, 4.0, -4.0), torch.ones(1, 32, 32)
    logits[:, :, 15] = 4.0
    plain = mask_loss(logits, masks, inside)[1]["entropy"]
    weighted = mask_loss(logits, masks, inside, edges=3.0)[1]["entropy"]
    right, wrong = torch.log1p(torch.exp(torch.tensor(-4.0))), torch.log1p(torch.exp(torch.tensor(4.0)))
    assert torch.allclose(plain, (31 * right + wrong) / 32)
    assert torch.allclose(weighted, (26 * right + 4 * (5 * right + wrong)) / (26 + 24))


def test_the_second_look_is_at_what_the_first_one_found(tmp_path, monkeypatch):
    from monoform.matting import network

    rgb, mask = disc(320, 240, radius=20, center=(80, 60))
    seen = []

    def found(part, net):
        seen.append(part.shape[:2])
        return (part.sum(axis=2) < 2.2).astype(np.float32) if len(seen) > 1 else 0.8 * mask

    monkeypatch.setattr(network, "_probability", found)
    probability = network_probability(rgb)
    assert seen[0] == (240, 320) and all(40 < side < 60 for side in seen[1])
    away = np.ones_like(mask, bool)
    away[30:91, 50:111] = False
    assert len(seen) == 2 and not probability[away].any()
    large, _ = disc(120, 120, radius=55)
    seen.clear()
    monkeypatch.setattr(
        network, "_probability", lambda part, net: seen.append(1) or np.ones(part.shape[:2], np.float32)
    )
    network_probability(large)
    assert len(seen) == 1  # nothing would be larger in a second look
