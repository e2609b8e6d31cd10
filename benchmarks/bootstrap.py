"""How much faster one step of bootstrapped inversion is than in the published order, at the published size.

    python benchmarks/bootstrap.py [--batch 1] [--rounds 3] [--threads 2] [--only NAME ...] [--steps 30]

Generator, encoder and perceptual network have the published sizes and random weights; an ellipsoid stands in the
planes, so that rays meet an object. The twin computes what the equations say in their order, in the layout that PyTorch
has by default, for all rays and with a graph of all of it, and knows as well as ours that weights are held: styles
scale what goes in and what comes out of each convolution, planes are sampled one by one, samples sorted with all their
colors, and photo and copies go through the perceptual network at each step. All have the same weights, places of
samples and motions of copies, and take their turns in the same run. Wall and processor seconds are the medians of the
rounds; ratios are medians of those of each round. Differences are those of the loss, and of the gradient of the latent
as shares of its length.
"""

from __future__ import annotations

import argparse
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from memory import peak_bytes
from pof3d import plain_block
from torch import Tensor
from torch.nn.functional import affine_grid, avg_pool1d, conv2d, grid_sample, max_pool1d, max_pool2d, normalize

from monoform.methods.bootstrap.augment import Similarity
from monoform.methods.bootstrap.cameras import camera_of, pixels_of
from monoform.methods.bootstrap.config import BootstrapConfig
from monoform.methods.bootstrap.encoder import BootstrapEncoder
from monoform.methods.bootstrap.estimate_pose import EstimatedCameras
from monoform.methods.bootstrap.inversion_options import InversionOptions
from monoform.methods.bootstrap.invert import invert
from monoform.methods.bootstrap.model import BootstrapGenerator
from monoform.methods.bootstrap.objective import COPIES, Objective
from monoform.methods.bootstrap.pose_parameters import PoseParameters
from monoform.methods.bootstrap.refined_state import State
from monoform.methods.bootstrap.refinement import Chance, Refinement
from monoform.methods.bootstrap.rendering import limits, places_of
from monoform.methods.bootstrap.target import Target
from monoform.methods.bootstrap.tuning import frozen
from monoform.metrics.lpips import Lpips
from monoform.nn.vgg import CHANNELS, Vgg16
from monoform.render import RaySampleNoise

RADII = (1.0, 0.4, 0.55)
"""Of the planted ellipsoid, shares of the cube's half side: about as much of the picture as a car has."""
ROUGH = 0.005
"""Share of the random network in the distance: a learned one is smooth."""
OURS = {
    "ours": InversionOptions(counting="cube"),
    "rays=object": InversionOptions(counting="object"),
    "rays=object half=true": InversionOptions(counting="object", half=True),
}


def plain_planes(net: BootstrapGenerator, ws: Tensor) -> Tensor:
    x = image = None
    for number, size in enumerate(net.synthesis_network.resolutions):
        block = net.synthesis_network.get_submodule(f"b{size}")
        first = max(2 * number - 1, 0)
        slots = list(ws[:, first : first + (2 if number == 0 else 3)].unbind(1))
        x, image = plain_block(block, x, image, slots, False)  # type: ignore[arg-type]
    assert image is not None
    return image


def plain_points(net: BootstrapGenerator, planes: Tensor, points: Tensor, palette: Tensor) -> tuple[Tensor, Tensor]:
    """Densities and colors."""
    half, flat = net.config.scene.half_side, points.flatten(1, 2)
    places = flat / half
    found = [
        grid_sample(planes[:, plane], places[:, None][..., list(pair)], padding_mode="border", align_corners=True)[
            :, :, 0
        ]
        for plane, pair in enumerate(((0, 1), (0, 2), (1, 2)))
    ]
    numbers = net.decoder.net(torch.stack(found).mean(dim=0).mT)
    distance, rgb = numbers[..., 0], numbers[..., 1:].softmax(dim=-1) @ palette
    x = -distance
    share = 0.5 + 0.5 * x.sign() * (1 - torch.exp(-x.abs() / net.beta))
    density = share / net.alpha * (places.abs() <= 1).all(dim=-1)
    return density.reshape(points.shape[:-1]), rgb.reshape(*points.shape[:-1], 3)


def plain_weights(density: Tensor, distances: Tensor) -> Tensor:
    lengths = torch.cat((distances.diff(dim=-1), torch.zeros_like(distances[..., :1])), dim=-1)
    alpha = 1 - torch.exp(-density * lengths)
    passed = torch.cat((torch.ones_like(alpha[..., :1]), 1 - alpha[..., :-1] + 1e-10), dim=-1).cumprod(dim=-1)
    return alpha * passed


