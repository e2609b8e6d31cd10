"""A result folder and a browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Playwright, Route, sync_playwright
from tests.app.app_cases import Visit, until, write_result

BROWSER_FLAGS = (
    "--no-sandbox --disable-quic --no-first-run --disable-background-networking --disable-component-update "
    "--disable-sync --use-angle=swiftshader --enable-unsafe-swiftshader"
)
NO_BROWSER = (
    "The report page is tested in a real browser and none was found: install Chromium (Debian: apt-get install "
    "chromium; anywhere: playwright install chromium), or set MONOFORM_NO_BROWSER=1 to skip these tests."
)


@pytest.fixture
def result_folder(tmp_path: Path) -> Path:
    """A fresh result folder without a report."""
    return write_result(tmp_path / "egg")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """MONOFORM_NO_BROWSER=1 leaves out what needs a browser; pytest's last line counts it as skipped."""
    if os.environ.get("MONOFORM_NO_BROWSER") != "1":
        return
    left_out = pytest.mark.skip(reason="MONOFORM_NO_BROWSER=1: the report page is not tested in a browser")
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(left_out)


def find_browser(playwright: Playwright) -> str:
    """Path of a Chromium: the system's, or the one that Playwright installed."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    if not Path(playwright.chromium.executable_path).exists():
        pytest.fail(NO_BROWSER, pytrace=False)
    return playwright.chromium.executable_path


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium that draws WebGL in software."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=find_browser(playwright), args=BROWSER_FLAGS.split())
        yield running
        running.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Open a file in a fresh context whose network is cut; options go to the context, `script` runs before the page."""
    contexts = []

    def open_page(path: Path, *, script: str | None = None, **options: Any) -> Visit:
        context = browser.new_context(offline=True, **options)
        contexts.append(context)
        if script:
            context.add_init_script(script)
        visit = Visit(context.new_page(), [], [])
        context.route(
            "**/*", lambda route: route.continue_() if route.request.url.startswith("file:") else route.abort()
        )
        visit.page.on("request", lambda request: visit.requests.append(request.url))
        visit.page.on("console", lambda message: visit.complaints.append(message.text))
        visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        visit.page.goto(path.resolve().as_uri())
        if "window.monoform" in path.read_text():
            until(visit.page, "window.monoform && (monoform.ready || monoform.error)")
        return visit

    yield open_page
    for context in contexts:
        context.close()


def _only_files(route: Route) -> None:
    if route.request.url.startswith("file:"):
        route.continue_()
    else:
        route.abort()
