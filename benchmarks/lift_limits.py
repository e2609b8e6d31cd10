"""What each part of lift's answer costs: scores with its front, back, hollows or colors replaced by the true ones.

    python benchmarks/lift_limits.py MESHES -o limits.json --objects 30 [--weights WEIGHTS]

One view of each of the meshes of MESHES (with its index.csv) that resemble one of the validation list and are not
trained on. The table gives means, and the paired difference to the network's own answer with its standard error over
objects; then how well it tells the camera's elevation, beside a constant. Interrupted, the same line goes on.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from monoform.camera import Camera
from monoform.data import Solid, Source, load_source, mesh_sources, validation_names
from monoform.data.objects.splits import excluded_names
from monoform.data.packs.hollows import hollow_views, mirror_errors
from monoform.data.packs.pack import back_views
from monoform.methods.answers import answers_of
from monoform.methods.lift.augmented_crops import AugmentedCrops
from monoform.methods.lift.batches import LiftBatch, lift_batch
from monoform.methods.lift.infer import Lift, LiftOptions
from monoform.methods.lift.model import Surfaces, without_hollow
from monoform.methods.lift.scores import scores
from monoform.metrics.shape_truth import Truth, prepare_truth
from monoform.outputs import atomic_file
from monoform.render import render_mesh

OWN = "its own answer"
TRUE: Mapping[str, tuple[str, ...]] = {
    OWN: (),
    "no hollows": ("solid",),
    "true hollows": ("hollow",),
    "true colors of the back": ("color",),
    "true front": ("front",),
    "true back": ("back",),
    "true front, back and hollows": ("front", "back", "hollow"),
    "all of it true": ("front", "back", "hollow", "color"),
}
MEASURES = ("f_0.05", "f_0.1", "chamfer", "iou", "psnr", "ssim")
MAPS = 128  # side of the crops whose truth is taken: maps of half that


class Corrected(Lift):
    """Lift whose predictions are replaced in part by the truth."""

    truth: LiftBatch
    true: tuple[str, ...] = ()
    elevation: float = 0.0

    def _hypotheses(
        self, crops: AugmentedCrops, generator: torch.Generator, camera: Camera
    ) -> list[tuple[Surfaces, dict[str, float]]]:
        surfaces, fit = super()._hypotheses(crops, generator, camera)[0]
        self.elevation = float(surfaces.elevation[0])
        return [(corrected(surfaces, self.truth, self.true), fit)]


def corrected(surfaces: Surfaces, truth: LiftBatch, names: tuple[str, ...]) -> Surfaces:
    """Surfaces whose maps of these names are the true ones, wherever those are known."""
    side = surfaces.front.shape[-2:]

    def enlarged(maps: Tensor) -> Tensor:
        return functional.interpolate(maps.float(), side, mode="nearest")

    known = enlarged(truth.valid[:, None])[:, 0] > 0.5
    found: dict[str, Tensor] = {}
    for name in ("front", "back"):
        if name in names:
            found[name] = torch.where(known, enlarged(getattr(truth, name)[:, None])[:, 0], getattr(surfaces, name))
    if found:
        found["back"] = torch.maximum(found.get("back", surfaces.back), found.get("front", surfaces.front))
    if "color" in names:
        found["color"] = torch.where(known[:, None], enlarged(truth.color), surfaces.color)
    if "solid" in names:
        found["hollow"] = without_hollow(surfaces.front)
    if "hollow" in names:
        ends = enlarged(truth.hollow)
        there = (ends >= 0).all(dim=1, keepdim=True)
        free = torch.cat((torch.full_like(ends[:, :1], 20.0), ends), 1)
        found["hollow"] = torch.where(there, free, without_hollow(surfaces.front))
    return replace(surfaces, **found)


def true_maps(source: Source, truth: Truth, net: Lift) -> LiftBatch:
    """The true maps behind the first input of an object."""
    mesh, camera = load_source(source, seed=0), truth.camera(0)
    drawn, solid = render_mesh(mesh, camera, samples=1), Solid(mesh)
    back_depth, back_colors = back_views(mesh, camera, truth.images[:1, ..., 3] > 0)
    rotation = camera.world_from_camera[0, :3, :3].numpy()
    maps = {
        "images": truth.images[:1] / np.float32(255),
        "depth": drawn.depth[None],
        "normals": (drawn.normal @ rotation)[None],
        "back_depth": back_depth,
        "back_colors": back_colors / np.float32(255),
        "hollows": hollow_views(solid, camera, drawn.depth[None], back_depth),
        "world_from_camera": camera.world_from_camera.numpy(),
        "intrinsics": camera.intrinsics.numpy(),
    }
    packed = {name: torch.from_numpy(np.asarray(values)).float()[None] for name, values in maps.items()}
    packed["mirrors"] = torch.from_numpy(np.asarray(mirror_errors(solid, seed=0)))[None].float()
    return lift_batch(packed, net.net.config, None, size=MAPS)


def table(rows: list[dict[str, float | str]]) -> str:
    """Means, and paired differences to the network's own answer with their standard errors."""
    lines = ["| | " + " | ".join(MEASURES) + " |", "|" + "---|" * (len(MEASURES) + 1)]
    values = {
        label: np.array([[float(row[name]) for name in MEASURES] for row in rows if row["label"] == label])
        for label in TRUE
    }
    for label, found in values.items():
        off = found - values[OWN]
        error = off.std(axis=0) / math.sqrt(len(off))
        cells = [
            f"{mean:.3f}" + ("" if label == OWN else f" ({step:+.3f} +- {wide:.3f})")
            for mean, step, wide in zip(found.mean(axis=0), off.mean(axis=0), error, strict=True)
        ]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    own = [row for row in rows if row["label"] == OWN]
    true, told = (np.degrees([float(row[name]) for row in own]) for name in ("elevation", "told"))
    head, constant = np.abs(told - true), np.abs(true - np.median(true))
    error = (head - constant).std() / math.sqrt(len(own))
    lines.append(
        f"\nElevation: off by {head.mean():.1f} degrees, their median by {constant.mean():.1f} "
        f"({(head - constant).mean():+.1f} +- {error:.1f}); {len(own)} objects."
    )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("meshes", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True, help="rows, as JSON")
    parser.add_argument("--objects", type=int, default=30)
    parser.add_argument("--weights", default="", help="of lift; by default those that ship")
    asked = parser.parse_args()
    kin = set(excluded_names()) - set(validation_names())
    sources = [
        source for source in sorted(mesh_sources(asked.meshes), key=lambda each: each.name) if source.name in kin
    ]
    count = min(asked.objects, len(sources))
    net = Corrected(LiftOptions(weights=asked.weights))
    answer = answers_of(net)
    rows = json.loads(asked.out.read_text(encoding="utf-8")) if asked.out.exists() else []
    done = {row["object"] for row in rows}
    for number in range(count):
        source = sources[number * len(sources) // count]
        if source.name in done:
            continue
        truth = prepare_truth(source, views=1, seed=0)
        net.truth = true_maps(source, truth, net)
        for label, names in TRUE.items():
            net.true = names
            found = scores(answer(truth, 0), truth, 0)
            told = {"elevation": float(net.truth.elevation[0]), "told": net.elevation}
            rows.append({"object": source.name, "label": label} | found | told)
        with atomic_file(asked.out) as draft:
            draft.write_text(json.dumps(rows), encoding="utf-8")
        print(f"{number + 1} of {count}: {source.name}", flush=True)
    print(table(rows))


if __name__ == "__main__":
    main()
