"""Hybrid inversion (Pavllo et al. 2023, section 3.3): latent and camera of a photo, refined through the renderer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ...errors import InputError
from ...inversion import trackable
from ...inversion.fit import OnStep
from .estimate_pose import EstimatedCameras
from .inversion_options import InversionOptions
from .model import BootstrapGenerator
from .objective import Objective
from .pose_parameters import PoseParameters
from .refine import refined
from .refined_state import State
from .refinement import Chance, Refinement
from .target import Target
from .tuning import frozen, tuned


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
        usable = cameras.found.flatten() & run.meets(state, rows)
        state, fine, history = refined(run, state, rows, usable, starts, on_step)
    own = tuned(run, state) if options.tuning_steps and bool(fine.all()) else net
    found = state.pose
    matrices, lengths = found.matrices(flipped=net.config.scene.flipped)
    whole = (state.latent * options.gain).expand(-1, net.slots, -1)
    return Inverted(whole, found, matrices, lengths, fine, history, own)
