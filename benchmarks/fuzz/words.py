"""Options with impossible values, and names that file systems and terminals mind."""

from __future__ import annotations

import os
import random
from pathlib import Path

from .bases import SMALL, cup

VALUES = [
    "nan", "inf", "-inf", "-1", "0", "-0.5", "1e30", "1e400", "1e-400", "9223372036854775808", "-9223372036854775809",
    "18446744073709551616", "9" * 5000, "", " ", "abc", "0x10", "1,5", "--", "-", "\x00", "\n", "\ud800", "../..",
    "/dev/zero", "/", "~", "a" * 5000, "0-999999999", "5-1", "-1 -1", "http://", "None", "[1]",
]  # fmt: skip
VERBS: dict[tuple[str, ...], str] = {
    ("reconstruct", "{in}/cup.png", "-o", "{out}", "--method", "inflate", *SMALL): (
        "method seed focal faces texture resolution frames workers mask matting refine seeds set views frame up"
    ),
    ("pose", "{in}/cup.png", "-o", "{out}", "--scene", "{in}"): (
        "scene from weights start focal optimizer starts spread longest steps rays sampling truth noise sigma amount "
        "brightness mask matting frames add-to seed"
    ),
    ("train", "lift", "--data", "{in}", "-o", "{out}"): "data steps minutes seed precision device set",
    ("train", "scene", "--data", "{in}", "-o", "{out}"): "steps set",
    ("evaluate", "pixelnerf", "--data", "{in}", "--weights", "{in}", "-o", "{out}"): (
        "data weights split format sources source-list targets exclude scale precision seed"
    ),
    ("evaluate", "list", "--data", "{in}", "--weights", "{in}", "-o", "{out}"): (
        "data weights split categories view limit nodes points inside-points emd-points seed"
    ),
    ("evaluate", "lift", "{in}", "-o", "{out}"): "weights refine views limit workers seed",
    ("evaluate", "nerf", "--scene", "{in}", "-o", "{out}"): "scene split downscale-factor workers seed",
    ("evaluate", "inerf", "--scene", "{in}", "-o", "{out}"): (
        "scene split photos starts angle offset about optimizer steps rays sampling around seed"
    ),
    ("film", "--data", "{in}", "--weights", "{in}", "-o", "{out}"): (
        "data weights object sources split format path frames elevation radius scale fps precision seed"
    ),
    (
        "prepare",
        "sdf",
        "--data",
        "{in}",
        "-o",
        "{out}",
    ): ("data glob category limit points sigmas farthest sign voxels seed"),
    ("prepare", "meshes", "-o", "{out}", "--data", "{in}"): "data views size points surface voxels copies seed workers",
    ("prepare", "photos", "{in}/cup.png", "-o", "{out}", "--size", "16"): "mask size minor-scale major-scale",
    ("prepare", "check", "--data", "{in}"): "format",
    ("convert", "{in}/cup.png", "-o", "{out}", "--method", "nerf"): "method config precision",
    ("view", "{in}", "--print-only"): "",
    ("models",): "",
    ("cite",): "",
}
SETS = [
    "thickness",
    "smoothing",
    "fov",
    "detail",
    "rays",
    "samples",
    "rate",
    "margin",
    "centre",
    "levels",
    "width",
    "x",
]
LETTERS = [
    "杯", "é", "e\u0301", "👍🏽", "\u202e", "\n", "\r", "\t", "\x1b[2J", "\x07", " ", ".", "-", "%", "'", '"', "\\",
    "$(x)", "&", ";", "*", "?", "[", "]", "{", "}", "<", "|", "~", "\udcff", "a", "B", "con", "nul", "..", "#", "=",
]  # fmt: skip


def options(place: Path, rng: random.Random) -> list[str]:
    """A command with one to three options of impossible values."""
    cup().save(place / "cup.png")
    words = list(rng.choice(sorted(VERBS)))
    names = VERBS[tuple(words)].split()
    for _ in range(rng.choice((1, 1, 2, 3))):
        value = rng.choice(VALUES)
        if not names or rng.random() < 0.05:
            words.append(value)
        else:
            name = rng.choice(names)
            words += [f"--{name}", f"{rng.choice(SETS)}={value}" if name == "set" else value]
    return words


def names(place: Path, rng: random.Random) -> list[str]:
    """A photo, or something else, under an odd name."""
    name = "".join(rng.choices(LETTERS, k=rng.choice((1, 2, 3, 8, 60)))) + rng.choice((".png", ".jpg", "", ".", ".PNG"))
    file = place / os.fsdecode(os.fsencode(name)[:250]).replace("/", "_").replace("\x00", "_")
    try:
        if rng.random() < 0.3:
            cup().save(file, "PNG")
        else:
            file.write_bytes(rng.choice((b"", b"nothing", b"\x89PNG\r\n\x1a\n")))
    except OSError:  # "." and the like
        file = place / "none"
    verb = rng.choice(("reconstruct", "reconstruct", "photos", "pose", "view", "convert"))
    at = str(file)
    return {
        "reconstruct": ["reconstruct", at, "-o", "{out}", "--method", "inflate", *SMALL],
        "photos": ["prepare", "photos", at, "-o", "{out}", "--size", "16"],
        "pose": ["pose", at, "-o", "{out}", "--scene", at],
        "view": ["view", at, "--print-only"],
        "convert": ["convert", at, "-o", "{out}", "--method", rng.choice(("nerf", name, "list")), "--config", name],
    }[verb]
