"""Training of `lift`: what a batch holds, and the command from data to weights."""

from __future__ import annotations

import socket
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from tests.command_line import monoform

from monoform.camera import Camera
from monoform.data import PackedObjects, procedural_sources
from monoform.data.packs.labels import LabelOptions
from monoform.data.packs.pack import PackOptions, pack_meshes
from monoform.data.packs.views import ViewOptions
from monoform.methods.lift import Lift, LiftConfig, LiftNet, LiftOptions
from monoform.methods.lift.crop import frame_of
from monoform.methods.lift.train import LiftTask, LiftTraining, _network
from monoform.scene.crop import around
from monoform.training import load_checkpoint
from monoform.training.weights import save_pretrained

TINY = LiftConfig(image_size=32, channels=(8, 8, 16, 16), attention=1, heads=2)


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    out = tmp_path_factory.mktemp("lift") / "pack"
    options = PackOptions(views=ViewOptions(count=2, size=48), labels=LabelOptions(points=2048, surface=512))
    assert pack_meshes(procedural_sources(2), out, options, workers=1) == []
    return out


def test_front_and_back_hold_the_object(pack):
    """Labelled points inside the object, and points on it, lie between front and back of their pixel."""
    objects = PackedObjects(pack)
    task = LiftTask(LiftNet(TINY), objects, LiftTraining(objects=2, warmup=10), steps=100)
    packed = objects.batch([0, 1], torch.Generator().manual_seed(0), points=2048, surface=512, views=1)
    made = task.assemble(packed, None, size=96)
    images = packed["images"][:, 0].permute(0, 3, 1, 2)
    camera = Camera(packed["world_from_camera"][:, 0], packed["intrinsics"][:, 0], images.shape[3], images.shape[2])
    crop = around(images[:, 3])
    frame = frame_of(camera, crop, made.distance)
    mean = (0.5 * (made.front + made.back) * made.valid).sum((1, 2)) / made.valid.sum((1, 2))
    torch.testing.assert_close(mean, torch.zeros(2), atol=1e-4, rtol=0)
    # Normals are those of the depths, where these do not break off.
    across = (made.front[:, :, 2:] - made.front[:, :, :-2])[:, 1:-1] / (4 / 48)
    plain = made.valid[:, 1:-1, 1:-1] & (across.abs() < 1) & (made.normal[:, 2, 1:-1, 1:-1] < -0.5)
    told = (-made.normal[:, 0] / made.normal[:, 2].clamp_max(-0.3))[:, 1:-1, 1:-1]
    assert plain.sum() > 100 and (told - across)[plain].abs().median() < 0.15
    assert (made.front <= made.back + 0.02)[made.valid].float().mean() > 0.99
    for name, expected in (
        ("points", packed["sdf"] < -0.015),
        ("surface_points", torch.ones(2, 512, dtype=torch.bool)),
    ):
        points, uv = frame.from_world(packed[name]), crop.uv(camera, packed[name])
        cell = ((uv + 1) * 24).long().clamp(0, 47)
        flat = cell[..., 1] * 48 + cell[..., 0]
        front, back, valid = (values.flatten(1).gather(1, flat) for values in (made.front, made.back, made.valid))
        held = (points[..., 2] > front - 0.08) & (points[..., 2] < back + 0.08)
        chosen = expected & valid
        assert chosen.sum() > 50 and held[chosen].float().mean() > 0.93, name


