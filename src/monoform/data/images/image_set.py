"""A set of photos as a training reads it: every picture square, of one size, with its label."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from ...errors import InputError
from .fitting import Fit, fitted, plain_rgb, resized
from .labels import FILE, fov_label, label_rows
from .open import open_source

PREPARE = "monoform prepare images --data {place} --transform center-crop --resolution N -o OUT.zip"


class ImageSet:
    """Photos of one kind of object.

    Attributes:
        source: where they lie.
        resolution: pixels along a side of every picture.
        has_labels: whether each has a label.
        label_size: numbers of a label; 0 without.
        chosen: numbers of the pictures in the source's order, those of the mirrored half repeated.
    """

    def __init__(
        self,
        place: str | Path,
        *,
        resolution: int | None = None,
        use_labels: bool = True,
        label_fov: float | None = None,
        fit: Fit | None = None,
        max_size: int | None = None,
        seed: int = 0,
        mirrored: bool = False,
        at_least: int = 1,
    ) -> None:
        """Open a set; pictures are read when they are asked for.

        Args:
            place: a folder or a zip file of photos, with dataset.json at its root where there are labels.
            resolution: pixels along a side; None for that of the first picture.
            use_labels: whether to read the labels of dataset.json.
            label_fov: degrees; where there are no labels, each gets the intrinsics of this field of view.
            fit: how pictures that are not square become so; None: a crop where the label is made of a field of view,
                as published, else they must be square and of one size.
            max_size: so many pictures, drawn by `seed`; None for all.
            seed: of the draw.
            mirrored: every picture counts twice, the second time with left and right exchanged (labels as they are).
            at_least: fewer pictures are refused.

        Raises:
            InputError: there is no such set, it is damaged, too small, or labels are missing for some.
        """
        if resolution is not None and resolution < 1:
            raise InputError(f"The resolution is {resolution}; it must be at least 1.")
        self.source = open_source(place)
        names = self.source.names
        self.chosen = np.arange(len(names))
        if max_size is not None and max_size < len(names):
            np.random.RandomState(seed % (1 << 31)).shuffle(self.chosen)
            self.chosen = np.sort(self.chosen[:max_size])
        if len(self.chosen) < at_least:
            count = f"{len(self.chosen)} picture{'s' if len(self.chosen) != 1 else ''}"
            raise InputError(f"{place} gives {count}; at least {at_least} are needed: add photos.")
        self._labels = self._read_labels(names) if use_labels else None
        self.fov = None if self._labels is not None or label_fov is None else fov_label(label_fov)
        self.fit: Fit = fit if fit is not None else "none" if self.fov is None else "crop"
        self._plain = len(self.chosen)
        self.chosen = np.tile(self.chosen, 2) if mirrored else self.chosen
        self._size: tuple[int, int] | None = None
        first = self._fitted(0)
        self.resolution = resolution or first.width

    def __len__(self) -> int:
        return len(self.chosen)

    @property
    def has_labels(self) -> bool:
        """Whether each picture has a label."""
        return self._labels is not None or self.fov is not None

    @property
    def label_size(self) -> int:
        """Numbers of a label; 0 without."""
        label = self.label(0)
        return 0 if label is None else len(label)

    def name(self, number: int) -> str:
        """The picture's file name in the source."""
        return self.source.names[self.chosen[number]]

    def image(self, number: int) -> UInt8[np.ndarray, "r r 3"]:
        """A picture in sRGB.

        Raises:
            InputError: the file is damaged, or not square and of the size of the others where nothing is fitted.
        """
        picture = resized(self._fitted(number), self.resolution, self.resolution)
        pixels = np.asarray(picture)
        return np.ascontiguousarray(pixels[:, ::-1]) if number >= self._plain else pixels.copy()

    def label(self, number: int) -> Float32[np.ndarray, " d"] | None:
        """The 25 numbers of the picture's camera, or 1 at its class; None where there are no labels."""
        if self._labels is not None:
            return self._labels[self.chosen[number]].copy()
        return None if self.fov is None else self.fov.copy()

    def label_deviation(self) -> Float32[np.ndarray, " d"] | None:
        """Standard deviation of every number of the labels over all pictures; None without."""
        if self._labels is not None:
            return self._labels[self.chosen].std(axis=0)
        return None if self.fov is None else np.zeros_like(self.fov)

    def check(self, progress: Callable[[int, int, str], None] | None = None) -> None:
        """Read every picture once.

        Raises:
            InputError: the first that cannot be used.
        """
        for number in range(self._plain):
            self._fitted(number)
            if progress:
                progress(number + 1, self._plain, self.name(number))

    def _fitted(self, number: int) -> Image.Image:
        """A picture made square; where nothing is fitted it must be so, and as large as the first."""
        image = fitted(plain_rgb(self.source.open(int(self.chosen[number]))), self.fit)
        self._size = self._size or image.size
        advice = f"make a set of one square size, {PREPARE.format(place=self.source.place)}"
        if image.width != image.height:
            raise InputError(
                f"{self.name(number)} in {self.source.place} is not square ({image.width} x {image.height} pixels): "
                f"{advice}."
            )
        if self.fit == "none" and image.size != self._size:
            raise InputError(
                f"{self.name(number)} in {self.source.place} has {image.width} x {image.height} pixels, others "
                f"{self._size[0]} x {self._size[1]}: {advice}."
            )
        return image

    def _read_labels(self, names: list[str]) -> Float32[np.ndarray, "n d"] | None:
        found = self.source.labels()
        return None if found is None else label_rows(names, found, f"{self.source.place}/{FILE}")
