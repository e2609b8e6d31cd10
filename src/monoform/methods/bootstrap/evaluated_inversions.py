"""Inverted photos as an evaluation of bootstrapped inversion looks at them, after numbers of steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ...data.categories import CategoryPhoto, CategoryPhotos
from ...devices import device_of
from ...errors import InputError
from ...metrics.features import as_bytes
from ...metrics.image_blocks import Block
from ...metrics.lpips import Lpips
from .encoder import Encoded
from .estimate_pose import EstimatedCameras, PoseOptions, estimate_cameras, focal_guesses
from .evaluated_cameras import SeenFrom, window
from .evaluated_images import SEED_STEP, picture_of
from .evaluated_views import EvaluatedViews
from .image_scores import capped_psnr, opacity_iou, similarity
from .inversion_options import InversionOptions
from .invert import Inverted, invert
from .model import BootstrapGenerator
from .objective import Objective
from .pose_parameters import rotation_degrees
from .refined_state import State
from .refinement import Refinement
from .target import Target

FRONT, RANDOM = 0, 1
"""What a picture shows: the photo's view, or another one."""
SCORES = ("psnr", "ssim", "lpips", "iou", "rotation", "found", "refined")


@dataclass(frozen=True)
class Measuring:
    """How photos are inverted and measured.

    Attributes:
        refine: numbers of steps after which it is measured.
        options: of the refinement.
        objective: of it.
        lpips: where it is measured.
        published: solve for the camera as the release does.
        seed: of all draws, for each photo apart.
    """

    refine: tuple[int, ...]
    options: InversionOptions
    objective: Objective
    lpips: Lpips | None
    published: bool
    seed: int


@dataclass(frozen=True)
class Compared:
    """Which photos are inverted, and what is compared with what (the release's protocol).

    Photos of a test set are inverted as they are measured, cropped; photos of a training set whole, as the encoder has
    learned from, and the crop of them is measured.

    Attributes:
        photos: that are inverted.
        measured: the same photos as they are measured.
        others: whose cameras other views are seen from, and which they are compared with where objects have several.
        focals: focal lengths to guess.
    """

    photos: CategoryPhotos
    measured: CategoryPhotos
    others: CategoryPhotos
    focals: Float[Tensor, " m"]

    @property
    def has_views(self) -> bool:
        """Whether objects have several."""
        return self.photos.views_per_object != 1

    def front(self, number: int, matrices: Float[Tensor, "1 4 4"], focal: Float[Tensor, " 1"] | None) -> SeenFrom:
        """Where the measured photo is seen from, by the camera of the inverted one."""
        return SeenFrom(matrices, focal, None if self.measured is self.photos else window(self.measured, number))

    def true_pose(self, number: int) -> Float[Tensor, "1 4 4"] | None:
        """Of a photo, where it is known."""
        return None if self.photos.poses is None else SeenFrom.of_photo(self.photos, number).world_from_camera


@dataclass(frozen=True)
class Explained:
    """What explains a photo after some steps of refinement: styles, camera, and whether it was refined."""

    styles: Float[Tensor, "1 s d"]
    world_from_camera: Float[Tensor, "1 4 4"]
    focal: Float[Tensor, " 1"] | None
    refined: bool


