"""Photos that bootstrapped inversion explains."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Target:
    """Photos to be explained.

    Attributes:
        rgb: -1..1, the object on the generator's background.
        mask: of the object, 0..1, where it is known.
        box: which part of the full frame the photo is (`cameras.camera_of`).
        center: principal point, where it is not in the middle.
    """

    rgb: Float[Tensor, "n h w 3"]
    mask: Float[Tensor, "n h w"] | None = None
    box: Float[Tensor, "n 2 2"] | None = None
    center: Float[Tensor, "n 2"] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.rgb.shape[1], self.rgb.shape[2]

    def __getitem__(self, rows: Int[Tensor, " b"]) -> Target:
        return Target(*(None if each is None else each[rows] for each in vars(self).values()))  # type: ignore[arg-type]
