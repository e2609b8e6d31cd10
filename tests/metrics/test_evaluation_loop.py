"""The loop of every evaluation: what is kept, what is refused, and that tables say the same however they are made."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from tests.metrics.squares import NAMES, Squares, SquaresOptions

from monoform import InputError
from monoform.metrics.evaluation import evaluate

TABLES = ("metrics.json", "metrics.md", "metrics.csv")


def files_of(out: Path) -> dict[str, str]:
    """All files but for what differs from run to run."""
    found = {}
    for file in sorted(path for path in out.rglob("*") if path.is_file()):
        text = re.sub(r'"seconds": [\d.e-]+', '"seconds": 0', file.read_text())
        if file.name in ("metrics.md", "metrics.csv"):
            text = re.sub(r"\d+\.\d+(?= \|$|,\d+\.\d+\.\d+)", "0", text, flags=re.MULTILINE)
        found[file.relative_to(out).as_posix()] = text
    return found


def test_tables_agree_and_say_where_they_come_from(tmp_path: Path) -> None:
    printed = evaluate(Squares, SquaresOptions(out=tmp_path))
    summary = json.loads((tmp_path / "metrics.json").read_text())
    rows = list(csv.DictReader((tmp_path / "metrics.csv").open()))
    lines = [line.strip("| ").split(" | ") for line in (tmp_path / "metrics.md").read_text().splitlines()[2:5]]
    assert [row["category"] for row in rows] == [line[0] for line in lines] == ["even", "odd", "all"]
    means = {"even": 10.0, "odd": (9 + 25 + 49) / 3, "all": (4 + 9 + 16 + 25 + 49) / 5}
    for row, line in zip(rows, lines, strict=True):
        told = summary["total"] if row["category"] == "all" else summary["categories"][row["category"]]
        assert float(row["power"]) == told["power"] == pytest.approx(means[row["category"]])
        assert float(line[2]) == pytest.approx(told["power"], abs=6e-4)
        assert float(row["seconds"]) == told["seconds"] and row["weights_sha256"] == summary["weights_sha256"] == "f00d"
        assert row["monoform"] == summary["monoform"]
    assert list(summary["each"]) == ["even/2", "odd/3", "even/4", "odd/5", "odd/7"]
    assert summary["options"] == {"seed": 0, "power": 2, "refused": [], "broken": "", "weights": "f00d"}
    assert printed.startswith("Left out: odd/9: there is none.\n| category | objects | power | third | seconds |")
    assert f"monoform {summary['monoform']}, weights with SHA-256 f00d" in printed


def test_an_interrupted_evaluation_goes_on_where_it_was(tmp_path: Path) -> None:
    options = SquaresOptions(out=tmp_path / "whole")
    evaluate(Squares, options)
    protocol = Squares(replace(options, broken="even/4"))
    options = replace(options, out=tmp_path / "cut")
    with pytest.raises(KeyboardInterrupt):
        evaluate(lambda _: protocol, options)
    assert {path.parent.name for path in (tmp_path / "cut").rglob("scores.json")} == {"2", "3"}
    assert not (tmp_path / "cut" / "even" / "4").exists() and not (tmp_path / "cut" / "metrics.json").exists()
    kept = tmp_path / "cut" / "odd" / "3" / "scores.json"
    stamp = kept.stat().st_mtime_ns
    evaluate(Squares, options)
    assert kept.stat().st_mtime_ns == stamp
    assert files_of(tmp_path / "cut") == files_of(tmp_path / "whole")


def test_two_processes_write_what_one_does(tmp_path: Path) -> None:
    for workers in (1, 2):
        evaluate(Squares, SquaresOptions(out=tmp_path / str(workers), workers=workers, refused=("odd/5",)))
    one, two = files_of(tmp_path / "1"), files_of(tmp_path / "2")
    assert one == two and set(TABLES) <= set(one)
    assert len([name for name in one if name.endswith("power.txt")]) == len(NAMES) - 1
    assert json.loads(one["metrics.json"])["skipped"] == ["odd/5: odd/5 is refused.", "odd/9: there is none."]


def test_other_options_are_refused_and_nothing_is_left_of_what_came_to_nothing(tmp_path: Path) -> None:
    options = SquaresOptions(out=tmp_path / "out", refused=NAMES)
    with pytest.raises(InputError, match=r"None of the 5 objects could be measured: .*there is none"):
        evaluate(Squares, options)
    assert not list((tmp_path / "out").rglob("*.json"))
    evaluate(Squares, replace(options, refused=()))
    with pytest.raises(InputError, match=r"with other options \(power was 2, 3 is asked for\); give another folder"):
        evaluate(Squares, replace(options, refused=(), power=3))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="is there and no evaluation of monoform"):
        evaluate(Squares, SquaresOptions(out=tmp_path / "mine"))
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("content", ["{", "[1]", '{"power": "much"}', '{"power": 4, "seconds": "long"}', "{}" * 2])
def test_damaged_scores_are_told_by_their_file(tmp_path: Path, content: str) -> None:
    options = SquaresOptions(out=tmp_path)
    evaluate(Squares, options)
    damaged = tmp_path / "odd" / "3" / "scores.json"
    whole = damaged.read_text()
    damaged.write_text(content)
    with pytest.raises(InputError, match=r"odd/3/scores\.json is damaged: remove .*odd/3, and it is made again"):
        evaluate(Squares, options)
    assert damaged.read_text() == content, "it is the user's to remove"
    damaged.unlink()
    evaluate(Squares, options)
    assert json.loads(damaged.read_text())["power"] == json.loads(whole)["power"] == 9


def test_two_items_of_one_folder_are_refused(tmp_path: Path) -> None:
    class Same(Squares):
        def folder(self, name: str) -> str:
            return name.split("/")[0]

    with pytest.raises(InputError, match="2 objects would be written to even"):
        evaluate(Same, SquaresOptions(out=tmp_path / "out"))
    assert not (tmp_path / "out").exists()
