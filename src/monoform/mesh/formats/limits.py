"""How large a mesh may be."""

from __future__ import annotations

from ...errors import InputError

MAX_VERTICES = 6_000_000
MAX_FACES = 10_000_000
MAX_NUMBERS = 120_000_000  # in all arrays of a file together


class Count:
    """Vertices and triangles of a file, counted before they are read."""

    def __init__(self) -> None:
        self.vertices = 0
        self.faces = 0
        self.numbers = 0

    def add(self, vertices: int, faces: int) -> None:
        """Count some more.

        Raises:
            InputError: there are too many now.
        """
        self.vertices += vertices
        self.faces += faces
        for number, most, what in ((self.faces, MAX_FACES, "triangles"), (self.vertices, MAX_VERTICES, "vertices")):
            if number > most:
                raise InputError(f"it has {number} {what} or more, up to {most} are read; simplify it first.")

    def add_numbers(self, numbers: int) -> None:
        """Count numbers of arrays, which a short file may claim without holding them.

        Raises:
            InputError: there are too many now.
        """
        self.numbers += numbers
        if self.numbers > MAX_NUMBERS:
            raise InputError(f"it has more than {MAX_NUMBERS} numbers in its arrays; simplify it first.")
