"""Fields and the parts that networks are built from."""

from __future__ import annotations

from .analytic import Box as Box
from .analytic import Fog as Fog
from .analytic import Sphere as Sphere
from .analytic import Torus as Torus
from .encoding import FrequencyEncoding as FrequencyEncoding
from .field import Field as Field
from .field import FieldSamples as FieldSamples
from .hashgrid import GridOptions as GridOptions
from .hashgrid import HashGrid as HashGrid
from .nerf_mlp import NerfMlp as NerfMlp
from .spherical_harmonics import spherical_harmonics as spherical_harmonics
