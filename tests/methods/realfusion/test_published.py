"""The authors' checkpoints: what is in the file, what is beside it, and what neither says."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
from tests.methods.realfusion.tiny_realfusion import NETWORK

from monoform.cli.convert import run
from monoform.errors import InputError
from monoform.methods.realfusion.model import RealFusionField
from monoform.methods.realfusion.network_config import FieldConfig
from monoform.methods.realfusion.published import checkpoint_in, field_config, read_published
from monoform.render.occupancy import pack_bits
from monoform.training import load_pretrained, save_pretrained

OPTIONS = {"bound": 0.75, "grid_levels": 3, "grid_resolution": 48, "grid_levels_mask": 2, "bg_radius": 1.4}
OPTIONS |= {"grid_levels_mask_iters": 3000, "max_steps": 64}


def written(folder: Path, *, step: int | None, options: dict[str, Any] = OPTIONS) -> tuple[Path, RealFusionField]:
    """A run's folder as the authors' program leaves it, and the field in it."""
    torch.manual_seed(len(options))
    field = RealFusionField(field_config(options))
    field.encoder.embeddings.data.normal_()
    grid = field.occupancy.density_grid.uniform_(0.0, 20.0)
    field.occupancy.density_bitfield.copy_(pack_bits(grid, field.config.density_threshold))
    field.occupancy.unpack()
    state = {
        name.removeprefix("occupancy."): one for name, one in field.state_dict().items() if name != "hidden_levels"
    }
    state |= {"aabb_train": torch.zeros(6), "aabb_infer": torch.zeros(6), "step_counter": torch.zeros(16, 2).int()}
    content: Any = state if step is None else {"epoch": 1, "global_step": step, "model": state}
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(options))
    torch.save(content, folder / "checkpoints" / "df.pth")
    return folder, field


@pytest.mark.parametrize(("step", "shown"), [(3000, 1), (3001, 3), (None, 3)])
def test_a_run_comes_back_with_the_levels_of_its_step(tmp_path: Path, step: int | None, shown: int) -> None:
    folder, field = written(tmp_path / "run", step=step)
    found, config = read_published(folder)
    assert found.shown_levels == shown and config.mirrored
    field.hide_levels(3 - shown)
    there = torch.rand(20, 3) - 0.5
    assert torch.equal(found.density(there), field.density(there))
    assert torch.equal(found.occupancy.occupied, field.occupancy.occupied) and bool(found.occupancy.occupied.any())


def test_a_field_without_background_is_known_by_its_tensors(tmp_path: Path) -> None:
    folder, _ = written(tmp_path / "run", step=1, options=OPTIONS | {"bg_radius": -1})
    (folder / "config.json").write_text(json.dumps(OPTIONS))
    assert read_published(folder)[0].bg_net is None


def test_other_files_are_refused_in_a_sentence(tmp_path: Path) -> None:
    folder, _ = written(tmp_path / "run", step=1)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"holds no checkpoint \*\.pth"):
        read_published(tmp_path / "empty")
    (folder / "config.json").write_text(json.dumps(OPTIONS | {"grid_levels": 4}))
    with pytest.raises(InputError, match="of other levels than its options say"):
        read_published(folder)
    (folder / "config.json").write_text(json.dumps(OPTIONS | {"bound": "wide"}))
    with pytest.raises(InputError, match="which is no number"):
        read_published(folder)


def test_every_way_to_name_a_run_finds_its_last_checkpoint(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    first, _ = written(runs / "2023-01-01--seed-1", step=1)
    last = shutil.copytree(first, runs / "2023-02-01--seed-1")
    for folder in (first, last):
        torch.save({}, folder / "checkpoints" / "current.pth")
        (folder / "run").mkdir()
        torch.save({}, folder / "run" / "zzz.pth")
    file = last / "checkpoints" / "df.pth"
    for spelled in (file, file.parent, last, last / "latest", last / "checkpoints" / "latest_model", runs, tmp_path):
        assert checkpoint_in(spelled) == file
    assert checkpoint_in(first) == first / "checkpoints" / "df.pth"
    with pytest.raises(InputError, match="There is no"):
        read_published(last / "newest")


def test_options_of_another_program_are_left_alone(tmp_path: Path) -> None:
    folder, field = written(tmp_path / "run", step=None)
    (folder / "checkpoints" / "config.json").write_text('{"architectures": ["UNet"]}')
    there = torch.rand(20, 3) - 0.5
    assert torch.equal(read_published(folder)[0].density(there), field.density(there))


def test_hidden_levels_survive_our_own_weights_and_are_the_command_s(tmp_path: Path) -> None:
    folder, field = written(tmp_path / "run", step=3000)
    made = subprocess.run(
        [sys.executable, "-m", "monoform", "convert", str(folder / "latest"), "--method", "realfusion", "-o", "w"],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    found, config = load_pretrained(RealFusionField, FieldConfig, str(tmp_path / "w"))
    assert config == field.config and found.shown_levels == 1
    field.hide_levels(2)
    there = torch.rand(20, 3) - 0.5
    assert torch.equal(found.density(there), field.density(there))


def convert(source: Path, out: Path) -> None:
    """The command."""
    with patch("monoform.cli.main.interruptible"):
        assert run([str(source), "--method", "realfusion", "-o", str(out)]) == 0


def same_density(one: RealFusionField, other: RealFusionField) -> bool:
    there = torch.rand(50, 3) - 0.5
    return torch.equal(one.density(there), other.density(there))


@pytest.mark.parametrize(
    ("spelling", "bare"),
    [
        ("runs/a--seed-1/checkpoints/df.pth", False),
        ("runs/a--seed-1/checkpoints/df.pth", True),
        ("runs/a--seed-1/checkpoints/latest", False),
        ("runs/a--seed-1/checkpoints", False),
        ("runs/a--seed-1/latest", False),
        ("runs/a--seed-1", True),
        ("runs", False),
    ],
)
def test_the_command_takes_a_run_in_every_spelling(tmp_path: Path, spelling: str, bare: bool) -> None:
    _, field = written(tmp_path / "runs" / "a--seed-1", step=None if bare else 3000)
    field.hide_levels(0 if bare else 2)
    convert(tmp_path / spelling, tmp_path / "fish")
    shown, config = load_pretrained(RealFusionField, FieldConfig, tmp_path / "fish")
    assert config.bound == 0.75 and config.levels == 3 and shown.shown_levels == field.shown_levels
    assert same_density(shown, field) and torch.equal(shown.occupancy.occupied, field.occupancy.occupied)


def test_of_several_runs_the_last_is_taken(tmp_path: Path) -> None:
    written(tmp_path / "2023-01", step=1)
    _, last = written(tmp_path / "2023-02", step=1, options=OPTIONS | {"dt_gamma": 0.0})
    last.hide_levels(2)
    assert same_density(read_published(tmp_path)[0], last)


@pytest.mark.parametrize("step", [3000, 3001])
def test_weights_are_written_back_with_the_levels_that_are_left_out(tmp_path: Path, step: int) -> None:
    folder, _ = written(tmp_path / "run", step=step)
    weights, back, again = tmp_path / "weights", tmp_path / "back" / "df.pth", tmp_path / "again"
    back.parent.mkdir()
    for source, out in ((folder, weights), (weights, back), (back, again)):
        convert(source, out)
    stored = torch.load(back, weights_only=True)["model"]
    given = torch.load(folder / "checkpoints" / "df.pth", weights_only=True)["model"]
    assert {name: one.shape for name, one in stored.items()} == {name: one.shape for name, one in given.items()}
    one, other = (load_pretrained(RealFusionField, FieldConfig, each)[0] for each in (weights, again))
    assert one.shown_levels == other.shown_levels == (1 if step == 3000 else 3)
    assert all(torch.equal(tensor, other.state_dict()[name]) for name, tensor in one.state_dict().items())


def test_a_field_that_the_authors_do_not_have_is_not_written_back(tmp_path: Path) -> None:
    save_pretrained(RealFusionField(NETWORK), NETWORK, tmp_path / "weights", card="A ball.")
    with pytest.raises(InputError, match="a field that RealFusion's program does not have"):
        convert(tmp_path / "weights", tmp_path / "df.pth")
    assert not (tmp_path / "df.pth").exists() and not (tmp_path / "config.json").exists()


def test_files_that_are_there_stay(tmp_path: Path) -> None:
    folder, _ = written(tmp_path / "run", step=1)
    convert(folder, tmp_path / "weights")
    (tmp_path / "back").mkdir()
    (tmp_path / "back" / "config.json").write_text("{}")
    with pytest.raises(InputError, match=r"config\.json"):
        convert(tmp_path / "weights", tmp_path / "back" / "df.pth")
    assert (tmp_path / "back" / "config.json").read_text() == "{}" and not (tmp_path / "back" / "df.pth").exists()
