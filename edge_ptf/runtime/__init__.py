"""Runs a package: from a text to an answer."""

from __future__ import annotations

from edge_ptf.runtime.process import WorkerProcess
from edge_ptf.runtime.runner import Runner

__all__ = ["Runner", "WorkerProcess"]
