"""How much faster PoF3D samples and films than a plain twin, at its full size of 256 pixels.

    python benchmarks/pof3d.py [--config ffhq] [--frames 60] [--rounds 5] [--threads 2] [--processor-time]

The twin computes what the equations say in their order, in the layout that PyTorch has by default: styles scale what
goes in and what comes out of each convolution, zeros are put between pixels and filtered, planes are sampled one by one
and their samples sorted with all their colors; each frame of a film makes the planes again. Both have the same weights,
drawn at random, and the same places of samples. As an object for the film, a ball stands in the planes of both.
"""

from __future__ import annotations

import argparse
import math
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import conv2d, conv_transpose2d, grid_sample, interpolate, leaky_relu, pad, softplus

from monoform.methods.pof3d.decoder import axes_of
from monoform.methods.pof3d.model import Pof3dGenerator
from monoform.methods.pof3d.presets import preset
from monoform.methods.pof3d.rendering import image_rays
from monoform.nn.stylegan2 import SynthesisBlock, SynthesisLayer, ToRGB, fir_kernel
from monoform.render import importance
from monoform.render.sampling import pooled_weights

BALL = 0.35  # radius of the planted ball, shares of the box


def plain_filter(x: Tensor, up: int, around: tuple[int, int, int, int], gain: float) -> Tensor:
    n, c, h, w = x.shape
    if up > 1:
        x = pad(x.reshape(n, c, h, 1, w, 1), (0, up - 1, 0, 0, 0, up - 1)).reshape(n, c, h * up, w * up)
    kernel = torch.outer(fir_kernel(), fir_kernel()) * gain
    return conv2d(pad(x, around), kernel.expand(c, 1, 4, 4), groups=c)


def plain_layer(layer: SynthesisLayer, x: Tensor, w: Tensor, noise: bool) -> Tensor:
    styles = layer.affine(w)
    scale = ((layer.weight[None] * styles[:, None, :, None, None]).square().sum(dim=(2, 3, 4)) + 1e-8).rsqrt()
    x = x * styles[:, :, None, None]
    if layer.up == 2:
        x = plain_filter(conv_transpose2d(x, layer.weight.transpose(0, 1), stride=2), 1, (1, 1, 1, 1), 4.0)
    else:
        x = conv2d(x, layer.weight, padding=1)
    x = x * scale[:, :, None, None]
    if noise:
        x = x + layer.noise_const * layer.noise_strength
    x = leaky_relu(x + layer.bias[:, None, None], 0.2) * math.sqrt(2)
    return x if layer.clamp is None else x.clamp(-layer.clamp, layer.clamp)


def plain_rgb(layer: ToRGB, x: Tensor, w: Tensor) -> Tensor:
    styles = layer.affine(w) / math.sqrt(layer.weight.shape[1])
    x = conv2d(x * styles[:, :, None, None], layer.weight) + layer.bias[:, None, None]
    return x if layer.clamp is None else x.clamp(-layer.clamp, layer.clamp)


def plain_block(
    block: SynthesisBlock, x: Tensor | None, image: Tensor | None, ws: list[Tensor], noise: bool
) -> tuple[Tensor, Tensor]:
    slots = iter(ws)
    if x is None:
        x = block.const.expand(len(ws[0]), *block.const.shape)
    else:
        x = plain_layer(block.conv0, x, next(slots), noise)
    x = plain_layer(block.conv1, x, next(slots), noise)
    assert block.torgb is not None
    added = plain_rgb(block.torgb, x, next(slots))
    if image is None:
        return x, added
    return x, (plain_filter(image, 2, (2, 1, 2, 1), 4.0) if block.up == 2 else image) + added


def plain_planes(net: Pof3dGenerator, ws: Tensor) -> Tensor:
    x = image = None
    for number, size in enumerate(net.backbone.synthesis.resolutions):
        block = net.backbone.synthesis.get_submodule(f"b{size}")
        first = max(2 * number - 1, 0)
        slots = list(ws[:, first : first + (2 if number == 0 else 3)].unbind(1))
        x, image = plain_block(block, x, image, slots, True)  # type: ignore[arg-type]
    assert image is not None
    return image.unflatten(1, (3, -1))


