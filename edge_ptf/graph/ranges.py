"""Ranges of activations that another toolkit measured on the checkpoint, assigned to the ONNX graph's linear ops."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, ValidationError

from edge_ptf.config import StrictModel
from edge_ptf.digests import canonical_json
from edge_ptf.errors import BadInputError, PackageError
from edge_ptf.graph import linear_ops

FILE = "ranges.json"
WHOLE_NUMBERS = {"uint8": (0, 255), "int8": (-128, 127), "symmetric": (-127, 127)}
"""The INT8 limits of each form. ONNX Runtime's symmetric form has no −128."""


class Affine(StrictModel):
    """The mapping of a tensor to INT8: value ÷ scale + zero point."""

    scale: float = Field(gt=0, allow_inf_nan=False)
    zero_point: int


class Ranges(StrictModel):
    """The mapping of each linear op's input to INT8, as measured by a toolkit."""

    schema_version: Literal[1] = 1
    source: str = Field(description="The toolkit, its version and its method.")
    checkpoint: str = Field(description="Digest of the measured checkpoint.")
    data: str = Field(description="Fingerprint of the data.")
    texts: int
    activation: Literal["uint8", "int8"]
    symmetric: bool
    linear_ops: dict[str, Affine] = Field(description="The mapping by linear op, with names as in keep_fp32.")

    def limits(self, linear_op: str) -> tuple[np.float32, np.float32]:
        """The smallest and the largest value that INT8 can represent for the linear op's input."""
        least, most = WHOLE_NUMBERS["symmetric" if self.symmetric else self.activation]
        found = self.linear_ops[linear_op]
        low, high = (found.scale * (number - found.zero_point) for number in (least, most))
        return np.float32(low), np.float32(high)


def transferred(model: Any, measured: Any, given: Ranges) -> Any:
    """A graph's ranges, with those of linear ops' inputs replaced by given ones.

    Args:
        model: the FP32 graph that is quantized.
        measured: its ranges from ONNX Runtime (`TensorsData`). Outputs of linear ops keep these.

    Raises:
        BadInputError: the graph has other linear ops.
    """
    from onnxruntime.quantization import CalibrationMethod
    from onnxruntime.quantization.calibrate import TensorsData

    found = linear_ops.linear_ops(model)
    _check_same(found, given)
    limits = {name: item.range_value for name, item in measured.items()}
    linear_op_of = {node: linear_op for linear_op, nodes in found.items() for node in nodes}
    for node in model.graph.node:
        if node.name in linear_op_of:
            limits[node.input[0]] = given.limits(linear_op_of[node.name])
    return TensorsData(CalibrationMethod.MinMax, limits)


def save_ranges(ranges: Ranges, out: Path) -> None:
    """Writes `ranges.json`."""
    out.mkdir(parents=True, exist_ok=True)
    (out / FILE).write_bytes(canonical_json(ranges.model_dump(mode="json")))


def load_ranges(folder: Path) -> Ranges:
    """Reads the ranges that `calibrate` wrote."""
    try:
        return Ranges.model_validate_json((folder / FILE).read_bytes())
    except ValidationError as error:
        raise PackageError(f"{folder / FILE}: damaged ({error.errors()[0]['msg']})") from None
    except FileNotFoundError:
        raise PackageError(f"{folder}: no {FILE}", hint="Give a directory that `calibrate` wrote") from None


def _check_same(found: Mapping[str, Any], given: Ranges) -> None:
    if differing := sorted(found.keys() ^ given.linear_ops.keys()):
        ops = "1 linear op is" if len(differing) == 1 else f"{len(differing)} linear ops are"
        more = ", …" if len(differing) > 1 else ""
        raise BadInputError(
            f"the ranges are for another model: {ops} not in both ({differing[0]}{more})",
            hint="Run calibrate on the checkpoint of this graph",
        )
