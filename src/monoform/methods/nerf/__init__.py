"""NeRF (Mildenhall et al. 2020): posed photos of a scene to a radiance field, and published checkpoints of such."""

from __future__ import annotations

from .config import FrequencyNetwork as FrequencyNetwork
from .config import NerfConfig as NerfConfig
from .config import TwoPass as TwoPass
from .model import NerfField as NerfField
from .model import NerfNet as NerfNet
from .model import NerfRenderer as NerfRenderer
from .rays import ndc_rays as ndc_rays
from .rays import published_rays as published_rays
from .two_pass import Pass as Pass
from .two_pass import TwoPassRender as TwoPassRender
from .two_pass import composite_raw as composite_raw
from .two_pass import inverse_cdf as inverse_cdf
from .two_pass import render_two_pass as render_two_pass
