"""A checkpoint as an ONNX graph, with the proof that both answer alike."""

from __future__ import annotations

import io
import re
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from edge_ptf import models, tasks
from edge_ptf.config import StageConfig
from edge_ptf.data.dataset import LabelledData
from edge_ptf.engines import Opset, running
from edge_ptf.errors import CheckpointError, ParityError
from edge_ptf.examples import Encoding, all_parts
from edge_ptf.graph.artifact import FORMAT, MODEL_FILE, Graph, GraphInfo, save_graph, save_info
from edge_ptf.heads import Head
from edge_ptf.heads.outputs import as_arrays
from edge_ptf.models.checkpoint import INPUTS, Checkpoint, companions, load_model, load_tokenizer, model_inputs
from edge_ptf.models.lineage import ExportFacts
from edge_ptf.progress import SILENT, Progress

if TYPE_CHECKING:
    import torch

CHECKED_LENGTHS = (3, 8, 13)
"""Tokens of the texts that show early whether a model can be exported; the trace has 8."""


class ExportConfig(StageConfig):
    """How a checkpoint becomes ONNX."""

    opset: Opset = 17
    parity_texts: int = Field(64, ge=2, description="Validation texts compared with PyTorch, short to long.")
    parity_tolerance: float = Field(1e-3, gt=0, description="Largest difference of a logit that is accepted.")


def export(
    checkpoint: Checkpoint, data: LabelledData, config: ExportConfig, out: Path, progress: Progress = SILENT
) -> Graph:
    """Writes `model.onnx` (dynamic batch and length) with its companions, checked and compared with PyTorch.

    The model is traced with plain attention and a mask worked out once, the form in which ONNX Runtime recognises and
    fuses attention, for heads that differ from layer to layer too.

    Raises:
        ParityError: ONNX Runtime's logits differ from PyTorch's by more than the tolerance.
    """
    import onnx

    progress.start("Export", 3)
    model = load_model(checkpoint)
    tokenizer = load_tokenizer(checkpoint.path)
    task = tasks.create(checkpoint.info.head)
    traced = trace(model, model_inputs(model, tokenizer), config.opset, task.head)
    inputs = tuple(item.name for item in traced.graph.input)  # without attention nothing looks at its mask
    progress.advance()
    onnx.checker.check_model(traced, full_check=True)
    info = GraphInfo(
        head=checkpoint.info.head,
        max_length=checkpoint.info.max_length,
        base_model=checkpoint.info.base_model,
        layers=checkpoint.info.layers,
        opset=config.opset,
        inputs=inputs,
        parity_max_difference=0.0,
        lineage=checkpoint.info.lineage,
    )
    with companions(checkpoint, model, tokenizer) as beside:
        graph = save_graph(traced, info, beside, out)
    progress.advance()
    examples = spread(data.validation, config.parity_texts)
    encodings = all_parts(task.encode(tokenizer, examples, info.max_length))
    difference = largest_difference(model, graph.path / MODEL_FILE, encodings, inputs, task.head)
    if not difference <= config.parity_tolerance:
        raise ParityError(
            f"the exported graph differs from PyTorch by {difference:.2g} in a logit (allowed: "
            f"{config.parity_tolerance:.2g}, {len(encodings)} validation texts)",
            hint="Please report this with the model's name; --parity-tolerance accepts more where you know why",
        )
    facts = ExportFacts(parity_max_difference=float(f"{difference:.1e}"), parity_texts=len(encodings))
    info = info.replace(parity_max_difference=facts.parity_max_difference).made_by(facts, config)
    progress.advance()
    progress.finish()
    return save_info(graph, info)


