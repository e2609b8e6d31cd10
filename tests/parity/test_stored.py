"""Cases are kept small without a change of what they say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.parity.fill import fill_state
from tests.parity.pack import pack, strides_of
from tests.parity.parity_case import Case
from tests.parity.parity_checks import CHECKS
from tests.parity.stored import HOLES, read_arrays, restored, thin, write_arrays, write_holes


@pytest.mark.parametrize("kind", ["float32", "float64", "int64", "uint16", "uint8", "bool", ">f4", "complex64", "U5"])
def test_arrays_come_back_as_they_were(tmp_path: Path, kind: str) -> None:
    draw = np.random.default_rng(0)
    for shape in ((), (0, 3), (7,), (9, 4, 5)):
        values = (100 * draw.standard_normal(shape)).astype(kind)
        write_arrays(tmp_path / "a.npz", {"x/y": values, "turned": values.T})
        found = read_arrays(tmp_path / "a.npz")
        assert list(found) == ["x/y", "turned"]
        for name, wanted in (("x/y", values), ("turned", values.T)):
            assert (found[name].dtype, found[name].shape) == (wanted.dtype, wanted.shape)
            np.testing.assert_array_equal(found[name], wanted)


def test_numbers_of_one_size_become_smaller_by_planes(tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal(4096).astype(np.float32)
    write_arrays(tmp_path / "ours.npz", {"a": values})
    np.savez_compressed(tmp_path / "plain.npz", a=values)
    np.testing.assert_array_equal(read_arrays(tmp_path / "plain.npz")["a"], values)
    assert (tmp_path / "ours.npz").stat().st_size < 0.95 * (tmp_path / "plain.npz").stat().st_size


def test_thinned_arrays_have_entries_of_every_phase() -> None:
    strides = strides_of((1, 3, 256, 256), 4096)
    part = thin(np.arange(3 * 256 * 256).reshape(1, 3, 256, 256), strides)
    assert strides[:2] == [1, 1] and part[0, :, 0, 0].tolist() == [0, 65536, 131072] and 2000 < part.size <= 4096
    for axis in (2, 3):
        places = np.arange(256)[:: strides[axis]]
        assert {place % 8 for place in places.tolist()} == set(range(8))
    with pytest.raises(AssertionError, match="of 1 dimensions"):
        thin(np.zeros(3), [1, 1])


def case_with_a_file(folder: Path) -> bytes:
    rows = [{"key": name, "shape": [8, 8], "dtype": "float32", "rule": "normal"} for name in ("a", "b")]
    manifest = {"kind": "x", "tensors": rows}
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    state = fill_state(manifest)
    content = b"head" + state["b"].tobytes() + b"between" + state["a"].tobytes() + b"end"
    write_holes(folder / "net.pkl", content, state)
    return content


def test_a_file_comes_back_to_the_bit(tmp_path: Path) -> None:
    content = case_with_a_file(tmp_path / "case")
    assert not (tmp_path / "case" / "net.pkl").exists()
    assert restored(tmp_path / "case", "net.pkl").read_bytes() == content
    rest = read_arrays(tmp_path / "case" / ("net.pkl" + HOLES))["rest"].tobytes()
    assert rest == b"head" + bytes(256) + b"between" + bytes(256) + b"end"


def test_a_file_of_other_tensors_is_noticed(tmp_path: Path) -> None:
    case_with_a_file(tmp_path / "other")
    manifest = json.loads((tmp_path / "other" / "manifest.json").read_text())
    (tmp_path / "other" / "manifest.json").write_text(json.dumps({**manifest, "salt": "x"}))
    with pytest.raises(AssertionError, match="is not what it was"):
        restored(tmp_path / "other", "net.pkl")


def test_a_packed_case_notices_what_the_whole_one_notices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is computed with stays whole, and so does what is judged as a whole."""
    draw = np.random.default_rng(0)
    x = draw.standard_normal((50, 40)).astype(np.float32)
    arrays = {"x": x, "double": 2 * x, "used": 3 * x, "last": 9 * x, "norm": x + 1}
    tolerances = {"norm": {"rel_norm": 1e-3}, "*": {"abs": 1e-4}}
    manifest = {"kind": "line", "inputs": ["x"], "tolerances": tolerances, "config": {"factor": 2}}
    source = tmp_path / "line" / "a"
    source.mkdir(parents=True)
    np.savez(source / "io.npz", **arrays)
    (source / "manifest.json").write_text(json.dumps(manifest))

    def check(case: Case) -> None:
        given = case.tensor("x")
        case.compare("double", case.config["factor"] * given)
        case.compare("used", 3 * given)
        case.compare("last", 3 * case.arrays["used"])
        case.compare("norm", given + 1)

    monkeypatch.setitem(CHECKS, ("line", "line"), check)
    pack(source, tmp_path / "packed" / "line" / "a", 100, [])
    packed = Case.load(tmp_path / "packed" / "line" / "a")
    assert sorted(packed.manifest["thinned"]) == ["double", "last"]
    assert packed.arrays["double"].size <= 100 and packed.arrays["used"].shape == packed.arrays["norm"].shape == x.shape
    check(packed)
    packed.finish()
    packed.manifest["config"]["factor"] = 2.001
    with pytest.raises(AssertionError, match="double"):
        check(packed)
