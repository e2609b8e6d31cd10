"""pixelNeRF as a method: photos with masks to a field, its mesh and its cameras."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from ...devices import device_of, to_device
from ...errors import InputError
from ...ranges import require_ranges
from ...scene import Provenance, Reconstruction, View
from ...scene.outline import Outline
from ...scene.photo_camera import working_camera
from ...scene.single_view import cleaned
from ...training.weights import pretrained
from ...weights import shipped
from ..base import MethodCard, Reconstructor
from .config import PixelNerfConfig
from .fast_field import DTYPES, FastField, Precision
from .field import Looking, PixelNerfField, surface_level
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
SHIPPED = {"": shipped()["pixelnerf"], "cars": shipped()["pixelnerf_cars"]}


@dataclass(frozen=True)
class PixelNerfOptions:
    """How a network is used.

    Attributes:
        weights: folder or hub id of the network, for instance one that `monoform convert` has made; cars, or empty: the
            small weights for cars, and for objects of all kinds, that ship with monoform.
        margin: side of the square that the network sees of a single photo, in longest sides of the object.
        elevation: of a single photo's camera above the object in degrees; turns the result upright.
        carve: whether what lies outside the photos' masks is cut away.
        looking: camera, where geometry is that seen from the first photo, or average, over all directions.
        level: density per world unit at which the surface lies; 0: 10, or less where the network spreads the object
            along the rays because it does not know its depth.
        precision: float32, or bfloat16: faster, and coarser.
    """

    weights: str = ""
    margin: float = 1.3
    elevation: float = 0.0
    carve: bool = True
    looking: Looking = "camera"
    level: float = 0.0
    precision: Precision = "float32"


class PixelNerf(Reconstructor):
    """A radiance field in one pass of a network, from one photo or several with cameras."""

    config_class: ClassVar[type] = PixelNerfOptions
    card: ClassVar[MethodCard] = MethodCard(
        name="pixelnerf",
        summary="a radiance field from one or few photos, for objects of the kind the weights were trained on",
        needs="its small weights, which ship with monoform, or converted ones (--set weights=DIR)",
        license="Apache-2.0; published weights: see their card",
        weights="pixelnerf",
        size=sum(each.megabytes for each in SHIPPED.values()),
        citation=(CITATION,),
    )

    def __init__(self, config: PixelNerfOptions | None = None) -> None:
        self.config = config or PixelNerfOptions()
        _check(self.config)
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
            placed = [View(view.photo, camera) for view, camera in zip(kept, source.photo_cameras, strict=True)]
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


def _check(options: PixelNerfOptions) -> None:
    require_ranges(options, "pixelnerf's", margin=(1.0, 4.0), elevation=(-89, 89), level=(0, 1000))
    choices = {"looking": ("camera", "average"), "precision": tuple(DTYPES)}
    for name, allowed in choices.items():
        if getattr(options, name) not in allowed:
            raise InputError(f"pixelnerf's {name} is {getattr(options, name)!r}; choose one of {', '.join(allowed)}.")
