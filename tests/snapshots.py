"""Snapshots as published programs pickle them: networks with the source of their classes, and other objects by name."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

SOURCE = "open('hacked', 'w'); raise RuntimeError('the source was run')"


def reconstruct(meta: dict[str, Any]) -> object:
    raise AssertionError("nobody calls this")


class EasyDict(dict):
    """A dictionary of another library."""


class Plain:
    """An object that is pickled by the name of its class."""

    def __init__(self, **attributes: Any) -> None:
        vars(self).update({"_parameters": {}, "_buffers": {}, "_modules": {}} | attributes)


class InverseRenderer(Plain):
    """Another one."""


PLACES = {
    reconstruct: ("torch_utils.persistence", "_reconstruct_persistent_obj"),
    EasyDict: ("dnnlib.util", "EasyDict"),
    Plain: ("training.volumetric_rendering.renderer", "ImportanceRenderer"),
    InverseRenderer: ("training.inverse_renderer_object", "InverseRendererObject"),
}
for thing, (room, name) in PLACES.items():
    thing.__module__, thing.__qualname__, thing.__name__ = room, name, name


@pytest.fixture
def published_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names by which published files refer to such classes."""
    made: dict[str, ModuleType] = {}
    for thing, (room, name) in PLACES.items():
        parts = room.split(".")
        for place in (".".join(parts[:count]) for count in range(1, len(parts) + 1)):
            made.setdefault(place, ModuleType(place))
        setattr(made[room], name, thing)
    for place, module in made.items():
        monkeypatch.setitem(sys.modules, place, module)


class Node:
    """A module that is pickled with the source of its class.

    Args:
        kind: name of the class.
        attributes: of the module.
    """

    def __init__(self, kind: str, **attributes: Any) -> None:
        self.kind, self.attributes = kind, attributes

    def __reduce__(self) -> tuple[Callable, tuple]:
        meta = {"type": "class", "version": 6, "module_src": SOURCE, "class_name": self.kind}
        return reconstruct, ({**meta, "state": self.attributes},)


def node_of(module: nn.Module, kind: str = "FullyConnectedLayer", **attributes: Any) -> Node:
    """A module of ours as a published program has it: filters are buffers of its state."""
    passing = module._non_persistent_buffers_set
    buffers = {name: value for name, value in module._buffers.items() if name not in passing}
    if "kernel" in passing:
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        buffers["resample_filter"] = torch.outer(taps, taps)
    parts = {name: None if part is None else node_of(part) for name, part in module._modules.items()}
    state = {"_parameters": dict(module._parameters), "_buffers": buffers, "_modules": parts}
    return Node(kind, **state, _non_persistent_buffers_set=set(), training=False, **attributes)


def snapshot_of(
    generator: nn.Module,
    discriminator: nn.Module,
    *,
    kwargs: Mapping[str, Any],
    discriminator_kwargs: Mapping[str, Any],
    training_set: Mapping[str, Any],
    kinds: tuple[str, str] = ("TriPlaneGeneratorPose", "DualDiscriminator"),
    attributes: Mapping[str, Any] | None = None,
    more: Mapping[str, Any] | None = None,
    protocol: int = 4,
) -> bytes:
    """The bytes of network-snapshot-*.pkl.

    Args:
        kwargs: that the generator was made with.
        discriminator_kwargs: and the discriminator.
        training_set: options of the photos.
        kinds: names of both classes.
        attributes: of the generator, further ones.
        more: further objects of the file.
    """
    averaged = node_of(generator, kinds[0], _init_kwargs=EasyDict(kwargs), **(attributes or {}))
    network = generator.config.network
    averaged.attributes["_buffers"]["dataset_label_std"] = torch.zeros(25)
    averaged.attributes["_modules"]["renderer"] = Plain(plane_axes=torch.eye(3).repeat(3, 1, 1))
    planes = {"img_resolution": network.plane_resolution, "img_channels": 3 * network.plane_features}
    averaged.attributes["_modules"]["backbone"].attributes["_init_kwargs"] = EasyDict(planes)
    averaged.attributes["_modules"]["decoder"].attributes["hidden_dim"] = network.decoder_width
    judge = node_of(discriminator, kinds[1], _init_kwargs=EasyDict(discriminator_kwargs))
    content = {"training_set_kwargs": EasyDict(training_set), "G": averaged, "D": judge, "G_ema": averaged}
    return pickle.dumps(content | {"augment_pipe": None} | dict(more or {}), protocol)
