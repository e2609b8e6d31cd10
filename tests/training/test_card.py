"""Cards of weights: the same headings for all, lines that can be read, figures to four digits."""

from __future__ import annotations

import re

from monoform.methods import every_method
from monoform.training.card import WIDTH, converted_card, weights_card

HEADINGS = ["Data", "License", "Training", "Fails on", "Figures"]


def headings(card: str) -> list[str]:
    return re.findall(r"^- ([\w ]+):", card, re.MULTILINE)


def test_a_card_has_its_headings_and_figures() -> None:
    card = weights_card(
        "cup",
        "What. " * 40,
        data="d",
        training="t " * 90,
        license="l",
        fails="f",
        figures={"iou": 0.5, "psnr": 20.12341},
    )
    assert card.startswith("# cup\n\nWhat. What.") and headings(card) == HEADINGS
    assert card.endswith("- Figures:\n  - iou: 0.5000\n  - psnr: 20.1234\n")
    assert max(map(len, card.splitlines())) <= WIDTH and "\n  t t" in card


def test_figures_may_be_a_sentence() -> None:
    card = weights_card("cup", "What.", data="d", training="t", license="l", fails="f", figures="none yet.")
    assert card.endswith("- Figures: none yet.\n")


def test_a_converted_checkpoint_is_told_by_its_name() -> None:
    card = converted_card("cup", "Of theirs", file="/a/b/cup.pt", precision="float16", fails="f", license="Code: MIT.")
    assert "Of theirs, converted from `cup.pt`." in card and "unchanged (float16)" in card and "Code: MIT." in card
    assert headings(card) == HEADINGS and "/a/b" not in card


def test_every_reader_of_checkpoints_writes_such_a_card() -> None:
    readers = [found for method in every_method().values() if (found := method.published()) is not None]
    assert len(readers) >= 3
    for reader in readers:
        assert headings(reader.card("x.pt", reader.config_names()[0], "float32")) == HEADINGS
