"""The card and verbs of scenes; `train_scene` trains them and `load_scene` opens them."""

from __future__ import annotations

from typing import ClassVar

from ..base import Method, MethodCard
from .config import SceneTraining

CITATIONS = (
    """@inproceedings{mildenhall2020nerf,
  title = {NeRF: Representing Scenes as Neural Radiance Fields for View Synthesis},
  author = {Mildenhall, Ben and Srinivasan, Pratul P. and Tancik, Matthew and Barron, Jonathan T. and
            Ramamoorthi, Ravi and Ng, Ren},
  booktitle = {European Conference on Computer Vision},
  year = {2020},
}""",
    """@article{mueller2022instant,
  title = {Instant Neural Graphics Primitives with a Multiresolution Hash Encoding},
  author = {M{\\"u}ller, Thomas and Evans, Alex and Schied, Christoph and Keller, Alexander},
  journal = {ACM Transactions on Graphics},
  volume = {41},
  number = {4},
  year = {2022},
}""",
)


class Nerf(Method):
    """A radiance field of one capture: `monoform train scene`, in which `monoform pose` finds photos."""

    config_class: ClassVar[type] = SceneTraining
    card: ClassVar[MethodCard] = MethodCard(
        name="nerf",
        summary="a scene from some dozens of photos with their cameras",
        needs="a capture: monoform train scene",
        license="Apache-2.0",
        weights=None,
        size=0.0,
        citation=CITATIONS,
    )
