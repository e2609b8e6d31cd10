"""One photo's way from a start to a pose, as the protocol of poses keeps it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Run:
    """One photo from one start; errors are in degrees and as a share of the camera's distance.

    Attributes:
        photo: name of the photo.
        start: errors at the start.
        end: errors at the end.
        translation: error of the position at the end, in world units.
        converged: whether the estimate says that it can be believed.
        failure_reasons: why not, a clause each.
        seconds: it took.
        path: seconds and errors on the way, a point for each update (adam) or rendering (lm).
        distance: of the true camera from the scene's center, in world units.
    """

    photo: str
    start: tuple[float, float]
    end: tuple[float, float]
    translation: float
    converged: bool
    failure_reasons: tuple[str, ...]
    seconds: float
    path: tuple[tuple[float, float, float], ...] = field(repr=False, default=())
    distance: float = 1.0

    def within(self, degrees: float, share: float) -> bool:
        """Whether both errors are below."""
        return self.end[0] < degrees and self.end[1] < share

    def seconds_to(self, degrees: float) -> float:
        """When the angle fell below `degrees` and stayed there; infinity where it did not."""
        last = math.inf
        for at, angle, _ in reversed(self.path):
            if not angle < degrees:
                break
            last = at
        return last

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Run:
        """A run from its plain values."""
        angle, share = (math.nan if value is None else float(value) for value in row["start"])
        return cls(
            photo=str(row["photo"]),
            start=(angle, share),
            end=(float(row["end"][0]), float(row["end"][1])),
            translation=float(row["translation"]),
            converged=bool(row["converged"]),
            failure_reasons=tuple(row["doubts"]),
            seconds=float(row["seconds"]),
            distance=float(row.get("distance") or row["translation"] / max(row["end"][1], 1e-12)),
            path=tuple((float(at), float(angle), float(share)) for at, angle, share in row["path"]),
        )

    def row(self) -> dict[str, Any]:
        """The run as plain values for a table."""
        return {
            "photo": self.photo,
            "start": [value if math.isfinite(value) else None for value in self.start],
            "end": list(self.end),
            "translation": self.translation,
            "converged": self.converged,
            "doubts": list(self.failure_reasons),
            "seconds": round(self.seconds, 3),
            "distance": self.distance,
            "path": [[round(value, 5) for value in point] for point in self.path],
        }
