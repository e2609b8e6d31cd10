"""The page of the web app, laid out with Gradio, and what its buttons do."""

# Gradio reads the annotations of functions: they are not postponed here.
import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from typing import Any

from ...errors import InputError
from ..queue import JobQueue
from .editing import ADD, REMOVE, Edited, Mark, brushed, cleared, clicked, opened, shown
from .running import done_html, failed_html, progress_html, result_html, submitted

LOOK = 0.4  # seconds between two looks at a job
STYLE = """
iframe.result { width: 100%; height: 900px; border: 1px solid var(--border-color-primary); border-radius: 8px; }
.take { display: flex; gap: 1rem; flex-wrap: wrap; margin: .25rem 0 .75rem; }
.take a { text-decoration: underline; font-weight: 600; }
.doing { display: block; } .doing progress { display: block; width: 100%; height: 1rem; margin-top: .25rem; }
.failed { color: #dc2626; font-weight: 600; } .done { font-weight: 600; }
"""
MARKS: dict[str, Mark] = {"on the object": "object", "on the background": "background", "two corners of a box": "box"}
INTRO = "# monoform\nOne photo of an object in; its shape, the camera that took the photo, and its appearance out."
HELP = "What is kept is bright. Click to correct it, or paint: green adds, red takes away."


def lay_out(queue: JobQueue, methods: Sequence[str], device: str = "cpu") -> Any:
    """The page as Gradio's blocks.

    Args:
        queue: that runs the jobs.
        methods: that may be chosen, the default first.
        device: where networks compute.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    import gradio as gr

    at_once = queue.limits.queue + queue.limits.workers

    def after(edited: Edited | None, message: str = "") -> tuple[Any, ...]:
        """State, picture with the mask, picture to paint on, message, whether it can go on."""
        if edited is None:
            return None, None, None, message, gr.update(interactive=False)
        picture = shown(edited)
        paint = {"background": picture, "layers": [], "composite": None}
        return edited, picture, paint, message or edited.message, gr.update(interactive=True)

    def photo_came(path: str | None) -> tuple[Any, ...]:
        try:
            return after(None if path is None else opened(path, queue.limits.megapixels))
        except InputError as error:
            return after(None, str(error))

    def picture_clicked(edited: Edited | None, mark: str, event: gr.SelectData) -> tuple[Any, ...]:
        if edited is None:
            return after(None)
        try:
            x, y = event.index[0], event.index[1]
            return after(clicked(edited, x, y, MARKS[mark]))
        except InputError as error:
            return after(edited, str(error))

    def painted(edited: Edited | None, painting: dict[str, Any] | None) -> tuple[Any, ...]:
        if edited is None:
            return None, None, ""
        found = brushed(edited, (painting or {}).get("layers") or [])
        return found, shown(found), found.message

    def begun_again(edited: Edited | None) -> tuple[Any, ...]:
        try:
            return after(None if edited is None else cleared(edited))
        except InputError as error:
            return after(edited, str(error))

    async def reconstruct(
        edited: Edited | None, method: str, refine: float, faces: float, texture: float, seed: float
    ) -> AsyncIterator[tuple[Any, ...]]:
        if edited is None:
            yield failed_html("Choose a photo first."), None, gr.update()
            return
        try:
            job = await asyncio.to_thread(
                submitted,
                queue,
                edited,
                device=device,
                method=method,
                refine=int(refine),
                faces=int(faces),
                texture=int(texture),
                seed=int(seed or 0),
            )
        except InputError as error:
            yield failed_html(str(error)), None, gr.update()
            return
        yield progress_html(job, queue), job.id, ""
        while job.state in ("waiting", "running") and not job.dropped.is_set():
            await asyncio.sleep(LOOK)
            yield progress_html(job, queue), job.id, gr.update()
        if job.dropped.is_set() or job.state == "failed":
            yield failed_html(job.message or "It was broken off."), None, gr.update()
        else:
            yield done_html(job), None, result_html(job)

    def stopped(job: str | None) -> None:
        if job:
            queue.drop(job)

    with gr.Blocks(title="monoform", analytics_enabled=False, delete_cache=(600, 3600)) as page:
        edited, job = gr.State(), gr.State()
        gr.Markdown(INTRO)
        with gr.Row():
            with gr.Column():
                photo = gr.Image(type="filepath", label="Photo", sources=["upload", "clipboard"], elem_id="photo")
                photo.preprocess = _path_of  # the file as it is: Gradio would drop its transparency and its EXIF
                message = gr.Markdown(elem_id="message")
            with gr.Column():
                gr.Markdown(HELP)
                with gr.Tab("Click"):
                    mark = gr.Radio(list(MARKS), value=next(iter(MARKS)), label="The next click is", elem_id="mark")
                    marked = gr.Image(label="The mask", interactive=False, elem_id="marked", buttons=["fullscreen"])
                with gr.Tab("Paint"):
                    brush = gr.Brush(colors=[ADD, REMOVE], default_color=ADD, color_mode="fixed", default_size=24)
                    canvas = gr.ImageEditor(
                        label="Green adds, red takes away",
                        brush=brush,
                        sources=[],
                        transforms=[],
                        layers=False,
                        elem_id="canvas",
                    )
                    paint = gr.Button("Take the strokes")
                again = gr.Button("Begin the mask again")
        with gr.Row():
            method = gr.Dropdown(list(methods), value=methods[0], label="Method", elem_id="method")
            refine = gr.Slider(0, 200, 40, step=1, label="Steps of refinement (lift)")
            faces = gr.Slider(1000, 100_000, 20_000, step=1000, label="Triangles")
            texture = gr.Dropdown([256, 512, 1024, 2048, 4096], value=1024, label="Texture, pixels")
            seed = gr.Number(0, precision=0, minimum=0, maximum=2**31, label="Seed")
        with gr.Row():
            go = gr.Button("Reconstruct", variant="primary", interactive=False, elem_id="go")
            stop = gr.Button("Stop", elem_id="stop")
        status = gr.HTML(elem_id="status")
        result = gr.HTML(elem_id="result")

        masks = [edited, marked, canvas, message, go]
        photo.change(photo_came, photo, masks, concurrency_limit=1, concurrency_id="masks")
        marked.select(picture_clicked, [edited, mark], masks, concurrency_limit=1, concurrency_id="masks")
        again.click(begun_again, edited, masks, concurrency_limit=1, concurrency_id="masks")
        paint.click(painted, [edited, canvas], [edited, marked, message])
        asked = [edited, method, refine, faces, texture, seed]
        go.click(reconstruct, asked, [status, job, result], concurrency_limit=at_once, show_progress="hidden")
        stop.click(stopped, job, None, queue=False)
    page.queue(max_size=4 * at_once, api_open=False)
    return page


def _path_of(payload: Any) -> str | None:
    """Where an uploaded file lies."""
    return None if payload is None else payload.path