@dataclass(frozen=True)
class InvertedPhotos:
    """Photos and what is found of them: the photo's view and another one, after each number of steps.

    Args:
        compared: the photos.
        views: which of them, and the other view of each.
    """

    net: BootstrapGenerator
    encoder: Callable[[Tensor], Encoded]
    compared: Compared
    views: EvaluatedViews
    measuring: Measuring

    def __len__(self) -> int:
        return len(self.views.numbers)

    def blocks(self, numbers: range) -> Iterator[Block]:
        """Pictures of each photo; one that cannot be used is left out, whatever it is asked for with."""
        for place in numbers:
            try:
                yield from list(self._pictures(place))
            except InputError as error:
                yield Block(None, left_out=(str(error),))

    def _pictures(self, place: int) -> Iterator[Block]:
        """Two pictures for each number of steps, with `steps`, `shown` and the scores, NaN where none."""
        number, other = int(self.views.numbers[place]), int(self.views.other[place])
        cameras, found = self.inverted(number, place)
        draws = torch.Generator().manual_seed(self.measuring.seed * SEED_STEP + place)
        for steps, explained in found.items():
            seen = {FRONT: self._front(number, explained, draws), RANDOM: self._other(other, explained, draws)}
            seen[FRONT][1]["found"] = float(cameras.found[0, 0])
            for shown, (picture, scores) in seen.items():
                rows = {"steps": steps, "shown": shown, "place": place, **dict.fromkeys(SCORES, np.nan), **scores}
                more = {name: np.array([float(value)]) for name, value in rows.items()}
                yield Block(as_bytes(picture.permute(2, 0, 1)[None]), more)

    def inverted(self, number: int, place: int) -> tuple[EstimatedCameras, dict[int, Explained]]:
        """The first camera of a photo, and what explains it after each number of steps; the same in whatever company.

        Args:
            place: of the photo among those that are measured; all draws are its own.
        """
        draws = torch.Generator().manual_seed(self.measuring.seed * SEED_STEP + place)
        device = device_of(self.net)
        image = self.compared.photos.photo(number, self.net.config.resolution).image[None].to(device)
        with torch.no_grad():
            told = self.encoder(image[:, :3])
        assert told.coordinates is not None and told.mask is not None and told.latent is not None
        scene = self.net.config.scene
        focals = focal_guesses(self.compared.focals) if scene.projection == "perspective" else None
        solving = PoseOptions(
            pixel_centers=not self.net.config.compat.corner_pixels, published=self.measuring.published
        )
        cameras = estimate_cameras(told.coordinates, told.mask, focals, options=solving, generator=draws)
        target = Target(image[:, :3].permute(0, 2, 3, 1), image[:, 3] if image.shape[1] == 4 else None)
        wanted = self.measuring.refine
        options, states = replace(self.measuring.options, steps=max(wanted)), dict[int, State]()

        class Noting(Refinement):
            def loss(self, values: Mapping[str, Tensor], step: int) -> dict[str, Tensor]:
                if step in wanted:
                    states[step] = State.of({name: value.detach().clone() for name, value in values.items()})
                return super().loss(values, step)

        found = invert(
            self.net,
            target,
            told.latent,
            cameras,
            self.measuring.objective,
            options,
            generator=draws,
            refinement=Noting,
        )
        return cameras, {steps: self._explained(found, states.get(steps), steps) for steps in wanted}

    def _explained(self, found: Inverted, state: State | None, steps: int) -> Explained:
        """After some steps; where there is no state of them, it is that of the end."""
        if state is None:
            return Explained(found.styles, found.world_from_camera, found.focal, steps > 0 and bool(found.refined[0]))
        matrices, focal = state.pose.matrices(flipped=self.net.config.scene.flipped)
        styles = (state.latent * self.measuring.options.gain).expand(-1, self.net.slots, -1)
        return Explained(styles, matrices, focal, steps > 0)

    @torch.no_grad()
    def _front(
        self, number: int, found: Explained, draws: torch.Generator
    ) -> tuple[Float[Tensor, "h w 3"], dict[str, float]]:
        """The photo's view beside the photo."""
        place = self.compared.front(number, found.world_from_camera, found.focal)
        picture, alpha = picture_of(self.net, found.styles, place, draws)
        photo = self.compared.measured.photo(number, self.net.config.resolution)
        scores = self._likeness(picture, photo) | {"refined": float(found.refined)}
        if len(photo.image) == 4:
            scores["iou"] = opacity_iou(alpha, photo.image[3])
        true = self.compared.true_pose(number)
        if true is not None:
            scores["rotation"] = float(rotation_degrees(found.world_from_camera.cpu(), true)[0])
        return picture, scores

    @torch.no_grad()
    def _other(
        self, number: int, found: Explained, draws: torch.Generator
    ) -> tuple[Float[Tensor, "h w 3"], dict[str, float]]:
        """Another view, beside the photo of it where there is one."""
        others = self.compared.others
        place = SeenFrom.of_photo(others, number % len(others))
        picture, _ = picture_of(self.net, found.styles, place, draws)
        if not self.compared.has_views:
            return picture, {}
        return picture, self._likeness(picture, others.photo(number, self.net.config.resolution))

    def _likeness(self, picture: Float[Tensor, "h w 3"], photo: CategoryPhoto) -> dict[str, float]:
        ours, theirs = picture / 2 + 0.5, photo.image[:3].permute(1, 2, 0) / 2 + 0.5
        found = {"psnr": capped_psnr(ours, theirs), "ssim": similarity(ours, theirs)}
        if self.measuring.lpips is not None:
            found["lpips"] = self.measuring.lpips(ours.clamp(0, 1), theirs.clamp(0, 1))
        return found
