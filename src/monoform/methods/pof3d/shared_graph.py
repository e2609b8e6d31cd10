"""Gradients of several terms through what they share, with the graph of one term in memory at a time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class SharedGraph:
    """Tensors that several terms are made of: computed once, and differentiated once.

    Each term is made of `leaves`, cut off from how they were made, and passes through `counted`; after the backward
    passes of all, that of `rest` brings the gradients on. Its value is 0.
    """

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self._made = list(tensors)
        self.leaves = [each.detach().requires_grad_(each.requires_grad) for each in self._made]
        # A loop may scale the terms: the gradient of this number tells by how much.
        self._unit = torch.zeros((), device=self._made[0].device, requires_grad=True)
        self._terms = 0

    def counted(self, term: Tensor) -> Tensor:
        """The same term."""
        self._terms += 1
        return term + self._unit

    def rest(self) -> Tensor:
        """0, with the gradients of all terms that were counted."""
        assert self._unit.grad is not None, "the terms have not had their backward passes"
        scale = self._unit.grad / self._terms
        parts = [
            (made * (leaf.grad / scale)).sum()
            for made, leaf in zip(self._made, self.leaves, strict=True)
            if leaf.grad is not None and made.requires_grad
        ]
        whole = torch.stack(parts).sum()
        return whole - whole.detach()
