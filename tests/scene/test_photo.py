"""Photos: every source and every format, the mask, the crop, and what cannot be used."""

from __future__ import annotations

import io
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.pictures import disc, mug, png

from monoform import Camera, InputError, Photo
from monoform.camera import look_at

RGB, MASK = disc()
PNG = png(RGB)


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pil(image: np.ndarray = RGB) -> Image.Image:
    return Image.fromarray(np.round(image * 255).astype(np.uint8))


def test_a_tensor_of_another_shape_is_no_photo():
    for shape in ((2, 3, 20, 20), (5, 20, 20), (20,)):
        with pytest.raises(InputError, match="has shape"):
            Photo.open(torch.zeros(shape))
    with pytest.raises(InputError, match="NaN"):
        Photo.open(torch.full((3, 20, 20), torch.nan))


def test_a_photo_is_told_in_a_line_and_shown_in_a_notebook():
    height, width = RGB.shape[:2]
    photo = Photo.open(PNG)
    assert repr(photo) == f"<Photo photo: {width} x {height} pixels, no mask yet>"
    assert photo._repr_html_().count("<img") == 1
    masked = photo.with_mask(MASK.astype(np.float32), "network", confidence=0.5)
    assert repr(masked).endswith("mask by network, confidence 0.50>") and masked._repr_html_().count("<img") == 2


def test_all_kinds_of_source_give_the_same_photo(tmp_path):
    (tmp_path / "ball.png").write_bytes(PNG)
    byte_array = np.round(RGB * 255).astype(np.uint8)
    tensor = torch.from_numpy(byte_array)
    arrays = (byte_array, tensor, tensor.permute(2, 0, 1), tensor.permute(2, 0, 1)[None], tensor / 255)
    photos = [Photo.open(s) for s in (tmp_path / "ball.png", str(tmp_path / "ball.png"), PNG, pil(), *arrays)]
    for photo in photos:
        np.testing.assert_array_equal(photo.rgba, photos[0].rgba)
        assert (photo.width, photo.height, photo.mask) == (160, 120, None)
    assert photos[0].name == "ball"
    np.testing.assert_allclose(Photo.open(RGB).rgb, RGB, atol=0.5 / 255 + 1e-6)


@pytest.mark.parametrize(
    ("data", "tolerance"),
    [
        (encoded(pil().convert("CMYK"), "JPEG", quality=95), 0.15),
        (encoded(pil().convert("P", palette=Image.Palette.ADAPTIVE), "PNG"), 0.1),
        (encoded(pil(), "WEBP", lossless=True), 0.003),
        (encoded(pil(), "TIFF"), 0.003),
        (encoded(pil(), "BMP"), 0.003),
    ],
    ids=["cmyk", "palette", "webp", "tiff", "bmp"],
)
def test_formats_give_the_colors(data, tolerance):
    assert np.abs(Photo.open(data).rgb - RGB).mean() < tolerance
    assert np.abs(Photo.open(data).rgb - RGB).max() < 3 * tolerance + 0.05


def test_grayscale_and_sixteen_bits_keep_the_brightness():
    gray = RGB.mean(axis=2)
    eight = Photo.open(encoded(Image.fromarray(np.round(gray * 255).astype(np.uint8)), "PNG"))
    deep = Photo.open(encoded(Image.fromarray(np.round(gray * 65535).astype(np.uint16)), "PNG"))
    np.testing.assert_allclose(eight.rgb, np.repeat(gray[..., None], 3, 2), atol=0.004)
    np.testing.assert_allclose(deep.rgb, np.repeat(gray[..., None], 3, 2), atol=0.01)


def test_an_animation_gives_its_first_frame_and_says_so():
    frames = [pil(), pil(1 - RGB)]
    data = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    photo = Photo.open(data)
    np.testing.assert_allclose(photo.rgb, RGB, atol=0.01)
    assert "2 frames" in photo.notices[0]


