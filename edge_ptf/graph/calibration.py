"""Ranges of activations for static INT8, from ONNX Runtime's calibrators on real texts, with constant memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edge_ptf.engines.onnxruntime import GraphSession
from edge_ptf.examples import Encoding

Method = Literal["minmax", "percentile", "entropy"]
PERCENTILES = (99.9, 99.99, 99.999)
"""Percentiles that the `best` calibration tries in addition to the configured one."""


BINS = 1024
"""Number of bins of a histogram. With ONNX Runtime's default of 128, the search can only find the whole range."""


@dataclass(frozen=True, slots=True)
class Way:
    """A method to choose a range from the observed values.

    minmax: the range of all values; percentile: the range of this share of the values; entropy: the range whose 128
    steps lose the least information, measured by Kullback-Leibler divergence (Migacz 2017, "8-bit Inference with
    TensorRT").
    """

    method: Method
    percentile: float | None = None

    def __str__(self) -> str:
        return self.method if self.percentile is None else f"{self.method} {self.percentile:g}"


def ways(calibration: str, percentile: float) -> tuple[Way, ...]:
    """The methods for a quantization's `calibration`: one method, or for `best` all methods that may win."""
    tried = sorted({*PERCENTILES, percentile} - {100.0}) if calibration == "best" else [percentile]
    known = {
        "minmax": (Way("minmax"),),
        "percentile": tuple(Way("percentile", share) for share in tried),
        "entropy": (Way("entropy"),),
    }
    return sum(known.values(), ()) if calibration == "best" else known[calibration]


def calibrate(model: Path, encodings: Sequence[Encoding], way: Way) -> Any:
    """The range of each input and output of a linear op, as ONNX Runtime's `TensorsData`.

    Texts are processed one at a time, because they differ in length and because ONNX Runtime keeps the activations of
    all texts in one call. So the memory does not grow with the number of texts.

    Args:
        model: the FP32 ONNX file.
    """
    from onnxruntime.quantization import CalibrationMethod, create_calibrator

    methods = {
        "minmax": CalibrationMethod.MinMax,
        "percentile": CalibrationMethod.Percentile,
        "entropy": CalibrationMethod.Entropy,
    }
    session = GraphSession(model)
    with tempfile.TemporaryDirectory() as folder:
        calibrator = create_calibrator(
            model,
            ["MatMul", "Gemm"],
            augmented_model_path=str(Path(folder) / "augmented.onnx"),
            calibrate_method=methods[way.method],
            extra_options=_options(way),
        )
        for encoding in encodings:
            calibrator.collect_data(_OneText(session.feeds(encoding)))
        return calibrator.compute_data()


def _options(way: Way) -> dict[str, Any]:
    """The options of ONNX Runtime's calibrator."""
    if way.percentile is not None:
        return {"percentile": way.percentile}
    return {"num_bins": BINS} if way.method == "entropy" else {}


class _OneText:
    """One text, in the interface that ONNX Runtime's calibrators need."""

    def __init__(self, feeds: dict[str, Any]) -> None:
        self.waiting: Iterator[dict[str, Any]] = iter([feeds])

    def __len__(self) -> int:
        return 1

    def get_next(self) -> dict[str, Any] | None:
        """Returns the text's inputs at the first call, then None."""
        return next(self.waiting, None)
