"""Bootstrapped inversion as a method: samples of a trained generator, and the object and camera that a photo shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from ...camera import Camera
from ...camera.pose_covariance import pose_covariance
from ...devices import device_of
from ...errors import InputError
from ...metrics.lpips import Lpips
from ...ranges import LARGEST_SEED
from ...scene import Provenance, Reconstruction, View
from ...scene.single_view import single_view
from ...weights import shipped
from ..base import Generator, MethodCard, Reconstructor
from ..samples import Studio, Styles, label_of
from .cameras import camera_of
from .category_weights import weights_of
from .config import BootstrapOptions
from .editing import Appearance
from .encoder import Encoded
from .estimate_pose import THRESHOLD, EstimatedCameras, PoseOptions, estimate_cameras
from .inversion_options import InversionOptions
from .invert import Inverted, invert
from .networks import digest_of, open_inverter
from .objective import PERCEPTUAL, Kind, Objective
from .own_files import BootstrapFiles, read_styles
from .photo_square import PhotoSquare
from .placed import PlacedField, PlacedObject, PlacedRays, Placement
from .sample_camera import drawn_pose, pose_of
from .strip import Seen, told_photo

CITATION = """@inproceedings{pavllo2023shape,
  title = {Shape, Pose, and Appearance from a Single Image via Bootstrapped Radiance Field Inversion},
  author = {Pavllo, Dario and Tan, David Joseph and Rakotosaona, Marie-Julie and Tombari, Federico},
  booktitle = {CVPR},
  year = {2023}
}"""
SHIPPED = shipped()["bootstrap_cars"]
FOCALS = (0.75, 1.0, 1.5, 2.0, 3.0, 4.5)
"""Tried where nothing is known of the training photos' cameras."""
STEPPED = (
    "The pose is refined by gradient steps on pictures, which tell no covariance; --refine 0 gives that of the start."
)
NOT_FIXED = "The points that were solved for do not fix all of the pose."
NO_CAMERA = (
    "No camera explains what the encoder sees in the photo: shape and colors are its first guess, and there is no "
    "camera. The object may be of another kind than the weights', or its mask wrong."
)
NOT_REFINED = (
    "The refinement did not succeed, so shape and camera are the encoder's first guess: no ray of its camera meets the "
    "object, or numbers became infinite."
)


