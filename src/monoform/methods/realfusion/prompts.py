"""What the prior is told of each side of the object."""

from __future__ import annotations

from .cameras import FRONT, LABELS

FACING = (FRONT,)


def view_texts(text: str, negative: str, *, directions: bool, face: str = "") -> tuple[list[str], list[str]]:
    """Texts of what is wanted and of what is not, for each of `LABELS`.

    Args:
        directions: say which side is seen, at the end of the text.
        face: what only the front has, such as "face": not wanted from behind, from the side, above and below.
    """
    wanted = [f"{text}, {label} view" if directions else text for label in LABELS]
    unwanted = []
    for number in range(len(LABELS)):
        parts = [negative] if number in FACING or not face else [negative, face]
        unwanted.append(", ".join(part for part in parts if part))
    return wanted, unwanted