def plain_points(net: Pof3dGenerator, planes: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    shape, axes = points.shape[:-1], axes_of(net.config.compat.repeated_axes)
    places = points.reshape(len(planes), -1, 3) * (2 / net.config.rays.box)
    found = [
        grid_sample(planes[:, plane], places[:, None][..., list(pair)], align_corners=False)[:, :, 0]
        for plane, pair in enumerate(axes)
    ]
    numbers = net.decoder.net(torch.stack(found).mean(dim=0).mT)
    return numbers[..., 0].reshape(shape), (torch.sigmoid(numbers[..., 1:]) * 1.002 - 0.001).reshape(*shape, -1)


def plain_weights(depths: Tensor, density: Tensor) -> Tensor:
    optical = softplus((density[..., 1:] + density[..., :-1]) / 2 - 1) * depths.diff(dim=-1)
    alpha = 1 - torch.exp(-optical)
    passed = torch.cat((torch.ones_like(alpha[..., :1]), 1 - alpha + 1e-10), dim=-1).cumprod(dim=-1)
    return alpha * passed[..., :-1]


def plain_render(net: Pof3dGenerator, planes: Tensor, world: Tensor, intrinsics: Tensor) -> tuple[Tensor, Tensor]:
    rays = net.config.rays
    origins, directions = image_rays(world, intrinsics, rays.raw_resolution)
    assert rays.near is not None and rays.far is not None
    step = (rays.far - rays.near) / (rays.coarse - 1)
    depths = (torch.linspace(rays.near, rays.far, rays.coarse) + step / 2).expand(*origins.shape[:2], -1)

    def ask(at: Tensor) -> tuple[Tensor, Tensor]:
        return plain_points(net, planes, origins[..., None, :] + at[..., None] * directions[..., None, :])

    density, colors = ask(depths)
    weights = pooled_weights(plain_weights(depths, density))[..., 1:-1]
    levels = torch.linspace(0, 1, rays.fine).expand(*origins.shape[:2], -1)
    further = importance((depths[..., 1:] + depths[..., :-1]) / 2, weights, levels)
    more, others = ask(further)
    depths, order = torch.sort(torch.cat((depths, further), dim=-1), dim=-1)
    density = torch.cat((density, more), dim=-1).gather(-1, order)
    colors = torch.cat((colors, others), dim=-2)
    colors = colors.gather(-2, order[..., None].expand_as(colors))
    weights = plain_weights(depths, density)
    seen = (weights[..., None] * (colors[..., 1:, :] + colors[..., :-1, :]) / 2).sum(dim=-2)
    if rays.white:
        seen = seen + 1 - weights.sum(dim=-1, keepdim=True)
    depth = (weights * (depths[..., 1:] + depths[..., :-1]) / 2).sum(dim=-1) / weights.sum(dim=-1)
    return 2 * seen - 1, depth


def plain_image(net: Pof3dGenerator, ws: Tensor, planes: Tensor, world: Tensor, intrinsics: Tensor) -> Tensor:
    side, module = net.config.rays.raw_resolution, net.superresolution
    assert module is not None
    features = plain_render(net, planes, world, intrinsics)[0].mT.unflatten(2, (side, side))
    raw = features[:, :3]
    if module.resizes(side):
        size = (module.begin, module.begin)
        features, raw = (interpolate(each, size, mode="bilinear", align_corners=False) for each in (features, raw))
    slots = [ws[:, net.backbone.synthesis.slots - 1]] * 3
    x, first = plain_block(module.block0, features, raw, slots, False)
    return plain_block(module.block1, x, first, slots, False)[1]


def with_ball(net: Pof3dGenerator, planes: Tensor) -> Tensor:
    """A ball in empty space: the first feature of each plane falls with the distance from the middle, and is dense."""
    side = torch.linspace(-1, 1, planes.shape[-1])
    rows, columns = torch.meshgrid(side, side, indexing="ij")
    planes = planes.clone()
    planes[:, :, 0] = 0.0
    for plane, pair in enumerate(axes_of(net.config.compat.repeated_axes)):
        for axis, place in zip(pair, (columns, rows), strict=True):
            times = sum(axis in other for other in axes_of(net.config.compat.repeated_axes))
            planes[:, plane, 0] -= place.square() / times
    planes[:, :, 0] = 3 * 40 * (planes[:, :, 0] + (2 * BALL) ** 2 / 3)
    return planes


def object_decoder(net: Pof3dGenerator) -> None:
    """Density is the first feature's, less where there is none of it."""
    first, _, last = net.decoder.net
    first.weight[0], last.weight[0] = 0.0, 0.0
    first.weight[0, 0], last.weight[0, 0] = math.sqrt(first.weight.shape[1]), 3 * math.sqrt(last.weight.shape[1])
    last.bias[0] = -40.0


CLOCK = [time.perf_counter]


def seconds(work: Callable[[], object]) -> float:
    start = CLOCK[0]()
    work()
    return CLOCK[0]() - start


def compared(name: str, twin: Callable[[], Tensor], ours: Callable[[], Tensor], rounds: int) -> None:
    """One after the other, in turns; the best of each counts, as the server is shared."""
    one, other = twin(), ours()
    difference = float((one - other).abs().max())
    pairs = [(seconds(twin), seconds(ours)) for _ in range(rounds)]
    slow, quick = (min(each) for each in zip(*pairs, strict=True))
    ratio = sorted(a / b for a, b in pairs)[len(pairs) // 2]
    print(f"| {name} | {slow:.2f} s | {quick:.2f} s | {slow / quick:.2f} | {ratio:.2f} | {difference:.1e} |")


def peak(which: str, config: str, threads: int) -> float:
    """MiB that a process of its own has held at most while it made one image."""
    command = [sys.executable, __file__, "--config", config, "--threads", str(threads), "--memory", which]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def film(net: Pof3dGenerator, ws: Tensor, intrinsics: Tensor, asked: argparse.Namespace) -> None:
    """A turn around the ball; the twin's time for all frames is that of some of them."""
    object_decoder(net)
    yaw = torch.linspace(0, 2 * math.pi, asked.frames + 1)[:-1]
    worlds, _ = net.cameras(torch.stack((yaw, torch.full_like(yaw, math.pi / 2)), dim=1))
    some = slice(0, asked.twin_frames)

    def twin() -> Tensor:
        return torch.cat(
            [
                plain_image(net, ws, with_ball(net, plain_planes(net, ws)), world[None], intrinsics)
                for world in worlds[some]
            ]
        )

    def ours() -> Tensor:
        planes = with_ball(net, net.planes(ws))
        frames = net.film(ws, worlds, intrinsics.expand(len(worlds), 3, 3), planes=planes)
        return torch.cat([frame.image for frame in frames])

    first, all_frames = twin(), ours()
    difference = float((first - all_frames[some]).abs().max())
    slow, quick = seconds(twin) / asked.twin_frames, seconds(ours) / asked.frames
    again = seconds(twin) / asked.twin_frames, seconds(ours) / asked.frames
    slow, quick = min(slow, again[0]), min(quick, again[1])
    print(f"| a frame of {asked.frames} | {slow:.2f} s | {quick:.2f} s | {slow / quick:.2f} | | {difference:.1e} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="ffhq")
    parser.add_argument("--frames", type=int, default=60, help="of the film; the twin makes --twin-frames of them")
    parser.add_argument("--twin-frames", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--processor-time", action="store_true", help="of all threads, for servers with other work")
    parser.add_argument("--memory", choices=("twin", "ours"), help="make one image and print the peak alone")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    if asked.processor_time:
        CLOCK[0] = time.process_time
    torch.set_grad_enabled(False)
    torch.manual_seed(0)
    net = Pof3dGenerator(preset(asked.config)).eval()
    mapped = net.map(torch.randn(1, net.config.network.z_dim))
    ws, (world, intrinsics) = mapped.ws, net.cameras(mapped.pose)

    def twin() -> Tensor:
        return plain_image(net, ws, plain_planes(net, ws), world, intrinsics)

    def ours() -> Tensor:
        return net.synthesize(ws, world, intrinsics).image

    if asked.memory:
        (twin if asked.memory == "twin" else ours)()
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return
    print("| what | twin | ours | ratio of the best | median ratio | largest difference |\n|---|---|---|---|---|---|")
    compared("planes", lambda: plain_planes(net, ws), lambda: net.planes(ws), asked.rounds)
    planes = net.planes(ws)
    compared(
        "rays",
        lambda: plain_render(net, planes, world, intrinsics)[0].mT,
        lambda: net.synthesize(ws, world, intrinsics, planes=planes).features.flatten(2),
        asked.rounds,
    )
    compared("one sample", twin, ours, asked.rounds)
    film(net, ws, intrinsics, asked)
    print(f"memory: twin {peak('twin', asked.config, asked.threads):.0f} MiB, ", end="")
    print(f"ours {peak('ours', asked.config, asked.threads):.0f} MiB")


if __name__ == "__main__":
    main()
