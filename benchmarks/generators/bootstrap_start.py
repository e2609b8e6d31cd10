"""A start for bootstrap's generator: fitted to cars made by rules, before any adversary.

    monoform prepare renders --layout p3d --cars 1000 --together car --views 24 --test-views 3 --size 64 --share 0.11 \
        --keep-likes -o CARS
    python benchmarks/generators/bootstrap_start.py CARS -o OUT [--minutes 12] [--seed 0]

A GAN learns shapes from photos alone, which takes GPU days. Here each training car has a latent of its own (a
variational auto-decoder: a mean and a spread, held to the standard normal), and the generator learns signed distances
and colors at points of the car's mesh, in the light of the renders. What comes out is no GAN and must be called by its
name; `monoform train bootstrap --weights OUT/weights` goes on from it with the discriminator. CARS' test objects have
no part. The points are kept in OUT/points.npz; interrupted, the same line goes on from OUT/state.pt.
"""

from __future__ import annotations

import argparse
import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from monoform.data import Source, load_source, procedural_cars
from monoform.data.categories import open_category
from monoform.data.packs.layout_photos import RADIUS
from monoform.data.packs.layout_views import _AMBIENT, _LIGHT
from monoform.mesh.solid.inside import Solid
from monoform.mesh.texture import surface_colors
from monoform.methods.bootstrap import BootstrapGenerator
from monoform.methods.bootstrap.feeding import TrainingPhotos
from monoform.methods.bootstrap.training_config import CONFIGS
from monoform.outputs import atomic_stream
from monoform.progress import work
from monoform.training import save_pretrained
from monoform.workers import map_unordered

