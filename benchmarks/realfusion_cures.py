"""What each cure of two faces and of fog does on a made-up prior whose truth is known.

    python benchmarks/realfusion_cures.py [--seeds 3] [--steps 150] [--wrong 0.5] [--ear] [--only NAME ...]

A head has a face in front and hair elsewhere. The prior is the exact denoiser of two pictures, the face and the hair:
told that it sees the front it knows the face; told of any other side it holds the face for as likely as `--wrong` says,
which is the fault of real models. With `--ear` there is a third picture, hair with an ear, which is what the sides are
but for that fault: only then is there anything perpendicular to what is wanted. Two faces: where between hair (0) and
face (1) the picture from behind lies. Fog: share of the covered rays, from eight sides, whose coverage is between 0.1
and 0.9. Mean and standard deviation over seeds.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from monoform import Photo, View
from monoform.camera import Camera, orbit
from monoform.guidance.prior import kept_share
from monoform.mesh import Mesh
from monoform.methods.realfusion.config import RealFusionOptions
from monoform.methods.realfusion.fit_options import PhotoOptions, Views, Weights
from monoform.methods.realfusion.infer import RealFusion
from monoform.methods.realfusion.network_config import FieldConfig
from monoform.scene import Provenance, Reconstruction
from monoform.scene.mesh_field import MeshField

SIDE, PHOTO = 16, 48  # pixels of the prior's pictures, and of the photo
SKIN, HAIR, EYE = (0.9, 0.7, 0.55), (0.25, 0.12, 0.05), (0.1, 0.1, 0.4)
FACE, BACK, EAR = range(3)
RADIUS = 0.3  # of the head, as a share of a picture
NETWORK = FieldConfig(levels=4, resolution=64, log2_hashmap_size=12, hidden=16, background_hidden=0, cells=16, steps=48)
TEXT = "a head"


def head(size: int, side: int) -> np.ndarray:
    """RGBA of a head from FACE, BACK or EAR."""
    rows, columns = (np.mgrid[0:size, 0:size] + 0.5) / size - 0.5
    picture = np.zeros((size, size, 4), np.float32)
    picture[..., :3] = SKIN if side == FACE else HAIR
    if side == EAR:
        picture[np.hypot(rows, columns) < 0.12, :3] = SKIN
    if side == FACE:
        eyes = np.hypot(rows + 0.08, np.abs(columns) - 0.11) < 0.06
        picture[eyes, :3] = EYE
    picture[..., 3] = np.hypot(rows, columns) < RADIUS
    return picture


def over_white(picture: np.ndarray) -> np.ndarray:
    return picture[..., :3] * picture[..., 3:] + 1.0 - picture[..., 3:]


class Pictures:
    """The exact denoiser of the face, of hair and, if asked, of an ear, whose odds a text tells."""

    def __init__(self, wrong: float, ear: bool) -> None:
        betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
        self.alphas_cumprod = (1 - betas).cumprod(0).float()
        self.latent_channels, self.wrong = 3, wrong
        self.device, self.dtype = torch.device("cpu"), torch.float32
        self.sides = (FACE, BACK, EAR) if ear else (FACE, BACK)
        pictures = [over_white(head(SIDE, side)) for side in self.sides]
        self.pictures = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float()

    def encode(self, images: Tensor, *, generator: Any = None, noise: Any = None) -> Tensor:
        return interpolate(images.permute(0, 3, 1, 2), size=(SIDE, SIDE), mode="bilinear", antialias=True)

    def embed(self, prompts: Sequence[str]) -> Tensor:
        return torch.stack([self.odds(text) for text in prompts])[:, None].log()

    def odds(self, text: str) -> Tensor:
        """Of the pictures: a thousandth is left to those that a text does not mean; no text means any side."""
        if not text:
            return torch.stack(
                [self.odds(f"{side} view") for side in ("front", "back", "side")[: len(self.sides)]]
            ).mean(0)
        found = torch.full((len(self.sides),), 0.001)
        front = "front" in text or text == "face"
        found[EAR if "side" in text and EAR in self.sides else BACK] = 0.001 if front else 1.0 - self.wrong
        found[FACE] = 0.999 if front else self.wrong
        return found / found.sum()

    def predict(self, latents: Tensor, timesteps: Tensor, embeddings: Any) -> Tensor:
        kept = kept_share(self, timesteps, latents)
        away = (latents[:, None] - kept[:, None].sqrt() * self.pictures[None]).square().sum((2, 3, 4))
        odds = torch.softmax(embeddings[:, 0] - away / (2.0 * (1.0 - kept[:, 0, 0])), dim=1)
        clean = torch.einsum("bk,kcij->bcij", odds, self.pictures)
        return (latents - kept.sqrt() * clean) / (1.0 - kept).sqrt()


def photo() -> Photo:
    return Photo.open((head(PHOTO, FACE) * 255).astype(np.uint8))


def write_maps(folder: Path) -> None:
    """Depth and normals of a ball whose outline is the head's, and a ball with a face in front as another's result."""
    rows, columns = (np.mgrid[0:PHOTO, 0:PHOTO] + 0.5) / PHOTO - 0.5
    out = np.sqrt(np.clip(RADIUS**2 - rows**2 - columns**2, 0.0, None)) / RADIUS
    np.save(folder / "depth.npy", -out)
    slope = np.stack((columns / RADIUS, rows / RADIUS, -np.maximum(out, 0.05)), axis=-1)
    np.save(folder / "normals.npy", slope / np.linalg.norm(slope, axis=-1, keepdims=True))
    camera = orbit(1, elevation=0.0, distance=2.0, fov_y=0.9, width=PHOTO, height=PHOTO)
    mesh = ball(2.0 * RADIUS * 2.0 * float(np.tan(0.45)) * 0.97)
    view = View(photo(), camera)
    Reconstruction(MeshField(mesh), (view,), Provenance("made"), surface=mesh).save(folder / "start")


def ball(radius: float, rings: int = 24) -> Mesh:
    """A ball with skin before and hair behind."""
    polar, around = np.meshgrid(
        np.linspace(0, np.pi, rings + 1), np.linspace(0, 2 * np.pi, 2 * rings + 1), indexing="ij"
    )
    vertices = radius * np.stack((np.sin(polar) * np.sin(around), np.cos(polar), np.sin(polar) * np.cos(around)), -1)
    width, faces = 2 * rings + 1, []
    for i in range(rings):
        for j in range(2 * rings):
            a, b = i * width + j, (i + 1) * width + j
            faces += [[a, b, b + 1]] * (i < rings - 1) + [[a, b + 1, a + 1]] * (i > 0)
    points = vertices.reshape(-1, 3)
    paint = np.where(points[:, 2:] > 0, SKIN, HAIR)
    return Mesh(points, np.array(faces), vertex_colors=(255 * paint).astype(np.uint8))


def variants(folder: Path) -> dict[str, dict[str, Any]]:
    """Options of each cure."""
    return {
        "none": {},
        "perp_neg=1": {"perp_neg": 1.0},
        "perp_neg=4": {"perp_neg": 4.0},
        "suppress_face=face": {"suppress_face": "face"},
        "perp_neg=1 suppress_face=face": {"perp_neg": 1.0, "suppress_face": "face"},
        'timesteps="0.02 / 0.98 0.5"': {"timesteps": "0.02 / 0.98 0.5"},
        "losses.entropy=0.1": {"losses": {"entropy": "0.1"}},
        'losses.opacity="0.1 0"': {"losses": {"opacity": "0.1 0"}},
        "depth": {"depth": str(folder / "depth.npy"), "losses": {"depth": "1"}},
        "normals": {"normals": str(folder / "normals.npy"), "losses": {"normal": "1"}},
        "start": {"start": str(folder / "start")},
        'start timesteps="0.02 / 0.5"': {"start": str(folder / "start"), "timesteps": "0.02 / 0.5"},
    }


def options(steps: int, own: dict[str, Any], scale: float) -> RealFusionOptions:
    views = Views(elevation=0.0, size=SIDE, radius_range=(1.8, 1.8), fov_range=(55.0, 55.0), polar_range=(60.0, 100.0))
    base: dict[str, Any] = {
        "steps": steps,
        "text": TEXT,
        "albedo_steps": steps,
        "hidden_levels": 1,
        "hidden_steps": steps // 4,
        "occupancy_every": 8,
        "ema_every": 5,
        "rate": 1e-2,
        "prior_scale": scale,
        "guidance_scale": 10.0,
        "network": NETWORK,
        "views": views,
        "photo": PhotoOptions(size=32, rays=128),
    }
    weights = Weights(**own.get("losses", {}))
    return RealFusionOptions(**(base | own | {"losses": weights}))


def measured(made: Reconstruction) -> tuple[float, float]:
    """Two faces and fog."""
    distance = float(made.camera.position.norm())
    fov = float(made.camera.fov_y)
    around: Camera = orbit(8, elevation=0.0, distance=distance, fov_y=fov, width=32, height=32)
    covers, back = [], None
    for number, camera in enumerate(around):
        origins, directions = camera.rays()
        assert made.renderer is not None
        seen = made.renderer(origins[0], directions[0])
        covers.append(seen.alpha.flatten())
        if number == 4:
            back = seen.rgb.reshape(32, 32, 3).numpy()
    assert back is not None
    face, hair = (over_white(head(32, side)) for side in (FACE, BACK))
    toward = face - hair
    cover = torch.cat(covers)
    fog = ((cover > 0.1) & (cover < 0.9)).sum() / (cover > 0.1).sum().clamp_min(1)
    return float(((back - hair) * toward).sum() / np.square(toward).sum()), float(fog)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--wrong", type=float, default=0.5, help="odds of the face from any side but the front")
    parser.add_argument("--ear", action="store_true", help="the prior has a picture of the sides too")
    parser.add_argument("--scale", type=float, default=0.01, help="prior_scale")
    parser.add_argument("--only", nargs="*", help="names of variants")
    asked = parser.parse_args()
    print(f"{'cure':34} {'two faces':>14} {'fog':>14} {'s':>6}")
    with tempfile.TemporaryDirectory() as place:
        write_maps(Path(place))
        for name, own in variants(Path(place)).items():
            if asked.only and name not in asked.only:
                continue
            found, begun = [], time.perf_counter()
            for seed in range(asked.seeds):
                method = RealFusion(options(asked.steps, own, asked.scale), prior=Pictures(asked.wrong, asked.ear))
                made = method.reconstruct([View(photo())], generator=torch.Generator().manual_seed(seed))
                with torch.no_grad():
                    found.append(measured(made))
            spent = (time.perf_counter() - begun) / asked.seeds
            told = [
                f"{statistics.mean(each):.2f} +- {statistics.pstdev(each):.2f}" for each in zip(*found, strict=True)
            ]
            print(f"{name:34} {told[0]:>14} {told[1]:>14} {spent:6.1f}", flush=True)


if __name__ == "__main__":
    main()
