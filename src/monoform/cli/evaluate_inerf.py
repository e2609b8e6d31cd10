"""monoform evaluate inerf"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from ..errors import InputError


@dataclass(frozen=True)
class EvaluateInerf:
    """Find the poses of a scene's own photos from perturbed starts, and compare them with the true ones.

    Writes OUT/poses.json (every run with its way), poses.md and success.png.
    """

    scene: Path
    """A folder that `monoform train scene` wrote; the photos it was trained from have to be where they were."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """Where the results go."""
    split: str = "test"
    """train or test."""
    photos: int = 5
    """How many, evenly spread; 0 for all."""
    starts: int = 5
    """Of each photo."""
    angle: float = 40.0
    """Largest angle of a start, degrees."""
    offset: float = 0.2
    """Largest offset of a start along each axis, world units."""
    relative: bool = False
    """--offset is the largest length of the offset, as a share of the camera's distance."""
    about: str = "world"
    """What starts turn about: world, as re-implementations do, or camera."""
    search: bool = False
    """No start at all; one run for each photo."""
    optimizer: str = "lm"
    """lm, adam (the paper's), or both, from the same starts."""
    steps: int | None = None
    """adam: updates. Default: 300."""
    rays: int | None = None
    """adam: pixels in each update. Default: 2048."""
    sampling: str | None = None
    """adam: random, centre, patch, points, regions or object. Default: regions."""
    around: int = 7
    """lm: poses that are tried around each start."""
    seed: int = 0
    """Seed of all randomness."""


def evaluate_inerf(asked: EvaluateInerf) -> int:
    """Evaluate, and print the table."""
    from ..jobs.estimate_pose import PoseOptions, descent_options
    from ..jobs.estimate_pose_protocol import EVALUATED, Protocol, run_protocol, write_runs
    from ..jobs.pose_scenes import open_scene
    from ..methods.inerf import InerfOptions
    from ..outputs import claimed
    from ..progress import work
    from .main import interruptible

    if asked.optimizer not in ("lm", "adam", "both"):
        raise InputError(f"--optimizer is {asked.optimizer!r}; choose lm, adam or both.")
    interruptible()
    protocol = Protocol(
        split=asked.split,
        photos=asked.photos,
        starts=asked.starts,
        angle=asked.angle,
        offset=asked.offset,
        relative=asked.relative,
        about=asked.about,  # type: ignore[arg-type]
        search=asked.search,
        seed=asked.seed,
    )
    descent = descent_options(asked.steps, asked.rays, asked.sampling)
    scene = open_scene(asked.scene)
    with claimed(asked.out, EVALUATED):
        results = {}
        for name in ("lm", "adam") if asked.optimizer == "both" else (asked.optimizer,):
            method = InerfOptions(optimizer=name, starts=asked.around, descent=descent)
            options = PoseOptions(method=method, seed=asked.seed)
            with work(f"finding cameras with {name}", unit="run") as progress:
                results[name] = run_protocol(scene, protocol, options, progress=progress)
        print(write_runs(asked.out, results, protocol), end="")
    return 0
