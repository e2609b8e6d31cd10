"""The engine on losses whose minimum is known, and on what can go wrong."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from monoform.errors import InputError
from monoform.inversion import Exponential, Loss, Variable, fit, trackable
from monoform.training import Cosine

TARGET = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)


def bowl(values: Mapping[str, Tensor], step: int) -> dict[str, Tensor]:
    """Squared distance to the target, summed over all but an axis of hypotheses."""
    return {"bowl": (values["x"] - TARGET).square().sum(-1)}


def start(*shape: int) -> Tensor:
    return torch.randn(*shape, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_finds_the_minimum_of_a_bowl() -> None:
    result = fit([Variable("x", start(), 0.1)], bowl, steps=300, schedule=Cosine(300))
    assert torch.allclose(result.values["x"], TARGET, atol=1e-4)
    assert result.stopped == "steps" and result.seconds > 0
    assert result.history["total"].shape == (301,)
    assert torch.equal(result.history["total"], result.history["bowl"])


def test_steps_are_those_of_torch_adam() -> None:
    theirs = start().requires_grad_()
    optimizer = torch.optim.Adam([theirs], lr=0.05)
    scale = torch.optim.lr_scheduler.LambdaLR(optimizer, Exponential(40, 0.2))
    for _ in range(40):
        optimizer.zero_grad()
        bowl({"x": theirs}, 0)["bowl"].backward()
        optimizer.step()
        scale.step()
    ours = fit([Variable("x", start(), 0.05, Exponential(40, 0.2))], bowl, steps=40, keep="last")
    assert torch.allclose(ours.values["x"], theirs.detach(), atol=1e-12, rtol=0)


def test_clipping_is_that_of_torch() -> None:
    theirs = start().requires_grad_()
    optimizer = torch.optim.Adam([theirs], lr=0.05)
    for step in range(10):
        optimizer.zero_grad()
        (bowl({"x": theirs}, 0)["bowl"] * (step + 1)).backward()
        torch.nn.utils.clip_grad_norm_([theirs], 0.5)
        optimizer.step()

    def growing(values: Mapping[str, Tensor], step: int) -> dict[str, Tensor]:
        return {"bowl": bowl(values, step)["bowl"] * (step + 1)}

    ours = fit([Variable("x", start(), 0.05)], growing, steps=10, keep="last", clip=0.5)
    free = fit([Variable("x", start(), 0.05)], growing, steps=10, keep="last")
    assert torch.allclose(ours.values["x"], theirs.detach(), atol=1e-5)
    assert not torch.allclose(ours.values["x"], free.values["x"], atol=1e-3)


def test_the_best_is_kept_not_the_last() -> None:
    def detour(values: Mapping[str, Tensor], step: int) -> dict[str, Tensor]:
        """From step 5 on, everything is drawn far away."""
        aim = TARGET if step < 5 else TARGET + 50
        return {"detour": (values["x"] - aim).square().sum()}

    best = fit([Variable("x", start(), 0.1)], detour, steps=20)
    last = fit([Variable("x", start(), 0.1)], detour, steps=20, keep="last")
    assert best.best_step == int(best.history["total"].argmin()) == 4
    assert float(best.best_loss) == float(best.history["total"].min())
    assert torch.equal(detour(best.values, 4)["detour"], best.history["total"][4])
    assert torch.equal(detour(last.values, 20)["detour"], last.history["total"][-1])


def test_a_loss_that_turns_nan_ends_the_fit_with_the_best_so_far() -> None:
    def breaks(values: Mapping[str, Tensor], step: int) -> dict[str, Tensor]:
        total = bowl(values, step)["bowl"]
        return {"bowl": total * math.nan if step == 7 else total}

    result = fit([Variable("x", start(), 0.1)], breaks, steps=50)
    assert result.stopped == "nonfinite" and bool(result.nonfinite)
    assert result.best_step == 6 and len(result.history["total"]) == 8
    assert torch.equal(bowl(result.values, 6)["bowl"], result.best_loss)


def test_gradients_that_are_infinite_end_the_fit() -> None:
    def root(values: Mapping[str, Tensor], step: int) -> dict[str, Tensor]:
        return {"root": values["x"].abs().sqrt().sum()}

    result = fit([Variable("x", torch.zeros(2), 0.1)], root, steps=5)
    assert result.stopped == "nonfinite" and torch.equal(result.values["x"], torch.zeros(2))
    assert float(result.best_loss) == 0 and result.best_step == 0


def test_nothing_finite_at_all_gives_the_start_back() -> None:
    result = fit([Variable("x", start(), 0.1)], lambda v, s: {"nan": v["x"].sum() * math.nan}, steps=5)
    assert torch.equal(result.values["x"], start())
    assert result.best_step == -1 and float(result.best_loss) == math.inf


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_runs_inside_callers_that_want_no_gradients(mode: type) -> None:
    with mode():
        value, aim = start() + 0, trackable(TARGET + 0)

        def loss(values: Mapping[str, Tensor], step: int) -> dict[str, Tensor]:
            return {"bowl": (aim * (values["x"] - aim)).square().sum()}

        inside = fit([Variable("x", value, 0.1)], loss, steps=30)
        assert torch.is_inference_mode_enabled() == (mode is torch.inference_mode)
        assert not torch.is_grad_enabled()
    outside = fit([Variable("x", start(), 0.1)], loss, steps=30)
    assert torch.equal(inside.values["x"], outside.values["x"])
    assert not inside.values["x"].requires_grad and not inside.values["x"].is_inference()


def test_trackable_copies_only_what_it_must() -> None:
    plain = torch.ones(2)
    assert trackable(plain) is plain
    with torch.inference_mode():
        made = trackable(torch.ones(2))
    assert not made.is_inference() and torch.equal(made, plain)


def test_the_start_and_other_gradients_are_left_alone() -> None:
    value, weights = start(), torch.nn.Linear(3, 1).double()
    before = value.clone()
    fit([Variable("x", value, 0.1)], lambda v, s: {"net": weights(v["x"]).square().sum()}, steps=3)
    assert torch.equal(value, before) and not value.requires_grad
    assert weights.weight.grad is None


def two_pits(values: Mapping[str, Tensor], step: int) -> dict[str, Tensor]:
    """Minima near -1 and at 1, the second deeper; each hypothesis has a constant of its own."""
    x = values["x"]
    return {"pits": (x.square() - 1).square().sum(-1), "tilt": 0.3 * (1 - x).sum(-1) + values["offset"]}


def several() -> list[Variable]:
    x = torch.tensor([[-1.5], [0.4], [-0.2], [2.0]], dtype=torch.float64)
    return [Variable("x", x, 0.05), Variable("offset", torch.tensor([0.0, 0.3, 0.1, 0.2]).double(), 0.0)]


def alone(index: int, steps: int) -> Tensor:
    one = [Variable(v.name, v.value[index : index + 1], v.rate) for v in several()]
    return fit(one, two_pits, steps=steps, hypotheses=True).values["x"][0]


def test_hypotheses_side_by_side_are_what_each_is_alone() -> None:
    together = fit(several(), two_pits, steps=60, hypotheses=True)
    for index in range(4):
        assert torch.allclose(together.values["x"][index], alone(index, 60), atol=1e-14, rtol=0)
    assert together.best_loss.shape == together.best_step.shape == (4,)
    assert together.history["pits"].shape == (61, 4)
    assert torch.equal(together.winner()["x"], together.values["x"][together.best_loss.argmin()])


def test_pruning_changes_nothing_for_those_that_stay() -> None:
    pruned = fit(several(), two_pits, steps=60, hypotheses=True, prune={10: 2, 30: 1}, clip=1.0)
    free = fit(several(), two_pits, steps=60, hypotheses=True, clip=1.0)
    total = pruned.history["total"]
    left = torch.isfinite(total).sum(1)
    assert left[10] == 4 and left[11] == 2 and left[30] == 2 and left[31] == left[60] == 1
    at_ten = free.history["total"][:11].min(0).values
    stayed = torch.nonzero(torch.isfinite(total[11]))[:, 0]
    assert set(stayed.tolist()) == set(at_ten.argsort()[:2].tolist())
    survivor = int(torch.nonzero(torch.isfinite(total[60]))[0])
    assert torch.allclose(pruned.values["x"][survivor], free.values["x"][survivor], atol=1e-14, rtol=0)
    for index in set(range(4)) - set(stayed.tolist()):
        assert pruned.best_step[index] <= 10
        assert torch.equal(pruned.best_loss[index], at_ten[index])


def test_a_broken_hypothesis_leaves_and_the_others_go_on() -> None:
    def breaks(values: Mapping[str, Tensor], step: int) -> dict[str, Tensor]:
        terms = two_pits(values, step)
        return terms | {"wall": torch.where(values["x"][:, 0] > 1.9, math.nan, 0.0)}

    result = fit(several(), breaks, steps=40, hypotheses=True)
    assert result.nonfinite.tolist() == [False, False, False, True]
    assert result.stopped == "steps" and result.best_step[3] == -1
    assert torch.equal(result.values["x"][3], several()[0].value[3])
    assert torch.allclose(result.values["x"][0], alone(0, 40), atol=1e-14, rtol=0)


def test_patience_ends_a_fit_that_stands_still() -> None:
    result = fit([Variable("x", TARGET.clone(), 1e-9)], bowl, steps=500, patience=8)
    assert result.stopped == "patience" and len(result.history["total"]) == 9
    moving = fit([Variable("x", start(), 0.01)], bowl, steps=60, patience=8)
    assert moving.stopped == "steps"


def test_on_step_hears_the_terms_and_may_end_the_fit() -> None:
    heard: list[float] = []

    def listen(step: int, terms: Mapping[str, Tensor]) -> bool:
        heard.append(float(terms["total"]))
        return step == 4

    result = fit([Variable("x", start(), 0.1)], bowl, steps=50, on_step=listen)
    assert result.stopped == "asked" and heard == result.history["total"].tolist() and len(heard) == 5


def test_twice_is_the_same() -> None:
    first, second = (fit(several(), two_pits, steps=40, hypotheses=True, prune={9: 3}) for _ in range(2))
    assert all(torch.equal(first.values[name], second.values[name]) for name in first.values)
    assert torch.equal(first.history["total"].nan_to_num(), second.history["total"].nan_to_num())


@given(steps=st.integers(1, 500), floor=st.floats(1e-3, 1.0), step=st.integers(0, 1000))
def test_exponential_falls_by_one_factor(steps: int, floor: float, step: int) -> None:
    schedule = Exponential(steps, floor)
    assert schedule(0) == 1.0 and schedule(steps) == pytest.approx(floor)
    if step < steps:
        assert schedule(step + 1) / schedule(step) == pytest.approx(floor ** (1 / steps))
    else:
        assert schedule(step) == schedule(steps)


def flat(values: Mapping[str, Tensor], step: int) -> dict[str, Tensor]:
    return {"flat": torch.ones(())}


@pytest.mark.parametrize(
    ("variables", "loss", "options", "words"),
    [
        ([Variable("x", start(), 0.0)], bowl, {}, "nothing to fit"),
        ([Variable("x", start(), 0.1), Variable("x", start(), 0.1)], bowl, {}, "share a name"),
        ([Variable("x", start(), -0.1)], bowl, {}, "rate"),
        ([Variable("x", torch.ones(3, dtype=torch.int64), 0.1)], bowl, {}, "floating"),
        ([Variable("x", start(), 0.1)], bowl, {"prune": {3: 1}}, "hypotheses"),
        ([Variable("x", start(2), 0.1)], bowl, {}, "bowl"),
        ([Variable("x", start(2), 0.1), Variable("y", start(3), 0.1)], bowl, {"hypotheses": True}, "First axes"),
        ([Variable("x", start(), 0.1)], flat, {}, "depends on none"),
        ([Variable("x", start(), 0.1)], lambda v, s: {}, {}, "no terms"),
        ([Variable("x", start(), 0.1)], bowl, {"steps": -1}, "steps"),
    ],
)
def test_misuse_is_said_in_a_sentence(variables: list[Variable], loss: Loss, options: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        fit(variables, loss, **{"steps": 3, **options})


def test_an_exponential_schedule_needs_a_floor() -> None:
    with pytest.raises(InputError, match="floor"):
        Exponential(10, 0.0)


@pytest.mark.parametrize("betas", [(0.9, 0.95), (0.0, 0.99)])
def test_betas_are_those_of_torch_adam(betas: tuple[float, float]) -> None:
    theirs = start().requires_grad_()
    optimizer = torch.optim.Adam([theirs], lr=0.05, betas=betas)
    for _ in range(30):
        optimizer.zero_grad()
        bowl({"x": theirs}, 0)["bowl"].backward()
        optimizer.step()
    ours = fit([Variable("x", start(), 0.05)], bowl, steps=30, keep="last", betas=betas)
    plain = fit([Variable("x", start(), 0.05)], bowl, steps=30, keep="last")
    assert torch.allclose(ours.values["x"], theirs.detach(), atol=1e-12, rtol=0)
    assert not torch.allclose(ours.values["x"], plain.values["x"], atol=1e-3)


@pytest.mark.parametrize("keep", ["best", "last"])
def test_the_last_values_need_not_be_measured(keep: Literal["best", "last"]) -> None:
    asked: list[int] = []

    def counted(values: Mapping[str, Tensor], step: int) -> dict[str, Tensor]:
        asked.append(step)
        return bowl(values, step)

    with_it = fit([Variable("x", start(), 0.1)], bowl, steps=6, keep=keep)
    without = fit([Variable("x", start(), 0.1)], counted, steps=6, keep=keep, measure_last=False)
    assert asked == list(range(6)) and without.stopped == "steps"
    assert torch.equal(without.history["total"], with_it.history["total"][:6]) and without.best_step == 5
    same = fit([Variable("x", start(), 0.1)], bowl, steps=5 if keep == "best" else 6, keep=keep)
    assert torch.equal(without.values["x"], same.values["x"])


def test_no_steps_and_no_measurement_give_the_start_back() -> None:
    result = fit([Variable("x", start(), 0.1)], bowl, steps=0, measure_last=False)
    assert torch.equal(result.values["x"], start()) and len(result.history["total"]) == 0
    several_starts = fit(several(), two_pits, steps=0, hypotheses=True, measure_last=False)
    assert several_starts.history["total"].shape == (0, 4)


def test_a_projection_keeps_a_quaternion_unit_and_numbers_in_their_range() -> None:
    aim = torch.nn.functional.normalize(torch.tensor([[1.0, 2.0, 3.0, 4.0]], dtype=torch.float64), dim=1)
    norms: list[float] = []

    def loss(values: Mapping[str, Tensor], step: int) -> dict[str, Tensor]:
        norms.append(float(values["q"].detach().norm(dim=1).max()))
        return {"turn": (values["q"] - aim).square().sum(1), "far": (values["z"] - 9).square()}

    def project(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        assert not torch.is_grad_enabled()
        return {"q": torch.nn.functional.normalize(values["q"], dim=1), "z": values["z"].clamp(-4, 4)}

    q = torch.eye(4, dtype=torch.float64)[:3]
    variables = [Variable("q", q, 0.05), Variable("z", torch.zeros(3, dtype=torch.float64), 0.5)]
    found = fit(variables, loss, steps=150, schedule=Cosine(150), hypotheses=True, project=project)
    assert max(norms) < 1 + 1e-12 and min(norms) > 1 - 1e-12
    assert torch.allclose(found.values["q"], aim.expand(3, 4), atol=1e-3)
    assert (found.values["z"] == 4).all()
    norms.clear()
    free = fit(variables, loss, steps=150, schedule=Cosine(150), hypotheses=True)
    assert float(free.values["z"].max()) > 8 and max(norms) > 1.01
    one = fit([Variable("x", start(), 0.1)], bowl, steps=9, keep="last", project=lambda v: {"x": v["x"].clamp(max=0.2)})
    assert one.values["x"].shape == (3,) and float(one.values["x"].max()) <= 0.2


def test_a_projection_must_fit_its_variables() -> None:
    for project, words in (
        (lambda v: {"y": v["x"]}, "returns 'y', which is no variable"),
        (lambda v: {"x": v["x"][:2]}, r"projection of 'x' has shape \(1, 2\), not \(1, 3\)"),
    ):
        with pytest.raises(InputError, match=words):
            fit([Variable("x", start(), 0.1)], bowl, steps=2, project=project)
    with pytest.raises(InputError, match="Adam's betas are"):
        fit([Variable("x", start(), 0.1)], bowl, steps=2, betas=(0.9, 1.0))


def meet(values: Mapping[str, Tensor], step: int) -> dict[str, Tensor]:
    """Each hypothesis wants its own x plus the latent to be its target."""
    return {"gap": (values["x"] + values["latent"] - values["target"]).square().sum(-1)}


def meeting(*, shared: bool) -> list[Variable]:
    generator = torch.Generator().manual_seed(2)
    x, target = (torch.randn(3, 2, dtype=torch.float64, generator=generator) for _ in range(2))
    latent = torch.zeros(2, dtype=torch.float64)
    return [
        Variable("x", x, 0.0),
        Variable("target", target, 0.0),
        Variable("latent", latent, 0.05, shared=True) if shared else Variable("latent", latent.expand(3, 2), 0.05),
    ]


def test_a_latent_is_shared_by_all_hypotheses_or_split() -> None:
    """One latent goes to the mean of what each would have for itself; Adam on the sum of their losses goes there."""
    split, shared = (meeting(shared=each) for each in (False, True))
    wanted = split[1].value - split[0].value
    own = fit(split, meet, steps=400, schedule=Cosine(400), hypotheses=True, keep="last").values["latent"]
    one = fit(shared, meet, steps=400, schedule=Cosine(400), hypotheses=True, keep="last").values["latent"]
    assert torch.allclose(own, wanted, atol=1e-3)
    assert torch.equal(one[0], one[1]) and torch.allclose(one[0], wanted.mean(0), atol=1e-3)
    theirs = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([theirs], lr=0.05)
    for _ in range(20):
        optimizer.zero_grad()
        (theirs - wanted).square().sum().backward()
        optimizer.step()
    few = fit(shared, meet, steps=20, hypotheses=True, keep="last").values["latent"]
    assert torch.allclose(few, theirs.detach().expand(3, 2), atol=1e-12)


def test_after_pruning_a_shared_latent_follows_those_that_are_left() -> None:
    shared = meeting(shared=True)
    wanted = shared[1].value - shared[0].value
    found = fit(shared, meet, steps=600, schedule=Cosine(600), hypotheses=True, prune={5: 1}, clip=50.0)
    best = int(found.best_loss.argmin())
    assert torch.allclose(found.winner()["latent"], wanted[best], atol=1e-3)


def test_a_shared_variable_needs_hypotheses() -> None:
    x = Variable("x", start(), 0.1)
    for variables, hypotheses in (
        ([x, Variable("y", start(), 0.1, shared=True)], False),
        ([Variable("x", start(), 0.1, shared=True)], True),
    ):
        with pytest.raises(InputError, match="A shared variable needs hypotheses=True"):
            fit(variables, bowl, steps=2, hypotheses=hypotheses)
