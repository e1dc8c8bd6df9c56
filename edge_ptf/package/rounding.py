"""How far a graph's logits move when its arithmetic rounds otherwise, as it does on another processor.

Dynamic INT8 turns a difference in the last digit into a whole quantization step now and then, and the steps of many
layers and tokens add up: on some texts hardly at all, on others by a tenth of the largest logit. Every golden text
therefore has a tolerance of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from edge_ptf.engines import Session
from edge_ptf.engines.onnxruntime import GraphSession
from edge_ptf.examples import Encoding

STEP = 1e-6
"""Of an FP32 weight, relative: about what sums of a few hundred products differ by in another order."""
HALF_STEP = 2.0**-11
"""Of an FP16 weight: what rounding to FP16 itself does, which engines do after other operators than others do."""
DRAWS = 4


def rounding_effects(
    model: bytes, session: Session, encodings: Sequence[Encoding], tensors: Sequence[str]
) -> list[float]:
    """For each text the largest difference of a value of an output, as a share of the largest one of that output.

    Every FP32 weight is moved by a random share of itself, at most `STEP`, every FP16 weight at most by `HALF_STEP`;
    the largest effect of `DRAWS` seeded draws counts. FP16 tables whose rows are picked are no arithmetic, and stay.

    Args:
        session: of the model as it is.
        tensors: names of the outputs.
    """
    wanted = [session.answer(encoding) for encoding in encodings]
    effects = [0.0] * len(encodings)
    for moved in _moved(model):
        for number, (encoding, outputs) in enumerate(zip(encodings, wanted, strict=True)):
            found = moved.answer(encoding)
            for name in tensors:
                logits = outputs[name]
                apart = float(np.abs(found[name] - logits).max() / max(np.abs(logits).max(), 1e-6))
                effects[number] = max(effects[number], apart)
    return effects


def _moved(model: bytes) -> Iterator[GraphSession]:
    import onnx
    from onnx import numpy_helper

    chance = np.random.default_rng(0)
    steps = {onnx.TensorProto.FLOAT: STEP, onnx.TensorProto.FLOAT16: HALF_STEP}
    for _ in range(DRAWS):
        graph = onnx.load_model_from_string(model)
        picked = {node.input[0] for node in graph.graph.node if node.op_type in ("Gather", "Slice")}
        for tensor in graph.graph.initializer:
            half = tensor.data_type == onnx.TensorProto.FLOAT16
            if tensor.data_type in steps and not (half and tensor.name in picked):
                values, step = numpy_helper.to_array(tensor), steps[tensor.data_type]
                noise = chance.uniform(-step, step, values.shape).astype(np.float32)
                moved = (values + values * noise).astype(values.dtype)
                tensor.CopyFrom(numpy_helper.from_array(moved, tensor.name))
        yield GraphSession(graph.SerializeToString())
