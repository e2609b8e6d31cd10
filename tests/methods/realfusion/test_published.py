"""The authors' checkpoints: what is in the file, what is beside it, and what neither says."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from monoform.errors import InputError
from monoform.methods.realfusion.model import RealFusionField
from monoform.methods.realfusion.network_config import FieldConfig
from monoform.methods.realfusion.published import checkpoint_in, field_config, read_published
from monoform.training import load_pretrained

OPTIONS = {"bound": 0.75, "grid_levels": 3, "grid_resolution": 48, "grid_levels_mask": 2, "bg_radius": 1.4}
OPTIONS |= {"grid_levels_mask_iters": 3000, "max_steps": 64}


def written(folder: Path, *, step: int | None, options: dict[str, Any] = OPTIONS) -> tuple[Path, RealFusionField]:
    """A run's folder as the authors' program leaves it, and the field in it."""
    torch.manual_seed(len(options))
    field = RealFusionField(field_config(options))
    field.encoder.embeddings.data.normal_()
    with torch.no_grad():
        field.occupancy.update(field.density)
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
