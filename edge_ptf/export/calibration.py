"""Ranges of activations for static INT8: ONNX Runtime's calibrators over real texts, in flat memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from edge_ptf.export.execute import GraphSession
from edge_ptf.tasks.base import Encoding

Method = Literal["minmax", "percentile"]


def calibrate(model: Path, encodings: Sequence[Encoding], method: Method, percentile: float) -> Any:
    """The range of each input and output of a product, as ONNX Runtime's `TensorsData`.

    Texts are shown one at a time: they differ in length, and ONNX Runtime keeps the activations of what it is shown at
    once, so memory does not grow with their number.

    Args:
        model: the FP32 ONNX file.
        percentile: share of values inside the range, for the method of that name.
    """
    from onnxruntime.quantization import CalibrationMethod, create_calibrator

    methods = {"minmax": CalibrationMethod.MinMax, "percentile": CalibrationMethod.Percentile}
    session = GraphSession(model)
    with tempfile.TemporaryDirectory() as folder:
        calibrator = create_calibrator(
            model,
            ["MatMul", "Gemm"],
            augmented_model_path=str(Path(folder) / "augmented.onnx"),
            calibrate_method=methods[method],
            extra_options={"percentile": percentile} if method == "percentile" else {},
        )
        for encoding in encodings:
            calibrator.collect_data(_OneText(session.feeds(encoding)))
        return calibrator.compute_data()


class _OneText:
    """One text in the form ONNX Runtime's calibrators ask for."""

    def __init__(self, feeds: dict[str, Any]) -> None:
        self.waiting: Iterator[dict[str, Any]] = iter([feeds])

    def __len__(self) -> int:
        return 1

    def get_next(self) -> dict[str, Any] | None:
        """The text's inputs, then None."""
        return next(self.waiting, None)
