"""The report page in a real browser, its network cut: it turns, obeys, aligns with the photo, and never breaks."""

from __future__ import annotations

import base64
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page
from tests.app.app_cases import HEIGHT, WIDTH, Visit, make_camera, make_mesh, paint, until, write_result

from monoform.app import write_report

Open = Callable[..., Visit]
STILL = {"reduced_motion": "reduce"}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report that no test changes."""
    return write_report(write_result(tmp_path_factory.mktemp("report") / "egg"))


def drawn(page: Page) -> np.ndarray:
    """What the canvas holds now, as (h, w, 4) of 0..255."""
    uri = page.evaluate("() => { monoform.draw(); return document.getElementById('canvas').toDataURL(); }")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))).convert("RGBA"))


def silhouette(page: Page) -> np.ndarray:
    return drawn(page)[..., 3] > 127


def drag(page: Page, across: float, down: float) -> None:
    box = page.locator("#canvas").bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + across, y + down, steps=4)
    page.mouse.up()


def test_page_stands_alone(report: Path, tmp_path: Path, visit: Open) -> None:
    """Moved away from its folder it still draws; it asks for nothing but itself and complains of nothing."""
    lonely = tmp_path / "sent by mail.html"
    shutil.copy(report, lonely)
    seen = visit(lonely)
    assert seen.page.evaluate("monoform.error") is None
    assert seen.requests == [lonely.resolve().as_uri()]
    assert seen.complaints == []
    assert seen.page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert 0.03 < silhouette(seen.page).mean() < 0.6
    assert "The object touches the border" in seen.page.inner_text(".notices")


def test_network_is_refused_by_the_page_itself(report: Path, visit: Open) -> None:
    page = visit(report).page
    tried = """address => new Promise(done => {
        const image = new Image();
        image.onload = () => done('loaded'); image.onerror = () => done('refused');
        image.src = address; })"""
    assert page.evaluate(tried, (report.parent / "mask.png").as_uri()) == "refused"
    assert page.evaluate(tried, "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA=") == "loaded"


def test_mesh_turns_by_itself(report: Path, visit: Open) -> None:
    page = visit(report).page
    first, azimuth, frames = (
        page.locator("#canvas").screenshot(),
        page.evaluate("monoform.azimuth"),
        page.evaluate("monoform.frames"),
    )
    until(page, f"monoform.azimuth > {azimuth} + 0.3")
    assert page.evaluate("monoform.frames") > frames
    assert page.locator("#canvas").screenshot() != first
    page.click("#turn")
    stopped = page.evaluate("monoform.azimuth")
    page.wait_for_timeout(200)
    assert page.evaluate("monoform.azimuth") == stopped


def test_reduced_motion_stands_still(report: Path, visit: Open) -> None:
    page = visit(report, **STILL).page
    assert page.evaluate("monoform.turning") is False
    assert page.get_attribute("#turn", "aria-pressed") == "false"


def test_drag_wheel_keys_and_reset(report: Path, visit: Open) -> None:
    page = visit(report, **STILL).page
    before, azimuth = drawn(page), page.evaluate("monoform.azimuth")
    drag(page, 120, 0)
    assert page.evaluate("monoform.azimuth") == pytest.approx(azimuth - 120 * 0.008)
    assert np.abs(drawn(page).astype(int) - before).mean() > 1
    elevation = page.evaluate("monoform.elevation")
    drag(page, 0, 60)
    assert page.evaluate("monoform.elevation") == pytest.approx(elevation + 60 * 0.008)
    area = silhouette(page).sum()
    page.mouse.wheel(0, -200)
    until(page, "monoform.zoom > 1")
    assert silhouette(page).sum() > 1.3 * area
    page.focus("#canvas")
    turned = page.evaluate("monoform.azimuth")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("monoform.azimuth") > turned
    page.dblclick("#canvas")
    assert page.evaluate("[monoform.azimuth, monoform.elevation, monoform.zoom]") == pytest.approx([azimuth, 0.3, 1])
    assert np.array_equal(drawn(page), before)


def test_azimuth_counts_from_z_towards_x(report: Path, visit: Open) -> None:
    """The knob points along +x: on the right seen from +z, on the left seen from -z, in the middle seen from +x."""
    page = visit(report, **STILL).page
    lopsided = []
    for quarter in range(4):
        page.evaluate("azimuth => { Object.assign(monoform, { azimuth, elevation: 0 }); }", quarter * np.pi / 2)
        seen = silhouette(page)
        columns = np.nonzero(seen)[1]
        lopsided.append(columns.max() + columns.min() - 2 * np.median(columns))
    assert lopsided[0] > 20 and lopsided[2] < -20
    assert abs(lopsided[1]) < 20 and abs(lopsided[3]) < 20


@pytest.mark.parametrize("model", ["pinhole", "orthographic"])
@pytest.mark.parametrize("viewport", [(1200, 900), (390, 800)])
def test_photo_camera_aligns(model: str, viewport: tuple[int, int], tmp_path: Path, visit: Open) -> None:
    """Seen from the photo's camera, silhouette and colours lie on the photo that `Camera.project` painted."""
    page = visit(
        write_report(write_result(tmp_path / "egg", model=model)),
        viewport={"width": viewport[0], "height": viewport[1]},
        device_scale_factor=2,
    ).page
    page.click("#from-photo")
    picture = drawn(page)
    assert page.evaluate("monoform.view") == "photo" and page.is_visible("#photo-layer") and page.is_visible("#opacity")
    box = page.evaluate(
        """() => {
            const photo = document.getElementById('photo-layer').getBoundingClientRect();
            const canvas = document.getElementById('canvas').getBoundingClientRect();
            return [photo.left - canvas.left, photo.top - canvas.top, photo.width, photo.height, canvas.width]; }"""
    )
    left, top, width, height = (value * picture.shape[1] / box[4] for value in box[:4])
    assert min(left, top) > -1 and left + width < picture.shape[1] + 1 and top + height < picture.shape[0] + 1  # whole
    canvas_from_photo = np.array([[width / WIDTH, 0, left], [0, height / HEIGHT, top]])
    canvas_from_photo[:, 2] += canvas_from_photo[:, :2] @ (0.5, 0.5) - 0.5  # cv2 counts pixel centres as whole numbers
    photo, mask = paint(make_mesh(), make_camera(model))
    size = picture.shape[1::-1]
    expected = cv2.warpAffine(mask.astype(np.float32), canvas_from_photo, size) > 0.5
    found = picture[..., 3] > 127
    assert expected.sum() == pytest.approx(
        mask.sum() * np.linalg.det(canvas_from_photo[:, :2]), rel=0.01
    )  # all in view
    assert (expected & found).sum() / (expected | found).sum() > 0.97
    difference = np.abs(cv2.warpAffine(photo, canvas_from_photo, size).astype(int) - picture[..., :3]).max(axis=2)
    assert (difference[expected & found] < 40).mean() > 0.9


