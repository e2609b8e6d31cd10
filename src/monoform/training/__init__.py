"""The one training loop over a method's phases, its checkpoints, and the weights that come out."""

from __future__ import annotations

from ..renamed import old_names
from .adan import Adan
from .checkpoint import Checkpoint, list_checkpoints, load_checkpoint
from .declaration import LoopSettings, Training
from .ema import Ema
from .ema_decay import EveryNth, Fixed, HalfLife, WarmUp
from .hooks import AfterStep, BeforeStep
from .loop import train
from .optimizers import Optimizer
from .options import Diverged, TrainOptions, TrainResult
from .phase import AveragedTask, EvaluatedTask, NumberedTask, Phase, PicturedTask, StartedTask, Task
from .run_folder import run_folder
from .schedule import Constant, Cosine, Schedule, Steps
from .stages import Stage, train_stages
from .weights import load_pretrained, publish, save_pretrained

__all__ = [
    "Adan",
    "AfterStep",
    "AveragedTask",
    "BeforeStep",
    "Checkpoint",
    "Constant",
    "Cosine",
    "Diverged",
    "Ema",
    "EvaluatedTask",
    "EveryNth",
    "Fixed",
    "HalfLife",
    "LoopSettings",
    "NumberedTask",
    "Optimizer",
    "Phase",
    "PicturedTask",
    "Schedule",
    "Stage",
    "StartedTask",
    "Steps",
    "Task",
    "TrainOptions",
    "TrainResult",
    "Training",
    "WarmUp",
    "list_checkpoints",
    "load_checkpoint",
    "load_pretrained",
    "publish",
    "run_folder",
    "save_pretrained",
    "train",
    "train_stages",
]

__getattr__ = old_names(__name__, {"Optimiser": "Optimizer"})
