"""Pictures of every kind come out in the same colors and the right way round, or their format is refused by name."""

from __future__ import annotations

import io
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageFile

from monoform import InputError
from monoform.inputs import heif, open_picture, picture_orientation, picture_size, read_pixels

RAMP = np.linspace(0, 1, 64)[None].repeat(48, axis=0)
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0heicmif1" + bytes(64)


def saved(path: Path, image: Image.Image, **options) -> Path:
    image.save(path, **options)
    return path


def test_sixteen_bits_and_floats_keep_their_scale(tmp_path: Path) -> None:
    deep = np.round(RAMP * 65535).astype(np.uint16)
    files = [
        saved(tmp_path / "a.png", Image.fromarray(deep)),
        saved(tmp_path / "b.tif", Image.fromarray(deep.astype(">u2"))),
        saved(tmp_path / "c.tif", Image.fromarray(RAMP.astype(np.float32))),
        saved(tmp_path / "d.tif", Image.fromarray((255 * RAMP).astype(np.float32))),
    ]
    for file in files:
        assert np.abs(read_pixels(file, "L") / 255.0 - RAMP).max() < 0.004, file.name
    dark = saved(tmp_path / "e.tif", Image.fromarray((0.5 * RAMP).astype(np.float32)))
    assert np.abs(read_pixels(dark, "L") / 255.0 - 0.5 * RAMP).max() < 0.004, "no photo is stretched by itself"
    pgm = tmp_path / "f.pgm"
    pgm.write_bytes(b"P5 64 48 65535\n" + (deep // 300).astype(">u2").tobytes())
    assert read_pixels(pgm, "L").max() <= 1, "16 bits, though no value is above 255"


def gray_profile() -> bytes:
    """A profile of grey whose curve is linear light, as ICC lays it out."""

    def tag(kind: bytes, data: bytes) -> bytes:
        return kind + bytes(4) + data

    white = tag(b"XYZ ", b"".join(int(v * 65536).to_bytes(4, "big") for v in (0.9642, 1.0, 0.8249)))
    curve = tag(b"curv", (0).to_bytes(4, "big"))
    start = 128 + 4 + 24
    table = (2).to_bytes(4, "big") + b"wtpt" + start.to_bytes(4, "big") + len(white).to_bytes(4, "big")
    table += b"kTRC" + (start + len(white)).to_bytes(4, "big") + len(curve).to_bytes(4, "big")
    head = bytearray(128)
    head[8:12], head[12:16], head[16:20], head[20:24] = b"\x02\x10\0\0", b"mntr", b"GRAY", b"XYZ "
    head[36:40], head[68:80] = b"acsp", white[8:]
    data = bytes(head) + table + white + curve
    return len(data).to_bytes(4, "big") + data[4:]


def test_profiles_count_in_every_mode(tmp_path: Path) -> None:
    linear = gray_profile()
    assert ImageCms.ImageCmsProfile(io.BytesIO(linear)).profile.xcolor_space.strip() == "GRAY"
    gray = Image.new("L", (20, 20), 55)
    alpha = Image.new("LA", (20, 20), (55, 128))
    plain = np.interp(55 / 255, [0, 1], [0, 1])
    expected = 255 * (1.055 * plain ** (1 / 2.4) - 0.055)  # the curve of sRGB
    for name, image in (("l.png", gray), ("la.png", alpha)):
        file = saved(tmp_path / name, image, icc_profile=linear)
        pixels = read_pixels(file)
        assert np.abs(pixels[..., :3].astype(float) - expected).max() < 3, name
        assert pixels.shape[2] == 3 or (pixels[..., 3] == 128).all()


def test_a_transparent_color_of_a_palette_stays_with_a_profile(tmp_path: Path) -> None:
    image = Image.new("P", (20, 20), 0)
    image.putpalette([255, 0, 0, 0, 255, 0] + [0] * 750)
    image.paste(1, (5, 5, 10, 10))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    file = saved(tmp_path / "p.png", image, transparency=0, icc_profile=srgb)
    pixels = read_pixels(file)
    assert pixels.shape[2] == 4 and pixels[0, 0, 3] == 0 and pixels[6, 6, 3] == 255
    assert np.abs(pixels[6, 6, :3].astype(int) - (0, 255, 0)).max() < 3


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["png", "jpg", "webp"])
def test_stored_and_upright(tmp_path: Path, orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = tmp_path / f"a.{kind}"
    stored = np.zeros((48, 64, 3), np.uint8)
    stored[:8, :16] = 255  # where the first row and the first column meet
    Image.fromarray(stored).save(file, exif=exif)
    assert picture_orientation(file) == orientation and picture_size(file) == (64, 48)
    upright = open_picture(file, orientation="upright").image
    assert upright.size == picture_size(file, orientation="upright") == ((48, 64) if orientation > 4 else (64, 48))
    assert np.abs(read_pixels(file).astype(int) - stored).max() < 40
    seen = np.asarray(upright.convert("L"), dtype=int) > 128
    top, left = seen[: seen.shape[0] // 2].sum(), seen[:, : seen.shape[1] // 2].sum()
    # EXIF: on which side the stored first row, and on which the stored first column, is seen.
    first_row = {1: "top", 2: "top", 3: "bottom", 4: "bottom", 5: "left", 6: "right", 7: "right", 8: "left"}
    first_column = {1: "left", 2: "right", 3: "right", 4: "left", 5: "top", 6: "top", 7: "bottom", 8: "bottom"}
    sides = {first_row[orientation], first_column[orientation]}
    assert (top > 0) == ("top" in sides) and (left > 0) == ("left" in sides)


def test_a_tiff_is_turned_by_its_reader_once(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    file = tmp_path / "a.tif"
    Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(file, exif=exif)
    size = open_picture(file, orientation="upright").image.size
    assert size == picture_size(file, orientation="upright") == picture_size(file) == read_pixels(file).shape[1::-1]


def test_heic_is_refused_by_name_and_read_where_its_reader_is(tmp_path: Path, monkeypatch) -> None:
    file = tmp_path / "IMG_1.HEIC"
    file.write_bytes(HEIC)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    heif.register_heif.cache_clear()
    with pytest.raises(InputError, match=r"IMG_1\.HEIC is HEIC: save it as JPEG, .*monoform\[heic\]"):
        open_picture(file)
    with pytest.raises(InputError, match="is HEIC"):
        picture_size(file)

    class Reader(ImageFile.ImageFile):
        format = "HEIF"

        def _open(self) -> None:
            if len(self.fp.read()) < 80:
                raise SyntaxError("cut short")
            self._size, self._mode = (64, 48), "RGB"
            self.tile = []

        def load(self):
            self.im = Image.new("RGB", self._size, (9, 8, 7)).im
            return self.im.pixel_access(self.readonly)

    reader = types.ModuleType("pillow_heif")
    reader.register_heif_opener = lambda: Image.register_open("HEIF", Reader, lambda head: head[4:8] == b"ftyp")
    monkeypatch.setitem(sys.modules, "pillow_heif", reader)
    heif.register_heif.cache_clear()
    try:
        assert (read_pixels(file) == (9, 8, 7)).all() and picture_size(file) == (64, 48)
        file.write_bytes(HEIC[:70])
        with pytest.raises(InputError, match="is HEIC, and damaged"):
            open_picture(file)
    finally:
        Image.OPEN.pop("HEIF")
        Image.ID.remove("HEIF")
        heif.register_heif.cache_clear()


def test_other_families_of_the_container_are_told_apart(tmp_path: Path) -> None:
    assert str(heif.foreign_sentence(b"\0\0\0\x14ftypavif\0\0\0\0avif")).startswith("is AVIF")
    assert heif.foreign_sentence(b"\0\0\0\x14ftypmp42\0\0\0\0isom") is None
    assert heif.foreign_sentence(b"") is None
    film = tmp_path / "film.png"
    film.write_bytes(b"\0\0\0\x14ftypmp42\0\0\0\0isom" + bytes(60))
    with pytest.raises(InputError, match="not an image"):
        open_picture(film)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_pixels_that_are_no_numbers_are_refused_by_the_name_of_their_file(tmp_path: Path, bad: float) -> None:
    pixels = np.full((20, 20), 0.5, np.float32)
    pixels[3, 4] = bad
    Image.fromarray(pixels).save(tmp_path / "depth.tif")
    with pytest.raises(InputError, match=r"depth\.tif holds NaN or infinite values: write it again\."):
        open_picture(tmp_path / "depth.tif")
