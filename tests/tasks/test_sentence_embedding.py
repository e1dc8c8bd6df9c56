"""Sentence embedding: rows of three forms, splits, metrics, tokens of pairs."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from edge_ptf import repetition, stages, tasks
from edge_ptf.accuracy_gate import teacher_warnings
from edge_ptf.data import load
from edge_ptf.data.dataset import DataConfig
from edge_ptf.errors import BadInputError, DataError
from edge_ptf.examples import Example
from edge_ptf.heads.embedding import CLASSES, PAIRS, SCORES
from edge_ptf.metrics import gated
from edge_ptf.models.base_models import Base
from edge_ptf.models.checkpoint import load_tokenizer
from edge_ptf.package import AssembleConfig, deciding
from edge_ptf.preparation import check_labels, for_judging
from edge_ptf.profiles import Targets
from edge_ptf.recipe import Recipe
from edge_ptf.tasks.base import RowError
from edge_ptf.tasks.sentence_embedding import SentenceEmbedding, shortened
from tests.conftest import labelled

TASKS = {form: tasks.create(SentenceEmbedding.spec_for((form,))) for form in (SCORES, PAIRS, CLASSES)}


def test_a_row_is_a_pair_with_a_score_a_pair_of_like_texts_or_a_text_with_a_class() -> None:
    row = SentenceEmbedding.example
    assert row({"text": "a", "text_pair": "b", "score": " 4.5 "}) == Example("a", 4.5, "b")
    assert row({"text": "a", "text_pair": "b", "label": 1}) == Example("a", 1.0, "b")
    assert row({"text": "a", "label": " play "}) == Example("a", "play")
    pair = row({"text": "A  b", "text_pair": "c"})
    assert pair.label == row({"text": "a B", "text_pair": "C", "score": math.nan}).label
    assert len(pair.label) == 2 and pair.label[0] != pair.label[1] and pair.label[0] != "b"
    assert [SentenceEmbedding.collect_labels([each])[0] for each in (row({"text": "a", "label": "x"}), pair)] == [
        CLASSES,
        PAIRS,
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": "a"}, "a text alone needs a label"),
        ({"text": "a", "label": " "}, "a text alone needs a label"),
        ({"text": "a", "score": 3}, "a score is about two texts, and the second one is missing"),
        (
            {"text": "a", "text_pair": "b", "score": "near"},
            "the score 'near' of a pair is no number; allowed are finite",
        ),
        ({"text": "a", "text_pair": "b", "score": "nan"}, "is no number"),
        ({"text": "a", "text_pair": "b", "score": math.inf}, "is no number"),
        ({"text": "a", "text_pair": "b", "score": True}, "is no number"),
        ({"text": "a", "text_pair": "b", "score": [1]}, "is no number"),
        ({"text": "a", "text_pair": "b", "score": "1_0"}, "is no number"),
        (
            {"text": "a", "text_pair": "b", "label": "same"},
            "the label 'same' of a pair is no number.*leave the label out",
        ),
        ({"text": "a", "text_pair": " "}, "the second text of the pair is empty"),
        ({"text": "", "text_pair": "b"}, "the text is empty"),
        ({"text": "a", "label": 1.5}, "is a decimal number"),
    ],
)
def test_rows_that_cannot_be_used_say_why(row: dict[str, Any], message: str) -> None:
    with pytest.raises(RowError, match=message):
        SentenceEmbedding.example(row)


def test_a_row_of_another_form_than_most_is_named() -> None:
    train = [Example("a", 1.0, "b"), Example("c", 2.0, "d"), Example("e", ("1", "2"), "f")]
    rewrite, notes = SentenceEmbedding.rewriting(train, None)
    assert rewrite is not None and notes == ()
    assert rewrite(train[0]) == train[0]
    with pytest.raises(
        RowError, match="the row has two texts without a score, but most rows of train have two texts and"
    ):
        rewrite(train[2])


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([1.0, 1.0], "all scores of test are 1"),
        ([("1", "2")], "test has only one pair"),
        (["a", "b"], "no two texts of test have the same label"),
        ([1.0, 2.0], None),
        ([("1", "2"), ("3", "4")], None),
        (["a", "a"], None),
    ],
)
def test_a_split_that_proves_nothing_is_refused(labels: list[Any], said: str | None) -> None:
    examples = [Example(str(number), label) for number, label in enumerate(labels)]
    found = SentenceEmbedding.split_fault("test", examples)
    assert found is None if said is None else found is not None and said in found[0]
    if labels == ["a", "a"]:
        assert "only one class" in (SentenceEmbedding.split_fault("train", examples) or ("",))[0]


def test_metrics_are_those_of_the_form() -> None:
    names = {form: [metric.name for metric in task.metrics] for form, task in TASKS.items()}
    assert names == {SCORES: ["spearman"], PAIRS: ["recall_at_1", "recall_at_10"], CLASSES: names[PAIRS]}
    whole = tasks.create(SentenceEmbedding.spec_for(()))
    assert {metric.name for metric in gated(whole.metrics)} == set(SentenceEmbedding.recipe["targets"]["max_drop"])


def test_a_model_with_one_vector_for_all_texts_is_a_bad_teacher() -> None:
    for form, references in (
        (SCORES, [1.0, 2.0, 3.0]),
        (PAIRS, [("1", "2"), ("3", "4")]),
        (CLASSES, ["a", "a", "b", "b"]),
    ):
        task = TASKS[form]
        first = task.metrics[0]
        simple = first.score(first.per_example(references, task.majority_answers(references)))
        assert simple == 0
        assert any("same vector" in said for said in teacher_warnings(task, references, {first.name: 0.0}, Targets()))


def test_texts_of_a_pair_are_tokenized_apart(tiny_base: Callable[[str], Path]) -> None:
    tokenizer = load_tokenizer(tiny_base("bert"))
    task = TASKS[SCORES]
    pair, single, other = task.encode(
        tokenizer,
        [Example("turn on", 1.0, "play some music"), Example("turn on", ()), Example("play some music", ())],
        32,
    )
    assert [part.input_ids for part in pair.parts()] == [single.input_ids, other.input_ids]
    assert pair.windows == (len(single.input_ids), len(other.input_ids)) and single.windows == ()


def write(folder: Path, name: str, rows: list[str]) -> Path:
    (folder / name).write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder / name


def test_a_table_with_usual_names_is_read(tmp_path: Path) -> None:
    rows = [f"{number}\tfirst {number}\tsecond {number}\t{number % 5}\tNEUTRAL" for number in range(60)]
    header = "pair_ID\tsentence_A\tsentence_B\trelatedness_score\tentailment_judgment"
    data = load(str(write(tmp_path, "sick.tsv", [header, *rows])), SentenceEmbedding, DataConfig())
    assert data.labels == (SCORES,)
    assert data.report.columns == {"text": "sentence_A", "text_pair": "sentence_B", "score": "relatedness_score"}
    assert data.report.splits["train"].values is not None
    pairs = [f"anchor {number},positive {number}" for number in range(60)]
    data = load(str(write(tmp_path, "pairs.csv", ["anchor,positive", *pairs])), SentenceEmbedding, DataConfig())
    assert data.labels == (PAIRS,) and data.report.splits["train"].classes == {}
    classes = [f"text {number},c{number % 3}" for number in range(60)]
    data = load(str(write(tmp_path, "classes.csv", ["text,intent", *classes])), SentenceEmbedding, DataConfig())
    assert data.labels == (CLASSES,) and set(data.report.splits["test"].classes) == {"c0", "c1", "c2"}
    recipe = Recipe().replace(cross_validation=Recipe().cross_validation.replace(folds=3))
    with pytest.raises(BadInputError, match="vectors of the models of two folds cannot be compared"):
        for_judging(data, SentenceEmbedding, recipe)


def test_texts_without_labels_are_single_texts(tmp_path: Path) -> None:
    rows = [f"first {number},second {number},{number % 5}" for number in range(60)]
    source = write(tmp_path, "data.csv", ["text,text_pair,score", *rows])
    test = load(str(source), SentenceEmbedding, DataConfig()).test[0]
    logs = write(tmp_path, "logs.txt", ["turn on the lights", str(test.text_pair).upper(), "turn on the lights"])
    data = load(str(source), SentenceEmbedding, DataConfig(unlabelled=str(logs)))
    assert [(each.text, each.text_pair) for each in data.unlabelled] == [("turn on the lights", None)]
    assert any("removed because validation or test" in note for note in data.report.notes)


def test_a_model_for_other_data_is_refused() -> None:
    data = labelled("sentence-embedding")
    check_labels(data, TASKS[CLASSES].head.spec)
    with pytest.raises(BadInputError, match="--data has one text and a label in a row, and the model learned from two"):
        check_labels(data, TASKS[SCORES].head.spec)


def test_all_rows_that_cannot_be_used_are_named_at_once(tmp_path: Path) -> None:
    rows = [f"a {number},b {number},{number}" for number in range(20)]
    rows += ["a,b,near", "a,,3", "a,b,inf"]
    with pytest.raises(DataError) as caught:
        load(str(write(tmp_path, "data.csv", ["text,text_pair,score", *rows])), SentenceEmbedding, DataConfig())
    assert "3 rows cannot be used" in caught.value.message
    assert [problem.rpartition("/")[2].split(" ")[0] for problem in caught.value.problems] == [
        "data.csv:22:",
        "data.csv:23:",
        "data.csv:24:",
    ]


def test_shorter_answers_fit_the_vectors() -> None:
    sized = type(TASKS[SCORES])(TASKS[SCORES].head.sized(32, "mean"))
    assert shortened(sized, 8, "--dimensions").head.dimensions == 8
    assert deciding(sized, AssembleConfig(dimensions=8)).head.dimensions == 8
    for count in (0, 33):
        with pytest.raises(BadInputError, match=f"--dimensions is {count}, but an answer of sentence-embedding has 32"):
            shortened(sized, count, "--dimensions")
    other = tasks.create(tasks.get("text-classification").spec_for(("a", "b")))
    with pytest.raises(BadInputError, match="an answer of text-classification is no vector"):
        deciding(other, AssembleConfig(dimensions=8))
    assert SentenceEmbedding.describe((0.1, 0.2, 0.3, 0.4, 0.5), None) == "0.1, 0.2, 0.3, 0.4, … (5 numbers)"
    assert (SentenceEmbedding.describe(0.25, None), SentenceEmbedding.describe("a", None)) == ("0.25", "a")


def test_options_of_vectors_do_not_change_the_keys_of_other_tasks(tiny_base: Callable[[str], Path]) -> None:
    data, base = labelled(), Base(tiny_base("bert"), "tiny")
    task = tasks.create(tasks.get("text-classification").spec_for(data.labels))
    recipe, artifact = Recipe(), cast(Any, SimpleNamespace(digest="1" * 64))
    trained = stages.finetune.key(base, data, recipe.finetune, task).parts
    assembled = stages.assemble.key(artifact, data, recipe.assemble).parts
    assert not {"pooling", "matryoshka"} & set(trained["config"])
    assert "dimensions" not in assembled["config"]
    chosen = recipe.finetune.replace(pooling="first", matryoshka=(8,))
    assert stages.finetune.key(base, data, chosen, task).parts["config"] == {
        **trained["config"],
        "pooling": "first",
        "matryoshka": [8],
    }
    shorter = stages.assemble.key(artifact, data, recipe.assemble.replace(dimensions=8)).parts
    assert shorter["config"] == {**assembled["config"], "dimensions": 8}


def test_a_teacher_of_a_fold_or_of_another_seed_keeps_whole_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    assembled = []

    def done(*given: Any, **named: Any) -> Any:
        return SimpleNamespace(artifact=None)

    def assemble(place: Any, graph: Any, data: Any, config: AssembleConfig, *baseline: Any) -> Any:
        assembled.append((bool(baseline), config.dimensions))
        return done()

    made = SimpleNamespace(finetune=done, export=done, evaluate=done, assemble=assemble)
    monkeypatch.setattr(repetition, "stages", made)
    monkeypatch.setattr(repetition, "taught_student", done)
    monkeypatch.setattr(repetition, "int8_graph", done)
    recipe = Recipe().replace(assemble={"dimensions": 8})
    nothing = cast(Any, None)
    repetition.remade(nothing, TASKS[SCORES], nothing, recipe, nothing, nothing, lambda *given: None)
    assert assembled == [(False, None), (True, 8)]
