"""TripoSR in its published size, from a photo to a GLB; the published weights are not needed.

    python benchmarks/triposr.py transformer [--device cuda] [--rounds 1]   seconds, and what bfloat16 changes
    python benchmarks/triposr.py after [--resolution 256] [--rounds 1]      all after it, beside the plain twin
    python benchmarks/triposr.py command PLACE [--photos 1 3]               the whole command: seconds, peak memory

Weights are those that the golden cases' rule makes of their names. With these the field is a cloud, so for `after` and
`command` the last layers are set so that all of the arithmetic is done and a bumpy ellipsoid comes out. The plain twin
asks every node of the grid, looks features up and multiplies them by all layers; all other steps are the same.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from unittest import mock

import torch
from PIL import Image
from tests.parity.fill import fill_state
from tests.pictures import mug

from monoform import Photo, View
from monoform.mesh import extract, report
from monoform.mesh.texture import to_bytes
from monoform.methods.triposr import TripoSr, TripoSrConfig, TripoSrNet, TripoSrOptions, infer
from monoform.methods.triposr.planes import FoldedVolume, PlaneVolume
from monoform.methods.triposr.published import CHECKPOINT
from monoform.nn import quick_linear
from monoform.scene import meshing

MANIFEST = Path(__file__).parents[1] / "tests" / "golden" / "triposr" / "checkpoint_keys" / "manifest.json"
THRESHOLD, STEEPNESS, STEADY = 25.0, 12.0, 30.0
HALF_AXES, BUMPS = (0.30, 0.40, 0.50), 0.06


def network() -> TripoSrNet:
    """The published network with filled weights."""
    with torch.device("meta"):
        net = TripoSrNet(TripoSrConfig())
    filled = fill_state(json.loads(MANIFEST.read_text()))
    net.load_state_dict({name: torch.from_numpy(values) for name, values in filled.items()}, assign=True)
    return net.eval().requires_grad_(False)


def with_an_object(net: TripoSrNet) -> TripoSrNet:
    """The same, its last layers set: a bumpy ellipsoid, whatever the transformer says, which is still computed."""
    side, radius = 2 * net.config.plane_size, net.config.rendering.radius
    at = radius * ((torch.arange(side) + 0.5) * 2 / side - 1)
    wave = BUMPS * torch.cos(14 * at)
    planes = torch.zeros(3, net.config.features, side, side)
    for number, (column, row) in enumerate(((0, 1), (0, 2), (1, 2))):
        one, other = 0.5 * (at / HALF_AXES[column]) ** 2 + wave, 0.5 * (at / HALF_AXES[row]) ** 2 - wave
        planes[number, 0] = one[None] + other[:, None]
    cells = planes[:, 0].unflatten(2, (-1, 2)).unflatten(1, (-1, 2))  # plane, row, i, column, j
    net.backbone.proj_out.weight.zero_()
    net.backbone.proj_out.bias.zero_()
    net.tokenizer.embeddings.zero_()[:, :4] = cells.permute(0, 2, 4, 1, 3).flatten(1, 2)
    upsample = net.post_processor.upsample
    upsample.weight.zero_()[:4, 0] = torch.eye(4).reshape(4, 2, 2)
    upsample.bias.zero_()
    linears = [each for each in net.decoder.layers if isinstance(each, torch.nn.Linear)]
    for linear in linears:
        linear.weight.zero_()
        linear.bias.zero_()
    linears[0].weight[0, 0 :: net.config.features] = 1.0
    linears[0].bias[0] = STEADY  # where SiLU is a straight line
    for linear in linears[1:-1]:
        linear.weight[0, 0] = 1.0
    linears[-1].weight[0, 0] = -STEEPNESS
    linears[-1].bias[0] = math.log(THRESHOLD) - net.config.rendering.density_bias + STEEPNESS * (1 + STEADY)
    return net


def photo() -> Photo:
    rgb, mask = mug(640, 480)
    return Photo.open(rgb, mask=mask)


@contextmanager
def timed(into: dict[str, float], name: str) -> Iterator[None]:
    start = time.perf_counter(), time.process_time()
    yield
    into[name] = time.perf_counter() - start[0]
    into[f"{name}, processor"] = time.process_time() - start[1]


def transformer(device: str, rounds: int) -> None:
    net = network().to(device)
    picture = torch.rand(1, 3, net.config.image_size, net.config.image_size, generator=torch.Generator().manual_seed(0))
    found = {}
    for name, kind in (("float32 without oneDNN", None), ("float32", None), ("bfloat16", torch.bfloat16)):
        for _ in range(rounds):
            seconds: dict[str, float] = {}
            onednn = mock.patch.object(quick_linear, "ONEDNN", name == "float32")
            coarser = torch.autocast(device, kind, enabled=kind is not None)
            with onednn, torch.inference_mode(), coarser, timed(seconds, name):
                found[name] = net(picture.to(device)).float().cpu()
            print(f"{name}: {seconds[name]:.3f} s, {seconds[name + ', processor']:.1f} s of processors", flush=True)
    rounding = found.pop("float32 without oneDNN") - found["float32"]
    print(f"planes: oneDNN differs by {float(rounding.norm() / found['float32'].norm()):.2e} of their norm")
    points = 1.7 * torch.rand(20_000, 3, generator=torch.Generator().manual_seed(1)) - 0.85
    gap = found["bfloat16"] - found["float32"]
    relative = float(gap.norm() / found["float32"].norm())
    net = net.cpu()
    raw = [FoldedVolume(found[name][0], net.decoder, net.config.rendering).raw(points) for name in found]
    print(f"planes: bfloat16 differs by {relative:.2e} of their norm")
    density = (raw[1][:, 0] - raw[0][:, 0]).abs()
    spread = float(raw[0][:, 0].std())
    print(f"logarithm of the density: {density.mean() / spread:.1%} of its standard deviation on average")
    color = (raw[1][:, 1:].sigmoid() - raw[0][:, 1:].sigmoid()).abs()
    print(f"color 0..1: {color.mean():.4f} on average")


def after(resolution: int, rounds: int) -> None:
    net = with_an_object(network())
    with mock.patch.object(infer, "network", lambda _: net):
        method = TripoSr(TripoSrOptions(threshold=THRESHOLD))
    view = View(photo())
    with torch.inference_mode():  # what the transformer adds to the tokens is nothing
        planes = net.post_processor(net.tokenizer.planes(net.tokenizer(1)))[0]
    every = partial(extract, coarse=1 << 20)
    for number in range(rounds):
        totals = {}
        for name, kind, surface in (("monoform", FoldedVolume, extract), ("plain twin", PlaneVolume, every)):
            method.kind = kind
            volume = kind(planes, net.decoder, net.config.rendering)
            seconds: dict[str, float] = {}
            patches = (
                mock.patch.object(method, "volume", lambda _, volume=volume: volume),
                mock.patch.object(infer, "extract", surface),
                mock.patch.object(meshing, "extract", surface),
            )
            with patches[0], patches[1], patches[2]:
                with timed(seconds, "place and camera"):
                    found = method.reconstruct([view], generator=torch.Generator())
                with timed(seconds, "mesh with its texture"):
                    mesh = found.mesh(resolution=resolution)
                with tempfile.TemporaryDirectory() as folder, timed(seconds, "GLB"):
                    mesh.export(Path(folder) / "mesh.glb", camera=found.camera)
            totals[name] = sum(value for step, value in seconds.items() if "processor" not in step)
            cpu = sum(value for step, value in seconds.items() if "processor" in step)
            told = ", ".join(f"{step} {value:.1f} s" for step, value in seconds.items() if "processor" not in step)
            print(f"{name}: {told}; {totals[name]:.1f} s in all, {cpu:.1f} s of processors; {report(mesh)}", flush=True)
        print(f"round {number + 1}: {totals['plain twin'] / totals['monoform']:.2f} times as fast", flush=True)


def command(place: Path, counts: list[int], precision: str) -> None:
    place.mkdir(parents=True, exist_ok=True)
    if not (place / CHECKPOINT).exists():
        torch.save(with_an_object(network()).state_dict(), place / CHECKPOINT)
    picture = photo()
    rgba = torch.cat((torch.from_numpy(picture.rgb), torch.from_numpy(picture.mask)[..., None]), -1)
    for count in counts:
        out = place / f"out{count}"
        photos = [place / f"mug{number}.png" for number in range(count)]
        for file in photos:
            Image.fromarray(to_bytes(rgba.numpy())).save(file)
        words = ["reconstruct", *photos, "--method", "triposr", "--weights", place, "-o", out]
        words += ["--set", f"precision={precision}"]
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "monoform", *map(str, words)], check=True)
        took, used = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        print(
            f"{count} photos: {took:.0f} s, {used.ru_maxrss / 2**20:.2f} GiB at most (of all commands so far), "
            f"{used.ru_utime + used.ru_stime:.0f} s of processors (of all so far)",
            flush=True,
        )
        told = json.loads((out / "mug0" / "result.json").read_text())
        print(told["timings"], told["mesh"]["watertight"], told["overlay"], flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("transformer", "after", "command"))
    parser.add_argument("place", type=Path, nargs="?")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--photos", type=int, nargs="+", default=[1, 3])
    asked = parser.parse_args()
    if asked.what == "transformer":
        transformer(asked.device, asked.rounds)
    elif asked.what == "after":
        after(asked.resolution, asked.rounds)
    else:
        command(asked.place, asked.photos, asked.precision)


if __name__ == "__main__":
    main()
