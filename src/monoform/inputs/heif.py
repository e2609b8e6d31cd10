"""HEIC, the format in which phones store photos: read by pillow-heif where that is installed, else told by name."""

from __future__ import annotations

from functools import cache

HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
AVIF_BRANDS = (b"avif", b"avis")


class UnreadFormat(Exception):
    """A format that is known by its first bytes, but not read here; the text goes behind the file's name."""


@cache
def register_heif() -> bool:
    """Make PIL read HEIC, once; whether pillow-heif is there to do it."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return False
    register_heif_opener()
    return True


def foreign_sentence(head: bytes) -> UnreadFormat | None:
    """A sentence about a file that no reader takes, by its first bytes; None where they are of no known format."""
    brand = _brand(head)
    if brand == "HEIC" and register_heif():
        return UnreadFormat("is HEIC, and damaged or of a kind that pillow-heif does not read: save it as JPEG")
    if brand == "HEIC":
        return UnreadFormat("is HEIC: save it as JPEG, or install the reader (pip install 'monoform[heic]')")
    if brand == "AVIF":
        return UnreadFormat("is AVIF, and damaged or not read by this Pillow: save it as JPEG")
    return None


def _brand(head: bytes) -> str | None:
    """HEIC or AVIF by the brands in the box `ftyp`, with which files of this family begin."""
    if head[4:8] != b"ftyp":
        return None
    brands = {head[8:12], *(head[place : place + 4] for place in range(16, min(len(head), head[3]) - 3, 4))}
    if brands & set(AVIF_BRANDS):
        return "AVIF"
    return "HEIC" if brands & set(HEIC_BRANDS) else None
