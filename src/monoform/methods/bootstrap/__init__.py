"""Bootstrapped inversion (Pavllo et al. 2023): a generator, an encoder of its images, refinement by both."""

from __future__ import annotations

from .config import BootstrapConfig as BootstrapConfig
from .encoder import BootstrapEncoder as BootstrapEncoder
from .encoder import EncoderConfig as EncoderConfig
from .model import BootstrapGenerator as BootstrapGenerator
from .presets import preset as preset
from .rendering import Maps as Maps
from .rendering import Seen as Seen
