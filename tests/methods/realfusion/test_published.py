"""The authors' checkpoints: what is in the file, what is beside it, and what neither says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from monoform.errors import InputError
from monoform.methods.realfusion.model import RealFusionField
from monoform.methods.realfusion.published import field_config, read_published

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
