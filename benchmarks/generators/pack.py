"""Rendered photos of cars for the generators: pictures that say nothing of their poses, and the truth beside them.

    python benchmarks/generators/pack.py -o OUT [--law skewed|around] [--cars 1000] [--meshes DIR] [--views 4]
        [--size 64] [--seed 0] [--workers 2]

OUT/photos holds pictures on white as 000000.png, ... (what `train pof3d --data` takes), OUT/masks what each pixel is
covered by, OUT/truth.json each picture's object, azimuth and elevation in degrees and world_from_camera (axes as
OpenCV; the object in a sphere of radius 0.5, front at +z, up +y), the intrinsics of all, and the credits. Cars are made
by rules, other ones for another seed; of a folder of meshes those of category car whose index says that they face +z
and that they are to train on. Laws of the azimuth (0 looks at the front, counted towards +x):

    skewed: -47 + Gamma(shape 2, scale 13) degrees, held within +-60: most see the left of the front, few the right
    around: uniform on the circle

The elevation is uniform within 5..25 degrees.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image

from monoform.camera import Camera, look_at, spherical_position
from monoform.data import Source, load_source, mesh_sources, procedural_cars, training_names
from monoform.data.packs.layout_views import lit_pictures
from monoform.errors import InputError
from monoform.outputs import atomic_file, save_picture
from monoform.progress import work
from monoform.workers import map_unordered

RADIUS, FOCAL = 1.3, 131.25 / 128
"""Distance of the cameras, and their focal length as a share of the picture's side."""
ELEVATIONS = (5.0, 25.0)
WIDEST = 60.0
LEFTMOST, SHAPE, SCALE = -47.0, 2.0, 13.0
LAWS = ("skewed", "around")


def azimuths(law: str, count: int, generator: np.random.Generator) -> Float[np.ndarray, " n"]:
    """Degrees from the front, by one of the laws."""
    if law == "around":
        return generator.uniform(-180.0, 180.0, count)
    return np.clip(LEFTMOST + generator.gamma(SHAPE, SCALE, count), -WIDEST, WIDEST)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--law", choices=LAWS, default="skewed")
    parser.add_argument("--cars", type=int, default=1000, help="cars made by rules")
    parser.add_argument("--meshes", type=Path, help="folder of meshes, of which the cars are taken")
    parser.add_argument("--views", type=int, default=4, help="pictures of each object")
    parser.add_argument("--size", type=int, default=64, help="pixels along a side")
    parser.add_argument("--samples", type=int, default=3, help="a pixel is the mean of samples x samples rays")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    if (asked.out / "truth.json").exists():
        parser.error(f"{asked.out} holds photos already; choose another folder")
    sources = procedural_cars(asked.cars) + ([] if asked.meshes is None else facing_cars(asked.meshes))
    rows: list[dict[str, Any]] = []
    make = partial(photographed, sources=sources, asked=asked)
    with work("rendering cars", unit="object") as show:
        for done, (_, found) in enumerate(map_unordered(make, range(len(sources)), workers=asked.workers), 1):
            rows += found
            show(done, len(sources), "")
    truth = {
        "law": asked.law,
        "seed": asked.seed,
        "size": asked.size,
        "radius": RADIUS,
        "focal": FOCAL,
        "intrinsics": intrinsics(asked.size).tolist(),
        "credits": [[s.name, s.license, s.credit] for s in sources if s.path],
        "photos": sorted(rows, key=lambda row: str(row["name"])),
    }
    with atomic_file(asked.out / "truth.json") as part:
        part.write_text(json.dumps(truth))
    print(f"{len(rows)} photos of {len(sources)} cars are in {asked.out}: {dict(Counter(s.license for s in sources))}")


def facing_cars(folder: Path) -> list[Source]:
    """Cars of a folder of meshes that face +z and are to train on."""
    sources = [s for s in mesh_sources(folder) if s.category == "car" and s.front == "+z"]
    kept = set(training_names([s.name for s in sources]))
    return [s for s in sources if s.name in kept]


def intrinsics(size: int) -> Float[torch.Tensor, "3 3"]:
    """In pixels, the principal point in the middle."""
    return torch.tensor([[FOCAL * size, 0, size / 2], [0, FOCAL * size, size / 2], [0, 0, 1]])


def photographed(number: int, *, sources: list[Source], asked: Any) -> list[dict[str, Any]]:
    """Render and write the pictures of one object; what is true of each."""
    source = sources[number]
    draw = np.random.default_rng([asked.seed, number, LAWS.index(asked.law)])
    turn = azimuths(asked.law, asked.views, draw)
    height = draw.uniform(*ELEVATIONS, asked.views)
    angles = (torch.from_numpy(np.radians(each)) for each in (turn, height))
    world = look_at(spherical_position(*angles, RADIUS)).float()
    cameras = Camera(world, intrinsics(asked.size).expand(len(world), 3, 3), asked.size, asked.size)
    try:
        images, alphas = lit_pictures(load_source(source, seed=asked.seed), cameras, samples=asked.samples)
    except InputError as error:
        print(f"{source.name} is left out: {error}")
        return []
    rows = []
    for view in range(asked.views):
        name = f"{number * asked.views + view:06d}.png"
        save_picture(Image.fromarray(images[view]), asked.out / "photos" / name)
        mask = np.rint(255 * alphas[view]).astype(np.uint8)
        save_picture(Image.fromarray(mask), asked.out / "masks" / name)
        rows.append(
            {
                "name": name,
                "object": source.name,
                "azimuth": float(turn[view]),
                "elevation": float(height[view]),
                "world_from_camera": world[view].tolist(),
            }
        )
    return rows


if __name__ == "__main__":
    main()
