"""monoform evaluate list"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class EvaluateList:
    """Reconstruct the test pictures of a data set and measure the surfaces as LIST's release does.

    Writes OUT/CATEGORY/OBJECT/pred.obj, CATEGORY.csv, metrics.json and metrics.md. Interrupted, the same line goes on.
    """

    data: Path
    """A data set in ShapeNet's or Pix3D's layout, sampled with `monoform prepare sdf`."""
    weights: str
    """Folder that `monoform convert` or `monoform train list` wrote; a first stage is measured by its cloud."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """Where surfaces and scores go."""
    split: str = "test"
    """train or test."""
    categories: str = ""
    """Only these, for instance "03001627 04379243". Default: all."""
    view: int = 0
    """View of each object (ShapeNet)."""
    limit: int = 0
    """At most so many objects; 0 for all."""
    nodes: int = 0
    """Of the grid along an axis; 0 takes those of the network's occupancy grid (128 as published)."""
    dense: bool = False
    """Ask the network at every node instead of coarse to fine."""
    published: bool = False
    """Place vertices as the original does, and leave surfaces open where the box cuts them."""
    points: int = 100_000
    """Drawn on each surface."""
    inside_points: int = 1_000_000
    """In the box, for the IoU."""
    emd_points: int = 1024
    """Matched one to one for the earth mover's distance; 0 for none."""
    seed: int = 0
    """Of the draws."""


def evaluate_list(asked: EvaluateList) -> int:
    """Evaluate, and print the table."""
    from ..data.sdf.disn import DisnObjects
    from ..data.sdf.pix3d import Pix3dObjects
    from ..errors import InputError
    from ..methods.list.config import ListConfig
    from ..methods.list.evaluate import ListEvaluation, evaluate_list
    from ..methods.list.model import build
    from ..metrics.table import markdown_of
    from ..progress import work
    from ..text import printable
    from ..training import load_pretrained
    from .main import interruptible

    if asked.split not in ("train", "test"):
        raise InputError(f"--split is {asked.split!r}; choose train or test.")
    chosen = asked.categories.split() or None
    objects: DisnObjects | Pix3dObjects
    if (asked.data / "data" / "pix3d.json").is_file():
        objects = Pix3dObjects(asked.data, asked.split, categories=chosen)  # type: ignore[arg-type]
    else:
        objects = DisnObjects(asked.data, asked.split, categories=chosen, cloud=False)  # type: ignore[arg-type]
    net, _ = load_pretrained(build, ListConfig, asked.weights)
    names = ("view", "limit", "nodes", "dense", "published", "points", "inside_points", "emd_points", "seed")
    options = ListEvaluation(**{name: getattr(asked, name) for name in names})
    interruptible()
    with work("measuring surfaces", unit="object") as show:
        summary = evaluate_list(net, objects, asked.out, options, progress=show)
    for reason in summary["skipped"][:20]:
        print(printable(f"Left out: {reason}"))
    print(markdown_of(summary), end="")
    return 0
