"""A synthetic result (a textured solid, a camera off its axis, a photo painted without the viewer); a page reader."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import cv2
import imageio_ffmpeg
import numpy as np
import torch
import trimesh
from PIL import Image
from playwright.sync_api import Page

from monoform.camera import Camera, look_at
from monoform.mesh import Mesh

WIDTH, HEIGHT = 640, 420


def make_texture() -> np.ndarray:
    """Four colours and a stripe: no flip or turn of it looks like itself."""
    texture = np.zeros((256, 512, 3), np.uint8)
    texture[:128, :256], texture[:128, 256:] = (214, 84, 62), (238, 190, 80)
    texture[128:, :256], texture[128:, 256:] = (52, 110, 150), (96, 160, 110)
    texture[40:64] = (245, 245, 240)
    return texture


def make_mesh() -> Mesh:
    """An egg with a knob on one side; uv by longitude and height, v upwards."""
    egg = trimesh.creation.icosphere(subdivisions=4, radius=0.3)
    vertices = egg.vertices * (0.8, 1.25, 0.7)
    knob = np.exp(-np.sum((egg.vertices / 0.3 - (0.9, 0.35, 0.25)) ** 2, axis=1) / 0.12)
    vertices = vertices + knob[:, None] * np.array([0.2, 0.05, 0.05])
    uv = np.stack(
        [np.arctan2(vertices[:, 0], vertices[:, 2]) / (2 * math.pi) + 0.5, vertices[:, 1] / 0.8 + 0.5], axis=1
    )
    return Mesh(vertices=vertices, faces=np.asarray(egg.faces, np.int64), uv=uv, texture=make_texture())


def make_camera(model: str = "pinhole") -> Camera:
    """Above and to the right, rolled, with the principal point off the centre and pixels that are not square."""
    pose = look_at(
        torch.tensor([[0.9, 0.7, 1.5]], dtype=torch.float64), torch.tensor([[0.04, -0.03, 0.02]], dtype=torch.float64)
    )
    roll = torch.eye(4, dtype=torch.float64)
    c, s = math.cos(0.2), math.sin(0.2)
    roll[:2, :2] = torch.tensor([[c, -s], [s, c]], dtype=torch.float64)
    focal = (700.0, 660.0) if model == "pinhole" else (380.0, 360.0)
    intrinsics = torch.tensor([[[focal[0], 0.0, 350.0], [0.0, focal[1], 190.0], [0.0, 0.0, 1.0]]], dtype=torch.float64)
    return Camera(pose @ roll, intrinsics, WIDTH, HEIGHT, model)


def paint(mesh: Mesh, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Photo (uint8) and mask (bool) by the painter's algorithm: farthest faces first, one colour for each."""
    assert mesh.uv is not None and mesh.texture is not None
    pixels, depth = camera.project(torch.from_numpy(mesh.vertices)[None])
    corners = pixels[0].numpy()[mesh.faces]
    uv = mesh.uv[mesh.faces].mean(axis=1)
    rows = ((1 - uv[:, 1]) * mesh.texture.shape[0]).astype(int).clip(0, mesh.texture.shape[0] - 1)
    columns = (uv[:, 0] * mesh.texture.shape[1]).astype(int).clip(0, mesh.texture.shape[1] - 1)
    photo, mask = np.full((HEIGHT, WIDTH, 3), 128, np.uint8), np.zeros((HEIGHT, WIDTH), np.uint8)
    shift = 6  # cv2 counts a pixel's centre as a whole number, the camera as a half
    for face in np.argsort(-depth[0].numpy()[mesh.faces].mean(axis=1)):
        corner = np.round((corners[face] - 0.5) * 2**shift).astype(np.int32)
        color = tuple(int(value) for value in mesh.texture[rows[face], columns[face]])
        cv2.fillConvexPoly(photo, corner, color, cv2.LINE_8, shift)
        cv2.fillConvexPoly(mask, corner, 255, cv2.LINE_8, shift)
    return photo, mask > 0


def write_film(path: Path) -> None:
    """Half a second in which a bar moves."""
    writer = imageio_ffmpeg.write_frames(str(path), (64, 64), fps=12, codec="libx264", macro_block_size=2)
    writer.send(None)
    for step in range(6):
        frame = np.full((64, 64, 3), 230, np.uint8)
        frame[:, step * 10 : step * 10 + 8] = (30, 90, 120)
        writer.send(frame.tobytes())
    writer.close()


def write_result(folder: Path, *, model: str = "pinhole", source: str = "photos/egg.jpg") -> Path:
    """A whole result folder as the jobs write it, without its report."""
    folder.mkdir(parents=True, exist_ok=True)
    mesh, camera = make_mesh(), make_camera(model)
    photo, mask = paint(mesh, camera)
    mesh.export(folder / "mesh.glb", camera=camera)
    (folder / "camera.json").write_text(json.dumps(camera.to_dict()))
    Image.fromarray(photo).save(folder / "photo.png")
    Image.fromarray(mask).save(folder / "mask.png")
    Image.fromarray(photo // 2 + 100).save(folder / "overlay.png")
    write_film(folder / "turntable.mp4")
    result = {
        "monoform": "0.1.0",
        "method": "inflate",
        "photo": {"source": source, "width": WIDTH, "height": HEIGHT},
        "notices": ["The object touches the border of the photo."],
        "mask": {"origin": "alpha", "parts": 1, "area": float(mask.mean())},
        "overlay": {"iou": 0.9876},
        "mesh": {
            "watertight": True,
            "components": 1,
            "faces": len(mesh.faces),
            "vertices": len(mesh.vertices),
            "euler_number": 2,
            "volume": 0.08,
            "area": 1.0,
            "bounds": mesh.bounds.tolist(),
        },
        "timings": {"mask": 0.51, "shape": 1.25, "texture": 0.4},
        "capabilities": ["camera", "geometry"],
        "seed": 0,
        "weights": None,
        "versions": {"python": "3.11.7", "torch": "2.13.0"},
        "citation": ["@misc{egg, title={An egg}}"],
    }
    (folder / "result.json").write_text(json.dumps(result))
    return folder


@dataclass
class Visit:
    """A page that was opened without a network, with all it asked for and complained about."""

    page: Page
    requests: list[str]
    complaints: list[str]


def until(page: Page, condition: str, seconds: float = 20) -> None:
    """Wait for a condition; Playwright's own wait needs `eval`, which the page's policy forbids."""
    end = time.monotonic() + seconds
    while not page.evaluate(f"Boolean({condition})"):
        assert time.monotonic() < end, f"{condition} did not come true in {seconds} s"
        page.wait_for_timeout(50)


class Addresses(HTMLParser):
    """Collects every attribute that can make a browser load something, every tag, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.words = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attributes:
            if name in ("src", "srcset", "poster", "data", "action") or (name == "href" and tag != "a"):
                self.loads.append(value or "")
            elif name == "href":
                self.links.append(value or "")

    def handle_data(self, data: str) -> None:
        self.words += data
