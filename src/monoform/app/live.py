"""A live view of a result or a trained scene in the browser, by viser: mesh, cameras with their photos, renders."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from ..camera import Camera
from ..camera.lie import quaternion_from_rotation, rotation_from_quaternion
from ..errors import InputError
from ..inputs import read_pixels
from ..jobs.pose_scenes import PoseTarget, open_scene
from ..mesh.texture import to_bytes
from ..render.camera_render import camera_colors
from ..scene import load
from ..scene.result_files import MESH, RESULT, result_in

FRUSTA = 60  # at most; of a scene with more photos every so-manieth is shown
THUMB = 320  # pixels of the longer side of a photo in its camera
SIZES = (128, 256, 512)  # longer sides of renders


@dataclass(frozen=True, eq=False)
class Seen:
    """A camera and its photo, as they are shown.

    Attributes:
        name: of it.
        camera: one.
        photo: its pixels; None where there are none.
    """

    name: str
    camera: Camera
    photo: UInt8[np.ndarray, "h w 3"] | None


@dataclass(frozen=True, eq=False)
class Shown:
    """What is in a folder.

    Attributes:
        folder: of it.
        target: its renderer, and where it is in the world.
        mesh: GLB file; None where there is none.
        seen: cameras of its photos.
    """

    folder: Path
    target: PoseTarget
    mesh: Path | None
    seen: tuple[Seen, ...]


def opened(folder: str | Path, *, device: str = "cpu") -> Shown:
    """What `monoform reconstruct` or `monoform train scene` has written.

    Raises:
        InputError: the folder holds neither.
    """
    folder = result_in(Path(folder))
    target = open_scene(folder, device=device)
    mesh = folder / MESH
    if (folder / RESULT).is_file():
        views = [(view.photo, view.camera) for view in load(folder).views if view.camera is not None]
        seen = [Seen("photo", camera, to_bytes(_small(photo.rgb))) for photo, camera in views]
    else:
        step = max(1, math.ceil(len(target.views) / FRUSTA))
        seen = [Seen(view.name, view.camera, _thumb(view.image)) for view in target.views[::step]]
    return Shown(folder, target, mesh if mesh.is_file() else None, tuple(seen))


def frustum_of(camera: Camera) -> dict[str, Any]:
    """A camera as viser takes it: vertical angle of view in radians, width over height, quaternion (w, x, y, z), place.

    Both look along +z with y down; a principal point beside the middle is left out.
    """
    focal = camera.intrinsics[0, 1, 1].double()
    pose = camera.world_from_camera[0].double().cpu()
    return {
        "fov": 2 * math.atan(0.5 * camera.height / float(focal)),
        "aspect": camera.width / camera.height * float(focal / camera.intrinsics[0, 0, 0].double()),
        "wxyz": tuple(quaternion_from_rotation(pose[:3, :3]).tolist()),
        "position": tuple(pose[:3, 3].tolist()),
    }


def camera_of(wxyz: Sequence[float], position: Sequence[float], fov: float, aspect: float, longest: int) -> Camera:
    """The inverse: the pinhole camera of a view in the browser, with so many pixels on its longer side."""
    height = longest if aspect < 1 else max(1, round(longest / aspect))
    width = longest if aspect >= 1 else max(1, round(longest * aspect))
    pose = torch.eye(4, dtype=torch.float64)
    pose[:3, :3] = rotation_from_quaternion(torch.tensor(list(wxyz), dtype=torch.float64))
    pose[:3, 3] = torch.tensor(list(position), dtype=torch.float64)
    focal = 0.5 * height / math.tan(0.5 * fov)
    intrinsics: Float[Tensor, "3 3"] = torch.tensor([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    return Camera(pose[None].float(), intrinsics[None].float(), width, height)


def drawn(shown: Shown, camera: Camera) -> UInt8[np.ndarray, "h w 3"]:
    """The picture of a camera by the scene's own renderer: its field where there is one, else its mesh."""
    with torch.no_grad():
        colors = camera_colors(shown.target.renderer, camera)
    return to_bytes(colors.rgb.reshape(camera.height, camera.width, 3).cpu().numpy())


