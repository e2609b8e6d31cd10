"""The table of the weights that ship: it is of the files that lie there, and other files are told."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from monoform import weights
from monoform.errors import InputError
from monoform.jobs import doctor
from monoform.methods import every_method
from monoform.weights import Weights, shipped


def test_the_table_is_of_what_ships() -> None:
    folders = {file.parent.name for file in weights.PLACE.glob("*/model.safetensors")}
    assert shipped().keys() == folders
    for each in shipped().values():
        each.require_intact()
        assert each.bytes == (each.folder / weights.FILE).stat().st_size
        assert each.license in each.card and each.card.startswith("# ")
        assert all(part in each.card for part in each.data.split(", ") if part.startswith("CC"))
        assert "architecture" in json.loads((each.folder / "config.json").read_text())


def test_cards_of_methods_name_weights_of_the_table() -> None:
    for method in every_method().values():
        if method.card.weights is not None:
            named = [shipped()[name] for name in method.card.weights.split(", ")]
            assert method.card.size == pytest.approx(sum(each.megabytes for each in named))


@pytest.fixture
def moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Weights:
    """Weights of another place, which the doctor looks at."""
    own = shipped()["pixelnerf"]
    shutil.copytree(own.folder, tmp_path / "pixelnerf")
    monkeypatch.setattr(weights, "PLACE", tmp_path)
    monkeypatch.setattr(doctor, "shipped", lambda: {"pixelnerf": own})
    return own


def found() -> doctor.Finding:
    return doctor._checked("weights", doctor._weights)


def test_other_bytes_are_told_in_one_sentence(moved: Weights) -> None:
    assert found().good and "1 files are those of the table" in found().found
    file = moved.folder / weights.FILE
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(InputError) as caught:
        moved.require_intact()
    sentence = str(caught.value)
    assert str(file) in sentence and moved.sha256 in sentence and sentence.endswith("install monoform again.")
    assert not found().good and found().found == sentence
    file.unlink()
    assert not found().good and "cannot be read (No such file or directory)" in found().found


def test_a_sum_is_of_the_whole_file(moved: Weights) -> None:
    with pytest.raises(InputError, match="is not what ships"):
        dataclasses.replace(moved, sha256="0" * 64).require_intact()
