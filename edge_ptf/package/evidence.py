"""Evidence (what was measured about a payload, on which machine, with every sample) and the verdict drawn from it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from edge_ptf.config import StrictModel
from edge_ptf.environment import Environment
from edge_ptf.examples import agrees
from edge_ptf.machine import Machine
from edge_ptf.metrics import Direction


class RuntimeInfo(StrictModel):
    """What executed the graph."""

    name: str = "onnxruntime"
    version: str
    provider: str = "CPUExecutionProvider"
    threads: int
    runner: str = Field("", description="Name and version of the C++ runner; empty: Python asked the engine.")


Answered: TypeAlias = str | float | tuple[str, ...]
"""The label of one task."""


class PredictionRow(StrictModel):
    """One example's answer. `row` is its index in the split; texts are not kept.

    Of several tasks, `reference` and `label` have an item for each; null in the reference: the example has no label of
    this task.
    """

    row: int
    reference: Answered | tuple[Answered | None, ...]
    label: Answered | tuple[Answered, ...]
    score: float
    ranking: tuple[int, ...] = Field(
        (),
        description="Class ids, the most probable first, where a metric of the task reads them.",
        exclude_if=lambda ids: not ids,
    )
    scores: tuple[float, ...] = Field(
        (), description="Of the answer to each of several tasks.", exclude_if=lambda scores: not scores
    )
    rankings: tuple[tuple[int, ...], ...] = Field(
        (), description="Of each of several tasks.", exclude_if=lambda rankings: not rankings
    )

    @property
    def is_right(self) -> bool:
        """Whether the answer is the label; of several tasks, whether all answers are for which there is a label."""
        return agrees(self.reference, self.label)


class AccuracyEvidence(StrictModel):
    """Answers of one payload to the texts of a split at batch 1, unpadded."""

    kind: Literal["accuracy"] = "accuracy"
    payload: str = Field(description="Payload digest.")
    data: str = Field(description="Data fingerprint.")
    split: Literal["test", "validation", "cross-validated"] = Field(
        "test", description="Whose examples were answered; cross-validated: those of train and test, in folds."
    )
    machine: Machine
    runtime: RuntimeInfo
    exact: bool = Field(description="False when this machine does not execute the INT8 scheme exactly.")
    metrics: dict[str, float]
    class_report: tuple[dict[str, Any], ...] = ()
    word_report: tuple[dict[str, Any], ...] = Field(
        (),
        description="For tags of words: per tag, and the micro, macro and weighted averages. O is left out.",
        exclude_if=lambda rows: not rows,
    )
    rows: tuple[PredictionRow, ...]
    folds: int | None = Field(
        None,
        description="Number of folds, if the evidence is cross-validated: packages of the same recipe answered, each "
        "the texts of its own fold. None: this payload answered.",
        exclude_if=lambda count: count is None,
    )
    fold_payloads: tuple[str, ...] = Field(
        (), description="Digests of the payloads that answered, by fold.", exclude_if=lambda digests: not digests
    )


class Launch(StrictModel):
    """One process launch of the latency protocol; times in milliseconds, in the order they were taken."""

    load_ms: float
    first_ms: float
    warmup_calls: int
    end_to_end_ms: tuple[float, ...] = Field(min_length=1)
    engine_ms: tuple[float, ...] = Field(min_length=1)
    tokens: tuple[int, ...] = Field(description="Sequence length of each call.")
    baseline_engine_ms: tuple[float, ...] = ()
    baseline_end_to_end_ms: tuple[float, ...] = ()
    peak_memory_mb: float | None = None
    tokenize_ms: tuple[float, ...] = Field((), description="Of each call, text to token ids.")
    decode_ms: tuple[float, ...] = Field((), description="Of each call, logits to answer.")


class LaunchEnvironment(StrictModel):
    """What went on around one launch."""

    before: Environment
    after: Environment


class LatencyEvidence(StrictModel):
    """Latency of a payload, interleaved with its baseline where one was given."""

    kind: Literal["latency"] = "latency"
    payload: str
    baseline: str | None = None
    data: str = Field(description="Data fingerprint; of texts without labels, the digest of the texts.")
    texts: Literal["test", "validation", "golden", "file"] = Field(
        "test",
        description="Which texts were answered: a split of the data, the golden texts, or those of a file.",
        exclude_if=lambda origin: origin == "test",
    )
    machine: Machine
    runtime: RuntimeInfo
    launches: tuple[Launch, ...] = Field(min_length=1)
    flags: tuple[str, ...] = Field((), description="Reasons why these figures do not count.")
    warnings: tuple[str, ...] = Field((), description="Things unknown that could matter.")
    mode: str = Field(
        "burst", description="burst: calls without a pause; paced: at a rate; sustained: for a long time."
    )
    rate: float | None = Field(None, description="Calls a second, where paced.")
    device: str = Field("local", description="Name of the device, as it was given.")
    environment: tuple[LaunchEnvironment, ...] = Field((), description="One item a launch.")


class MemoryEvidence(StrictModel):
    """Peak resident memory of a process that loads the payload and answers, one value a launch."""

    kind: Literal["memory"] = "memory"
    payload: str
    machine: Machine
    runtime: RuntimeInfo
    peak_memory_mb: tuple[float, ...] = Field(min_length=1)
    flags: tuple[str, ...] = ()


Evidence = Annotated[AccuracyEvidence | LatencyEvidence | MemoryEvidence, Field(discriminator="kind")]


def with_earlier(new: Sequence[Evidence], earlier: Sequence[Evidence]) -> list[Evidence]:
    """New records first, then earlier ones, but for those that a new one stands for: of the same kind, about the same
    payload and data, from the same machine, measured in the same way, and beside a teacher, or fit to count, if that
    was."""
    return [*new, *(record for record in earlier if not any(_stands_for(other, record) for other in new))]


def _stands_for(new: Evidence, record: Evidence) -> bool:
    subjects = [(one.kind, one.payload, getattr(one, "data", None), *_manner(one)) for one in (new, record)]
    machines = [one.machine.replace(governor="") for one in (new, record)]
    loses_the_teacher = getattr(record, "baseline", None) is not None and getattr(new, "baseline", None) is None
    loses_its_count = bool(getattr(new, "flags", ())) and not getattr(record, "flags", ())
    return subjects[0] == subjects[1] and machines[0] == machines[1] and not (loses_the_teacher or loses_its_count)


def _manner(record: Evidence) -> tuple[Any, ...]:
    """How time and memory were measured; answers are the same however they are asked for."""
    if isinstance(record, AccuracyEvidence):
        return ()
    return record.runtime.threads, getattr(record, "mode", None), getattr(record, "rate", None)


class Status(str, Enum):
    """What a target's value and bound amount to."""

    PASS = "PASS"
    FAIL = "FAIL"
    UNPROVEN = "UNPROVEN"


