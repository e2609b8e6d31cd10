"""Without a network: what would be fetched is refused with the name of what is lacking; nothing is connected to."""

from __future__ import annotations

import os
import socket
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from monoform.cli.main import main
from monoform.computing import OFFLINE, go_offline, is_offline
from monoform.errors import InputError
from monoform.inputs.download import download
from monoform.matting import rembg_mask
from monoform.training.weights import load_pretrained
from tests.pictures import disc, png


@pytest.fixture(autouse=True)
def untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of the environment are put back; a connection fails the test."""
    for name in OFFLINE:
        monkeypatch.setenv(name, "")

    def refuse(*_: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.parametrize("name", OFFLINE)
@pytest.mark.parametrize(
    ("value", "offline"), [("1", True), ("true", True), ("", False), ("0", False), ("False", False)]
)
def test_the_environment_says_so(name: str, value: str, offline: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    assert is_offline() is offline


def test_an_address_is_not_opened() -> None:
    go_offline()
    with pytest.raises(InputError) as caught:
        download("https://me:secret@example.org/cup.png")
    assert str(caught.value) == (
        "The file of https://example.org/cup.png is not here and is not fetched, as this runs offline: "
        "save it and give its path."
    )


def test_weights_of_the_hub_are_not_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    go_offline()
    with pytest.raises(InputError) as caught:
        load_pretrained(dict, dict, "hub:owner/name")
    assert str(caught.value) == (
        "model.safetensors of owner/name is not here and is not fetched, as this runs offline: "
        "give a folder that holds it."
    )


def test_rembg_may_use_what_it_has_fetched_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = types.SimpleNamespace(
        new_session=lambda model: model, remove=lambda pixels, **_: np.full(pixels.shape[:2], 255, np.uint8)
    )
    monkeypatch.setitem(sys.modules, "rembg", stand_in)
    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    rgb = disc()[0]
    assert rembg_mask(rgb).min() == 1.0, "online it fetches for itself"
    go_offline()
    with pytest.raises(InputError, match=r"rembg's network .*u2net.onnx is not here and is not fetched"):
        rembg_mask(rgb)
    (tmp_path / "u2net.onnx").touch()
    assert rembg_mask(rgb).min() == 1.0


@pytest.mark.parametrize(
    "words",
    [
        ["reconstruct", "http://example.org/a.png"],
        ["reconstruct", "PHOTO", "--set", "weights=hub:owner/name"],
        ["pose", "http://example.org/a.png", "--from", "PHOTO"],
        ["pose", "PHOTO", "--from", "http://example.org/a.png"],
        ["film", "--data", "d", "--weights", "hub:owner/name"],
        ["prepare", "photos", "http://example.org/a.png"],
    ],
    ids=" ".join,
)
def test_every_verb_that_would_fetch_refuses(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = tmp_path / "ball.png"
    rgb, mask = disc(64, 48, 17.0)
    photo.write_bytes(png(np.dstack([rgb, mask])))
    given = [str(photo) if word == "PHOTO" else word for word in words]
    out = tmp_path / ("out.mp4" if words[0] == "film" else "out")
    with pytest.raises(SystemExit) as left:
        main([*given, "-o", str(out), "--offline"])
    assert left.value.code == 2 and os.environ["HF_HUB_OFFLINE"] == "1"
    told = "".join(capsys.readouterr())
    assert "is not here and is not fetched, as this runs offline" in told and "Traceback" not in told