def plain_fine(weights: Tensor, distances: Tensor, levels: Tensor) -> Tensor:
    flat = weights.reshape(-1, 1, weights.shape[-1])
    weights = (avg_pool1d(max_pool1d(flat, 2, 1, padding=1), 2, 1).reshape(weights.shape) + 0.01)[..., 1:-1] + 1e-5
    shares = (weights / weights.sum(dim=-1, keepdim=True)).cumsum(dim=-1)
    shares = torch.cat((torch.zeros_like(shares[..., :1]), shares), dim=-1)
    edges = 0.5 * (distances[..., 1:] + distances[..., :-1])
    above = torch.searchsorted(shares, levels, right=True)
    low, high = (above - 1).clamp_min(0), above.clamp_max(shares.shape[-1] - 1)
    start, end = shares.gather(-1, low), shares.gather(-1, high)
    width = torch.where(end - start < 1e-5, torch.ones_like(start), end - start)
    return edges.gather(-1, low) + (levels - start) / width * (edges.gather(-1, high) - edges.gather(-1, low))


def plain_render(net: BootstrapGenerator, planes: Tensor, palette: Tensor, camera, places: RaySampleNoise) -> Tensor:  # type: ignore[no-untyped-def]
    origins, directions = camera.rays(pixels_of(camera, net.config.compat.corner_pixels))
    near, far, _ = limits(origins, directions, net.config.scene.half_side)
    count = net.config.rays.coarse
    distances = near + (far - near) * ((torch.arange(count) + places.strata) / count)

    def ask(at: Tensor) -> tuple[Tensor, Tensor]:
        return plain_points(net, planes, origins[..., None, :] + at[..., None] * directions[..., None, :], palette)

    density, colors = ask(distances)
    further = plain_fine(plain_weights(density, distances).detach(), distances, places.levels)
    more, others = ask(further)
    distances, order = torch.sort(torch.cat((distances, further), dim=-1), dim=-1)
    density = torch.cat((density, more), dim=-1).gather(-1, order)
    colors = torch.cat((colors, others), dim=-2)
    colors = colors.gather(-2, order[..., None].expand_as(colors))
    weights = plain_weights(density, distances)
    rgb = (weights[..., None] * colors).sum(dim=-2)
    if net.config.scene.white:
        rgb = rgb + 1 - weights.sum(dim=-1, keepdim=True)
    return rgb.unflatten(1, (camera.height, camera.width))


def plain_features(vgg: Vgg16, images: Tensor) -> list[Tensor]:
    mean, deviation = (images.new_tensor(row)[:, None, None] for row in ((-0.03, -0.088, -0.188), (0.458, 0.448, 0.45)))
    x, maps = (images - mean) / deviation, []
    for layer in vgg.features:
        if isinstance(layer, torch.nn.MaxPool2d):
            maps.append(x)
            x = max_pool2d(x, 2)
        elif isinstance(layer, torch.nn.Conv2d):
            x = conv2d(x, layer.weight, layer.bias, padding=1)
        else:
            x = x.relu()
    return [*maps, x]


def plain_moved(motion: Similarity, images: Tensor, white: bool) -> Tensor:
    cos, sin = motion.rotation.cos(), motion.rotation.sin()
    turn = torch.stack((cos, -sin, sin, cos), dim=1).unflatten(1, (2, 2)) * motion.scale[:, None, None]
    shift = turn @ torch.stack((motion.shift[:, 0], -motion.shift[:, 1]), dim=1)[:, :, None]
    grid = affine_grid(torch.cat((turn, shift), dim=2), list(images.shape), align_corners=False)
    return grid_sample(images - float(white), grid, padding_mode="zeros", align_corners=False) + float(white)


def plain_loss(lpips: Lpips, rgb: Tensor, target: Tensor, motion: Similarity, white: bool) -> Tensor:
    """Of each image."""
    pairs = []
    for images in (rgb.permute(0, 3, 1, 2), target.permute(0, 3, 1, 2)):
        moved = plain_moved(motion, images.repeat_interleave(COPIES, dim=0), white)
        pairs.append(torch.cat((images, moved)))
    total: Tensor | float = 0.0
    for weights, one, other in zip(lpips.linear, *(plain_features(lpips.vgg, part) for part in pairs), strict=True):
        apart = normalize(one, dim=1, eps=1e-10) - normalize(other, dim=1, eps=1e-10)
        total = total + conv2d(apart.square(), weights[None, :, None, None]).mean(dim=(1, 2, 3))
    assert isinstance(total, Tensor)
    plain, moved = total[: len(rgb)], total[len(rgb) :].reshape(len(rgb), -1)
    return (plain + moved.sum(dim=1)) / (1 + COPIES)