def test_photo_fades_over_the_mesh(report: Path, visit: Open) -> None:
    page = visit(report, **STILL).page
    page.click("#from-photo")
    page.fill("#opacity", "100")
    until(page, "document.getElementById('photo-layer').style.opacity === '1'")
    place = page.locator("#photo-layer").bounding_box()
    clip = {"x": place["x"] + 10, "y": place["y"] + 10, "width": 4, "height": 4}
    corner = Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB").getpixel((1, 1))
    assert corner == pytest.approx((128, 128, 128), abs=3)  # the photo's own background
    page.hover("#canvas")
    page.mouse.wheel(0, -200)
    until(page, f"document.getElementById('photo-layer').getBoundingClientRect().width > {1.1 * place['width']}")
    assert page.evaluate("monoform.view") == "photo"
    drag(page, 40, 0)
    assert page.evaluate("monoform.view") == "orbit" and page.is_hidden("#photo-layer")


def test_each_way_of_drawing_differs(report: Path, visit: Open) -> None:
    page, pictures = visit(report, **STILL).page, []
    for mode in ("textured", "shaded", "normals", "wireframe"):
        page.click(f"[data-mode={mode}]")
        assert page.get_attribute(f"[data-mode={mode}]", "aria-pressed") == "true"
        pictures.append(drawn(page).astype(int))
    for i in range(4):
        for j in range(i):
            assert np.abs(pictures[i] - pictures[j]).max(axis=2).mean() > 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_phone_width_and_color_scheme(scheme: str, report: Path, visit: Open) -> None:
    page = visit(report, viewport={"width": 360, "height": 740}, color_scheme=scheme).page
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    red = int(background.split("(")[1].split(",")[0])
    assert (red < 60) == (scheme == "dark")


def test_without_webgl_the_film_stands_in(report: Path, result_folder: Path, visit: Open) -> None:
    no_webgl = "HTMLCanvasElement.prototype.getContext = () => null;"
    page = visit(report, script=no_webgl).page
    assert page.is_visible("#stage video") and not page.is_visible("#canvas") and not page.is_visible("#controls")
    assert "turntable video is shown in its place" in page.inner_text("#fallback")
    (result_folder / "turntable.mp4").unlink()
    assert "has no turntable video" in visit(write_report(result_folder), script=no_webgl).page.inner_text("#fallback")


def test_bare_mesh_still_turns(tmp_path: Path, visit: Open) -> None:
    """Nothing but an untextured mesh: no camera, no photo, no numbers."""
    mesh = make_mesh()
    type(mesh)(mesh.vertices, mesh.faces).export(tmp_path / "mesh.glb")
    seen = visit(write_report(tmp_path))
    assert seen.complaints == [] and silhouette(seen.page).any()
    assert seen.page.is_disabled("#from-photo")


def test_vertex_colors_are_drawn(tmp_path: Path, visit: Open) -> None:
    mesh = make_mesh()
    colors = np.tile(np.array([200, 30, 90], np.uint8), (len(mesh.vertices), 1))
    type(mesh)(mesh.vertices, mesh.faces, vertex_colors=colors).export(tmp_path / "mesh.glb")
    picture = drawn(visit(write_report(tmp_path)).page)
    assert np.abs(picture[picture[..., 3] == 255][:, :3].astype(int) - (200, 30, 90)).max() <= 2


def test_names_cannot_inject(result_folder: Path, visit: Open) -> None:
    evil = '</script><script>window.caught = 1</script><img src=x onerror="window.caught = 2">'
    result = json.loads((result_folder / "result.json").read_text())
    result |= {"notices": [evil], "method": evil, "citation": [evil], "versions": {evil: evil}}
    result["photo"]["source"] = evil.replace("/", "\\u2044")
    (result_folder / "result.json").write_text(json.dumps(result))
    seen = visit(write_report(result_folder))
    assert seen.page.evaluate("window.caught") is None
    assert seen.page.inner_text(".notices li") == evil
    assert seen.complaints == []
