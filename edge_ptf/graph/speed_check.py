"""Checks on this machine whether INT8 makes a model faster than FP32. This is not always so."""

from __future__ import annotations

import tempfile
from math import exp
from pathlib import Path

import numpy as np
from pydantic import Field

from edge_ptf import tasks
from edge_ptf.config import StageConfig, StrictModel, parse
from edge_ptf.data.dataset import LabelledData
from edge_ptf.engines import Threads
from edge_ptf.engines.onnxruntime import GraphSession, interleaved_ms
from edge_ptf.engines.onnxruntime.kernels import LinearOpKernels, linear_op_kernels, write_optimized
from edge_ptf.errors import RefusedError
from edge_ptf.examples import all_parts
from edge_ptf.graph.artifact import Graph
from edge_ptf.graph.exporting import spread
from edge_ptf.models.checkpoint import load_tokenizer
from edge_ptf.progress import SILENT, Progress

FILE = "speed_check.json"


class SpeedCheckConfig(StageConfig):
    """How INT8 and FP32 are timed."""

    texts: int = Field(24, ge=4, description="Number of validation texts that are timed, from short to long.")
    repeats: int = Field(7, ge=3, description="Number of repeats; each repeat loads both graphs again.")
    threads: Threads = 1
    allow_slower: bool = Field(False, description="Continue with an INT8 form that is slower than FP32.")


class SpeedCheck(StrictModel):
    """FP32 time ÷ INT8 time, and how ONNX Runtime runs the linear ops of the INT8 graph on this machine."""

    ratio: float
    low: float = Field(description="Lower end of the two-sided 95 % interval over repeats.")
    high: float
    int8_linear_ops: int = Field(description="Linear ops that run in INT8 kernels.")
    linear_ops: int = Field(description="All linear ops with a weight; fused attention has one.")

    def check(self, config: SpeedCheckConfig) -> None:
        """Refuses an INT8 form that is proven to be slower than the same model in FP32.

        Raises:
            RefusedError: the whole interval is below 1.
        """
        if self.high < 1 and not config.allow_slower:
            raise RefusedError(
                f"INT8 is slower than FP32 on this machine: {self.ratio:.2f} times as fast "
                f"(95 %: {self.low:.2f} to {self.high:.2f}), {self.int8_linear_ops} of {self.linear_ops} linear ops "
                "run in INT8 kernels",
                hint="Use FP32 (--set quantize.mode=none) or another form (--set quantize.mode=dynamic or static), "
                "or accept the slower form for its size: --set speed_check.allow_slower=true",
            )


def check_speed(
    full: Graph, int8: Graph, data: LabelledData, config: SpeedCheckConfig, out: Path, progress: Progress = SILENT
) -> SpeedCheck:
    """Times both graphs on the same validation texts, alternating. Writes `speed_check.json`.

    The ratio of a repeat is the median over texts. The interval is a t interval over the logarithms of these ratios.
    """
    from edge_ptf.statistics import log_mean_limits  # imported here: needs scipy, which a device need not have

    task, tokenizer = tasks.create(full.info.head), load_tokenizer(full.path)
    encodings = all_parts(task.encode(tokenizer, spread(data.validation, config.texts), full.info.max_length))
    ratios = []
    progress.start("INT8 against FP32", config.repeats)
    for _ in range(config.repeats):
        times = interleaved_ms([GraphSession(graph.model, config.threads) for graph in (full, int8)], encodings)
        ratios.append(float(np.median(times[0] / times[1])))
        progress.advance()
    progress.finish()
    low, high = log_mean_limits(ratios, 0.025)
    assert low is not None and high is not None  # there are at least three repeats
    ratio, kernels = exp(float(np.log(ratios).mean())), _kernels(int8)
    found = SpeedCheck(
        ratio=round(ratio, 4),
        low=round(low, 4),
        high=round(high, 4),
        int8_linear_ops=kernels.int8,
        linear_ops=kernels.count,
    )
    out.mkdir(parents=True, exist_ok=True)
    (out / FILE).write_text(found.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return found


def _kernels(graph: Graph) -> LinearOpKernels:
    with tempfile.TemporaryDirectory() as folder:
        optimized = Path(folder) / "optimized.onnx"
        write_optimized(graph.model, optimized)
        return linear_op_kernels(optimized)


def open_speed_check(folder: Path) -> SpeedCheck:
    """Reads the result that `check_speed` wrote."""
    import json

    return parse(SpeedCheck, json.loads((folder / FILE).read_text(encoding="utf-8")), where=str(folder / FILE))
