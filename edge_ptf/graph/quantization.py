"""Quantizes a graph to INT8, dynamic (ranges from each call) or static (Q/DQ, ranges from calibration), or to FP16."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge_ptf import tasks
from edge_ptf.data.dataset import LabelledData
from edge_ptf.engines.onnxruntime import GraphSession, logit_distance
from edge_ptf.errors import BadInputError
from edge_ptf.examples import Encoding, all_parts
from edge_ptf.graph import fp16
from edge_ptf.graph.artifact import MODEL_FILE, Graph, save_graph
from edge_ptf.graph.exporting import spread
from edge_ptf.graph.forms import Quantizer
from edge_ptf.graph.quantization_scheme import QuantizeConfig
from edge_ptf.graph.ranges import Ranges
from edge_ptf.graph.saturation import saturation
from edge_ptf.models.checkpoint import load_tokenizer
from edge_ptf.models.lineage import QuantizeFacts
from edge_ptf.progress import SILENT, Progress

SATURATION_TEXTS = 32
"""Number of texts for counting saturation, with short and long texts."""


def quantize(
    graph: Graph,
    data: LabelledData,
    config: QuantizeConfig,
    out: Path,
    progress: Progress = SILENT,
    ranges: Ranges | None = None,
) -> Graph:
    """Writes the INT8 form of an FP32 graph, or its FP16 form.

    Static ranges come from `validation`; its labels are not used. Given `ranges` are used directly. With the `best`
    calibration, they are one more candidate.

    Linear ops with weights become INT8. LayerNorm, softmax, GELU and residual sums stay FP32, because INT8 would reduce
    accuracy there (Bondarenko et al. 2021, "Understanding and Overcoming the Challenges of Efficient Transformer
    Quantization").

    Raises:
        BadInputError: the graph is already INT8 or FP16; or it has no linear op with a name in `keep_fp32`; or `ranges`
            are for another model or have no use in this quantization.
    """
    if graph.info.scheme.precision != "fp32":
        raise BadInputError(
            f"{graph.path}: the graph is already {graph.info.scheme.precision.upper()}",
            hint="Give the directory that `export` wrote",
        )
    if ranges and (config.mode != "static" or config.smooth is not None):
        raise BadInputError(
            "given ranges need static mode without smoothing, because smoothing changes the activations",
            hint="Use --mode static without --smooth",
        )
    progress.start("Quantize", 3)
    task, tokenizer = tasks.create(graph.info.head), load_tokenizer(graph.path)
    texts = spread(data.validation, config.calibration_texts)
    encodings = all_parts(task.encode(tokenizer, texts, graph.info.max_length))
    quantizer = Quantizer(graph.model, graph.info.max_length, config, encodings, ranges)
    model = quantizer.shipped(config.keep_fp32)
    progress.advance()
    info = graph.info.replace(scheme=config.scheme(), opset=fp16.opset(model))
    quantized = save_graph(model, info, graph.path, out)
    progress.advance()
    some = encodings[:: max(1, len(encodings) // SATURATION_TEXTS)]
    facts = QuantizeFacts(
        **_agreement(graph, quantized, encodings),
        **quantizer.facts,
        without_vnni=saturation(model, some) if config.scheme().isa else None,
    )
    progress.advance()
    progress.finish()
    return save_graph(model, info.made_by(facts, config), graph.path, out)


def _agreement(before: Graph, after: Graph, encodings: Sequence[Encoding]) -> dict[str, Any]:
    """How much the INT8 graph's answers differ from FP32 on the given texts. Needs no labels; a first estimate only."""
    full, small = GraphSession(before.path / MODEL_FILE), GraphSession(after.path / MODEL_FILE)
    expected, found = (session.all_logits(encodings) for session in (full, small))
    facts = {"mean_logit_difference": round(logit_distance(expected, found), 4), "texts": len(encodings)}
    pairs = zip(expected, found, strict=True)
    same_of = [np.atleast_1d(a.argmax(-1) == b.argmax(-1)) for a, b in pairs if a.shape[-1] > 1]
    if not same_of:
        return facts  # one label is always the largest, so nothing follows from that
    same = np.concatenate(same_of)
    return {**facts, "same_answer_percent": round(100 * float(same.mean()), 2)}
