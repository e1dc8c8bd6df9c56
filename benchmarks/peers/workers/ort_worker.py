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
    names = [item.name for item in session.get_inputs()]

    def run(feeds: Feeds) -> object:
        return session.run(None, feeds)[0]

    unknown = {"input_ids", "attention_mask", "token_type_ids"} - set(names)
    if unknown:
        def run(feeds: Feeds) -> object:  # noqa: F811
            return session.run(None, {name: feeds[name] for name in names})[0]

    return f"ONNX Runtime {onnxruntime.__version__}", run


if __name__ == "__main__":
    serve(load)
