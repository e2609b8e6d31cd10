"""The routes of the service, with their OpenAPI description."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, File, Form, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.security import HTTPBearer
from pydantic import WithJsonSchema
from starlette.datastructures import UploadFile

from ... import __version__
from ...errors import InputError, WriteError
from ..queue import Job, JobQueue, Stopped
from .asked import Upload, options_of, task_of
from .gate import Gate
from .offered import Offer, described_options
from .schema import About, Health, JobStatus, MethodAbout, Problem, files_of, status_of

UPLOAD = "/reconstruct"
POINT = r"^\d{1,6}(\.\d{1,6})?,\d{1,6}(\.\d{1,6})?$"
BOX = r"^\d{1,6}(\.\d{1,6})?(,\d{1,6}(\.\d{1,6})?){3}$"
ABOUT = (
    "One photo of an object in; its shape, camera pose and appearance out. Send the photo to /reconstruct, ask for the "
    "job until its state is done, then fetch its result."
)
A_FILE = WithJsonSchema({"type": "string", "contentMediaType": "application/octet-stream"})
SAFE = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox allow-scripts"}


def _refusals(*codes: int) -> dict[int | str, dict[str, Any]]:
    return {code: {"model": Problem} for code in (400, 401, 403, 408, 421, *codes)}


def create_app(
    queue: JobQueue,
    offer: Offer | None = None,
    *,
    urls: bool = False,
    device: str = "cpu",
    token: str | None = None,
    hosts: Collection[str] | None = None,
) -> Callable[..., Any]:
    """The service as an ASGI application; it closes the queue when it ends.

    Args:
        queue: that runs the jobs.
        offer: the methods that may be asked for.
        urls: whether photos are fetched from public addresses.
        device: where networks compute.
        token: that requests have to show; None: none.
        hosts: names by which the service may be called; None: any.
    """
    app = api(queue, offer or Offer(), urls=urls, device=device)
    return Gate(app, queue=queue, upload=UPLOAD, token=token, hosts=hosts)


def api(queue: JobQueue, offer: Offer, *, urls: bool, device: str) -> FastAPI:
    """The routes alone, without the gate before them."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(queue.close)

    app = FastAPI(
        title="monoform",
        version=__version__,
        description=ABOUT,
        docs_url=None,  # its pages would load scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
        dependencies=[Depends(HTTPBearer(auto_error=False, description="Where the service was given a token."))],
    )
    app.add_exception_handler(RequestValidationError, _one_sentence)
    app.add_exception_handler(InputError, _refused)
    app.add_exception_handler(Stopped, _stopping)

    def found(job_id: str) -> Job:
        job = queue.job(job_id)
        if job is None:
            raise HTTPException(404, "There is no such job, or it is no longer kept.")
        return job

    @app.post(
        UPLOAD,
        status_code=202,
        response_model=JobStatus,
        responses=_refusals(413, 422, 429, 503),
        summary="Reconstruct the object in a photo",
    )
    def reconstruct(
        request: Request,
        response: Response,
        photo: Annotated[Any, A_FILE, File(description="PNG, JPEG, WebP, TIFF, BMP or GIF.")] = None,
        url: Annotated[str | None, Form(max_length=2000, description="Instead, where that is allowed.")] = None,
        mask: Annotated[Any, A_FILE, File(description="White where the object is, as large as photo.")] = None,
        box: Annotated[str | None, Form(pattern=BOX, description="X,Y,W,H around the object, in pixels.")] = None,
        point: Annotated[list[str] | None, Form(description="X,Y of pixels on it.")] = None,
        not_point: Annotated[list[str] | None, Form(description="X,Y of pixels beside it.")] = None,
        method: str = Form(offer.methods[0], json_schema_extra={"enum": list(offer.methods)}),
        matting: Annotated[Literal["auto", "rembg", "network", "grabcut"], Form()] = "auto",
        options: Annotated[str, Form(max_length=4000, description="Options of the method as a JSON object.")] = "{}",
        focal: Annotated[float | None, Form(gt=0, le=1e6, description="Focal length in pixels of the photo.")] = None,
        seed: Annotated[int, Form(ge=0, le=2**53 - 1)] = 0,
        faces: Annotated[int, Form(ge=100, le=500_000, description="Triangles of the mesh.")] = 20_000,
        texture: Annotated[int, Form(ge=64, le=4096, description="Side of the texture in pixels.")] = 1024,
        resolution: Annotated[int, Form(ge=32, le=512, description="Cells along the longest side.")] = 320,
        frames: Annotated[int, Form(ge=0, le=240, description="Of the turntable; 0 leaves it out.")] = 60,
    ) -> JobStatus:
        asked = options_of(
            offer,
            method=method,
            options=options,
            box=box,
            point=point or [],
            not_point=not_point or [],
            device=device,
            matting=matting,
            focal=focal,
            seed=seed,
            faces=faces,
            texture=texture,
            resolution=resolution,
            frames=frames,
        )
        folder = queue.new_folder()
        try:
            task = task_of(
                folder,
                asked,
                queue.limits,
                photo=_sent("photo", photo),
                mask=_sent("mask", mask),
                url=url or None,
                urls=urls,
            )
            job = queue.submit(folder, task)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        request.state.reserved = False  # the job has the place now
        response.headers["Location"] = f"/jobs/{job.id}"
        return status_of(job, queue)

    @app.get("/jobs/{job_id}", response_model=JobStatus, responses=_refusals(404), summary="How far a job is")
    def status(job_id: str) -> JobStatus:
        return status_of(found(job_id), queue)

    @app.delete(
        "/jobs/{job_id}",
        status_code=204,
        response_class=Response,
        responses=_refusals(404),
        summary="Break a job off, or forget its result",
    )
    def forget(job_id: str) -> None:
        if not queue.drop(job_id):
            raise HTTPException(404, "There is no such job, or it is no longer kept.")

    @app.get(
        "/jobs/{job_id}/result.zip",
        response_class=FileResponse,
        responses={200: {"content": {"application/zip": {}}}, **_refusals(404, 409)},
        summary="The whole result folder",
    )
    def archive(job_id: str) -> FileResponse:
        job = _finished(found(job_id))
        return _file(job.archive, f"{job.task.name}.zip", "application/zip")

    @app.get(
        "/jobs/{job_id}/files/{name}",
        response_class=FileResponse,
        responses={200: {"content": {"application/octet-stream": {}}}, **_refusals(404, 409)},
        summary="One file of the result",
    )
    def file(job_id: str, name: str) -> FileResponse:
        job = _finished(found(job_id))
        if name not in files_of(job):
            raise HTTPException(404, "The result holds no such file.")
        return _file(job.result / name, name, None)

    @app.get("/", response_model=About, responses=_refusals(), summary="What answers, and with which bounds")
    def about() -> About:
        methods = [MethodAbout(name=name, options=described_options(name)) for name in offer.methods]
        return About(version=__version__, methods=methods, urls=urls, limits=asdict(queue.limits))

    @app.get("/health", response_model=Health, responses=_refusals(), summary="Whether the service works")
    def health() -> Health:
        return Health(waiting=queue.waiting())

    return app


