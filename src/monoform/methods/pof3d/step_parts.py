"""What the losses of a step are made of: chance, what is shown and chosen, terms."""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from ...training.chance import Chance as AnyChance

Term = tuple[Tensor, dict[str, Tensor]]


class Chance(AnyChance):
    """Random numbers of a step."""

    def first_mirror(self) -> bool:
        """Which of two mirrors a batch is seen in."""
        return bool(self.uniform(1) < 0.5)


@runtime_checkable
class GeneratorTerm(Protocol):
    """A further term of the generator's loss, of fakes seen from their own poses."""

    def __call__(self, depth: Float[Tensor, "n 1 r r"], image: Float[Tensor, "n 3 h w"], images: float) -> Term | None:
        """The term after so many images of the training, and what it logs; None for none."""
        ...


class Shown(NamedTuple):
    """What the discriminator is shown: images and raw images, -1..1."""

    image: Float[Tensor, "n 3 h w"]
    image_raw: Float[Tensor, "n 3 g v"]


class Chosen(NamedTuple):
    """Styles of latents and the poses that the generator chooses for them.

    Attributes:
        pose: (yaw, elevation parameter, ...) radians.
        pose_alone: the same, from which gradients reach the layers that choose the pose and none else.
        ws: styles.
        cameras: world_from_camera.
        intrinsics: of images whose side is 1.
    """

    pose: Float[Tensor, "n c"]
    pose_alone: Float[Tensor, "n c"]
    ws: Float[Tensor, "n slots w"]
    cameras: Float[Tensor, "n 4 4"]
    intrinsics: Float[Tensor, "n 3 3"]
