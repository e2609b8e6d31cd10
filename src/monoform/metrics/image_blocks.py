"""Sets of images in blocks, for the loop of evaluations: what a network sees of each block is kept in a file.

Blocks are shared by processes, and an interrupted evaluation makes none twice; the distances are those of all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8
from torch import Tensor

from ..errors import InputError
from ..inputs.arrays import read_arrays
from ..outputs import atomic_stream
from ..text import printable
from .evaluation import Protocol as Evaluated
from .features import FeatureNet

ARRAYS = "block.npz"
SHOWN = 3  # sentences about images that are left out
_FEATURES = "features_"


@dataclass(frozen=True, eq=False)
class Block:
    """Some images of a set, all of one size.

    Attributes:
        images: sRGB 0..255; none where all are left out.
        more: further arrays, a row for each image.
        left_out: images that cannot be used, a sentence each.
    """

    images: UInt8[Tensor, "n 3 h w"] | None
    more: Mapping[str, np.ndarray] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


@runtime_checkable
class ImageSource(Protocol):
    """A set of images that comes in blocks."""

    def __len__(self) -> int: ...

    def blocks(self, numbers: range) -> Iterator[Block]:
        """Those images, in parts that fit into memory, the same whenever they are asked for."""
        ...


class ImageBlocks(Evaluated):
    """What networks see of sets of images; what is measured of them together says the evaluation built on it.

    Args:
        sources: the sets by name.
        nets: that look at them.
        size: images of a block, of each set or of all.
        weights: SHA-256 of the weights that are measured.
    """

    doing, unit, files = "looking at images", "block", r"block\.npz"

    def __init__(
        self,
        sources: Mapping[str, ImageSource],
        nets: Sequence[FeatureNet],
        *,
        size: int | Mapping[str, int],
        weights: str = "",
    ) -> None:
        self.sources, self.nets, self.weights = sources, tuple(nets), weights
        sizes = dict.fromkeys(sources, size) if isinstance(size, int) else size
        self._parts = [
            (name, range(start, min(start + sizes[name], len(source))))
            for name, source in sources.items()
            for start in range(0, len(source), sizes[name])
        ]
        self.names = [f"{name}/{part.start:06d}" for name, part in self._parts]

    def measure(self, number: int, folder: Path) -> dict[str, Any]:
        """Look at a block.

        Raises:
            InputError: none of its images can be used.
        """
        name, part = self._parts[number]
        found: dict[str, list[np.ndarray]] = {}
        left_out: list[str] = []
        for block in self.sources[name].blocks(part):
            left_out += block.left_out
            if block.images is None:
                continue
            seen = {f"{_FEATURES}{net.name}": net(block.images).float().cpu().numpy() for net in self.nets}
            for key, values in (seen | dict(block.more)).items():
                found.setdefault(key, []).append(values)
        if not found:
            raise InputError(left_out[0] if left_out else "it holds no images.")
        arrays = {key: np.concatenate(values) for key, values in found.items()}
        with atomic_stream(folder / ARRAYS) as stream:
            np.savez(stream, **arrays)  # type: ignore[arg-type]
        return {"count": len(next(iter(arrays.values()))), "left_out": left_out}

    def scores(self, content: Mapping[str, Any]) -> Mapping[str, float]:
        """None of a block alone; its count must be there."""
        int(content["count"])
        return {}

    def finish(self, out: Path, contents: Mapping[str, Mapping[str, Any]]) -> str:
        """How many images there were of each set, and which were left out."""
        del out
        counts = dict.fromkeys(self.sources, 0)
        for block, content in contents.items():
            counts[block.partition("/")[0]] += int(content["count"])
        left_out = [sentence for content in contents.values() for sentence in content["left_out"]]
        lines = [f"Left out: {sentence}" for sentence in left_out[:SHOWN]]
        if len(left_out) > SHOWN:
            lines.append(f"and {len(left_out) - SHOWN} more images")
        lines.append("Images: " + ", ".join(f"{count} {name}" for name, count in counts.items()))
        return "".join(printable(line) + "\n" for line in lines)

    def arrays(self, out: Path, contents: Mapping[str, Any], source: str) -> dict[str, np.ndarray]:
        """All arrays of a set, its blocks one after the other.

        Raises:
            InputError: a file is damaged, or nothing of the set could be used.
        """
        blocks = [block for block in self.names if block in contents and block.startswith(f"{source}/")]
        if not blocks:
            raise InputError(f"None of the {source} images could be used: look at the sentences of what is left out.")
        parts = [
            read_arrays(out / block / ARRAYS, advice="remove its folder, and it is made again") for block in blocks
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def features_in(arrays: Mapping[str, np.ndarray], net: FeatureNet) -> np.ndarray:
    """A network's features among the arrays of a set."""
    return arrays[f"{_FEATURES}{net.name}"]
