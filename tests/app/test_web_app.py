"""The web app from end to end in a browser: a photo dropped, its mask corrected, the result turned and taken along."""

from __future__ import annotations

import io
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect

from monoform.app.queue import JobQueue, Limits
from monoform.app.service.sockets import bound_socket

pytest.importorskip("gradio", minversion="6", reason="the web app needs Gradio: pip install 'monoform[app]'")
COFFEE = Path(__file__).parents[2] / "examples" / "coffee.jpg"
PATIENCE = 120_000  # milliseconds


@pytest.fixture
def address() -> Iterator[str]:
    from monoform.app.web.site import create_site

    queue = JobQueue(Limits(grace=0.0, megapixels=5.0))
    site = create_site(queue, ("inflate", "lift"), hosts={"127.0.0.1"})
    listening = bound_socket("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(site, log_level="error"))
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join(30)
    assert not queue.folder.exists()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The page, which may load nothing from elsewhere."""
    context = browser.new_context(viewport={"width": 1280, "height": 1400}, accept_downloads=True)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address, timeout=PATIENCE)
    yield page
    context.close()
    elsewhere = {urlsplit(each).netloc for each in asked if each.startswith("http")} - {urlsplit(address).netloc}
    assert not elsewhere


def test_a_photo_becomes_a_result(page: Page, tmp_path: Path) -> None:
    go = page.locator("#go")
    expect(go).to_be_disabled(timeout=PATIENCE)
    page.locator("#photo input[type=file]").set_input_files(COFFEE)
    expect(go).to_be_enabled(timeout=PATIENCE)
    marked = page.locator("#marked img")
    expect(marked).to_be_visible(timeout=PATIENCE)
    page.screenshot(path=tmp_path / "mask.png", timeout=PATIENCE)

    before = marked.get_attribute("src")
    page.get_by_label("on the background").check()
    box = marked.bounding_box()
    assert box is not None
    marked.click(position={"x": 0.05 * box["width"], "y": 0.5 * box["height"]})
    page.wait_for_function("old => document.querySelector('#marked img').src !== old", arg=before, timeout=PATIENCE)
    page.screenshot(path=tmp_path / "clicked.png", timeout=PATIENCE)

    before = marked.get_attribute("src")
    page.get_by_role("tab", name="Paint").click()
    canvas = page.locator("#canvas canvas").first
    expect(canvas).to_be_visible(timeout=PATIENCE)
    place = canvas.bounding_box()
    assert place is not None
    x, y = place["x"] + 0.5 * place["width"], place["y"] + 0.12 * place["height"]
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y + 4, steps=8)
    page.mouse.up()
    page.screenshot(path=tmp_path / "painted.png", timeout=PATIENCE)
    page.get_by_role("button", name="Take the strokes").click()
    page.get_by_role("tab", name="Click").click()
    page.wait_for_function("old => document.querySelector('#marked img').src !== old", arg=before, timeout=PATIENCE)
    page.screenshot(path=tmp_path / "strokes.png", timeout=PATIENCE)

    go.click()
    expect(page.locator("#status progress")).to_be_visible(timeout=PATIENCE)
    expect(page.locator("#status .done")).to_contain_text("20,", timeout=PATIENCE)
    frame = page.frame_locator("#result iframe")
    expect(frame.locator("#canvas")).to_be_visible(timeout=PATIENCE)
    frame.locator("#from-photo").click()
    expect(frame.locator("#from-photo")).to_have_attribute("aria-pressed", "true")
    page.locator("#result iframe").scroll_into_view_if_needed()
    page.screenshot(path=tmp_path / "result.png", full_page=True, timeout=PATIENCE)
    with page.expect_download(timeout=PATIENCE) as download:
        page.locator(".take a").first.click()
    archive = zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes()))
    assert {"coffee/mesh.glb", "coffee/camera.json", "coffee/report.html"} <= set(archive.namelist())
    assert b'"origin": "file"' in archive.read("coffee/result.json")  # the brush's strokes are in it


def test_what_is_no_photo_is_told(page: Page, tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("not a picture")
    page.locator("#photo input[type=file]").set_input_files(tmp_path / "notes.png")
    expect(page.locator("body")).to_contain_text("not an image", timeout=PATIENCE)
    expect(page.locator("#go")).to_be_disabled()
