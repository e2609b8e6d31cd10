"""How much faster a training step of PoF3D is than in the published order of computation, and what memory it takes.

    python benchmarks/pof3d_training.py [--config ffhq] [--batch 4] [--raw 64] [--rounds 2] [--device cpu]

Both compute the losses and gradients of one iteration with the same networks of full size and random weights, in the
same run, one after the other: the twin as `--published` does, every term with a rendering of its own and the
discriminator run once for the pose and once for the score; ours with planes that are made once and one run
of the discriminator. Lazy regularisations count as often as they are due. The least time of the rounds counts.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any

import torch
from memory import peak_bytes

from monoform.methods.pof3d.networks import Pof3dNetworks
from monoform.methods.pof3d.published_steps import PublishedSteps
from monoform.methods.pof3d.step_parts import Chance
from monoform.methods.pof3d.steps import Steps
from monoform.methods.pof3d.training_config import PRESETS

SEEN = 1e6
"""Images after which nothing is blurred: the cheaper case, which is nearly all of a training."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="ffhq", choices=list(PRESETS))
    parser.add_argument("--batch", type=int, default=4, help="images of a micro-batch")
    parser.add_argument("--raw", type=int, default=64, help="pixels along a side of what is rendered")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    asked = parser.parse_args()
    rows = {name: measured_apart(asked, published) for name, published in (("twin", True), ("ours", False))}
    print(f"{asked.config}, batch {asked.batch}, rendering {asked.raw} x {asked.raw}, {asked.device}")
    for name, (parts, peak) in rows.items():
        listed = ", ".join(f"{part} {seconds:.2f} s" for part, seconds in parts.items())
        print(f"{name}: a step {whole(parts):.2f} s ({listed}), peak memory {peak:.2f} GB")
    gain, space = whole(rows["twin"][0]) / whole(rows["ours"][0]), rows["ours"][1] / rows["twin"][1]
    print(f"{gain:.2f} times as many steps in the same time, with {space:.2f} of the memory")


def whole(parts: dict[str, float]) -> float:
    """Seconds of a step, with regularisations every 4 and every 16."""
    return parts["generator"] + parts["smoothness"] / 4 + parts["discriminator"] + parts["penalty"] / 16


def measured_apart(asked: Any, published: bool) -> tuple[dict[str, float], float]:
    """In a process of its own, whose largest memory is that of the steps."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=measure, args=(theirs, asked, published))
    process.start()
    found: tuple[dict[str, float], float] = ours.recv()
    process.join()
    return found


def measure(answer: Connection, asked: Any, published: bool) -> None:
    torch.manual_seed(0)
    options = replace(PRESETS[asked.config], batch=asked.batch, resolution_start=asked.raw)
    nets = Pof3dNetworks(options.networks()).to(asked.device)
    assert nets.discriminator is not None
    kind = PublishedSteps if published else Steps
    steps = kind(nets.generator, nets.discriminator, options, images_a_step=32)
    chance = Chance(torch.Generator(asked.device).manual_seed(0))
    z = chance.normal(asked.batch, options.network.network.z_dim)
    real = chance.uniform(asked.batch, 3, options.network.resolution, options.network.resolution) * 2 - 1
    phases: dict[str, tuple[Any, Any, Callable[[], Iterator[Any]]]] = {
        "generator": (nets.generator, nets.discriminator, lambda: steps.generator_terms(z, SEEN, chance)),
        "smoothness": (nets.generator, nets.discriminator, lambda: steps.smoothness_terms(z, SEEN, chance)),
        "discriminator": (
            nets.discriminator,
            nets.generator,
            lambda: steps.discriminator_terms(z, real, SEEN, chance),
        ),
        "penalty": (nets.discriminator, nets.generator, lambda: steps.penalty_terms(real, SEEN, chance)),
    }
    parts = dict.fromkeys(phases, float("inf"))
    for _ in range(asked.rounds):
        for name, (learning, still, terms) in phases.items():
            learning.requires_grad_(True).zero_grad()
            still.requires_grad_(False)
            parts[name] = min(parts[name], seconds_of(terms, asked.device))
            learning.zero_grad()
    peak = torch.cuda.max_memory_allocated() if asked.device == "cuda" else peak_bytes()
    answer.send((parts, peak / 1e9))


def seconds_of(terms: Callable[[], Iterator[Any]], device: str) -> float:
    """Of all terms with their gradients: processor time on a CPU, which others may use too."""
    clock = time.perf_counter if device == "cuda" else time.process_time
    if device == "cuda":
        torch.cuda.synchronize()
    begun = clock()
    for loss, _ in terms():
        loss.backward()
    if device == "cuda":
        torch.cuda.synchronize()
    return clock() - begun


if __name__ == "__main__":
    main()
