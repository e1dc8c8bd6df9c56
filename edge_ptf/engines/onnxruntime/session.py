"""Run a graph with ONNX Runtime on one text at a time, unpadded: the way a device calls it."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_ptf.engines.base import Inputs, Outputs, Session, TensorInfo
from edge_ptf.engines.onnxruntime.model_check import check_model
from edge_ptf.errors import PackageError
from edge_ptf.examples import Encoding, Logits
from edge_ptf.progress import SILENT, Progress

TIMED_CALLS = 2
"""Calls of a session in a row that are timed, after one that is not: that one finds another's weights in the cache."""
DTYPES = {"tensor(int64)": "int64", "tensor(float)": "float32"}


class GraphSession(Session):
    """An ONNX Runtime session on the CPU.

    One thread a graph by default, threads do not spin while they wait, and nothing is padded.
    """

    def __init__(self, model: Path | bytes, threads: int = 1, outputs: Sequence[str] = ()) -> None:
        """Raises PackageError where ONNX Runtime cannot read the model.

        A model given as bytes may come from a package, so it is checked before ONNX Runtime sees it: its operators, its
        constant sizes, no weights in other files.

        Args:
            outputs: what a run gives, by name; empty: all outputs of the graph.
        """
        import onnxruntime

        if isinstance(model, bytes):
            check_model(model)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # every error is raised, so it need not be printed too
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        source = model if isinstance(model, bytes) else str(model)
        try:
            self.session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's own exceptions share no public base class
            first = str(error).strip().splitlines()[0][:200]
            raise PackageError(f"the model cannot be loaded by ONNX Runtime ({first})") from None
        self.inputs = tuple(item.name for item in self.session.get_inputs())
        self.outputs = tuple(outputs) or tuple(item.name for item in self.session.get_outputs())

    def run(self, feeds: Inputs) -> Outputs:
        """One call: every input by its name, each output by its name."""
        return dict(zip(self.outputs, self.session.run(self.outputs, feeds), strict=True))

    def tensors(self) -> tuple[tuple[TensorInfo, ...], tuple[TensorInfo, ...]]:
        """All inputs and all outputs of the graph."""
        inputs, outputs = (
            tuple(TensorInfo(item.name, DTYPES[item.type], tuple(item.shape)) for item in items)
            for items in (self.session.get_inputs(), self.session.get_outputs())
        )
        return inputs, outputs

    def logits(self, encoding: Encoding) -> Logits:
        """The first output, of a graph that has one: [classes] or [length, classes]."""
        return self.output(encoding, self.outputs[0])

    def all_logits(self, encodings: Iterable[Encoding]) -> list[Logits]:
        """Every output for each text, one after the other, without the batch axis."""
        return [
            answer[name][0] for encoding in encodings for answer in [self.answer(encoding)] for name in self.outputs
        ]


def logit_distance(expected: Sequence[Logits], found: Sequence[Logits]) -> float:
    """Mean absolute difference of a logit, every text and every output of it counting the same."""
    return float(np.mean([np.abs(a - b).mean() for a, b in zip(expected, found, strict=True)]))


def interleaved_ms(
    sessions: Sequence[GraphSession], encodings: Sequence[Encoding], rounds: int = 1, progress: Progress = SILENT
) -> NDArray[np.float64]:
    """Engine time of each session on each text, [sessions, texts] in milliseconds, median over rounds.

    Sessions take turns text by text, in an order drawn anew each time, so that what else the machine does falls on all
    of them alike.
    """
    draw = random.Random(0)
    feeds = [[session.feeds(encoding) for encoding in encodings] for session in sessions]
    taken = np.empty((len(sessions), len(encodings), rounds, TIMED_CALLS))
    progress.start("Time graphs", rounds)
    for turn in range(rounds):
        for text in range(len(encodings)):
            for row in draw.sample(range(len(sessions)), len(sessions)):
                session, feed = sessions[row], feeds[row][text]
                session.run(feed)
                for call in range(TIMED_CALLS):
                    begin = time.perf_counter_ns()
                    session.run(feed)
                    taken[row, text, turn, call] = time.perf_counter_ns() - begin
        progress.advance()
    progress.finish()
    medians: NDArray[np.float64] = np.median(taken, axis=(2, 3)) / 1e6
    return medians
