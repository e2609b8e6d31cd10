"""From a vector to a cloud of points: a tree of graph layers (Arshad and Beksi 2023, section 3.1; Shu et al. 2019)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

SLOPE = 0.2


class TreeLayer(nn.Module):
    """Each node gets children: from its own features by a matrix of its own, and from all of its ancestors.

    Args:
        features: channels of every level so far, the root first.
        outputs: channels of the children.
        degree: of them for each node.
        nodes: in the level above.
        support: widening of the two linear layers through which children pass.
        last: no bias and no activation; the bias exists all the same, as in published files.
    """

    def __init__(
        self, features: Sequence[int], outputs: int, *, degree: int, nodes: int, support: int, last: bool
    ) -> None:
        super().__init__()
        inputs = features[-1]
        self.degree, self.last = degree, last
        self.W_root = nn.ModuleList([nn.Linear(channels, outputs, bias=False) for channels in features])
        self.W_branch = nn.Parameter(torch.empty(nodes, inputs, degree * inputs))
        self.W_loop = nn.Sequential(
            nn.Linear(inputs, inputs * support, bias=False), nn.Linear(inputs * support, outputs, bias=False)
        )
        self.bias = nn.Parameter(torch.empty(1, degree, outputs).uniform_(-1, 1) / math.sqrt(outputs))
        nn.init.normal_(self.W_branch, std=math.sqrt(2 / (1 + SLOPE**2)) / inputs / math.sqrt(degree))

    def forward(self, levels: Sequence[Float[Tensor, "b _ _"]]) -> Float[Tensor, "b m o"]:
        """The children of the last of `levels`, the children of a node side by side."""
        nodes = levels[-1].shape[1]
        rooted = [
            root(level).repeat_interleave(nodes // level.shape[1], dim=1)
            for root, level in zip(self.W_root, levels, strict=True)
        ]
        inherited = torch.stack(rooted).sum(0).repeat_interleave(self.degree, dim=1)
        own = torch.einsum("bnc,ncd->bnd", levels[-1], self.W_branch)
        children = leaky_relu(own, SLOPE).unflatten(2, (self.degree, -1)).flatten(1, 2)
        joined = inherited + self.W_loop(children)
        return joined if self.last else leaky_relu(joined + self.bias.repeat(1, nodes, 1), SLOPE)


class TreeDecoder(nn.Module):
    """Points from a vector, coarse to fine.

    Args:
        features: channels of each level, the vector first and 3 last.
        degrees: children of a node in each level.
        support: see `TreeLayer`.
    """

    def __init__(self, features: Sequence[int], degrees: Sequence[int], support: int = 10) -> None:
        super().__init__()
        self.gcn = nn.Sequential()
        nodes = 1
        for level, degree in enumerate(degrees):
            layer = TreeLayer(
                features[: level + 1],
                features[level + 1],
                degree=degree,
                nodes=nodes,
                support=support,
                last=level == len(degrees) - 1,
            )
            self.gcn.add_module(f"TreeGCN_{level}", layer)
            nodes *= degree

    def levels(self, vector: Float[Tensor, "b v"]) -> list[Float[Tensor, "b _ _"]]:
        """The root, and the nodes that each layer adds."""
        found = [vector[:, None]]
        for layer in self.gcn:
            found.append(layer(found))
        return found

    def forward(self, vector: Float[Tensor, "b v"]) -> Float[Tensor, "b n 3"]:
        """The cloud in coordinates of the object's box, not clamped to it."""
        return self.levels(vector)[-1]
