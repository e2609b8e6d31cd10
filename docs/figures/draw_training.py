"""The curve of a training as SVG: mean loss of the last steps, and what the evaluations found.

    python docs/figures/draw_training.py RUN/metrics.jsonl LOSS EVALUATION CURVE.svg

LOSS and EVALUATION are names in metrics.jsonl, for instance pixelnerf/fine and evaluate/psnr.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 300, 60, 60, 16, 44
Curve = list[tuple[float, float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("metrics", type=Path)
    parser.add_argument("loss")
    parser.add_argument("evaluation")
    parser.add_argument("out", type=Path)
    parser.add_argument("--mean", type=int, default=5, help="lines of metrics that make a point of the loss")
    asked = parser.parse_args()
    rows = [json.loads(line) for line in asked.metrics.read_text().splitlines()]
    loss = averaged([(row["step"], row[asked.loss]) for row in rows if asked.loss in row], asked.mean)
    evaluated = [(row["step"], row[asked.evaluation]) for row in rows if asked.evaluation in row]
    asked.out.write_text(drawing(loss, evaluated, asked.loss, asked.evaluation))


def averaged(points: Curve, count: int) -> Curve:
    """The mean of every `count` points."""
    groups = [points[first : first + count] for first in range(0, len(points), count)]
    return [(group[-1][0], sum(value for _, value in group) / len(group)) for group in groups]


def drawing(loss: Curve, evaluated: Curve, loss_name: str, evaluated_name: str) -> str:
    """Both curves over the steps, the loss at the left axis, the evaluation at the right one."""
    last = max(step for step, _ in loss)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        'font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
    ]
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        x = LEFT + share * (WIDTH - LEFT - RIGHT)
        parts.append(f'<text x="{x:.0f}" y="{HEIGHT - 26}" text-anchor="middle">{share * last:.0f}</text>')
    parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 8}" text-anchor="middle">step</text>')
    parts += curve(loss, last, "#1f5fa8", loss_name, LEFT - 6, "end")
    parts += curve(evaluated, last, "#b5452c", evaluated_name, WIDTH - RIGHT + 6, "start")
    return "\n".join([*parts, "</svg>\n"])


def curve(points: Curve, last: float, color: str, name: str, at: float, anchor: str) -> list[str]:
    """A line with its own axis; `at` is where the numbers of the axis stand."""
    low, high = min(value for _, value in points), max(value for _, value in points)
    span = (high - low) or 1.0

    def place(step: float, value: float) -> tuple[float, float]:
        down = (high - value) / span * (HEIGHT - TOP - BOTTOM)
        return LEFT + step / last * (WIDTH - LEFT - RIGHT), TOP + down

    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in points))
    parts = [f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="1.8"/>']
    for value in (low, 0.5 * (low + high), high):
        y = place(0, value)[1] + 4
        parts.append(f'<text x="{at}" y="{y:.1f}" fill="{color}" text-anchor="{anchor}">{value:.3g}</text>')
    x = LEFT + 12 if anchor == "end" else WIDTH - RIGHT - 12
    side = "start" if anchor == "end" else "end"
    parts.append(f'<text x="{x}" y="{TOP + 14}" fill="{color}" text-anchor="{side}">{name}</text>')
    return parts


if __name__ == "__main__":
    main()
