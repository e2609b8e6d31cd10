"""Fitting what made a picture, by comparing and improving: the engine, poses as variables, losses."""

from __future__ import annotations

from .camera_variable import moved, moved_camera, zoomed
from .fit import fit, trackable
from .losses import (
    photometric_loss,
    silhouette_cross_entropy,
    silhouette_iou_loss,
    silhouette_loss,
)
from .schedule import Exponential
from .state import Loss, Project
from .variable import FitResult, Variable

__all__ = [
    "Exponential",
    "FitResult",
    "Loss",
    "Project",
    "Variable",
    "fit",
    "moved",
    "moved_camera",
    "photometric_loss",
    "silhouette_cross_entropy",
    "silhouette_iou_loss",
    "silhouette_loss",
    "trackable",
    "zoomed",
]
