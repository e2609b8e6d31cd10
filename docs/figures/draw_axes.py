"""Draw the figures of the conventions page with the cameras that they explain: python docs/figures/draw_axes.py."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import torch

from monoform.camera import Camera, look_at, orbit

HERE = Path(__file__).parent
RED, GREEN, BLUE, GRAY, INK = "#c0392b", "#1e8449", "#1f5fa8", "#8a8f98", "#22262b"
Point = tuple[float, float]


def line(start: Point, end: Point, color: str, width: float = 2.0, dash: str = "", arrow: bool = False) -> str:
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    tip = arrow_tip(start, end, color) if arrow else ""
    return (
        f'<line x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}" stroke="{color}" '
        f'stroke-width="{width}" stroke-linecap="round"{dashes}/>{tip}'
    )


def arrow_tip(start: Point, end: Point, color: str) -> str:
    angle = math.atan2(end[1] - start[1], end[0] - start[0])
    wings = [(end[0] + 9 * math.cos(angle + side), end[1] + 9 * math.sin(angle + side)) for side in (2.7, -2.7)]
    corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in (end, *wings))
    return f'<polygon points="{corners}" fill="{color}"/>'


def text(at: Point, words: str, color: str = INK, size: int = 15, anchor: str = "start") -> str:
    return (
        f'<text x="{at[0]:.1f}" y="{at[1]:.1f}" fill="{color}" font-size="{size}" text-anchor="{anchor}" '
        f'font-family="sans-serif">{words}</text>'
    )


def save(name: str, width: int, height: int, title: str, parts: list[str]) -> None:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">'
    body = [f"<title>{title}</title>", f'<rect width="{width}" height="{height}" fill="white"/>', *parts]
    (HERE / name).write_text("\n".join([head, *body, "</svg>", ""]))


def draw_frames() -> None:
    """World axes, the object's sphere and a camera of `orbit`, all projected by an orthographic camera of ours."""
    eye = torch.tensor([[1.1, 1.4, 3.0]], dtype=torch.float64)
    viewer = Camera.orthographic(look_at(eye, (0.6, 0.15, 0.2)), 1.75, 760, 440)

    def on_paper(*points: torch.Tensor) -> list[Point]:
        pixels, _ = viewer.project(torch.stack([point.double() for point in points])[None])
        return [(float(x), float(y)) for x, y in pixels[0]]

    unit = torch.eye(3)
    parts = []
    angles = torch.linspace(0.0, 2.0 * math.pi, 97)
    for first, second in ((0, 1), (0, 2), (1, 2)):
        circle = 0.5 * (torch.cos(angles)[:, None] * unit[first] + torch.sin(angles)[:, None] * unit[second])
        points = on_paper(*circle)
        parts += [line(a, b, "#d5d9df", 1.2) for a, b in pairwise(points)]
    for axis, (color, label) in enumerate(((RED, "x"), (GREEN, "y up"), (BLUE, "z"))):
        start, end = on_paper(torch.zeros(3), 0.75 * unit[axis])
        parts += [line(start, end, color, 3, arrow=True), text((end[0] + 8, end[1] + 4), label, color)]

    camera = orbit(1, elevation=0.3, distance=1.5, fov_y=0.6, width=4, height=3, start=1.45)
    pose = camera.world_from_camera[0]
    corners = camera.unproject(
        torch.tensor([[[0.0, 0.0], [4.0, 0.0], [4.0, 3.0], [0.0, 3.0]]]), torch.full((1, 4), 0.55)
    )[0]
    center, *frame = on_paper(pose[:3, 3], *corners)
    parts += [line(center, corner, GRAY, 1.2) for corner in frame]
    parts += [line(a, b, GRAY, 1.2) for a, b in zip(frame, [*frame[1:], frame[0]], strict=True)]
    target = on_paper(torch.zeros(3))[0]
    parts.append(line(center, target, GRAY, 1.2, dash="4 5"))
    labels = (
        (RED, "x right", 8, -6, "start"),
        (GREEN, "y down", 8, 14, "start"),
        (BLUE, "z forward", 0, -14, "end"),
    )
    for axis, (color, label, dx, dy, anchor) in enumerate(labels):
        end = on_paper(pose[:3, 3] + 0.36 * pose[:3, axis])[0]
        parts += [line(center, end, color, 3, arrow=True), text((end[0] + dx, end[1] + dy), label, color, 15, anchor)]
    parts += [
        text((24, 400), "world: right-handed, Y up"),
        text((24, 422), "the object lies within the sphere of radius 0.5", GRAY, 13),
        text((center[0] + 14, center[1] + 24), "camera", INK),
    ]
    save("frames.svg", 760, 440, "World axes with Y up; camera axes x right, y down, z forward", parts)


def draw_pixels() -> None:
    """A 4 x 3 image with its corner, its pixel centres and its principal point."""
    size, left, top = 90, 90, 60
    parts = [
        f'<rect x="{left + column * size}" y="{top + row * size}" width="{size}" height="{size}" fill="none" '
        f'stroke="{GRAY}"/>'
        for row in range(3)
        for column in range(4)
    ]
    for x, y in Camera.from_fov(torch.eye(4)[None], 1.0, 4, 3).pixel_centers().tolist():
        parts.append(f'<circle cx="{left + x * size}" cy="{top + y * size}" r="4" fill="{BLUE}"/>')
    middle = (left + 2.0 * size, top + 1.5 * size)
    parts += [
        line((left, top), (left + 4 * size + 40, top), RED, 3, arrow=True),
        line((left, top), (left, top + 3 * size + 40), GREEN, 3, arrow=True),
        text((left + 4 * size + 46, top + 5), "x, columns", RED),
        text((left - 8, top + 3 * size + 58), "y, rows", GREEN),
        text((left - 12, top - 12), "(0, 0)", INK),
        text((left + 0.5 * size, top + 0.5 * size + 22), "(0.5, 0.5)", BLUE, 13, "middle"),
        text((left + 3.5 * size, top + 2.5 * size + 22), "(3.5, 2.5)", BLUE, 13, "middle"),
        f'<circle cx="{middle[0]}" cy="{middle[1]}" r="6" fill="none" stroke="{RED}" stroke-width="2.5"/>',
        text((middle[0] + 10, middle[1] + 22), "image centre (2, 1.5)", RED, 13),
        text((left + 4 * size, top + 3 * size + 20), "(4, 3)", INK, 15, "middle"),
    ]
    save("pixels.svg", 620, 410, "Pixel coordinates: corner at 0, centres at 0.5", parts)


if __name__ == "__main__":
    draw_frames()
    draw_pixels()
