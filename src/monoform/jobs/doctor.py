"""Does everything compute right on this machine?"""

from __future__ import annotations

import importlib.util
import math
import os
import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import torch

from ..camera import orbit, so3_exp, so3_log
from ..devices import there_are
from ..errors import InputError
from ..matting.network import network_probability
from ..mesh import Mesh, RayCaster, extract, report, simplify
from ..nn import Sphere
from ..render import render_mesh
from ..render.video import write_video
from ..weights import shipped

EXTRAS = {  # what each optional package is for, and the extra that has it
    "rembg": ("matting", "--matting rembg"),
    "lightning": ("train", "monoform train"),
    "tensorboard": ("train", "monoform train --tensorboard"),
    "h5py": ("hdf5", "HDF5 files of data sets"),
    "pillow_heif": ("heic", "photos in HEIC"),
    "manifold3d": ("print", "solids for printing (--size-mm)"),
    "coacd": ("simulation", "convex parts for --simulation"),
    "pyhocon": ("hocon", "monoform convert --conf"),
    "fsspec": ("cluster", "data behind addresses such as s3://"),
    "submitit": ("cluster", "--engine slurm"),
    "ray": ("ray", "--engine ray"),
    "diffusers": ("diffusion", "--method realfusion"),
    "fastapi": ("serve", "monoform serve"),
    "gradio": ("app", "monoform app"),
    "viser": ("live", "monoform view --live"),
}


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's table.

    Attributes:
        name: what was looked at.
        found: what was found.
        good: whether it works.
    """

    name: str
    found: str
    good: bool = True


def examine(device: str = "cpu") -> list[Finding]:
    """Look at the machine, the packages, and a few computations whose answers are known.

    Args:
        device: where networks compute: "cpu", "cuda" or "mps".
    """
    checks: dict[str, Callable[[], tuple[str, bool]]] = {
        "rotations": _rotations,
        "bilinear look-up": _lookup,
        "surface of a ball": _ball,
        "ray casting": _rays,
        f"network on {device}": partial(_network, device),
        "video": _video,
        "weights that ship": _weights,
    }
    return [*_machine(), *(_checked(name, check) for name, check in checks.items())]


def _machine() -> list[Finding]:
    first = there_are()[0]
    device = {"cuda": torch.cuda.get_device_name, "mps": lambda: "mps"}.get(first, lambda: "none: the CPU is used")()
    findings = [
        Finding("machine", f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors"),
        Finding(
            "python, torch", f"{platform.python_version()}, {torch.__version__}, {torch.get_num_threads()} threads"
        ),
        Finding("GPU", device),
    ]
    for package, (extra, use) in EXTRAS.items():
        absent = f"absent: for {use}, pip install 'monoform[{extra}]'"
        findings.append(Finding(package, _version(package) if importlib.util.find_spec(package) else absent))
    return findings


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "present"


def _checked(name: str, check: Callable[[], tuple[str, bool]]) -> Finding:
    start = time.perf_counter()
    try:
        found, good = check()
    except InputError as error:
        return Finding(name, str(error), good=False)
    except Exception as error:  # whatever breaks here is what the doctor is asked for
        return Finding(name, f"{type(error).__name__}: {error}", good=False)
    return Finding(name, f"{found} ({time.perf_counter() - start:.2f} s)", good)


def _rotations() -> tuple[str, bool]:
    twists = torch.randn(1000, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    error = float((so3_log(so3_exp(twists)) - twists)[twists.norm(dim=1) < 3].abs().max())
    return f"log(exp(x)) - x up to {error:.1e}", error < 1e-9


def _lookup() -> tuple[str, bool]:
    ramp = torch.arange(16.0).expand(1, 1, 16, 16)
    coordinates = torch.linspace(-0.9, 0.9, 50)
    grid = torch.stack((coordinates, torch.zeros(50)), -1)[None, None]
    error = float(
        (torch.nn.functional.grid_sample(ramp, grid, align_corners=False)[0, 0, 0] - (coordinates * 8 + 7.5))
        .abs()
        .max()
    )
    return f"off by up to {error:.1e}", error < 1e-4


def _ball() -> tuple[str, bool]:
    found = report(simplify(extract(Sphere(0.4), resolution=96), 4000))
    share = found.area / (4 * math.pi * 0.4**2)
    good = found.watertight and found.euler_number == 2 and abs(share - 1) < 0.01
    return f"area {share:.4f} of the true one, {'closed' if found.watertight else 'open'}", good


def _rays() -> tuple[str, bool]:
    square = Mesh(np.array([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]), np.array([[0, 1, 2], [0, 2, 3]]))
    origins = np.array([[0.3, 0.2, 2.0], [3.0, 0.0, 2.0]])
    hits = RayCaster(square).cast(origins, np.array([[0.0, 0, -1], [0.0, 0, -1]]))
    good = bool(hits.hit[0]) and not bool(hits.hit[1]) and abs(float(hits.t[0]) - 2) < 1e-5
    backend = "embree" if importlib.util.find_spec("embreex") else "numpy (slower: no embreex here)"
    return f"by {backend}", good


def _network(device: str) -> tuple[str, bool]:
    """The mask of a drawn ball by the network of masks, on the device and on the CPU."""
    rows, columns = (np.mgrid[0:96, 0:128] + 0.5) / 96
    ball = np.hypot(rows - 0.5, columns - 0.6) < 0.3
    photo = np.where(ball[..., None], [0.8, 0.3, 0.1], [0.9, 0.9, 0.95]).astype(np.float32)
    found, on_cpu = (network_probability(photo, device=each) for each in (device, "cpu"))
    iou = float(((found > 0.5) & ball).sum() / ((found > 0.5) | ball).sum())
    error = float(np.abs(found - on_cpu).max())
    compared = "" if device == "cpu" else f"; off the CPU's by up to {error:.1e}"
    return f"mask of a ball, IoU {iou:.2f}{compared}", iou > 0.8 and error < 0.05


def _weights() -> tuple[str, bool]:
    for each in shipped().values():
        each.require_intact()
    return f"{len(shipped())} files are those of the table", True


def _video() -> tuple[str, bool]:
    cameras = orbit(4, elevation=0.2, distance=2.0, fov_y=0.6, width=64, height=64)
    ball = extract(Sphere(0.4), resolution=32)
    frames = [np.round(render_mesh(ball, cameras[i]).rgb * 255).astype(np.uint8) for i in range(4)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "turn.mp4"
        write_video(frames, path, fps=4)
        return f"{path.stat().st_size} bytes written", path.stat().st_size > 500
