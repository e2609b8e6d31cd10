"""Training of pixelNeRF: what a batch holds, what is learned, resumed and shared between processes."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.methods.pixelnerf.balls import COLORS, TINY, Balls, mean_square_of_mean_color, on_the_ball
from tests.training.training_cases import assert_same_bits, final_state

from monoform import InputError
from monoform.methods.pixelnerf.model import PixelNerfNet
from monoform.methods.pixelnerf.published import PUBLISHED, write_published
from monoform.methods.pixelnerf.published_training import read_training, seen_objects
from monoform.methods.pixelnerf.sample_schedule import SampleSchedule
from monoform.methods.pixelnerf.train import PixelNerfTask, PixelNerfTraining
from monoform.training import Optimizer, Phase, TrainOptions, train

ROOT = Path(__file__).parents[3]
SMALL = PixelNerfTraining(objects=2, rays=24, rate=3e-3)


def task(options: PixelNerfTraining = SMALL, size: int = 16, **others) -> PixelNerfTask:
    torch.manual_seed(0)
    return PixelNerfTask(PixelNerfNet(TINY), Balls(size=size), options, steps=250, **others)


def test_rays_have_the_colors_of_what_they_meet():
    batch = task(replace(SMALL, rays=200)).batch(0, torch.Generator().manual_seed(0))
    origins, directions, limits = batch.rays.split((3, 3, 2), dim=-1)
    torch.testing.assert_close(directions.norm(dim=-1), torch.ones(2, 200))
    assert (limits == torch.tensor([0.8, 1.8])).all()
    hit = on_the_ball(origins, directions)
    assert (batch.colors[~hit] == 1).all()
    for ball in range(2):
        colors = batch.colors[ball][hit[ball]]
        assert len(colors) > 50 and (torch.cdist(colors, COLORS) < 0.01).any(dim=1).all()
        assert (colors.std(dim=0) < 1e-5).all(), "all rays of an object meet the same ball"
        source = batch.images[ball]
        assert ((source - colors[0]).abs().amax(-1) < 1e-5).any(), "and its source view shows that ball"


def test_boxes_hold_the_rays_as_long_as_they_are_asked_for():
    """A box is as wide as the ball, so that pi / 4 of its pixels show the ball, and fewer of all pixels."""
    short = replace(SMALL, rays=400, boxes_until=10)
    shares = []
    for step in (9, 10):
        batch = task(short, size=64).batch(step, torch.Generator().manual_seed(1))
        shares.append(float((batch.colors < 1).any(dim=-1).float().mean()))
    whole = float(torch.cat([(ball.images < 1).any(-1).flatten() for ball in Balls(size=64)]).float().mean())
    assert shares[0] == pytest.approx(0.785, abs=0.05) and shares[1] == pytest.approx(whole, abs=0.06)
    assert shares[0] > shares[1] + 0.1


def test_source_views_differ_and_their_number_is_drawn():
    drawing = task(replace(SMALL, views=(1, 3)))
    counts = set()
    for step in range(12):
        batch = drawing.batch(step, torch.Generator().manual_seed(step))
        counts.add(batch.images.shape[1])
        poses = batch.poses.reshape(2, -1, 16)
        assert all(len(torch.unique(one, dim=0)) == len(one) for one in poses)
    assert counts == {1, 3}


@pytest.mark.parametrize("changed", [{"absolute": True}, {"recolor": True}, {"most_views": 1}, {"views": (2,)}])
def test_options_change_the_loss(changed: dict):
    losses = []
    for options in (SMALL, replace(SMALL, **changed)):
        made = task(options)
        batch = made.batch(0, torch.Generator().manual_seed(3))
        losses.append(float(made._loss(batch, 0, torch.Generator().manual_seed(4))[0].detach()))
    assert abs(losses[0] - losses[1]) > 1e-4


def test_samples_grow_with_the_objects_that_were_seen():
    """Two objects a step: the third step is the first that has seen four."""
    options = replace(SMALL, samples_from=(4, 10), coarse_samples=(20, 30), fine_samples=(12, 16))
    wanted = options.samples_from, options.coarse_samples, options.fine_samples
    made = task(options, samples=SampleSchedule(TINY.sampling, *wanted))
    counts = []
    for step in range(7):
        sampling = made.samples.at(made.seen + step * options.objects)
        counts.append((sampling.coarse, sampling.fine))
    own = (TINY.sampling.coarse, TINY.sampling.fine)
    assert counts == [own, own, (20, 12), (20, 12), (20, 12), (30, 16), (30, 16)]
    assert made.samples.last.coarse == 30 and SampleSchedule(TINY.sampling).last == TINY.sampling
    batch = made.batch(0, torch.Generator().manual_seed(3))
    losses = [float(made._loss(batch, step, torch.Generator().manual_seed(4))[0].detach()) for step in (0, 1, 2)]
    assert losses[0] == losses[1] != losses[2]


def test_a_resumed_training_knows_what_it_has_seen(halfway, tmp_path: Path):
    folder, _ = halfway
    assert seen_objects(folder, 8) == 8
    for content, expected in (({"iter_idx": torch.tensor(96), "last_sched": torch.tensor(1)}, 96), ({}, None)):
        torch.save(content, tmp_path / "_renderer")
        if expected is None:
            with pytest.raises(InputError, match="how many objects"):
                seen_objects(tmp_path, 8)
        else:
            assert seen_objects(tmp_path, 8) == expected


def test_a_frozen_encoder_stays_as_it_is(tmp_path: Path):
    made = task(replace(SMALL, freeze_encoder=True))
    before = {name: value.clone() for name, value in made.net.state_dict().items()}
    train(made, tmp_path, options=TrainOptions(steps=3, progress=False))
    changed = {name for name, value in made.net.state_dict().items() if not torch.equal(value, before[name])}
    assert changed and not any(name.startswith("encoder") for name in changed)


@pytest.mark.parametrize("evaluating", [False, True])
def test_each_step_sets_its_mode(tmp_path: Path, evaluating: bool):
    """In the original the first step alone is in evaluation mode; with micro-batches too."""
    modes: list[tuple[int, bool]] = []

    class Noted(PixelNerfTask):
        def _loss(self, batch, step, generator):
            modes.append((step, self.net.training))
            return super()._loss(batch, step, generator)

    torch.manual_seed(0)
    config = replace(TINY, compat=replace(TINY.compat, first_step_in_evaluation=evaluating))
    made = Noted(PixelNerfNet(config), Balls(), SMALL, steps=3)
    train(made, tmp_path, options=TrainOptions(steps=3, accumulate=2, progress=False))
    assert modes == [(step, step > 0 or not evaluating) for step in range(3) for _ in range(2)]


def test_it_learns_the_balls(tmp_path: Path):
    options = TrainOptions(steps=250, evaluate_every=250, progress=False)
    result = train(task(held_out=Balls()), tmp_path, options=options)
    mean_color = -10 * torch.log10(torch.tensor(mean_square_of_mean_color()))
    assert result.metrics["evaluate/psnr"] > float(mean_color) + 1


def test_interrupted_equals_uninterrupted(tmp_path: Path):
    options = TrainOptions(steps=6, checkpoint_every=2, ema_decay=0.9, progress=False)
    train(task(), tmp_path / "whole", options=options)
    train(task(), tmp_path / "parts", options=replace(options, max_seconds=1e-3))
    assert final_state(tmp_path / "parts")["step"] < 6
    train(task(), tmp_path / "parts", options=options)
    assert_same_bits(final_state(tmp_path / "whole"), final_state(tmp_path / "parts"))


PUBLISHED_TINY = replace(TINY, network=replace(TINY.network, keep_unused_layers=True), compat=PUBLISHED)


@pytest.fixture(scope="module")
def halfway(tmp_path_factory) -> tuple[Path, dict]:
    """A training of four steps in the authors' files, and the state after six steps without a stop."""
    root = tmp_path_factory.mktemp("published")
    for steps in (4, 6):
        torch.manual_seed(0)
        made = PixelNerfTask(PixelNerfNet(PUBLISHED_TINY), Balls(), SMALL, steps=6)
        train(made, root / f"steps{steps}", options=TrainOptions(steps=steps, progress=False))
        if steps == 4:
            write_published(made.net, root / "pixel_nerf_latest")
    torch.save(final_state(root / "steps4")["optimizers"]["pixelnerf"], root / "_optim")
    torch.save({"iter": 4}, root / "_iter")
    return root, final_state(root / "steps6")


