"""`pytest tests/parity --golden DIR` runs every case of DIR that has a check, and lists those that have none."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.parity import (  # noqa: F401  the checks enter themselves into the table
    checks_inerf,
    checks_inerf_nerf,
    checks_list,
    checks_list_data,
    checks_list_model,
    checks_list_training,
    checks_pixelnerf,
    checks_pixelnerf_data,
    checks_pixelnerf_model,
    checks_pixelnerf_rendering,
    checks_pixelnerf_training,
    checks_pof3d_model,
