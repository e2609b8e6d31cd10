"""How large a mesh may be."""

from __future__ import annotations

from ...errors import InputError

MAX_VERTICES = 10_000_000
MAX_FACES = 10_000_000


class Count:
    """Vertices and triangles of a file, counted before they are read."""

    def __init__(self) -> None:
        self.vertices = 0
        self.faces = 0

    def add(self, vertices: int, faces: int) -> None:
        """Count some more.

        Raises:
            InputError: there are too many now.
        """
        self.vertices += vertices
        self.faces += faces
        if self.vertices > MAX_VERTICES or self.faces > MAX_FACES:
            number, what = (self.faces, "triangles") if self.faces > MAX_FACES else (self.vertices, "vertices")
            raise InputError(f"it has {number} {what} or more, up to {MAX_FACES} are read; simplify it first.")