def check_exportable(path: Path, model: Any, inputs: tuple[str, ...], head: Head, max_length: int) -> None:
    """Refuses a model whose graph cannot be made, or does not answer as the model at every length.

    The model is traced as in `export`. Random texts of several lengths are compared, up to `max_length` tokens.

    Args:
        path: where the model comes from, for the message.
        inputs: the names of the model's inputs.

    Raises:
        CheckpointError: the model's family cannot be exported.
    """
    import onnx
    import torch

    tolerance, numbers = ExportConfig().parity_tolerance, np.random.default_rng(0)
    encodings = [
        Encoding(numbers.integers(model.config.vocab_size // 2, model.config.vocab_size, length).tolist(), None)
        for length in sorted({min(length, max_length) for length in (*CHECKED_LENGTHS, max_length)})
    ]
    with torch.random.fork_rng(devices=[]), tempfile.TemporaryDirectory() as name:
        try:
            traced = trace(model, inputs, ExportConfig().opset, head)
            onnx.save(traced, Path(name) / MODEL_FILE)
            read = tuple(item.name for item in traced.graph.input)
            difference = largest_difference(model, Path(name) / MODEL_FILE, encodings, read, head)
            reason = "" if difference <= tolerance else f"a logit of its graph differs by {difference:.2g}"
        except Exception as error:  # the exporter and the engine raise errors of many kinds
            said = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", " ".join(str(error).split()))
            reason = said[:120] or type(error).__name__
    if reason:
        raise CheckpointError(
            f"{path}: a model of the family '{model.config.model_type}' cannot be exported to a graph for texts of any "
            f"length ({reason})",
            hint=f"Take a model of a family such as {', '.join(models.FAMILIES)}",
        )


def spread(examples: Sequence[Any], count: int) -> list[Any]:
    """`count` examples spread evenly over the lengths that occur, the shortest and the longest among them."""
    ordered = sorted(examples, key=lambda example: (len(example.text) + len(example.text_pair or ""), example.text))
    places = np.unique(np.linspace(0, len(ordered) - 1, min(count, len(ordered))).round().astype(int))
    return [ordered[place] for place in places]


def largest_difference(
    model: Any, graph: Path, encodings: Sequence[Encoding], inputs: Sequence[str], head: Head
) -> float:
    """Largest absolute difference of a logit, PyTorch against the engine: each text alone, then all in one batch."""
    import torch

    session, differences = running(FORMAT)[0].session(graph), []
    with torch.no_grad():
        for encoding in encodings:
            feeds = session.feeds(encoding)
            expected = as_arrays(model(**{name: torch.from_numpy(value) for name, value in feeds.items()}).logits)
            answers = session.run(feeds)
            for part, own in head.each(expected):
                differences.append(np.abs(own[0] - answers[part.spec.logits.tensor][0]).max())
        padded = _padded(encodings[-2:], model.config.pad_token_id or 0)
        batch = {name: padded[name] for name in inputs}
        expected = as_arrays(model(**{name: torch.from_numpy(value) for name, value in batch.items()}).logits)
        answers = session.run(batch)
    for part, own in head.each(expected):
        real = padded["attention_mask"].astype(bool) if part.spec.per_token else slice(None)
        differences.append(np.abs(own - answers[part.spec.logits.tensor])[real].max())
    return float(np.max(differences))  # is NaN where one of them is


def _padded(encodings: Sequence[Encoding], pad: int) -> dict[str, Any]:
    longest = max(len(encoding.input_ids) for encoding in encodings)
    rows: dict[str, list[list[int]]] = {name: [] for name in INPUTS}
    for encoding in encodings:
        length, spare = len(encoding.input_ids), longest - len(encoding.input_ids)
        rows["input_ids"].append([*encoding.input_ids, *[pad] * spare])
        rows["attention_mask"].append([1] * length + [0] * spare)
        rows["token_type_ids"].append([*(encoding.token_type_ids or [0] * length), *[0] * spare])
    return {name: np.asarray(values, dtype=np.int64) for name, values in rows.items()}


def trace(model: Any, inputs: tuple[str, ...], opset: int, head: Head) -> Any:
    """A PyTorch model as `onnx.ModelProto`, batch and length dynamic, with an output for each part of the head; the
    model stays as it is.

    `dynamo=False`: its graph is the one ONNX Runtime fuses best (see docs/decisions/0005-exporter-without-dynamo.md).
    """
    import copy

    import onnx
    import torch

    wrapped = traceable(copy.deepcopy(model), inputs)
    ids = torch.full((2, 8), 3, dtype=torch.long)
    ids[1, 5:] = int(model.config.pad_token_id or 0)
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    known = {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}
    axes = {name: {0: "batch", 1: "length"} for name in inputs}
    for part in head.parts:
        axes[part.spec.logits.tensor] = {0: "batch", 1: "length"} if part.spec.per_token else {0: "batch"}
    stream = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            wrapped,
            tuple(known[name] for name in inputs),
            stream,  # type: ignore[arg-type]
            input_names=list(inputs),
            output_names=list(head.tensors),
            dynamic_axes=axes,
            opset_version=opset,
            dynamo=False,
            do_constant_folding=True,
        )
    return _without_copies(onnx.load_from_string(stream.getvalue()))


def _without_copies(traced: Any) -> Any:
    """Weights that layers share (ALBERT) are traced as Identity nodes; without them quantization sees the weight."""
    weights = {item.name for item in traced.graph.initializer}
    copies = {
        node.output[0]: node.input[0]
        for node in traced.graph.node
        if node.op_type == "Identity" and node.input[0] in weights
    }
    kept = [node for node in traced.graph.node if node.output[0] not in copies]
    for node in kept:
        for place, name in enumerate(node.input):
            node.input[place] = copies.get(name, name)
    if copies:
        del traced.graph.node[:]
        traced.graph.node.extend(kept)
    return traced


def traceable(model: Any, inputs: tuple[str, ...]) -> Any:
    """The model with plain attention, positional inputs and logits alone, a tensor for each part of its head; it is
    changed on the way."""
    import torch
    from torch import nn

    class PlainAttention(nn.Module):
        """Scaled dot-product attention written out, over an additive mask [batch, 1, 1, length]."""

        def __init__(self, part: models.LayerParts) -> None:
            super().__init__()
            family = part.family
            self.query, self.key, self.value = (part.get(path) for path in family.projections)
            self.size = part.head_size
            self.heads = self.query.out_features // self.size
            self.output = part.get(family.attention_output) if family.output_inside_attention else None

        def forward(
            self, hidden_states: torch.Tensor, attention_mask: torch.Tensor, **_: Any
        ) -> tuple[torch.Tensor, None]:
            batch, length = hidden_states.shape[0], hidden_states.shape[1]
            query, key, value = (
                linear(hidden_states).view(batch, length, self.heads, self.size).transpose(1, 2)
                for linear in (self.query, self.key, self.value)
            )
            weights = torch.matmul(query, key.transpose(2, 3)) / (self.size**0.5)
            context = torch.matmul(torch.softmax(weights + attention_mask, -1), value).transpose(1, 2).contiguous()
            joined = context.view(batch, length, self.heads * self.size)
            return (joined if self.output is None else self.output(joined)), None

    class Traceable(nn.Module):
        """Positional inputs in, logits out."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
            arguments = dict(zip(inputs, tensors, strict=True))
            if known:
                wanted = arguments["attention_mask"][:, None, None, :].to(torch.float32)
                arguments["attention_mask"] = (1.0 - wanted) * torch.finfo(torch.float32).min
            logits = self.model(**arguments, return_dict=True).logits
            return tuple(logits.values()) if isinstance(logits, Mapping) else (logits,)

    known = models.is_known(model)
    if not known:
        model.set_attn_implementation("eager")
    for part in models.parts(model) if known else ():
        if part.num_heads:
            part.set(part.family.attention, PlainAttention(part))
    return Traceable().eval()
