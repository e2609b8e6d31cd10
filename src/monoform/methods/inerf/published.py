"""Settings of the published programs, with their behaviour; no weights of iNeRF's own exist."""

from __future__ import annotations

from .descent_config import Compat, PhotometricAdam

_OFFICIAL = Compat(
    parametrization="matrix",
    encoder_batchnorm="batch",
    constant_rate=True,
    with_replacement=True,
    pose_before_update=True,
    grid_start=True,
)
OFFICIAL_SCRIPT = PhotometricAdam(steps=101, rays=1024, sampling="random", rate=1e-3, compat=_OFFICIAL)
"""The official release's script: 101 steps whatever is asked for, at a constant 0.001."""
OFFICIAL_NOTEBOOK = PhotometricAdam(steps=101, rays=1024, sampling="center", rate=1e-2, compat=_OFFICIAL)
"""The official release's notebook."""
SCREW = PhotometricAdam(rays=1024, compat=Compat(parametrization="screw7", unit_directions=False))
"""The widespread re-implementation for scenes of the original NeRF."""
PRESETS = {"paper": PhotometricAdam(), "script": OFFICIAL_SCRIPT, "notebook": OFFICIAL_NOTEBOOK, "screw": SCREW}
"""Settings by the names that `--set preset=NAME` takes."""
