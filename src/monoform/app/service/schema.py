"""What the service answers with, as its OpenAPI description says it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from ...outputs import names_in
from ..queue import Job, JobQueue

KEPT = ("iou", "faces", "watertight", "components", "mask", "confidence", "seconds")


class Problem(BaseModel):
    """Why a request was refused."""

    detail: str = Field(description="One sentence: what, which value, what to do.")


class Result(BaseModel):
    """Figures of a finished result."""

    iou: float | None = Field(description="Overlap of the mask and the rendered shape, 0..1.")
    faces: int | None = Field(description="Triangles of the mesh.")
    watertight: bool | None = Field(description="Whether the mesh is closed.")
    components: int | None = Field(description="Parts of the mesh.")
    mask: str | None = Field(description="Where the mask came from.")
    confidence: float | None = Field(description="In a mask that was found, 0..1.")
    seconds: float = Field(description="That the reconstruction took.")


class JobStatus(BaseModel):
    """How far a job is."""

    id: str = Field(description="Of the job; who knows it may read and delete it.")
    state: Literal["waiting", "running", "done", "failed"]
    name: str = Field(description="Of the result folder, after the photo.")
    method: str
    position: int | None = Field(description="Jobs before it in the queue; null when it does not wait.")
    doing: str = Field(description="What is being done.")
    seconds: float = Field(description="For which it has been running.")
    seconds_left: float | None = Field(description="Until it is done, judged by earlier jobs; null when not known.")
    message: str = Field(description="Why it failed, or what to look at.")
    files: list[str] = Field(description="Of the result, at /jobs/ID/files/NAME.")
    result: Result | None


class MethodAbout(BaseModel):
    """A method that can be asked for."""

    name: str
    options: dict[str, Any] = Field(description="Default by name of each option that can be set here.")


class About(BaseModel):
    """What answers, and with which bounds."""

    name: str = "monoform"
    version: str
    methods: list[MethodAbout] = Field(description="The default first.")
    urls: bool = Field(description="Whether photos are fetched from addresses.")
    limits: dict[str, float]


class Health(BaseModel):
    """Whether the service works."""

    status: Literal["ok"] = "ok"
    waiting: int


def status_of(job: Job, queue: JobQueue) -> JobStatus:
    """A job as its owner is told of it."""
    done = job.state == "done"
    return JobStatus(
        id=job.id,
        state=job.state,
        name=job.task.name,
        method=job.task.options.method,
        position=queue.position(job),
        doing=job.doing if job.state == "running" else "",
        seconds=round(job.seconds(), 2),
        seconds_left=_rounded(queue.seconds_left(job)),
        message=job.message,
        files=files_of(job) if done else [],
        result=Result.model_validate({name: (job.outcome or {}).get(name) for name in KEPT}) if done else None,
    )


def files_of(job: Job) -> list[str]:
    """Names of the files in a job's result folder."""
    if not job.result.is_dir():
        return []
    return sorted(name for name in names_in(job.result) if (job.result / name).is_file() and not name.startswith("."))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
