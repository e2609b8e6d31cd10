"""The processes of a training under Lightning Fabric, and the little they tell each other."""

from __future__ import annotations

import atexit
import os
import warnings
from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..devices import device_named
from ..errors import InputError
from ..workers import end_with_parent
from .options import TrainOptions

if TYPE_CHECKING:
    from lightning.fabric import Fabric


def start_fabric(options: TrainOptions) -> Fabric:
    """Fabric on the chosen device, with all processes running.

    Raises:
        InputError: Lightning is not installed, or the device is not there.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from lightning.fabric import Fabric
    except ImportError as error:
        raise InputError("Training needs Lightning: pip install 'monoform[train]'.") from error
    processes, nodes = _counts(options)
    device = device_named(options.device)
    strategy = "ddp" if processes * nodes > 1 else "auto"
    try:
        fabric = Fabric(
            accelerator=device.type,
            devices=processes,
            num_nodes=nodes,
            strategy=strategy,
            precision=options.precision,
        )
        fabric.launch()
    except (RuntimeError, ValueError, TypeError) as error:
        raise InputError(
            f"Training cannot start on device {options.device} with {processes} x {nodes} processes: {error}"
        ) from error
    if fabric.world_size > 1:
        if os.environ.get("LOCAL_RANK", "0") != "0" and not _is_launched_by_torch():
            end_with_parent(at_once=True)  # the first process has started this one
        atexit.register(_leave_group)
    return fabric


def _leave_group() -> None:
    """A group that is still there when Python ends may abort the process: Fabric leaves only those of NCCL."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def process_count(options: TrainOptions) -> int:
    """How many processes a training with these options has."""
    processes, nodes = _counts(options)
    return processes * nodes


def _is_launched_by_torch() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_torchelastic_launched()


def _counts(options: TrainOptions) -> tuple[int, int]:
    if not _is_launched_by_torch():
        return options.processes, options.nodes
    local = int(os.environ["LOCAL_WORLD_SIZE"])
    return local, int(os.environ["WORLD_SIZE"]) // local


@torch.no_grad()
def copy_from_first(fabric: Fabric, tensors: Iterable[Tensor]) -> None:
    """Give every process the tensors of the first one, bit for bit."""
    if fabric.world_size == 1:
        return
    by_kind: dict[torch.dtype, list[Tensor]] = defaultdict(list)
    for tensor in tensors:
        by_kind[tensor.dtype].append(tensor)
    for kind, group in by_kind.items():
        flat = torch.cat([tensor.detach().reshape(-1) for tensor in group])
        flat = flat.to(torch.uint8) if kind == torch.bool else flat
        # A sum in which all others are zero is exact.
        flat = _total(fabric, flat if fabric.global_rank == 0 else torch.zeros_like(flat))
        for tensor, piece in zip(group, flat.split([item.numel() for item in group]), strict=True):
            tensor.copy_(piece.reshape(tensor.shape))


@torch.no_grad()
def average(fabric: Fabric, parameters: list[Tensor], values: Tensor) -> Tensor:
    """Average gradients and further values over the processes; returns the values.

    Gradients are averaged here and not by hooks on a wrapped module: a phase may call any part of the module, any
    number of times, and its loss may hold gradients itself. A parameter without a gradient in every process keeps none.
    """
    if fabric.world_size == 1:
        return values
    device = values.device
    absent = [parameter.grad is None for parameter in parameters]
    gradients = [torch.zeros_like(item) if item.grad is None else item.grad for item in parameters]
    flags = torch.tensor([0.0 if missing else 1.0 for missing in absent], device=device)
    flat = torch.cat([*(gradient.reshape(-1) for gradient in gradients), flags, values])
    flat = _total(fabric, flat) / fabric.world_size
    *means, flags, values = flat.split([*(item.numel() for item in parameters), len(parameters), len(values)])
    nowhere = (flags == 0).tolist() if any(absent) else [False] * len(parameters)
    for parameter, mean, none in zip(parameters, means, nowhere, strict=True):
        parameter.grad = None if none else mean.reshape(parameter.shape).to(parameter.dtype)
    return values


def largest(fabric: Fabric, value: int, below: int) -> int:
    """The largest of the processes' values, each 0..below - 1."""
    if fabric.world_size == 1:
        return value
    seen = torch.zeros(below, device=fabric.device)
    seen[value] = 1
    return int(_total(fabric, seen).nonzero().max())


def _total(fabric: Fabric, tensor: Tensor) -> Tensor:
    total = fabric.all_reduce(tensor, reduce_op="sum")
    assert isinstance(total, Tensor)
    return total
