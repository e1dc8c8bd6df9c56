"""Latency of each half of an encoder layer under ONNX Runtime, by number of heads and by feed-forward width.

A model's latency has three parts: a fixed part, the sum of the attention and feed-forward latencies of its layers, and
in a large model an excess over this sum. The last layer has its own curves: if the answer is read from the first token,
most of the last layer computes this token only.
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
from edge_ptf.examples import Encoding, all_parts
from edge_ptf.graph import ExportConfig, QuantizeConfig
from edge_ptf.graph.exporting import spread, trace
from edge_ptf.graph.forms import Quantizer
from edge_ptf.heads import Head
from edge_ptf.machine import Machine, this_machine
from edge_ptf.models import LayerShape
from edge_ptf.models.checkpoint import Checkpoint, load_model, load_tokenizer, model_inputs
from edge_ptf.profiles import Profile, mismatches
from edge_ptf.progress import SILENT, Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

FILE = "latency_table.json"
INNER = 3
"""Number of equal layers before the last one that are timed together: one alone is lost in the noise."""
WIDTH_SHARES = (1 / 24, 1 / 12, 1 / 6, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 5 / 6, 1.0)
LAST_SHARES = (1 / 6, 1 / 2, 1.0)
SUBWORDS = 2_000
"""Rows of the embedding table during the measurement. A text reads about a dozen rows of a table of any length."""

CROWDING = 4
"""Exponent of the excess: what the unpruned model takes beyond the sum of its parts, times (sum ÷ unpruned sum)⁴.

The table times each part in a small graph, whose weights fit into the caches near the processor. The weights of a whole
model do not fit. The exponent was fitted by eye to 25 structures of the six-layer MiniLM. The excess was 12 % for the
whole model, 5 % for three quarters of it and 0 for half of it.
"""

MACS_PER_MS = 1e8
HALF_LAYER_MS = 0.03
FIXED_MS = 0.1
"""Constants of the estimate: the rate of integer matmuls, and the time of everything else.

They are about what ONNX Runtime reaches on one core of an x86 server with VNNI. On another processor, only the
proportions are useful, not the milliseconds.
"""


class LatencyTableConfig(StageConfig):
    """Options of the latency table."""

    source: Literal["auto", "measured", "estimated"] = Field(
        "auto",
        description="measured: time graphs on this machine; estimated: count operations and add a fixed overhead; "
        "auto: measured if this machine matches the profile, else estimated.",
    )
    texts: int = Field(12, ge=1, description="Number of validation texts that are timed, from short to long.")
    rounds: int = Field(20, ge=3, description="Number of times each graph is timed; the graphs alternate.")
    threads: Threads = 1


class Curve(StrictModel):
    """Milliseconds by width. The first width is 0, the last is the largest."""

    widths: tuple[int, ...]
    ms: tuple[float, ...]

    def at(self, widths: Any) -> NDArray[np.float64]:
        """Milliseconds for the given widths, by linear interpolation between the known widths."""
        return np.asarray(np.interp(widths, self.widths, self.ms), dtype=np.float64)


class LayerLatencies(StrictModel):
    """The latency of one layer: the sum of its halves."""

    attention: Curve = Field(description="Latency by number of heads.")
    feed_forward: Curve = Field(description="Latency by number of feed-forward neurons.")

    def of(self, shape: LayerShape) -> float:
        """Milliseconds of one layer."""
        return float(self.attention.at(shape.num_heads) + self.feed_forward.at(shape.intermediate_size))


class LatencyTable(StrictModel):
    """The latency of any structure: `fixed_ms` and the latencies of its layers, averaged over texts of several
    lengths.
    """

    schema_version: Literal[1] = 1
    source: Literal["measured", "estimated"]
    config: LatencyTableConfig
    quantize: QuantizeConfig
    lengths: tuple[int, ...] = Field(description="Number of tokens of each text.")
    unpruned: tuple[LayerShape, ...]
    fixed_ms: float = Field(description="Latency of the embeddings, the head and the call.")
    inner: LayerLatencies = Field(description="Latency of each layer but the last.")
    last: LayerLatencies
    unpruned_ms: float = Field(description="Latency of the whole unpruned model, measured or estimated as a whole.")
    full_precision_ms: float | None = Field(None, description="Latency of the unpruned FP32 model.")
    machine: Machine

    def predict(self, layers: Sequence[LayerShape]) -> float:
        """Milliseconds of a model with these layers."""
        return float(self.whole(self.sum_of(layers)))

    def sum_of(self, layers: Sequence[LayerShape]) -> float:
        """Milliseconds: the sum of the parts of a model, each timed in a separate graph."""
        return self.fixed_ms + sum(self.inner.of(shape) for shape in layers[:-1]) + self.last.of(layers[-1])

    def whole(self, ms: Any) -> Any:
        """Milliseconds of whole models whose parts sum up to `ms`."""
        parts = self.sum_of(self.unpruned)
        return ms + max(self.unpruned_ms - parts, 0.0) * (ms / parts) ** CROWDING

    def sum_within(self, ms: float) -> float:
        """The largest sum of parts of a model that takes at most `ms` milliseconds."""
        sums = np.linspace(0.0, ms, 10_001)
        return float(np.interp(ms, self.whole(sums), sums))

    @property
    def unpruned_predicted_ms(self) -> float:
        """The table's prediction for the unpruned model, in milliseconds. Latency budgets are shares of it."""
        return self.predict(self.unpruned)


