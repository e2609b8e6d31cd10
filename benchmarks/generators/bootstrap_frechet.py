"""How far the samples of bootstrap's generators are from photos that they were not trained on.

    python benchmarks/generators/bootstrap_frechet.py CARS WEIGHTS... [--images 330] [--features efficientnet-lite0]

CARS is a folder of `monoform prepare renders --layout p3d`. Samples are seen from the cameras that the weights hold, in
64 x 64 pixels whatever their own resolution, and compared with the pictures of the test objects. The last line is the
distance of as many pictures of training objects: what a perfect generator would have.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor

from monoform.data.categories import open_category
from monoform.data.categories.kinds import Split
from monoform.methods.bootstrap import BootstrapGenerator
from monoform.methods.bootstrap.networks import open_generator
from monoform.methods.bootstrap.quality import latents, seen
from monoform.methods.bootstrap.steps import Views
from monoform.metrics.features import as_bytes, frechet_name, moments_of, open_features
from monoform.metrics.frechet import frechet_distance

SIZE = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cars")
    parser.add_argument("weights", nargs="+")
    parser.add_argument("--images", type=int, default=330)
    parser.add_argument("--features", default="efficientnet-lite0")
    asked = parser.parse_args()
    net = open_features(asked.features)
    real = moments_of(net, photos(asked.cars, "test", asked.images))
    name = frechet_name(net, "n-1")
    for folder in asked.weights:
        found = moments_of(net, made(open_generator(folder), asked.images))
        print(f"{name} of {Path(folder)}: {frechet_distance(real, found, 'n-1'):.3f}")
    others = moments_of(net, photos(asked.cars, "train", asked.images))
    print(f"{name} of other photos: {frechet_distance(real, others, 'n-1'):.3f}")


def photos(cars: str, split: Split, count: int) -> Iterator[UInt8[Tensor, "1 3 s s"]]:
    """Whole pictures evenly over a split, on gray."""
    of = open_category(cars, "p3d_car", split, crop=False, mirrored=False)
    own = len(of.names)
    for number in range(min(count, own)):
        yield as_bytes(of.photo(number * own // min(count, own), SIZE).image[None, :3])


def made(net: BootstrapGenerator, count: int) -> Iterator[UInt8[Tensor, "n 3 s s"]]:
    """Samples from the cameras of the training."""
    scene = net.config.scene
    numbers = torch.arange(count) % len(scene.poses)
    poses = torch.tensor(scene.poses).reshape(-1, 4, 4)[numbers]
    views = Views(poses, torch.tensor(scene.pose_focals)[numbers])
    net.config = replace(net.config, resolution=SIZE)
    for each in seen(net, latents(net, count), views):
        yield as_bytes(each.rgb.permute(0, 3, 1, 2))


if __name__ == "__main__":
    main()
