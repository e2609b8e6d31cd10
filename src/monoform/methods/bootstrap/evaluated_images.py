"""The sets of images that an evaluation of bootstrapped inversion looks at: photos, samples, and inverted photos."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ...camera import to_opengl
from ...data.categories import CategoryPhoto, CategoryPhotos
from ...data.categories.photos import Poses
from ...devices import device_of
from ...metrics.features import as_bytes
from ...metrics.image_blocks import Block
from ...metrics.lpips import Lpips
from ...nn.stylegan2 import Noise
from .cameras import camera_of
from .encoder import BootstrapEncoder
from .estimate_pose import PoseOptions, estimate_cameras, focal_guesses
from .evaluated_views import EvaluatedViews
from .image_scores import capped_psnr, opacity_iou, similarity
from .inversion_options import InversionOptions
from .invert import Inverted, invert
from .model import BootstrapGenerator
from .objective import Objective
from .pose_parameters import rotation_degrees
from .target import Target

FRONT, RANDOM = 0, 1
"""What a picture shows: the photo's view, or another one."""
SEED_STEP = 1_000_003


def published_poses(poses: Poses, numbers: Sequence[int]) -> tuple[Float[Tensor, "n 4 4"], Float[Tensor, " n"] | None]:
    """Cameras of whole photos as `camera_of` takes them."""
    chosen = torch.as_tensor(numbers)
    matrices, focal = to_opengl(poses.world_from_camera[chosen]), poses.focal[chosen]
    if not poses.orthographic:
        return matrices, focal
    matrices = matrices.clone()
    matrices[:, :3, :3] /= focal[:, None, None]
    matrices[:, 3, 3] /= focal
    return matrices, None


@dataclass(frozen=True)
class RealPhotos:
    """Photos of a split, as they are measured."""

    photos: CategoryPhotos
    numbers: Sequence[int]
    size: int

    def __len__(self) -> int:
        return len(self.numbers)

    def blocks(self, numbers: range) -> Iterator[Block]:
        """One block; nothing of it depends on the others."""
        yield Block(as_bytes(self.photos.images([self.numbers[number] for number in numbers], self.size)[:, :3]))


@dataclass(frozen=True)
class Samples:
    """A sample of each latent, seen as a training photo is: the generation metric.

    Args:
        latents: one a sample.
        poses: cameras of the training photos.
        numbers: whose camera each sample gets.
        seed: of where rays are sampled and of the layers' noise, for each sample apart.
    """

    net: BootstrapGenerator
    latents: Float[Tensor, "n z"]
    poses: Poses
    numbers: Sequence[int]
    seed: int

    def __len__(self) -> int:
        return len(self.latents)

    def blocks(self, numbers: range) -> Iterator[Block]:
        """A sample each, so that how many are rendered at once changes nothing."""
        for number in numbers:
            draws = torch.Generator().manual_seed(self.seed * SEED_STEP + number)
            latent = self.latents[number : number + 1].to(device_of(self.net))
            with torch.no_grad():
                styles = self.net.styles(self.net.map(latent))
                picture, _ = picture_of(self.net, styles, published_poses(self.poses, [self.numbers[number]]), draws)
            yield Block(as_bytes(picture.permute(2, 0, 1)[None]))


def picture_of(
    net: BootstrapGenerator,
    styles: Float[Tensor, "1 s d"],
    pose: tuple[Float[Tensor, "1 4 4"], Float[Tensor, " 1"] | None],
    draws: torch.Generator,
) -> tuple[Float[Tensor, "h w 3"], Float[Tensor, "h w"]]:
    """Colors -1..1 and opacity of one object from one camera, with jittered rays."""
    size, device = net.config.resolution, styles.device
    matrices, focal = (None if part is None else part.to(device) for part in pose)
    assert matrices is not None
    seen = net.render(styles, camera_of(matrices, focal, (size, size)), noise=noise_of(net), draws=draws)
    return seen.rgb[0].clamp(-1, 1).cpu(), seen.alpha[0].cpu()


