"""Evaluation of a payload: every test text once, in order, with the package's own answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_ptf.bench import EvaluateConfig, accuracy, evaluate, load_accuracy
from edge_ptf.data.dataset import LabelledData
from edge_ptf.digests import canonical_json
from edge_ptf.errors import PackageError
from edge_ptf.examples import Example
from edge_ptf.machine import Machine, this_machine
from edge_ptf.package import Payload, verification
from edge_ptf.package.evidence import AccuracyEvidence
from edge_ptf.runtime import Runner

MakePayload = Callable[..., Payload]
Data = Callable[..., LabelledData]


class Listener:
    """Counts its calls."""

    def __init__(self) -> None:
        self.said: list[Any] = []

    def start(self, title: str, total: int, done: int = 0) -> None:
        self.said.append((title, total))

    def advance(self, steps: int = 1, note: str = "") -> None:
        self.said.append(steps)

    def finish(self) -> None:
        self.said.append("finished")


def many(data: LabelledData) -> LabelledData:
    """127 test rows without equal neighbours: more than two blocks of the worker."""
    rows = tuple(Example(f"{data.test[i % 48].text} {i}", data.test[i % 48].label) for i in range(127))
    return replace(data, test=rows)


def test_each_row_is_what_the_package_answers(make_payload: MakePayload, tiny_labelled: Data, tmp_path: Path) -> None:
    payload, data, listener = make_payload(), many(tiny_labelled()), Listener()
    found = evaluate(payload, data, EvaluateConfig(), tmp_path / "deep" / "out", listener)
    runner = Runner(payload)
    answers = [runner.answer(example.text) for example in data.test]
    assert [row.row for row in found.rows] == list(range(127))
    assert [row.reference for row in found.rows] == [example.label for example in data.test]
    assert [row.label for row in found.rows] == [answer.label for answer in answers]
    assert [row.score for row in found.rows] == [pytest.approx(answer.score, abs=1e-6) for answer in answers]
    hits = sum(answer.label == example.label for answer, example in zip(answers, data.test, strict=True))
    assert found.metrics["accuracy"] == pytest.approx(100 * hits / 127)
    assert len({row.label for row in found.rows}) > 1
    report = {row["name"]: row for row in found.class_report}
    for name in "abc":
        said = [answer.label == name for answer in answers]
        right = sum(x and example.label == name for x, example in zip(said, data.test, strict=True))
        assert report[name]["support"] == sum(example.label == name for example in data.test)
        assert report[name]["precision"] == pytest.approx(100 * right / sum(said) if any(said) else 0)
    assert listener.said == [("Evaluate", 127), 50, 50, 27, "finished"]


@pytest.mark.parametrize(("cores", "threads", "processes"), [(8, 1, 3), (8, 4, 2), (2, 4, 1), (64, 1, 3)])
def test_processes_share_the_texts_and_change_no_answer(
    cores: int,
    threads: int,
    processes: int,
    make_payload: MakePayload,
    tiny_labelled: Data,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    payload, data, config = make_payload(), many(tiny_labelled()), EvaluateConfig(threads=threads)
    wanted = evaluate(payload, data, config, tmp_path / "one")
    started, start = [], accuracy.WorkerProcess.__enter__
    monkeypatch.setattr(accuracy.WorkerProcess, "__enter__", lambda worker: started.append(worker) or start(worker))
    monkeypatch.setattr(accuracy, "this_machine", lambda: this_machine().replace(cores=cores))
    monkeypatch.setattr(accuracy, "BLOCK", 40)
    monkeypatch.setattr(accuracy, "BLOCKS_OF_PROCESS", 1)
    monkeypatch.setattr(accuracy, "MOST_PROCESSES", 3)
    found = evaluate(payload, data, config, tmp_path / "several")
    assert len(started) == processes
    assert found.replace(machine=wanted.machine) == wanted


def test_evidence_names_what_it_is_about(make_payload: MakePayload, tiny_labelled: Data, tmp_path: Path) -> None:
    payload, data = make_payload(), tiny_labelled()
    found = evaluate(payload, data, EvaluateConfig(threads=2), tmp_path)
    assert (found.kind, found.split) == ("accuracy", "test")
    tried = evaluate(payload, data.tried_on_validation(), EvaluateConfig(), tmp_path / "tried")
    assert (tried.split, load_accuracy(tmp_path / "tried").split) == ("validation", "validation")
    assert [row.reference for row in tried.rows] == [example.label for example in data.validation]
    assert (found.payload, found.data) == (payload.digest, data.fingerprint)
    assert found.machine == this_machine()
    assert (found.runtime.name, found.runtime.threads) == ("onnxruntime", 2)
    assert found.exact == verification.exact_here(payload.manifest)
    assert load_accuracy(tmp_path) == found
    assert (tmp_path / "accuracy.json").read_bytes() == canonical_json(found.model_dump(mode="json"))
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["accuracy.json"]
    assert AccuracyEvidence.model_validate_json(found.model_dump_json()) == found


def test_evaluating_again_gives_equal_bytes(make_payload: MakePayload, tiny_labelled: Data, tmp_path: Path) -> None:
    for name in ("one", "two"):
        evaluate(make_payload(), tiny_labelled(), EvaluateConfig(), tmp_path / name)
    assert (tmp_path / "one" / "accuracy.json").read_bytes() == (tmp_path / "two" / "accuracy.json").read_bytes()


def test_tags_are_compared_word_by_word(make_payload: MakePayload, tiny_labelled: Data, tmp_path: Path) -> None:
    payload, data = make_payload(kind="token-classification"), tiny_labelled("token-classification")
    found = load_accuracy(_written(evaluate(payload, data, EvaluateConfig(), tmp_path), tmp_path))
    assert all(isinstance(row.label, tuple) and len(row.label) == len(row.reference) for row in found.rows)
    actual = sum(row.reference.count("B-what") for row in found.rows)
    assert actual == 48
    claimed = sum(len(_entities(row.label)) for row in found.rows)
    right = sum(len(_entities(row.label) & _entities(row.reference)) for row in found.rows)
    assert 0 < right < claimed
    assert found.metrics["entity_f1"] == pytest.approx(200 * right / (actual + claimed))


def _written(found: AccuracyEvidence, folder: Path) -> Path:
    assert load_accuracy(folder) == found
    return folder


def _entities(tags: Any) -> set[tuple[int, int]]:
    """First and last word of each entity, all of one type. An I- without a preceding tag begins an entity."""
    kinds = "".join(tag[0] for tag in tags)
    return {match.span() for match in re.finditer("[BI]I*", kinds)}


def test_out_of_scope_figures_are_kept_apart(make_payload: MakePayload, tiny_labelled: Data, tmp_path: Path) -> None:
    found = evaluate(make_payload(scope="c"), tiny_labelled(), EvaluateConfig(), tmp_path)
    inside = [row for row in found.rows if row.reference != "c"]
    outside = [row for row in found.rows if row.reference == "c"]
    for name, rows in (("in_scope_accuracy", inside), ("out_of_scope_recall", outside)):
        assert found.metrics[name] == pytest.approx(100 * sum(r.label == r.reference for r in rows) / len(rows))


def test_answers_of_a_saturating_processor_are_marked(
    make_payload: MakePayload, tiny_labelled: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = Machine(arch="x86_64", cpu="old", isa=("avx2",), cores=1, memory_mb=1, os="Linux 6")
    monkeypatch.setattr(verification, "this_machine", lambda: old)
    monkeypatch.setattr(accuracy, "this_machine", lambda: old)
    found = evaluate(make_payload(), tiny_labelled(), EvaluateConfig(), tmp_path)
    assert not found.exact
    assert found.machine == old
    assert evaluate(make_payload(mode="fp32"), tiny_labelled(), EvaluateConfig(), tmp_path).exact


def test_a_package_that_went_away_is_said(tiny_labelled: Data, make_payload: MakePayload, tmp_path: Path) -> None:
    gone = replace(make_payload(), path=tmp_path / "gone.eptf")
    with pytest.raises(PackageError, match=r"gone\.eptf"):
        evaluate(gone, tiny_labelled(), EvaluateConfig(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_is_no_evidence_is_said(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=r"no accuracy\.json"):
        load_accuracy(tmp_path)
    (tmp_path / "accuracy.json").write_text('{"kind": "accuracy"')
    with pytest.raises(PackageError, match="damaged"):
        load_accuracy(tmp_path)
