"""A generator of its own for some photos: pivotal tuning (Roich et al. 2022), with latent and camera held."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from .model import BootstrapGenerator
from .refined_state import State
from .refinement import Refinement


@contextmanager
def frozen(net: nn.Module) -> Iterator[None]:
    """Without gradients of the weights, which stay as they are."""
    wanted = [parameter for parameter in net.parameters() if parameter.requires_grad]
    for parameter in wanted:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in wanted:
            parameter.requires_grad_(True)


def tuned(run: Refinement, state: State) -> BootstrapGenerator:
    """The generator after the steps that its options ask for."""
    net = copy.deepcopy(run.net).requires_grad_(True)
    rows = torch.arange(len(state.latent), device=state.latent.device)
    cameras = run.cameras(state.pose, rows)
    ws = (state.latent * run.options.gain).expand(-1, net.slots, -1)
    optimizer = torch.optim.Adam(net.parameters(), run.options.tuning_rate)
    with torch.inference_mode(False), torch.enable_grad():
        for _ in range(run.options.tuning_steps):
            rgb, alpha = run.look(net, ws, cameras, rows, rows.tolist())
            total = torch.stack([term.sum() for term in run.compared(rgb, alpha, rows).values()]).sum()
            if not bool(torch.isfinite(total)):
                break
            optimizer.zero_grad(set_to_none=True)
            total.backward()
            optimizer.step()
            net.clamp_surface()
    return net.requires_grad_(False)
