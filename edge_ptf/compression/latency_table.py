"""What each half of an encoder layer costs under ONNX Runtime, by heads and by feed-forward width.

A model's latency is a fixed part and the sum over layers of what attention and feed-forward cost, and in a large model
something beyond that sum. The last layer has curves of its own: where a class is read from the first token, most of it
serves that token alone.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from edge_ptf import models, tasks
from edge_ptf.config import StageConfig, StrictModel, parse
from edge_ptf.data.dataset import LabelledData
from edge_ptf.engines import Threads
from edge_ptf.engines.onnxruntime import GraphSession, interleaved_ms
from edge_ptf.errors import BadInputError
from edge_ptf.examples import Encoding
from edge_ptf.graph import ExportConfig, QuantizeConfig
from edge_ptf.graph.exporting import spread, trace
from edge_ptf.graph.forms import Quantizer
from edge_ptf.heads import HeadSpec
from edge_ptf.machine import Machine, this_machine
from edge_ptf.models import LayerShape
from edge_ptf.models.checkpoint import Checkpoint, load_model, load_tokenizer, model_inputs
from edge_ptf.profiles import Profile, mismatches
from edge_ptf.progress import SILENT, Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

FILE = "latency_table.json"
INNER = 3
"""Like layers before the last one whose cost is measured together: a single one is lost in the noise."""
WIDTH_SHARES = (1 / 24, 1 / 12, 1 / 6, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 5 / 6, 1.0)
LAST_SHARES = (1 / 6, 1 / 2, 1.0)
SUBWORDS = 2_000
"""Rows of the embedding table while measuring: a text reads a dozen of them, however long the table."""

CROWDING = 4
"""What a model takes beyond the sum of its parts falls with this power of the share of the sum that is left. Parts are
timed in small graphs, whose weights stay in the processor's nearer caches; those of the whole do not. Fitted by eye to
25 structures of the six-layer MiniLM: 12 % beyond the sum in all of it, 5 % in three quarters, nothing in a half."""

MACS_PER_MS = 1e8
HALF_LAYER_MS = 0.03
FIXED_MS = 0.1
"""The estimate: integer products, and all that is not a product. About what ONNX Runtime reaches on one core of an
x86 server with VNNI; on another processor the proportions matter, not the milliseconds."""


class LatencyTableConfig(StageConfig):
    """How the cost of a layer's parts is found."""

    source: Literal["auto", "measured", "estimated"] = Field(
        "auto",
        description="Measure graphs on this machine, or reckon with operations and a fixed overhead; auto measures "
        "where this machine is what the profile is for.",
    )
    texts: int = Field(12, ge=1, description="Validation texts that are timed, short to long.")
    rounds: int = Field(20, ge=3, description="Times every graph takes its turn.")
    threads: Threads = 1


class Curve(StrictModel):
    """Milliseconds by width, first at width 0, the largest width last."""

    widths: tuple[int, ...]
    ms: tuple[float, ...]

    def at(self, widths: Any) -> NDArray[np.float64]:
        """Milliseconds at some widths, linear between those that are known."""
        return np.asarray(np.interp(widths, self.widths, self.ms), dtype=np.float64)


class LayerLatencies(StrictModel):
    """What one layer costs: the sum of its halves."""

    attention: Curve = Field(description="By the number of heads.")
    feed_forward: Curve = Field(description="By the number of feed-forward neurons.")

    def of(self, shape: LayerShape) -> float:
        """Milliseconds of one layer."""
        return float(self.attention.at(shape.num_heads) + self.feed_forward.at(shape.intermediate_size))


class LatencyTable(StrictModel):
    """The latency of any structure: `fixed_ms` and the costs of its layers, mean over texts of several lengths."""

    schema_version: Literal[1] = 1
    source: Literal["measured", "estimated"]
    config: LatencyTableConfig
    quantize: QuantizeConfig
    lengths: tuple[int, ...] = Field(description="Tokens of the texts.")
    unpruned: tuple[LayerShape, ...]
    fixed_ms: float = Field(description="Embeddings, head and the call itself.")
    inner: LayerLatencies = Field(description="Every layer but the last.")
    last: LayerLatencies
    unpruned_ms: float = Field(description="The whole unpruned model, measured or estimated itself.")
    full_precision_ms: float | None = Field(None, description="The same in FP32, measured beside it.")
    machine: Machine

    def predict(self, layers: Sequence[LayerShape]) -> float:
        """Milliseconds of a model with these layers."""
        return float(self.whole(self.sum_of(layers)))

    def sum_of(self, layers: Sequence[LayerShape]) -> float:
        """Milliseconds of the parts of a model, each timed in a graph of its own."""
        return self.fixed_ms + sum(self.inner.of(shape) for shape in layers[:-1]) + self.last.of(layers[-1])

    def whole(self, ms: Any) -> Any:
        """Milliseconds of models whose parts sum up to `ms`."""
        parts = self.sum_of(self.unpruned)
        return ms + max(self.unpruned_ms - parts, 0.0) * (ms / parts) ** CROWDING

    def sum_within(self, ms: float) -> float:
        """The largest sum of parts of a model that takes at most `ms` milliseconds."""
        sums = np.linspace(0.0, ms, 10_001)
        return float(np.interp(ms, self.whole(sums), sums))

    @property
    def unpruned_predicted_ms(self) -> float:
        """The table's own figure for the unpruned model: budgets are shares of it."""
        return self.predict(self.unpruned)


