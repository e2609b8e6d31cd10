"""How the network is measured: the overlap of masks and their ellipses."""

from __future__ import annotations
