"""Names that were others before: arguments, attributes, options, stored configurations and modules know both."""

from __future__ import annotations

import importlib
import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import pytest
from torch import nn

from monoform.cli.settings import parse_settings, split_flags
from monoform.errors import InputError
from monoform.methods.inerf import PhotometricAdam
from monoform.methods.list.config import ListConfig
from monoform.methods.nerf.config import SceneTraining
from monoform.methods.nerf.hash_config import HashConfig, HashNetwork
from monoform.methods.pixelnerf.config import PixelNerfConfig
from monoform.methods.registry import create
from monoform.renamed import current_names, old_names, renamed
from monoform.training import load_pretrained, save_pretrained
from monoform.training.weights import CONFIG


@renamed(colour="color", grey="gray")
@dataclass(frozen=True)
class Paint:
    color: float = 0.0
    gray: float = 0.0


@dataclass(frozen=True)
class Wall:
    paint: Paint = field(default_factory=Paint)


def test_old_arguments_and_attributes_warn_and_mean_the_new_ones() -> None:
    with pytest.warns(DeprecationWarning, match=r"Paint\.colour is now color\."):
        old = Paint(colour=0.5)  # type: ignore[call-arg]
    assert old == Paint(color=0.5)
    with pytest.warns(DeprecationWarning, match="is now color"):
        assert old.colour == 0.5  # type: ignore[attr-defined]
    with pytest.warns(DeprecationWarning):
        assert replace(old, colour=0.25) == Paint(color=0.25)  # type: ignore[call-arg]
    assert asdict(old) == {"color": 0.5, "gray": 0.0}


def test_stored_values_get_the_names_of_now_and_a_field_twice_is_not_hidden() -> None:
    assert current_names(Paint, {"colour": 1, "gray": 2, "x": 3}) == {"color": 1, "gray": 2, "x": 3}
    assert current_names(Paint, {"colour": 1, "color": 2}) == {"colour": 1, "color": 2}


def test_options_by_their_old_names_are_taken_with_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert parse_settings(Wall, ["paint.colour=0.5"], "a wall") == {"paint": Paint(color=0.5)}
    assert capsys.readouterr().err == "monoform: --set paint.colour is now paint.color.\n"
    assert split_flags(Wall, ["--paint.colour", "0.5", "--grey", "1"], ()) == (["paint.color=0.5"], ["--grey", "1"])
    assert capsys.readouterr().err == "monoform: --paint.colour is now --paint.color.\n"
    assert split_flags(SceneTraining, ["--reduced=8", "--no-gains"], ()) == (
        ["downscale_factor=8", "exposure=false"],
        [],
    )
    words = ["--set", "reduced=8", "rays=512", "reduced"]
    assert split_flags(SceneTraining, words, {"--set"}) == ([], words)
    told = "monoform: --reduced is now --downscale-factor.\nmonoform: --gains is now --exposure.\n"
    assert capsys.readouterr().err == told
    words = ["centre=1 2 3", "reduced=4", "clear=0.5", "steps_along=9", "log2_rows=12", "judged=3", "gains=true"]
    found = parse_settings(SceneTraining, words, "train scene")
    assert SceneTraining(**found) == SceneTraining(
        center=(1.0, 2.0, 3.0),
        downscale_factor=4.0,
        opacity_entropy_weight=0.5,
        n_samples=9,
        log2_hashmap_size=12,
        validation_rays=3,
        exposure=True,
    )
    assert len(capsys.readouterr().err.splitlines()) == len(words)
    parse_settings(SceneTraining, ["center=1 2 3"], "train scene")
    assert capsys.readouterr().err == ""
    with pytest.raises(InputError, match=r"NAME of a wall: paint\.color, paint\.gray"):
        parse_settings(Wall, ["paint.colours=1"], "a wall")


@pytest.mark.parametrize(
    ("config", "old"),
    [
        (PixelNerfConfig(), {"centered": "centred", "shifted_center": "shifted_centre"}),
        (ListConfig(), {"localizer": "localiser"}),
        (
            HashConfig(network=HashNetwork(log2_hashmap_size=9, geo_features=7), center=(1.0, 2.0, 3.0)),
            {
                "log2_hashmap_size": "log2_rows",
                "geo_features": "told",
                "center": "centre",
                "density_threshold": "thickest",
            },
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_configurations_of_older_weights_are_read(config: object, old: dict[str, str], tmp_path: Path) -> None:
    save_pretrained(nn.Linear(1, 1), config, tmp_path / "w", card="made here")
    file = tmp_path / "w" / CONFIG
    text = file.read_text()
    for now, before in old.items():
        assert f'"{now}"' in text
        text = text.replace(f'"{now}"', f'"{before}"')
    file.write_text(text)
    assert json.loads(text)["config"] != asdict(config)  # type: ignore[call-overload]
    assert load_pretrained(lambda _: nn.Linear(1, 1), type(config), tmp_path / "w")[1] == config


OLD = [
    ("camera", "from_integer_centres", "from_integer_centers"),
    ("camera", "to_integer_centres", "to_integer_centers"),
    ("data", "WidenOptions", "AugmentOptions"),
    ("data", "widened", "augmented"),
    ("data", "widened_sources", "augmented_sources"),
    ("jobs.pose_scenes", "KnownScene", "PoseTarget"),
    ("mesh", "two_sheets", "front_back_atlas"),
    ("methods", "Surroundings", "SceneBounds"),
    ("methods.inerf", "Descent", "PhotometricAdam"),
    ("methods.pixelnerf.photos", "normalise_photo", "normalize_photo"),
    ("training", "Optimiser", "Optimizer"),
]


@pytest.mark.parametrize(("module", "old", "now"), OLD)
def test_old_public_names_are_the_new_ones(module: str, old: str, now: str) -> None:
    home = importlib.import_module(f"monoform.{module}")
    with pytest.warns(DeprecationWarning, match=f"{old} is now {now}"):
        assert getattr(home, old) is getattr(home, now)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = home.nothing


def test_old_values_of_options_are_taken() -> None:
    assert PhotometricAdam(sampling="centre") == PhotometricAdam(sampling="center")


def test_python_creates_a_method_with_an_unknown_option_refused() -> None:
    with pytest.raises(InputError, match="has no option colour"):
        create("inflate", colour=1)
    with pytest.raises(AttributeError):
        old_names(__name__, {})("x")
