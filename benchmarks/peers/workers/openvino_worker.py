"""A model under OpenVINO, for latency: one stream."""

from __future__ import annotations

from pathlib import Path

import openvino
from serve import Feeds, Run, serve


def load(model: Path, threads: int) -> tuple[str, Run]:
    settings = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": "1", "INFERENCE_NUM_THREADS": threads}
    settings["ENABLE_CPU_PINNING"] = False  # other toolkits are not pinned either
    request = openvino.Core().compile_model(model, "CPU", settings).create_infer_request()

    def run(feeds: Feeds) -> object:
        return request.infer(feeds, share_inputs=True, share_outputs=True)[0]

    return f"OpenVINO {openvino.__version__.split('-')[0]}", run


if __name__ == "__main__":
    serve(load)
