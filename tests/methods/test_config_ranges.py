"""A configuration of weights either makes a network that runs, or is refused by a sentence before anything is made."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from monoform.errors import InputError
from monoform.matting.network import MattingConfig, MattingNet
from monoform.methods.lift.config import LiftConfig
from monoform.methods.lift.model import LiftNet
from monoform.methods.list.config import PRESETS
from monoform.methods.list.model import build
from monoform.methods.nerf.frequency_config import NerfConfig
from monoform.methods.nerf.hash_config import HashConfig
from monoform.methods.nerf.hash_model import HashScene
from monoform.methods.nerf.model import NerfNet
from monoform.methods.pixelnerf.config import PixelNerfConfig
from monoform.methods.pixelnerf.model import PixelNerfNet
from monoform.training.weights import CONFIG, load_pretrained, save_pretrained

NETWORKS: dict[str, tuple[Callable[[Any], torch.nn.Module], Any]] = {
    "lift": (LiftNet, LiftConfig(image_size=32, channels=(8, 8, 8, 8), attention=1, heads=2)),
    "list": (build, PRESETS["small"]),
    "nerf": (NerfNet, NerfConfig()),
    "hash": (HashScene, HashConfig()),
    "pixelnerf": (PixelNerfNet, PixelNerfConfig()),
    "matting": (MattingNet, MattingConfig()),
}
IMPOSSIBLE = (math.nan, math.inf, -math.inf, -1, 10**30, 1e300, -(2**63))


def numbers(values: dict[str, Any], path: tuple = ()) -> list[tuple]:
    """Where the numbers of a nested configuration are."""
    found = []
    for name, value in values.items() if isinstance(values, dict) else enumerate(values):
        if isinstance(value, (dict, list, tuple)):
            found += numbers(value, (*path, name))
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            found.append((*path, name))
    return found


def changed(values: Any, path: tuple, value: Any) -> Any:
    """A copy with one number replaced."""
    if not path:
        return value
    items = dict(values) if isinstance(values, dict) else list(values)
    items[path[0]] = changed(items[path[0]], path[1:], value)
    return items


@pytest.mark.parametrize("name", NETWORKS)
def test_impossible_numbers_are_refused_before_anything_is_made(name: str, tmp_path: Path) -> None:
    make, config = NETWORKS[name]
    folder = tmp_path / "w"
    with torch.device("cpu"):
        save_pretrained(make(config), config, folder, card="made here")
    values = json.loads((folder / CONFIG).read_text())
    places = numbers(values["config"])
    assert places
    for place in places:
        for value in IMPOSSIBLE:
            if value == -1 and place[0] in ("center", "sphere", "bounds", "level"):
                continue
            wrong = changed(values["config"], place, value)
            (folder / CONFIG).write_text(json.dumps({**values, "config": wrong}))
            with pytest.raises(InputError) as refused:
                load_pretrained(make, type(config), folder)
            assert CONFIG in str(refused.value) or "another architecture" in str(refused.value), place


@pytest.mark.parametrize(
    "content", ["[]", "5", '{"config": [1]}', '{"config": null}', "{}", "[" * 100_000, '{"config": {"x": 1}}']
)
def test_configurations_of_another_kind_are_refused(content: str, tmp_path: Path) -> None:
    make, config = NETWORKS["lift"]
    save_pretrained(make(config), config, tmp_path / "w", card="made here")
    (tmp_path / "w" / CONFIG).write_text(content)
    with pytest.raises(InputError, match=r"config\.json"):
        load_pretrained(make, LiftConfig, tmp_path / "w")


def test_sizes_are_compared_with_the_file_before_they_are_made(tmp_path: Path) -> None:
    make, config = NETWORKS["lift"]
    save_pretrained(make(config), config, tmp_path / "w", card="made here")
    huge = dataclasses.asdict(LiftConfig(image_size=1024, channels=(2048,) * 4, attention=64))
    (tmp_path / "w" / CONFIG).write_text(json.dumps({"config": huge}))  # 18 GB
    with pytest.raises(InputError, match="of another architecture"):
        load_pretrained(make, LiftConfig, tmp_path / "w")


@pytest.mark.parametrize(
    ("channels", "attention", "heads", "dropout", "size"),
    [((8, 8, 8, 8), 0, 1, 0.0, 32), ((16, 8, 24, 40), 2, 5, 0.2, 48), ((8, 16, 8, 8), 1, 8, 0.1, 32)],
)
def test_configurations_of_lift_that_are_taken_run(
    channels: tuple[int, ...], attention: int, heads: int, dropout: float, size: int
) -> None:
    config = LiftConfig(image_size=size, channels=channels, attention=attention, heads=heads, dropout=dropout)
    net = LiftNet(config).eval()
    found = net(torch.rand(1, 6, size, size))
    assert found.front.shape == (1, size // 2, size // 2) and bool(torch.isfinite(found.front).all())
    assert bool(torch.isfinite(net.kept_channels(torch.Generator().manual_seed(0))).all())


@pytest.mark.parametrize(
    "wrong",
    [
        {"heads": 7},
        {"channels": (8, 8, 8)},
        {"channels": (8, 8, 8, 12)},
        {"image_size": 24},
        {"channels": ()},
        {"heads": 0},
    ],
)
def test_sizes_of_lift_that_do_not_fit_together_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="lift's"):
        LiftConfig(**wrong)
