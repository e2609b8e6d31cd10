"""Material files of OBJ: plain colors and texture names, both for display (sRGB) as their viewers show them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ...errors import InputError

_NUMBERS = {"-o": 3, "-s": 3, "-t": 3, "-mm": 2, "-bm": 1, "-boost": 1, "-texres": 1}  # the most that follow
_WORDS = {"-blendu", "-blendv", "-clamp", "-cc", "-imfchan", "-type", "-colorspace"}


@dataclass
class MtlMaterial:
    """A material as a viewer shows it.

    Attributes:
        color: Kd in 0..1, None if not given.
        texture: name in map_Kd, which takes the color's place.
        offset: of the texture's coordinates.
        scale: of the texture's coordinates.
        clamp: whether the texture does not repeat.
    """

    color: np.ndarray | None = None
    texture: str | None = None
    offset: np.ndarray = field(default_factory=lambda: np.zeros(2))
    scale: np.ndarray = field(default_factory=lambda: np.ones(2))
    clamp: bool = False


def read_mtl(text: str) -> dict[str, MtlMaterial]:
    """The materials of an MTL file by their names.

    Raises:
        InputError: a texture has options that cannot be followed.
        ValueError: a color is no number.
    """
    materials: dict[str, MtlMaterial] = {}
    current = MtlMaterial()
    for line in text.replace("\\\r\n", " ").replace("\\\n", " ").splitlines():
        word, _, rest = (
            line.strip().partition(" ") if "\t" not in line else line.strip().replace("\t", " ").partition(" ")
        )
        rest = rest.strip()
        match word.lower():
            case "newmtl":
                current = materials.setdefault(rest, MtlMaterial())
            case "kd":
                current.color = _color(rest)
            case "map_kd" if rest:
                _read_map(rest, current)
    return materials


def _color(text: str) -> np.ndarray | None:
    words = text.split()
    if not words or words[0].lower() in ("spectral", "xyz"):
        raise InputError(f"a material's color is {'Kd ' + text[:40]!r}; give it as red, green and blue.")
    values = np.array([float(word) for word in words[:3]])
    if not np.isfinite(values).all():
        raise ValueError(f"a material's color is {'Kd ' + text[:40]!r}")
    return np.resize(values, 3).clip(0, 1) if len(values) in (1, 3) else None


def _read_map(text: str, material: MtlMaterial) -> None:
    """`map_Kd [options] name`: a name may hold spaces, options come before it."""
    rest = text
    while rest.startswith("-"):
        option, _, after = rest.partition(" ")
        option = option.lower()
        if option not in _NUMBERS and option not in _WORDS:
            break  # a name that starts with a dash
        words, rest = _arguments(after.strip(), _NUMBERS.get(option, 0))
        _follow(option, words, material)
    name = rest.strip().strip('"')
    if not name:
        raise InputError(f"a material's {'map_Kd ' + text[:60]!r} names no texture; export the mesh again.")
    material.texture = name


def _arguments(text: str, most: int) -> tuple[list[str], str]:
    """The words of an option, and what comes after them. Numbers end at the first word that is none."""
    if most == 0:
        word, _, rest = text.partition(" ")
        return [word], rest.strip()
    words: list[str] = []
    while len(words) < most and text:
        word, _, rest = text.partition(" ")
        if not _is_number(word) or not rest.strip():
            break
        words.append(word)
        text = rest.strip()
    return words, text


def _follow(option: str, words: list[str], material: MtlMaterial) -> None:
    values = [float(word) for word in words] if option in _NUMBERS else []
    if option == "-o":
        material.offset = np.array([*values, 0.0, 0.0][:2]) if len(values) < 2 else np.array(values[:2])
    elif option == "-s":
        material.scale = np.array([*values, 1.0, 1.0][:2]) if len(values) < 2 else np.array(values[:2])
    elif option == "-clamp":
        material.clamp = words[0].lower() == "on"
    elif (option == "-t" and any(values)) or (option == "-mm" and values not in ([], [0.0], [0.0, 1.0])):
        raise InputError(
            f"a texture has the option {' '.join(['map_Kd', option, *words])!r}, which is not supported here."
        )


def _is_number(word: str) -> bool:
    try:
        return bool(np.isfinite(float(word)))
    except ValueError:
        return False
