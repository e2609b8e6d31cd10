"""Masks as editors and programs save them: which channel is meant, which way round, and whether anything is marked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.pictures import disc

from monoform import InputError, Photo
from monoform.scene.masks import mask_values, oriented, read_mask, require_solid

RGB, TRUTH = disc()
INSIDE = TRUTH > 0.5
BYTES = np.where(INSIDE, 255, 0).astype(np.uint8)
HEIGHT, WIDTH = BYTES.shape


def with_alpha(colors: np.ndarray, alpha: np.ndarray) -> Image.Image:
    return Image.fromarray(np.dstack([colors, alpha]).astype(np.uint8))


def gray(values: np.ndarray) -> np.ndarray:
    return np.repeat(values[..., None], 3, axis=2)


def cleared(share: float) -> np.ndarray:
    """Opaque but for a strip at the left, in which there is no object."""
    alpha = np.full_like(BYTES, 255)
    alpha[:, : round(share * WIDTH)] = 0
    alpha[0, 0] = 0
    return alpha


def labels() -> Image.Image:
    image = Image.fromarray(INSIDE.astype(np.uint8)).convert("P")
    image.putpalette([0, 0, 0, 128, 0, 0] + [0] * 750)
    return image


NOISE = np.random.default_rng(0)
KINDS = {
    "gray": Image.fromarray(BYTES),
    "bilevel": Image.fromarray(INSIDE),
    "zero and one": Image.fromarray(INSIDE.astype(np.uint8)),
    "16 bits": Image.fromarray(BYTES.astype(np.uint16) * 257),
    "8 bits in 16": Image.fromarray(BYTES.astype(np.uint16)),
    "zero and one in 16 bits": Image.fromarray(INSIDE.astype(np.uint16)),
    "zero and one in 32 bits": Image.fromarray(INSIDE.astype(np.int32)),
    "floats": Image.fromarray(INSIDE.astype(np.float32)),
    "palette": labels(),
    "noisy": Image.fromarray(np.clip(BYTES + NOISE.normal(0, 20, BYTES.shape), 0, 255).astype(np.uint8)),
    "opaque": with_alpha(gray(BYTES), np.full_like(BYTES, 255)),
    "one clear pixel": with_alpha(gray(BYTES), cleared(0)),
    "a clear strip": with_alpha(gray(BYTES), cleared(0.1)),
    "hardly transparent": with_alpha(gray(BYTES), NOISE.integers(245, 256, BYTES.shape)),
    "white on clear": with_alpha(np.full((HEIGHT, WIDTH, 3), 255), BYTES),
    "black on clear": with_alpha(np.zeros((HEIGHT, WIDTH, 3)), BYTES),
    "white on clear black": with_alpha(gray(BYTES), BYTES),
    "cut-out photo": with_alpha(NOISE.integers(0, 256, (HEIGHT, WIDTH, 3)), BYTES),
    "gray and alpha": Image.merge("LA", [Image.fromarray(BYTES), Image.fromarray(BYTES)]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_object_is_found(kind: str, tmp_path: Path) -> None:
    found = mask_values(KINDS[kind]) > 0.5
    assert (found == INSIDE).all()


@pytest.mark.parametrize("kind", ["one clear pixel", "8 bits in 16", "palette", "bilevel", "zero and one"])
def test_the_object_is_found_in_files(kind: str, tmp_path: Path) -> None:
    KINDS[kind].save(tmp_path / "mask.png")
    mask = Photo.open(RGB, mask=str(tmp_path / "mask.png")).mask
    assert mask is not None and ((mask > 0.5) == INSIDE).all()


def test_soft_edges_stay_soft() -> None:
    soft = np.rint(255 * np.clip(np.linspace(-1, 2, WIDTH), 0, 1)).astype(np.uint8)[None].repeat(HEIGHT, axis=0)
    for image in (Image.fromarray(soft), with_alpha(gray(soft), soft), with_alpha(gray(soft), cleared(0))):
        np.testing.assert_allclose(mask_values(image), soft / 255, atol=1e-6)


def rotated(values: np.ndarray, stored_as: int) -> Image.Image:
    """The picture as a file stores it that is seen upright by this EXIF orientation."""
    return oriented(Image.fromarray(values), {6: 8, 8: 6}.get(stored_as, stored_as))


@pytest.mark.parametrize("stored_as", range(1, 9))
def test_a_mask_follows_its_photo(stored_as: int, tmp_path: Path) -> None:
    values = BYTES.copy()
    values[:30, :50] = 255  # no symmetry
    upright, size = values > 127, (WIDTH, HEIGHT)
    stored = np.asarray(rotated(values, stored_as)) > 127
    exif = Image.Exif()
    exif[0x0112] = stored_as
    files = {name: tmp_path / f"{name}.png" for name in ("upright", "stored", "marked")}
    Image.fromarray(values).save(files["upright"])
    rotated(values, stored_as).save(files["stored"])
    rotated(values, stored_as).save(files["marked"], exif=exif)
    stored_size = stored.shape[1::-1]
    for name, drawn_on in (("upright", "upright"), ("stored", "stored"), ("marked", "upright"), ("marked", "stored")):
        one = read_mask(files[name], size, stored_as=stored_as, shown="upright", drawn_on=drawn_on)
        two = read_mask(files[name], stored_size, stored_as=stored_as, shown="stored", drawn_on=drawn_on)
        assert ((one > 0.5) == upright).all() and ((two > 0.5) == stored).all(), name
    if stored_as > 4:  # the size alone tells
        other = read_mask(files["stored"], size, stored_as=stored_as, shown="upright", drawn_on="upright")
        assert ((other > 0.5) == upright).all()


def test_masks_of_another_size_and_empty_ones_are_refused() -> None:
    with pytest.raises(InputError, match="160 x 120 pixels but the photo is 80 x 60"):
        read_mask(BYTES, (80, 60), stored_as=6)
    with pytest.raises(InputError, match="marks nothing:"):
        read_mask(np.zeros_like(BYTES), (WIDTH, HEIGHT))


def test_what_is_not_solid_is_refused(tmp_path: Path) -> None:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    dust = NOISE.random(BYTES.shape) < 0.03
    dust[1:-1, 1:-1] &= ~np.isin(rows[1:-1, 1:-1] % 3, (0,)) & (columns[1:-1, 1:-1] % 3 == 1)
    for thin in ((rows + columns) % 2 == 0, rows % 4 == 0, columns % 5 < 2, dust):
        values = thin.astype(np.uint8) * 255
        with pytest.raises(InputError, match="The mask marks nothing solid"):
            Photo.open(RGB, mask=values)
        file = tmp_path / "dust.png"
        with_alpha(np.rint(255 * RGB), values).save(file)
        with pytest.raises(InputError, match=r"dust\.png marks nothing solid"):
            Photo.open(file)
    require_solid(np.pad(np.ones((3, 3), np.float32), 5), "A block")


def test_a_slip_of_the_eraser_makes_no_mask_of_a_photo() -> None:
    slip = with_alpha(np.rint(255 * RGB), cleared(0))
    assert Photo.open(slip).mask is None


def test_a_mask_goes_before_a_photo_that_is_transparent_everywhere() -> None:
    clear = with_alpha(np.rint(255 * RGB), np.zeros_like(BYTES))
    mask = Photo.open(clear, mask=BYTES).mask
    assert mask is not None and ((mask > 0.5) == INSIDE).all()