class Problem:
    """Networks, photos and a step's draws."""

    def __init__(self, batch: int, size: int | None = None) -> None:
        torch.manual_seed(0)
        config = BootstrapConfig()
        if size:
            config = replace(config, resolution=size)
        self.net = BootstrapGenerator(config).requires_grad_(False).eval()
        self.planted = Planted(self.net)
        self.net.synthesis_network.register_forward_hook(lambda module, given, made: self.planted(made))
        self.lpips = Lpips(Vgg16().requires_grad_(False).eval(), [torch.rand(count) for count in CHANNELS])
        self.objective = Objective("vgg", self.lpips, white=config.scene.white)
        self.size = (config.resolution, config.resolution)
        self.pose = poses(batch)
        w = self.net.map(torch.randn(2 * batch, config.network.z_dim))
        camera = camera_of(*self.pose.matrices(flipped=config.scene.flipped), self.size)
        with torch.no_grad():
            seen = self.net.render(self.net.styles(w[:batch]), camera)
        self.covered = float((seen.alpha > 0.5).float().mean())
        self.target = Target(seen.rgb, seen.alpha)
        self.latent = self.net.styles(torch.lerp(w[:batch], w[batch:], 0.3))
        draw = torch.Generator().manual_seed(1)
        shape = (batch, self.size[0] * self.size[1])
        self.places, self.draws = places_of(shape, config, draw), drawn(batch * COPIES, draw)

    def values(self, options: InversionOptions) -> dict[str, Tensor]:
        off = replace(self.pose, offset=self.pose.offset + 0.05, scale=1.05 * self.pose.scale)
        state = {name: value.clone() for name, value in State(self.latent / options.gain, off).values().items()}
        for value in state.values():
            value.requires_grad_()
        return state

    def twin(self) -> tuple[Tensor, Tensor]:
        """Loss of each image, and the gradient of the latent."""
        options, white = InversionOptions(), self.net.config.scene.white
        values = self.values(options)
        state = State.of(values)
        ws = state.latent * options.gain
        planes = self.planted(plain_planes(self.net, ws)).unflatten(1, (3, -1))
        palette = self.net.palette(ws)
        camera = camera_of(*state.pose.matrices(flipped=self.net.config.scene.flipped), self.size)
        rgb = plain_render(self.net, planes, palette, camera, self.places)
        motion = Similarity.draw(COPIES * len(rgb), draws=iter(self.draws))
        loss = plain_loss(self.lpips, rgb, self.target.rgb, motion, white)
        return loss.detach(), torch.autograd.grad(loss.sum(), list(values.values()))[0]

    def ours(self, options: InversionOptions) -> Callable[[], tuple[Tensor, Tensor]]:
        """The same, in a refinement that goes on from step to step."""
        run = Refinement(
            self.net,
            self.target,
            self.objective,
            options,
            None,
            lambda step: Chance(self.places, iter(self.draws), fused=None),
        )

        def step() -> tuple[Tensor, Tensor]:
            values = self.values(options)
            rows = torch.arange(len(self.latent))
            with frozen(self.net):
                loss = torch.stack(list(run.loss(values | {"row": rows, "start": rows}, 0).values())).sum(dim=0)
                return loss.detach(), torch.autograd.grad(loss.sum(), list(values.values()))[0]

        return step


def drawn(count: int, draw: torch.Generator) -> list[Tensor]:
    """Numbers of motions, as `Similarity.draw` takes them."""
    shapes = ((count,), (count,), (count,), (count,), (count, 2), (count, 1))
    kinds = (torch.rand, torch.rand, torch.randn, torch.rand, torch.randn, torch.rand)
    return [kind(shape, generator=draw) for kind, shape in zip(kinds, shapes, strict=True)]


def poses(count: int) -> PoseParameters:
    """Cameras around the object, that it fills the picture of."""
    turn = torch.linspace(0.6, 2.6, count + 1)[:count]
    zero = torch.zeros(count)
    quaternion = torch.stack((turn.cos(), 0.1 * turn.sin(), turn.sin(), zero), dim=1)
    return PoseParameters(quaternion, torch.zeros(count, 2), torch.full((count,), 0.65), torch.full((count,), 0.7))


