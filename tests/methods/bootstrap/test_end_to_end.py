"""Generator, encoder, inversion: trained in small on made objects, and measured on objects that were not seen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.methods.bootstrap.rendered_eggs import write_eggs

from monoform.methods.bootstrap.config import Network, Rays, Training
from monoform.methods.bootstrap.evaluate import EVALUATION, BootstrapEvaluation
from monoform.methods.bootstrap.train import BootstrapTraining, train_generator
from monoform.methods.bootstrap.train_encoder import EncoderTraining, train_encoder

SIZE = 32
NETWORK = Network(
    16, 16, channel_base=256, channel_max=32, plane_resolution=16, plane_features=8, decoder_width=16, palette=4
)


@pytest.mark.slow
def test_refinement_explains_unseen_photos_better(tmp_path: Path) -> None:
    """Half a minute for each network; the eggs that are inverted were not seen by either."""
    data = write_eggs(tmp_path / "data", train=24, test=4, views=12, size=SIZE)
    training = Training(
        iterations=180,
        batch=8,
        alpha=False,
        augment=0.0,
        ada_target=None,
        r1=1.0,
        warmup=60,
        path_warmup=60,
        rate_warmup=40,
        blur=1.5,
        cells=8,
    )
    options = BootstrapTraining(
        resolution=SIZE,
        network=NETWORK,
        rays=Rays(8, 8),
        training=training,
        pretraining=60,
        evaluate_every=80,
        metric_images=64,
        write_pictures=False,
    )
    loop = options.loop(steps=options.begin + training.iterations, device="cpu", progress=False)
    train_generator(data, tmp_path / "generator", loop, options)
    lines = [json.loads(line) for line in (tmp_path / "generator" / "metrics.jsonl").read_text().splitlines()]
    distances = [line["evaluate/frechet_pyramid_n-1"] for line in lines if line["kind"] == "evaluate"]
    assert distances[-1] < 0.7 * distances[0]

    own = EncoderTraining(iterations=200, batch=8, evaluate_every=0, evaluated=8)
    loop = own.loop(steps=own.iterations, device="cpu", progress=False)
    train_encoder(str(tmp_path / "generator" / "weights"), tmp_path / "encoder", loop, own)

    EVALUATION.run(
        BootstrapEvaluation(
            data=str(data),
            category="shapenet_cars",
            weights=str(tmp_path / "encoder" / "weights"),
            refine=(0, 30),
            loss="l1",
            refine_pose="on",
            limit=8,
            generation=False,
            out=tmp_path / "figures",
        )
    )
    found = json.loads((tmp_path / "figures" / "metrics.json").read_text())["total"]
    assert found["found_n0"] > 0.5 and found["refined_n30"] > 0.5
    assert found["psnr_n30"] > found["psnr_n0"] + 1
