"""ONNX Runtime as an engine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edge_ptf.engines.base import Engine
from edge_ptf.engines.onnxruntime.model_check import check_model
from edge_ptf.engines.onnxruntime.session import GraphSession


class OnnxRuntime(Engine):
    """Runs ONNX graphs on the CPU."""

    name = "onnxruntime"
    formats = ("onnx",)
    least_version = "1.23"

    def version(self) -> str:
        """The version that is installed here."""
        import onnxruntime

        version: str = onnxruntime.__version__
        return version

    def session(self, model: Path | bytes, threads: int = 1, outputs: Sequence[str] = ()) -> GraphSession:
        """Loads an ONNX file or its content."""
        return GraphSession(model, threads, outputs)

    def check(self, model: bytes, inputs: Sequence[str], outputs: Sequence[str]) -> list[str]:
        """A graph must have only what a package may have (else PackageError), and these inputs and outputs."""
        import onnx

        check_model(model)
        try:
            content = onnx.load_model_from_string(model).graph
        except Exception:  # protobuf's own error, whose package has no types
            return ["is no ONNX model"]
        if [item.name for item in (*content.input, *content.output)] != [*inputs, *outputs]:
            return ["has not the inputs and outputs of the manifest"]
        return []
