"""Our numbers are the published ones: one test for each golden case that has a check."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.parity.parity_case import Case
from tests.parity.parity_checks import CHECKS, kind_of


def test_parity(case_folder: Path, record_property: pytest.RecordProperty) -> None:
    case = Case.load(case_folder)
    CHECKS[kind_of(case_folder)](case)
    case.finish()
    record_property("parity", case.summary())
