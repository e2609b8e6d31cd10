"""A mask that was found says how much it is to be trusted."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.command_line import monoform
from tests.pictures import disc, png

from monoform import Photo
from monoform import matting as package
from monoform.matting import Hints, mask_confidence, segment
from monoform.matting.confidence import LOW, cues


def seen(*, certain: float = 0.99) -> tuple[np.ndarray, np.ndarray]:
    """A round mask, and a probability that is as certain of it."""
    _, mask = disc(160, 120, 36)
    return mask, np.where(mask > 0.5, certain, 1 - certain).astype(np.float32)


def test_cues_of_known_masks():
    mask = np.zeros((100, 100), np.float32)
    mask[20:60, 20:60] = 1
    other = np.zeros_like(mask)
    other[20:60, 40:80] = 1  # shares half of it
    assert cues(mask, mask) == {"overlap": 1.0, "agreement": 1.0, "dispute": 0.0}
    found = cues(mask, other)
    assert found == pytest.approx({"overlap": 1 / 3, "agreement": 1 / 3, "dispute": 0.5**0.5}, abs=0.02)
    assert cues(mask, 0.25 * mask) == pytest.approx({"overlap": 0.25, "agreement": 0.0, "dispute": 1.0}, abs=0.02)
    assert cues(0 * mask, 0 * mask) == {"overlap": 0.0, "agreement": 0.0, "dispute": 0.0}


def test_what_both_agree_on_is_trusted_and_what_one_denies_is_not():
    mask, probability = seen()
    assert mask_confidence(mask, probability) > 0.9
    half = mask.copy()
    half[:60] = 0
    assert mask_confidence(half, probability) < 0.1
    assert mask_confidence(mask, 1 - probability) < 0.01
    assert mask_confidence(mask, seen(certain=0.6)[1]) < mask_confidence(mask, seen(certain=0.8)[1])


def test_its_size_does_not_matter():
    mask, probability = seen()
    large = (np.kron(each, np.ones((8, 8), np.float32)) for each in (mask, probability))
    assert mask_confidence(*large) == pytest.approx(mask_confidence(mask, probability), abs=0.03)


@pytest.mark.parametrize(("certain", "said"), [(0.98, "found automatically"), (0.02, "is probably wrong (confidence")])
def test_the_notice_about_a_doubtful_mask_comes_first_and_says_how_to_help(certain, said, monkeypatch):
    rgb, _ = disc(160, 120, 36)
    monkeypatch.setattr(package, "network_probability", lambda *_, **__: seen(certain=certain)[1])
    photo = segment(Photo.open(rgb), backend="grabcut")
    assert said in photo.notices[0]
    assert (photo.mask_confidence < LOW) == ("--point" in photo.notices[0])


def test_what_hints_leave_out_does_not_count_against_a_mask():
    mask, probability = seen()
    both = np.concatenate((probability, probability), axis=1)
    left = np.concatenate((mask, 0 * mask), axis=1)
    assert mask_confidence(left, Hints().chosen(both, left)) < LOW
    assert mask_confidence(left, Hints(points=((80, 60),)).chosen(both, left)) > 0.8


def test_the_result_has_it_or_says_why_not(tmp_path):
    rgb, mask = disc(160, 120, 36)
    (tmp_path / "ball.png").write_bytes(png(rgb))
    (tmp_path / "mask.png").write_bytes(png(np.repeat(mask[..., None], 3, axis=2)))
    quick = ("--method", "inflate", "--frames", "0", "--faces", "500", "--texture", "64", "--resolution", "48")

    def asked(*words: object) -> dict[str, object]:
        out = tmp_path / f"out{len(words)}"
        done = monoform("reconstruct", tmp_path / "ball.png", "-o", out, *quick, *words)
        assert done.returncode == 0, done.stderr
        return json.loads((out / "ball" / "result.json").read_text())["mask"]

    found = asked()
    assert 0 <= found["confidence"] <= 1 and "confidence_reason" not in found
    given = asked("--mask", tmp_path / "mask.png")
    assert given["confidence"] is None and given["confidence_reason"] == "the mask was given"


def test_another_mask_of_the_photo_has_none():
    rgb, mask = disc(160, 120, 36)
    photo = segment(Photo.open(rgb), backend="grabcut")
    assert photo.mask_confidence is not None
    assert photo.with_mask(mask, "grabcut").mask_confidence == photo.mask_confidence
    assert photo.with_mask(mask, "file").mask_confidence is None
