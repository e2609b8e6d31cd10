"""Words of devices, modules and values brought there, and a pretended device that catches what stays behind."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from monoform.camera import orbit
from monoform.devices import device_named, device_of, hosted, on_device, to_device
from monoform.errors import InputError
from monoform.nn.field import Field, FieldSamples, HostField
from tests.pretend_device import pretend_device


def has(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: "cuda" in names)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: "mps" in names)


@pytest.mark.parametrize(
    ("there", "found"), [(("cuda", "mps"), "cuda"), (("cuda",), "cuda"), (("mps",), "mps"), ((), "cpu")]
)
def test_auto_is_the_first_that_is_there(there: tuple[str, ...], found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    has(monkeypatch, *there)
    assert device_named("auto") == torch.device(found)
    for name in (*there, "cpu"):
        assert device_named(name) == torch.device(name)


def test_a_device_that_is_absent_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    has(monkeypatch, "mps")
    with pytest.raises(InputError) as caught:
        device_named("cuda")
    assert str(caught.value) == "--device is cuda, which is not there: this machine computes on mps or cpu."
    with pytest.raises(InputError, match="--device is 'tpu'; choose one of auto, cpu, cuda, mps"):
        device_named("tpu")


@pytest.mark.parametrize(
    "verb",
    [
        "reconstruct x.png",
        "pose x.png --scene s",
        "film r",
        "train lift --data d",
        "generate m",
        "doctor",
        "prepare photos x.png",
        "evaluate nerf --scene s",
    ],
)
def test_every_verb_refuses_a_device_that_is_absent(
    verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: object
) -> None:
    from monoform.cli.main import main

    has(monkeypatch)
    with pytest.raises(SystemExit) as left:
        main([*verb.split(), *([] if verb == "doctor" else ["-o", f"{tmp_path}/out"]), "--device", "mps"])
    assert left.value.code == 2
    assert "monoform: --device is mps, which is not there: this machine computes on cpu.\n" in capsys.readouterr().err


def test_a_module_is_copied_and_the_copy_is_kept() -> None:
    net = nn.Linear(2, 3)
    assert on_device(net, torch.device("cpu")) is net
    copy = on_device(net, torch.device("meta"))
    assert copy is on_device(net, torch.device("meta")) and device_of(copy).type == "meta"
    assert device_of(net).type == "cpu" and device_of(nn.ReLU()).type == "cpu"
    assert on_device(net, torch.device("cpu")) is net


class Pair(NamedTuple):
    first: Tensor
    second: str


@dataclass(frozen=True)
class Box:
    values: list[Tensor]
    inner: Pair
    none: None = None


def test_values_of_all_containers_are_brought() -> None:
    box = Box([torch.ones(2)], Pair(torch.zeros(1), "word"))
    moved = to_device(
        {"box": box, "camera": orbit(1, elevation=0.0, distance=1.0, fov_y=1.0, width=2, height=2)},
        torch.device("meta"),
    )
    assert moved["box"].values[0].is_meta and moved["box"].inner.first.is_meta and moved["box"].inner.second == "word"
    assert moved["camera"].world_from_camera.is_meta and not box.values[0].is_meta


def test_the_pretended_device_computes_and_refuses_to_mix() -> None:
    torch.manual_seed(0)
    net, x = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2)).eval(), torch.randn(3, 4)
    expected = net(x)
    with pretend_device() as device:
        away = on_device(net, device)
        found = away(x.to(device))
        assert found.device == device and torch.equal(found.cpu(), expected)
        found.square().sum().backward()
        gradient = away[0].weight.grad
        assert gradient is not None and bool((gradient.cpu() != 0).any())
        for mix in (lambda: away(x), lambda: x + found[0, 0].expand(4), lambda: torch.cat((x, found))):
            with pytest.raises(RuntimeError, match="two devices"):
                mix()
        with pytest.raises((TypeError, RuntimeError)):
            found.detach().numpy()
        assert torch.equal(hosted(away, device)(x), expected)


class Ball(Field):
    """A density of the device of its center."""

    kind = "density"
    representative_direction = None

    def __init__(self, center: Tensor) -> None:
        self.center = center

    @property
    def bounds(self) -> Tensor:
        return torch.stack((self.center - 1, self.center + 1))

    def query(self, points: Tensor, directions: Tensor | None = None) -> FieldSamples:
        away = (points - self.center).norm(dim=-1)
        return FieldSamples((1 - away).clamp_min(0), away[..., None].expand(*away.shape, 3))

    def confidence(self, points: Tensor) -> Tensor:
        return (points - self.center).norm(dim=-1)


def test_a_field_elsewhere_answers_where_it_is_asked() -> None:
    points = torch.rand(5, 3)
    with pretend_device() as device:
        field = HostField(Ball(torch.zeros(3).to(device)))
        own = Ball(torch.zeros(3))
        assert field.bounds.device.type == "cpu" and torch.equal(field.bounds, own.bounds)
        assert torch.equal(field.geometry(points), own.geometry(points))
        assert torch.equal(field.query(points).values, own.query(points).values)
        assert torch.equal(field.confidence(points), own.confidence(points))
        assert isinstance(field, Field) and field.kind == "density" and not hasattr(field, "behind")


def test_words_are_read_without_torch() -> None:
    code = "import sys, monoform.cli.reconstruct, monoform.cli.generate; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