def noise_of(net: BootstrapGenerator) -> Noise:
    """What the layers add where the network has learned to use noise: the same numbers each time."""
    return "const" if net.config.network.noise else "none"


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
class InvertedPhotos:
    """Photos and what is found of them: the photo's view and another one, after each number of steps.

    Args:
        photos: the split that is inverted.
        views: which of them, and the other view of each.
        train: cameras that other views are taken from where an object has one view only, and focal lengths to guess.
    """

    net: BootstrapGenerator
    encoder: BootstrapEncoder
    photos: CategoryPhotos
    views: EvaluatedViews
    train: Poses
    measuring: Measuring

    def __len__(self) -> int:
        return len(self.views.numbers)

    def blocks(self, numbers: range) -> Iterator[Block]:
        """Two pictures for each number of steps of each photo, with `steps`, `shown` and the scores, NaN where none."""
        for number in numbers:
            photo = self.photos.photo(int(self.views.numbers[number]), self.net.config.resolution)
            for steps in self.measuring.refine:
                found, draws = self.inverted(photo, number, steps)
                for shown in (FRONT, RANDOM):
                    picture, scores = self._seen(photo, number, found, shown, draws)
                    rows = {"steps": steps, "shown": shown, "place": number, **scores}
                    more = {name: np.array([float(value)]) for name, value in rows.items()}
                    yield Block(as_bytes(picture.permute(2, 0, 1)[None]), more)

    def inverted(self, photo: CategoryPhoto, number: int, steps: int) -> tuple[Inverted, torch.Generator]:
        """What explains a photo after so many steps, and the draws that follow; the same in whatever company."""
        draws = torch.Generator().manual_seed(self.measuring.seed * SEED_STEP + number)
        device = device_of(self.net)
        rgb = photo.image[None, :3].to(device)
        with torch.no_grad():
            told = self.encoder(rgb)
        assert told.coordinates is not None and told.mask is not None and told.latent is not None
        scene = self.net.config.scene
        focals = focal_guesses(self.train.focal) if scene.projection == "perspective" else None
        solving = PoseOptions(
            pixel_centers=not self.net.config.compat.corner_pixels, published=self.measuring.published
        )
        cameras = estimate_cameras(told.coordinates, told.mask, focals, options=solving, generator=draws)
        mask = photo.image[None, 3].to(device) if len(photo.image) == 4 else None
        target = Target(rgb.permute(0, 2, 3, 1), mask)
        options = replace(self.measuring.options, steps=steps)
        found = invert(self.net, target, told.latent, cameras, self.measuring.objective, options, generator=draws)
        return found, draws

    @torch.no_grad()
    def _seen(
        self, photo: CategoryPhoto, number: int, found: Inverted, shown: int, draws: torch.Generator
    ) -> tuple[Float[Tensor, "h w 3"], Mapping[str, float]]:
        other = int(self.views.other[number])
        if shown == FRONT:
            pose = found.world_from_camera, found.focal
        elif self._has_views:
            assert self.photos.poses is not None
            pose = published_poses(self.photos.poses, [other])
        else:
            pose = published_poses(self.train, [other % len(self.train)])
        picture, alpha = picture_of(found.net, found.styles, pose, draws)
        scores = dict.fromkeys(("psnr", "ssim", "lpips", "iou", "rotation", "refined"), float("nan"))
        if shown == FRONT:
            scores |= self._likeness(picture, photo)
            scores["refined"] = float(found.refined[0])
            if len(photo.image) == 4:
                scores["iou"] = opacity_iou(alpha, photo.image[3])
            if self.photos.poses is not None:
                true = published_poses(self.photos.poses, [int(self.views.numbers[number])])[0]
                scores["rotation"] = float(rotation_degrees(found.world_from_camera.cpu(), true)[0])
        elif self._has_views:
            scores |= self._likeness(picture, self.photos.photo(other, self.net.config.resolution))
        return picture, scores

    @property
    def _has_views(self) -> bool:
        return self.photos.views_per_object != 1

    def _likeness(self, picture: Float[Tensor, "h w 3"], photo: CategoryPhoto) -> Mapping[str, float]:
        ours, theirs = picture / 2 + 0.5, photo.image[:3].permute(1, 2, 0) / 2 + 0.5
        found = {"psnr": capped_psnr(ours, theirs), "ssim": similarity(ours, theirs)}
        if self.measuring.lpips is not None:
            found["lpips"] = self.measuring.lpips(ours.clamp(0, 1), theirs.clamp(0, 1))
        return found
