"""The queue before worker processes: nothing is lost, nothing outlives its limits, one bad job harms no other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from tests.app.fake_work import by_name

from monoform.app.queue import Full, Job, JobQueue, Limits, Stopped, Task
from monoform.app.queue.queue import saved
from monoform.errors import InputError
from monoform.jobs.reconstruct_options import ReconstructOptions

Make = Callable[..., JobQueue]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[JobQueue] = []

    def queue(**limits: float) -> JobQueue:
        made.append(JobQueue(Limits(**{"grace": 0.0, **limits}), function=by_name))
        return made[-1]

    yield queue
    for each in made:
        each.close()
        assert not each.folder.exists()


def put(queue: JobQueue, name: str) -> Job:
    queue.reserve()
    folder = queue.new_folder()
    saved(folder, f"upload/{name}", lambda place: place.write_bytes(name.encode()))
    return queue.submit(folder, Task(name, f"upload/{name}", ReconstructOptions(method="inflate")))


def until(true: Callable[[], object], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_bad_jobs_fail_alone_and_say_why(make: Make) -> None:
    queue = make()
    names = ["refused", "broken", "large", "killed", "good"]
    jobs = {name: put(queue, name) for name in names}
    until(lambda: all(job.ended for job in jobs.values()))
    assert [jobs[name].state for name in names] == ["failed"] * 4 + ["done"]
    assert jobs["refused"].message == "There is nothing to be seen."
    assert "RuntimeError" in jobs["broken"].message and "author" not in jobs["broken"].message
    assert "memory" in jobs["large"].message and "ended from outside" in jobs["killed"].message
    assert jobs["good"].archive.is_file() and not jobs["killed"].archive.exists()


def test_a_slow_job_tells_how_far_it_is_and_ends_at_the_limit(make: Make) -> None:
    queue = make(seconds=3.0)
    slow, good = put(queue, "slow"), put(queue, "good")
    assert queue.position(good) in (0, 1)
    until(lambda: "counting sheep: sheep 3 of 4" in slow.doing)
    assert slow.left is not None and queue.position(good) == 0 and good.state == "waiting"
    until(lambda: good.ended)
    assert slow.state == "failed" and slow.message == "It took more than 3 s, which is the limit here."
    assert good.state == "done" and queue.seconds_left(good) is None


def test_jobs_can_be_dropped_in_every_state(make: Make) -> None:
    queue = make()
    slow, waits, good = (put(queue, name) for name in ("slow", "good", "good"))
    until(lambda: slow.state == "running")
    assert queue.drop(waits.id) and not waits.folder.exists()
    assert queue.drop(slow.id) and not queue.drop(slow.id) and queue.job(slow.id) is None
    until(lambda: good.ended and not slow.folder.exists())
    assert good.state == "done" and queue.drop(good.id) and not good.folder.exists()


def test_places_are_bounded_and_come_back(make: Make) -> None:
    queue = make(queue=2)
    slow = put(queue, "slow")
    until(lambda: slow.state == "running")
    first = put(queue, "good")
    queue.reserve()
    with pytest.raises(Full) as full:
        queue.reserve()
    assert full.value.seconds >= 1
    queue.release()
    queue.drop(first.id)
    for _ in range(2):
        queue.reserve()
    with pytest.raises(Full):
        queue.reserve()


def test_results_go_when_they_are_old_or_too_many(make: Make) -> None:
    few = make(results=1)
    jobs = [put(few, "good") for _ in range(3)]
    until(lambda: few.job(jobs[0].id) is None and few.job(jobs[1].id) is None)
    assert few.job(jobs[2].id) is jobs[2] and not jobs[0].folder.exists() and jobs[2].archive.is_file()
    short = make(keep=0.02)
    job = put(short, "good")
    until(lambda: job.ended)
    until(lambda: short.job(job.id) is None and not job.folder.exists())


def test_the_end_leaves_nothing_and_takes_nothing(make: Make) -> None:
    queue = make()
    slow, waits = put(queue, "slow"), put(queue, "good")
    until(lambda: slow.state == "running")
    queue.close()
    assert waits.message == "The service has stopped." and slow.state == "failed" and not queue.folder.exists()
    with pytest.raises(Stopped):
        queue.reserve()


@pytest.mark.parametrize("limits", [{"queue": 0}, {"workers": 0}, {"keep": float("nan")}, {"megapixels": 1e9}])
def test_limits_have_limits(limits: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(limits))):
        Limits(**limits)  # type: ignore[arg-type]