def test_exif_orientation_and_focal_length():
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: the upright photo is stored on its side
    exif.get_ifd(0x8769)[0xA405] = 50
    stored = pil().transpose(Image.Transpose.ROTATE_90)
    photo = Photo.open(encoded(stored, "PNG", exif=exif))
    np.testing.assert_allclose(photo.rgb, RGB, atol=0.004)
    # A 50 mm lens on 36 x 24 mm film, whose diagonal is 43.27 mm.
    assert photo.focal == pytest.approx(50 / 43.2666 * np.hypot(160, 120), rel=1e-6)
    assert Photo.open(PNG).focal is None


def test_alpha_is_the_mask_and_a_mask_file_goes_first():
    rgba = np.concatenate([RGB, MASK[..., None]], axis=2)
    photo = Photo.open(png(rgba))
    assert photo.mask_origin == "alpha"
    np.testing.assert_allclose(photo.mask, MASK, atol=0.004)
    other = np.zeros_like(MASK)
    other[20:60, 30:90] = 1
    given_mask = Photo.open(png(rgba), mask=png(other))
    assert given_mask.mask_origin == "file"
    np.testing.assert_array_equal(given_mask.mask, other)
    assert Photo.open(png(np.concatenate([RGB, np.ones_like(MASK)[..., None]], 2))).mask is None


def test_large_photos_are_reduced_but_remember_their_size():
    photo = Photo.open(np.zeros((900, 3000, 3), np.uint8))
    assert photo.size == (1024, 307)
    assert (photo.width, photo.height) == (3000, 900)
    assert photo.with_mask(np.ones((307, 1024), np.float32), "file").original_mask().shape == (900, 3000)


def test_reduction_does_not_mix_in_hidden_colors():
    rgba = np.zeros((400, 400, 4), np.float32)
    rgba[..., 1] = 1  # hidden green
    rgba[101:297, 101:297] = (1, 0, 0, 1)
    small = Photo.open(rgba, working_side=64)
    visible = small.rgba[..., 3] > 0.05
    np.testing.assert_allclose(small.rgb[visible], np.tile([1.0, 0, 0], (visible.sum(), 1)), atol=0.02)


def test_a_crop_sees_what_the_cropped_camera_sees():
    rgb, mask = mug()
    photo = Photo.open(rgb, mask=mask)
    crop = photo.cropped(40, 30, 200, 160, size=(100, 80))
    camera = Camera.from_fov(look_at(torch.tensor([[0.2, 0.4, 2.0]])), 0.6, 320, 240)
    window = camera.cropped(40, 30, 200, 160).resized(100, 80)
    points = camera.unproject(camera.pixel_centers()[None], torch.full((1, 320 * 240), 2.0))
    pixels, _ = window.project(points)
    cells = pixels[0].numpy()
    inside = (cells > 1).all(1) & (cells < [99, 79]).all(1)
    looked_up = crop.mask[cells[inside, 1].astype(int), cells[inside, 0].astype(int)]
    assert np.abs(looked_up - photo.mask.ravel()[inside]).mean() < 0.02
    whole = crop.original_mask()
    assert np.abs(whole[40:180, 50:230] - mask[40:180, 50:230]).mean() < 0.02


def test_a_window_outside_the_photo_is_transparent():
    crop = Photo.open(RGB, mask=MASK).cropped(-40, -30, 160, 120, size=(160, 120))
    assert crop.rgba[:29, :, 3].max() == 0
    assert crop.mask[:29].max() == 0
    np.testing.assert_allclose(crop.rgba[30:, 40:, :3], RGB[:90, :120], atol=0.01)


def test_the_inner_edge_keeps_the_objects_colors_and_loses_the_backgrounds():
    """A red square on blue with a mixed edge on its left, an olive edge of its own on its right, a thin yellow stem."""
    red, olive, blue, yellow = np.float32([[1, 0, 0], [0.6, 0.6, 0], [0, 0, 1], [1, 1, 0]])
    rgb = np.tile(blue, (80, 80, 1))
    mask = np.zeros((80, 80), np.float32)
    rgb[20:60, 20:60], mask[20:60, 20:60] = red, 1
    rgb[20:60, 20] = 0.2 * red + 0.8 * blue
    rgb[20:60, 59] = olive
    rgb[5:20, 40], mask[5:20, 40] = yellow, 1
    photo = Photo.open(rgb, mask=mask)
    filled = photo.filled()
    np.testing.assert_allclose(filled[25:55, 20], np.tile(red, (30, 1)), atol=0.02)
    np.testing.assert_array_equal(filled[25:55, 59], photo.rgb[25:55, 59])
    np.testing.assert_array_equal(filled[6:20, 40], photo.rgb[6:20, 40])
    assert np.abs(filled[:, :15] - blue).max(axis=-1).min() > 0.5, "no background is left"


