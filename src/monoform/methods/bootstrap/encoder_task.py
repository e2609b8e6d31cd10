"""The encoder for the training loop: what it learns from is what its generator renders, and nothing else."""

from __future__ import annotations

from dataclasses import asdict
from functools import cached_property

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from ...devices import device_of, on_device, to_device
from ...errors import InputError
from ...training import Optimizer, Phase
from ...training.sheets import sheet
from .cameras import camera_of
from .encoder import BootstrapEncoder, Encoded
from .estimate_pose import PoseOptions, estimate_cameras, focal_guesses
from .image_scores import opacity_iou
from .losses import encoder_terms, total
from .model import BootstrapGenerator
from .networks import digest_of
from .pose_parameters import rotation_degrees
from .rendering import Maps, Seen
from .renders import KeptRenders, Renders, object_boxes
from .schedules import encoder_rate
from .steps import Views

RAYS = 1 << 15
"""Rendered at once."""
HELD_OUT = 1
"""Seed of the objects that the encoder is measured by, the same at each evaluation."""
SHOWN = 8
Latents = tuple[Float[Tensor, "n z"], Views]


class TrainedEncoder(nn.Module):
    """All that a training remembers: the encoder, and whose images it learns.

    Attributes:
        generator: digest of the generator.
    """

    generator: Tensor

    def __init__(self, encoder: BootstrapEncoder, net: BootstrapGenerator) -> None:
        super().__init__()
        self.encoder = encoder
        self.register_buffer("generator", _bytes(digest_of(net)))


