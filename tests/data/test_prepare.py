from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from monoform.cli.prepare import run
from monoform.data import PackedObjects
from monoform.data.objects.solids import box, painted
from monoform.errors import InputError

TINY = ["--views", "2", "--size", "24", "--points", "1600", "--surface", "400", "--voxels", "32", "--workers", "1"]


def test_meshes_become_a_pack(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out, small = tmp_path / "data", tmp_path / "out", tmp_path / "small"
    painted(box((1, 1, 2)), np.full(3, 0.5)).export(data / "block.glb")
    words = ["meshes", "--data", str(data), "-o", str(out), "--copies", "1", "--procedural", "1", *TINY]
    assert run([*words, "--small", str(small)]) == 0
    said = capsys.readouterr().out
    assert "4 objects are in" in said and "MiB" in said
    objects = PackedObjects(out)
    assert objects.names == ["block", "procedural_00000", "block~1", "procedural_00000~1"]
    assert (objects.view_count, objects.image_size, len(objects.labels(0)["points"])) == (2, 24, 1600)
    assert len(PackedObjects(small)) == 4
    (data / "broken.glb").write_bytes(b"nothing")
    assert run(["meshes", "--data", str(data), "-o", str(out), "--overwrite", "--seed", "3", *TINY]) == 2
    assert "broken is left out" in capsys.readouterr().out
    assert PackedObjects(out).names == ["block"]


def test_bad_words_are_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, sentence in (
        (["clouds"], "nothing to prepare called 'clouds'"),
        (["meshes", "-o", str(tmp_path / "x")], "nothing to pack"),
        (["meshes", "-o", "x", "--data", str(tmp_path / "nowhere")], "There is no data folder"),
        (["meshes", "-o", "x", "--procedural", "1", "--views", "0"], "--views is 0"),
        (["meshes", "-o", "x", "--procedural", "-1"], "--procedural is -1"),
    ):
        with pytest.raises(InputError, match=sentence):
            run(words)
    assert run(["--help"]) == 0 and "meshes" in capsys.readouterr().out
