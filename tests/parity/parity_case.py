"""One golden case: its manifest, its arrays, and which of them a check has used."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tests.parity.stored import read_arrays, restored, thin
from tests.parity.tolerances import differing_share, tolerance_of
from torch import Tensor


class Fields(dict):
    """A mapping of a manifest; what it does not hold is a failure that says so, never a number of another case."""

    def __init__(self, values: Mapping[str, Any], where: str) -> None:
        super().__init__({name: _read(value, f"{where}.{name}") for name, value in values.items()})
        self.where = where

    def __missing__(self, name: str) -> Any:
        raise AssertionError(f"{self.where} has no {name!r}: the check cannot know it")

    def one_of(self, name: str, *known: Any) -> Any:
        """A parameter of which the project knows these values only; one that is absent has the first, published one."""
        value = self.get(name, known[0])
        assert value in known, f"{self.where}.{name} is {value!r}, of which only {known} are known here"
        return value


def _read(value: Any, where: str) -> Any:
    return Fields(value, where) if isinstance(value, Mapping) else value


@dataclass
class Case:
    """A folder with manifest.json and io.npz; its system is the name of the folder above.

    Attributes:
        taken: arrays that were used. deviations: largest differences of those that were compared.
        strains: the part of its tolerance that each needed. compared: what was compared, and with which `rounding`.
    """

    folder: Path
    manifest: dict[str, Any]
    arrays: dict[str, np.ndarray]
    taken: set[str] = field(default_factory=set)
    deviations: dict[str, float] = field(default_factory=dict)
    strains: dict[str, float] = field(default_factory=dict)
    compared: dict[str, tuple[np.ndarray, float | np.ndarray]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.manifest = Fields(self.manifest, "manifest.json")

    @classmethod
    def load(cls, folder: Path) -> Case:
        """Read a case; fails loudly when it cannot be read."""
        manifest = json.loads((folder / "manifest.json").read_text())
        return cls(folder, manifest, read_arrays(folder / "io.npz"))

    @property
    def config(self) -> Any:
        """The case's parameters."""
        return self.manifest["config"]

    def file(self, name: str) -> Path:
        """A file of the case, as it was made."""
        return self.folder / name if (self.folder / name).exists() else restored(self.folder, name)

    def __contains__(self, name: str) -> bool:
        return name in self.arrays

    def names(self, prefix: str = "", suffix: str = "") -> list[str]:
        """Arrays whose names begin and end so, in order."""
        return [name for name in self.arrays if name.startswith(prefix) and name.endswith(suffix)]

    def groups(self) -> Iterator[str]:
        """The first parts of names like "rays/poses", each once, in order."""
        return iter(dict.fromkeys(name.split("/")[0] for name in self.arrays))

    def array(self, name: str) -> np.ndarray:
        """An input of the case."""
        assert name in self.arrays, f"io.npz has no {name!r}: the check cannot know it"
        self.taken.add(name)
        return self.arrays[name]

    def tensor(self, name: str) -> Tensor:
        """The same as a tensor."""
        return torch.from_numpy(np.ascontiguousarray(self.array(name)))

    def tolerance(self, name: str) -> Mapping[str, Any]:
        """What the manifest asks of an array, or of an entry of its own that has the name."""
        exact = name in self.arrays and self.arrays[name].dtype.kind not in "fc"
        return tolerance_of(self.manifest["tolerances"], name, exact=exact)

    def limit(self, name: str, key: str) -> float:
        """One number of a tolerance, for checks that compare in a way of their own."""
        asked = self.tolerance(name)
        assert key in asked, f"tolerances of manifest.json has no {key!r} for {name}"
        return float(asked[key])

    def compare(self, name: str, actual: Tensor | np.ndarray | float, *, rounding: float | np.ndarray = 0.0) -> None:
        """Assert that our values are the golden ones as far as the manifest asks; of some only a part is stored.

        Args:
            rounding: see `differing_share`; the check says why.
        """
        assert name in self.arrays, f"io.npz has no {name!r}"
        golden = self.arrays[name]
        ours = np.asarray(actual.detach().cpu().numpy() if isinstance(actual, Tensor) else actual)
        part = thin(ours, self.manifest.get("thinned", {}).get(name, ()))
        self.strains[name] = differing_share(name, part, golden, self.tolerance(name), rounding=rounding)
        self.deviations[name] = _largest(part, golden)
        self.compared[name] = ours, rounding

    def compare_within(self, name: str, found: float, allowed: float) -> None:
        """Assert that a distance between our values and the golden ones is allowed; the array counts as compared."""
        assert found <= allowed, f"{name}: {found:.3e} away, allowed {allowed:.3e}"
        self.strains[name] = found / allowed if found else 0.0
        self.deviations[name] = float(found)

    def finish(self) -> None:
        """Assert that something was compared, that no array was left out, and that all results were compared."""
        left = sorted(set(self.arrays) - self.taken - set(self.deviations))
        assert not left, f"{self.folder}: arrays left uncompared: {', '.join(left)}"
        assert self.deviations, f"{self.folder}: nothing was compared"
        unknown = sorted(set(self.manifest["inputs"]) - set(self.arrays))
        assert not unknown, f"{self.folder}: inputs that io.npz does not hold: {', '.join(unknown)}"
        results = sorted(set(self.arrays) - set(self.manifest["inputs"]) - set(self.deviations))
        assert not results, f"{self.folder}: results used and left uncompared: {', '.join(results)}"

    def without(self, name: str) -> Case:
        """The same case as if it had never had an array."""
        return replace(self, arrays={key: values for key, values in self.arrays.items() if key != name})

    def summary(self) -> str:
        """How many arrays were compared, and the one that needed most of its tolerance."""
        name = max(self.strains, key=lambda key: self.strains[key])
        return (
            f"{len(self.deviations)} arrays compared, closest to its tolerance {name}: {self.deviations[name]:.1e}, "
            f"{100 * self.strains[name]:.2g} % of what is allowed"
        )


def _largest(ours: np.ndarray, golden: np.ndarray) -> float:
    if golden.dtype.kind in "US":
        return 0.0
    finite = np.isfinite(golden.astype(np.complex128))
    return float(np.abs(ours[finite].astype(np.complex128) - golden[finite].astype(np.complex128)).max(initial=0.0))