class Planted:
    """An object in the planes of a network whose distance is now that of an ellipsoid and a little more.

    The first feature of the planes becomes half the square of the distance from the middle, in radii.
    """

    def __init__(self, net: BootstrapGenerator) -> None:
        first, _, last = net.decoder.net
        half, side = net.config.scene.half_side, torch.linspace(-1, 1, net.config.network.plane_resolution)
        rows, columns = torch.meshgrid(side, side, indexing="ij")
        self.ellipsoid = torch.zeros(1, 3, net.config.network.plane_features, *rows.shape)
        for plane, (x, y) in enumerate(((0, 1), (0, 2), (1, 2))):
            self.ellipsoid[:, plane, 0] = ((columns / RADII[x]).square() + (rows / RADII[y]).square()) * (3 / 2 / 2)
        self.ellipsoid = self.ellipsoid.flatten(1, 2)
        self.share = torch.ones(3, net.config.network.plane_features, 1, 1)
        self.share[:, 0] = ROUGH
        self.share = self.share.flatten(0, 1)
        shift, scale = 20.0, half * min(RADII)
        with torch.no_grad():
            first.weight[0], last.weight[0, 1:] = 0.0, ROUGH * last.weight[0, 1:]
            first.weight[0, 0], first.bias[0] = math.sqrt(first.weight.shape[1]), shift
            last.weight[0, 0] = math.sqrt(last.weight.shape[1]) * scale
            last.bias[0] = -scale * (shift + 0.5)
            assert net.beta is not None and net.alpha is not None
            net.beta.fill_(0.02)
            net.alpha.fill_(0.02)

    def __call__(self, planes: Tensor) -> Tensor:
        return planes * self.share + self.ellipsoid


Work = Callable[[], tuple[Tensor, Tensor]]


def measured(works: dict[str, Work], rounds: int) -> None:
    """All of them in turns; compared with the first one, which is the twin where that was not left out."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    found: dict[str, tuple[Tensor, Tensor]] = {}
    for number in range(rounds + 1):
        for name, work in works.items():
            begun = time.perf_counter(), time.process_time()
            found[name] = work()
            spent = time.perf_counter() - begun[0], time.process_time() - begun[1]
            if number:  # the first round warms up, and shows where the object is
                times[name].append(spent)
    twin, *_ = works
    loss, gradient = found[twin]
    print("| step | wall s | processor s | ratio, wall | ratio, processor | loss off by | gradient off by |")
    print("|---|---|---|---|---|---|---|")
    for name in works:
        wall, cpu = (statistics.median(each[axis] for each in times[name]) for axis in (0, 1))
        ratios = [
            statistics.median(a[axis] / b[axis] for a, b in zip(times[twin], times[name], strict=True))
            for axis in (0, 1)
        ]
        apart = float(((found[name][0] - loss) / loss).abs().max())
        turned = float((found[name][1] - gradient).norm() / gradient.norm())
        print(f"| {name} | {wall:.2f} | {cpu:.2f} | {ratios[0]:.2f} | {ratios[1]:.2f} | {apart:.1e} | {turned:.1e} |")


def peak(which: str, asked: argparse.Namespace) -> float:
    """MiB that a process of its own has held at most while it made a step."""
    command = [sys.executable, __file__, "--batch", str(asked.batch), "--threads", str(asked.threads)]
    done = subprocess.run([*command, "--memory", which], check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def whole(problem: Problem, options: InversionOptions) -> None:
    """Of a photo, from the encoder to the last step."""
    encoder = BootstrapEncoder().eval()
    begun = time.perf_counter(), time.process_time()
    with torch.no_grad():
        encoder(problem.target.rgb.permute(0, 3, 1, 2))
    told = time.perf_counter()
    scene = problem.net.config.scene
    matrices, focal = problem.pose.matrices(flipped=scene.flipped)
    one = torch.ones(len(matrices), 1)
    cameras = EstimatedCameras(matrices[:, None], None if focal is None else focal[:, None], one, one, one > 0)
    found = invert(problem.net, problem.target, problem.latent, cameras, problem.objective, options)
    wall, cpu = time.perf_counter() - begun[0], time.process_time() - begun[1]
    total = found.history["total"].mean(dim=1)
    print(f"{options.updates} steps of {len(matrices)} photos: {wall:.1f} s wall, {cpu:.1f} s of processors", end=" ")
    print(f"(encoder {told - begun[0]:.1f} s); the loss fell from {total[0]:.3f} to {total[-1]:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=0, help="time whole refinements of so many steps instead")
    parser.add_argument("--only", nargs="+", choices=("twin", *OURS), default=["twin", *OURS], metavar="NAME")
    parser.add_argument("--memory", choices=("twin", *OURS), help="make one step and print the peak alone")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    problem = Problem(asked.batch)
    works = {"twin": problem.twin} | {name: problem.ours(options) for name, options in OURS.items()}
    if asked.memory:
        works[asked.memory]()
        print(peak_bytes() / 2**20)
        return
    print(f"{asked.batch} photos, {asked.threads} threads; the object covers {problem.covered:.2f} of the picture")
    if asked.steps:
        for name in asked.only:
            if name in OURS:
                print(f"{name}: ", end="")
                whole(problem, replace(OURS[name], steps=asked.steps))
        return
    measured({name: works[name] for name in asked.only}, asked.rounds)
    print("memory: " + ", ".join(f"{name} {peak(name, asked):.0f} MiB" for name in asked.only))


if __name__ == "__main__":
    main()
