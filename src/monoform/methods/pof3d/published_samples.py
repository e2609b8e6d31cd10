"""The files and lines of the authors' sampling program, for comparisons with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from ...devices import device_of
from ...mesh import NoSurfaceError
from ...outputs import atomic_stream, made_parents, require_free_file, save_picture
from ...progress import work
from ..samples import PublishedSamples
from .model import Pof3dGenerator
from .poses import camera_poses, intrinsics_of, within_poles
from .published_shapes import angles, surface_of, volume_of, write_mrc, write_ply

LARGEST_SEED = 2**32 - 1  # of numpy's older generators


def published_latent(seed: int, length: int) -> Float[Tensor, " z"]:
    """The latent of a seed."""
    return torch.from_numpy(np.random.RandomState(seed).randn(1, length).astype(np.float32))[0]


def files_of(out: Path, seed: int, shapes: str) -> list[Path]:
    """The camera, the picture and the shape of a seed; the original pads their numbers to different lengths."""
    found = [out / f"seed{seed:05d}_pose.npy", out / f"seed{seed:04d}.png"]
    return found if shapes == "none" else [*found, out / f"seed{seed:04d}.{shapes}"]


def write_published_samples(
    net: Pof3dGenerator,
    out: Path,
    seeds: Sequence[int],
    options: PublishedSamples,
    *,
    truncation: float,
    cutoff: int | None,
    focal: float,
) -> Iterator[str]:
    """Write the files of seeds, with noise and jitter drawn from each seed; yield what there is to say.

    Raises:
        InputError: a file may not be replaced.
    """
    every = [files_of(out, seed, options.shapes) for seed in seeds]
    for file in (file for files in every for file in files):
        require_free_file(file, overwrite=options.overwrite)
    config, device, poses = net.config, device_of(net), []
    with made_parents(every[0][0]), work("sampling as published", len(seeds), unit="sample") as show, torch.no_grad():
        for number, (seed, files) in enumerate(zip(seeds, every, strict=True), start=1):
            z = published_latent(seed, config.network.z_dim)[None].to(device)
            mapped = net.map(z, truncation=truncation, cutoff=cutoff)
            pose, outside = within_poles(mapped.pose)
            poses.append(pose.cpu())
            if outside:
                yield f"seed {seed}: the elevation lies out of range; the nearest within it is taken"
            camera = camera_poses(pose, pivot=config.rig.pivot, radius=config.rig.radius)
            intrinsics = intrinsics_of(focal).to(device)
            drawn = torch.Generator(device).manual_seed(seed)
            image = net.synthesize(mapped.ws, camera, intrinsics, noise=drawn, draws=drawn).image
            with atomic_stream(files[0]) as stream:
                np.save(stream, camera.float().cpu().numpy())
            save_picture(Image.fromarray(eight_bits(image[0])), files[1])
            if options.shapes != "none":
                try:
                    _write_shape(net, mapped.ws, files[2], options)
                except NoSurfaceError as error:
                    yield f"seed {seed}: {error}"
            show(number)
    yield from statistics(angles(torch.cat(poses)))


def _write_shape(net: Pof3dGenerator, ws: Float[Tensor, "1 l w"], file: Path, options: PublishedSamples) -> None:
    planes, device = net.planes(ws, noise="const"), ws.device
    _, volume = volume_of(
        lambda points: net.density(points[None].to(device), planes).reshape(-1),
        options.shape_resolution,
        net.config.rays.box,
    )
    if options.shapes == "mrc":
        write_mrc(file, volume)
    else:
        write_ply(file, *surface_of(volume))


def eight_bits(image: Float[Tensor, "3 h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """-1..1 as bytes, cut off instead of rounded."""
    return (image.float() * 127.5 + 128).clamp(0, 255).to(torch.uint8).permute(1, 2, 0).cpu().numpy()


def statistics(told: Float[Tensor, "n 2"]) -> Iterator[str]:
    """Largest, smallest, median and mean (yaw, polar angle) of all samples."""
    found = {"max": told.amax(0), "min": told.amin(0), "median": told.median(0).values, "mean": told.mean(0)}
    for name, values in found.items():
        yield f"{name} {values[0]:.6f} {values[1]:.6f}"
