"""Training of `lift`: what a batch holds, and the command from data to weights."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from monoform.data import PackedObjects, procedural_sources
from monoform.data.labels import LabelOptions
from monoform.data.pack import PackOptions, pack_meshes
from monoform.data.views import ViewOptions
from monoform.methods.lift import Lift, LiftConfig, LiftNet, LiftOptions
from monoform.methods.lift.train import LiftTask, LiftTraining, drawn_density

TINY = LiftConfig(image_size=32, depths=8, colour_depths=4, channels=(8, 8, 16, 16), attention=1, heads=2)


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    out = tmp_path_factory.mktemp("lift") / "pack"
    options = PackOptions(views=ViewOptions(count=2, size=48), labels=LabelOptions(points=2048, surface=512))
    assert pack_meshes(procedural_sources(2), out, options, workers=1) == []
    return out


def test_points_are_seen_where_the_crop_shows_the_object(pack):
    objects = PackedObjects(pack)
    task = LiftTask(LiftNet(TINY), objects, LiftTraining(objects=2, points=512, surface=128, steps=100, warmup=10))
    packed = objects.batch([0, 1], torch.Generator().manual_seed(0), points=512, surface=128, views=1, maps=False)
    batch = task.assemble(packed, None)
    inside = batch.signed < -0.03
    mask = torch.nn.functional.grid_sample(batch.crops[:, 3:4], batch.uv[:, :, None], align_corners=False)[:, 0, :, 0]
    assert inside.any() and (mask[inside] > 0.4).float().mean() > 0.97
    assert batch.uv[:, 512:].abs().max() < 1.0
    widened = task.batch(3, torch.Generator().manual_seed(1))
    again = task.batch(3, torch.Generator().manual_seed(1))
    assert all(torch.equal(widened[name], again[name]) for name in widened)


def test_weights_undo_how_points_were_drawn():
    """Distances drawn around a flat surface as labels are, weighted, are spread evenly again."""
    labels, generator = LabelOptions(), torch.Generator().manual_seed(0)
    count = 400_000
    volume = 4 / 3 * torch.pi * labels.ball**3
    # A slab of area 1 and of the ball's volume stands for the ball.
    even = 1 - sum(labels.near_shares) - labels.thin_share
    parts = [(torch.rand(int(even * count), generator=generator) - 0.5) * volume]
    for noise, share in zip(labels.noise, labels.near_shares, strict=True):
        share += labels.thin_share * (noise == min(labels.noise))
        parts.append(noise * torch.randn(int(share * count), generator=generator))
    distances = torch.cat(parts)[None]
    weights = 1 / drawn_density(distances, labels)
    near = [
        float(weights[(distances > low) & (distances < low + 0.02)].sum()) for low in (-0.2, -0.05, -0.01, 0.0, 0.1)
    ]
    assert max(near) / min(near) < 1.1
    assert weights[distances.abs() < 0.002].mean() < 0.1 * weights[distances.abs() > 0.2].mean()


def test_a_small_network_learns_two_objects(pack):
    objects = PackedObjects(pack)
    torch.manual_seed(0)
    net = LiftNet(TINY)
    task = LiftTask(net, objects, LiftTraining(objects=2, points=2048, surface=128, steps=60, warmup=5))
    optimiser = torch.optim.Adam(net.parameters(), 1e-2)
    batch = vars(task.assemble(objects.batch([0, 1], torch.Generator().manual_seed(0), points=2048, surface=128), None))
    losses = []
    for step in range(60):
        total, parts = task._loss(batch, step, torch.Generator())
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        losses.append(float(parts["distance"] + parts["side"]))
    assert losses[-1] < 0.35 * losses[0]
    volumes = net.eval()(batch["crops"])
    signed, true, weight = (
        volumes.signed_at(batch["points"], batch["uv"])[:, :2048],
        batch["signed"][:, :2048],
        batch["weight"],
    )
    shared, union = (signed < 0) & (true < 0), (signed < 0) | (true < 0)
    assert (weight * shared).sum() / (weight * union).sum() > 0.5


def test_the_command_goes_from_data_to_weights(pack, tmp_path):
    command = [sys.executable, "-m", "monoform", "train", "lift", "--data", str(pack), "-o", str(tmp_path / "run")]
    done = subprocess.run([*command, "--steps", "2"], check=False, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert "2 of 2 steps" in done.stdout
    net = Lift(LiftOptions(weights=str(tmp_path / "run" / "weights"))).net
    assert all(torch.isfinite(value).all() for value in net.state_dict().values())