def _sent(what: str, given: object) -> Upload | None:
    """A part of the form as a file; None where there is none, or a page's form sent an empty field."""
    if given is None or (isinstance(given, UploadFile) and not (given.size or given.filename)):
        return None
    if not isinstance(given, UploadFile):
        raise InputError(f"{what} is no file: send it as one, with a file name.")
    return Upload(given.filename or "", given.file)


def _finished(job: Job) -> Job:
    if job.state != "done":
        raise HTTPException(409, job.message if job.state == "failed" else f"The job is {job.state}: ask again later.")
    return job


def _file(place: Path, name: str, kind: str | None) -> FileResponse:
    if not place.is_file():
        raise HTTPException(404, "It is no longer kept.")
    shown: Literal["inline", "attachment"] = "attachment" if kind else "inline"
    return FileResponse(place, filename=name, media_type=kind, headers=SAFE, content_disposition_type=shown)


def _problem(code: int, sentence: str, **headers: str) -> JSONResponse:
    return JSONResponse({"detail": sentence}, status_code=code, headers=headers)


def _one_sentence(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    faults: Sequence[Any] = error.errors()
    where = ".".join(str(each) for each in faults[0]["loc"][1:]) or "the request"
    return _problem(422, f"{where}: {faults[0]['msg']}.")


def _refused(_: Request, error: Exception) -> JSONResponse:
    full = isinstance(error, WriteError)
    return _problem(503 if full else 422, "The service cannot write: its disk is full." if full else str(error))


def _stopping(_: Request, error: Exception) -> JSONResponse:
    return _problem(503, "The service is stopping.", **{"Retry-After": "30"})