def settled(config: LatencyTableConfig, profile: Profile | None) -> LatencyTableConfig:
    """With `auto` decided: measured where this machine is what the profile is for, or no profile is named."""
    if config.source != "auto":
        return config
    elsewhere = profile is not None and mismatches(profile, this_machine())
    return config.replace(source="estimated" if elsewhere else "measured")


def measure_latency_table(
    checkpoint: Checkpoint,
    data: LabelledData,
    quantize: QuantizeConfig,
    config: LatencyTableConfig,
    out: Path,
    progress: Progress = SILENT,
) -> LatencyTable:
    """Writes `latency_table.json`: the costs of the layers of `checkpoint`'s model in the form `quantize` gives it.

    The weights do not matter. Lengths are those of validation texts; their labels are not looked at.

    Raises:
        BadInputError: no layer has both heads and neurons, so there is nothing to measure widths of.
        CheckpointError: the model's family cannot be pruned.
    """
    model, tokenizer = load_model(checkpoint), load_tokenizer(checkpoint.path)
    models.family_of(model)
    task = tasks.create(checkpoint.info.head)
    encodings = task.encode(tokenizer, spread(data.validation, config.texts), checkpoint.info.max_length)
    if config.source == "estimated":
        table = _estimated(model, encodings, quantize, config)
    else:
        inputs, longest = model_inputs(model, tokenizer), checkpoint.info.max_length
        table = GraphBuilder(model, task.head.spec, inputs, longest, encodings, quantize, config).table(progress)
    out.mkdir(parents=True, exist_ok=True)
    (out / FILE).write_text(table.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return table


def open_latency_table(path: Path) -> LatencyTable:
    """Reads what `measure_latency_table` wrote: the directory or the file itself.

    Raises:
        ConfigError: it is no latency table.
        BadInputError: there is none.
    """
    import json

    file = path / FILE if path.is_dir() else path
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInputError(
            f"{file}: cannot be read ({error.strerror})", hint="Write one: edge-ptf latency-table"
        ) from None
    except ValueError:
        raise BadInputError(f"{file}: not a latency table", hint="Write one: edge-ptf latency-table") from None
    return parse(LatencyTable, values, where=str(file))


@dataclass(frozen=True, slots=True)
class _Overrides:
    """The structures that are timed, and the curves their times give."""

    heads: tuple[int, ...]
    neurons: tuple[int, ...]
    few_heads: tuple[int, ...]
    few_neurons: tuple[int, ...]
    inner: int

    def structures(self) -> Iterator[tuple[LayerShape, ...]]:
        """First a single empty layer; then widths of a single layer; then those of layers before an anchor.

        The anchor has a head, so that all tokens are needed up to it.
        """
        empty, anchor = LayerShape(num_heads=0, intermediate_size=0), LayerShape(num_heads=1, intermediate_size=0)
        yield (empty,)
        for shape in self._halves(self.few_heads, self.few_neurons):
            yield (shape,)
        if self.inner:
            yield (anchor,)
            for shape in (empty, *self._halves(self.heads, self.neurons)):
                yield (*(shape,) * self.inner, anchor)

    @staticmethod
    def _halves(heads: Sequence[int], neurons: Sequence[int]) -> Iterator[LayerShape]:
        yield from (LayerShape(num_heads=count, intermediate_size=0) for count in heads)
        yield from (LayerShape(num_heads=0, intermediate_size=count) for count in neurons)

    def curves(self, ms: Sequence[float]) -> tuple[float, LayerLatencies, LayerLatencies]:
        """Fixed cost, costs of a layer before the last, costs of the last; `ms` in the order of `structures`."""
        fixed, *times = ms
        count = len(self.few_heads) + len(self.few_neurons)
        last = _latency_table(0.0, [value - fixed for value in times[:count]], self.few_heads, self.few_neurons)
        if not self.inner:
            return fixed, last, last
        anchor, *times = times[count:]
        nothing, *share = [(value - anchor) / self.inner for value in times]
        return fixed, _latency_table(nothing, share, self.heads, self.neurons), last


def _latency_table(nothing: float, ms: Sequence[float], heads: Sequence[int], neurons: Sequence[int]) -> LayerLatencies:
    """The curves of both halves; what an empty layer costs is shared among them.

    A wider half is never cheaper: where noise says so, both widths get what the wider one took or more.
    """
    empty, found = nothing / 2, []
    for widths, values in ((heads, ms[: len(heads)]), (neurons, ms[len(heads) :])):
        rising = np.maximum.accumulate([empty, *(value - empty for value in values)])
        found.append(Curve(widths=(0, *widths), ms=tuple(round(float(value), 6) for value in rising)))
    return LayerLatencies(attention=found[0], feed_forward=found[1])


class GraphBuilder:
    """Builds graphs of any structure with random weights, as they would ship."""

    def __init__(
        self,
        model: Any,
        head: HeadSpec,
        inputs: tuple[str, ...],
        max_length: int,
        encodings: Sequence[Encoding],
        quantize: QuantizeConfig,
        config: LatencyTableConfig,
    ) -> None:
        import torch

        parts = models.parts(model)
        whole = [part.layer for part in parts if part.num_heads and part.intermediate_size]
        if not whole:
            raise BadInputError(
                "no layer has both heads and feed-forward neurons: their cost cannot be measured",
                hint="Give prune the wanted sizes instead of a speed-up",
            )
        self.shapes, self.head = models.shapes(model), head
        self.inputs, self.max_length, self.quantize, self.config = inputs, max_length, quantize, config
        self.layer = copy.deepcopy(whole[0])
        subwords = min(SUBWORDS, len(models.word_embeddings(model).weight))
        self.encodings = [
            Encoding([number % subwords for number in encoding.input_ids], encoding.token_type_ids)
            for encoding in encodings
        ]
        self.small = copy.deepcopy(model)
        models.set_layers(self.small, [])
        models.keep_subwords(self.small, range(subwords))
        torch.manual_seed(0)

    def table(self, progress: Progress) -> LatencyTable:
        """Times what is needed, and works out the curves."""
        heads, neurons = (
            max(shape.num_heads for shape in self.shapes),
            max(shape.intermediate_size for shape in self.shapes),
        )
        overrides = _Overrides(
            heads=_grid(heads, [(count + 1) / heads for count in range(heads)] if heads <= 12 else WIDTH_SHARES),
            neurons=_grid(neurons, WIDTH_SHARES),
            few_heads=_grid(heads, LAST_SHARES),
            few_neurons=_grid(neurons, LAST_SHARES),
            inner=min(INNER, len(self.shapes) - 1),
        )
        structures = [*overrides.structures(), self.shapes]
        progress.start("Build structures", len(structures) + 1)
        graphs = []
        for structure in structures:
            graphs.append(self.graph(structure, self.quantize))
            progress.advance()
        graphs.append(self.graph(self.shapes, QuantizeConfig(mode="none")))
        progress.advance()
        progress.finish()
        times = interleaved_ms(graphs, self.encodings, self.config.rounds, progress)
        *ms, unpruned, full_precision = times.mean(axis=1).tolist()
        fixed, inner, last = overrides.curves(ms)
        return LatencyTable(
            source="measured",
            config=self.config,
            quantize=self.quantize,
            lengths=tuple(len(encoding.input_ids) for encoding in self.encodings),
            unpruned=self.shapes,
            fixed_ms=round(fixed, 6),
            inner=inner,
            last=last,
            unpruned_ms=round(unpruned, 6),
            full_precision_ms=round(full_precision, 6),
            machine=this_machine(),
        )

    def graph(self, structure: Sequence[LayerShape], quantize: QuantizeConfig) -> GraphSession:
        """A graph with layers of these shapes and random weights, as it would ship."""
        import onnx

        model = copy.deepcopy(self.small)
        models.set_layers(model, [copy.deepcopy(self.layer) for _ in structure])
        for part, shape in zip(models.parts(model), structure, strict=True):
            models.fill_layer(part, shape)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "full.onnx"
            onnx.save(trace(model.eval(), self.inputs, ExportConfig().opset, self.head), file)
            found = Quantizer(file, self.max_length, quantize, self.encodings).shipped()
        return GraphSession(found.SerializeToString(), self.config.threads)


def _grid(largest: int, shares: Sequence[float]) -> tuple[int, ...]:
    """Widths from 1 to the largest, increasing."""
    return tuple(sorted({max(round(share * largest), 1) for share in shares}))


def _estimated(
    model: Any, encodings: Sequence[Encoding], quantize: QuantizeConfig, config: LatencyTableConfig
) -> LatencyTable:
    """Operations over a rate, and an overhead for each half of a layer (a roofline without its memory side)."""
    shapes, size = models.shapes(model), models.head_size(model)
    width = models.hidden_size(model)
    lengths = np.array([len(encoding.input_ids) for encoding in encodings], dtype=np.float64)
    head = float((4 * lengths * width * size + 2 * lengths**2 * size).mean()) / MACS_PER_MS
    unit = float((2 * lengths * width).mean()) / MACS_PER_MS
    most = max(shape.num_heads for shape in shapes), max(shape.intermediate_size for shape in shapes)
    curves = [
        Curve(widths=(0, 1, largest), ms=(HALF_LAYER_MS / 3, HALF_LAYER_MS + each, HALF_LAYER_MS + largest * each))
        for largest, each in zip(most, (head, unit), strict=True)
    ]
    latencies = LayerLatencies(attention=curves[0], feed_forward=curves[1])
    table = LatencyTable(
        source="estimated",
        config=config,
        quantize=quantize,
        lengths=tuple(int(length) for length in lengths),
        unpruned=shapes,
        fixed_ms=FIXED_MS,
        inner=latencies,
        last=latencies,
        unpruned_ms=0.0,
        machine=this_machine(),
    )
    return table.replace(unpruned_ms=table.unpruned_predicted_ms)
