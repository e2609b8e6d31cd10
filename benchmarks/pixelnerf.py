"""How much faster pixelNeRF's images and training steps are than in the published order of computation.

    python benchmarks/pixelnerf.py [--mesh MESH.glb] [--minutes 5] [--size 128] [--device cpu] [--keep DIR]
    python benchmarks/pixelnerf.py --steps 3 [--objects 4] [--rays 128] [--mesh MESH.glb] [--keep DIR]

The network is that of the published srn_car, with one source view. The twin computes what the release computes, in its
order, from the same random draws in the same run: with weights that are drawn at random, so that nothing is empty
or opaque; or, with --mesh, with a network that learns that one object for --minutes: its perceptrons are trained on
pictures of the mesh and their distances, the encoder stays as it is. --keep writes that network to a folder, or takes
it from there. With --steps, training steps are measured in place of images, in turns with those of the twin, in CPU
time.
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from dataclasses import replace
from pathlib import Path

import torch
from memory import peak_bytes
from torch.nn import functional

from monoform.camera import Camera, orbit
from monoform.mesh import Mesh
from monoform.methods.pixelnerf.cameras import published_rays
from monoform.methods.pixelnerf.config import PixelNerfConfig, Sampling, preset
from monoform.methods.pixelnerf.encoded import Encoded
from monoform.methods.pixelnerf.fast import FastOptions, render_image
from monoform.methods.pixelnerf.losses import color_loss
from monoform.methods.pixelnerf.model import PixelNerfNet
from monoform.methods.pixelnerf.render import render
from monoform.nn import quick_linear
from monoform.render import RaySampleNoise, render_mesh
from monoform.training import load_pretrained, save_pretrained

EXACT = {"skip": False, "opaque": 0.0}
ROWS = {
    "nothing left out, float32": FastOptions(**EXACT),
    "nothing left out, bfloat16": FastOptions(precision="bfloat16", **EXACT),
    "default, float32": FastOptions(),
    "default, bfloat16": FastOptions(precision="bfloat16"),
}
WAYS = {  # backward pass without samples that have no gradient, bfloat16, products by oneDNN
    "published order, float32": (False, False, False),
    "ours without oneDNN, float32": (True, False, False),
    "ours, float32": (True, False, True),
    "published order, bfloat16": (False, True, False),
    "ours, bfloat16": (True, True, True),
}
ELEVATION, FOV = math.radians(20), 2 * math.atan(64 / 131.25)
BATCH, LEARNING_RATE, SOFTNESS = 80, 3e-4, 5.0
TWIN_RAYS = 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mesh", type=Path, help="learn this object, and measure with it too")
    parser.add_argument("--minutes", type=float, default=5.0, help="how long it is learned")
    parser.add_argument("--size", type=int, default=128, help="side of the image in pixels")
    parser.add_argument("--width", type=int, default=512, help="of the perceptrons; other than 512 for a quick look")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--keep", type=Path, help="folder of the learned network: written, or read when it is there")
    parser.add_argument("--rows", nargs="*", default=list(ROWS), help="which measurements, by the beginning of a name")
    parser.add_argument("--steps", type=int, default=0, help="measure so many training steps in place of images")
    parser.add_argument("--objects", type=int, default=4, help="of a training step")
    parser.add_argument("--rays", type=int, default=128, help="of an object in a training step")
    asked = parser.parse_args()
    how = measure_training if asked.steps else measure
    torch.manual_seed(0)
    config = preset("srn_car")
    config = replace(config, network=replace(config.network, width=asked.width))
    cameras = orbit(24, elevation=ELEVATION, distance=config.domain.distance, fov_y=FOV, width=128, height=128)
    cameras = cameras.to(asked.device)
    pictures = torch.rand(24, 128, 128, 3, generator=torch.Generator().manual_seed(0)).to(asked.device)
    if asked.mesh is None:
        how("random weights", drawn(config).to(asked.device), pictures, cameras, asked)
    else:
        pictures, distances = photograph(Mesh.load(asked.mesh), cameras)
        pictures = pictures.to(asked.device)
        net = learned(config, pictures, distances, cameras, asked)
        how(asked.mesh.stem, net, pictures, cameras, asked)
    print(f"peak memory of this process: {peak_bytes() / 2**30:.2f} GiB")


def drawn(config: PixelNerfConfig) -> PixelNerfNet:
    """A network none of whose layers does nothing: normal weights that keep the size of activations."""
    net = PixelNerfNet(config).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in net.parameters():
            drawn_values = torch.randn(parameter.shape, generator=generator)
            if parameter.ndim > 1:
                parameter.copy_(drawn_values / math.sqrt(parameter[0].numel()))
            else:
                parameter.add_(0.1 * drawn_values)
    return net


def photograph(mesh: Mesh, cameras: Camera) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures of the mesh on white, brought into the sphere of radius 0.45, and distances along their rays."""
    low, high = mesh.bounds
    move = torch.eye(4, dtype=torch.float64).numpy()
    scale = 0.9 / float(((high - low) ** 2).sum() ** 0.5)
    move[:3, :3] *= scale
    move[:3, 3] = -scale * 0.5 * (low + high)
    placed = mesh.transformed(move)
    seen = [render_mesh(placed, camera.to("cpu"), shading="lit") for camera in cameras]
    rays = cameras.to("cpu").rays()[1]
    along = (rays @ cameras.world_from_camera[:, :3, 2:].cpu())[..., 0]
    depth = torch.stack([torch.from_numpy(one.depth) for one in seen]).flatten(1)
    return torch.stack([torch.from_numpy(one.rgb) for one in seen]), depth / along


