"""Renders what bootstrapped inversion refines, by the rays that count, and compares it with the photos."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ...camera import Camera
from ...nn.stylegan2 import Noise
from ...render import RaySampleNoise
from .augment import Draws
from .cameras import camera_of, pixels_of
from .counting import FAINT, LEAST, around, filled, indices, off_background
from .followed_rays import follow
from .inversion_options import InversionOptions
from .model import BootstrapGenerator
from .objective import Objective
from .pose_parameters import PoseParameters
from .refined_state import State
from .rendering import limits, places_of
from .target import Target


@dataclass(frozen=True, eq=False)
class Chance:
    """What is random in a step, to compare with other programs.

    Attributes:
        places: of the samples of all rays, or what draws them.
        motions: numbers of the copies' motions.
        noise: of the planes' layers, where the generator has noise.
        fused: see `modulated_conv2d`. In the plain order of memory rounding is that of other programs, too, and a leaky
            ReLU turns at the last bit; None: whatever is quickest.
    """

    places: RaySampleNoise | torch.Generator | None
    motions: Draws | None = None
    noise: Noise = "none"
    fused: bool | None = False


class Refinement:
    """Renders what is refined and compares it with the photos."""

    def __init__(
        self,
        net: BootstrapGenerator,
        target: Target,
        objective: Objective,
        options: InversionOptions,
        generator: torch.Generator | None,
        chance: Callable[[int], Chance] | None,
    ) -> None:
        self.net, self.target, self.objective, self.options = net, target, objective, options
        self.generator, self.chance = generator, chance
        background = net.config.scene.background
        self.interesting = around(off_background(target.rgb, background))
        self.opacity: dict[int, Bool[Tensor, "h w"]] = {}

    def cameras(self, pose: PoseParameters, rows: Int[Tensor, " b"]) -> Camera:
        """The house's cameras of pose parameters for some of the photos."""
        matrices, focal = pose.matrices(flipped=self.net.config.scene.flipped)
        target = self.target[rows]
        return camera_of(matrices, focal, target.size, box=target.box, center=target.center)

    @torch.no_grad()
    def meets(self, state: State, rows: Int[Tensor, " b"]) -> Bool[Tensor, " b"]:
        """Whether any ray of a camera meets the object's cube, and all numbers are finite."""
        finite = [torch.isfinite(value.reshape(len(value), -1)).all(1) for value in state.values().values()]
        return self._hits(self.cameras(state.pose, rows)).any(dim=1) & torch.stack(finite).all(dim=0)

    def loss(self, values: Mapping[str, Tensor], step: int) -> dict[str, Tensor]:
        """Terms of each photo's or start's distance."""
        state, rows = State.of(values), values["row"]
        chance = None if self.chance is None else self.chance(step)
        ws = (state.latent * self.options.gain).expand(-1, self.net.slots, -1)
        rgb, alpha = self.look(self.net, ws, self.cameras(state.pose, rows), rows, values["start"].tolist(), chance)
        return self.compared(rgb, alpha, rows, None if chance is None else chance.motions)

    def compared(
        self, rgb: Tensor, alpha: Tensor, rows: Int[Tensor, " b"], motions: Draws | None = None
    ) -> dict[str, Tensor]:
        """Terms of renders of some photos."""
        target = self.target[rows]
        with self._half():
            return self.objective(
                rgb, target.rgb, alpha=alpha, target_mask=target.mask, generator=self.generator, draws=motions
            )

    def look(
        self,
        net: BootstrapGenerator,
        ws: Float[Tensor, "b s d"],
        cameras: Camera,
        rows: Int[Tensor, " b"],
        starts: Sequence[int],
        chance: Chance | None = None,
    ) -> tuple[Float[Tensor, "b h w 3"], Float[Tensor, "b h w"]]:
        """Color and opacity of renders, by the rays that count."""
        if chance is None:
            noise: Noise = (self.generator or "const") if net.config.network.noise else "none"
            chance = Chance(self.generator, noise=noise, fused=None)
        with self._half():
            planes = net.planes(ws, noise=chance.noise, fused=chance.fused).float()
        palette, counting = net.palette(ws), self.options.counting
        if counting == "all":
            seen = net.render(ws, cameras, draws=chance.places, planes=planes, palette=palette)
            return seen.rgb, seen.alpha
        index = self._followed(cameras, rows, starts)
        pixels = pixels_of(cameras, net.config.compat.corner_pixels)
        bundle = cameras.rays(torch.take_along_dim(pixels, index[:, :, None], dim=1))
        places = self._places(chance.places, index)
        size, rays = self.target.size, pixels.shape[1]
        followed = follow(net.objects(planes, palette), *bundle, places, net.config, LEAST[counting])
        rgb = filled(followed.rgb, index, rays, net.config.scene.background).unflatten(1, size)
        alpha = filled(followed.alpha, index, rays, 0.0).unflatten(1, size)
        if counting == "object":
            self.opacity.update(zip(starts, around(alpha.detach() > FAINT), strict=True))
        return rgb, alpha

    @torch.no_grad()
    def _followed(self, cameras: Camera, rows: Int[Tensor, " b"], starts: Sequence[int]) -> Int[Tensor, "b r"]:
        """Which rays of each image count."""
        counts = self._hits(cameras)
        if self.options.counting == "object":
            counts &= self._near_object(cameras, rows, starts).flatten(1)
        return indices(counts)

    def _places(self, places: RaySampleNoise | torch.Generator | None, index: Int[Tensor, "b r"]) -> RaySampleNoise:
        """Of the samples of the rays that count."""
        if isinstance(places, RaySampleNoise):
            return places.taken(index)
        return places_of((index.shape[0], index.shape[1]), self.net.config, places)

    def _hits(self, cameras: Camera) -> Bool[Tensor, "b r"]:
        pixels = pixels_of(cameras, self.net.config.compat.corner_pixels)
        return limits(*cameras.rays(pixels), self.net.config.scene.half_side)[2]

    def _near_object(self, cameras: Camera, rows: Int[Tensor, " b"], starts: Sequence[int]) -> Bool[Tensor, "b h w"]:
        """Around the object of the photo and, where it was rendered before, that of the render."""
        everywhere = torch.ones_like(self.interesting[0])
        rendered = torch.stack([self.opacity.get(start, everywhere) for start in starts])
        return self.interesting[rows] | rendered

    def _half(self) -> AbstractContextManager[object]:
        device = self.target.rgb.device.type
        return torch.autocast(device, torch.bfloat16) if self.options.half else nullcontext()
