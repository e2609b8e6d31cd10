"""The one training loop over a method's phases, its checkpoints, and the weights that come out."""

from __future__ import annotations

from .checkpoint import Checkpoint, list_checkpoints, load_checkpoint
from .ema import Ema
from .loop import train
from .options import Diverged, TrainOptions, TrainResult
from .phase import EvaluatedTask, Optimiser, Phase, Task
from .run_folder import run_folder
from .schedule import Constant, Cosine, Schedule, Steps
from .weights import load_pretrained, publish, save_pretrained

__all__ = [
    "Checkpoint",
    "Constant",
    "Cosine",
    "Diverged",
    "Ema",
    "EvaluatedTask",
    "Optimiser",
    "Phase",
    "Schedule",
    "Steps",
    "Task",
    "TrainOptions",
    "TrainResult",
    "list_checkpoints",
    "load_checkpoint",
    "load_pretrained",
    "publish",
    "run_folder",
    "save_pretrained",
    "train",
]