def learned(
    config: PixelNerfConfig,
    pictures: torch.Tensor,
    distances: torch.Tensor,
    cameras: Camera,
    asked: argparse.Namespace,
) -> PixelNerfNet:
    """A network that has seen nothing but this object."""
    if asked.keep is not None and asked.keep.is_dir():
        return load_pretrained(PixelNerfNet, PixelNerfConfig, asked.keep)[0].to(asked.device)
    net = begun_well(PixelNerfNet(config).to(asked.device), pictures)
    encoded = encode(net, pictures, cameras)
    rays = torch.cat([one_image(camera, config) for camera in cameras]).reshape(-1, 8)
    truth, distances = pictures.reshape(-1, 3), distances.reshape(-1).to(rays)
    optimizer = torch.optim.Adam([*net.mlp_coarse.parameters(), *net.mlp_fine.parameters()], lr=LEARNING_RATE)
    generator, begun, step, running = torch.Generator().manual_seed(1), time.perf_counter(), 0, 0.0
    while time.perf_counter() - begun < 60 * asked.minutes:
        share = (time.perf_counter() - begun) / (60 * asked.minutes)
        optimizer.param_groups[0]["lr"] = LEARNING_RATE * (1 - 0.95 * share)
        chosen = torch.randint(len(truth), (BATCH,), generator=generator)
        hits = torch.isfinite(distances).nonzero()[:, 0]
        chosen[: BATCH // 2] = hits[torch.randint(len(hits), (BATCH // 2,), generator=generator)].cpu()
        loss = loss_along(net, encoded, rays[chosen], distances[chosen], truth[chosen], generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step, running = step + 1, 0.95 * running + 0.05 * float(loss.detach())
        if step % 100 == 0:
            print(f"  {step} steps, loss {running:.4f}", flush=True)
    print(f"{step} steps in {asked.minutes:g} minutes")
    if asked.keep is not None:
        save_pretrained(net, config, asked.keep, card="A network that learned one object, for a benchmark.")
    return net


def loss_along(
    net: PixelNerfNet,
    encoded: Encoded,
    rays: torch.Tensor,
    distances: torch.Tensor,
    truth: torch.Tensor,
    generator: torch.Generator,
) -> torch.Tensor:
    """Empty before the surface, and everywhere on rays that miss; dense and of the picture's colour just behind it."""
    end = torch.where(torch.isfinite(distances), distances, rays[:, 7])
    before = rays[:, 6:7] + (end[:, None] - rays[:, 6:7]) * torch.rand(len(rays), 3, generator=generator).to(rays)
    close = end[:, None] - 0.03 * torch.rand(len(rays), 1, generator=generator).to(rays)
    behind = end[:, None] + 0.03 * torch.rand(len(rays), 1, generator=generator).to(rays)
    along = torch.cat((before, close, behind), dim=1)
    points = (rays[:, None, :3] + along[..., None] * rays[:, None, 3:6]).reshape(1, -1, 3)
    directions = rays[:, None, 3:6].expand(-1, along.shape[1], -1).reshape(1, -1, 3)
    hit = torch.isfinite(distances)
    total = rays.new_zeros(())
    with torch.autocast(rays.device.type, torch.bfloat16):
        inputs, local = net.inputs(encoded, points, directions)
        features = net.features(encoded, encoded.pixels(local))
        for perceptron in (net.mlp_coarse, net.mlp_fine):
            raw = perceptron(features, inputs)[0].reshape(*along.shape, 4).float()
            # Densities of some tens, and as far below 0 where there is nothing.
            logits = raw[..., 3] / SOFTNESS
            total = total + functional.softplus(logits[:, :4]).mean() + functional.softplus(-logits[hit, 4]).mean()
            total = total + 10 * (torch.sigmoid(raw[hit, 4, :3]) - truth[hit]).square().mean()
    return total


def begun_well(net: PixelNerfNet, pictures: torch.Tensor) -> PixelNerfNet:
    """With the encoder's statistics taken from the pictures, and fog everywhere, which gradients can clear."""
    for module in net.encoder.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        net.encoder.train()(2 * pictures.permute(0, 3, 1, 2) - 1)
        for perceptron in (net.mlp_coarse, net.mlp_fine):
            perceptron.lin_out.weight.mul_(0.3)
            perceptron.lin_out.bias[3] = 1.0
    return net.eval()


def measure(label: str, net: PixelNerfNet, pictures: torch.Tensor, cameras: Camera, asked: argparse.Namespace) -> None:
    """One image in the published order, and quickly."""
    camera = cameras[5].resized(asked.size, asked.size)
    rays = one_image(camera, net.config)
    draws = RaySampleNoise.random(asked.size**2, net.config.sampling.rays, torch.Generator().manual_seed(2)).to(rays)
    begun = time.perf_counter()
    twin = published(net, encode(net, pictures, cameras), rays, draws)
    seconds = time.perf_counter() - begun
    print(f"{label}: {asked.size} x {asked.size} pixels, the published order takes {seconds:.1f} s")
    if asked.size == 128:
        print(f"  against the picture itself: {psnr(twin, pictures[5]):.1f} dB")
    for name, options in ROWS.items():
        if not any(name.startswith(begin) for begin in asked.rows):
            continue
        begun = time.perf_counter()
        image = render_image(net, encode(net, pictures, cameras), rays, noise=draws, options=options)
        ratio = seconds / (time.perf_counter() - begun)
        share = image.evaluations / (draws.strata.numel() + len(draws.strata) * samples(net.config.sampling))
        print(
            f"  {name:28} {ratio:6.2f} x as fast, largest difference {float((image.rgb - twin).abs().max()):.1e}, "
            f"{psnr(image.rgb, twin):.1f} dB, {100 * share:.0f} % of the evaluations",
            flush=True,
        )


def measure_training(
    label: str, net: PixelNerfNet, pictures: torch.Tensor, cameras: Camera, asked: argparse.Namespace
) -> None:
    """Training steps of one view each, on rays within the objects where they are seen before white."""
    generator = torch.Generator().manual_seed(3)
    print(f"{label}: training steps of {asked.objects} objects x {asked.rays} rays, encoder and optimizer with them")
    rays = torch.stack([one_image(camera, net.config) for camera in cameras]).flatten(1, 2)
    colors = pictures.flatten(1, 2)
    shown = (colors < 1).any(dim=-1)
    for boxed in (True, False):
        seconds: dict[str, float] = {}
        for _ in range(asked.steps):
            views = torch.randperm(len(cameras), generator=generator)[: asked.objects]
            chosen = torch.stack([drawn_rays(shown[view], asked, generator, boxed=boxed) for view in views])
            batch = rays[views].take_along_dim(chosen[..., None], 1), colors[views].take_along_dim(chosen[..., None], 1)
            draws = RaySampleNoise.random(chosen.numel(), net.config.sampling.rays, generator)
            losses = {}
            poses, intrinsics = cameras.world_from_camera[views], cameras.intrinsics[views]
            sources = Camera(poses, intrinsics, cameras.width, cameras.height)
            for name, (sparse, coarser, onednn) in WAYS.items():
                quick_linear.ONEDNN = onednn
                copied = copy.deepcopy(net).train()
                begun = time.process_time()
                with torch.autocast(asked.device, torch.bfloat16, enabled=coarser):
                    encoded = copied.encode(pictures[views, None], sources)
                    seen = render(copied, encoded, batch[0], noise=draws, sparse=sparse)
                    loss = color_loss(seen, batch[1], absolute=False)[0]
                loss.backward()
                torch.optim.Adam(copied.parameters()).step()
                seconds[name] = min(seconds.get(name, math.inf), time.process_time() - begun)
                losses[name] = float(loss.detach())
        twin = next(iter(WAYS))
        share = float((seen.best.weights > 0).float().mean())
        print(f"  rays within {'the boxes' if boxed else 'whole images'}: {100 * share:.0f} % of samples are not empty")
        for name, took in seconds.items():
            off = abs(losses[name] / losses[twin] - 1)
            print(
                f"    {name:28} {took:6.2f} s, {seconds[twin] / took:5.2f} x as fast, loss off by {off:.1e}", flush=True
            )


def drawn_rays(
    shown: torch.Tensor, asked: argparse.Namespace, generator: torch.Generator, *, boxed: bool
) -> torch.Tensor:
    """Pixels within the box around the object, or anywhere."""
    side = round(len(shown) ** 0.5)
    rows, columns = shown.reshape(side, side).nonzero().unbind(dim=1)
    if not boxed:
        return torch.randint(len(shown), (asked.rays,), generator=generator)
    row = torch.randint(int(rows.min()), int(rows.max()) + 1, (asked.rays,), generator=generator)
    return row * side + torch.randint(int(columns.min()), int(columns.max()) + 1, (asked.rays,), generator=generator)


def encode(net: PixelNerfNet, pictures: torch.Tensor, cameras: Camera) -> Encoded:
    """The first picture alone."""
    with torch.no_grad():
        return net.encode(pictures[None, :1], cameras[0])


def one_image(camera: Camera, config: PixelNerfConfig) -> torch.Tensor:
    return published_rays(camera, config.domain.near, config.domain.far)[0]


def published(net: PixelNerfNet, encoded: Encoded, rays: torch.Tensor, draws: RaySampleNoise) -> torch.Tensor:
    """The twin: every sample of every ray, features looked up and multiplied at each."""
    flat, parts = rays.reshape(1, -1, 8), []
    with torch.no_grad():
        for start in range(0, flat.shape[1], TWIN_RAYS):
            part = slice(start, start + TWIN_RAYS)
            parts.append(render(net, encoded, flat[:, part], noise=draws[part]).best.rgb[0])
    return torch.cat(parts).reshape(*rays.shape[:2], 3)


def samples(sampling: Sampling) -> int:
    return sampling.coarse + sampling.fine


def psnr(image: torch.Tensor, truth: torch.Tensor) -> float:
    return float(-10 * torch.log10((image.double() - truth.double()).square().mean().clamp_min(1e-20)))


if __name__ == "__main__":
    main()
