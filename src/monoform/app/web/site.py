"""The web app as one ASGI application: Gradio's page, and the files of results."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any

from ...errors import InputError
from ..queue import JobQueue

POLICY = (
    "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval' 'wasm-unsafe-eval'; frame-ancestors 'self'; "
    "base-uri 'self'; form-action 'self'"
)
RESULT_POLICY = "sandbox allow-scripts allow-downloads"


def create_site(
    queue: JobQueue,
    methods: Sequence[str],
    *,
    device: str = "cpu",
    hosts: Collection[str] | None = None,
    password: str | None = None,
) -> Callable[..., Any]:
    """The web app; it closes the queue when it ends.

    Args:
        queue: that runs the jobs.
        methods: that may be chosen, the default first.
        device: where networks compute.
        hosts: names by which it may be called; None: any.
        password: that the user monoform has to give; None: none.

    Raises:
        InputError: a package is missing.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_TEMP_DIR"] = str(queue.folder / "page")  # goes with the queue
    try:
        import gradio
        from fastapi import FastAPI
    except ImportError as error:
        raise InputError("monoform app needs Gradio: pip install 'monoform[app]'.") from error
    from fastapi.concurrency import run_in_threadpool
    from fastapi.responses import FileResponse, JSONResponse, Response

    from ..service.gate import Gate
    from .layout import STYLE, lay_out

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(queue.close)

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)

    def file(job_id: str, name: str) -> Response:
        from ..service.schema import files_of

        job = queue.job(job_id)
        if job is None or job.state != "done":
            return JSONResponse({"detail": "There is no such result, or it is no longer kept."}, status_code=404)
        place = job.archive if name == job.archive.name else job.result / name
        if not (name == job.archive.name or name in files_of(job)) or not place.is_file():
            return JSONResponse({"detail": "The result holds no such file."}, status_code=404)
        return FileResponse(place, headers={"Content-Security-Policy": RESULT_POLICY})

    app.get("/result/{job_id}/{name}", response_model=None)(file)
    font = ["system-ui", "sans-serif"]
    theme = gradio.themes.Base(font=font, font_mono=["ui-monospace", "monospace"])
    gradio.mount_gradio_app(
        app,
        lay_out(queue, methods, device),
        path="/",
        theme=theme,
        css=STYLE,
        footer_links=[],
        ssr_mode=False,
        show_error=True,
        max_file_size=int(queue.limits.megabytes * 1e6),
        auth=None if password is None else ("monoform", password),
    )
    most = int(2 * queue.limits.megabytes * 1e6)
    return Gate(_Policy(app), queue=queue, upload="", hosts=hosts, largest=most)


class _Policy:
    """Lets pages load nothing from elsewhere."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self.app = app

    async def __call__(self, scope: dict[str, Any], receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
        async def with_policy(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                names = {name.lower() for name, _ in message["headers"]}
                if b"content-security-policy" not in names:
                    message = {
                        **message,
                        "headers": [*message["headers"], (b"content-security-policy", POLICY.encode())],
                    }
            await send(message)

        await self.app(scope, receive, with_policy)
