"""Options of a reconstruction: the fit, the prior that it goes by, and the files around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ...errors import InputError
from ...guidance.words import TOKEN
from ...ranges import require_ranges
from .annealed import is_zero, require_annealed
from .fit_options import PUBLISHED, FitOptions, PhotoOptions, Views, Weights
from .network_config import FieldConfig


@dataclass(frozen=True)
class RealFusionOptions(FitOptions):
    """The fit, and the diffusion prior that it goes by.

    Attributes:
        prior: a folder with Stable Diffusion in the layout of diffusers, or OWNER/NAME on the Hugging Face hub.
        text: what the photo shows; <token> stands for the learned word.
        negative: what it does not.
        embedding: file of the learned word, such as learned_embeds.bin; none: the text has no <token>.
        view_prior: Zero-1-to-3, which is told of a view by the photo and the camera's way from it: a folder in the
            layout of diffusers, OWNER/NAME on the hub, or its authors' checkpoint (.ckpt); none: `prior` alone.
            Where the weight losses.prior is 0, `view_prior` alone.
        view_scale: how much more of the photo than of no photo this prior sees.
        view_timesteps: as `timesteps`, of this prior.
        view_size: side in pixels at which it sees a view; 0 for its own.
        view_tells: what its fourth number says: "distance" of the view beyond the photo's, as of Zero-1-to-3, or
            "polar" angle of the photo's camera, as of Stable Zero123.
        view_by_angle: its gradient counts in proportion to the angle between the view and the photo's, half a turn in
            full, as in Magic123.
        guidance_scale: how much more of the text than of no text the prior sees.
        timesteps: lowest and highest of the prior's timesteps that are drawn, as parts of its schedule, each "v", or
            "a b" as weights are, separated by a slash.
        prior_size: side in pixels at which the prior sees a view; 0 for its own.
        suppress_face: what only the front has, such as "face": not wanted from other sides.
        perp_neg: how much other sides must not look like the front, as far as that does not concern the object itself.
        precision: of the prior's numbers: "float32", or "bfloat16" and "float16", which take half the memory.
        offload: keep most of the prior on the CPU: for small GPUs.
        depth: file of a depth map of the whole photo (.npy, .npz or a gray picture of 8 or 16 bits): depth along the
            viewing axis, nearer is smaller, of any scale and shift; none: the weight losses.depth counts for nothing.
        normals: file of a normal map of the whole photo: unit vectors (h, w, 3) in .npy or .npz, or a picture whose
            RGB is (n + 1) / 2; x right, y down, z away from the viewer; none: losses.normal counts for nothing.
        start: result folder of this photo, such as lift's, whose shape and colors the field has before the first step;
            none: it begins with a bump around the origin.
        run: folder of checkpoints, in which a fit that was stopped goes on; none: nothing is kept.
        weights: folder of a field that is already fitted: it is shown, and nothing is fitted.
        checkpoint_every: steps from checkpoint to checkpoint.
        preview_every: steps from picture to picture in RUN/pictures, whose page index.html shows the latest; 0: with
            each checkpoint.
        pretrain_check: pictures that `prior` paints for the text before the fit, into the result and RUN/pictures: they
            tell whether it knows the word; 3 as published; 0 for none.
        margin: around the object, as a share of the square that is cut out of the photo.
        level: density per unit of the box at which the surface lies; 0: found.
        films: frames of the published program's six films (film_rgb.mp4 ...), which the result then has, beginning at
            the photo's camera; 100 as published; 0 for none.
        film_size: their side in pixels.
    """

    prior: str = "stable-diffusion-v1-5/stable-diffusion-v1-5"
    text: str = "A high-resolution DSLR image of an object"
    negative: str = ""
    embedding: str | None = None
    view_prior: str | None = None
    view_scale: float = 5.0
    view_timesteps: str = "0.02 / 0.98"
    view_size: int = 0
    view_tells: Literal["distance", "polar"] = "distance"
    view_by_angle: bool = False
    guidance_scale: float = 100.0
    timesteps: str = "0.02 / 0.98"
    prior_size: int = 0
    suppress_face: str = ""
    perp_neg: float = 0.0
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    offload: bool = False
    depth: str | None = None
    normals: str | None = None
    start: str | None = None
    run: str | None = None
    weights: str | None = None
    checkpoint_every: int = 250
    preview_every: int = 0
    pretrain_check: int = 0
    margin: float = 0.2
    level: float = 0.0
    films: int = 0
    film_size: int = 128

    def __post_init__(self) -> None:
        super().__post_init__()
        whose = "realfusion's"
        require_ranges(self, whose, guidance_scale=(0.0, 1e4), prior_size=(0, 2048), perp_neg=(0.0, 100.0))
        require_ranges(self, whose, view_scale=(0.0, 1e4), view_size=(0, 2048))
        require_ranges(self, whose, checkpoint_every=(1, 10_000_000), margin=(0.0, 0.45), level=(0.0, 1e6))
        require_ranges(self, whose, films=(0, 1000), film_size=(8, 512))
        require_ranges(self, whose, preview_every=(0, 10_000_000), pretrain_check=(0, 64))
        for name in ("depth", "normals", "start", "pretrain_check"):
            if self.weights and getattr(self, name):
                raise InputError(f"{whose} weights are shown as they are, and nothing is fitted: leave out {name}.")
        if self.pretrain_check and is_zero(self.losses.prior):
            raise InputError(
                f"{whose} pretrain_check shows what prior paints, and prior has no weight: give losses.prior one, or "
                "leave out pretrain_check."
            )
        wordless = self.embedding is None and not (self.weights or is_zero(self.losses.prior))
        for name in ("text", "negative"):
            if wordless and TOKEN in getattr(self, name):
                raise InputError(
                    f"{whose} {name} is {getattr(self, name)!r}, and there is no learned word for {TOKEN}: give "
                    "embedding, its file, or another text."
                )
        for name in ("timesteps", "view_timesteps"):
            parts = getattr(self, name).split("/")
            if len(parts) != 2:
                raise InputError(
                    f"{whose} {name} are {getattr(self, name)!r}; give the lowest / the highest: 0.02 / 0.98."
                )
            lowest, highest = (require_annealed(f"{whose} {name}", part, 0.0, 1.0) for part in parts)
            if lowest[0] > highest[0] or lowest[1] > highest[1]:
                raise InputError(f"{whose} {name} are {getattr(self, name)!r}; give the lowest / the highest.")
        if self.view_tells not in ("distance", "polar"):
            raise InputError(f"{whose} view_tells is {self.view_tells!r}; choose distance or polar.")
        if self.precision not in ("float32", "bfloat16", "float16"):
            raise InputError(f"{whose} precision is {self.precision!r}; choose float32, bfloat16 or float16.")

    @classmethod
    def preset_names(cls) -> tuple[str, ...]:
        """Names that `preset` takes."""
        return tuple(PRESETS)

    @classmethod
    def preset(cls, name: str) -> RealFusionOptions:
        """Options of a name: "published", the defaults of the published program; "magic123", the weights of Magic123.

        Raises:
            InputError: there is no such name.
        """
        if name not in PRESETS:
            raise InputError(f"realfusion has no preset {name!r}: choose one of {', '.join(PRESETS)}.")
        return PRESETS[name]


MAGIC123 = RealFusionOptions(
    normal_steps=1000,
    albedo_steps=0,
    optimizer="adam",
    views=Views(
        elevation=0.0,
        size=128,
        radius_range=(1.8, 1.8),
        fov_range=(40.0, 40.0),
        polar_range=(45.0, 135.0),
        azimuth_range=(-180.0, 180.0),
        replace_every=0,
    ),
    photo=PhotoOptions(size=192),
    losses=Weights(view="40", entropy="1e-3", depth="1e-3", normal="0"),
    network=FieldConfig(background_hidden=0, blob_density=10.0),
    timesteps="0.2 / 0.6",
    view_timesteps="0.2 / 0.6",
    view_by_angle=True,
)
"""First stage of Magic123 (Qian et al. 2024): its weights, scales, timesteps, cameras and shading."""
PRESETS = {
    "published": RealFusionOptions(photo=PUBLISHED.photo, network=PUBLISHED.network, compat=PUBLISHED.compat),
    "magic123": MAGIC123,
}
