"""pixelNeRF as a method: photos with masks to a field, its mesh and its cameras."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch

from ...devices import device_of, to_device
from ...scene import Provenance, Reconstruction, View
from ...scene.outline import Outline
from ...scene.photo_camera import working_camera
from ...scene.single_view import cleaned
from ...training.weights import pretrained
from ...weights import shipped
from ..base import MethodCard, Reconstructor
from .config import PixelNerfConfig, PixelNerfOptions
from .fast_field import FastField
from .field import PixelNerfField, surface_level
from .model import PixelNerfNet
from .renderer import PixelNerfRenderer
from .source_views import focal_alone, source_views

CITATION = """@inproceedings{yu2021pixelnerf,
  title = {{pixelNeRF}: Neural Radiance Fields from One or Few Images},
  author = {Yu, Alex and Ye, Vickie and Tancik, Matthew and Kanazawa, Angjoo},
  booktitle = {CVPR},
  year = {2021}
}"""


FOCAL_UNUSED = "The focal length is not used: pixelnerf takes a photo without a pose as its training's were taken."
GIVEN = "The pose is given, or that of the training's photos: none is fitted."
SHIPPED = {"": shipped()["pixelnerf"], "cars": shipped()["pixelnerf_cars"]}


class PixelNerf(Reconstructor):
    """A radiance field in one pass of a network, from one photo or several with cameras."""

    several_views: ClassVar[bool] = True
    config_class: ClassVar[type] = PixelNerfOptions
    card: ClassVar[MethodCard] = MethodCard(
        name="pixelnerf",
        summary="a radiance field from one or few photos, for objects of the kind the weights were trained on",
        needs="its small weights, which ship with monoform, or converted ones (--set weights=DIR)",
        license="Apache-2.0; published weights: see their card",
        weights=", ".join(each.name for each in SHIPPED.values()),
        size=sum(each.megabytes for each in SHIPPED.values()),
        citation=(CITATION,),
    )

    def __init__(self, config: PixelNerfOptions | None = None) -> None:
        self.config = config or PixelNerfOptions()
        self.net = pretrained(PixelNerfNet, PixelNerfConfig, weights_folder(self.config.weights))

    def reconstruct(self, views: Sequence[View], *, generator: torch.Generator) -> Reconstruction:
        """The field of the object that the photos show.

        Args:
            views: photos with masks; several need cameras with poses, in a world whose origin is the object's centre
                and where it lies in the sphere of radius 0.5.
            generator: not needed, nothing here is random.

        Raises:
            InputError: the views cannot be used.
        """
        del generator
        kept, parts = [], 1
        for view in views:
            photo = view.photo
            if photo.mask is not None:
                photo, silhouette = cleaned(photo, (FOCAL_UNUSED,) * (len(views) == 1 and focal_alone(view.camera)))
                parts = max(parts, silhouette.parts)
            kept.append(View(photo, view.camera))
        config = self.net.config
        with torch.inference_mode(False), torch.no_grad():
            elevation = math.radians(self.config.elevation)
            source = source_views(kept, config, margin=self.config.margin, elevation=elevation)
            device = device_of(self.net)
            encoded = self.net.encode(source.images.to(device), source.cameras.to(device))
            fast = FastField(self.net, encoded, precision=self.config.precision)
            placed = [View(view.photo, camera, GIVEN) for view, camera in zip(kept, source.photo_cameras, strict=True)]
            outlines = tuple(to_device(_outline(view), device) for view in placed)
            field = PixelNerfField(fast, source.scale, self.config.looking)
            level = self.config.level or surface_level(field, outlines[0])
            field = replace(field, outlines=outlines if self.config.carve else (), level=level)
        renderer = PixelNerfRenderer(field)
        return Reconstruction(
            field=field,
            level=level,
            views=tuple(placed),
            provenance=Provenance(
                "pixelnerf",
                self.config,
                weights={"source": _told(self.config.weights)},
                citation=self.card.citation,
            ),
            parts=parts,
            texture="baked",
            renderer=renderer,
            image=renderer.image,
            capabilities=frozenset({"geometry", "color"} | ({"camera"} if _is_guessed(kept) else set())),
        )


def _is_guessed(views: Sequence[View]) -> bool:
    """Whether the camera is that of the training for want of a known one."""
    return len(views) == 1 and (views[0].camera is None or focal_alone(views[0].camera))


def weights_folder(weights: str) -> str:
    """Where weights are: the folder of those that ship, by name or empty; else what was given."""
    return str(SHIPPED[weights].folder) if weights in SHIPPED else weights


def _told(weights: str) -> str:
    """The weights as results name them."""
    return SHIPPED[weights].title if weights in SHIPPED else weights


def _outline(view: View) -> Outline:
    """The photo's mask, with the camera of its working image."""
    photo, camera = view.photo, view.camera
    assert photo.mask is not None and camera is not None
    return Outline.of(photo.mask, working_camera(camera, photo))