def test_a_training_of_the_authors_program_goes_on_as_if_it_had_not_stopped(halfway, tmp_path: Path):
    folder, expected = halfway
    net, started = read_training(folder, PUBLISHED_TINY, rate=SMALL.rate)
    assert started.step == 4
    made = PixelNerfTask(net, Balls(), SMALL, steps=6, started=started)
    train(made, tmp_path / "out", options=TrainOptions(steps=6, ema_decay=0.9, progress=False))
    found = final_state(tmp_path / "out")
    assert_same_bits({name: found[name] for name in ("step", "model")}, {n: expected[n] for n in ("step", "model")})
    assert_same_bits(found["optimizers"], expected["optimizers"])
    shown = "mlp_fine.lin_out.weight"
    assert not torch.equal(found["ema"][shown], found["model"][shown])
    with pytest.raises(InputError, match="stands at step 4 already"):
        train(made, tmp_path / "short", options=TrainOptions(steps=4, progress=False))


def test_a_folder_that_is_no_such_training_is_refused(halfway, tmp_path: Path):
    folder, _ = halfway
    good = {name: torch.load(folder / name, weights_only=True) for name in ("pixel_nerf_latest", "_optim", "_iter")}
    optim = good["_optim"]
    number = next(iter(optim["state"]))
    short = {name: torch.zeros(3) for name in ("exp_avg", "exp_avg_sq")}
    cases = [
        ("_iter", {"iter": -1}, "how many steps"),
        ("_iter", [1], "how many steps"),
        ("_optim", {"state": {}}, "no state of Adam"),
        ("_optim", optim | {"param_groups": [optim["param_groups"][0] | {"params": [0]}]}, "another number of tensors"),
        ("_optim", optim | {"state": optim["state"] | {number: short}}, "another shape"),
        ("_optim", optim | {"param_groups": [optim["param_groups"][0] | {"lr": 1e-5}]}, "give rate=1e-05"),
        ("_optim", None, "There is no file"),
    ]
    for count, (name, content, words) in enumerate(cases):
        place = tmp_path / str(count)
        place.mkdir()
        for other, value in (good | {name: content}).items():
            if value is not None:
                torch.save(value, place / other)
        with pytest.raises(InputError, match=words):
            read_training(place, PUBLISHED_TINY, rate=SMALL.rate)


