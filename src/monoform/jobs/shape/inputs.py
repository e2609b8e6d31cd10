"""The inputs of a comparison: pictures of meshes with their cameras, frozen in a list that anyone can run again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from ...camera import Camera
from ...data import Source, ViewOptions, load_source, render_views
from ...errors import InputError
from ...inputs import read_json, read_pixels
from ...outputs import atomic_file, require_name, save_picture

LIST, FORMAT = "inputs.json", 1
AGAIN = "give the folder `inputs` of an earlier run"


@dataclass(frozen=True)
class Input:
    """One picture that is reconstructed.

    Attributes:
        object: name of the mesh.
        view: number of the picture.
    """

    object: str
    view: int

    @property
    def name(self) -> str:
        """OBJECT_VIEW, by which pictures and answers are called."""
        return f"{self.object}_{self.view}"


class Inputs:
    """Pictures in a folder: NAME.png, RGBA, and NAME.json with its camera and what it was made of.

    A picture that is missing is made; one that is there is looked at: it has to be the one of its record.

    Args:
        folder: of the pictures.
        sources: of the meshes, by name.
        views: pictures of each object.
        size: of the pictures in pixels.
        seed: of the cameras and the light, with the object's name.
        given: whether they are those of an earlier run: none is made.
        again: make those anew that are not what is asked for.
    """

    def __init__(
        self,
        folder: Path,
        sources: Mapping[str, Source],
        *,
        views: int,
        size: int,
        seed: int,
        given: bool = False,
        again: bool = False,
    ) -> None:
        self.folder, self.sources, self.given, self.again = folder, sources, given, again
        self.views, self.size, self.seed = views, size, seed

    def of(self, asked: Input) -> tuple[UInt8[np.ndarray, "h w 4"], Camera]:
        """A picture and its camera, in the world in which the object lies in the sphere of radius 0.5, y up.

        Raises:
            InputError: the mesh cannot be used, or is another one than the list says; the picture is not there, or
                another one.
        """
        if not self.given and not self._is_there(asked):
            self._make(asked.object)
        return self._read(asked)

    def _is_there(self, asked: Input) -> bool:
        """Whether a picture need not be made."""
        file = self.folder / f"{asked.name}.json"
        if not file.is_file():
            return False
        try:
            if self.again:
                self._read(asked)
            record = read_json(file, advice=AGAIN)
        except InputError:
            if not self.again:
                raise
            return False
        return all(record.get(name) == getattr(self, name) for name in ("seed", "size", "views"))

    def _read(self, asked: Input) -> tuple[UInt8[np.ndarray, "h w 4"], Camera]:
        """A picture that has been made, and its camera."""
        file = self.folder / f"{asked.name}.json"
        record, picture = read_json(file, advice=AGAIN), file.with_suffix(".png")
        if record.get("mesh_sha256") != file_digest(self._path(asked.object)):
            raise InputError(f"{self.sources[asked.object].path} is not the mesh that {file} was made of.")
        if record.get("picture_sha256") != file_digest(picture):
            raise InputError(f"{picture} is not the picture that {file} tells of.")
        if "camera" not in record:
            raise InputError(f"{file} tells no camera: {AGAIN}.")
        return read_pixels(picture, "RGBA"), Camera.from_dict(record["camera"])

    def require_same(self, asked: Sequence[Input], **wanted: int) -> None:
        """Look whether pictures of an earlier run are such as are asked for, where that is told.

        Raises:
            InputError: they are others.
        """
        for each in asked:
            file = self.folder / f"{each.name}.json"
            record = read_json(file, advice=AGAIN) if file.is_file() else {}
            for name, value in wanted.items():
                if record.get(name, value) != value:
                    raise InputError(
                        f"--{name} is {value}, and {file.with_suffix('.png')} is of a run with {record[name]}: leave "
                        "it out with --inputs, or leave out --inputs."
                    )

    def records(self, asked: Sequence[Input]) -> list[dict[str, Any]]:
        """What is known of inputs that have been made, in their order."""
        files = [(each, self.folder / f"{each.name}.json") for each in asked]
        return [
            {"object": each.object, "view": each.view, **read_json(file, advice=AGAIN)}
            for each, file in files
            if file.is_file()
        ]

    def _path(self, name: str) -> str:
        if name not in self.sources:
            raise InputError(f"there is no mesh of {name} in the data.")
        return str(self.sources[name].path)

    def _make(self, name: str) -> None:
        """Write all pictures of an object."""
        path, source = self._path(name), self.sources[name]
        mesh = load_source(source, seed=self.seed)
        options = ViewOptions(count=self.views, size=self.size)
        views = render_views(mesh, options, generator=source.generator(self.seed))
        for view, image in enumerate(views.images):
            file = self.folder / f"{Input(name, view).name}.png"
            save_picture(Image.fromarray(image, "RGBA"), file, marked=True)
            record = {
                "camera": views.cameras[view].to_dict(),
                "category": source.category,
                "license": source.license,
                "mesh": Path(path).name,
                "mesh_sha256": file_digest(path),
                "picture_sha256": file_digest(file),
                "seed": self.seed,
                "size": self.size,
                "views": self.views,
            }
            with atomic_file(file.with_suffix(".json")) as draft:
                draft.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def write_list(records: Sequence[Mapping[str, Any]], folder: Path) -> str:
    """Write the frozen list of inputs, LIST; its SHA-256."""
    text = json.dumps({"format": FORMAT, "inputs": list(records)}, indent=1, sort_keys=True) + "\n"
    with atomic_file(folder / LIST) as draft:
        draft.write_text(text, encoding="utf-8")
    return hashlib.sha256(text.encode()).hexdigest()


def read_list(folder: Path) -> list[Input]:
    """The inputs of an earlier run.

    Raises:
        InputError: there is no list, or it is damaged.
    """
    content = read_json(folder / LIST, advice=AGAIN)
    try:
        if content["format"] != FORMAT:
            raise InputError(f"{folder / LIST} has a format that this version does not read.")
        found = [Input(require_name(each["object"]), int(each["view"])) for each in content["inputs"]]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{folder / LIST} is damaged: {AGAIN}.") from error
    if not found or len(set(found)) < len(found):
        raise InputError(f"{folder / LIST} names no input, or one twice: {AGAIN}.")
    return found


@lru_cache(maxsize=256)
def _digest(path: str, changed: int, size: int) -> str:
    del changed, size
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_digest(path: str | Path) -> str:
    """SHA-256 of a file.

    Raises:
        InputError: it cannot be read.
    """
    try:
        state = Path(path).stat()
        return _digest(str(path), state.st_mtime_ns, state.st_size)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
