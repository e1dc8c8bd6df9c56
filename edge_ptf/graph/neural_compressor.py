"""Ranges of activations from Intel's Neural Compressor, by static quantization of the PyTorch model.

Neural Compressor 3 cannot quantize ONNX models. On a CPU without Intel's extension of PyTorch it uses PT2E. PT2E puts
observers into the model from torch.export, runs it on texts, and computes scales and zero points. This module reads
them.

It quantizes inputs and weights of linear ops and leaves outputs in FP32. SmoothQuant is not available, because it needs
the extension.
"""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
from pydantic import Field

from edge_ptf import tasks
from edge_ptf.config import StageConfig
from edge_ptf.data.dataset import LabelledData
from edge_ptf.engines.base import feeds
from edge_ptf.errors import CheckpointError, MissingExtraError
from edge_ptf.examples import Encoding, all_parts
from edge_ptf.graph import linear_ops
from edge_ptf.graph.exporting import spread, traceable
from edge_ptf.graph.quantization_scheme import QuantizeConfig
from edge_ptf.graph.ranges import Affine, Ranges, save_ranges
from edge_ptf.models.checkpoint import Checkpoint, load_model, load_tokenizer, model_inputs
from edge_ptf.progress import SILENT, Progress

PACKAGE = "neural-compressor"
LIBRARIES = (PACKAGE, "torchao")


class CalibrateConfig(StageConfig):
    """How Neural Compressor chooses ranges."""

    method: Literal["kl", "minmax"] = Field(
        "kl", description="kl: the range of least error, from histograms; minmax: moving averages of the extremes."
    )
    texts: int = Field(256, ge=8, description="Number of validation texts.")
    seed: int = Field(0, ge=0, description="Seed for the order of the texts, which affects moving averages.")


def require_compressor() -> ModuleType:
    """Imports Neural Compressor's quantization for PyTorch.

    Raises:
        MissingExtraError: Neural Compressor is not installed.
    """
    try:
        with _quiet():
            from neural_compressor.torch import quantization
    except ImportError:
        raise MissingExtraError(PACKAGE, "inc", "calibrate") from None
    module: ModuleType = quantization
    return module


def calibrate(
    checkpoint: Checkpoint,
    data: LabelledData,
    config: CalibrateConfig,
    quantization: QuantizeConfig,
    out: Path,
    progress: Progress = SILENT,
) -> Ranges:
    """Writes `ranges.json`: scale and zero point of each linear op's input, in the scheme's form of activations.

    Raises:
        MissingExtraError: Neural Compressor is not installed.
        CheckpointError: torch.export does not support the model.
    """
    require_compressor()
    model, tokenizer = load_model(checkpoint), load_tokenizer(checkpoint.path)
    task, length = tasks.create(checkpoint.info.head), checkpoint.info.max_length
    encodings = all_parts(task.encode(tokenizer, spread(data.validation, config.texts), length))
    order = np.random.default_rng(config.seed).permutation(len(encodings))
    try:
        with _quiet():
            inputs, shuffled = model_inputs(model, tokenizer), [encodings[place] for place in order]
            program = quantized(model, inputs, shuffled, length, config, quantization, progress)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0][:200]
        raise CheckpointError(f"{checkpoint.path}: Neural Compressor cannot quantize this model ({reason})") from None
    ranges = Ranges(
        source=f"{PACKAGE} {metadata.version(PACKAGE)} {config.method}",
        checkpoint=checkpoint.digest,
        data=data.fingerprint,
        texts=len(encodings),
        activation=quantization.activation,
        symmetric=quantization.symmetric_activation,
        linear_ops=input_scales(program),
    )
    save_ranges(ranges, out)
    return ranges


def quantized(
    model: Any,
    inputs: tuple[str, ...],
    encodings: Sequence[Encoding],
    longest: int,
    config: CalibrateConfig,
    quantization: QuantizeConfig,
    progress: Progress = SILENT,
) -> Any:
    """The model after Neural Compressor's quantization: a `GraphModule` with Q/DQ pairs before linear ops."""
    import torch
    from neural_compressor.torch.export import export

    toolkit = require_compressor()
    texts = [tuple(torch.from_numpy(item) for item in feeds(each, inputs).values()) for each in encodings]
    example = max(texts, key=lambda tensors: int(tensors[0].shape[1]))
    length = torch.export.Dim("length", min=2, max=longest)
    wanted = toolkit.StaticQuantConfig(
        act_algo=config.method, act_dtype=quantization.activation, act_sym=quantization.symmetric_activation
    )
    progress.start("Calibrate", len(texts))
    exported = export(traceable(copy.deepcopy(model), inputs), example, (({1: length},) * len(inputs),))
    prepared = toolkit.prepare(exported, wanted, example_inputs=example)
    with torch.no_grad():
        for text in texts:
            prepared(*text)
            progress.advance()
        program = toolkit.convert(prepared)
    progress.finish()
    return program


def input_scales(program: Any) -> dict[str, Affine]:
    """Scale and zero point of the input of each linear op, by the linear op's name.

    A weight that layers share is one linear op. The widest range of its inputs counts.
    """
    import torch

    found: dict[str, Affine] = {}
    for node in program.graph.nodes:
        if node.target is not torch.ops.aten.linear.default or "dequantize_per_tensor" not in str(node.args[0].target):
            continue
        name, scale, zero_point = linear_op_name(node), float(node.args[0].args[1]), int(node.args[0].args[2])
        if name not in found or scale > found[name].scale:
            found[name] = Affine(scale=scale, zero_point=zero_point)
    return found


def linear_op_name(node: Any) -> str:
    """The linear op's name, from the module in which a node was traced: `model.bert.encoder.layer.1.output.dense`."""
    path = str(list(node.meta["nn_module_stack"].values())[-1][0])
    parts = list[str]()
    for part in path.split("."):
        if part.isdigit() and parts:  # in ONNX names, `layer.1` is one part
            parts[-1] += f".{part}"
        else:
            parts.append(part)
    return linear_ops.readable("/".join(parts))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hides the toolkit's messages: it prints, and logs each step as a warning."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
