"""The table and the contact sheet of a batch."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import pytest
from tests.app.app_cases import Addresses, until, write_result

from monoform.app import write_report, write_summary
from monoform.errors import InputError

STRANGE = "a mug & <b>50%</b> #1?"


@pytest.fixture
def batch(tmp_path: Path) -> tuple[Path, list[dict]]:
    """Two results, one of them with a name full of signs, and a failure."""
    for name in ("egg", STRANGE.replace("/", "-")):
        write_report(write_result(tmp_path / name))
    numbers = {"seconds": 2.25, "iou": 0.9876, "faces": 5120, "watertight": True, "components": 1}
    return tmp_path, [
        {"name": "egg", "status": "done", "message": "", "folder": "egg", **numbers},
        {"name": STRANGE, "status": "kept", "message": None, "folder": STRANGE.replace("/", "-"), **numbers},
        {
            "name": "<i>broken.jpg",
            "status": "failed",
            "message": "It is <cut> short; send it again.",
            "seconds": 0.1,
        },
    ]


def test_csv_reads_back(batch: tuple[Path, list[dict]]) -> None:
    out, rows = batch
    write_summary(out, rows)
    with (out / "summary.csv").open(newline="", encoding="utf-8") as stream:
        read = list(csv.DictReader(stream))
    assert [row["name"] for row in read] == ["egg", STRANGE, "<i>broken.jpg"]
    assert [row["status"] for row in read] == ["done", "kept", "failed"]
    assert read[0]["iou"] == "0.9876" and read[0]["watertight"] == "True"
    assert read[2]["message"] == rows[2]["message"] and read[2]["iou"] == ""


def test_sheet_links_results_and_names_failures(batch: tuple[Path, list[dict]]) -> None:
    out, rows = batch
    found = Addresses(write_summary(out, rows).read_text())
    assert {(out / unquote(link)).resolve() for link in found.links} == {
        out / "summary.csv",
        out / "egg" / "report.html",
        out / STRANGE.replace("/", "-") / "report.html",
    }
    assert all(address.startswith("data:") for address in found.loads)
    assert found.tags.count("img") == 2 and "b" not in found.tags and "i" not in found.tags
    assert "<i>broken.jpg: It is <cut> short; send it again." in found.words
    assert "3 photos · 1 done · 1 kept from before · 1 failed" in found.words


def test_only_failures_and_no_rows_at_all(tmp_path: Path) -> None:
    page = write_summary(tmp_path, [{"name": "x", "status": "failed"}]).read_text()
    assert "1 photo · 1 failed" in page and "No reason given." in page
    assert "0 photos" in write_summary(tmp_path, []).read_text()


def test_unknown_status_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="status 'ok'"):
        write_summary(tmp_path, [{"name": "x", "status": "ok"}])


def test_sheet_in_a_browser(batch: tuple[Path, list[dict]], visit: Callable) -> None:
    """Opens alone, fits a phone, and a click on a strange name leads to its report."""
    out, rows = batch
    seen = visit(write_summary(out, rows), viewport={"width": 360, "height": 740})
    assert seen.complaints == [] and len(seen.requests) == 1
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= 360
    seen.page.get_by_role("link", name=STRANGE, exact=True).click()
    until(seen.page, "window.monoform && monoform.ready")
    assert seen.complaints == []
