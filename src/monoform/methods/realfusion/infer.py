"""`realfusion`: from a photo with its mask to a field that pleases a diffusion prior from all sides."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, TypeVar

import torch

from ...camera import Camera
from ...errors import InputError
from ...guidance import DiffusionPrior, ViewPrior
from ...scene import Photo, Provenance, Reconstruction, View
from ...scene.reconstructed import OwnFiles
from ...scene.single_view import single_view
from ...training import TrainOptions, list_checkpoints, load_pretrained, publish, run_folder, train
from ...training.card import weights_card
from ..base import MethodCard, Reconstructor
from .config import RealFusionOptions
from .films import Films
from .guide import Guide, open_judges
from .model import RealFusionField
from .network_config import FieldConfig
from .optimizing import clip_of
from .photo_maps import with_maps
from .photo_square import PhotoSquare, cut_square
from .placed import PlacedField, PlacedRays
from .pretrain import PretrainCheck, paint
from .start import begin_with, open_start
from .task import FitTask

CITATION = """@inproceedings{melaskyriazi2023realfusion,
  title = {{RealFusion}: 360 Reconstruction of Any Object from a Single Image},
  author = {Melas-Kyriazi, Luke and Laina, Iro and Rupprecht, Christian and Vedaldi, Andrea},
  booktitle = {CVPR},
  year = {2023}
}"""
Kind = TypeVar("Kind", bound="RealFusion")
SHARP = 256  # pixels of the photo that a view's prior is shown, at least
EVEN = 1.001  # of the densest cell to the mean of all: without a surface
NO_FIT = "The pose is set beforehand, and the field is fitted to what it sees."
BEYOND = "The object reaches beyond the box in which there is a field, and is cut there: raise margin."


class RealFusion(Reconstructor):
    """A radiance field fitted to one photo, and to what a diffusion prior holds for likely from other sides.

    Args:
        config: options.
        prior: the judge of views; None: the one that the options name, opened when it is needed.
        view_prior: the judge that is told of views by the photo; None: the same.
    """

    config_class: ClassVar[type] = RealFusionOptions
    card: ClassVar[MethodCard] = MethodCard(
        name="realfusion",
        summary="any object to 360 degrees: a field fitted to the photo and to a diffusion model, slow",
        needs="Stable Diffusion in the layout of diffusers, and for real use a GPU",
        license="Apache-2.0; the diffusion model has a license of its own",
        weights=None,
        size=0.0,
        citation=(CITATION,),
    )

    def __init__(
        self,
        config: RealFusionOptions | None = None,
        *,
        prior: DiffusionPrior | None = None,
        view_prior: ViewPrior | None = None,
    ) -> None:
        self.config, self.prior, self.view_prior = config or RealFusionOptions(), prior, view_prior
        self.device = torch.device("cpu")
        self.net: RealFusionField | None = None
        if self.config.weights is not None:
            self.net = load_pretrained(RealFusionField, FieldConfig, self.config.weights)[0]

    def to(self: Kind, device: torch.device | str) -> Kind:
        """The method on a device; its prior is opened there."""
        moved = Reconstructor.to(self, device)
        moved.device = torch.device(device)
        return moved

    def reconstruct(self, views: Sequence[View], *, generator: torch.Generator) -> Reconstruction:
        """The object in the cube of half side 0.5 around the origin, the photo taken from +z.

        Args:
            views: one photo with its mask, with its intrinsics where known.
            generator: the only source of randomness.

        Raises:
            InputError: there is not exactly one view, it has no mask, a map of it cannot be used, the prior cannot be
                opened, or the fit was stopped.
        """
        view, silhouette = single_view(views, "realfusion")
        seed = int(torch.randint(2**31, (), generator=generator))
        with torch.inference_mode(False), torch.enable_grad():
            square = cut_square(view.photo, view.camera, self.config, self.config.margin)
            square = with_maps(square, view.photo, self.config.depth, self.config.normals)
            net, painted = self.fitted(square, seed, view) if self.net is None else (self.net, None)
        level, notices = self.level(net)
        if square.reach(float(square.pose[:3, 3].norm())) * (1.0 - 2.0 * self.config.margin) > net.config.bound:
            notices += (BEYOND,)
        photo = view.photo
        if notices:
            photo = photo.with_mask(silhouette.mask, str(photo.mask_origin), notices)
        field = PlacedField(net)
        return Reconstruction(
            field=field,
            views=(View(photo, camera_of(square, photo, field), NO_FIT),),
            provenance=Provenance(
                "realfusion",
                self.config,
                weights={"source": self.config.weights or self.config.prior},
                citation=self.card.citation,
            ),
            renderer=PlacedRays(field),
            level=level / field.scale,
            own_files=together([each for each in (painted, self.films(net, square)) if each is not None]),
        )

    def films(self, net: RealFusionField, square: PhotoSquare) -> Films | None:
        """What writes the films that the options ask for; None for none."""
        asked = self.config
        return Films(net, square, asked.views.elevation, asked.films, asked.film_size) if asked.films else None

    def fitted(self, square: PhotoSquare, seed: int, view: View) -> tuple[RealFusionField, PretrainCheck | None]:
        """A field that shows the photo, with averaged weights, in evaluation mode; and what its prior paints."""
        config = self.config
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            net = RealFusionField(config.network)
        if config.start and not (config.run and list_checkpoints(Path(config.run))):
            begin_with(net.to(self.device), open_start(config.start, view.photo, square), config.hidden_levels, seed)
        sharp = replace(config, photo=replace(config.photo, size=max(SHARP, config.photo.size)))
        photo = cut_square(view.photo, view.camera, sharp, config.margin).over_white()
        options = TrainOptions(
            steps=config.steps,
            seed=seed,
            clip=clip_of(config.optimizer),
            checkpoint_every=config.checkpoint_every,
            evaluate_every=(config.preview_every or config.checkpoint_every) if config.run else 0,
            device="cuda" if self.device.type == "cuda" else "cpu",
        )
        place = nullcontext(config.run) if config.run else tempfile.TemporaryDirectory(prefix="monoform-")
        with place as folder, run_folder(folder):
            judges = open_judges(config, photo, self.device, self.prior, self.view_prior)
            painted, guide = None, judges.get("prior")
            if config.pretrain_check and isinstance(guide, Guide):
                painted = paint(guide, config.pretrain_check, seed)
                painted.show(Path(folder))
            result = train(FitTask(net, square, config, judges), folder, options=options)
            if not result.finished:
                kept = f"; give the same command again to go on from {config.run}" if config.run else ""
                raise InputError(f"The fit was stopped ({result.stopped}) at step {result.step}{kept}.")
            text = weights_card(
                "RealFusion, a field of one object",
                "A radiance field fitted to one photo and a diffusion prior (Melas-Kyriazi et al. 2023).",
                data="one photo; the prior is that of the options.",
                training=f"{result.step} steps.",
                license="that of the photo; the code is under Apache-2.0.",
                fails="everything but this object.",
            )
            publish(net, config.network, result, Path(folder) / "weights", card=text)
        net.occupancy.unpack()
        return net.eval().requires_grad_(False), painted

    def level(self, net: RealFusionField) -> tuple[float, tuple[str, ...]]:
        """Density of the surface, per unit of the box: the given one, or that from which cells are always occupied.

        A field that is nowhere as dense has its surface at the mean density of the cells, if these differ at all.

        Returns:
            the density, and a notice where a fit of hours did not get as dense as was asked.

        Raises:
            InputError: the given one is more than there is anywhere in a field that was there before.
        """
        grid, given = net.occupancy, self.config.level
        highest, mean = float(grid.density_grid.max()), grid.mean_density
        fog = highest <= grid.density_threshold and highest > EVEN * mean
        found = mean if fog else grid.density_threshold
        if not 0.0 < highest < given:
            return given or found, ()
        lacking = f"realfusion's level is {given:g} and the field is nowhere denser than {highest:.4g}"
        if self.net is not None:
            raise InputError(f"{lacking}: give a lower one, or 0 to have it found.")
        return found, (f"{lacking}: its surface lies at {found:.4g}.",)


def together(parts: Sequence[OwnFiles]) -> OwnFiles | None:
    """All that is to be written into the result's folder, as one; None for nothing."""

    def write(folder: Path, camera: Camera | None) -> Mapping[str, str]:
        return {name: about for part in parts for name, about in part(folder, camera).items()}

    return write if parts else None


def camera_of(square: PhotoSquare, photo: Photo, field: PlacedField) -> Camera:
    """The camera of the whole photo in the world: that of the square, whose middle it looks through."""
    pose = square.pose.detach().cpu().clone()
    if field.net.config.mirrored:
        pose[0] = -pose[0]
        # The image's right is the world's right again.
    pose[:3, 3] *= field.scale
    return Camera(pose[None].float(), square.intrinsics()[None], photo.width, photo.height)
