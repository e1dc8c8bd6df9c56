"""Predicts speed-up and size of a student before training: speed from the latency table, size by counting bytes."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

from edge_ptf import models
from edge_ptf.compression.latency_table import LatencyTable
from edge_ptf.compression.pruning import NEURONS_STEP, PruneConfig, kept_subwords, unseen_length
from edge_ptf.config import StrictModel
from edge_ptf.data.dataset import LabelledData
from edge_ptf.graph.rewrite import BLOCK
from edge_ptf.models import LayerShape
from edge_ptf.models.checkpoint import Checkpoint, load_model, load_tokenizer

ASSUMED_INT8_SPEEDUP = 2.0
"""Assumed FP32 time ÷ INT8 time of the unpruned model if it was not measured.

Processors with integer matmuls reach at least this factor. The first measured trial corrects it.
"""
TABLE_BYTES = 40
"""Bytes of the tokenizer's tables and files for each subword."""
FULL_BYTES = 4
NUMBER_BYTES = {"int4": 0.5 + FULL_BYTES / BLOCK, "int8": 1.0, "fp16": 2.0, "fp32": 4.0}
"""Bytes of one number in the embedding table, by its form. INT8 also has a scale for each row."""
CALL = 0.005
"""Time of a call beyond the table, as a share of the FP32 teacher's time.

Causes are the device's runner, and weights that are no longer in the caches. On CLINC150 the teacher took 3.2 ms.
Students with targets of 10 to 20 times its speed took 0.008 to 0.023 ms longer than the sum of their parts.
"""
LEAST_NEURONS = 1 / 6
"""Smallest share of the teacher's neurons in a layer. Below it, whole layers are removed instead."""
LEAST_NEURONS_OF_FEW_HEADS = 1 / 4
"""The same for students with fewer heads.

On CLINC150, four layers of 6 heads and 416 neurons lost less accuracy than four layers of 8 heads and 256 neurons. Five
layers of 4 heads and 352 neurons lost less than five of 6 heads and 256. In both cases the first structure was also
faster.
"""


class Prediction(StrictModel):
    """The predicted speed-up and size of a student's package."""

    speedup: float
    size_mb: float


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits for a student's speed-up and size; None: no limit."""

    speedup: float | None = None
    """At least."""
    size_mb: float | None = None
    """At most."""

    def kept_by(self, found: Prediction) -> bool:
        """Whether a prediction is within the limits."""
        slow = self.speedup is not None and found.speedup < self.speedup
        large = self.size_mb is not None and found.size_mb > self.size_mb
        return not (slow or large)


