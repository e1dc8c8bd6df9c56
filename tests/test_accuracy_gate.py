"""The verdict about a score, and what is said about the teacher."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from edge_ptf import tasks
from edge_ptf.accuracy_gate import AccuracyJudge, teacher_warnings
from edge_ptf.machine import Machine
from edge_ptf.metrics import Direction, Metric
from edge_ptf.metrics.base import Rows
from edge_ptf.package.evidence import AccuracyEvidence, PredictionRow, RuntimeInfo, Status, TargetVerdict
from edge_ptf.profiles import Targets
from edge_ptf.report.junit import junit
from edge_ptf.report.markdown import verdict_summary
from edge_ptf.report.verdicts import targets as shown_targets

TASK = tasks.create(tasks.get("text-classification").spec_for(("a", "b")))
SCOPED = tasks.create(tasks.get("text-classification").spec_for(("a", "b"), "o"))
TAGGER = tasks.create(tasks.get("token-classification").spec_for(("O", "B-who", "I-who")))
MACHINE = Machine(arch="x86_64", cpu="test", isa=("avx512_vnni",), cores=2, memory_mb=8000, os="Linux 6")


def answered(references: list[Any], answers: list[Any], who: str = "p", **more: Any) -> AccuracyEvidence:
    rows = tuple(
        PredictionRow(row=row, reference=reference, label=answer, score=0.9)
        for row, (reference, answer) in enumerate(zip(references, answers, strict=True))
    )
    runtime = RuntimeInfo(version="1.32.0", threads=1)
    fields = {"payload": who, "data": "d", "machine": MACHINE, "runtime": runtime, "exact": True, "metrics": {}}
    return AccuracyEvidence(**{**fields, "rows": rows, **more})


def hits(right: int, count: int, **more: Any) -> AccuracyEvidence:
    return answered(["a"] * count, ["a" if index < right else "b" for index in range(count)], **more)


def score(
    records: list[AccuracyEvidence], limit: float, task: tasks.Task = TASK, metric: str = "accuracy"
) -> TargetVerdict:
    (found,) = AccuracyJudge(task, records, [], 0.95).scores(Targets(min_score={metric: limit}))
    return found


@pytest.mark.parametrize(
    ("right", "count", "status"),
    [
        (1_880, 2_000, Status.PASS),  # 94 %, at least 93.1 % at 95 % confidence
        (188, 200, Status.PASS),  # at least 90.5 %
        (94, 100, Status.UNPROVEN),  # the same share of 100: at least 88.5 %
        (89, 100, Status.FAIL),
    ],
)
def test_a_score_is_judged_by_its_lower_bound_without_a_teacher(right: int, count: int, status: Status) -> None:
    found = score([hits(right, count)], 90)
    assert (found.status, found.target, found.title) == (status, "min_score.accuracy", "accuracy")
    assert (found.unit, found.direction, found.value) == ("%", Direction.HIGHER, 100 * right / count)
    assert found.bound is not None and found.margin == pytest.approx(found.bound - 90)


def test_an_open_score_says_how_many_examples_would_settle_it() -> None:
    found = score([hits(94, 100)], 90)
    match = re.fullmatch(r"about (\d+) more test examples that count for accuracy", found.settle)
    assert match and found.reason == "100 examples are too few to prove it"
    assert int(match[1]) == 65
    assert score([hits(188, 200)], 90).status is Status.PASS  # in steps that keep the score at 94 %
    assert score([hits(141, 150)], 90).status is Status.UNPROVEN
    assert score([hits(94, 100)], 93.99).settle == "a better score"


def test_a_score_of_exactly_the_limit_is_not_beyond_it() -> None:
    assert score([hits(71, 100)], 71).status is Status.UNPROVEN
    assert score([hits(70, 100)], 71).status is Status.FAIL


def test_what_does_not_count_proves_no_score() -> None:
    assert score([], 50).settle == "edge-ptf evaluate"
    inexact = score([hits(100, 100, exact=False)], 50)
    assert (inexact.status, inexact.value) == (Status.UNPROVEN, 100)
    assert "exactly" in inexact.reason
    assert score([hits(0, 10, exact=False), hits(100, 100)], 50).status is Status.PASS
    nothing = score([hits(100, 100)], 50, SCOPED, "out_of_scope_recall")
    assert (nothing.status, nothing.reason) == (Status.UNPROVEN, "no test example counts for this metric")


def test_a_score_on_validation_says_so() -> None:
    tried = hits(100, 100, split="validation")
    assert score([tried], 50).title == "accuracy on validation"
    assert score([tried, hits(90, 100)], 50).title == "accuracy"


def test_every_metric_of_the_task_can_have_a_worst_score() -> None:
    scoped = [answered(["a"] * 90 + ["o"] * 10, ["a"] * 99 + ["o"])]
    limits = Targets(min_score={"in_scope_accuracy": 90, "out_of_scope_recall": 50, "entity_f1": 1, "accuracy": 1})
    found = list(AccuracyJudge(SCOPED, scoped, [], 0.95).scores(limits))
    assert [(each.target, each.status) for each in found] == [
        ("min_score.in_scope_accuracy", Status.PASS),
        ("min_score.out_of_scope_recall", Status.FAIL),
        ("min_score.accuracy", Status.PASS),
    ]
    tagged = [answered([("B-who", "O")] * 200, [("B-who", "O")] * 190 + [("O", "O")] * 10)]
    assert score(tagged, 90, TAGGER, "entity_f1").status is Status.PASS
    assert score(tagged, 98, TAGGER, "entity_f1").status is Status.FAIL


@dataclass(frozen=True, kw_only=True)
class Error(Metric):
    """A metric without a unit; lower is better."""

    direction = Direction.LOWER

    def per_example(self, references: Any, answers: Any) -> Rows:
        return np.asarray([[reference != answer] for reference, answer in zip(references, answers, strict=True)], float)

    def score(self, rows: Rows) -> float:
        return float(rows.mean())

    def noise(self, score: float, count: int) -> float:
        return 0.0


@pytest.mark.parametrize(("limit", "status"), [(0.2, Status.PASS), (0.11, Status.UNPROVEN), (0.09, Status.FAIL)])
def test_a_metric_whose_lower_score_is_better_has_a_largest_one(
    limit: float, status: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(TASK), "metrics", (Error(name="error", title="error", gated=True),))
    found = score([hits(90, 100)], limit, TASK, "error")
    assert (found.status, found.direction, found.unit) == (status, Direction.LOWER, "")
    assert found.value == 0.1
    assert found.bound is not None and found.bound > 0.1


def test_a_limit_must_be_a_number() -> None:
    for wrong in (float("nan"), float("inf"), "much"):
        with pytest.raises(ValidationError):
            Targets.model_validate({"min_score": {"accuracy": wrong}})


def test_a_score_is_shown_in_percent_everywhere(judged_score: Any) -> None:
    verdict = judged_score
    assert "&#91;" not in verdict_summary(verdict, "p")
    assert "| accuracy | 94.00 % | 88.5" in verdict_summary(verdict, "p")
    assert "≥ 90.00 %" in verdict_summary(verdict, "p")
    page = junit(verdict, "p").decode()
    assert 'name="accuracy (min_score.accuracy)"' in page
    assert "94.00 %, bound 88.5" in page
    (target,) = shown_targets(verdict)
    assert (target.title, target.value, target.limit) == ("accuracy", "94.00 %", "≥ 90.00 %")
    assert target.scale.allowed_from == target.scale.limit


@pytest.fixture
def judged_score() -> Any:
    from edge_ptf.package.evidence import Verdict

    found = score([hits(94, 100)], 90)
    return Verdict(payload="p" * 64, profile="x", confidence=0.95, status=found.status, target_verdicts=(found,))


def test_a_teacher_that_misses_the_target_itself_is_told() -> None:
    judge = AccuracyJudge(TASK, [hits(95, 100)], [hits(85, 100, who="t")], 0.95)
    (warning,) = judge.teacher(Targets(min_score={"accuracy": 90}))
    assert warning.startswith("the teacher itself misses a target: accuracy 85.00 %, and the limit is 90.00 %")
    assert list(judge.teacher(Targets(min_score={"accuracy": 85}))) == []


def test_the_split_is_named_where_it_is_not_test() -> None:
    useless, missing = teacher_warnings(
        TASK, ["a", "a", "b"], {"accuracy": 66.6}, Targets(min_score={"accuracy": 90}), "validation"
    )
    assert "most frequent class alone on validation: accuracy 66.60 %, against 66.67 %" in useless
    assert "misses a target on validation" in missing
    assert list(teacher_warnings(TASK, ["a", "a", "b"], {}, Targets(min_score={"accuracy": 90}))) == []


def test_a_tagger_that_finds_nothing_is_no_better_than_the_most_frequent_tag() -> None:
    references = [("B-who", "O", "O"), ("O", "O")] * 10
    evidence = [answered(references, [("O", "O", "O"), ("O", "O")] * 10, who=who) for who in ("p", "t")]
    (warning,) = AccuracyJudge(TAGGER, evidence[:1], evidence[1:], 0.95).teacher(Targets())
    assert "entity F1 0.00 %" in warning
