"""The authors' checkpoints: a scene's tensors, and its options in config.json beside it (section 8.2 of the format)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...errors import InputError
from ...inputs import read_json_value
from ...inputs.checkpoints import read_checkpoint
from ...nn.state_dict import fill, named_tensors
from ...outputs import atomic_file
from ...training import load_pretrained
from ...training.card import converted_card
from .model import RealFusionField
from .network_config import PUBLISHED_FIELD, FieldConfig

ADVICE = "give a checkpoint of RealFusion's main.py, as df.pth"
NAMES = {
    "bound": "bound",
    "grid_levels": "levels",
    "grid_resolution": "resolution",
    "blob_density": "blob_density",
    "blob_radius": "blob_radius",
    "density_thresh": "density_threshold",
    "max_steps": "steps",
    "dt_gamma": "step_growth",
}
"""Their options and ours."""
KNOWN = (*NAMES, "bg_radius", "grid_levels_mask", "grid_levels_mask_iters")
HIDDEN, UNTIL, BEHIND = 8, 3000, 1.4  # of these options, where nothing is said
OPTIONS = "config.json"
DEFAULT = "auto"
LATEST = ("latest", "latest_model", "best")
USE = "monoform reconstruct PHOTO --method realfusion --set weights={folder} -o OUT"
IGNORED = ("aabb_train", "aabb_infer", "step_counter")
OCCUPANCY = ("density_grid", "density_bitfield")


def field_config(options: Mapping[str, Any]) -> FieldConfig:
    """Sizes of a field, of the authors' options; what these do not say has its published default.

    Raises:
        InputError: a value is out of its range.
    """
    given = {ours: options[theirs] for theirs, ours in NAMES.items() if theirs in options}
    if options.get("bg_radius", 1.0) <= 0:
        given["background_hidden"] = 0
    return replace(PUBLISHED_FIELD, **given)


def fill_field(field: RealFusionField, state: Mapping[str, Tensor], source: str) -> None:
    """Give a field the tensors of a checkpoint.

    Raises:
        InputError: they do not fit.
    """
    found = {}
    for name, tensor in state.items():
        if name not in IGNORED:
            found[f"occupancy.{name}" if name in OCCUPANCY else name] = tensor
    wanted = {name: tensor for name, tensor in field.state_dict().items() if name != "hidden_levels"}
    offsets = found.get("encoder.offsets")
    if offsets is not None and not torch.equal(offsets.cpu(), field.encoder.offsets.cpu()):
        raise InputError(f"{source} has a grid of other levels than its options say: {ADVICE}.")
    fill(wanted, found, source, ADVICE)
    field.occupancy.unpack()


def config_names() -> list[str]:
    """Where the options of a checkpoint are; auto for config.json beside it or above."""
    return [DEFAULT]


def read_published(file: str | Path, config: str | FieldConfig = DEFAULT) -> tuple[RealFusionField, FieldConfig]:
    """The field of a checkpoint of the authors, in evaluation mode, with its sizes.

    Levels of the grid that are left out are not in the file: those of its step are, by the options.

    Args:
        file: as `checkpoint_in` takes it.
        config: "auto", or the sizes.

    Raises:
        InputError: there is no checkpoint, it is damaged, or does not fit its options.
    """
    path = checkpoint_in(Path(file))
    options = options_beside(path)
    content = read_checkpoint(path, ADVICE)
    step = content.get("global_step") if isinstance(content, dict) and "model" in content else None
    state = named_tensors(content["model"] if step is not None else content, path, ADVICE)
    chosen = field_config(options) if isinstance(config, str) else config
    if "bg_net.net.0.weight" not in state:
        chosen = replace(chosen, background_hidden=0)
    field = RealFusionField(chosen)
    fill_field(field, state, f"{path} does not fit its options")
    hidden, until = options.get("grid_levels_mask", HIDDEN), options.get("grid_levels_mask_iters", UNTIL)
    field.hide_levels(hidden if isinstance(step, int) and step <= until else 0)
    return field.eval(), chosen


def reads_folder(folder: str | Path) -> bool:
    """Whether it is a run of the authors' program, or holds such."""
    return any(each.is_file() for each in Path(folder).rglob("*.pth"))


