"""Hybrid inversion (Pavllo et al. 2023, section 3.3): latent and camera of a photo, refined through the renderer."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import normalize

from ...camera import Camera
from ...errors import InputError
from ...inversion import Variable, fit, trackable
from ...nn.stylegan2 import Noise
from ...ranges import require_ranges
from ...render import RaySampleNoise
from ...training.schedule import Constant, Cosine, Schedule
from .augment import Draws
from .cameras import camera_of, pixels_of
from .counting import FAINT, Counting, around, filled, indices, off_background
from .estimate_pose import EstimatedCameras
from .model import BootstrapGenerator
from .objective import Objective
from .pose_parameters import PoseParameters
from .rendering import limits

FOCAL_LIMIT = 4.0
"""Of the logarithm that stands for the focal length."""
BETAS = (0.9, 0.95)
HIGH_GAIN = 10.0
OnStep = Callable[[int, Mapping[str, Tensor]], bool | None]


@dataclass(frozen=True, eq=False)
class Chance:
    """What is random in a step, to compare with other programs.

    Attributes:
        places: of the samples of all rays.
        motions: numbers of the copies' motions.
        noise: of the planes' layers, where the generator has noise.
    """

    places: RaySampleNoise
    motions: Draws | None = None
    noise: Noise = "none"


@dataclass(frozen=True)
class InversionOptions:
    """How far latent and camera are refined; the defaults are the published ones.

    Attributes:
        steps: of refinement; 0 keeps what was predicted. None: 30, or 10 with a gain of 10 or more.
        gain: a latent moves by so many times the rate.
        rate: Adam's step length.
        pose_rate: that of the camera; None for the same.
        cosine: whether rates fall to 0 as a cosine; else they stay.
        split: whether every layer's latent is refined apart; else one for all.
        refine_pose: whether the camera is refined.
        counting: which rays are followed: "all"; "cube", those that meet the object's cube, which gives the same; or
            "object", those around the photo's object and the rendered one.
        half: whether planes and perceptual features are computed with 8 bits of precision (bfloat16).
        patience: end when the loss has not fallen for so many steps; None: never.
        tries: after so many steps the best of several cameras of a photo goes on.
        tuning_steps: of the generator itself, afterwards and for this photo alone.
        tuning_rate: Adam's step length for these.
    """

    steps: int | None = None
    gain: float = 5.0
    rate: float = 2e-3
    pose_rate: float | None = None
    cosine: bool = False
    split: bool = True
    refine_pose: bool = True
    counting: Counting = "cube"
    half: bool = False
    patience: int | None = None
    tries: int = 5
    tuning_steps: int = 0
    tuning_rate: float = 3e-4

    def __post_init__(self) -> None:
        whose = "inversion's"
        require_ranges(self, whose, steps=(0, 100_000), gain=(1e-3, 1e4), rate=(1e-9, 10.0), pose_rate=(0.0, 10.0))
        require_ranges(self, whose, patience=(1, 100_000), tries=(1, 100_000))
        require_ranges(self, whose, tuning_steps=(0, 100_000), tuning_rate=(1e-9, 1.0))

    @property
    def updates(self) -> int:
        """Number of steps."""
        return self.steps if self.steps is not None else 10 if self.gain >= HIGH_GAIN else 30

    def schedule(self) -> Schedule:
        """Factor on the rates."""
        return Cosine(max(self.updates, 1)) if self.cosine else Constant()


@dataclass(frozen=True, eq=False)
class Target:
    """Photos to be explained.

    Attributes:
        rgb: -1..1, the object on the generator's background.
        mask: of the object, 0..1, where it is known.
        box: which part of the full frame the photo is (`cameras.camera_of`).
        center: principal point, where it is not in the middle.
    """

    rgb: Float[Tensor, "n h w 3"]
    mask: Float[Tensor, "n h w"] | None = None
    box: Float[Tensor, "n 2 2"] | None = None
    center: Float[Tensor, "n 2"] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.rgb.shape[1], self.rgb.shape[2]

    def __getitem__(self, rows: Int[Tensor, " b"]) -> Target:
        return Target(*(None if each is None else each[rows] for each in vars(self).values()))  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class Inverted:
    """What explains the photos.

    Attributes:
        styles: of the generator's layers.
        pose: the cameras.
        world_from_camera: the same as a matrix, and
        focal: as lengths in image widths; None for orthographic cameras.
        refined: whether a photo was; not where no camera was found, no ray meets the object's cube, or numbers became
            infinite: then it has what was predicted, or what it had before.
        history: terms of the loss and their "total" at each step, (steps, n); NaN where there was none.
        net: the generator, its own where it was tuned.
    """

    styles: Float[Tensor, "n s d"]
    pose: PoseParameters
    world_from_camera: Float[Tensor, "n 4 4"]
    focal: Float[Tensor, " n"] | None
    refined: Bool[Tensor, " n"]
    history: dict[str, Tensor]
    net: BootstrapGenerator = field(repr=False)


def invert(
    net: BootstrapGenerator,
    target: Target,
    latent: Float[Tensor, "n s d"],
    cameras: EstimatedCameras,
    objective: Objective,
    options: InversionOptions | None = None,
    *,
    generator: torch.Generator | None = None,
    chance: Callable[[int], Chance] | None = None,
    on_step: OnStep | None = None,
    refinement: type[Refinement] | None = None,
) -> Inverted:
    """Refine latents and cameras of photos until the generator's renders look like them.

    Args:
        net: the generator, which stays as it is.
        latent: predicted styles, one for all layers or one each.
        cameras: predicted ones; of several for a photo, all are tried.
        objective: what is made small.
        generator: of samples of rays and of copies' motions; seed 0 where there is none.
        chance: these numbers themselves.
        on_step: is told the step and its terms; ends the refinement where it returns True.
        refinement: another way to render and compare.

    Raises:
        InputError: numbers of photos, latents and cameras differ.
    """
    options = options or InversionOptions()
    images, starts = cameras.found.shape
    if not len(target.rgb) == len(latent) == images or latent.shape[1] not in (1, net.slots):
        raise InputError(
            f"Inversion got {len(target.rgb)} photos, latents of shape {tuple(latent.shape)} and cameras of {images};"
            f" give as many of each, and 1 or {net.slots} latents of a photo."
        )
    generator = generator or torch.Generator().manual_seed(0)
    target = Target(*(None if each is None else trackable(each) for each in vars(target).values()))  # type: ignore[arg-type]
    focal = None if cameras.focal is None else cameras.focal.flatten(0, 1)
    pose = PoseParameters.of_matrices(cameras.world_from_camera.flatten(0, 1), focal, flipped=net.config.scene.flipped)
    rows = torch.arange(images, device=latent.device).repeat_interleave(starts)
    styles = latent.expand(-1, net.slots, -1) if options.split else latent.mean(dim=1, keepdim=True)
    with frozen(net):
        run = (refinement or Refinement)(net, target, objective, options, generator, chance)
        state = State(styles[rows] / options.gain, pose)
        usable = cameras.found.flatten() & run.meets(pose, rows)
        state, refined, history = run.refined(state, rows, usable, starts, on_step)
    tuned = net
    if options.tuning_steps and bool(refined.all()):
        tuned = run.tuned(state)
    found = state.pose
    matrices, lengths = found.matrices(flipped=net.config.scene.flipped)
    whole = (state.latent * options.gain).expand(-1, net.slots, -1)
    return Inverted(whole, found, matrices, lengths, refined, history, tuned)


@contextmanager
def frozen(net: nn.Module) -> Iterator[None]:
    """Without gradients of the weights, which stay as they are."""
    wanted = [parameter for parameter in net.parameters() if parameter.requires_grad]
    for parameter in wanted:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in wanted:
            parameter.requires_grad_(True)


@dataclass(frozen=True, eq=False)
class State:
    """What is refined: latents divided by the gain, and cameras."""

    latent: Float[Tensor, "n s d"]
    pose: PoseParameters

    def __getitem__(self, rows: Int[Tensor, " b"]) -> State:
        pose = self.pose
        focal = None if pose.focal is None else pose.focal[rows]
        return State(
            self.latent[rows], PoseParameters(pose.quaternion[rows], pose.offset[rows], pose.scale[rows], focal)
        )

    @classmethod
    def of(cls, values: Mapping[str, Tensor]) -> State:
        """As the fitting engine names its variables."""
        pose = PoseParameters(values["quaternion"], values["offset"], values["scale"], values.get("focal"))
        return cls(values["latent"], pose)

    def values(self) -> dict[str, Tensor]:
        """The inverse of `of`."""
        named = {"latent": self.latent, "quaternion": self.pose.quaternion, "offset": self.pose.offset}
        named |= {"scale": self.pose.scale}
        return named if self.pose.focal is None else named | {"focal": self.pose.focal}


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
    def meets(self, pose: PoseParameters, rows: Int[Tensor, " b"]) -> Bool[Tensor, " b"]:
        """Whether any ray of a camera meets the object's cube, and its numbers are finite."""
        finite = torch.stack([torch.isfinite(value.flatten(1)).all(1) for value in _numbers(pose)]).all(dim=0)
        return self._hits(self.cameras(pose, rows)).any(dim=1) & finite

    def refined(
        self, state: State, rows: Int[Tensor, " b"], usable: Bool[Tensor, " b"], starts: int, on_step: OnStep | None
    ) -> tuple[State, Bool[Tensor, " n"], dict[str, Tensor]]:
        """The best of each photo's starts after the steps, whether it was refined, and the history."""
        images, updates = len(rows) // starts, self.options.updates
        choice = torch.arange(images, device=rows.device) * starts
        done, history = 0, {}
        if starts > 1 and updates and bool(usable.any()):
            done = min(self.options.tries, updates)
            state, fine, tried = self._fit(state, rows, usable, range(done), on_step)
            total = torch.where(fine, tried["total"][-1].to(fine.device), torch.inf)
            choice = choice + total.unflatten(0, (images, starts)).argmin(dim=1)
            history = {name: values[:, choice.cpu()] for name, values in tried.items()}
            usable = fine
        state, usable, rows = state[choice], usable[choice], rows[choice]
        if updates > done and bool(usable.any()):
            state, usable, later = self._fit(state, rows, usable, range(done, updates), on_step)
            names = dict.fromkeys([*history, *later])
            empty = {name: torch.full((0, images), torch.nan, dtype=torch.float64) for name in names}
            history = {name: torch.cat([(history or empty)[name], later[name]]) for name in names}
        return state, usable & (updates > 0), history

    def _fit(
        self, state: State, rows: Tensor, usable: Tensor, steps: range, on_step: OnStep | None
    ) -> tuple[State, Bool[Tensor, " b"], dict[str, Tensor]]:
        """Some steps of those that can be refined; the others keep what they have."""
        options, chosen = self.options, usable.nonzero()[:, 0]
        pose_rate = options.rate if options.pose_rate is None else options.pose_rate
        rates = {"latent": options.rate}
        if options.refine_pose:
            rates |= dict.fromkeys(("quaternion", "offset", "scale", "focal"), pose_rate)
        variables = [Variable(name, value, rates.get(name, 0.0)) for name, value in state[chosen].values().items()]
        variables += [Variable("row", rows[chosen], 0.0), Variable("start", chosen, 0.0)]
        schedule = options.schedule()
        found = fit(
            variables,
            lambda values, step: self.loss(values, step + steps.start),
            steps=len(steps),
            schedule=lambda step: schedule(step + steps.start),
            hypotheses=True,
            keep="last",
            patience=options.patience,
            on_step=None if on_step is None else lambda step, terms: on_step(step + steps.start, terms),
            betas=BETAS,
            project=_projected,
            measure_last=False,
        )
        values = {name: value.clone() for name, value in state.values().items()}
        for name, value in values.items():
            value[chosen] = found.values[name]
        fine = usable.clone()
        fine[chosen] &= ~found.nonfinite.to(fine.device)
        history = {}
        for name, each in found.history.items():
            history[name] = each.new_full((len(each), len(rows)), torch.nan)
            history[name][:, chosen.cpu()] = each
        return State.of(values), fine, history

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
        noise: Noise = (self.generator or "const") if net.config.network.noise else "none"
        with self._half():
            # Compared with other programs, in the plain order of memory too: a leaky ReLU turns at the last bit.
            planes = (
                net.planes(ws, noise=noise) if chance is None else net.planes(ws, noise=chance.noise, fused=False)
            ).float()
        palette = net.palette(ws)
        draws = self.generator if chance is None else chance.places
        if self.options.counting == "all" or chance is not None:
            seen = net.render(ws, cameras, draws=draws, planes=planes, palette=palette)
            return seen.rgb, seen.alpha
        size = self.target.size
        with torch.no_grad():
            counts = self._hits(cameras)
            if self.options.counting == "object":
                counts &= self._near_object(cameras, rows, starts).flatten(1)
            index = indices(counts)
        pixels = pixels_of(cameras, net.config.compat.corner_pixels)
        pixels = torch.take_along_dim(pixels, index[:, :, None], dim=1)
        seen = net.render(ws, cameras, draws=draws, planes=planes, palette=palette, pixels=pixels)
        rays = size[0] * size[1]
        rgb = filled(seen.rgb, index, rays, net.config.scene.background).unflatten(1, size)
        alpha = filled(seen.alpha, index, rays, 0.0).unflatten(1, size)
        if self.options.counting == "object":
            shown = around(alpha.detach() > FAINT)
            self.opacity.update(zip(starts, shown, strict=True))
        return rgb, alpha

    def tuned(self, state: State) -> BootstrapGenerator:
        """A generator of its own for these photos: pivotal tuning (Roich et al. 2022) with latent and camera held."""
        net = copy.deepcopy(self.net).requires_grad_(True)
        rows = torch.arange(len(state.latent), device=state.latent.device)
        cameras = self.cameras(state.pose, rows)
        ws = (state.latent * self.options.gain).expand(-1, net.slots, -1)
        optimizer = torch.optim.Adam(net.parameters(), self.options.tuning_rate)
        with torch.inference_mode(False), torch.enable_grad():
            for _ in range(self.options.tuning_steps):
                rgb, alpha = self.look(net, ws, cameras, rows, rows.tolist())
                total = torch.stack([term.sum() for term in self.compared(rgb, alpha, rows).values()]).sum()
                if not bool(torch.isfinite(total)):
                    break
                optimizer.zero_grad(set_to_none=True)
                total.backward()
                optimizer.step()
                net.clamp_surface()
        return net.requires_grad_(False)

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


def _projected(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Quaternions of unit length, focal lengths within their limit, scales above 0."""
    found = {"quaternion": normalize(values["quaternion"], dim=-1), "scale": values["scale"].abs()}
    return found | ({"focal": values["focal"].clamp(-FOCAL_LIMIT, FOCAL_LIMIT)} if "focal" in values else {})


def _numbers(pose: PoseParameters) -> list[Tensor]:
    numbers = [pose.quaternion, pose.offset, pose.scale[:, None]]
    return numbers if pose.focal is None else [*numbers, pose.focal[:, None]]