class Predictor:
    """Predicts students of one teacher, in the form of the latency table (for example INT8).

    `hidden` is the hidden size of the students. `pruned_hidden_size` is the same if it differs from the teacher's, else
    None. `heads` is the number of attention heads of each layer that `deepest` proposes.
    """

    def __init__(
        self,
        teacher: Checkpoint,
        data: LabelledData,
        latencies: LatencyTable,
        config: PruneConfig,
        whole: Predictor | None = None,
    ) -> None:
        """Args:
        latencies: the latency table of `teacher`'s parts.
        config: selects the subwords that stay.
        whole: the predictor for the real teacher's hidden size, if `teacher` is a copy with a smaller hidden size.
        """
        model, tokenizer = load_model(teacher), load_tokenizer(teacher.path)
        table = models.word_embeddings(model).weight
        self.latencies = latencies
        int8_speedup = 1.0 if latencies.quantize.mode == "none" else ASSUMED_INT8_SPEEDUP
        full_ms = latencies.full_precision_ms or int8_speedup * latencies.unpruned_ms
        self.full_ms: float = whole.full_ms if whole else full_ms
        self.shapes = models.shapes(model)
        self.subwords = len(kept_subwords(tokenizer, model, data, config))
        rest = "fp16" if latencies.quantize.non_int8_dtype == "fp16" else "fp32"
        self.form = latencies.quantize.embeddings if latencies.quantize.mode != "none" else rest
        self._rest_bytes = NUMBER_BYTES[rest]
        self._weight_bytes = NUMBER_BYTES["int8"] if latencies.quantize.mode != "none" else self._rest_bytes
        self.length = unseen_length(tokenizer, model, data, config)
        used = config.replace(vocabulary_size=None)
        self._used = len(kept_subwords(tokenizer, model, data, used)) if config.vocabulary else self.subwords
        self._used_length = unseen_length(tokenizer, model, data, used)
        self.hidden, self._head = models.hidden_size(model), models.head_size(model)
        self.pruned_hidden_size: int | None = self.hidden if whole else None
        self.heads = max(shape.num_heads for shape in self.shapes)
        self.least_neurons = LEAST_NEURONS
        self._row = int(table.shape[1])
        layers = sum(self.weights(shape) for shape in self.shapes)
        self.full_weights: int = whole.full_weights if whole else layers
        numbers = sum(value.numel() for value in model.parameters())
        self._rest = numbers - layers - sum(self._biases(shape) for shape in self.shapes) - table.numel()

    def of(self, layers: Sequence[LayerShape], subwords: int | None = None) -> Prediction:
        """Predicts a student with these layers.

        Args:
            subwords: number of subwords, if it differs from the configuration's. It changes the predicted size only;
                the texts keep the length that the configuration gives.
        """
        count = self.subwords if subwords is None else subwords
        weights = sum(self.weights(shape) for shape in layers) + self._rest
        scale = FULL_BYTES if self.form == "int8" else 0
        table = count * (self._row * NUMBER_BYTES[self.form] + scale + TABLE_BYTES)
        biases = sum(self._biases(shape) for shape in layers)
        size = self._weight_bytes * weights + table + self._rest_bytes * biases
        ms = self.length * self.latencies.predict(layers) + CALL * self.full_ms  # time is about proportional to tokens
        return Prediction(speedup=round(self.full_ms / ms, 3), size_mb=round(size / 1e6, 3))

    def smaller_tables(self) -> list[tuple[dict[str, dict[str, Any]], Predictor]]:
        """Smaller and smaller forms of the embedding table, each with the options that select it and its predictor.

        The first is INT4. The second also removes the subwords that only the general language uses.
        """
        if self.form != "int8" or self.latencies.quantize.non_int8_dtype == "fp16":  # which knows no INT4
            return []
        packed = copy(self)
        packed.form = "int4"
        found: list[tuple[dict[str, dict[str, Any]], Predictor]] = [({"quantize": {"embeddings": "int4"}}, packed)]
        if self._used < self.subwords:
            fewest = copy(packed)
            fewest.subwords, fewest.length = self._used, self._used_length
            found.append(({"quantize": {"embeddings": "int4"}, "prune": {"vocabulary_size": None}}, fewest))
        return found

    def of_heads(self, share: float) -> Predictor:
        """A predictor that proposes layers with this share (below 1) of their attention heads."""
        fewer = copy(self)
        fewer.heads, fewer.least_neurons = max(round(share * self.heads), 1), LEAST_NEURONS_OF_FEW_HEADS
        return fewer

    def deepest(self, limits: Limits) -> tuple[LayerShape, ...] | None:
        """The structure with the most layers within the limits, with the widest such layers; None if there is none.

        Depth has priority, because a loss of depth reduces the accuracy of a small student most. On CLINC150, three
        layers of 512 and of 1,536 neurons lost equally much, and four layers lost less than both.
        """
        most = max(shape.intermediate_size for shape in self.shapes)
        least = max(int(self.least_neurons * most), 1)
        widths = sorted({most, *range(NEURONS_STEP, most, NEURONS_STEP)} - set(range(least)), reverse=True)
        for count in range(len(self.shapes), 0, -1):
            for width in widths:
                layers = (LayerShape(num_heads=self.heads, intermediate_size=width),) * count
                if limits.kept_by(self.of(layers)):
                    return layers
        return None

    def reachable(self, limits: Limits) -> tuple[Limits, list[str]]:
        """The limits that at least one structure meets, and the names of those that no structure meets."""
        lost = []
        for name in ("size_mb", "speedup"):
            if getattr(limits, name) is not None and self.deepest(Limits(**{name: getattr(limits, name)})) is None:
                limits = replace(limits, **{name: None})
                lost.append(name)
        if self.deepest(limits) is None:
            limits = replace(limits, size_mb=None)
            lost.append("size_mb")
        return limits, lost

    def weights(self, shape: LayerShape) -> int:
        """Number of weights of a layer that INT8 stores as one byte each: those of its linear ops."""
        return 4 * self.hidden * shape.num_heads * self._head + 2 * self.hidden * shape.intermediate_size

    def _biases(self, shape: LayerShape) -> int:
        """Number of weights of a layer that never become INT8: biases and LayerNorm."""
        return 3 * shape.num_heads * self._head + shape.intermediate_size + 6 * self.hidden
