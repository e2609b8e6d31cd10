"""Blender add-on: a photo goes to `monoform serve`, its mesh comes into the scene, seen by the photo's camera."""

from __future__ import annotations

import json
import tempfile
import threading
import zipfile
from pathlib import Path
from typing import Any

import bpy

from .monoform_client import Service, ServiceError

bl_info = {
    "name": "monoform",
    "author": "The monoform authors",
    "version": (0, 1, 0),
    "blender": (4, 2, 0),
    "location": "3D View > Sidebar > monoform",
    "description": "One photo of an object to a textured mesh and its camera",
    "category": "Import-Export",
}


class MonoformSettings(bpy.types.PropertyGroup):
    """What is asked for."""

    address: bpy.props.StringProperty(name="Service", default="http://127.0.0.1:8000")
    token: bpy.props.StringProperty(name="Token", subtype="PASSWORD")
    photo: bpy.props.StringProperty(name="Photo", subtype="FILE_PATH")
    mask: bpy.props.StringProperty(name="Mask", subtype="FILE_PATH", description="White where the object is; or empty")
    method: bpy.props.StringProperty(name="Method", default="lift")
    faces: bpy.props.IntProperty(name="Triangles", default=20000, min=100, max=500000)
    doing: bpy.props.StringProperty()


class Request(threading.Thread):
    """One photo on its way; Blender stays usable meanwhile."""

    def __init__(self, settings: Any) -> None:
        super().__init__(daemon=True)
        self.service = Service(settings.address, settings.token)
        self.photo = Path(bpy.path.abspath(settings.photo))
        self.mask = Path(bpy.path.abspath(settings.mask)) if settings.mask else None
        self.form = {"method": settings.method, "faces": settings.faces, "frames": 0}
        self.doing, self.fault, self.stopped = "sending the photo", "", False
        self.folder: Path | None = None

    def run(self) -> None:
        """Send, wait, fetch and unpack."""
        try:
            mask = None if self.mask is None else self.mask.read_bytes()
            job = self.service.submit(self.photo.read_bytes(), self.photo.name, mask=mask, form=self.form)
            self.service.wait(job, self._tell, stop=lambda: self.stopped)
            self.doing = "fetching the result"
            place = Path(tempfile.mkdtemp(prefix="monoform-blender-"))
            (place / "result.zip").write_bytes(self.service.archive(job))
            self.service.forget(job)
            with zipfile.ZipFile(place / "result.zip") as packed:
                packed.extractall(place)
            self.folder = next(each for each in place.iterdir() if each.is_dir())
        except (ServiceError, OSError, zipfile.BadZipFile, StopIteration) as error:
            self.fault = str(error) or type(error).__name__

    def _tell(self, doing: str, share: float | None) -> None:
        self.doing = doing if share is None else f"{doing} ({share:.0%})"


def place_result(context: Any, folder: Path) -> list[Any]:
    """Bring a result folder into the scene: its mesh, and the photo's camera with the photo behind it.

    Returns:
        The objects that are new.
    """
    before = set(context.scene.objects)
    bpy.ops.import_scene.gltf(filepath=str(folder / "mesh.glb"))
    new = [each for each in context.scene.objects if each not in before]
    cameras = [each for each in new if each.type == "CAMERA"]
    photo = next((file for file in folder.iterdir() if file.stem == "photo"), None)
    if cameras:
        camera = context.scene.camera = cameras[0]
        known = json.loads((folder / "camera.json").read_text(encoding="utf-8"))
        scale = 2048 / max(known["width"], known["height"])
        context.scene.render.resolution_x = max(4, round(known["width"] * min(1.0, scale)))
        context.scene.render.resolution_y = max(4, round(known["height"] * min(1.0, scale)))
        if photo is not None:
            behind = camera.data.background_images.new()
            behind.image = bpy.data.images.load(str(photo))
            camera.data.show_background_images = True
    return new


class MonoformReconstruct(bpy.types.Operator):
    """Send the photo and bring its mesh and camera into the scene"""

    bl_idname = "monoform.reconstruct"
    bl_label = "Reconstruct"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    def execute(self, context: Any) -> set[str]:
        """Without a window: all at once."""
        request = self._request(context)
        if request is None:
            return {"CANCELLED"}
        request.run()
        return self._end(context, request)

    def invoke(self, context: Any, event: Any) -> set[str]:
        """In a window: beside everything else."""
        self.request = self._request(context)
        if self.request is None:
            return {"CANCELLED"}
        self.request.start()
        self.timer = context.window_manager.event_timer_add(0.3, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: Any, event: Any) -> set[str]:
        """Look whether it is done; Escape breaks it off."""
        if event.type == "ESC":
            self.request.stopped = True
        if event.type != "TIMER" or self.request.is_alive():
            context.scene.monoform.doing = self.request.doing
            if context.area:
                context.area.tag_redraw()
            return {"PASS_THROUGH"}
        context.window_manager.event_timer_remove(self.timer)
        return self._end(context, self.request)

    def _request(self, context: Any) -> Request | None:
        try:
            return Request(context.scene.monoform)
        except ServiceError as error:
            self.report({"ERROR"}, str(error))
            return None

    def _end(self, context: Any, request: Request) -> set[str]:
        context.scene.monoform.doing = ""
        if request.folder is None:
            self.report({"ERROR"}, request.fault)
            return {"CANCELLED"}
        place_result(context, request.folder)
        return {"FINISHED"}


class MonoformPanel(bpy.types.Panel):
    """The tab in the sidebar."""

    bl_label = "monoform"
    bl_idname = "VIEW3D_PT_monoform"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "monoform"

    def draw(self, context: Any) -> None:
        """Fields and the button; what is being done while it is."""
        settings, layout = context.scene.monoform, self.layout
        for name in ("photo", "mask", "method", "faces", "address", "token"):
            layout.prop(settings, name)
        if settings.doing:
            layout.label(text=f"{settings.doing} (Esc: break off)")
        else:
            layout.operator(MonoformReconstruct.bl_idname, icon="MESH_MONKEY")


CLASSES = (MonoformSettings, MonoformReconstruct, MonoformPanel)


def register() -> None:
    """Called by Blender when the add-on is enabled."""
    for each in CLASSES:
        bpy.utils.register_class(each)
    bpy.types.Scene.monoform = bpy.props.PointerProperty(type=MonoformSettings)


def unregister() -> None:
    """Called by Blender when it is disabled."""
    del bpy.types.Scene.monoform
    for each in reversed(CLASSES):
        bpy.utils.unregister_class(each)
