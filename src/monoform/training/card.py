"""The card of weights, README.md: the same headings, whoever writes it."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

WIDTH = 120
SCANS = (
    "The real scans among them are Google Scanned Objects (Google Research) and the YCB Object and Model Set, "
    "CC-BY-4.0; all credits are in NOTICE. No photo was used. The validation meshes and their near-duplicates are left "
    "out."
)


def weights_card(
    title: str,
    summary: str,
    *,
    data: str,
    training: str,
    license: str,
    fails: str,
    figures: Mapping[str, float] | str = "none",
) -> str:
    """Markdown of what is known of trained weights.

    Args:
        title: of the card.
        summary: what the network makes of what, in a sentence.
        data: what it was trained on, with licenses and credits.
        training: how long, and of what a step consisted.
        license: of the weights.
        fails: on what, as an enumeration.
        figures: measures by name, or a sentence about them.
    """
    facts = {"Data": data, "License": license, "Training": training, "Fails on": fails}
    told = figures if isinstance(figures, str) else ""
    lines = [_bullet(f"{name}: {fact}") for name, fact in facts.items()]
    lines.append(_bullet(f"Figures: {told}".rstrip()))
    if not told:
        lines += [f"  - {name}: {value:.4f}" for name, value in figures.items()]  # type: ignore[union-attr]
    return "\n".join([f"# {title}", "", textwrap.fill(summary, WIDTH), "", *lines]) + "\n"


def converted_card(title: str, summary: str, *, file: str | Path, precision: str, fails: str, license: str = "") -> str:
    """Markdown of what is known of a checkpoint in its authors' format that was converted.

    Args:
        title: of the card.
        summary: whose format it is, as a sentence begins.
        file: the checkpoint.
        precision: in which its numbers are kept.
        fails: on what, as an enumeration.
        license: what is known beside that the checkpoint's own holds.
    """
    return weights_card(
        title,
        f"{summary}, converted from `{Path(file).name}`.",
        data="that of the checkpoint, with its credits.",
        training="that of the checkpoint.",
        license=f"that of the checkpoint that was converted.{f' {license}' if license else ''}",
        fails=fails,
        figures=f"none were measured in the conversion; the numbers of the tensors are unchanged ({precision}).",
    )


def _bullet(text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)
