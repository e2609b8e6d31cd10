"""monoform convert CHECKPOINT... --method M --config NAME -o DIR"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from ..errors import InputError
from .options import parse


@dataclass(frozen=True)
class Convert:
    """Turn a checkpoint in its authors' format into a folder of weights: safetensors, configuration and card."""

    checkpoints: tyro.conf.Positional[tuple[Path, ...]]
    """The published file, for bootstrap several: of the generator, its encoder, VGG-16 and the linear layers of LPIPS,
    of which one folder is made; for realfusion also the folder of a run, or of runs, whose last checkpoint is taken; or
    a folder of weights, which is written back in its authors' format (list, pixelnerf, realfusion, triposr)."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """Folder for the weights, or the file to write back."""
    method: str
    """Whose checkpoint it is, for instance pixelnerf, nerf or pof3d."""
    config: str = ""
    """The published configuration that it was trained with; for pixelnerf sn64, sn64_unseen, srn_car, srn_chair, dtu
    or multi_obj; for nerf blender, or llff=WIDTHxHEIGHTxFOCAL of the photos of a forward-facing scene; for
    list shapenet, or coarse for the first stage alone; for pof3d it stands in the file, and ffhq, cats, shapenetcars,
    afhq, compcars or compcars_white tell the focal length where it does not; for bootstrap the set it was trained on,
    p3d_car, imagenet_NAME, cub, shapenet_cars, shapenet_chairs or carla; for triposr it is in the
    config.yaml beside it."""
    conf: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """The authors' own file of options that it was trained with, where it is none of the published configurations; for
    pixelnerf HOCON, with the files that it includes; for triposr its config.yaml, where it does not lie beside it."""
    precision: str = "float32"
    """float32 keeps every number; float16 takes half the space."""
    data: str = ""
    """Folder of the set that it was trained on, or an address that fsspec knows: cameras and focal lengths, which the
    files of bootstrap lack, are taken from there."""
    overwrite: bool = False
    """Replace a file that is written back and is there already."""


def read(words: list[str]) -> Convert:
    """The options."""
    return parse(Convert, "convert", words)


def run(words: list[str]) -> int:
    """Convert, and say what was written."""
    asked = read(words)
    from ..jobs.convert import convert, export, is_export
    from ..progress import work
    from .main import interruptible

    interruptible()
    if not asked.checkpoints:
        raise InputError("There is nothing to convert: give the published file.")
    if is_export(asked.checkpoints, asked.method):
        with work("writing the authors' format"):
            files = export(asked.checkpoints[0], asked.out, method=asked.method, overwrite=asked.overwrite)
        print("\n".join(map(str, files)))
        return 0
    with work("converting the checkpoint"):
        made = convert(
            asked.checkpoints,
            asked.out,
            method=asked.method,
            config=asked.config,
            precision=asked.precision,
            data=asked.data,
            conf=asked.conf,
        )
    print(f"{made.folder}: {made.tensors} tensors, {made.parameters:,} parameters, {made.size / 1e6:.1f} MB")
    print(f"  use it: {made.use}")
    return 0