def test_batches_repeat_and_mirror_what_they_hold(pack):
    objects = PackedObjects(pack)
    task = LiftTask(LiftNet(TINY), objects, LiftTraining(objects=8, warmup=10, early_size=16), steps=100)
    first, again = (task.batch(3, torch.Generator().manual_seed(1)) for _ in range(2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert first["crops"].shape[-1] == 16 and task.batch(99, torch.Generator())["crops"].shape[-1] == 32
    # Mirrored or not, depth is known just where the crop's mask is.
    mask = torch.nn.functional.avg_pool2d(first["crops"][:, 3:4], 2)[:, 0]
    assert (mask[first["valid"]] > 0.2).float().mean() > 0.95
    assert (first["valid"][mask > 0.95]).float().mean() > 0.95


def test_a_small_network_learns_two_objects(pack):
    objects = PackedObjects(pack)
    torch.manual_seed(0)
    net = LiftNet(TINY)
    task = LiftTask(net, objects, LiftTraining(objects=2, warmup=5), steps=80)
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    packed = objects.batch([0, 1], torch.Generator().manual_seed(0), points=0, surface=0)
    batch = vars(task.assemble(packed, None))
    losses = []
    for step in range(80):
        total, parts = task._loss(batch, step, torch.Generator())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        losses.append(float(parts["front"] + parts["back"]))
    assert losses[-1] < 0.35 * losses[0]


@pytest.mark.parametrize("zoom", [0, 2])
def test_pictures_show_the_crop_whatever_the_network_takes(pack, zoom):
    task = LiftTask(LiftNet(replace(TINY, zoom=zoom)).eval(), PackedObjects(pack), LiftTraining(objects=2), steps=100)
    with torch.no_grad():
        shown = task.pictures(task.net)["surfaces"]
    assert shown.shape == (2 * 16, 3 * 16, 3)  # of half a crop of 32 pixels, the seen and the true ones below
    torch.testing.assert_close(shown[:16, :16], shown[16:, :16])
    assert shown[:16, :16].std() > 0.01


def test_the_command_goes_from_data_to_weights(pack, tmp_path):
    done = monoform("train", "lift", "--data", pack, "-o", tmp_path / "run", "--steps", 2)
    assert done.returncode == 0, done.stderr
    assert "2 of 2 steps" in done.stdout
    net = Lift(LiftOptions(weights=str(tmp_path / "run" / "weights"))).net
    assert all(torch.isfinite(value).all() for value in net.state_dict().values())


def test_a_training_goes_on_from_older_weights(tmp_path):
    older = LiftNet(LiftConfig())
    save_pretrained(older, older.config, tmp_path / "older", card="Untrained.")
    settings = LiftTraining(start=str(tmp_path / "older"))
    begun = _network(settings, hollows=False)
    assert begun.config.camera_outputs == 1
    # Of the two numbers of the camera that older weights tell the elevation goes on.
    torch.testing.assert_close(begun.camera[2].bias, older.camera[2].bias[:1].half().float())


def test_a_training_goes_on_from_the_weights_that_ship_and_needs_no_other_file():
    begun, shipped = _network(LiftTraining(start="shipped"), hollows=True), Lift().net
    assert begun.config == shipped.config
    assert all(torch.equal(value, shipped.state_dict()[name]) for name, value in begun.state_dict().items())


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.mark.parametrize("way", ["--processes", "two nodes"])
def test_two_processes_train_one_network(pack, tmp_path, way):
    words = ["-m", "monoform", "train", "lift", "--data", str(pack), "-o", str(tmp_path / "run"), "--steps", "2"]
    commands = [[*words, "--processes", "2", "--device", "cpu"]]
    if way == "two nodes":  # as they are told in docs/training.md, both on this machine
        launcher = ["-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1"]
        place = ["--master-addr", "127.0.0.1", "--master-port", str(_free_port())]
        commands = [[*launcher, "--node-rank", str(rank), *place, *words] for rank in range(2)]
    pipe = subprocess.PIPE
    begun = [subprocess.Popen([sys.executable, *each], stdout=pipe, stderr=pipe, text=True) for each in commands]
    told = [each.communicate(timeout=300) for each in begun]
    assert [each.returncode for each in begun] == [0] * len(begun), told
    assert "".join(out for out, _ in told).count("2 of 2 steps are done") == 1
    options = load_checkpoint(tmp_path / "run/checkpoints/step-000000002.pt").options
    assert options["micro-batches a step"] == 2
    made = sorted(path.name for path in (tmp_path / "run").iterdir())
    assert made == ["checkpoints", "metrics.jsonl", "pictures", "training.json", "weights"]
    assert isinstance(Lift(LiftOptions(weights=str(tmp_path / "run" / "weights"))).net, LiftNet)
