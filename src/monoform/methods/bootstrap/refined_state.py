"""What bootstrapped inversion refines, as the fitting engine's variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from .pose_parameters import PoseParameters

FOCAL_LIMIT = 4.0
"""Of the logarithm that stands for the focal length."""


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


def projected(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Quaternions of unit length, focal lengths within their limit, scales above 0."""
    found = {"quaternion": normalize(values["quaternion"], dim=-1), "scale": values["scale"].abs()}
    return found | ({"focal": values["focal"].clamp(-FOCAL_LIMIT, FOCAL_LIMIT)} if "focal" in values else {})