class EncoderTask:
    """Phase and data of the encoder's training (section 3.2).

    Args:
        encoder: that learns.
        net: the generator, which stays as it is.
        views: cameras that its objects may be seen from, and their classes where it is told some.
        batch: renders of a step.
        rate: learning rate, which falls to a tenth at half of the steps.
        steps: of the whole training.
        evaluated: renders that it is measured by.
        cropped: whether a render shows the object cut out, as photos are given.
        kept: so many renders are made once and learned from again and again; 0: new ones at every step.
        seed: of those that are kept.
    """

    def __init__(
        self,
        encoder: BootstrapEncoder,
        net: BootstrapGenerator,
        views: Views,
        *,
        batch: int,
        rate: float,
        steps: int,
        evaluated: int = 16,
        cropped: bool = False,
        kept: int = 0,
        seed: int = 0,
    ) -> None:
        self.module: nn.Module = TrainedEncoder(encoder, net)
        self.encoder, self.net, self.views, self.batch_size, self.evaluated = encoder, net, views, batch, evaluated
        self.rate, self.steps, self.cropped, self.kept = rate, steps, cropped, kept
        self.pool = KeptRenders(self._numbered, seed)

    def phases(self) -> list[Phase]:
        """One, with the published optimizer."""
        adam = Optimizer("adam", rate=self.rate)
        return [
            Phase("encoder", self.encoder.parameters, self._loss, optimizer=adam, schedule=encoder_rate(self.steps))
        ]

    def identity(self) -> dict[str, str | int | float | bool]:
        """What is learned from, and the sizes of what learns, by the names of their options."""
        config = self.encoder.config
        sizes = {f"backbone.{name}": str(value) for name, value in asdict(config.backbone).items()}
        return {"cropped": self.cropped, "renders": self.kept, "separate_backbones": config.separate_backbones, **sizes}

    def batch(self, step: int, generator: torch.Generator) -> Latents | Int[Tensor, " n"]:
        """Latents, and the cameras that each object is seen from; or the numbers of renders that are kept."""
        del step
        if self.kept:
            return torch.randint(self.kept, (self.batch_size,), generator=generator)
        return self._drawn(self.batch_size, generator)

    def before_step(self, step: int, generator: torch.Generator) -> None:
        """Look whether what was gone on with has learned the images of this generator.

        Raises:
            InputError: it has learned those of another one.
        """
        del step, generator
        if not torch.equal(self.module.get_buffer("generator").cpu(), _bytes(digest_of(self.net))):
            raise InputError(
                "This training has learned the images of another generator: give that one, or another folder."
            )

    def evaluate(self, module: nn.Module, step: int) -> dict[str, float]:
        """The terms of the loss on further objects, the overlap of masks, and what is found of the cameras."""
        del module, step
        renders, found = self._encoded()
        terms = encoder_terms(found, renders.coordinates, renders.mask, renders.latent)
        return {name: float(value) for name, value in terms.items()} | self._cameras_found(found, renders)

    def pictures(self, module: nn.Module) -> dict[str, Float[Tensor, "h w 3"]]:
        """Renders; below them their true coordinates and those that are told, then true masks and told ones."""
        del module
        renders, found = self._encoded()
        rows = [renders.images / 2 + 0.5]
        if found.coordinates is not None and found.mask is not None:
            side = 2 * self.net.config.scene.half_side
            for places, mask in ((renders.coordinates, renders.mask), (found.coordinates, found.mask)):
                rows.append((0.5 + places / side * mask[..., None]).permute(0, 3, 1, 2))
            rows += [mask[:, None].expand(-1, 3, -1, -1) for mask in (renders.mask, found.mask)]
        shown = torch.cat([row[:SHOWN] for row in rows])
        return {"encoder": sheet(shown, columns=min(SHOWN, self.evaluated), side=shown.shape[-1])}

    def _loss(
        self, drawn: Latents | Int[Tensor, " n"], step: int, generator: torch.Generator
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        del step
        renders = self.pool[drawn] if isinstance(drawn, Tensor) else self._rendered(*drawn, generator)
        terms = encoder_terms(self.encoder(renders.images), renders.coordinates, renders.mask, renders.latent)
        return total(terms), {name: value.detach() for name, value in terms.items()}

    def _drawn(self, count: int, generator: torch.Generator) -> Latents:
        network = self.net.config.network
        z = torch.randn(count, network.z_dim, generator=generator)
        views = self.views.chosen(torch.randint(len(self.views), (count,), generator=generator))
        if network.classes and views.classes is None:
            classes: Int[Tensor, " n"] = torch.randint(network.classes, (count,), generator=generator)
            views = Views(views.world_from_camera, views.focal, classes)
        return z, views

    def _numbered(self, seed: int) -> Renders:
        """A render that depends on nothing but its seed."""
        device = device_of(self.module)
        z, views = to_device(self._drawn(1, torch.Generator().manual_seed(seed)), device)
        return self._rendered(z, views, torch.Generator(device).manual_seed(seed))

    @torch.no_grad()
    def _rendered(self, z: Float[Tensor, "n z"], views: Views, draws: torch.Generator) -> Renders:
        """In full precision, as photos are inverted, whatever that of the encoder."""
        with torch.autocast(z.device.type, enabled=False):
            return self._exact(z, views, draws)

    def _exact(self, z: Float[Tensor, "n z"], views: Views, draws: torch.Generator) -> Renders:
        net, size = on_device(self.net, z.device), self.net.config.resolution
        w = net.map(z, views.classes)
        ws = net.styles(w)
        planes = net.planes(ws, noise=draws if net.config.network.noise else "none")
        box = object_boxes(net, ws, views, planes, draws) if self.cropped else None
        parts: list[Seen] = []
        for part in torch.arange(len(z), device=z.device).split(max(1, RAYS // size**2)):
            own = views.chosen(part)
            within = None if box is None else box[part]
            cameras = camera_of(own.world_from_camera, own.focal, (size, size), box=within)
            parts.append(net.render(ws[part], cameras, maps=Maps(coordinates=True), draws=draws, planes=planes[part]))
        images = torch.cat([part.rgb for part in parts]).clamp(-1, 1).permute(0, 3, 1, 2)
        coordinates = torch.cat([part.coordinates for part in parts if part.coordinates is not None])
        return Renders(images, coordinates, torch.cat([part.alpha for part in parts]), w, views, box)

    @cached_property
    def _held_out(self) -> Renders:
        device = device_of(self.module)
        z, views = to_device(self._drawn(self.evaluated, torch.Generator().manual_seed(HELD_OUT)), device)
        return self._rendered(z, views, torch.Generator(device).manual_seed(HELD_OUT))

    @torch.no_grad()
    def _encoded(self) -> tuple[Renders, Encoded]:
        renders = to_device(self._held_out, device_of(self.module))
        found: Encoded = self.encoder(renders.images)
        return renders, found

    def _cameras_found(self, found: Encoded, renders: Renders) -> dict[str, float]:
        """Share of renders that a camera is found for, the median error of its rotation in degrees, and masks' IoU."""
        if found.coordinates is None or found.mask is None:
            return {}
        focals = None if self.views.focal is None else focal_guesses(self.views.focal)
        solving = PoseOptions(pixel_centers=not self.net.config.compat.corner_pixels)
        draws = torch.Generator().manual_seed(HELD_OUT)
        cameras = estimate_cameras(found.coordinates, found.mask, focals, options=solving, generator=draws)
        solved = cameras.found[:, 0]
        overlaps = [opacity_iou(*masks) for masks in zip(found.mask, renders.mask, strict=True)]
        figures = {"iou": sum(overlaps) / len(overlaps), "found": float(solved.float().mean())}
        if bool(solved.any()):
            true = renders.views.world_from_camera[solved]
            figures["rotation"] = float(rotation_degrees(cameras.world_from_camera[solved, 0], true).median())
        return figures


def _bytes(digest: str) -> UInt8[Tensor, " n"]:
    return torch.tensor(list(bytes.fromhex(digest)), dtype=torch.uint8)
