"""PoF3D as a method: samples of a trained generator, and the sample that a photo shows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from ...camera import Camera
from ...devices import device_of
from ...errors import InputError
from ...inversion import trackable
from ...scene import Provenance, Reconstruction, View
from ...scene.single_view import single_view
from ...training.weights import pretrained
from ...weights import shipped
from ..base import Generator, MethodCard, Reconstructor
from ..samples import PublishedSamples, Studio, Styles, label_of
from .config import FOV, Pof3dOptions, focal_of
from .discriminator import Pof3dDiscriminator
from .find_photo import find
from .model import Pof3dGenerator
from .networks import NetworksConfig, Pof3dNetworks
from .photo_crop import square_of
from .poses import camera_poses, within_poles
from .published_samples import LARGEST_SEED, published_latent, write_published_samples
from .sample_field import Sample, SampleField, SampleImage, SampleRays, surface_level

CITATION = """@inproceedings{shi2023pof3d,
  title = {Learning {3D}-aware Image Synthesis with Unknown Pose Distribution},
  author = {Shi, Zifan and Shen, Yujun and Xu, Yinghao and Peng, Sida and Liao, Yiyi and Guo, Sheng and Chen, Qifeng
            and Yeung, Dit-Yan},
  booktitle = {CVPR},
  year = {2023}
}"""
SHIPPED = shipped()["pof3d"]
SLIP = 18.0  # degrees: what the published program makes of its default, 18.837
STEPPED = "The pose is found by gradient steps on pictures, which tell no covariance."
CLAMPED = (
    "The elevation that the generator chose for this latent lies out of range: it is seen from the nearest within it."
)


class Pof3d(Generator, Reconstructor):
    """A generator of one kind of objects, trained on single photos whose cameras nobody knows."""

    config_class: ClassVar[type] = Pof3dOptions
    architectures: ClassVar[tuple[str, ...]] = ("Pof3dNetworks",)
    card: ClassVar[MethodCard] = MethodCard(
        name="pof3d",
        summary="samples of a kind of objects, learned from photos without cameras; and a photo among them",
        needs="its small weights of cars, which ship with monoform, or those that you train or convert "
        "(--set weights=DIR)",
        license="Apache-2.0; published weights: see their card",
        weights=SHIPPED.name,
        size=SHIPPED.megabytes,
        citation=(CITATION,),
    )

    def __init__(self, config: Pof3dOptions | None = None) -> None:
        self.config = config or Pof3dOptions()
        folder = self.config.weights or str(SHIPPED.folder)
        networks = pretrained(Pof3dNetworks, NetworksConfig, folder)
        self.net: Pof3dGenerator = networks.generator
        self.critic: Pof3dDiscriminator | None = networks.discriminator

    @property
    def scale(self) -> float:
        """World units of the house in one of the network's: the box lies in the cube of side 1."""
        return 1 / max(1.0, self.net.config.rays.box)

    @property
    def focal(self) -> float:
        """Of pictures whose side is 1."""
        fov = self.config.fov
        return self.net.config.rig.focal if fov is None else focal_of(fov, truncated=True)

    @property
    def studio(self) -> Studio:
        """The cameras of its training, seen from the mean yaw and elevation."""
        config = self.net.config
        x, y, z = (self.scale * value for value in config.rig.pivot)
        return Studio(
            pivot=(x, y, z),
            distance=self.scale * config.rig.radius,
            fov_y=2 * math.atan(0.5 / self.focal),
            size=config.resolution,
            raw_size=None if config.network.superresolution == "none" else config.rays.raw_resolution,
            azimuth=config.pose.yaw_mean - math.pi / 2,
            elevation=math.asin(1 - 2 * config.pose.elevation_mean / math.pi),
        )

    def latent(self, generator: torch.Generator) -> Float[Tensor, " z"]:
        """Standard normal numbers."""
        return torch.randn(self.net.config.network.z_dim, generator=generator)

    def seeded(self, seed: int, generator: torch.Generator) -> Float[Tensor, " z"]:
        """The latent that the published program draws for the seed."""
        if seed > LARGEST_SEED:
            return self.latent(generator)
        return published_latent(seed, self.net.config.network.z_dim)

    def styles(self, latent: Float[Tensor, " z"]) -> Styles:
        """Truncated styles, and the pose that the generator chose."""
        place = latent[None].to(device_of(self.net))
        mapped = self.net.map(place, truncation=self.config.truncation, cutoff=self.config.cutoff)
        pose, outside = within_poles(mapped.pose)
        return Styles(mapped.ws[0], pose[0], (CLAMPED,) if outside else ())

    def generate(self, latent: Float[Tensor, " z"], *, generator: torch.Generator) -> Reconstruction:
        """The object of a latent."""
        return self.of_styles(self.styles(latent), generator=generator)

    def of_styles(self, styles: Styles, *, generator: torch.Generator) -> Reconstruction:
        """The object of styles: its planes are made once."""
        noise = generator if self.config.noise == "random" else self.config.noise
        with torch.inference_mode(False), torch.no_grad():
            layers = trackable(styles.layers)[None]
            sample = Sample(self.net, layers, self.net.planes(layers, noise=noise), self.scale)
            field, level = SampleField(sample), self.config.level
            density = surface_level(field, self.net.config.rays.surface) if level is None else field.density_of(level)
        return Reconstruction(
            field=field,
            provenance=Provenance(
                "pof3d",
                self.config,
                weights={"source": self.config.weights or SHIPPED.title},
                citation=self.card.citation,
            ),
            level=density,
            renderer=SampleRays(sample),
            image=SampleImage(sample),
        )

    def predicted_camera(self, styles: Styles) -> Camera | None:
        """The camera that the generator chose for the latent."""
        if styles.pose is None:
            return None
        size = self.net.config.resolution
        return Camera.from_fov(self._pose(styles.pose[None]).float().cpu(), self.studio.fov_y, size, size)

    def label(self, camera: Camera) -> list[float]:
        """In the network's own units."""
        return label_of(camera, 1 / self.scale)

    def write_published(self, out: Path, seeds: Sequence[int], options: PublishedSamples) -> Iterator[str]:
        """The published program's files; see `published_samples`.

        Raises:
            InputError: a seed is beyond what it draws from, or a file may not be replaced.
        """
        if max(seeds) > LARGEST_SEED:
            raise InputError(f"--seeds has {max(seeds)}; the published program takes seeds up to {LARGEST_SEED}.")
        slipped = math.isclose(self.net.config.rig.focal, focal_of(FOV), rel_tol=1e-3)
        focal = focal_of(SLIP, truncated=True) if slipped and self.config.fov is None else self.focal
        how = {"truncation": self.config.truncation, "cutoff": self.config.cutoff, "focal": focal}
        return write_published_samples(self.net, out, seeds, options, **how)  # type: ignore[arg-type]

    def reconstruct(self, views: Sequence[View], *, generator: torch.Generator) -> Reconstruction:
        """The sample that looks like a photo, and the camera that sees it so.

        Raises:
            InputError: there is not one photo with a mask.
        """
        view, _ = single_view(views, "pof3d")
        config, white = self.net.config, self.net.config.rays.white
        fill = config.rig.fill if self.config.fill is None else self.config.fill
        square = square_of(view.photo, config.resolution, self.config.crop, white=white, fill=fill)
        found = find(
            self.net,
            None if self.critic is None else self.critic.predict_pose,
            square,
            self.focal,
            steps=self.config.steps,
            starts=self.config.starts,
            generator=generator,
        )
        styles = Styles(found.styles, found.pose)
        made = self.of_styles(styles, generator=generator)
        camera = square.camera(view.photo, self._pose(found.pose[None]), self.focal)
        provenance = replace(made.provenance, fit={"loss": found.loss, "first": found.first})
        return replace(
            made, views=(View(view.photo, camera, STEPPED),), provenance=provenance, capabilities=frozenset()
        )

    def _pose(self, pose: Float[Tensor, "1 p"]) -> Float[Tensor, "1 4 4"]:
        """world_from_camera in the house's units."""
        rig = self.net.config.rig
        radius = pose[:, 2] if self.net.config.pose.learned == "radius" else rig.radius
        found = camera_poses(pose, pivot=rig.pivot, radius=radius).clone()
        found[:, :3, 3] *= self.scale
        return found