class TargetVerdict(StrictModel):
    """One target judged."""

    target: str = Field(description="Name as in the profile, e.g. max_drop.accuracy or latency_ms.p50.")
    title: str
    unit: str = Field(description="points, %, ms, ×, MB")
    direction: Direction = Field(Direction.LOWER, description="Values on this side of the limit are inside.")
    limit: float
    value: float | None = Field(None, description="None when nothing was measured.")
    bound: float | None = Field(None, description="One-sided bound of the value at the profile's confidence.")
    margin: float | None = Field(None, description="From the bound to the limit; negative is beyond. None: no bound.")
    status: Status
    reason: str = ""
    settle: str = Field("", description="What would turn UNPROVEN into a decision.")

    @property
    def at_least(self) -> bool:
        """Whether the limit is the least value that is allowed; otherwise it is the largest one."""
        return self.direction is Direction.HIGHER

    def beyond(self, number: float) -> float:
        """How far a number lies beyond the limit; negative: how far inside."""
        return self.direction.lead(self.limit, number)

    def measured(self, value: float, bound: float | None) -> TargetVerdict:
        """The same with what was measured."""
        return self.replace(value=value, bound=bound, margin=None if bound is None else -self.beyond(bound))

    @property
    def decided(self) -> Status:
        """What value and bound amount to, if they count."""
        if self.value is not None and self.beyond(self.value) > 0:
            return Status.FAIL
        proven = self.bound is not None and self.beyond(self.bound) <= 0
        return Status.PASS if proven else Status.UNPROVEN


class Verdict(StrictModel):
    """Payload and evidence judged against targets. `status` is None when the profile and the user set no target."""

    schema_version: Literal[1] = 1
    payload: str
    profile: str
    confidence: float
    status: Status | None
    target_verdicts: tuple[TargetVerdict, ...]
    warnings: tuple[str, ...] = ()
