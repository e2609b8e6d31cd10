"""Methods and systems on the same pictures of the same meshes: items, and what is made of them together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ...data.objects.scans import scan_sources
from ...data.objects.sources import Source, load_source
from ...devices import device_named
from ...errors import InputError
from ...mesh import sample_surface
from ...metrics.evaluation import Evaluation, Protocol, evaluate
from ...metrics.feature_distance import FeatureDistance
from ...metrics.shape_truth import Truth, read_truth, reduced, truth_of, unseen_cameras, write_truth
from ...metrics.truth_scores import perceptual
from ...outputs import save_picture
from ...render import render_mesh
from .answers import Answer, Answerer, Meshing, MethodAnswers, OutsideAnswers, parse_method
from .inputs import Input, Inputs, file_digest, read_list, write_list
from .options import ShapeEvaluation, folder_of
from .page import write_page
from .scores import ALONE, scores, truth_from_answer
from .tables import write_tables

SIDE = 1  # which of the unseen cameras the page shows
REASON, WEIGHTS, FILES = "reason", "weights", "files_sha256"


class Shapes(Protocol):
    """Items are METHOD/OBJECT_VIEW, one method after the other.

    Args:
        answerers: methods and systems by their labels.
        inputs: the pictures.
        asked: the inputs that are measured.
        options: how.
        told: which objects these are, a sentence.
    """

    doing, unit, files = "comparing shapes", "answer", r"mesh\.glb|seen\.png|side\.png"
    free, apart = ("methods", "outside"), True

    def __init__(
        self,
        answerers: Mapping[str, Answerer],
        inputs: Inputs,
        asked: Sequence[Input],
        options: ShapeEvaluation,
        told: str = "",
    ) -> None:
        self.answerers, self.inputs, self.asked, self.options, self.told = answerers, inputs, asked, options, told
        self.items = [(label, each) for label in answerers for each in asked]
        self.names = [f"{label}/{each.name}" for label, each in self.items]
        self.distance = None if options.perceptual is None else FeatureDistance.load(options.perceptual)
        self._last: tuple[str, Any] = ("", None)

    @classmethod
    def open(cls, options: ShapeEvaluation) -> Shapes:
        """The protocol that is asked for.

        Raises:
            InputError: there is no mesh, or no such method, system or object.
        """
        device = device_named(options.device).type
        meshing = Meshing(options.faces, options.texture, options.resolution)
        answerers: dict[str, Answerer] = {}
        for word in options.methods:
            name, overrides = parse_method(word)
            answerers[folder_of(word)] = MethodAnswers(
                name, overrides, meshing, seed=options.seed, device=device, focal=options.focal == "true"
            )
        for name, folder in options.systems().items():
            if not folder.is_dir():
                raise InputError(f"--outside {name}: there is no folder {folder}.")
            answerers[name] = OutsideAnswers(folder)
        sources = {source.name: source for source in scan_sources(options.data)}
        folder = options.out / "inputs" if options.inputs is None else options.inputs
        given = options.inputs is not None
        how = {name: getattr(options, name) for name in ("views", "size", "seed")}
        inputs = Inputs(folder, sources, **how, given=given, again=options.overwrite)
        asked = read_list(folder) if given else _all_of(sources, options)
        if given:
            named = {name: how[name] for name in ("views", "size") if how[name] != getattr(ShapeEvaluation, name)}
            inputs.require_same(asked, **named)
        chosen = [each for each in asked if not options.objects or each.object in options.objects]
        missing = sorted(set(options.objects) - {each.object for each in chosen})
        if missing or not chosen:
            raise InputError(f"--objects has {', '.join(missing[:5])}, which {options.data} does not hold.")
        told = f"{len({each.object for each in chosen})} objects, {len(chosen)} pictures of them."
        return cls(answerers, inputs, chosen, options, told)

    def measure(self, number: int, folder: Path) -> dict[str, Any]:
        """Write mesh and pictures of an answer, and measure it; one that is missing counts as the worst.

        Raises:
            InputError: the mesh, the picture or the method cannot be used.
        """
        label, asked = self.items[number]
        picture, camera = self.inputs.of(asked)
        truth = self._truth(asked, picture, camera)
        answer = self.answerers[label](asked, picture, camera)
        look = None if self.distance is None else perceptual(self.distance, truth)
        found = scores(answer, truth, 0, self.options.alignments, look)  # type: ignore[arg-type]
        if not found["failed"]:
            self._draw(answer, truth, folder)
        reason = answer.reason or ("its mesh has no surface." if found["failed"] else "")
        told = {REASON: reason, WEIGHTS: weights_of(self.answerers[label]), FILES: self._files(number)}
        return found | {name: text for name, text in told.items() if text}

    def has_changed(self, number: int, content: Mapping[str, Any]) -> bool:
        """Whether an outside system has written another answer meanwhile, or its first."""
        return content.get(FILES, "") != self._files(number)

    def _files(self, number: int) -> str:
        """SHA-256 of the files of an outside system's answer; empty for methods, and where there are none."""
        label, asked = self.items[number]
        answerer = self.answerers[label]
        return "-".join(map(file_digest, answerer.files(asked))) if isinstance(answerer, OutsideAnswers) else ""

    def scores(self, content: Mapping[str, Any]) -> dict[str, float]:
        """A few, for the table that all evaluations have; shape.md has all."""
        chosen = self.options.alignments
        by = "icp" if "icp" in chosen else chosen[0]
        names = (*(f"{by}_{name}" for name in ("chamfer", "f_0.1", "iou")), *ALONE)
        return {name: float(content[name]) for name in names if name in content}

    def finish(self, out: Path, contents: Mapping[str, Mapping[str, Any]]) -> str:
        """The frozen list of inputs, the tables and the page.

        Raises:
            InputError: answers that were measured before are of other weights than those that are asked for.
        """
        told = self._told_weights(contents)
        records = self.inputs.records(self.asked)
        digest = file_digest(self.inputs.folder / "inputs.json") if self.inputs.given else ""
        digest = digest or write_list(records, self.inputs.folder)
        told = f"{self.told} Inputs: {self.inputs.folder / 'inputs.json'}, SHA-256 {digest}.{told}"
        labels = [label for label in self.answerers if any(name.startswith(f"{label}/") for name in contents)]
        rows = {
            label: {
                each.name: contents[f"{label}/{each.name}"] for each in self.asked if f"{label}/{each.name}" in contents
            }
            for label in labels
        }
        tables = write_tables(out, rows, {each.name: each.object for each in self.asked}, told)
        write_page(out, rows, self.inputs.folder, told)
        return tables

    def _told_weights(self, contents: Mapping[str, Mapping[str, Any]]) -> str:
        """Which weights the methods have, a sentence each."""
        told = ""
        for label, answerer in self.answerers.items():
            own = {each.get(WEIGHTS, "") for name, each in contents.items() if name.startswith(f"{label}/")}
            weights = weights_of(answerer)
            if own - {weights}:
                raise InputError(
                    f"{self.options.out} holds answers of {label} with other weights than those of now: "
                    "use --overwrite or another folder."
                )
            told += f" Weights of {label}: SHA-256 {weights}." if weights else ""
        return told

    def _truth(self, asked: Input, picture: np.ndarray, camera: Any) -> Truth:
        """The truth of an input; kept in OUT/truths for the next method."""
        source = self.inputs.sources[asked.object]
        digests = [file_digest(each)[:8] for each in (str(source.path), self.inputs.folder / f"{asked.name}.png")]
        key = "-".join((asked.name, *digests))
        if self._last[0] == key:
            return self._last[1]
        file = self.options.out / "truths" / f"{key}.npz"
        truth = read_truth(file)
        truth_is_new = truth is None
        if truth is None:
            mesh = load_source(source, seed=self.options.seed)
            truth = truth_of(mesh, picture[None], camera, seed=self.options.seed)
            write_truth(truth, file)
        shown = file.with_name(f"{asked.name}.png")
        if truth_is_new or not shown.is_file():
            _save(reduced(truth.pictures[SIDE : SIDE + 1])[0] / 255, shown)
        self._last = (key, truth)
        return truth

    def _draw(self, answer: Answer, truth: Truth, folder: Path) -> None:
        """The mesh; how its own camera sees it, and how it looks from an unseen side once it is aligned."""
        if answer.mesh is None:
            return
        answer.mesh.export(folder / "mesh.glb", camera=answer.camera)
        if answer.camera is not None:
            height, width = truth.images[0].shape[:2]
            _save(render_mesh(answer.mesh, answer.camera.resized(width, height)).rgb, folder / "seen.png")
        points = sample_surface(answer.mesh, 2_000, seed=0)[0]
        motion = truth_from_answer(answer, points, truth, 0, self.options.alignments[-1])  # type: ignore[arg-type]
        side = next(islice(unseen_cameras(), SIDE, None))
        _save(reduced(render_mesh(answer.mesh.transformed(motion), side).rgb[None])[0], folder / "side.png")


def weights_of(answerer: Answerer) -> str:
    """SHA-256 of what it runs with; empty where that is not known."""
    return getattr(answerer, "weights", "")


def _all_of(sources: Mapping[str, Source], options: ShapeEvaluation) -> list[Input]:
    """Every view of every object, or of some that are spread over the list."""
    names = list(sources)
    count = min(options.limit or len(names), len(names))
    chosen = options.objects or [names[number * len(names) // count] for number in range(count)]
    return [Input(name, view) for name in chosen if name in sources for view in range(options.views)]


def _save(picture: np.ndarray, file: Path) -> None:
    save_picture(Image.fromarray(np.rint(255 * np.clip(picture, 0, 1)).astype(np.uint8)), file, marked=True)


EVALUATION = Evaluation(
    "any methods and systems on the same pictures of meshes", ShapeEvaluation, partial(evaluate, Shapes.open)
)