class Plain(PixelNerfTask):
    """Trained by gradient descent: Adam would make large steps of what is nearly no gradient."""

    def phases(self) -> list[Phase]:
        """The same phase with another optimizer."""
        return [replace(phase, optimizer=Optimizer("sgd", rate=0.1)) for phase in super().phases()]


def plain_task() -> Plain:
    torch.manual_seed(0)
    return Plain(PixelNerfNet(TINY), Balls(), SMALL, steps=3)


SCRIPT = """
import sys
from tests.methods.pixelnerf.test_training import plain_task
from monoform.training import TrainOptions, train
train(plain_task(), sys.argv[1], options=TrainOptions(steps=3, progress=False))
"""


def test_two_processes_equal_one_with_both_batches(tmp_path: Path):
    """Weights within 1e-5 of each other after three steps: the same sums in another order."""
    (tmp_path / "script.py").write_text(SCRIPT)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [*launcher, str(tmp_path / "script.py"), str(tmp_path / "two")],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    train(plain_task(), tmp_path / "one", options=TrainOptions(steps=3, accumulate=2, progress=False))
    one, two = final_state(tmp_path / "one")["model"], final_state(tmp_path / "two")["model"]
    start = plain_task().net.state_dict()
    weights = [name for name, _ in plain_task().net.named_parameters()]
    assert max(float((one[name] - start[name]).abs().max()) for name in weights) > 1e-3
    for name in weights:
        torch.testing.assert_close(two[name], one[name], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"views": (0,)}, "views"),
        ({"views": ()}, "views"),
        ({"rays": 0}, "rays"),
        ({"published": "a", "weights": "b"}, "weights of its own"),
        ({"conf": "a"}, "published"),
        ({"samples_from": (1, 2), "coarse_samples": (3,)}, "as many of each"),
        ({"samples_from": (2, 1), "coarse_samples": (8, 8), "fine_samples": (0, 0)}, "ascending"),
        ({"samples_from": (1,), "coarse_samples": (0,), "fine_samples": (0,)}, "coarse"),
    ],
)
def test_options_that_cannot_be_used(wrong: dict, match: str):
    with pytest.raises(InputError, match=match):
        replace(SMALL, **wrong)


def test_more_source_views_than_there_are():
    with pytest.raises(InputError, match="has 4 views; 5 source views"):
        task(replace(SMALL, views=(5,))).batch(0, torch.Generator())
