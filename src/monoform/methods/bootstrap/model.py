"""The generator of bootstrapped inversion: latents to objects, these to images (Pavllo et al. 2023)."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ...camera import Camera
from ...nn.plane_decoder import PlaneDecoder
from ...nn.stylegan2 import Noise, SynthesisNetwork
from ...render import RaySampleNoise
from .cameras import pixels_of
from .config import BootstrapConfig
from .decoder import BootstrapField, Objects, Parts
from .mapping import MEAN_OF, MEAN_OF_CLASS, StyleMapping, require_classes
from .palette import PaletteMapper
from .rendering import Maps, Seen, places_of, see
from .view_directions import ViewMapper

Draws = RaySampleNoise | torch.Generator | None
"""Places of the samples along rays: given, drawn by a generator, or the same for all rays."""
LEAST = 1e-3
"""Of beta and alpha, world units."""


class BootstrapGenerator(nn.Module):
    """The generator; tensors are named as in the published state dicts.

    Args:
        config: sizes, scene and behaviors.
    """

    def __init__(self, config: BootstrapConfig) -> None:
        super().__init__()
        self.config, net = config, config.network
        self.beta = nn.Parameter(torch.full((1,), 0.1)) if net.sdf else None
        self.alpha = nn.Parameter(torch.ones(1)) if net.sdf else None
        self.mapping_network = StyleMapping(net)
        self.class_embedding = nn.Embedding(net.classes, net.w_dim) if net.classes else None
        self.synthesis_network = SynthesisNetwork(
            net.w_dim,
            net.plane_resolution,
            3 * net.plane_features,
            channel_base=net.channel_base,
            channel_max=net.channel_max,
            use_noise=net.noise,
        )
        self.decoder = PlaneDecoder(net.plane_features, net.decoder_width, net.decoded)
        self.texture_mapper = PaletteMapper(net.w_dim, net.palette) if net.palette else None
        self.viewdir_mapper = None
        if net.view_directions:
            self.viewdir_mapper = ViewMapper(net.plane_features, net.colors, net.view_width)

    @property
    def slots(self) -> int:
        """How many styles an object has: those of the planes, and one of the palette."""
        return self.synthesis_network.slots + (self.texture_mapper is not None)

    def map(self, z: Float[Tensor, "n z"], classes: Int[Tensor, " k"] | None = None) -> Float[Tensor, "n w"]:
        """The style of each latent.

        Args:
            z: standard normal.
            classes: of the objects, one for each, where the generator knows some.

        Raises:
            InputError: classes are missing, unknown, or given to a generator without.
        """
        require_classes(classes, len(z), self.config.network.classes)
        embedding = None if self.class_embedding is None else self.class_embedding(classes)
        found: Tensor = self.mapping_network(z, embedding)
        return found

    def styles(self, w: Float[Tensor, "n w"]) -> Float[Tensor, "n slots w"]:
        """The same style for all slots."""
        return w[:, None].expand(-1, self.slots, -1)

    @torch.no_grad()
    def mean_style(
        self, generator: torch.Generator | None = None, classes: Int[Tensor, " n"] | None = None
    ) -> Float[Tensor, "n w"]:
        """The mean over latents; one for each class that is given, and one alone where there are none.

        Args:
            generator: draws the latents; None for seed 0.
            classes: whose mean is wanted.
        """
        generator = generator or torch.Generator().manual_seed(0)
        device = next(self.decoder.parameters()).device
        size = self.config.network.z_dim
        if classes is None:
            z = torch.randn(MEAN_OF, size, generator=generator, device=generator.device).to(device)
            return self.map(z).mean(dim=0, keepdim=True)
        z = torch.randn(len(classes), MEAN_OF_CLASS, size, generator=generator, device=generator.device).to(device)
        repeated = classes.repeat_interleave(MEAN_OF_CLASS)
        return self.map(z.flatten(0, 1), repeated).unflatten(0, (len(classes), -1)).mean(dim=1)

    def planes(
        self, ws: Float[Tensor, "n slots w"], *, noise: Noise = "const", fused: bool | None = None
    ) -> Float[Tensor, "n 3 c s s"]:
        """The three planes of styles.

        Args:
            noise: what the layers add, where they have noise; the published models draw it anew at every call.
            fused: see `modulated_conv2d`; None: whatever is quickest.
        """
        found = self.synthesis_network(ws[:, : self.synthesis_network.slots], noise=noise, fused=fused)
        return found.unflatten(1, (3, -1))

    def palette(self, ws: Float[Tensor, "n slots w"]) -> Float[Tensor, "n k 3"] | None:
        """The colors of each object, -1..1, of the last style; None where the generator has no palette."""
        return None if self.texture_mapper is None else self.texture_mapper(ws[:, -1])

    def objects(self, planes: Float[Tensor, "n 3 c s s"], palette: Float[Tensor, "n k 3"] | None = None) -> Objects:
        """Objects of planes and palettes, which may be those of different styles, or edited."""
        parts = Parts(self.decoder, self.config.scene.half_side, self.beta, self.alpha, self.viewdir_mapper)
        return Objects(parts, planes, palette)

    def distance(
        self, points: Float[Tensor, "n p 3"], planes: Float[Tensor, "n 3 c s s"], *, twice: bool = False
    ) -> Float[Tensor, "n p"]:
        """Signed distance of points in the world, negative inside; raw density of a generator without distances.

        Args:
            twice: in operations that can be differentiated twice.
        """
        return self.objects(planes).geometry(points, twice=twice)[0]

    def field(self, planes: Float[Tensor, "3 c s s"], palette: Float[Tensor, "k 3"] | None = None) -> BootstrapField:
        """One object, to be meshed and looked at."""
        return BootstrapField(self.objects(planes[None], None if palette is None else palette[None]))

    def render(
        self,
        ws: Float[Tensor, "n slots w"],
        cameras: Camera,
        *,
        maps: Maps | None = None,
        noise: Noise = "const",
        draws: Draws = None,
        planes: Float[Tensor, "n 3 c s s"] | None = None,
        palette: Float[Tensor, "n k 3"] | None = None,
        pixels: Float[Tensor, "n r 2"] | None = None,
    ) -> Seen:
        """What cameras see of objects, each of its own; (n, height, width) maps, or (n, r) of given pixels.

        Differentiable in the styles, planes and palettes, and in the cameras' poses and intrinsics.

        Args:
            ws: styles of the objects.
            cameras: as many, or one for all.
            maps: what is asked for beside color, opacity and depth.
            noise: what the planes' layers add.
            draws: where rays are sampled.
            planes: of these styles, where they are known.
            palette: instead of that of the styles.
            pixels: (x, y) of rays in pixels; None for all pixels, row by row.
        """
        if len(cameras) == 1 and len(ws) > 1:
            cameras = Camera.concatenate([cameras] * len(ws))
        whole = pixels is None
        if pixels is None:
            pixels = pixels_of(cameras, self.config.compat.corner_pixels)
        origins, directions = cameras.rays(pixels)
        if not isinstance(draws, RaySampleNoise):
            draws = places_of((len(pixels), pixels.shape[1]), self.config, draws)
        planes = self.planes(ws, noise=noise) if planes is None else planes
        palette = self.palette(ws) if palette is None else palette
        found = see(self.objects(planes, palette), origins, directions, draws, self.config, maps)
        return found.unflatten(cameras.height, cameras.width) if whole else found

    @torch.no_grad()
    def fill_surface(self, beta: float, alpha: float) -> None:
        """Set beta and alpha, where there are some."""
        for parameter, value in ((self.beta, beta), (self.alpha, alpha)):
            if parameter is not None:
                parameter.fill_(value)

    @torch.no_grad()
    def clamp_surface(self) -> None:
        """Hold beta and alpha at 1e-3 at the least, as after every step of training."""
        for value in (self.beta, self.alpha):
            if value is not None:
                value.clamp_min_(LEAST)
