"""A graph under ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import onnxruntime
from serve import Feeds, Run, serve


def load(model: Path, threads: int) -> tuple[str, Run]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])

    def run(feeds: Feeds) -> object:
        return session.run(None, feeds)[0]

    return f"ONNX Runtime {onnxruntime.__version__}", run


if __name__ == "__main__":
    serve(load)
