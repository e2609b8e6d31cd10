"""A photo of an object: colours, mask, and where it lies in the file that the user gave."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float
from PIL import Image
from scipy import ndimage
from torch import Tensor

from ..errors import InputError
from ..inputs.pictures import Orientation, eight_bits, open_picture
from ..inputs.remote import RemotePath
from ..mesh.texture import to_bytes
from ..outputs.notebook import pictures_html
from .masks import alpha_says, read_mask, require_solid

WORKING_SIDE = 1024
PictureSource = str | Path | RemotePath | bytes | Image.Image | np.ndarray | Tensor


@dataclass(frozen=True)
class Photo:
    """One photo, upright unless it was opened otherwise, reduced to a working size.

    Attributes:
        rgba: colours and alpha of the working image, 0..1 sRGB, alpha not premultiplied.
        mask: share of each working pixel that the object covers, 0..1, or None while unknown.
        mask_origin: "alpha", "file", "rembg", "network" or "grabcut"; None while the mask is unknown.
        width: of the upright original, in pixels.
        height: of the upright original, in pixels.
        crop: (left, top, width, height) in pixels of the original: what the working image shows.
        focal: focal length in pixels of the original from EXIF, or None.
        name: name for the result.
        source: what the user gave.
        notices: sentences for the user, those about the mask first.
        stored_as: EXIF orientation of the file's pixels, 1..8; 1 where they are stored as they are seen.
        unsure: sides of the frame that the mask reaches without being sure that the object does.
        mask_confidence: probability, 0..1, that a mask which was found is right; None where nothing has judged it.
    """

    rgba: Float[np.ndarray, "h w 4"]
    mask: Float[np.ndarray, "h w"] | None
    mask_origin: str | None
    width: int
    height: int
    crop: tuple[float, float, float, float]
    focal: float | None = None
    name: str = "photo"
    source: str = "array"
    notices: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()
    stored_as: int = 1
    mask_confidence: float | None = None

    @classmethod
    def open(
        cls,
        source: object,
        *,
        mask: object = None,
        working_side: int = WORKING_SIDE,
        orientation: Orientation = "upright",
        mask_drawn_on: Orientation = "upright",
    ) -> Photo:
        """Read a photo, and its mask where one is known (alpha of the photo, or `mask`).

        Args:
            source: path, http(s) URL, bytes, PIL image, or array (h, w[, 1|3|4]) of uint8, uint16 or floats in 0..1.
            mask: the same kinds; white or opaque where the object is, in the size of the upright photo or of the
                stored pixels.
            working_side: longest side of the working image in pixels; larger photos are reduced to it.
            orientation: "upright" turns the pixels as EXIF says; "stored" leaves them as they are in the file.
            mask_drawn_on: which of the two a mask is for that says nothing itself and fits both.

        Raises:
            InputError: the photo or the mask cannot be used; the sentence says why.
        """
        decoded = open_picture(source, orientation=orientation)
        rgba = _rgba(decoded.image)
        height, width = rgba.shape[:2]
        if mask is None:
            alpha, origin = _alpha_mask(rgba, decoded.source), "alpha"
        else:
            shape, stored_as = (width, height), decoded.exif_orientation
            alpha = read_mask(mask, shape, stored_as=stored_as, shown=orientation, drawn_on=mask_drawn_on)
            origin = "file"
        scale = min(1.0, working_side / max(width, height))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        working = None if alpha is None else cv2.resize(alpha, size, interpolation=cv2.INTER_AREA)
        if working is not None:
            named = mask if isinstance(mask, (str, Path)) else "The mask" if origin == "file" else decoded.source
            require_solid(working, str(named))
        return cls(
            rgba=_reduce(rgba, size),
            mask=working,
            mask_origin=None if working is None else origin,
            width=width,
            height=height,
            crop=(0.0, 0.0, float(width), float(height)),
            focal=decoded.focal,
            name=decoded.name,
            source=decoded.source,
            notices=decoded.notices,
            stored_as=decoded.exif_orientation,
        )

    def __repr__(self) -> str:
        mask = "no mask yet" if self.mask_origin is None else f"mask by {self.mask_origin}"
        sure = "" if self.mask_confidence is None else f", confidence {self.mask_confidence:.2f}"
        return f"<Photo {self.name}: {self.width} x {self.height} pixels, {mask}{sure}>"

    def _repr_html_(self) -> str:
        """For notebooks: the photo, and its mask."""
        pictures = [to_bytes(self.rgb)]
        if self.mask is not None:
            pictures.append(to_bytes(np.repeat(self.mask[..., None], 3, axis=2)))
        return pictures_html(pictures, repr(self))

    @property
    def rgb(self) -> Float[np.ndarray, "h w 3"]:
        """Colours of the working image, 0..1 sRGB."""
        return self.rgba[..., :3]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the working image in pixels."""
        return self.rgba.shape[1], self.rgba.shape[0]

    @property
    def scale(self) -> tuple[float, float]:
        """Working pixels per pixel of the original, along x and y."""
        return self.size[0] / self.crop[2], self.size[1] / self.crop[3]

    def in_original(self, left: float, top: float, width: float, height: float) -> tuple[float, float, float, float]:
        """A window of the working image, (left, top, width, height), in pixels of the original."""
        sx, sy = self.scale
        return self.crop[0] + left / sx, self.crop[1] + top / sy, width / sx, height / sy

    def with_mask(
        self,
        mask: Float[np.ndarray, "h w"],
        origin: str,
        notices: tuple[str, ...] = (),
        *,
        unsure: tuple[str, ...] | None = None,
        confidence: float | None = None,
    ) -> Photo:
        """The same photo with a mask of the working size; what is said about the mask is said first.

        Args:
            mask: coverage, 0..1.
            origin: where it comes from, see `Photo.mask_origin`.
            notices: about the mask.
            unsure: see `Photo.unsure`; None: as it was.
            confidence: see `Photo.mask_confidence`; None: as it was, for a mask of the same origin.

        Raises:
            InputError: the mask has another size.
        """
        if mask.shape != self.rgba.shape[:2]:
            raise InputError(f"The mask has shape {mask.shape}, the photo {self.rgba.shape[:2]}.")
        said, unsure = notices + self.notices, self.unsure if unsure is None else unsure
        if confidence is None and origin == self.mask_origin:
            confidence = self.mask_confidence
        return replace(
            self,
            mask=mask.astype(np.float32),
            mask_origin=origin,
            notices=said,
            unsure=unsure,
            mask_confidence=confidence,
        )

    def cropped(self, left: float, top: float, width: float, height: float, *, size: tuple[int, int]) -> Photo:
        """A window of the photo, given in pixels of the original, resampled to `size` (width, height).

        Outside the photo the window is transparent and its mask empty. The camera of the window is
        `camera.cropped(*crop).resized(*size)` of the photo's camera.
        """
        crop = (float(left), float(top), float(width), float(height))

        def resample(image: np.ndarray) -> np.ndarray:
            return self._resampled(image, crop, size, cv2.BORDER_CONSTANT)

        mask = None if self.mask is None else resample(self.mask)
        return replace(self, rgba=resample(self.rgba), mask=mask, crop=crop)

    def filled(self) -> Float[np.ndarray, "h w 3"]:
        """The colours of the object, continued over the background, for texturing.

        A pixel at the mask's inner edge keeps its colour unless it looks more like the background beside it than like
        the object within: then it is mixed with the background, and takes the object's colour.
        """
        if self.mask is None:
            return self.rgb
        solid = cv2.erode((self.mask > 0.9).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        if not solid.any():
            solid = self.mask >= min(0.5, float(self.mask.max()))
        # A faint blur hides the streaks that a nearest-pixel continuation draws.
        within = cv2.GaussianBlur(_continued(self.rgb, solid), (0, 0), 1.5)
        outside = cv2.dilate((self.mask > 0.1).astype(np.uint8), np.ones((3, 3), np.uint8)) == 0
        if outside.any():
            outer = _continued(self.rgb, outside)
            own = _squared(self.rgb - outer) > _squared(self.rgb - within)
            solid = solid | ((self.mask >= 0.5) & own)
        return np.where(solid[..., None], self.rgb, within)

    def filled_window(
        self, crop: tuple[float, float, float, float], *, size: tuple[int, int]
    ) -> Float[np.ndarray, "h w 3"]:
        """The `filled` colours of a window (left, top, width, height in original pixels), resampled to `size`."""
        return self._resampled(self.filled(), crop, size, cv2.BORDER_REPLICATE)

    def _resampled(
        self, image: np.ndarray, crop: tuple[float, float, float, float], size: tuple[int, int], border: int
    ) -> np.ndarray:
        """A window of a working-size image at another size; pixel centres at +0.5 in both."""
        sx, sy = self.scale
        x0, y0 = (crop[0] - self.crop[0]) * sx, (crop[1] - self.crop[1]) * sy
        step = np.array([crop[2] * sx / size[0], crop[3] * sy / size[1]])
        affine = np.array([[step[0], 0, x0 + 0.5 * step[0] - 0.5], [0, step[1], y0 + 0.5 * step[1] - 0.5]])
        sigma = 0.5 * np.sqrt(np.maximum(step**2 - 1, 0))
        if sigma.max() > 0:
            image = cv2.GaussianBlur(image, (0, 0), max(sigma[0], 1e-3), sigmaY=max(sigma[1], 1e-3))
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(image, affine, size, flags=flags, borderMode=border, borderValue=0)

    def original_mask(self) -> Float[np.ndarray, "h w"]:
        """The mask in the size of the original photo, 0..1."""
        if self.mask is None:
            raise InputError("The photo has no mask yet: open it with mask=..., or let matting.segment find one.")
        full = np.zeros((self.height, self.width), np.float32)
        left, top, width, height = (round(value) for value in self.crop)
        patch = cv2.resize(self.mask, (width, height), interpolation=cv2.INTER_LINEAR)
        x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + width, self.width), min(top + height, self.height)
        full[y0:y1, x0:x1] = patch[y0 - top : y1 - top, x0 - left : x1 - left]
        return full


