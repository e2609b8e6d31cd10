"""One golden case: its manifest, its arrays, and which of them a check has used."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor


@dataclass
class Case:
    """A folder with manifest.json and io.npz; its system is the name of the folder above."""

    folder: Path
    manifest: dict[str, Any]
    arrays: dict[str, np.ndarray]
    taken: set[str] = field(default_factory=set)
    deviations: dict[str, float] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path) -> Case:
        """Read a case; fails loudly when it cannot be read."""
        manifest = json.loads((folder / "manifest.json").read_text())
        with np.load(folder / "io.npz", allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        return cls(folder, manifest, arrays)

    def __contains__(self, name: str) -> bool:
        return name in self.arrays

    def groups(self) -> Iterator[str]:
        """The first parts of names like "rays/poses", each once, in order."""
        return iter(dict.fromkeys(name.split("/")[0] for name in self.arrays))

    def array(self, name: str) -> np.ndarray:
        """An input of the case; every array must be an input or be compared."""
        self.taken.add(name)
        return self.arrays[name]

    def tensor(self, name: str) -> Tensor:
        """The same as a tensor."""
        return torch.from_numpy(np.ascontiguousarray(self.array(name)))

    def compare(self, name: str, actual: Tensor | np.ndarray | float, *, atol: float = 0.0, rtol: float = 0.0) -> None:
        """Assert that our values are the golden ones within the tolerance; integers and booleans exactly."""
        golden = self.arrays[name]
        ours = np.asarray(actual.detach().cpu().numpy() if isinstance(actual, Tensor) else actual)
        assert ours.shape == golden.shape, f"{name}: shape {ours.shape}, golden {golden.shape}"
        assert (ours.dtype.kind in "fc") == (golden.dtype.kind in "fc"), f"{name}: {ours.dtype}, golden {golden.dtype}"
        if golden.dtype.kind in "fc":
            np.testing.assert_allclose(ours, golden, atol=atol, rtol=rtol, err_msg=name)
            finite = np.isfinite(golden)
            difference = np.abs(ours[finite].astype(np.float64) - golden[finite].astype(np.float64))
            self.deviations[name] = float(difference.max(initial=0.0))
        else:
            np.testing.assert_array_equal(ours, golden, err_msg=name)
            self.deviations[name] = 0.0

    def finish(self) -> None:
        """Assert that something was compared and that no array was left out."""
        left = sorted(set(self.arrays) - self.taken - set(self.deviations))
        assert not left, f"{self.folder}: arrays left uncompared: {', '.join(left)}"
        assert self.deviations, f"{self.folder}: nothing was compared"

    def summary(self) -> str:
        """How many arrays were compared, and the largest deviation."""
        name = max(self.deviations, key=lambda key: self.deviations[key])
        return f"{len(self.deviations)} arrays compared, largest deviation {self.deviations[name]:.1e} ({name})"
