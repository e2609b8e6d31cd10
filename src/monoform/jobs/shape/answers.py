"""Answers to the inputs: of methods that are installed, and of other systems by the files that they wrote."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8

from ...camera import Camera
from ...errors import InputError
from ...inputs import read_json
from ...memory import forget_peak, peak_mb, ran_out
from ...mesh import Mesh
from ...mesh.read import SUFFIXES
from ...methods import create, method_class
from ...methods.answers import answered
from ...ranges import require_range
from ...text import printable
from ...training.weights import weights_digest
from ...weights import shipped
from .inputs import Input

FARTHEST = 1e9  # coordinate of a mesh that can still be measured
Picture = UInt8[np.ndarray, "h w 4"]


@dataclass(frozen=True, eq=False)
class Answer:
    """What came of an input.

    Attributes:
        mesh: None where nothing came.
        camera: of the input, in the mesh's frame; None where it is not told.
        measures: answer_seconds, and memory_mb, where they are known.
        reason: why there is no mesh.
    """

    mesh: Mesh | None
    camera: Camera | None = None
    measures: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""


Answerer = Callable[[Input, Picture, Camera], Answer]
"""With `weights`, the SHA-256 of what it ran with, where that is known."""


@dataclass(frozen=True)
class Meshing:
    """How large the meshes of methods are.

    Attributes:
        faces: at most.
        texture: side of the texture in pixels.
        resolution: cells along a side where a surface is extracted.
    """

    faces: int = 8_000
    texture: int = 512
    resolution: int = 96


class MethodAnswers:
    """A method's answers; its networks are read at the first one.

    Args:
        name: of the method.
        overrides: of its options.
        focal: whether it is told the true focal length.
    """

    def __init__(
        self, name: str, overrides: Mapping[str, Any], meshing: Meshing, *, seed: int, device: str, focal: bool
    ) -> None:
        self.name, self.overrides, self.meshing = name, dict(overrides), meshing
        self.seed, self.device, self.focal = seed, device, focal
        self._method: Any = None
        self._refused: InputError | None = None

    @property
    def weights(self) -> str:
        """SHA-256 of the method's weights; empty where it has none of its own format."""
        given, known = self.overrides.get("weights"), shipped()
        if given:
            with suppress(InputError, OSError):
                return weights_digest(given)
            return ""
        return known[self.name].sha256 if self.name in known else ""

    def __call__(self, asked: Input, picture: Picture, camera: Camera) -> Answer:
        """The mesh, and what it took; a method that fails has none, with its reason.

        Raises:
            InputError: the method itself cannot be used.
        """
        del asked
        if self._refused is not None:
            raise self._refused  # not looked for again with every picture
        try:
            self._method = self._method or create(self.name, device=self.device, **self.overrides)
        except InputError as error:
            self._refused = error
            raise
        watch = Watch(self.device)
        try:
            found = answered(self._method, picture, camera if self.focal else None, seed=self.seed)
            with torch.inference_mode():
                mesh = found.mesh(**vars(self.meshing))
        except InputError as error:
            return Answer(None, reason=str(error))
        except Exception as error:
            if ran_out(error):
                return Answer(None, reason="memory ran out.")
            return Answer(None, reason=printable(f"{type(error).__name__}: {error}"))
        return Answer(mesh, found.camera if found.has_camera else None, watch.read())


class OutsideAnswers:
    """Meshes that another system has written: NAME.glb (.obj, .ply, .stl), or NAME/mesh.glb, for the input NAME.

    NAME.camera.json, or NAME/camera.json, tells the input's camera in the frame of the mesh, as results of monoform do.

    Args:
        folder: of the meshes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def files(self, asked: Input) -> list[Path]:
        """The mesh of an input and its camera, those of them that are there; nothing without a mesh."""
        places = [self.folder / f"{asked.name}{suffix}" for suffix in SUFFIXES]
        places += [self.folder / asked.name / f"mesh{suffix}" for suffix in SUFFIXES]
        file = next((place for place in places if place.is_file()), None)
        if file is None:
            return []
        camera = file.with_name("camera.json" if file.parent != self.folder else f"{asked.name}.camera.json")
        return [file, camera] if camera.is_file() else [file]

    def __call__(self, asked: Input, picture: Picture, camera: Camera) -> Answer:
        """The mesh that is there."""
        del picture, camera
        found = self.files(asked)
        if not found:
            return Answer(None, reason=f"there is no mesh of it in {self.folder}.")
        file, *told = found
        try:
            mesh = Mesh.load(file)
            known = Camera.from_dict(read_json(told[0], advice="leave it out")) if told else None
            require_range(f"The largest coordinate of {file}", float(np.abs(mesh.vertices).max()), 0.0, FARTHEST)
        except InputError as error:
            return Answer(None, reason=str(error))
        return Answer(mesh, known)


class Watch:
    """Seconds, and the most memory in MB that is held meanwhile: on a GPU of its own, else of this process (Linux)."""

    def __init__(self, device: str) -> None:
        self.device = device
        forget_peak(device)
        self.begun = time.perf_counter()

    def read(self) -> dict[str, float]:
        """Since it was made."""
        if self.device.startswith("cuda"):
            torch.cuda.synchronize()
        found = {"answer_seconds": time.perf_counter() - self.begun}
        held = peak_mb(self.device)
        return found if held is None else found | {"memory_mb": held}


def parse_method(word: str) -> tuple[str, dict[str, Any]]:
    """A method and its options of a word NAME or NAME:OPTION=VALUE,OPTION=VALUE.

    Raises:
        InputError: there is no such method or option, or the value is none of its kind.
    """
    name, _, rest = word.partition(":")
    kind = method_class(name).config_class
    known = {each.name: getattr(kind(), each.name) for each in fields(kind)}
    found: dict[str, Any] = {}
    for part in filter(None, rest.split(",")):
        option, equals, text = part.partition("=")
        if not equals or option not in known:
            raise InputError(f"--methods {word}: {option!r} is no option of {name}; it takes {', '.join(known)}.")
        found[option] = _typed(word, option, known[option], text)
    kind(**found)  # refuses values out of their ranges
    return name, found


def _typed(word: str, option: str, default: Any, text: str) -> Any:
    if isinstance(default, bool):
        if text.lower() not in ("true", "false"):
            raise InputError(f"--methods {word}: {option} is {text!r}; give true or false.")
        return text.lower() == "true"
    if isinstance(default, (int, float)):
        try:
            return type(default)(text)
        except ValueError as error:
            raise InputError(f"--methods {word}: {option} is {text!r}; give a number.") from error
    if default is None or isinstance(default, str):
        return text
    raise InputError(f"--methods {word}: {option} cannot be given here.")
