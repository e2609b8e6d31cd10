"""A mask that a program has found is doubted before the number that only says how the mesh follows it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.app.app_cases import Addresses, write_result

from monoform.app import write_report, write_summary
from monoform.app.words import fit_in_words, is_guessed, origin_in_words
from monoform.cli.reconstruct import _result
from monoform.jobs.batch import Outcome

DOUBT = "The mask was found automatically: look at mask.png."


def page_of(folder: Path, origin: object) -> str:
    write_result(folder)
    result = json.loads((folder / "result.json").read_text())
    result["mask"]["origin"] = origin
    result["notices"] = [DOUBT]
    (folder / "result.json").write_text(json.dumps(result))
    return Addresses(write_report(folder).read_text()).words


def test_the_page_doubts_a_guessed_mask_first(tmp_path):
    words = page_of(tmp_path, "network")
    doubt, fit = (
        words.index("found automatically (network), not checked"),
        words.index("mesh against mask: IoU 0.988"),
    )
    assert doubt < fit
    assert "Look at the mask first" in words and DOUBT in words


@pytest.mark.parametrize(("origin", "said"), [("file", "given"), ("alpha", "the photo's transparency")])
def test_a_mask_that_was_given_is_not_doubted(tmp_path, origin, said):
    words = page_of(tmp_path, origin)
    assert "Look at the mask first" not in words and "not checked" not in words
    assert said in words and "mesh against mask: IoU 0.988" in words
    result = json.loads((tmp_path / "result.json").read_text())
    result["mask"] |= {"confidence": None, "confidence_reason": "the mask was given"}
    (tmp_path / "result.json").write_text(json.dumps(result))
    assert "not known: the mask was given" in Addresses(write_report(tmp_path).read_text()).words


def test_the_contact_sheet_doubts_guessed_masks_first(tmp_path):
    row = {"name": "egg", "status": "done", "message": DOUBT, "iou": 0.9876, "mask": "grabcut", "folder": "egg"}
    given = {"name": "cup", "status": "done", "message": "", "iou": 0.9, "mask": "file", "folder": "cup"}
    words = Addresses(write_summary(tmp_path, [row, given]).read_text()).words
    assert "1 mask found automatically: look at them first" in words
    assert words.index(DOUBT) < words.index("mesh against mask: IoU 0.988")
    assert "grabcut" in (tmp_path / "summary.csv").read_text()


def test_the_confidence_in_the_mask_stands_beside_the_fit(tmp_path):
    both = "mask confidence 0.31, mesh against mask: IoU 0.988"
    assert fit_in_words(0.9876, 0.31) == both and fit_in_words(None, 0.31) == "mask confidence 0.31"
    outcome = Outcome("egg", "done", DOUBT, 3.0, 0.9876, 20_000, mask="network", confidence=0.31)
    assert both in _result(outcome)
    assert both in Addresses(write_summary(tmp_path, [outcome.row()]).read_text()).words
    assert (tmp_path / "summary.csv").read_text().splitlines()[1].endswith(",0.31")
    write_result(tmp_path / "egg")
    result = json.loads((tmp_path / "egg" / "result.json").read_text())
    result["mask"] |= {"origin": "network", "confidence": 0.31}
    result["overlay"] |= {"psnr": 31.25, "ssim": 0.912}
    (tmp_path / "egg" / "result.json").write_text(json.dumps(result))
    words = Addresses(write_report(tmp_path / "egg").read_text()).words
    assert f"{both} · front against photo: PSNR 31.2 dB, SSIM 0.912" in words
    assert (
        words.index("Mask confidence") < words.index("Mesh against mask (IoU)") < words.index("inside the mask: SSIM")
    )


def test_the_console_doubts_it_first():
    said = _result(Outcome("egg", "done", DOUBT, 3.0, 0.9876, 20_000, mask="network"))
    assert said == f"{DOUBT} 20,000 faces, mesh against mask: IoU 0.988."
    assert _result(Outcome("egg", "failed", "It is broken.")) == "It is broken."


@pytest.mark.parametrize("value", [None, 3, [], {}, ""])
def test_what_a_damaged_result_says_of_its_mask_is_no_mask(value):
    assert not is_guessed(value) and origin_in_words(value) == ""
    assert fit_in_words("high") == ""
