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
from monoform.methods.lift.train import LiftTask, LiftTraining, outlines_of

TINY = LiftConfig(image_size=32, fine=8, middle=8, code=16, width=24, blocks=1, octaves=2)


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
    views = packed["view"][:, 0]
    made = outlines_of(objects)
    outlines = torch.stack([torch.from_numpy(made[row, int(view)].copy()).float() for row, view in enumerate(views)])
    batch = task.assemble(packed, outlines, None)
    inside = batch.signed < -0.03
    mask = torch.nn.functional.grid_sample(batch.crops[:, 3:4], batch.uv[:, :, None], align_corners=False)[:, 0, :, 0]
    assert inside.any() and (mask[inside] > 0.4).float().mean() > 0.97
    assert batch.uv[:, 512:].abs().max() < 1.0
    widened = task.batch(3, torch.Generator().manual_seed(1))
    again = task.batch(3, torch.Generator().manual_seed(1))
    assert all(torch.equal(widened[name], again[name]) for name in widened)


def test_the_command_goes_from_data_to_weights(pack, tmp_path):
    command = [sys.executable, "-m", "monoform", "train", "lift", "--data", str(pack), "-o", str(tmp_path / "run")]
    done = subprocess.run([*command, "--steps", "2"], check=False, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert "2 of 2 steps" in done.stdout
    net = Lift(LiftOptions(weights=str(tmp_path / "run" / "weights"))).net
    assert all(torch.isfinite(value).all() for value in net.state_dict().values())