def write_weights(folder: str | Path, file: str | Path) -> list[Path]:
    """Write a folder of weights as the authors' program reads them, with its options in config.json beside it.

    The step that it tells is one at which as many levels of the grid are left out.

    Raises:
        InputError: the folder holds no field, or one that these options cannot describe.
    """
    field, config = load_pretrained(RealFusionField, FieldConfig, folder)
    options: dict[str, Any] = {theirs: getattr(config, ours) for theirs, ours in NAMES.items()}
    hidden = int(field.hidden_levels)
    options |= {"bg_radius": BEHIND if config.background_hidden else -1.0, "grid_levels_mask_iters": UNTIL}
    options["grid_levels_mask"] = hidden or HIDDEN
    if field_config(options) != config:
        raise InputError(f"{folder} is a field that RealFusion's program does not have: it reads only published ones.")
    state = {name: one for name, one in field.state_dict().items() if name != "hidden_levels"}
    state = {name.removeprefix("occupancy."): one for name, one in state.items()}
    box = torch.tensor([-config.bound] * 3 + [config.bound] * 3)
    state |= {"aabb_train": box, "aabb_infer": box, "step_counter": torch.zeros(16, 2, dtype=torch.int32)}
    counts = {"epoch": 1, "global_step": UNTIL + (not hidden), "mean_count": 0}
    content = counts | {"mean_density": field.occupancy.mean_density, "model": state}
    beside = written_beside(folder, file)[0]
    with atomic_file(file) as draft, atomic_file(beside) as text:  # both or none
        torch.save(content, draft)
        text.write_text(json.dumps(options, indent=2) + "\n", encoding="utf-8")
    return [Path(file), beside]


def written_beside(folder: str | Path, file: str | Path) -> tuple[Path, ...]:
    """The file of the options."""
    del folder
    return (Path(file).parent / OPTIONS,)


def checkpoint_in(path: Path) -> Path:
    """The checkpoint itself, or the last by name of a run's folder; of a folder of runs, that of the last run.

    RUN/latest, as the authors' program has it, is the last of RUN.

    Raises:
        InputError: there is none in the folder.
    """
    if path.name in LATEST and not path.exists() and path.parent.is_dir():
        path = path.parent
    if not path.is_dir():
        return path
    of_runs = [path, *sorted((each for each in path.rglob("*") if each.is_dir()), reverse=True)]
    for run in of_runs:
        # Beside its checkpoints/ a run has folders with other files.
        for folder in (run / "checkpoints", run):
            found = [each for each in folder.glob("*.pth") if each.is_file()]
            if found and (folder != run or run == path or not (run.parent / "checkpoints").is_dir()):
                return max(found)
    raise InputError(f"{path} holds no checkpoint *.pth: {ADVICE}.")


def options_beside(path: Path) -> dict[str, Any]:
    """What config.json beside a checkpoint, or in the folder above, says; nothing where there is none of theirs.

    Raises:
        InputError: it cannot be read, or an option is no number.
    """
    for folder in (path.parent, path.parent.parent):
        file = folder / OPTIONS
        if file.is_file():
            found = read_json_value(file)
            if not isinstance(found, dict):
                raise InputError(f"{file} holds no options: copy it again.")
            if not any(name in found for name in KNOWN):
                continue  # of another program
            wrong = [name for name in KNOWN if name in found and not _is_number(found[name])]
            if wrong:
                raise InputError(f"{file} has {wrong[0]} {found[wrong[0]]!r}, which is no number: copy it again.")
            return found
    return {}


def card(file: str | Path, config: str, precision: str) -> str:
    """What is known of a converted checkpoint."""
    del config
    return converted_card(
        "RealFusion, a field of one object",
        "A scene in the format of the RealFusion release (Melas-Kyriazi et al. 2023)",
        file=file,
        precision=precision,
        fails="everything but its object.",
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
