"""What the prior paints for the text, before it judges: whether it knows what the learned word means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from ...camera import Camera
from ...errors import InputError
from ...outputs import explained_errors, save_picture
from ...progress import work
from ...training.logger import PICTURES
from ...training.sheets import sheet
from .guide import Guide

NAME = "pretrain_check"
COLUMNS = 4


@dataclass(frozen=True, eq=False)
class PretrainCheck:
    """Pictures that the prior has painted, as one; writes it into a result's folder, see `OwnFiles`.

    Attributes:
        picture: sRGB 0..1.
        text: that was given to the prior.
    """

    picture: Float[Tensor, "a b 3"]
    text: str

    def __call__(self, folder: Path, camera: Camera | None) -> Mapping[str, str]:
        del camera
        self.save(folder / f"{NAME}.png")
        return {f"{NAME}.png": f"what the prior paints for {self.text!r}, before the fit"}

    def show(self, run: Path) -> None:
        """Write it among the pictures of a run, as that of the step 0; the folder is one that is claimed."""
        with explained_errors(run):
            (run / PICTURES).mkdir(exist_ok=True)
        self.save(run / PICTURES / f"{NAME}_{0:07d}.png")

    def save(self, path: Path) -> None:
        """Write it as a PNG."""
        pixels = (255.0 * self.picture).round().byte().numpy()
        save_picture(Image.fromarray(pixels), path, marked=True)


def paint(guide: Guide, count: int, seed: int) -> PretrainCheck:
    """Let the prior of a judge paint its text, one picture after the other.

    Raises:
        InputError: the prior makes no pictures of texts, as `StableDiffusion.pictures` does.
    """
    paints = getattr(guide.prior, "pictures", None)
    if not callable(paints):
        raise InputError(f"realfusion's prior paints no pictures: leave out {NAME}.")
    generator, painted = torch.Generator().manual_seed(seed), []
    with work("painting what the text says", count, unit="picture") as show:
        for number in range(1, count + 1):
            painted.append(paints([guide.text], generator=generator, negative=guide.negative))
            show(number)
    pictures = torch.cat([each.float().cpu() for each in painted]).permute(0, 3, 1, 2)
    shown = sheet(pictures, columns=min(count, COLUMNS), side=pictures.shape[-1])
    return PretrainCheck(shown, guide.text)
