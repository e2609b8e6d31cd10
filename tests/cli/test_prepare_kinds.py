"""monoform prepare renders, check, photos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.data import posed_files_cases as cases
from tests.pictures import mug, png

from monoform.cli.main import main
from monoform.cli.prepare import run
from monoform.data.objects.solids import box, painted
from monoform.data.posed.dvr import DvrObjects
from monoform.data.posed.srn import SrnObjects
from monoform.errors import InputError

TINY = ["--views", "2", "--size", "16", "--samples", "1", "--workers", "1"]


def test_renders_can_be_checked_and_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("block", "slab"):
        painted(box((1, 1, 2 if name == "block" else 0.2)), np.full(3, 0.5)).export(
            tmp_path / f"meshes/toys/{name}.glb"
        )
    (tmp_path / "meshes/other").mkdir()
    (tmp_path / "meshes/other/broken.glb").write_bytes(b"nothing")
    words = ["renders", "--data", str(tmp_path / "meshes"), *TINY]
    assert run([*words, "-o", str(tmp_path / "srn"), "--category", "toys", "--split", "val", "--test-views", "3"]) == 0
    assert "2 objects are in" in capsys.readouterr().out
    assert SrnObjects(tmp_path / "srn/toys", "val", size=None)["block"].images.shape == (3, 16, 16, 3)
    assert run(["check", "--data", str(tmp_path / "srn")]) == 0
    assert "toys_val: 2 objects, 6 views of 16 x 16 pixels" in capsys.readouterr().out
    several = [*words, "-o", str(tmp_path / "all"), "--together", "things", "--split", "train"]
    assert run([*several, "--category", "toys", "other"]) == 2  # one mesh of `other` is broken
    assert SrnObjects(tmp_path / "all/things", "train", size=None).keys == ("things/block", "things/slab")
    assert run(["renders", "-o", str(tmp_path / "cars"), *TINY, "--cars", "2", "--split", "train"]) == 0
    assert SrnObjects(tmp_path / "cars/car", "train", size=None).keys == ("car/car_00000", "car/car_00001")
    nmr = [*words, "-o", str(tmp_path / "nmr"), "--layout", "nmr", "--procedural", "5", "--seed", "3", "--share", "0.2"]
    assert run([*nmr, "--keep-likes"]) == 2
    assert "broken is left out" in capsys.readouterr().out
    assert [len(DvrObjects(tmp_path / "nmr", split)) for split in ("train", "val", "test")] == [5, 1, 1]


def test_check_names_the_first_wrong_thing_and_leaves_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = cases.write_srn(tmp_path / "cars_test", ("a",))
    (root / "a/pose/000001.txt").unlink()
    words = ["prepare", "check", "--data", str(tmp_path), "--format", "srn"]
    for more, code in (([], 2), (["--quick"], 0)):
        with pytest.raises(SystemExit) as left:
            main([*words, *more])
        assert left.value.code == code
    captured = capsys.readouterr()
    sentence = "pose/000001.txt: it must hold the 16 numbers of a camera-to-world matrix."
    assert captured.err.startswith("monoform: ") and sentence in " ".join(captured.err.split())
    assert "cars_test: 1 objects" in captured.out


def test_photos_are_framed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture, mask = mug()
    (tmp_path / "mug.png").write_bytes(png(picture))
    (tmp_path / "mask.png").write_bytes(png(mask))
    (tmp_path / "text.png").write_text("no image")
    out = tmp_path / "out"
    words = ["photos", str(tmp_path / "mug.png"), "-o", str(out), "--mask", str(tmp_path / "mask.png")]
    assert run([*words, "--size", "64"]) == 0
    framed = np.asarray(Image.open(out / "mug_normalize.png"))
    assert framed.shape == (64, 64, 3) and (framed[0] == 255).all() and (framed < 200).any()
    side = float(capsys.readouterr().out.split()[1])
    for option in ("--minor-scale", "--major-scale"):
        assert run([*words, option, "9"]) == 0
        assert float(capsys.readouterr().out.split()[1]) > side
    cut = png(np.dstack((picture, mask)))  # its transparency says what the object is
    (tmp_path / "too").mkdir()
    for path in (tmp_path / "mug.png", tmp_path / "too/mug.png"):
        path.write_bytes(cut)
    photos = [str(tmp_path / name) for name in ("text.png", "mug.png", "too/mug.png")]
    assert run(["photos", *photos, "-o", str(out)]) == 2
    said = " ".join(capsys.readouterr().out.split())
    assert "text.png is left out" in said and "mug: " in said and "mug_2: " in said
    assert (out / "mug_2_normalize.png").is_file()


def test_a_photo_without_a_mask_is_segmented(tmp_path: Path) -> None:
    (tmp_path / "mug.png").write_bytes(png(mug()[0]))
    assert run(["photos", str(tmp_path / "mug.png"), "-o", str(tmp_path)]) == 0
    assert (tmp_path / "mug_normalize.png").is_file()


def test_photos_become_square_pictures_masks_and_objects(tmp_path: Path) -> None:
    picture, mask = mug()
    (tmp_path / "mug.png").write_bytes(png(picture))
    (tmp_path / "mask.png").write_bytes(png(mask))
    words = ["photos", str(tmp_path / "mug.png"), "-o", str(tmp_path / "out"), "--mask", str(tmp_path / "mask.png")]
    words += ["--layout", "rgba"]
    assert run([*words, "--size", "64"]) == 0
    files = {name: Image.open(tmp_path / f"out/mug/{name}.png") for name in ("image", "mask", "rgba")}
    assert {name: (file.mode, file.size) for name, file in files.items()} == {
        "image": ("RGB", (64, 64)),
        "mask": ("L", (64, 64)),
        "rgba": ("RGBA", (64, 64)),
    }
    assert np.array_equal(np.asarray(files["rgba"])[..., 3], np.asarray(files["mask"]))
    kept = np.asarray(files["image"]).copy()
    assert run([*words, "--size", "64", "--published"]) == 0
    published = Image.open(tmp_path / "out/mug/rgba.png")
    assert published.size == picture.shape[1::-1]
    assert not np.array_equal(np.asarray(Image.open(tmp_path / "out/mug/image.png")), kept)
    mine = tmp_path / "out/mug/mask.png"
    Image.new("L", (9, 9)).save(mine)
    assert run(words) == 2 and Image.open(mine).size == (9, 9)
    assert run([*words, "--overwrite"]) == 0 and Image.open(mine).size == (512, 512)


def test_bad_words_are_one_sentence(tmp_path: Path) -> None:
    cases.write_srn(tmp_path / "cars_test", ("a",))
    painted(box((1, 1, 1)), np.full(3, 0.5)).export(tmp_path / "meshes/toys/block.glb")
    for words, sentence in (
        (["renders", "-o", "x"], "nothing to render"),
        (["renders", "-o", "x", "--procedural", "-1"], "--procedural is -1"),
        (["renders", "-o", "x", "--cars", "-1"], "--cars is -1"),
        (["renders", "-o", "x", "--procedural", "1", "--views", "0"], "views is 0"),
        (["renders", "-o", "x", "--data", str(tmp_path / "meshes"), "--category", "cars"], "there are toys"),
        (["check", "--data", str(tmp_path / "nowhere")], "There is no data folder"),
        (["check", "--data", str(tmp_path), "--format", "dvr"], "no object of the format dvr"),
        (["photos", "-o", "x"], "0 photos are given"),
        (["photos", "a", "b", "-o", "x", "--mask", "m"], "only one with --mask"),
        (["photos", "a", "-o", "x", "--size", "0"], "--size is 0"),
        (["photos", "a", "-o", "x", "--layout", "rgba", "--size", "0"], "--size is 0"),
    ):
        with pytest.raises(InputError, match=sentence):
            run(words)


def test_every_kind_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    said = capsys.readouterr().out
    for kind, option in (
        ("meshes", "--copies"),
        ("renders", "--layout"),
        ("photos", "--minor-scale"),
        ("check", "--quick"),
    ):
        assert f"  {kind}" in said
        with pytest.raises(SystemExit) as left:
            run([kind, "--help"])
        assert left.value.code == 0 and option in capsys.readouterr().out
