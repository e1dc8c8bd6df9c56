"""Running a package: text in, answer out."""

from __future__ import annotations

from edge_ptf.runtime.process import WorkerProcess
from edge_ptf.runtime.runner import Runner

__all__ = ["Runner", "WorkerProcess"]