def _continued(image: Float[np.ndarray, "h w 3"], known: Bool[np.ndarray, "h w"]) -> Float[np.ndarray, "h w 3"]:
    """The image with each unknown pixel replaced by the nearest known one."""
    nearest = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    return image[nearest[0], nearest[1]]


def _squared(vectors: Float[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w"]:
    return np.einsum("hwc,hwc->hw", vectors, vectors)


def _rgba(image: Image.Image) -> np.ndarray:
    """Any PIL image as uint8 RGBA."""
    return np.asarray(eight_bits(image).convert("RGBA"))


def _alpha_mask(rgba: np.ndarray, source: str) -> np.ndarray | None:
    """The photo's alpha in 0..1 as its mask; None where it masks nothing."""
    if not alpha_says(rgba[..., 3]):
        return None
    if rgba[..., 3].max() < 128:
        raise InputError(f"{source} is fully transparent: there is no object to see.")
    return rgba[..., 3].astype(np.float32) / 255


def _reduce(rgba: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Float RGBA at `size`; colours are averaged by their alpha so that hidden colours do not bleed in."""
    if size == (rgba.shape[1], rgba.shape[0]):
        return rgba.astype(np.float32) / 255
    if rgba[..., 3].min() == 255:
        return cv2.resize(rgba, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    image = rgba.astype(np.float32) / 255
    alpha = image[..., 3:]
    image[..., :3] *= alpha
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return np.clip(np.concatenate([small[..., :3] / np.maximum(small[..., 3:], 1e-6), small[..., 3:]], axis=2), 0, 1)
