"""Training of TripoSR: rays of a batch see the object, checkpointing changes nothing, weights are fine-tuned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.command_line import monoform
from tests.methods.tiny_methods import pack
from tests.methods.triposr.tiny_triposr import CONFIG, random_net

from monoform import InputError
from monoform.data.packs.dataset import PackedObjects
from monoform.methods.triposr import TripoSrConfig, TripoSrNet
from monoform.methods.triposr.batches import SCALE, network_from_world, training_batch
from monoform.methods.triposr.train import TripoSrTask, TripoSrTraining, train_triposr
from monoform.training import load_pretrained, save_pretrained


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pack(tmp_path_factory.mktemp("data") / "pack")


def test_the_first_camera_stands_in_front_and_up_stays_up() -> None:
    camera = torch.eye(4)
    camera[:3, 3] = torch.tensor([1.2, 0.5, -0.7])
    turn = network_from_world(camera)
    place = turn @ camera[:3, 3]
    torch.testing.assert_close(place, torch.tensor([(1.2**2 + 0.7**2) ** 0.5, 0.0, 0.5]))
    assert turn @ torch.tensor([0.0, 1.0, 0.0]) @ torch.tensor([0.0, 0.0, 1.0]) == 1
    torch.testing.assert_close(turn @ turn.mT, torch.eye(3))


def test_rays_meet_the_object_where_it_is_seen(data: Path) -> None:
    """Rays of covered pixels pass near points of the surface, brought into the network's world as they are."""
    objects = PackedObjects(data)
    made = training_batch(
        objects, torch.tensor([1]), torch.Generator().manual_seed(3), views=2, patch=48, image_size=32
    )
    assert made["pictures"].shape == (1, 3, 32, 32) and made["rgb"].shape == (1, 2, 48, 48, 3)
    again = objects.batch([1], torch.Generator().manual_seed(3), points=0, surface=0, views=2, maps=False)
    turn = network_from_world(again["world_from_camera"][0, 0])
    surface = SCALE * objects.labels(1)["surface_points"] @ turn.mT
    for view in range(2):
        origins, directions = made["origins"][0, view].flatten(0, 1), made["directions"][0, view].flatten(0, 1)
        gaps = torch.linalg.cross(surface[None] - origins[:, None], directions[:, None]).norm(dim=-1).amin(1)
        alpha = made["alpha"][0, view].flatten()
        assert gaps[alpha == 1].max() < 0.25 * SCALE  # there are 128 points of the surface
        assert gaps[alpha == 1].mean() < 0.3 * gaps[alpha == 0].mean()


def task_of(data: Path, **options) -> TripoSrTask:
    settings = TripoSrTraining(objects=2, views=1, patch=6, **options)
    return TripoSrTask(random_net(), PackedObjects(data), settings, steps=10)


def test_checkpointing_changes_neither_loss_nor_gradients(data: Path) -> None:
    found = []
    for checkpointing in (False, True):
        task = task_of(data, checkpointing=checkpointing)
        batch = task.batch(0, torch.Generator().manual_seed(0))
        (phase,) = task.phases()
        total, parts = phase.loss(batch, 0, torch.Generator().manual_seed(1))
        assert set(parts) == {"color", "mask"}
        total.backward()
        found.append((total, task.net.backbone.proj_in.weight.grad))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


class Gap:
    """In place of the perceptual distance, whose weights are the user's: the mean difference of pictures -1..1."""

    def to(self, device: torch.device) -> Gap:
        del device
        return self

    def distances(self, images: torch.Tensor, references: torch.Tensor) -> torch.Tensor:
        assert images.shape == references.shape == (2, 3, 6, 6)
        return (images - references).abs().mean((1, 2, 3))


def test_the_perceptual_part_counts_twice(data: Path) -> None:
    task = task_of(data)
    batch, (phase,) = task.batch(0, torch.Generator().manual_seed(0)), task.phases()
    plain, _ = phase.loss(batch, 0, torch.Generator().manual_seed(1))
    task.distance = Gap()  # type: ignore[assignment]
    total, parts = phase.loss(batch, 0, torch.Generator().manual_seed(1))
    rgb, _ = task._seen(task.net, batch, torch.Generator().manual_seed(1))
    torch.testing.assert_close(parts["perceptual"], 4 * (rgb - batch["rgb"]).abs().mean().detach())
    torch.testing.assert_close(total - parts["perceptual"], plain)


def test_what_sees_the_photo_learns_as_fast_as_it_is_told(data: Path) -> None:
    assert len(task_of(data).phases()[0].groups()) == 1
    groups = task_of(data, image_rate=0.1, rate=1e-3).phases()[0].groups()
    assert len(groups) == 2 and groups[1]["lr"] == pytest.approx(1e-4)


def test_weights_are_fine_tuned(data: Path, tmp_path: Path) -> None:
    net = random_net(config=replace(CONFIG, rendering=replace(CONFIG.rendering, samples=8)))
    save_pretrained(net, net.config, tmp_path / "start", card="x", exact=True)
    words = ("--set", f"weights={tmp_path / 'start'}", "views=1", "patch=8", "rate=0.001", "write_pictures=false")
    done = monoform("train", "triposr", "--data", data, "-o", tmp_path / "run", "--steps", 3, *words)
    assert done.returncode == 0, done.stderr
    found, config = load_pretrained(TripoSrNet, TripoSrConfig, tmp_path / "run" / "weights")
    assert config == net.config
    assert not torch.equal(found.backbone.proj_in.weight, net.backbone.proj_in.weight.half().float())
    # What sees the photo is left as it is.
    torch.testing.assert_close(
        found.image_tokenizer.model.layernorm.weight, net.image_tokenizer.model.layernorm.weight.half().float()
    )
    assert "fine-tuned from" in (tmp_path / "run" / "weights" / "README.md").read_text().replace("\n  ", " ")


def test_what_cannot_be_trained_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"patch is 64 pixels; the views of .* have 48"):
        settings = TripoSrTraining(config="small")
        train_triposr(data, tmp_path / "a", settings.loop(steps=1, device="cpu", progress=False), settings)
    with pytest.raises(InputError, match="needs both files, vgg and lpips"):
        TripoSrTraining(vgg="x.pth")
