"""Our numbers are the published ones: one test for each golden case that has a check."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.parity.parity_checks import SURPRISE, checked


def test_parity(case_folder: Path, record_property: pytest.RecordProperty) -> None:
    """The check ran with one array more than the case has, which it must not have taken for its own."""
    case = checked(case_folder)
    with pytest.raises(AssertionError, match=f"left uncompared: {SURPRISE}$"):
        case.finish()
    case.without(SURPRISE).finish()
    record_property("parity", case.summary())
