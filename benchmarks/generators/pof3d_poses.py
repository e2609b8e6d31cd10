"""What PoF3D learned of poses that nobody told it: its own against the true ones, and what it tells of photos.

    python benchmarks/generators/pof3d_poses.py DATA RUN [--unseen DATA] [--seed 1] [-o OUT.json] [--figures DIR]

DATA is what `pack.py` wrote, RUN the folder of `monoform train pof3d --data DATA/photos`. A row for the networks as
they begin (of --seed, which is the training's), for each snapshot, and for the weights that come out. After the best
turn about the vertical and reflection: circular Wasserstein-1 distance of 2,000 azimuths that the generator chooses to
the true ones of DATA, KL of azimuth and elevation as TeFF measures them (bins of 10 degrees), and, of what the
discriminator tells of the photos of --unseen, or of DATA, one by one, the median error and the correlation with the
truth; and the same modulo half a turn (`_half`), for what looks much alike from opposite sides. Of a training with a
template a row for what the template tells of the photos of DATA. Above them what knows nothing reaches: one azimuth for
all, azimuths uniform around the circle, and uniform over the range where the true ones lie; and the median error of
telling one pose of all photos. Last the Frechet distances of samples to as many photos. --figures draws histograms,
samples, normals and turns.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from monoform.data.images import ImageSet
from monoform.methods.pof3d.inputs import resized
from monoform.methods.pof3d.journal import polar_degrees
from monoform.methods.pof3d.networks import NetworksConfig, Pof3dNetworks
from monoform.methods.pof3d.quality import chosen_poses, fakes, latents
from monoform.metrics.features import as_bytes, frechet_name, moments_of, open_features
from monoform.metrics.frechet import frechet_distance
from monoform.metrics.pose_distribution import (
    best_alignment,
    circular_correlation,
    plain_distances,
    pose_distances,
    pose_errors,
)
from monoform.training import list_checkpoints, load_checkpoint, load_pretrained

CHOSEN, TOLD, SAMPLES, BATCH = 2000, 300, 1000, 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--unseen", type=Path, help="photos of other cars, of which poses are told")
    parser.add_argument("--seed", type=int, default=1, help="of the training")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="of the Frechet distances; 0 for none")
    parser.add_argument("-o", "--out", type=Path)
    parser.add_argument("--figures", type=Path)
    asked = parser.parse_args()
    true, (asked_of, photos) = truth(asked.data), shown(asked.unseen or asked.data)
    span = (0.0, 2 * math.pi) if np.ptp(true[:, 0]) > 5 else (float(true[:, 0].min()), float(true[:, 0].max()))
    plain = plain_distances(true[:, 0], low=span[0], high=span[1])
    plain |= {f"one_{name}": value for name, value in errors_of(asked_of, np.median(true, 0) + 0 * asked_of).items()}
    say(plain)
    rows = []
    for name, networks in stages(asked.run, asked.seed):
        row = {**name, **measured(networks, true, asked_of, photos)}
        rows.append(row)
        print(
            ", ".join(
                f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in row.items()
            )
        )
    by_template = template_row(asked.run, true)
    say(by_template)
    generator = networks.generator
    distances = frechet(generator, asked.data / "photos", asked.samples) if asked.samples else {}
    say(distances)
    if asked.out:
        asked.out.write_text(
            json.dumps({"plain": plain, "rows": rows, "template": by_template, "distances": distances}, indent=1)
        )
    if asked.figures:
        from figures import draw  # beside this file

        draw(asked.figures, generator, true, chosen(generator), rows, plain)


def say(figures: dict[str, Any]) -> None:
    """In one line, angles in degrees."""
    print(
        *(f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in figures.items())
    )


def truth(data: Path) -> Float[np.ndarray, "n 2"]:
    """(azimuth, elevation) of all photos, radians."""
    photos = json.loads((data / "truth.json").read_text())["photos"]
    return np.radians([[photo["azimuth"], photo["elevation"]] for photo in photos])


def shown(data: Path) -> tuple[Float[np.ndarray, "n 2"], UInt8[Tensor, "n 3 h w"]]:
    """Photos spread over a set, and where they were taken from."""
    names = [photo["name"] for photo in json.loads((data / "truth.json").read_text())["photos"]]
    numbers = np.linspace(0, len(names) - 1, min(TOLD, len(names))).astype(int)
    arrays = [np.array(Image.open(data / "photos" / names[number])) for number in numbers]
    return truth(data)[numbers], torch.from_numpy(np.stack(arrays)).movedim(-1, 1)


def stages(run: Path, seed: int) -> list[tuple[dict[str, Any], Pof3dNetworks]]:
    """The networks of a training from its beginning to its end, and what each is called."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    seconds = {line["step"]: line["seconds"] for line in lines if "seconds" in line}
    found = []
    for folder in [*sorted((run / "snapshots").glob("*")), run / "weights"]:
        if not (folder / "config.json").is_file():
            continue
        networks, config = load_pretrained(Pof3dNetworks, NetworksConfig, folder)
        if not found:
            torch.manual_seed(seed)
            found.append(({"step": "none"}, Pof3dNetworks(config).eval()))
        step = int(folder.name) if folder.name.isdigit() else folder.name
        found.append(({"step": step, **({"seconds": seconds[step]} if step in seconds else {})}, networks))
    return found


