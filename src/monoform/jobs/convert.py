"""A checkpoint in its authors' format becomes weights of the house: safetensors, configuration, card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..methods import PublishedFormat, every_method, method_class
from ..methods.base import PublishedWeights
from ..outputs import require_free_file, require_replaceable
from ..training.weights import CONVERTED, save_pretrained, weights_kind


@dataclass(frozen=True)
class Converted:
    """What was written.

    Attributes:
        folder: of the weights.
        tensors: number of tensors.
        parameters: number of their entries.
        size: bytes of the files.
        use: a command that uses the weights.
    """

    folder: Path
    tensors: int
    parameters: int
    size: int
    use: str


def convert(
    checkpoint: str | Path | Sequence[str | Path],
    folder: str | Path,
    *,
    method: str,
    config: str,
    precision: str = "float32",
    data: str = "",
    conf: str | Path | None = None,
) -> Converted:
    """Write the weights of a published checkpoint to a folder that the method loads.

    A method that knows its authors' format says so by `Method.published`, see `PublishedFormat`.

    Args:
        checkpoint: the file; or several that belong together, of a method that knows such.
        config: name of the published configuration that the checkpoint was trained with; empty where it says so itself.
        precision: float32 keeps every number as it is; float16 takes half the space and rounds.
        data: folder of the training set, for what checkpoints lack, of a method that takes it from there.
        conf: the authors' own file of options that the checkpoint was trained with, where it is none of the published
            configurations; `config` then names the pictures it was trained on, where the file does not.

    Raises:
        InputError: the method reads no checkpoints, has no such configuration, or the checkpoint cannot be used.
    """
    published = _published(method)
    names: Sequence[str] = published.config_names()
    from_file = getattr(published, "config_from_file", None)
    if conf is not None and from_file is None:
        raise InputError(f"{method} takes no file of options: leave --conf out.")
    config = config or getattr(published, "DEFAULT", "")
    if config.partition("=")[0] not in names and (config or conf is None):
        raise InputError(f"{method} has no configuration {config!r}: choose one of {', '.join(names)} with --config.")
    if precision not in ("float32", "float16"):
        raise InputError(f"Weights are stored as float32 or float16, not as {precision!r}.")
    files = [checkpoint] if isinstance(checkpoint, (str, Path)) else list(checkpoint)
    require_replaceable(
        Path(folder), weights_kind(CONVERTED), inputs=(*files, data, *(() if conf is None else (conf,)))
    )
    if hasattr(published, "read_files"):
        found: PublishedWeights = published.read_files(files, config, data, precision)
    elif len(files) != 1 or data:
        raise InputError(f"{method} reads one checkpoint, and no training set: give a single file, and no --data.")
    else:
        chosen: Any = config if conf is None or from_file is None else from_file(conf, config)
        net, configuration = published.read_published(files[0], chosen)
        label = config if conf is None else Path(conf).name
        found = PublishedWeights(net, configuration, published.card(files[0], label, precision))
    exact = precision == "float32"
    save_pretrained(found.module, found.config, folder, card=found.card, writer=CONVERTED, exact=exact)
    state = found.module.state_dict()
    size = sum(file.stat().st_size for file in Path(folder).iterdir())
    usual = f"monoform reconstruct PHOTO --method {method} --set weights={{folder}} -o OUT"
    use = found.use or getattr(published, "USE", usual)
    parameters = sum(one.numel() for one in found.module.parameters())
    return Converted(Path(folder), len(state), parameters, size, use.format(folder=folder))


def export(folder: str | Path, file: str | Path, *, method: str, overwrite: bool = False) -> list[Path]:
    """Write a folder of weights as its method's authors' programs read them.

    A method that can do so has `write_weights` in its `PublishedFormat`.

    Args:
        overwrite: replace files that are there.

    Raises:
        InputError: the method writes no checkpoints of others, or the folder holds no weights of it.
    """
    published = _published(method)
    if not hasattr(published, "write_weights"):
        raise InputError(f"{method} writes no checkpoints in its authors' format; give a checkpoint, not a folder.")
    beside = getattr(published, "written_beside", lambda *_: ())(folder, file)
    if Path(file) in beside:
        raise InputError(
            f"{file} is the name of another file that is written beside the checkpoint: choose another -o."
        )
    for path in (Path(file), *beside):
        require_free_file(path, overwrite=overwrite, inputs=(folder,))
    return published.write_weights(folder, file)


def is_export(checkpoints: Sequence[Path], method: str) -> bool:
    """Whether weights are to be written back: one folder, which is none of the method's authors' own."""
    if len(checkpoints) != 1 or not checkpoints[0].is_dir():
        return False
    return not getattr(_published(method), "reads_folder", lambda _: False)(checkpoints[0])


def convertible() -> list[str]:
    """The methods that read their authors' checkpoints."""
    return [name for name, method in every_method().items() if method.published() is not None]


def _published(method: str) -> PublishedFormat:
    published = method_class(method).published()
    if published is None:
        raise InputError(f"{method} reads no checkpoints of others: there is nothing to convert for it.")
    return published
