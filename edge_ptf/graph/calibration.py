"""Ranges of activations for static INT8: ONNX Runtime's calibrators over real texts, in flat memory."""

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
"""Those that a sweep tries beside the one that is set."""


BINS = 1024
"""Of a histogram whose best range is searched. ONNX Runtime's own 128 leave the search nothing but the whole range."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to choose a range from the values that were seen.

    minmax: all of them; percentile: that share of them; entropy: the range whose 128 steps lose least information,
    measured by Kullback-Leibler divergence (Migacz 2017, "8-bit Inference with TensorRT").
    """

    method: Method
    percentile: float | None = None

    def __str__(self) -> str:
        return self.method if self.percentile is None else f"{self.method} {self.percentile:g}"


def ways(calibration: str, percentile: float) -> tuple[Way, ...]:
    """What a quantization's `calibration` asks for: one way, or for `best` every one that is worth a try."""
    tried = sorted({*PERCENTILES, percentile} - {100.0}) if calibration == "best" else [percentile]
    known = {
        "minmax": (Way("minmax"),),
        "percentile": tuple(Way("percentile", share) for share in tried),
        "entropy": (Way("entropy"),),
    }
    return sum(known.values(), ()) if calibration == "best" else known[calibration]


def calibrate(model: Path, encodings: Sequence[Encoding], way: Way) -> Any:
    """The range of each input and output of a product, as ONNX Runtime's `TensorsData`.

    Texts are shown one at a time: they differ in length, and ONNX Runtime keeps the activations of what it is shown at
    once, so memory does not grow with their number.

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
    """For ONNX Runtime's calibrator."""
    if way.percentile is not None:
        return {"percentile": way.percentile}
    return {"num_bins": BINS} if way.method == "entropy" else {}


class _OneText:
    """One text in the form ONNX Runtime's calibrators ask for."""

    def __init__(self, feeds: dict[str, Any]) -> None:
        self.waiting: Iterator[dict[str, Any]] = iter([feeds])

    def __len__(self) -> int:
        return 1

    def get_next(self) -> dict[str, Any] | None:
        """The text's inputs, then None."""
        return next(self.waiting, None)
