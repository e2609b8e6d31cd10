"""The weights that ship: a folder each, with its card, and one table of what is in them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..errors import InputError

PLACE = Path(__file__).parent
TABLE, FILE, CARD = "shipped.json", "model.safetensors", "README.md"
ADVICE = "install monoform again"


@dataclass(frozen=True)
class Weights:
    """Weights of one network, as the table tells them.

    Attributes:
        name: of the folder.
        summary: what the network makes of what, in a line.
        license: of the weights.
        data: what they were trained on, and its licenses; the card says more.
        bytes: length of the file.
        sha256: of the file, hexadecimal.
    """

    name: str
    summary: str
    license: str
    data: str
    bytes: int
    sha256: str

    @property
    def folder(self) -> Path:
        """With model.safetensors, config.json and README.md."""
        return PLACE / self.name

    @property
    def megabytes(self) -> float:
        """Of the file, to one decimal."""
        return round(self.bytes / 1e6, 1)

    @property
    def title(self) -> str:
        """The weights as results name them."""
        return f"monoform/{self.name}"

    @property
    def card(self) -> str:
        """Markdown of data, license, credits, figures and failure cases."""
        return (self.folder / CARD).read_text(encoding="utf-8")

    def require_intact(self) -> None:
        """Compare the file with the table.

        Raises:
            InputError: it is not there, or other bytes are.
        """
        file = self.folder / FILE
        try:
            with file.open("rb") as opened:
                found = hashlib.file_digest(opened, "sha256").hexdigest()
        except OSError as error:
            raise InputError(f"{file} cannot be read ({error.strerror}): {ADVICE}.") from error
        if found != self.sha256:
            raise InputError(f"{file} has the SHA-256 {found}, not {self.sha256}, and is not what ships: {ADVICE}.")


@cache
def shipped() -> dict[str, Weights]:
    """All weights that ship, by name."""
    table = json.loads((PLACE / TABLE).read_text(encoding="utf-8"))
    return {name: Weights(name, **told) for name, told in table.items()}
