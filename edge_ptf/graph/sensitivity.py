"""Finds the linear ops that lose accuracy in INT8: tests each alone, then finds the fewest that must stay FP32.

It uses validation texts only. Times are estimates from this process, for the choice between linear ops. `bench`
measures the final package.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, ValidationError

from edge_ptf import tasks
from edge_ptf.config import StageConfig, StrictModel
from edge_ptf.data.dataset import LabelledData
from edge_ptf.digests import canonical_json
from edge_ptf.engines.onnxruntime import GraphSession, interleaved_ms, logit_distance
from edge_ptf.errors import BadInputError, PackageError
from edge_ptf.examples import Encoding, Example, Logits, all_parts
from edge_ptf.graph import linear_ops
from edge_ptf.graph.artifact import Graph
from edge_ptf.graph.exporting import spread
from edge_ptf.graph.forms import Quantizer
from edge_ptf.graph.quantization_scheme import QuantizeConfig
from edge_ptf.machine import this_machine
from edge_ptf.models.checkpoint import load_tokenizer
from edge_ptf.progress import SILENT, Progress
from edge_ptf.tasks.base import Task

FILE = "sensitivity.json"


class SensitivityConfig(StageConfig):
    """Limits for the loss through INT8, and the amount of data for the test."""

    texts: int = Field(1000, ge=8, description="Number of validation texts for each form, with short and long texts.")
    max_drop: float = Field(0.5, ge=0, description="Accepted loss against FP32, in points of the first metric.")
    max_distance: float = Field(
        5.0, gt=0, description="Accepted distance of logits from FP32, in % of their deviation between texts."
    )
    timed_texts: int = Field(100, ge=4, description="Number of texts for the time estimate of a form.")


class Answers(StrictModel):
    """The answers of one form of the graph, compared with FP32."""

    metric: float = Field(description="The task's first gated metric, in percent.")
    distance: float = Field(
        description="Mean absolute difference of a logit from FP32, in % of its standard deviation between texts."
    )


class LinearOpSensitivity(StrictModel):
    """One linear op with a weight."""

    name: str
    only_fp32: Answers = Field(description="This linear op in FP32, all others in INT8.")
    only_int8: Answers = Field(description="This linear op in INT8, all others in FP32.")
    added_ms: float = Field(description="Estimate: additional engine time of a call with this linear op in FP32.")


class Sensitivity(StrictModel):
    """The effect of INT8 on each linear op of a graph, and the linear ops that must stay FP32."""

    schema_version: Literal[1] = 1
    graph: str = Field(description="Digest of the FP32 graph.")
    data: str = Field(description="Fingerprint of the data.")
    processor: str = Field(description="Processor that computed the answers and times.")
    quantization: QuantizeConfig
    limits: SensitivityConfig
    metric: str
    texts: int
    fp32_metric: float
    int8: Answers = Field(description="Every linear op in INT8.")
    tables: Answers = Field(description="Every linear op in FP32: the effect of the compressed embedding tables.")
    linear_ops: tuple[LinearOpSensitivity, ...] = Field(description="All linear ops, in graph order.")
    culprits: tuple[str, ...] = Field(description="The fewest linear ops found that meet the limits if they stay FP32.")
    mended: Answers = Field(description="The culprits in FP32, all others in INT8.")
    within_limits: bool = Field(
        description="Whether the culprits in FP32 meet the limits; False: no choice meets them."
    )
    fp32_ms: float = Field(description="Estimate: median engine time of a call; also for the next two fields.")
    int8_ms: float
    mended_ms: float


def sensitivity(
    graph: Graph,
    data: LabelledData,
    config: SensitivityConfig,
    quantization: QuantizeConfig,
    out: Path,
    progress: Progress = SILENT,
) -> Sensitivity:
    """Measures each linear op of an FP32 graph alone in FP32 and alone in INT8. Writes `sensitivity.json`.

    The search for culprits is greedy. It ranks linear ops by how close the answers are to FP32 with only this linear op
    in FP32. It takes the first ones that together meet the limits, and then removes those that are not needed. It
    ignores `keep_fp32` of the quantization.

    Raises:
        BadInputError: the graph is already INT8 or FP16, or the quantization has no INT8.
    """
    if graph.info.scheme.precision != "fp32":
        raise BadInputError(
            f"{graph.path}: the graph is already {graph.info.scheme.precision.upper()}",
            hint="Give the directory that `export` wrote",
        )
    if quantization.mode == "none":
        raise BadInputError("the quantization has no INT8 to analyze", hint="Use another: --set quantize.mode=dynamic")
    quantization = quantization.replace(keep_fp32=())
    trial = _Trial(graph, data, config, quantization)
    names = tuple(linear_ops.linear_ops(trial.quantizer.source))
    progress.start("Sensitivity", len(names) + 2)
    int8, tables = trial.answers(()), trial.answers(names)
    progress.advance()
    found = []
    for name in names:
        only_fp32, added_ms = trial.answers((name,)), trial.added_ms((name,))
        only_int8 = trial.answers(tuple(other for other in names if other != name))
        found.append(LinearOpSensitivity(name=name, only_fp32=only_fp32, only_int8=only_int8, added_ms=added_ms))
        progress.advance(note=name)
    ranked = [item.name for item in sorted(found, key=lambda item: item.only_fp32.distance)]
    culprits = fewest(ranked, trial.accepts) if trial.accepts(names) else ()
    times = np.median(interleaved_ms([trial.full, trial.session(()), trial.session(culprits)], trial.timed), axis=1)
    record = Sensitivity(
        graph=graph.digest,
        data=data.fingerprint,
        processor=this_machine().cpu,
        quantization=quantization,
        limits=config,
        metric=trial.metric.name,
        texts=len(trial.examples),
        fp32_metric=trial.fp32_metric,
        int8=int8,
        tables=tables,
        linear_ops=tuple(found),
        culprits=tuple(name for name in names if name in culprits),
        mended=trial.answers(culprits),
        within_limits=trial.accepts(culprits),
        fp32_ms=_rounded(times[0]),
        int8_ms=_rounded(times[1]),
        mended_ms=_rounded(times[2]),
    )
    progress.advance()
    progress.finish()
    out.mkdir(parents=True, exist_ok=True)
    (out / FILE).write_bytes(canonical_json(record.model_dump(mode="json")))
    return record


def load_sensitivity(folder: Path) -> Sensitivity:
    """Reads the record that `sensitivity` wrote."""
    try:
        return Sensitivity.model_validate_json((folder / FILE).read_bytes())
    except ValidationError as error:
        raise PackageError(f"{folder / FILE}: damaged ({error.errors()[0]['msg']})") from None
    except FileNotFoundError:
        raise PackageError(f"{folder}: no {FILE}", hint="Give a directory that `sensitivity` wrote") from None


def fewest(ranked: Sequence[str], accepted: Callable[[tuple[str, ...]], bool]) -> tuple[str, ...]:
    """The first items of a ranking that are accepted together, without the items that are not needed for that.

    Args:
        ranked: most helpful first. All items together must be accepted.
    """
    count = next(count for count in range(len(ranked) + 1) if accepted(tuple(ranked[:count])))
    chosen = tuple(ranked[:count])
    for item in reversed(chosen[:-1]):
        rest = tuple(other for other in chosen if other != item)
        if accepted(rest):
            chosen = rest
    return chosen


class _Trial:
    """The texts, the FP32 answers, and each tried form."""

    def __init__(
        self, graph: Graph, data: LabelledData, config: SensitivityConfig, quantization: QuantizeConfig
    ) -> None:
        self.config = config
        self.task: Task = tasks.create(graph.info.head)
        self.metric = self.task.steering
        self.examples: list[Example] = spread(data.validation, config.texts)
        self.encodings = self._encoded(graph, self.examples)
        self.timed = all_parts(self._encoded(graph, spread(data.validation, config.timed_texts)))
        calibration = all_parts(self._encoded(graph, spread(data.validation, quantization.calibration_texts)))
        self.quantizer = Quantizer(graph.model, graph.info.max_length, quantization, calibration)
        self.full = GraphSession(graph.model)
        self.fp32 = self.full.all_logits(self.encodings)
        count = len(self.full.outputs)
        outputs = [np.concatenate([np.atleast_2d(row) for row in self.fp32[place::count]]) for place in range(count)]
        self.deviation = float(np.sqrt(np.mean([rows.var(axis=0).mean() for rows in outputs])))
        self.fp32_metric = self._metric(self.fp32)
        self.tried: dict[frozenset[str], Answers] = {}
        self.latest: tuple[frozenset[str], GraphSession] | None = None
        self.int8 = self.session(())

    def answers(self, kept: tuple[str, ...]) -> Answers:
        """The answers of the form with these linear ops in FP32."""
        key = frozenset(kept)
        if key not in self.tried:
            session = self.session(kept)
            logits = session.all_logits(self.encodings)
            share = logit_distance(self.fp32, logits) / max(self.deviation, 1e-12)
            self.tried[key] = Answers(metric=self._metric(logits), distance=_rounded(100 * share))
        return self.tried[key]

    def accepts(self, kept: tuple[str, ...]) -> bool:
        """Whether the form with these linear ops in FP32 meets the limits."""
        found = self.answers(kept)
        drop = self.metric.direction.lead(self.fp32_metric, found.metric)
        return drop <= self.config.max_drop + 1e-9 and found.distance <= self.config.max_distance

    def added_ms(self, kept: tuple[str, ...]) -> float:
        """How much longer a call takes with these linear ops in FP32 than with all in INT8."""
        base, changed = interleaved_ms([self.int8, self.session(kept)], self.timed)
        return _rounded(np.median(changed - base))

    def session(self, kept: tuple[str, ...]) -> GraphSession:
        """The session of the form with these linear ops in FP32."""
        key = frozenset(kept)
        if self.latest is None or self.latest[0] != key:
            self.latest = key, GraphSession(self.quantizer.shipped(kept).SerializeToString())
        return self.latest[1]

    def _encoded(self, graph: Graph, examples: Sequence[Example]) -> list[Encoding]:
        return self.task.encode(load_tokenizer(graph.path), examples, graph.info.max_length)

    def _metric(self, logits: Sequence[Logits]) -> float:
        head, answered, left = self.task.head, [], iter(logits)
        for encoding, example in zip(self.encodings, self.examples, strict=True):
            outputs = {name: next(left)[np.newaxis] for name in self.full.outputs}
            answered.append(head.decode(head.read(outputs), encoding, example.text))
        references = [example.label for example in self.examples]
        scored = self.metric.per_example(references, self.metric.answers(answered))
        return _rounded(self.metric.score(scored))


def _rounded(value: Any) -> float:
    return round(float(value), 4)
