"""Reconstructions for people who wait elsewhere: a queue of a bounded length before worker processes."""

from __future__ import annotations

from .limits import Limits as Limits
from .queue import Full as Full
from .queue import Job as Job
from .queue import JobQueue as JobQueue
from .queue import Stopped as Stopped
from .worker import Task as Task
