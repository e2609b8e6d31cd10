"""docs/bad_input.md quotes what is said: every sentence there comes from a case here, word for word."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monoform.cli.reconstruct import run as reconstruct
from monoform.errors import InputError

PAGE = Path(__file__).parents[2] / "docs" / "bad_input.md"


def picture(name: str, width: int = 64, height: int = 48, color: tuple[int, ...] = (200, 200, 200)) -> None:
    Image.new("RGBA" if len(color) == 4 else "RGB", (width, height), color).save(name)


def mug() -> None:
    """A photo whose mask is easy: a dark square in the alpha channel."""
    image = np.zeros((48, 64, 4), np.uint8)
    image[12:36, 16:48] = (90, 60, 40, 255)
    Image.fromarray(image).save("mug.png")


def cut_short() -> None:
    picture("whole.jpg", 640, 480)
    Path("short.jpg").write_bytes(Path("whole.jpg").read_bytes()[:600])


def checkers() -> None:
    rows, columns = np.mgrid[:48, :64]
    Image.fromarray(((rows + columns) % 2 * 255).astype(np.uint8)).save("checkers.png")


def photo_in(folder: str) -> None:
    Path(folder).mkdir()
    picture(f"{folder}/cup.png")


CASES: dict[str, tuple[Callable[[], object], list[str]]] = {
    "no file": (lambda: None, ["mgu.jpg"]),
    "a folder": (lambda: Path("photos").mkdir(), ["photos"]),
    "empty": (lambda: Path("empty.jpg").write_bytes(b""), ["empty.jpg"]),
    "no image": (lambda: Path("notes.txt").write_text("not a picture"), ["notes.txt"]),
    "cut short": (cut_short, ["short.jpg"]),
    "tiny": (lambda: picture("icon.png", 12, 12), ["icon.png"]),
    "transparent": (lambda: picture("clear.png", color=(0, 0, 0, 0)), ["clear.png"]),
    "plain": (lambda: picture("wall.png"), ["wall.png", "--matting", "grabcut"]),
    "mask of another size": (lambda: (mug(), picture("mask.png", 32, 24)), ["mug.png", "--mask", "mask.png"]),
    "empty mask": (lambda: (mug(), picture("black.png", color=(0, 0, 0))), ["mug.png", "--mask", "black.png"]),
    "checkerboard": (lambda: (mug(), checkers()), ["mug.png", "--mask", "checkers.png"]),
    "one mask for photos of one name": (
        lambda: (Path("masks").mkdir(), picture("masks/cup.png"), *(photo_in(one) for one in ("front", "back"))),
        ["front/cup.png", "back/cup.png", "--mask", "masks"],
    ),
    "no mask for a photo": (
        lambda: (mug(), Path("masks").mkdir(), picture("masks/mug.png"), picture("cup.png")),
        ["mug.png", "cup.png", "--mask", "masks"],
    ),
    "one mask for two": (lambda: (mug(), picture("mask.png")), ["mug.png", "mug.png", "--mask", "mask.png"]),
    "method": (mug, ["mug.png", "--method", "inflat"]),
    "matting": (mug, ["mug.png", "--matting", "magic"]),
    "point outside": (lambda: picture("wall.png"), ["wall.png", "--point", "999,60"]),
    "option": (mug, ["mug.png", "--method", "inflate", "--set", "depth=2"]),
    "option type": (mug, ["mug.png", "--method", "inflate", "--set", "thickness=fat"]),
    "option range": (mug, ["mug.png", "--method", "inflate", "--set", "thickness=9"]),
    "refinement": (mug, ["mug.png", "--method", "lift", "--refine", "5000"]),
    "no such option": (mug, ["mug.png", "--method", "inflate", "--refine", "20"]),
    "weights": (mug, ["mug.png", "--method", "lift", "--set", "weights=missing"]),
    "faces": (mug, ["mug.png", "--faces", "3"]),
    "focal": (mug, ["mug.png", "--focal", "2"]),
    "workers": (mug, ["mug.png", "--workers", "0"]),
    "gpu of a job": (mug, ["mug.png", "--engine", "slurm", "--device", "cuda"]),
    "seed": (mug, ["mug.png", "--seed", str(2**63)]),
    "out is the user's": (lambda: (mug(), Path("out/mug").mkdir(parents=True), Path("out/mug/a").touch()), ["mug.png"]),
    "out is a link": (lambda: (mug(), Path("out").mkdir(), Path("out/mug").symlink_to("nowhere")), ["mug.png"]),
    "out": (lambda: (mug(), Path("out").write_text("a file")), ["mug.png"]),
}


def quoted() -> list[str]:
    """The sentences of the page about photos, masks and options: the last cell of each table row, in backticks."""
    page = re.sub(r"^## Meshes$.*?(?=^## |\Z)", "", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"\| `([^`]+)` \|$", page, re.MULTILINE)


@pytest.mark.parametrize("name", CASES)
def test_sentence_is_in_the_page(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    prepare, words = CASES[name]
    prepare()
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(InputError) as refusal:
        reconstruct([*words, "-o", "out"])
    assert str(refusal.value) in quoted()
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == before  # nothing half-made


def test_page_quotes_nothing_else() -> None:
    assert len(quoted()) == len(set(quoted())) == len(CASES)