class Bootstrap(Generator, Reconstructor):
    """A generator of one kind of objects, its encoder, and refinement of what that tells of a photo."""

    config_class: ClassVar[type] = BootstrapOptions
    further_trainings: ClassVar[tuple[str, ...]] = ("train_encoder",)
    architectures: ClassVar[tuple[str, ...]] = ("BootstrapNetworks", "BootstrapGenerator")
    card: ClassVar[MethodCard] = MethodCard(
        name="bootstrap",
        summary="shape, colors and camera of an object of a learned kind: encoded, solved for, refined by rendering",
        needs="its small weights of cars, which ship with monoform, or a generator's and its encoder's (--weights DIR)",
        license="Apache-2.0; published weights: see their card",
        weights=SHIPPED.name,
        size=SHIPPED.megabytes,
        citation=(CITATION,),
    )

    def __init__(self, config: BootstrapOptions | None = None) -> None:
        self.config = options = config or BootstrapOptions()
        self.source = weights_of(options.weights or str(SHIPPED.folder), options.category)
        found = open_inverter(self.source, options.encoder)
        self.net, self.encoder, self.lpips = found.generator, found.encoder, found.lpips
        if options.vgg or options.linear:
            self.lpips = Lpips.load(options.vgg or None, options.linear or None)
        elif self.lpips is None and options.loss in PERCEPTUAL:
            raise InputError(f"bootstrap's loss {options.loss} needs --set vgg=FILE and linear=FILE: give them, or l1.")
        self.appearance = Appearance(self._taken(), options.appearance_layers, options.recolor)
        self.appearance.require_fit(self.net)

    @property
    def placement(self) -> Placement:
        """How the network's world lies in the house's."""
        return Placement.of(self.net.config.scene, self.config.up)

    @property
    def studio(self) -> Studio:
        """The house's turntable, in the network's resolution."""
        return Studio(size=self.net.config.resolution)

    def latent(self, generator: torch.Generator) -> Float[Tensor, " z"]:
        """Standard normal numbers."""
        return torch.randn(self.net.config.network.z_dim, generator=generator)

    def styles(self, latent: Float[Tensor, " z"]) -> Styles:
        """Styles of the layers, and parameters of a camera of the training set where the weights have some."""
        place = latent[None].to(device_of(self.net))
        told = self.config.object_class
        classes = None if told is None else torch.tensor([told], device=place.device)
        with torch.no_grad():
            w = self.net.map(place, classes)
            if self.config.truncation != 1:
                w = torch.lerp(self.net.mean_style(classes=classes), w, self.config.truncation)
            return Styles(self.net.styles(w)[0], drawn_pose(self.net.config.scene, latent))

    def generate(self, latent: Float[Tensor, " z"], *, generator: torch.Generator) -> Reconstruction:
        """The object of a latent."""
        return self.of_styles(self.styles(latent), generator=generator)

    def of_styles(self, styles: Styles, *, generator: torch.Generator) -> Reconstruction:
        """The object of styles: its planes are made once."""
        noise = generator if self.config.noise == "random" else self.config.noise
        with torch.inference_mode(False):
            made, styles = self.appearance.made(self.net, styles, noise, self.placement)
        return self._reconstruction(made, self._files(made, styles))

    def styles_of_result(self, folder: Path) -> Styles:
        """Those that made the object in a result's folder.

        Raises:
            InputError: there are none, or another generator made it.
        """
        return read_styles(folder, (self.net.slots, self.net.config.network.w_dim), self.digest)

    @cached_property
    def digest(self) -> str:
        """Of the generator's weights."""
        return digest_of(self.net)

    def predicted_camera(self, styles: Styles) -> Camera | None:
        """A camera of the training set, drawn for the latent; None where the weights have none."""
        if styles.pose is None:
            return None
        pose = pose_of(styles.pose)
        return self._camera(*pose.matrices(flipped=self.net.config.scene.flipped))

    def label(self, camera: Camera) -> list[float]:
        """In the network's own world."""
        return label_of(self.placement.back(camera))

    def reconstruct(self, views: Sequence[View], *, generator: torch.Generator) -> Reconstruction:
        """The object that a photo shows, and the camera that took it; what failed is among the photo's notices.

        Raises:
            InputError: there is not one photo with a mask, or no encoder.
        """
        view, _ = single_view(views, "bootstrap")
        if self.encoder is None:
            raise InputError(
                f"bootstrap needs an encoder for a photo, and {self.config.weights} holds none: give --set "
                "encoder=FOLDER, or train one by `monoform train bootstrap-encoder`."
            )
        square = PhotoSquare.of(view.photo, self.net.config, self.config.margin)
        with torch.inference_mode(False):
            known = square.known(view.camera, corner_pixels=self._corners) if self._perspective else None
            told, cameras = self.encoded(square, known, generator)
            assert told.latent is not None
            target, steps = square.target(None if known is None else known[1], device_of(self.net)), self.config.refine
            options = self._inversion(steps, focal_known=known is not None)
            found = invert(self.net, target, told.latent, cameras, self.objective, options, generator=generator)
            made, styles = self.appearance.made(found.net, Styles(found.styles[0]), "const", self.placement)
            succeeded, refined = bool(cameras.found[0].any()), bool(found.refined[0])
            camera = self._camera(found.world_from_camera, found.focal, target.center) if succeeded else None
            files = replace(self._files(made, styles), pixels=self.net.config.resolution / square.side)
            if self.config.maps:
                predicted = self._predicted(told, cameras, target.center) if refined else None
                shown = told_photo(square.rgb, told, self.placement, predicted)
                files = replace(files, photo=shown, seen=Seen(made, camera or self.studio.fixed()))
        notices = () if succeeded else (NO_CAMERA,)
        if succeeded and steps and not refined:
            notices = (NOT_REFINED,)
        photo = replace(view.photo, notices=view.photo.notices + notices)
        whole = None if camera is None else square.camera(photo, camera)
        spread = self._spread(told, camera) if camera and not (refined and options.refine_pose) else STEPPED
        result = self._reconstruction(made, files)
        provenance = replace(result.provenance, fit=_fit(cameras, found))
        return replace(result, views=(View(photo, whole, spread),), provenance=provenance, capabilities=frozenset())

    @torch.no_grad()
    def encoded(
        self,
        square: PhotoSquare,
        known: tuple[float, Float[Tensor, "1 2"]] | None,
        generator: torch.Generator,
    ) -> tuple[Encoded, EstimatedCameras]:
        """What the encoder tells, and the cameras that explain the coordinates, the best first."""
        assert self.encoder is not None
        told = self.encoder(square.rgb.permute(2, 0, 1)[None].to(device_of(self.encoder)))
        assert told.coordinates is not None and told.mask is not None
        scene, center = self.net.config.scene, None if known is None else known[1]
        focals: Sequence[float] | None = None
        if self._perspective:
            focals = (known[0],) if known else self.config.focals or scene.focals or FOCALS
        solving = PoseOptions(pixel_centers=not self._corners)
        cameras = estimate_cameras(
            told.coordinates,
            told.mask,
            focals,
            center=center,
            keep=self.config.starts,
            options=solving,
            generator=generator,
        )
        return told, cameras

    def _spread(self, told: Encoded, camera: Camera) -> Float[Tensor, "6 6"] | str:
        """Covariance of a camera that explains the encoder's coordinates, from what it leaves unexplained."""
        assert told.coordinates is not None and told.mask is not None
        coordinates, mask = told.coordinates[0].cpu().double(), told.mask[0].cpu().double()
        height, width = mask.shape
        rows, columns = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
        pixels = torch.stack((columns * (camera.width / width), rows * (camera.height / height)), dim=-1)
        weights = torch.where(mask > THRESHOLD, mask, 0.0)
        points = self.placement.placed(coordinates)
        found = pose_covariance(camera, points.flatten(0, 1), pixels.flatten(0, 1), weights.flatten())
        return NOT_FIXED if found is None else found

    @property
    def objective(self) -> Objective:
        """What refinement makes small."""
        auto: Kind = "l1" if self.lpips is None else "vgg"
        kind = auto if self.config.loss == "auto" else self.config.loss
        lpips = None if self.lpips is None else self.lpips.to(device_of(self.net))
        return Objective(kind, lpips, white=self.net.config.scene.white, mask=self.config.mask)

    @property
    def _perspective(self) -> bool:
        return self.net.config.scene.projection == "perspective"

    @property
    def _corners(self) -> bool:
        return self.net.config.compat.corner_pixels

    def _inversion(self, steps: int, *, focal_known: bool) -> InversionOptions:
        asked = self.config
        pose = self.net.config.refine_pose if asked.refine_pose == "auto" else asked.refine_pose == "on"
        return InversionOptions(
            steps=steps,
            gain=asked.gain,
            split=asked.split,
            refine_pose=pose,
            refine_focal=not focal_known,
            counting=asked.rays,
            half=asked.half,
            patience=asked.patience or None,
            tuning_steps=asked.tuning,
        )

    def _camera(
        self,
        matrices: Float[Tensor, "n 4 4"],
        focal: Float[Tensor, " n"] | None,
        center: Float[Tensor, "n 2"] | None = None,
    ) -> Camera:
        """The house's of the network's, of its pictures' size."""
        size = self.net.config.resolution
        seen_by = camera_of(matrices, focal, (size, size), center=center)
        return self.placement.camera(seen_by, corner_pixels=self._corners)

    def _taken(self) -> Styles | None:
        """Styles of the seed or the result whose appearance is taken."""
        said = self.config.appearance
        if not said:
            return None
        if said.isascii() and said.isdigit() and int(said) <= LARGEST_SEED:
            return self.styles(self.latent(torch.Generator().manual_seed(int(said))))
        return self.styles_of_result(Path(said))

    def _predicted(self, told: Encoded, cameras: EstimatedCameras, center: Float[Tensor, "1 2"] | None) -> Seen:
        """What is known before any refinement."""
        assert told.latent is not None
        styles = Styles(told.latent[0].expand(self.net.slots, -1))
        made, _ = self.appearance.made(self.net, styles, "const", self.placement)
        focal = None if cameras.focal is None else cameras.focal[:, 0]
        return Seen(made, self._camera(cameras.world_from_camera[:, 0], focal, center))

    def _files(self, made: PlacedObject, styles: Styles) -> BootstrapFiles:
        return BootstrapFiles(made, styles, self.digest, self.studio.fixed(), wanted=self.config.maps)

    def _reconstruction(self, made: PlacedObject, files: BootstrapFiles) -> Reconstruction:
        options = self.config
        texture = "field" if self.appearance else "baked"
        source = self.source if options.weights else SHIPPED.title
        sources = {"source": source} | ({"encoder": options.encoder} if options.encoder else {})
        provenance = Provenance("bootstrap", options, weights=sources, citation=self.card.citation)
        return Reconstruction(
            field=PlacedField(made),
            provenance=provenance,
            texture=texture,
            own_files=files,
            renderer=PlacedRays(made),
        )


def _fit(cameras: EstimatedCameras, found: Inverted) -> dict[str, float]:
    """How far the camera explains the coordinates, the refinement's steps, and its loss at the first and the last."""
    best = {"camera_found": float(cameras.found[0].any()), "refined": float(found.refined[0])}
    best |= {"reprojection": float(cameras.error[0, 0]), "believed": float(cameras.believed[0, 0])}
    total = found.history.get("total")
    if total is None or not len(total) or not bool(found.refined[0]):
        return best
    return best | {"steps": float(len(total)), "first": float(total[0, 0]), "loss": float(total[-1, 0])}
