"""New views by pixelNeRF from one input view, on objects that were not trained on, against what needs no network.

    python benchmarks/quality_pixelnerf.py DATA --weights WEIGHTS --sources 0 --out OUT

DATA is a posed data set with the splits train and test, such as `monoform prepare renders` makes. Every object of the
split is rendered from its source view into all its other views, or into --targets, as `monoform evaluate pixelnerf`
does. In the table:

    pixelnerf     the weights
    untrained     the same network as it starts
    mean shape    at each target the mean, over the training objects, of their view from the nearest direction
    mean image    one image everywhere: the mean of all training views
    input view    the source view itself
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from monoform.data.posed.cached import CachedObjects
from monoform.data.posed.objects import PosedObject, PosedObjects
from monoform.data.posed.open import open_posed
from monoform.methods.pixelnerf.config import PixelNerfConfig
from monoform.methods.pixelnerf.evaluate import EvaluationOptions, evaluate
from monoform.methods.pixelnerf.model import PixelNerfNet
from monoform.metrics import psnr, ssim
from monoform.metrics.table import ObjectScores, summary_of
from monoform.outputs import atomic_file
from monoform.training import load_pretrained

Guess = Callable[[PosedObject, PosedObject, int], Tensor]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--sources", type=int, nargs="+", default=[0])
    parser.add_argument("--targets", type=int, nargs="*", default=[], help="views to render; all others by default")
    parser.add_argument("--split", default="test")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    options = EvaluationOptions(sources=tuple(asked.sources), targets=tuple(asked.targets), compare=True)
    net, config = load_pretrained(PixelNerfNet, PixelNerfConfig, asked.weights)
    training, test = (open_posed(asked.data, split, size=config.domain.size) for split in ("train", asked.split))
    torch.manual_seed(0)
    summaries = {
        "pixelnerf": evaluate(net, test, asked.out / "pixelnerf", options),
        "untrained": evaluate(PixelNerfNet(config).eval(), test, asked.out / "untrained", options),
        **{name: guessed(guess, test, options) for name, guess in guesses(training).items()},
    }
    with atomic_file(asked.out / "quality.json") as file:
        file.write_text(json.dumps(summaries, indent=2))
    print_table(summaries)


def guesses(training: PosedObjects) -> dict[str, Guess]:
    """What needs no network: (source views, all views, number of the target) -> image."""
    held = CachedObjects(training)
    mean = torch.stack([held[number].images.mean(0) for number in range(len(held))]).mean(0)

    def mean_shape(source: PosedObject, content: PosedObject, target: int) -> Tensor:
        del source
        towards = direction_of(content, target)
        found = [held[number] for number in range(len(held))]
        return torch.stack([one.images[int((directions_of(one) @ towards).argmax())] for one in found]).mean(0)

    return {
        "mean shape": mean_shape,
        "mean image": lambda source, content, target: mean,
        "input view": lambda source, content, target: source.images[0],
    }


def directions_of(content: PosedObject) -> Tensor:
    """Unit vectors from the object to its cameras."""
    return torch.nn.functional.normalize(content.cameras.position, dim=1)


def direction_of(content: PosedObject, view: int) -> Tensor:
    """The same of one of them."""
    return directions_of(content)[view]


def guessed(guess: Guess, test: PosedObjects, options: EvaluationOptions) -> dict:
    """The scores of a guess, by the protocol of `evaluate`."""
    return summary_of(list(rows_of(guess, test, options)))


def rows_of(guess: Guess, test: PosedObjects, options: EvaluationOptions) -> Iterator[ObjectScores]:
    """One row for each object."""
    for number, key in enumerate(test.keys):
        content = test.load(number)
        generator = torch.Generator().manual_seed(number)
        sources = options.sources_of(key, len(content), generator)
        source = test.load(number, sources)
        targets = options.targets_of(sources, len(content), generator)
        found = []
        for view in targets:
            image = (guess(source, content, view) * 255).round() / 255
            found.append((psnr(image, content.images[view]), ssim(image, content.images[view])))
        mean = np.mean(found, axis=0)
        yield ObjectScores(content.name, content.category, len(found), {"psnr": float(mean[0]), "ssim": float(mean[1])})


def print_table(summaries: dict[str, dict]) -> None:
    """A line for each, and how far the network is ahead of the best of the last two."""
    print(f"{'':12} {'PSNR':>7} {'SSIM':>7} {'objects':>8}")
    for name, summary in summaries.items():
        print(f"{name:12} {summary['total']['psnr']:7.2f} {summary['total']['ssim']:7.3f} {summary['objects']:8}")
    plain = max(summaries[name]["total"]["psnr"] for name in ("mean image", "input view"))
    print(f"pixelnerf is {summaries['pixelnerf']['total']['psnr'] - plain:+.2f} dB from the better of the last two")


if __name__ == "__main__":
    main()
