"""Fields and the parts that networks are built from."""

from __future__ import annotations

from .analytic import Box as Box
from .analytic import Fog as Fog
from .analytic import Sphere as Sphere
from .analytic import Torus as Torus
from .encoding import FrequencyEncoding as FrequencyEncoding
from .field import Field as Field
