"""`pytest tests/parity --golden DIR` runs every case of DIR that has a check, and lists those that have none."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.parity import (  # noqa: F401  the checks enter themselves into the table
    checks_bootstrap_data,
    checks_bootstrap_encoder,
    checks_bootstrap_inversion,
    checks_bootstrap_model,
    checks_bootstrap_training,
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
    checks_pof3d_data,
    checks_pof3d_metrics,
    checks_pof3d_model,
    checks_pof3d_steps,
    checks_pof3d_training,
    checks_realfusion,
    checks_realfusion_field,
    checks_realfusion_guidance,
    checks_realfusion_iteration,
    checks_realfusion_steps,
    checks_triposr,
    checks_triposr_field,
)
from tests.parity.parity_checks import case_folders, kind_of, with_and_without_check

HERE = Path(__file__).parent
PROPERTY = "parity"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--golden", type=Path, default=None, help="folder of golden cases: SYSTEM/CASE/manifest.json")


def golden_folder(config: pytest.Config, given: Path | None = None) -> Path:
    """The folder of --golden, by default the project's own cases."""
    given = given or config.getoption("--golden", default=None)
    folder = HERE.parent / "golden" if given is None else config.invocation_params.dir / given
    if not case_folders(folder):
        raise pytest.UsageError(f"--golden {folder}: there is no case in it, no folder with a manifest.json")
    return folder


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case_folder" in metafunc.fixturenames:
        tested, _ = with_and_without_check(golden_folder(metafunc.config))
        metafunc.parametrize("case_folder", tested, ids=[f"{folder.parent.name}/{folder.name}" for folder in tested])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    reports = [report for report in reports if "test_parity.py" in str(getattr(report, "nodeid", ""))]
    lines = [
        f"{report.nodeid.split('[')[-1].rstrip(']')}: {value}"
        for report in reports
        for name, value in getattr(report, "user_properties", [])
        if name == PROPERTY and report.when == "call"
    ]
    _, unchecked = with_and_without_check(golden_folder(config))
    if not lines and config.getoption("--golden", default=None) is None:
        return
    terminalreporter.section("parity")
    for line in sorted(lines):
        terminalreporter.write_line(line)
    if unchecked:
        terminalreporter.write_line(f"no check for this kind yet, {len(unchecked)} cases NOT compared:", yellow=True)
        for folder in unchecked:
            terminalreporter.write_line(f"  {folder.parent.name}/{folder.name} (kind {kind_of(folder)[1]})")
