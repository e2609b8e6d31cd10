"""NeRF (Mildenhall et al. 2020): posed photos of a scene to a radiance field, and published checkpoints of such."""

from __future__ import annotations

from .frequency_config import FrequencyNetwork as FrequencyNetwork
from .frequency_config import NerfConfig as NerfConfig
from .frequency_config import TwoPass as TwoPass
from .hash_config import HashConfig as HashConfig
from .hash_config import HashNetwork as HashNetwork
from .hash_model import HashField as HashField
from .hash_model import HashScene as HashScene
from .hash_render import HashRenderer as HashRenderer
from .infer import Nerf as Nerf
from .model import NerfField as NerfField
from .model import NerfNet as NerfNet
from .model import NerfRenderer as NerfRenderer
from .rays import ndc_rays as ndc_rays
from .rays import published_rays as published_rays
from .scene import Scene as Scene
from .scene import load_scene as load_scene
from .two_pass import field_samples as field_samples
from .two_pass import render_two_pass as render_two_pass