def chosen(generator: Any) -> Float[np.ndarray, "n 2"]:
    """(azimuth, elevation) that a generator chooses, radians."""
    return angles(chosen_poses(generator, CHOSEN))


@torch.no_grad()
def measured(
    networks: Pof3dNetworks, true: Float[np.ndarray, "n 2"], asked_of: Float[np.ndarray, "m 2"], photos: Tensor
) -> dict[str, float]:
    """All figures of one stage."""
    side = networks.generator.config.rays.raw_resolution
    images = photos.float() / 127.5 - 1
    assert networks.discriminator is not None
    told = networks.discriminator.predict_pose(images, resized(images, side))
    return {**distances_of(true, chosen(networks.generator)), **errors_of(asked_of, angles(told))}


def distances_of(true: Float[np.ndarray, "n 2"], found: Float[np.ndarray, "m 2"]) -> dict[str, float]:
    """Of two sets of poses, and of their azimuths modulo half a turn."""
    half = best_alignment(2 * true[:, 0], 2 * found[:, 0], reflect=True)[1] / 2
    return {**pose_distances(true, found, reflect=True), "azimuth_w1_half": math.degrees(half)}


def errors_of(true: Float[np.ndarray, "n 2"], told: Float[np.ndarray, "n 2"]) -> dict[str, float]:
    """Of poses that were told one by one, and of their azimuths modulo half a turn."""
    twice = np.array([2.0, 1.0])
    half = pose_errors(true * twice, told * twice, reflect=True)["told_azimuth_error"] / 2
    return {
        **pose_errors(true, told, reflect=True),
        "told_azimuth_correlation": circular_correlation(true[:, 0], told[:, 0]),
        "told_azimuth_error_half": half,
        "told_azimuth_correlation_half": circular_correlation(2 * true[:, 0], 2 * told[:, 0]),
    }


def template_row(run: Path, true: Float[np.ndarray, "n 2"]) -> dict[str, float]:
    """What the template of a training tells of its photos; nothing without one."""
    kept = list_checkpoints(run)
    poses = load_checkpoint(kept[-1]).model.get("told") if kept else None
    if poses is None:
        return {}
    told = angles(poses)
    return {**distances_of(true, told), **errors_of(true, told)}


def angles(poses: Float[Tensor, "n c"]) -> Float[np.ndarray, "n 2"]:
    """(azimuth from the front, elevation) radians, of (yaw, elevation parameter)."""
    return torch.stack((poses[:, 0] - math.pi / 2, polar_degrees(poses[:, 1]).deg2rad()), dim=1).double().numpy()


def frechet(generator: Any, photos: Path, samples: int) -> dict[str, float]:
    """Distances of samples to as many photos."""
    real, side = ImageSet(photos), generator.config.rays.raw_resolution
    found = {}
    for name in ("efficientnet-lite0", "pyramid"):
        net = open_features(name)
        numbers = torch.linspace(0, len(real) - 1, min(samples, len(real))).long().split(BATCH)
        true = (torch.stack([torch.tensor(real.image(int(n))).movedim(-1, 0) for n in part]) for part in numbers)
        made = (as_bytes(fakes(generator, z, side).image) for z in latents(generator, samples).split(BATCH))
        found[frechet_name(net, "n")] = frechet_distance(moments_of(net, true), moments_of(net, made), "n")
    return found


if __name__ == "__main__":
    main()
