"""The authors' model.ckpt and config.yaml: a plain state dict, in whose names our network's tensors are named too."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import torch

from ...errors import InputError
from ...inputs.checkpoints import read_checkpoint
from ...inputs.yaml_files import read_yaml, yaml_text
from ...nn.state_dict import named_tensors, require_fit
from ...outputs import atomic_file, atomic_stream
from ...progress import work
from ...training.card import converted_card
from ...training.weights import CONFIG, WEIGHTS, load_pretrained, local_folder
from ...training.weights import HUB as PREFIX
from .config import TripoSrConfig
from .model import TripoSrNet
from .published_tree import config_of, tree_of

HUB = "stabilityai/TripoSR"
CHECKPOINT, OPTIONS = "model.ckpt", "config.yaml"
FILES = (CHECKPOINT, OPTIONS, WEIGHTS, CONFIG)  # of the authors' folder, and of ours
SHA256 = {HUB: "429e2c6b22a0923967459de24d67f05962b235f79cde6b032aa7ed2ffcd970ee"}
"""Of the checkpoints of repositories that are known."""
DEFAULT = "published"
LARGEST = 8 << 30  # bytes; the published checkpoint has 1.7 GB
ADVICE = f"give {CHECKPOINT} of {HUB}, or of a training with it"
FETCH = (
    f"download {CHECKPOINT} and {OPTIONS} from https://huggingface.co/{HUB} (1.7 GB) into a folder and give it with "
    "--weights, or leave --method away: lift needs nothing"
)


def config_names() -> list[str]:
    """The configurations that a checkpoint can have: that of config.yaml beside it, else the published one."""
    return [DEFAULT]


def read_published(file: str | Path, config: str | TripoSrConfig) -> tuple[TripoSrNet, TripoSrConfig]:
    """The network of a published checkpoint, in evaluation mode, with its configuration.

    Args:
        file: model.ckpt, or the folder that holds it.
        config: "published" for that of config.yaml beside the file, and the published one where there is none; or the
            configuration itself.

    Raises:
        InputError: a file is missing, damaged, holds more than tensors, or does not fit the configuration.
    """
    file = Path(file)
    file = file / CHECKPOINT if file.is_dir() else file
    beside = file.with_name(OPTIONS)
    if isinstance(config, str):
        config = _config_in(beside) if beside.is_file() else TripoSrConfig()
    state = named_tensors(read_checkpoint(file, ADVICE, largest=LARGEST, missing=ADVICE), file, ADVICE)
    with torch.device("meta"):  # the file's own tensors become the network's: there is no second copy
        net = TripoSrNet(config)
    require_fit(net.state_dict(), state, f"{file} does not fit {OPTIONS}", ADVICE)
    for name, tensor in state.items():
        if not tensor.is_floating_point() or not bool(torch.isfinite(tensor).all()):
            raise InputError(f"{file} is damaged: {name!r} holds values that are no finite numbers; get it again.")
    net.load_state_dict({name: tensor.float() for name, tensor in state.items()}, assign=True)
    return net.eval(), config


def write_weights(folder: str | Path, file: str | Path) -> list[Path]:
    """Write a folder of weights as the authors' programs read it, and beside it the config.yaml that they need.

    Raises:
        InputError: the folder holds no TripoSR, or one that the authors' programs cannot run.
    """
    net, config = load_pretrained(TripoSrNet, TripoSrConfig, folder)
    text = yaml_text(tree_of(config))
    [beside] = written_beside(folder, file)
    with atomic_stream(file) as stream, atomic_file(beside) as options:  # both files or none
        torch.save(dict(net.state_dict()), stream)
        options.write_text(text, encoding="utf-8")
    return [Path(file), beside]


def written_beside(folder: str | Path, file: str | Path) -> list[Path]:
    """The configuration that `write_weights` writes."""
    del folder
    return [Path(file).with_name(OPTIONS)]


def config_from_file(file: str | Path, name: str) -> TripoSrConfig:
    """The configuration of a config.yaml that lies elsewhere."""
    del name
    return _config_in(Path(file))


def reads_folder(folder: str | Path) -> bool:
    """Whether a folder is one of the authors': it holds their checkpoint."""
    return (Path(folder) / CHECKPOINT).is_file()


def _config_in(file: Path) -> TripoSrConfig:
    """The configuration that a file tells."""
    tree = read_yaml(file)
    try:
        return config_of(tree)
    except InputError as error:
        raise InputError(f"{file} cannot be used: {error}") from error


def network(source: str) -> TripoSrNet:
    """That of `open_network`, opened once and shared: its weights ask for no gradients, and stay.

    What has changed on the disk since is opened anew.
    """
    return _network(source, _state(source))


@lru_cache(maxsize=2)
def _network(source: str, state: tuple[tuple[int, int], ...]) -> TripoSrNet:
    del state
    return open_network(source).requires_grad_(False)


def _state(source: str) -> tuple[tuple[int, int], ...]:
    """Times and sizes of a folder's files; nothing for a name on the hub."""
    found = []
    for name in FILES:
        with suppress(OSError):
            told = (Path(source) / name).stat()
            found.append((told.st_mtime_ns, told.st_size))
    return tuple(found)


def open_network(source: str) -> TripoSrNet:
    """The network of a folder of weights, of the authors' folder, or of hub:OWNER/NAME with either.

    Raises:
        InputError: it is not there, damaged, or its checkpoint is not the one that is known by this name.
    """
    folder = local_folder(source, files=FILES, published=(HUB,), advice=FETCH)
    with torch.inference_mode(False), work("reading the weights"):
        if not reads_folder(folder):
            return load_pretrained(TripoSrNet, TripoSrConfig, folder)[0]
        known = SHA256.get(source.removeprefix(PREFIX))
        if known is not None:
            require_known(folder / CHECKPOINT, known)
        return read_published(folder, DEFAULT)[0]


def require_known(file: Path, sha256: str) -> None:
    """Compare a file with what is known of it.

    Raises:
        InputError: it is another one.
    """
    with file.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if found != sha256:
        raise InputError(
            f"{file} has the SHA-256 {found}, not {sha256}, and is not the published checkpoint: fetch it again; "
            "to use a checkpoint of your own, give its folder with --weights."
        )


def card(file: str | Path, config: str, precision: str) -> str:
    """What is known of a converted checkpoint."""
    del config
    return converted_card(
        "TripoSR",
        "Weights in the format of the TripoSR release (Tochilkin et al. 2024)",
        file=file,
        precision=precision,
        license="The release's code and weights are under the MIT license.",
        fails="hidden sides, which are guessed; thin parts; several objects in one photo; photos from far above or "
        "below.",
    )