def serve_live(shown: Shown, *, host: str, port: int) -> Any:
    """A viser server that shows it; it runs in threads of its own until its `stop`.

    Raises:
        InputError: viser is missing.
    """
    try:
        import viser
    except ImportError as error:
        raise InputError("monoform view --live needs viser: pip install 'monoform[live]'.") from error
    server = viser.ViserServer(host=host, port=port, label=f"monoform: {shown.folder.name}", verbose=False)
    server.scene.set_up_direction("+y" if shown.mesh is not None else "+z")
    center, radius = shown.target.scene_bounds.center, shown.target.scene_bounds.radius
    mesh = None
    if shown.mesh is not None:
        mesh = server.scene.add_glb("/mesh", shown.mesh.read_bytes())
        server.scene.configure_default_lights(True)
    frusta = [
        server.scene.add_camera_frustum(
            f"/cameras/{number}", image=each.photo, scale=0.25 * radius, color=(30, 110, 200), **frustum_of(each.camera)
        )
        for number, each in enumerate(shown.seen)
    ]
    _controls(server, shown, mesh, frusta)

    @server.on_client_connect
    def _(client: Any) -> None:
        if shown.seen:
            _go_to(client, shown.seen[0].camera, center)
        else:
            client.camera.position = tuple(c + d for c, d in zip(center, (0.0, radius, 3.0 * radius), strict=True))
            client.camera.look_at = center

    return server


def _controls(server: Any, shown: Shown, mesh: Any, frusta: Sequence[Any]) -> None:
    """The panel: what is shown, where it is seen from, the picture of the present view."""
    center, drawing = shown.target.scene_bounds.center, threading.Lock()
    gui = server.gui
    if mesh is not None:
        box = gui.add_checkbox("Mesh", True)
        box.on_update(lambda _: setattr(mesh, "visible", box.value))
    if frusta:
        cameras = gui.add_checkbox("Cameras and photos", True)

        @cameras.on_update
        def _(_: Any) -> None:
            for each in frusta:
                each.visible = cameras.value

        names = [f"{number}: {each.name}" for number, each in enumerate(shown.seen)]
        chosen = gui.add_dropdown("Camera", names)
        button = gui.add_button("See from it")

        @button.on_click
        def _(event: Any) -> None:
            _go_to(event.client, shown.seen[names.index(chosen.value)].camera, center)

    size = gui.add_dropdown("Pixels of a render", [str(each) for each in SIZES], initial_value=str(SIZES[1]))
    render, clear = gui.add_button("Render this view"), gui.add_button("Remove the render")
    told = gui.add_markdown("The render lies behind everything: take the mesh away to see all of it.")

    @render.on_click
    def _(event: Any) -> None:
        view = event.client.camera
        with drawing:
            told.content = "Rendering ..."
            picture = drawn(shown, camera_of(view.wxyz, view.position, view.fov, view.aspect, int(size.value)))
            event.client.scene.set_background_image(picture)
            told.content = "The render is of the view when the button was pressed."

    @clear.on_click
    def _(event: Any) -> None:
        event.client.scene.set_background_image(None)


def _go_to(client: Any, camera: Camera, center: Sequence[float]) -> None:
    """Look through a camera; what is turned around is the middle of the scene, at its depth."""
    pose = camera.world_from_camera[0].double().cpu().numpy()
    position, forward, down = pose[:3, 3], pose[:3, 2], pose[:3, 1]
    depth = max(1e-3, float((np.asarray(center) - position) @ forward))
    client.camera.up_direction = tuple(-down)
    client.camera.position = tuple(position)
    client.camera.look_at = tuple(position + depth * forward)
    client.camera.fov = frustum_of(camera)["fov"]


def _small(rgb: Float[np.ndarray, "h w 3"]) -> Float[np.ndarray, "rows columns 3"]:
    step = max(1, math.ceil(max(rgb.shape[:2]) / THUMB))
    return np.ascontiguousarray(rgb[::step, ::step])


def _thumb(path: Path) -> UInt8[np.ndarray, "h w 3"] | None:
    try:
        image = Image.fromarray(read_pixels(path, "RGB"))
    except InputError:
        return None  # the photos of a scene may have gone since
    image.thumbnail((THUMB, THUMB))
    return np.asarray(image)
