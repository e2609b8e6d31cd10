"""Logs of a running training: metrics.jsonl, TensorBoard, progress."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from jaxtyping import Float
from PIL import Image
from torch import Tensor

from ..errors import InputError
from ..outputs import atomic_file, explained_errors, save_picture, write_error
from ..progress import Work, shown, work
from .progress_page import write_page

PICTURES = "pictures"


class MetricLogger:
    """Lines of metrics for the first process; silent in all others.

    Args:
        out: folder of metrics.jsonl, pictures/ and tensorboard/.
        active: whether this process writes.
        first_step: lines of an earlier session behind this step are dropped.
        steps: of the whole training.

    Raises:
        InputError: TensorBoard is asked for and not installed, or the folder cannot be written.
    """

    def __init__(
        self, out: Path, *, active: bool, first_step: int, steps: int, tensorboard: bool, progress: bool
    ) -> None:
        self.path, self.pictures = out / "metrics.jsonl", out / PICTURES
        self.active = active
        self.latest: dict[str, float] = {}
        self._step, self._steps, self._note = first_step, steps, ""
        self._begun = time.perf_counter()
        self._board: Any = _board(out / "tensorboard", first_step) if tensorboard and active else None
        self._open = ExitStack()
        self._work: Work | None = None
        if not active:
            return
        self.latest = _drop_later_lines(self.path, first_step)
        self._page()
        if progress:
            self._open.enter_context(shown())
            self._work = self._open.enter_context(work("training", steps, first=first_step, unit="step"))

    def line(self, step: int, kind: str, metrics: dict[str, float], **more: Any) -> None:
        """Write one line: the step it belongs to, "train" or "evaluate", and the numbers."""
        self.latest.update(metrics)
        if not self.active:
            return
        # JSON knows no NaN: what is not finite is null.
        numbers = {name: value if math.isfinite(value) else None for name, value in metrics.items()}
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"step": step, "kind": kind, **numbers, **more}) + "\n")
        except OSError as error:
            raise write_error(self.path, error) from error
        if self._board is not None:
            for name, value in metrics.items():
                self._board.add_scalar(name, value, step)
        if kind == "train":
            self._note = _losses(metrics)
            if self._work is not None:
                self._work.note = self._note
            self._page()

    def show(self, step: int, pictures: Mapping[str, Float[Tensor, "h w 3"]]) -> None:
        """Write pictures, sRGB 0..1, as NAME_STEP.png, and a page that shows the latest."""
        for name, picture in pictures.items() if self.active else ():
            pixels = (255 * picture.detach().float().cpu().clamp(0, 1)).round().byte().numpy()
            with explained_errors(self.pictures):
                self.pictures.mkdir(exist_ok=True)
            save_picture(Image.fromarray(pixels), self.pictures / f"{name}_{step:07d}.png", marked=True)
            if self._board is not None:
                self._board.add_image(name, pixels, step, dataformats="HWC")
        self._page()

    def advance(self, step: int) -> None:
        """Say how far it is."""
        self._step = step
        if self._work is not None:
            self._work(step)

    def close(self) -> None:
        """Say no more and flush TensorBoard."""
        with suppress(InputError):  # what has ended the training is what is said
            self._page(running=False)
        self._open.close()
        if self._board is not None:
            self._board.close()

    def _page(self, *, running: bool = True) -> None:
        if self.active and self.pictures.is_dir():
            write_page(self.pictures, step=self._step, steps=self._steps, note=self._note, running=running)


def _losses(metrics: dict[str, float]) -> str:
    """The losses in words; of several phases each with its name."""
    losses = {name.removesuffix("/loss"): value for name, value in metrics.items() if name.endswith("/loss")}
    if len(losses) == 1:
        return f"loss {next(iter(losses.values())):.4g}"
    return ", ".join(f"loss of {name} {value:.4g}" for name, value in losses.items())


def _board(folder: Path, first_step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise InputError("Writing for TensorBoard needs the package: pip install 'monoform[train]'.") from error
    return SummaryWriter(str(folder), purge_step=first_step + 1)


def _drop_later_lines(path: Path, step: int) -> dict[str, float]:
    """Keep the lines up to `step`: what was logged behind the checkpoint happens again; the last numbers by name."""
    latest: dict[str, float] = {}
    if not path.is_file():
        return latest
    kept = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            found = json.loads(line)
            if step and found.pop("step") <= step:
                kept.append(line + "\n")
                latest |= {name: value for name, value in found.items() if isinstance(value, float)}
        except (ValueError, KeyError, TypeError):
            continue  # half a line of a session that was killed
    with atomic_file(path) as temporary:
        temporary.write_text("".join(kept), encoding="utf-8")
    latest.pop("seconds", None)
    return latest
