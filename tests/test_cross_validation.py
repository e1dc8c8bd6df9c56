"""Cross-validated evidence: of a whole run on a tiny model, and how the gate judges it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from edge_ptf import tasks
from edge_ptf.accuracy_gate import AccuracyJudge
from edge_ptf.bench.accuracy import joined
from edge_ptf.data import LabelledData
from edge_ptf.machine import Machine
from edge_ptf.package.evidence import AccuracyEvidence, PredictionRow, RuntimeInfo, Status
from edge_ptf.profiles import Targets

TASK = tasks.get("text-classification")
JUDGED = tasks.create(TASK.spec_for(("a", "b")))
MACHINE = Machine(arch="x86_64", cpu="test", isa=("avx512_vnni",), cores=2, memory_mb=8000, os="Linux 6")


def evidence(answers: str, who: str = "p", **more: Any) -> AccuracyEvidence:
    if "folds" in more:
        more["split"] = "cross-validated"
    rows = tuple(PredictionRow(row=row, reference="a", label=label, score=0.9) for row, label in enumerate(answers))
    runtime = RuntimeInfo(version="1.32.0", threads=1)
    fields = {"payload": who, "data": "d", "machine": MACHINE, "runtime": runtime, "exact": True, "metrics": {}}
    return AccuracyEvidence(**{**fields, "rows": rows, **more})


@pytest.fixture
def made(tiny_labelled: Callable[..., LabelledData], make_payload: Callable[..., Any]) -> tuple[Any, LabelledData]:
    return make_payload(), tiny_labelled()


def test_the_answers_of_the_folds_are_joined_in_the_order_of_the_texts(made: tuple[Any, LabelledData]) -> None:
    payload, data = made
    count = len(data.test)
    even, odd = tuple(range(0, count, 2)), tuple(range(1, count, 2))
    parts = [(odd, evidence("b" * len(odd), "odd")), (even, evidence("a" * len(even), "even", exact=False))]
    found = joined(payload, data, parts)
    assert [row.row for row in found.rows] == list(range(count))
    assert [row.label for row in found.rows] == ["ab"[place % 2] for place in range(count)]
    assert (found.payload, found.data, found.folds) == (payload.digest, data.fingerprint, 2)
    assert found.fold_payloads == ("odd", "even")
    assert found.split == "cross-validated"
    assert found.metrics["accuracy"] == pytest.approx(50)
    assert not found.exact


def test_a_text_that_is_judged_twice_or_never_is_an_error(made: tuple[Any, LabelledData]) -> None:
    payload, data = made
    every = tuple(range(len(data.test)))
    whole = (every, evidence("a" * len(every)))
    with pytest.raises(ValueError, match="text 0 was judged twice"):
        joined(payload, data, [whole, ((0,), evidence("a"))])
    with pytest.raises(ValueError, match="of 48 texts were judged"):
        joined(payload, data, [(every[1:], evidence("a" * (len(every) - 1)))])


def test_the_gate_says_that_the_recipe_is_judged() -> None:
    own, teacher = (evidence("a" * 95 + "b" * 5, who, folds=5) for who in ("p", "t"))
    judge = AccuracyJudge(JUDGED, [own], [teacher], 0.95)
    targets = Targets(max_drop={"accuracy": 5}, min_score={"accuracy": 94})
    (drop,), (score,) = judge.drops(targets), judge.scores(targets)
    assert (drop.title, drop.status) == ("accuracy, drop, cross-validated", Status.PASS)
    assert (score.title, score.status) == ("accuracy, cross-validated", Status.UNPROVEN)
    assert score.settle.endswith("more labelled examples that count for accuracy")
    (note,) = judge.cross_validation()
    assert note.startswith("accuracy is cross-validated over 5 folds: it judges the recipe by 100 texts")
    assert "The shipped package is trained on all of these texts" in note


def test_folds_go_before_other_answers_whose_texts_may_be_learned() -> None:
    folded, direct = evidence("a" * 100, folds=5), evidence("a" * 50, data="new")
    teachers = [evidence("a" * 50, "t", data="new"), evidence("a" * 100, "t", folds=5)]
    judge = AccuracyJudge(JUDGED, [direct, folded], teachers, 0.95)
    (drop,) = judge.drops(Targets(max_drop={"accuracy": 10}))
    assert drop.title == "accuracy, drop, cross-validated"
    assert len(list(judge.cross_validation())) == 1
    mixed = AccuracyJudge(JUDGED, [folded], [evidence("a" * 100, "t")], 0.95)
    (unpaired,) = mixed.drops(Targets(max_drop={"accuracy": 10}))
    assert (unpaired.status, unpaired.value) == (Status.UNPROVEN, None)
