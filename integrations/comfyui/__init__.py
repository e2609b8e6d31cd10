"""ComfyUI node: an image goes to `monoform serve`, a GLB file and the overlay come back."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from .monoform_client import Service


class MonoformReconstruct:
    """One image of an object to a textured mesh that lies on it."""

    CATEGORY = "3d/monoform"
    FUNCTION = "reconstruct"
    RETURN_TYPES = ("STRING", "IMAGE", "MASK")
    RETURN_NAMES = ("glb_path", "overlay", "mask")
    OUTPUT_NODE = False
    DESCRIPTION = "Sends the image to a running `monoform serve`; the path is for Preview 3D."

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """The node's inputs, as ComfyUI asks for them."""
        return {
            "required": {
                "image": ("IMAGE",),
                "method": ("STRING", {"default": "lift"}),
                "seed": ("INT", {"default": 0, "min": 0, "max": 2**53 - 1}),
                "faces": ("INT", {"default": 20000, "min": 100, "max": 500000}),
                "texture": ("INT", {"default": 1024, "min": 64, "max": 4096}),
                "address": ("STRING", {"default": "http://127.0.0.1:8000"}),
            },
            "optional": {
                "mask": ("MASK",),
                "options": ("STRING", {"default": "{}", "multiline": True}),
            },
        }

    def reconstruct(
        self,
        image: torch.Tensor,
        method: str,
        seed: int,
        faces: int,
        texture: int,
        address: str,
        mask: torch.Tensor | None = None,
        options: str = "{}",
    ) -> tuple[str, torch.Tensor, torch.Tensor]:
        """Send the first image of the batch, wait, and keep the mesh among ComfyUI's outputs.

        Args:
            image: (b, h, w, 3 or 4), 0..1.
            mask: (b, h, w), 1 where the object is; None, or empty: the service finds it.
            options: of the method, a JSON object.

        Returns:
            Path of the GLB file below the output folder, the overlay (1, h, w, 3), the mask that was used (1, h, w).
        """
        service = Service(address, os.environ.get("MONOFORM_TOKEN", ""))
        photo = _png(image[0])
        given = None if mask is None or not bool((mask > 0.5).any()) else _png(mask.reshape(-1, *mask.shape[-2:])[0])
        form = {"method": method, "seed": seed, "faces": faces, "texture": texture, "options": options, "frames": 0}
        job = service.submit(photo, "image.png", mask=given, form=form)
        service.wait(job, _told(), stop=_interrupted)
        mesh, overlay, used = (service.file(job, name) for name in ("mesh.glb", "overlay.png", "mask.png"))
        service.forget(job)
        folder, shown = _output_folder()
        number = 1
        while (folder / f"mesh_{number:05}.glb").exists():
            number += 1
        (folder / f"mesh_{number:05}.glb").write_bytes(mesh)
        return str(shown / f"mesh_{number:05}.glb"), _pixels(overlay, "RGB"), _pixels(used, "L")


def _png(values: torch.Tensor) -> bytes:
    pixels = (values.detach().cpu().float().clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def _pixels(data: bytes, mode: str) -> torch.Tensor:
    with Image.open(io.BytesIO(data)) as image:
        return torch.from_numpy(np.array(image.convert(mode), np.float32) / 255)[None]


def _output_folder() -> tuple[Path, Path]:
    """Where it is written, and how ComfyUI's other nodes call the place."""
    try:
        import folder_paths
    except ImportError:
        return (place := Path(tempfile.mkdtemp(prefix="monoform-comfyui-"))), place
    place = Path(folder_paths.get_output_directory()) / "monoform"
    place.mkdir(parents=True, exist_ok=True)
    return place, Path("monoform")


def _told() -> Any:
    """What shows progress on the node; None outside ComfyUI."""
    try:
        from comfy.utils import ProgressBar
    except ImportError:
        return None
    bar = ProgressBar(100)
    return lambda doing, share: bar.update_absolute(round(100 * (share or 0.0)))


def _interrupted() -> bool:
    try:
        from comfy.model_management import processing_interrupted
    except ImportError:
        return False
    return bool(processing_interrupted())


NODE_CLASS_MAPPINGS = {"MonoformReconstruct": MonoformReconstruct}
NODE_DISPLAY_NAME_MAPPINGS = {"MonoformReconstruct": "Image to 3D (monoform)"}
