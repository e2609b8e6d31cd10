"""What the report page holds, read as text."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.app.app_cases import Addresses, make_camera, make_mesh, write_result

from monoform.app import fragments, report, write_report
from monoform.app.page import json_for_html
from monoform.errors import InputError

OPTIONAL = ("camera.json", "mask.png", "overlay.png", "photo.png", "turntable.mp4", "result.json")


def test_page_loads_only_from_itself(result_folder: Path) -> None:
    page = write_report(result_folder).read_text()
    found = Addresses(page)
    assert len(found.loads) >= 5 and all(address.startswith("data:") for address in found.loads)
    assert not re.search(r"https?:|url\(|@import|fetch\(|XMLHttpRequest|import\(", page)
    assert len(found.links) == 6
    assert all((result_folder / unquote(address)).is_file() for address in found.links)


def test_policy_names_exactly_this_style_and_script(result_folder: Path) -> None:
    page = write_report(result_folder).read_text()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy and "default-src 'none'" in policy[1]
    for tag in ("style", "script"):
        body = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert body
        assert f"{tag}-src 'sha256-{base64.b64encode(hashlib.sha256(body[1].encode()).digest()).decode()}'" in policy[1]


def test_the_camera_is_the_photos_where_there_is_a_photo(result_folder: Path) -> None:
    photos, its = "Photo\N{RIGHT SINGLE QUOTATION MARK}s camera", "Its camera"
    for names, other in ((photos, its), (its, photos)):
        words = Addresses(write_report(result_folder).read_text()).words
        assert names in words and other not in words
        (result_folder / "photo.png").unlink(missing_ok=True)


@pytest.mark.parametrize("missing", [*OPTIONAL, "all"])
def test_missing_files_are_left_out(result_folder: Path, missing: str) -> None:
    for name in OPTIONAL if missing == "all" else (missing,):
        (result_folder / name).unlink()
    found = Addresses(write_report(result_folder).read_text())
    assert found.links and all((result_folder / unquote(address)).is_file() for address in found.links)
    pictures = {"all": 0, "camera.json": 4, "turntable.mp4": 4, "result.json": 4}.get(missing, 3)
    if missing == "photo.png":
        pictures = 2  # the figure and the layer over the mesh
    assert found.tags.count("img") == pictures
    assert found.tags.count("video") == (missing not in ("all", "turntable.mp4"))


def test_numbers_of_the_result_are_on_the_page(result_folder: Path) -> None:
    words = Addresses(write_report(result_folder).read_text()).words
    assert "egg.jpg" in words and "photos/egg.jpg" not in words  # the name, not where it lay
    for text in (
        "0.9876",
        "5,120",
        "1.25 s",
        "@misc{egg, title={An egg}}",
        "700",
        "31.0°, 21.8°",
        "2.13.0",
        "camera, geometry",
    ):
        assert text in words
    assert "2.2 s" in words  # the sum of the steps


def test_refusals_are_sentences(result_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no mesh\.glb"):
        write_report(tmp_path)
    (result_folder / "result.json").write_text("{")
    with pytest.raises(InputError, match=r"result\.json cannot be read as JSON"):
        write_report(result_folder)
    (result_folder / "result.json").write_text("{}")
    (result_folder / "overlay.png").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"overlay\.png is not an image"):
        write_report(result_folder)
    assert not (result_folder / "report.html").exists()


@pytest.mark.parametrize(
    "key", ["photo", "notices", "mask", "overlay", "camera", "mesh", "timings", "versions", "citation", "weights"]
)
@pytest.mark.parametrize("value", [None, [], {}, "text", {"bounds": "none", "iou": "high", "x": [[1], None]}])
def test_strange_values_do_not_break_the_page(key: str, value: object, tmp_path: Path) -> None:
    make_mesh().export(tmp_path / "mesh.glb")
    (tmp_path / "result.json").write_text(json.dumps({key: value}))
    assert "</html>" in write_report(tmp_path).read_text()


@pytest.mark.parametrize(
    ("certainty", "said"),
    [
        ({"covariance": (np.diag([1, 2, 1, 3, 4, 2]) * 1e-4).tolist(), "reason": None}, "1.1°, 0.03 world units"),
        ({"covariance": None, "reason": "Nothing is fitted."}, "not known: Nothing is fitted."),
    ],
)
def test_the_camera_says_how_sure_it_is(certainty: dict[str, object], said: str, tmp_path: Path) -> None:
    folder = write_result(tmp_path / "egg")
    result = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps(result | {"camera": certainty}))
    assert said in Addresses(write_report(folder).read_text()).words


def test_long_film_is_linked_not_embedded(result_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = len(write_report(result_folder).read_text())
    monkeypatch.setattr(report, "PAGE_LIMIT", whole - 1500)
    page = write_report(result_folder).read_text()
    found = Addresses(page)
    assert "video" not in found.tags and "./turntable.mp4" in found.links and len(page) < whole - 1500


def test_same_folder_gives_the_same_page(tmp_path: Path) -> None:
    folder = write_result(tmp_path / "egg")
    assert write_report(folder).read_bytes() == write_report(folder).read_bytes()


def test_camera_without_a_mask_shows_the_whole_photo(tmp_path: Path) -> None:
    assert report._object_box(tmp_path / "mask.png", make_camera()) == [0, 0, 640, 420]


@given(st.text())
def test_escape_keeps_text_and_makes_no_tags(text: str) -> None:
    found = Addresses(f'<p title="{fragments.escape(text)}">{fragments.escape(text)}</p>')
    assert found.tags == ["p"]
    assert found.words.replace("\r", "\n") == text.replace("\r", "\n") or "\x00" in text


@given(
    st.recursive(
        st.text() | st.integers() | st.booleans(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_json_in_html_round_trips(value: object) -> None:
    text = json_for_html(value)
    assert json.loads(text) == value
    assert not re.search("[<>&]", text)


@given(st.text(alphabet=st.characters(blacklist_categories=["Cs"], blacklist_characters="/\x00"), min_size=1))
def test_link_leads_back_to_the_name(name: str) -> None:
    address = Addresses(f'<a href="{fragments.link(name)}">x</a>').links[0]
    assert address.startswith("./") and unquote(address[2:]) == name