def sentence(source, match: str, **options) -> None:
    with pytest.raises(InputError, match=match) as caught:
        Photo.open(source, **options)
    text = str(caught.value)
    assert "\n" not in text and text.endswith(".") and len(text) < 400


def test_files_that_cannot_be_read(tmp_path):
    sentence(tmp_path / "none.png", "no file")
    sentence(tmp_path, "folder")
    for name, data, match in (
        ("zero.png", b"", "empty"),
        ("text.png", b"this is text, not an image\n" * 50, "not an image"),
        ("cut.png", PNG[: len(PNG) // 2], "damaged or truncated"),
        ("cut.jpg", encoded(pil(), "JPEG")[:900], "damaged or truncated"),
        ("script.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n", "not an image"),
    ):
        (tmp_path / name).write_bytes(data)
        sentence(tmp_path / name, match)


def test_sizes_that_cannot_be_used():
    sentence(png(RGB[:1, :1]), "1 x 1 pixels")
    huge = io.BytesIO()
    Image.new("1", (20000, 20000)).save(huge, "PNG")
    sentence(huge.getvalue(), "20000 x 20000|million pixels")
    sentence(np.zeros((0, 5, 3), np.uint8), "empty")


def test_arrays_that_are_no_images():
    sentence(np.full((40, 40, 3), np.nan), "NaN")
    sentence(np.full((40, 40, 3), 7.0), "0..1")
    sentence(np.zeros((40, 40, 7), np.uint8), "shape")
    sentence(np.zeros((40, 40, 3), np.int64), "int64")
    sentence({"a": 1}, "dict")


def test_masks_that_cannot_be_used():
    sentence(RGB, "40 x 30 pixels but the photo is 160 x 120", mask=np.ones((30, 40), np.uint8) * 255)
    sentence(RGB, "marks nothing", mask=np.zeros((120, 160), np.uint8))
    sentence(np.concatenate([RGB, np.zeros_like(MASK)[..., None]], 2), "fully transparent")


class Server(BaseHTTPRequestHandler):
    def do_GET(self):
        if "ball" not in self.path:
            self.send_error(404)
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(PNG)

    def log_message(self, *_):
        return


@pytest.fixture
def address():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_a_photo_from_the_web(address):
    photo = Photo.open(f"{address}/pictures/red%20ball.png?x=1")
    assert photo.name == "red ball"
    np.testing.assert_array_equal(photo.rgba, Photo.open(PNG).rgba)


def test_addresses_that_do_not_answer(address):
    sentence(f"{address}/gone.png", "404")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    sentence(f"http://127.0.0.1:{port}/ball.png", "cannot be fetched")
    sentence("http://[bad", "cannot be fetched|no file")


def opened_or_one_sentence(data: bytes) -> None:
    try:
        photo = Photo.open(data)
    except InputError as error:
        assert str(error) and "Traceback" not in str(error)
    else:
        assert np.isfinite(photo.rgba).all() and photo.rgba.min() >= 0 and photo.rgba.max() <= 1


FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
FILES = [PNG, *(encoded(pil().convert("RGB"), kind) for kind in ("JPEG", "GIF", "TIFF", "WEBP", "BMP", "PPM"))]


@FUZZ
@given(st.binary(max_size=400))
def test_any_bytes_open_or_give_one_sentence(data):
    opened_or_one_sentence(data)


@FUZZ
@given(st.sampled_from(FILES), st.data())
def test_any_damage_to_a_file_opens_or_gives_one_sentence(data, draw):
    damaged = bytearray(data)
    for _ in range(draw.draw(st.integers(1, 12))):
        damaged[draw.draw(st.integers(0, len(damaged) - 1))] = draw.draw(st.integers(0, 255))
    opened_or_one_sentence(bytes(damaged[: draw.draw(st.integers(1, len(damaged)))]))