def settled(config: LatencyTableConfig, profile: Profile | None) -> LatencyTableConfig:
    """Resolves `auto`: measured if this machine matches the profile or there is no profile, else estimated."""
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
    """Writes `latency_table.json`: the layer latencies of `checkpoint`'s model in the form that `quantize` gives it.

    The values of the weights do not matter. The texts come from validation; their labels are not used.

    Raises:
        BadInputError: no layer has both heads and neurons, so there are no widths to measure.
        CheckpointError: the model's family cannot be pruned.
    """
    model, tokenizer = load_model(checkpoint), load_tokenizer(checkpoint.path)
    models.family_of(model)
    task = tasks.create(checkpoint.info.head)
    texts = spread(data.validation, config.texts)
    encodings = all_parts(task.encode(tokenizer, texts, checkpoint.info.max_length))
    if config.source == "estimated":
        table = _estimated(model, encodings, quantize, config)
    else:
        inputs, longest = model_inputs(model, tokenizer), checkpoint.info.max_length
        table = GraphBuilder(model, task.head, inputs, longest, encodings, quantize, config).table(progress)
    out.mkdir(parents=True, exist_ok=True)
    (out / FILE).write_text(table.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return table


def open_latency_table(path: Path) -> LatencyTable:
    """Reads what `measure_latency_table` wrote, from the directory or from the file.

    Raises:
        ConfigError: the file is not a latency table.
        BadInputError: there is no such file.
    """
    import json

    file = path / FILE if path.is_dir() else path
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInputError(
            f"{file}: cannot be read ({error.strerror})", hint="Create a table with: edge-ptf latency-table"
        ) from None
    except ValueError:
        raise BadInputError(
            f"{file}: not a latency table", hint="Create a table with: edge-ptf latency-table"
        ) from None
    return parse(LatencyTable, values, where=str(file))


@dataclass(frozen=True, slots=True)
class _Overrides:
    """The structures that are timed, and the curves from their times."""

    heads: tuple[int, ...]
    neurons: tuple[int, ...]
    few_heads: tuple[int, ...]
    few_neurons: tuple[int, ...]
    inner: int

    def structures(self) -> Iterator[tuple[LayerShape, ...]]:
        """Yields a single empty layer, then a single layer of each width, then layers of each width before an anchor.

        The anchor is a last layer with a head. It needs all tokens, so the layers before it compute all tokens.
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
        """Fixed latency, curves of an inner layer, curves of the last layer. `ms` has the order of `structures`."""
        fixed, *times = ms
        count = len(self.few_heads) + len(self.few_neurons)
        last = _latency_table(0.0, [value - fixed for value in times[:count]], self.few_heads, self.few_neurons)
        if not self.inner:
            return fixed, last, last
        anchor, *times = times[count:]
        nothing, *share = [(value - anchor) / self.inner for value in times]
        return fixed, _latency_table(nothing, share, self.heads, self.neurons), last


def _latency_table(nothing: float, ms: Sequence[float], heads: Sequence[int], neurons: Sequence[int]) -> LayerLatencies:
    """The curves of both halves. Each half gets a share of an empty layer's latency.

    A wider half never has a lower latency. Where noise makes it lower, both widths get the wider one's value or more.
    """
    empty, found = nothing / 2, []
    for widths, values in ((heads, ms[: len(heads)]), (neurons, ms[len(heads) :])):
        rising = np.maximum.accumulate([empty, *(value - empty for value in values)])
        found.append(Curve(widths=(0, *widths), ms=tuple(round(float(value), 6) for value in rising)))
    return LayerLatencies(attention=found[0], feed_forward=found[1])


class GraphBuilder:
    """Builds graphs of any structure with random weights, in the form of the final package."""

    def __init__(
        self,
        model: Any,
        head: Head,
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
                "no layer has both heads and feed-forward neurons: layer latencies cannot be measured",
                hint="Set the sizes of prune instead of a speed-up",
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
        """Times the structures and computes the curves."""
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
        """A graph with layers of these shapes and random weights, in the form of the final package."""
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
    """Operations divided by a rate, plus an overhead for each half layer (a roofline without its memory part)."""
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
