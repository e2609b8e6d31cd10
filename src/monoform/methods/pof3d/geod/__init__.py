"""GeoD (Shi et al. 2022): an inverse renderer that learns beside the discriminator and tells the generator about shape.

An option of PoF3D's training that none of its published results used.
"""

from __future__ import annotations

from .config import GeodConfig as GeodConfig
from .model import InverseRenderer as InverseRenderer
from .term import GeodOptions as GeodOptions
from .term import GeodTerm as GeodTerm