CONFIG, CATEGORY = "small_masked", "p3d_car"
SCALE = 2 * RADIUS
CELL, SURFACE, NEAR, COMMON = 1 / 96, 1600, 1200, 800
SPREADS = (0.01, 0.04)
BOX = (0.3, 0.3, 0.55)
BATCH, POINTS, KL = 8, 700, 1e-4
RATE, LATENT_RATE, KEEP_EVERY, SOFT = 4e-3, 1e-2, 60.0, 0.02
Points = dict[str, Float[np.ndarray, "n p c"]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cars", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=12.0)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(asked.seed)
    points = points_of(asked.cars, asked.out / "points.npz")
    options = CONFIGS[CONFIG]
    photos = TrainingPhotos(open_category(str(asked.cars), CATEGORY), size=options.resolution, channels=4)
    net = BootstrapGenerator(options.generator(photos.scene(options.half_side)))
    net.fill_surface(options.beta, options.alpha)
    fit(net, points, 60 * asked.minutes, asked.out / "state.pt")
    card = f"Fitted to {len(points['distance'])} cars made by rules, by signed distances and colors; no GAN."
    save_pretrained(net, net.config, asked.out / "weights", card=card)


def points_of(cars: Path, file: Path) -> Points:
    """Points of all training cars, as kept or made anew."""
    if not file.exists():
        splits = json.loads((cars / "renders.json").read_text())["splits"]
        sources = [each for each in procedural_cars(len(splits)) if splits[each.name] == "train"]
        found: dict[str, Points] = {}
        with work("points of meshes", unit="car") as show:
            for number, (source, made) in enumerate(map_unordered(partial(sampled), sources, workers=1), start=1):
                found[source.name] = made
                show(number, len(sources), source.name)
        names = sorted(found)
        with atomic_stream(file) as stream:
            stacked: dict[str, Any] = {key: np.stack([found[name][key] for name in names]) for key in found[names[0]]}
            np.savez(stream, **stacked)
    with np.load(file) as kept:
        return {name: kept[name] for name in kept.files}


def sampled(source: Source) -> Points:
    """Points around the car with distances, those of all cars last; points on it with colors -1..1 in the light."""
    mesh = load_source(source, seed=0)
    solid, draw = Solid(mesh, size=CELL), source.generator(7)
    on = solid.surface(SURFACE, seed=1)
    spread = np.repeat(SPREADS, NEAR // len(SPREADS))[:, None]
    near = on.points[draw.permutation(SURFACE)[:NEAR]] + spread * draw.normal(size=(NEAR, 3))
    common = np.random.default_rng(3).uniform(-1, 1, (COMMON, 3)) * BOX
    points = np.concatenate((near, common))
    light = _AMBIENT + (1 - _AMBIENT) * (0.5 + 0.5 * on.normals @ _LIGHT)
    colors = np.clip(surface_colors(mesh, on.faces, on.barycentric)[:, :3] * light[:, None], 0, 1)
    return {
        "points": (SCALE * points).astype(np.float16),
        "distance": (SCALE * solid.signed_distance(points)).astype(np.float16),
        "surface": (SCALE * on.points).astype(np.float16),
        "colors": (2 * colors - 1).astype(np.float16),
    }


def fit(net: BootstrapGenerator, points: Points, seconds: float, kept: Path) -> None:
    """Adam on the generator, and on the mean and the spread of each car's latent."""
    held = {name: torch.from_numpy(values).float() for name, values in points.items()}
    mean = nn.Parameter(first_latents(held, net.config.network.z_dim))
    spread = nn.Parameter(torch.full_like(mean, -1.5))
    groups = [{"params": list(net.parameters()), "lr": RATE}, {"params": [mean, spread], "lr": LATENT_RATE}]
    optimizer = torch.optim.Adam(groups, betas=(0.5, 0.99))
    step, before = taken_up(kept, net, mean, spread, optimizer)
    begun, saved = time.perf_counter(), before
    while (spent := before + time.perf_counter() - begun) < seconds:
        for group, rate in zip(optimizer.param_groups, (RATE, LATENT_RATE), strict=True):
            group["lr"] = rate * max(1 - spent / seconds, 0.02)
        rows = torch.randperm(len(mean))[:BATCH]
        z = mean[rows] + spread[rows].exp() * torch.randn(len(rows), mean.shape[1])
        divergence = 0.5 * (mean[rows].square() + (2 * spread[rows]).exp() - 2 * spread[rows] - 1).sum(dim=1).mean()
        distance, color = errors(net, z, {name: values[rows] for name, values in held.items()})
        optimizer.zero_grad()
        (4 * distance + color + KL * divergence).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 10.0)
        optimizer.step()
        step += 1
        if spent - saved > KEEP_EVERY:
            figures = f"distance {distance.item():.4f}, color {color.item():.4f}, divergence {divergence.item():.1f}"
            print(f"{spent:.0f} s, step {step}: {figures}", flush=True)
            with atomic_stream(kept) as stream:
                state = {"net": net.state_dict(), "mean": mean.data, "spread": spread.data, "step": step}
                torch.save({**state, "optimizer": optimizer.state_dict(), "seconds": spent}, stream)
            saved = spent
    net.fill_surface(SOFT, SOFT)


def taken_up(
    kept: Path, net: BootstrapGenerator, mean: Tensor, spread: Tensor, optimizer: torch.optim.Optimizer
) -> tuple[int, float]:
    """Steps and seconds of a fit that was interrupted; 0 of a new one."""
    if not kept.exists():
        return 0, 0.0
    state = torch.load(kept)
    net.load_state_dict(state["net"])
    mean.data.copy_(state["mean"])
    spread.data.copy_(state["spread"])
    if "optimizer" in state:
        optimizer.load_state_dict(state["optimizer"])
    return state["step"], state["seconds"]


def errors(net: BootstrapGenerator, z: Float[Tensor, "n z"], of: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Mean errors of distances, those near the surface above all, and of colors on it."""
    styles = net.styles(net.map(z))
    around = torch.randint(of["points"].shape[1], (POINTS,))
    on = torch.randint(of["surface"].shape[1], (POINTS // 2,))
    at = torch.cat((of["points"][:, around], of["surface"][:, on]), dim=1)
    found = net.objects(net.planes(styles), net.palette(styles)).sample(at)
    true = torch.cat((of["distance"][:, around], torch.zeros(len(z), len(on))), dim=1)
    weight = 0.1 / (0.1 + true.abs())
    color = (found.rgb[:, len(around) :] - of["colors"][:, on]).abs().mean()
    return ((found.geometry - true).abs() * weight).mean(), color


def first_latents(held: dict[str, Tensor], size: int) -> Float[Tensor, "n z"]:
    """Where cars begin: principal components of their distances, and of the colors of their ends, sides and roof."""
    place = held["surface"] / SCALE
    cells = ((place[..., 2] * 6).round().clamp(-2, 2) + 2) * 3 + ((place[..., 1] * 6).round().clamp(-1, 1) + 1)
    one = torch.nn.functional.one_hot(cells.long(), 15).float()
    colors = torch.einsum("npk,npc->nkc", one, held["colors"]) / one.sum(dim=1)[..., None].clamp_min(1)
    parts = held["distance"][:, NEAR:], colors.flatten(1)
    return torch.cat([components(part, size // 2) for part in parts], dim=1)


def components(values: Float[Tensor, "n d"], count: int) -> Float[Tensor, "n k"]:
    """The first of them, each of deviation 1."""
    left, scale, _ = torch.linalg.svd(values - values.mean(dim=0), full_matrices=False)
    del scale
    return left[:, :count] * len(values) ** 0.5


if __name__ == "__main__":
    main()
