"""Work in portions that are halved when memory runs out."""

from __future__ import annotations

from itertools import chain

import pytest
import torch

from monoform.errors import InputError
from monoform.memory import Portions, ran_out

GONE = (
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:121] data. DefaultCPUAllocator: not enough memory: you tried to"),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes. Error code 12"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    MemoryError(),
)


@pytest.mark.parametrize("error", GONE, ids=[str(number) for number in range(len(GONE))])
def test_portions_are_halved_until_they_fit_and_nothing_is_left_out(error: BaseException, caplog) -> None:
    tried: list[int] = []

    def work(part: slice) -> list[int]:
        tried.append(part.stop - part.start)
        if tried[-1] > 30:
            raise error
        return list(range(part.start, part.stop))

    portions = Portions("rays")
    assert list(chain.from_iterable(portions.map(work, 100))) == list(range(100))
    assert tried == [100, 50, 25, 25, 25, 25]
    tried.clear()
    assert list(chain.from_iterable(portions.map(work, 60))) == list(range(60))
    assert tried == [25, 25, 10]  # what was learned is kept
    assert [each.message for each in caplog.records] == [
        "Memory ran out with 100 rays at once: going on with fewer, which takes longer."
    ]


def test_below_the_smallest_portion_there_is_a_sentence() -> None:
    def work(part: slice) -> None:
        raise GONE[0]

    with pytest.raises(InputError, match=r"not enough memory for 10 rays at once: lower views\.size"):
        Portions("rays", smallest=10, advice="lower views.size").map(work, 100)


def test_other_errors_are_left_alone() -> None:
    assert not ran_out(RuntimeError("shapes do not match")) and not ran_out(ValueError("out of memory"))

    def work(part: slice) -> None:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        Portions("rays").map(work, 4)


def test_nothing_is_one_empty_portion() -> None:
    assert Portions("rays", 4).map(lambda part: part, 0) == [slice(0, 0)]


def test_gradients_of_portions_are_those_of_the_whole_and_only_one_is_kept() -> None:
    weight = torch.linspace(-1, 1, 12, dtype=torch.float64).requires_grad_()
    sizes: list[int] = []

    def work(part: slice) -> torch.Tensor:
        sizes.append(part.stop - part.start)
        return (weight[part] ** 3).exp()

    gradients = []
    for portions in (Portions("points"), Portions("points", 5)):
        sizes.clear()
        (gradient,) = torch.autograd.grad((torch.cat(portions.checkpointed(work, 12)) ** 2).sum(), weight)
        gradients.append(gradient)
    assert torch.equal(*gradients)
    assert sizes == [5, 5, 2, 2, 5, 5]  # forward, and again from the last to the first
