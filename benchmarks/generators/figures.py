"""Pictures of what a generator learned: histograms of poses, samples, normals, turns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageDraw
from torch import Tensor

from monoform.methods.pof3d.quality import fakes, latents
from monoform.methods.pof3d.rendering import normal_map
from monoform.metrics.pose_distribution import Alignment
from monoform.training.sheets import sheet

TRUE, LEARNED, BEGUN, INK = (130, 130, 130), (64, 115, 191), (222, 150, 70), (40, 40, 40)
BINS, WIDTH, HEIGHT, EDGE = 36, 432, 150, 24
FILMED, FRAMES = 24, 24
"""Samples of the film, and its pictures."""


def draw(
    out: Path,
    generator: Any,
    true: Float[np.ndarray, "n 2"],
    chosen: Float[np.ndarray, "m 2"],
    rows: Sequence[dict[str, Any]],
    plain: dict[str, float],
) -> None:
    """Write poses.png, samples.jpg, normals.jpg, turns.jpg, film.webp into a folder."""
    out.mkdir(parents=True, exist_ok=True)
    last = rows[-1]
    brought = Alignment(math.radians(last["azimuth_offset"]), bool(last["reflected"]))(chosen[:, 0])
    parts = [
        histogram("azimuth, degrees", np.degrees(true[:, 0]), wrapped(np.degrees(brought)), -180, 180),
        histogram("elevation, degrees", np.degrees(true[:, 1]), np.degrees(chosen[:, 1]), 0, 45),
        curve(rows, plain),
    ]
    save(np.concatenate(parts), out / "poses.png")
    side, size = generator.config.rays.raw_resolution, generator.config.resolution
    with torch.no_grad():
        made = [fakes(generator, z, side) for z in latents(generator, 40).split(20)]
        save_sheet(torch.cat([each.image for each in made]) / 2 + 0.5, 10, size, out / "samples.jpg")
        depth = torch.cat([each.depth for each in made])[:20]
        pairs = torch.stack((torch.cat([each.image for each in made])[:20] / 2 + 0.5, normal_map(depth) / 2 + 0.5), 1)
        save_sheet(pairs.flatten(0, 1), 10, size, out / "normals.jpg")
        save_sheet(turns(generator, chosen, 5), 12, size, out / "turns.jpg")
        film(generator, chosen, out / "film.webp")


def wrapped(degrees: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """-180..180."""
    return (degrees + 180) % 360 - 180


def turns(generator: Any, chosen: Float[np.ndarray, "m 2"], objects: int) -> Float[Tensor, "k 3 s s"]:
    """A row for each object: from all around, beginning at the mean of the poses that were chosen."""
    start = middle(chosen)
    ws = generator.map(latents(generator, objects)).ws
    planes, pictures = generator.planes(ws), []
    for step in range(12):
        yaw = math.pi / 2 + start + (step - 3) * math.pi / 6
        pose = torch.tensor([[yaw, generator.config.pose.elevation_mean]]).expand(objects, -1)
        pictures.append(generator.synthesize(ws, *generator.cameras(pose), planes=planes).image / 2 + 0.5)
    return torch.stack(pictures, dim=1).flatten(0, 1)


def middle(chosen: Float[np.ndarray, "m 2"]) -> float:
    """The mean azimuth, radians."""
    return math.atan2(np.sin(chosen[:, 0]).mean(), np.cos(chosen[:, 0]).mean())


def film(generator: Any, chosen: Float[np.ndarray, "m 2"], file: Path) -> None:
    """Samples that turn to and fro over the azimuths where most poses were chosen, or all around."""
    start, size = middle(chosen), generator.config.resolution
    off = np.angle(np.exp(1j * (chosen[:, 0] - start)))
    reach, ws, frames = float(np.quantile(np.abs(off), 0.9)), generator.map(latents(generator, FILMED)).ws, []
    planes = generator.planes(ws)
    for turn in np.arange(FRAMES) / FRAMES * 2 * math.pi:
        yaw = math.pi / 2 + start + (turn if reach > 0.75 * math.pi else reach * math.sin(turn))
        pose = torch.tensor([[yaw, generator.config.pose.elevation_mean]]).expand(FILMED, -1)
        image = generator.synthesize(ws, *generator.cameras(pose), planes=planes).image / 2 + 0.5
        frames.append(Image.fromarray((sheet(image, columns=8, side=size).clamp(0, 1) * 255).byte().numpy()))
    frames[0].save(file, save_all=True, append_images=frames[1:], duration=80, loop=0, quality=55, method=6)


def histogram(name: str, true: np.ndarray, learned: np.ndarray, low: int, high: int) -> np.ndarray:
    """Bars of what is learned behind the outline of what is true."""
    edges = np.linspace(low, high, BINS + 1)
    shares = [np.histogram(values, edges)[0] / len(values) for values in (learned, true)]
    most = max(float(each.max()) for each in shares)
    image = Image.new("RGB", (WIDTH + 2 * EDGE, HEIGHT + 2 * EDGE), "white")
    pen, floor = ImageDraw.Draw(image), EDGE + HEIGHT
    tops = [[floor - round(share / most * HEIGHT) for share in each] for each in shares]
    places = [EDGE + number * WIDTH // BINS for number in range(BINS + 1)]
    for number in range(BINS):
        left, right = places[number], places[number + 1]
        if tops[0][number] < floor:
            pen.rectangle((left, tops[0][number], right - 1, floor), fill=LEARNED)
        pen.line((left, tops[1][number], right, tops[1][number]), fill=INK, width=2)
        if number:
            pen.line((left, tops[1][number - 1], left, tops[1][number]), fill=INK, width=2)
    pen.line((EDGE, floor, EDGE + WIDTH, floor), fill=INK)
    for tick in np.linspace(low, high, 7 if low else 4):
        pen.text((EDGE + (tick - low) / (high - low) * WIDTH, floor + 4), f"{tick:.0f}", fill=INK, anchor="ma")
    pen.text((EDGE, 4), f"{name}: chosen (bars), true (line)", fill=INK)
    return np.asarray(image)


def curve(rows: Sequence[dict[str, Any]], plain: dict[str, float]) -> np.ndarray:
    """W1 over the steps, and half of what one azimuth for all reaches."""
    points = [
        (0 if row["step"] == "none" else row["step"], row["azimuth_w1"]) for row in rows if row["step"] != "weights"
    ]
    far = max(1, *(step for step, _ in points))
    most = max(*(value for _, value in points), plain["point_w1"]) * 1.05
    image = Image.new("RGB", (WIDTH + 2 * EDGE, HEIGHT + 2 * EDGE), "white")
    pen, floor = ImageDraw.Draw(image), EDGE + HEIGHT

    def at(step: float, value: float) -> tuple[float, float]:
        return EDGE + step / far * WIDTH, floor - value / most * HEIGHT

    pen.line([at(*point) for point in points], fill=LEARNED, width=3)
    half = 0.5 * plain["point_w1"]
    pen.line((at(0, half), at(far, half)), fill=BEGUN, width=2)
    pen.line((EDGE, floor, EDGE + WIDTH, floor), fill=INK)
    for step in np.linspace(0, far, 4):
        pen.text((at(step, 0)[0], floor + 4), f"{step:.0f}", fill=INK, anchor="ma")
    told = f"W1 of the azimuth over the steps, {points[0][1]:.1f} to {points[-1][1]:.1f} degrees; half of one azimuth's"
    pen.text((EDGE, 4), told, fill=INK)
    return np.asarray(image)


def save_sheet(images: Float[Tensor, "n 3 s s"], columns: int, side: int, file: Path) -> None:
    """Pictures in rows."""
    save((sheet(images, columns=columns, side=side).clamp(0, 1) * 255).byte().numpy(), file)


def save(pixels: np.ndarray, file: Path) -> None:
    """Small files."""
    Image.fromarray(pixels).save(file, optimize=True, **({"quality": 90} if file.suffix == ".jpg" else {}))
