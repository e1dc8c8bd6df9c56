from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_ptf import metrics as metrics_package
from edge_ptf import tasks
from edge_ptf.errors import BadInputError
from edge_ptf.examples import Encoding, Example, Prediction
from edge_ptf.heads import HeadSpec
from edge_ptf.heads.probabilities import softmax
from edge_ptf.heads.text import RECALL_WORTH, THRESHOLD_COST_POINTS
from edge_ptf.metrics import scores
from edge_ptf.models.checkpoint import load_tokenizer
from edge_ptf.tasks.base import RowError
from edge_ptf.tasks.text_classification import TextClassification

FAMILIES = ("bert", "distilbert", "roberta", "xlm-roberta", "electra")
SCOPE = "oos"
TEXTS = (
    "turn on the light",
    "  two  spaces\tand a tab ",
    "it's 5:30 p.m., isn't it?",
    "Naïve café 😀 東京",
    "play " * 60,
    "x",
)


def task_over(
    labels: tuple[str, ...] = ("a", "b", "c"), scope: str | None = None, **more: object
) -> TextClassification:
    spec = TextClassification.spec_for(labels, scope)
    return TextClassification(spec.with_options(**more) if more else spec)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("max_length", [5, 16, 64])
def test_encoding_equals_the_tokenizer_alone(tiny_base: Callable[[str], Path], family: str, max_length: int) -> None:
    tokenizer = load_tokenizer(tiny_base(family))
    pairs: list[str | None] = [None, "play some jazz", "of " * 40]
    examples = [Example(text, "a", pair) for text in TEXTS for pair in pairs]
    for chosen in (examples, [e for e in examples if e.text_pair], [e for e in examples if not e.text_pair]):
        for example, encoding in zip(chosen, task_over().encode(tokenizer, chosen, max_length), strict=True):
            alone = tokenizer(example.text, example.text_pair, truncation=True, max_length=max_length)
            assert encoding.input_ids == alone["input_ids"]
            assert encoding.token_type_ids == alone.get("token_type_ids")
            assert len(encoding.input_ids) <= max_length
            assert encoding.words == encoding.word_starts == ()


def test_nothing_encodes_to_nothing() -> None:
    assert task_over().encode(None, [], 16) == []


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"text": " ", "label": "a"}, "the text is empty"),
        ({"text": None, "label": "a"}, "the text is empty"),
        ({"text": 3, "label": "a"}, "the text is empty"),
        ({"text": "x", "label": " "}, "the label is empty"),
        ({"text": "x"}, "the label is empty"),
        ({"text": "x", "label": "a", "text_pair": ""}, "the second text of the pair is empty"),
    ],
)
def test_rows_that_cannot_be_used_say_why(row: dict[str, object], reason: str) -> None:
    with pytest.raises(RowError, match=reason):
        TextClassification.example(row)


def test_a_row_keeps_its_text_and_names_its_label() -> None:
    assert TextClassification.example({"text": " x ", "label": 0}) == Example(" x ", "0")
    assert TextClassification.example({"text": "x", "label": " a ", "text_pair": "y"}) == Example("x", "a", "y")


def test_labels_outside_the_set_are_refused_but_for_the_out_of_scope_label() -> None:
    task = task_over(scope=SCOPE)
    assert task.check_label(Example("x", "a")) is None
    assert task.check_label(Example("x", SCOPE)) is None
    assert "'z'" in str(task.check_label(Example("x", "z")))
    assert task.head.target(Example("x", "b"), Encoding([], None)) == 1
    assert task.head.target(Example("x", SCOPE), Encoding([], None)) == -100


def test_labels_are_sorted_and_unique() -> None:
    assert TextClassification.collect_labels([Example("x", label) for label in "bca" * 2]) == ("a", "b", "c")


@given(st.lists(st.floats(-700, 700, width=32), min_size=3, max_size=3))
def test_answers_carry_the_probability_of_the_largest_logit(values: list[float]) -> None:
    logits = np.asarray(values, dtype=np.float32)
    answer = task_over().head.decode(logits, Encoding([], None), "x")
    assert softmax(logits)["abc".index(str(answer.label))] == softmax(logits).max()
    assert answer.score == pytest.approx(float(softmax(logits).max()))
    scores = [row["score"] for row in answer.details["classes"]]
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) == pytest.approx(1)


def test_a_low_probability_becomes_out_of_scope_and_the_rule_is_strict() -> None:
    logits = np.log(np.asarray([0.5, 0.3, 0.2]))
    score = float(softmax(logits)[0])
    for threshold, label in ((score, "a"), (np.nextafter(score, 1), SCOPE), (0.0, "a")):
        task = task_over(scope=SCOPE, threshold=float(threshold))
        answer = task.head.decode(logits, Encoding([], None), "x")
        assert answer.label == label
        assert answer.score == pytest.approx(0.5)


@given(
    st.lists(st.floats(-50, 50, width=32), min_size=4, max_size=4),
    st.sampled_from([None, "b", SCOPE]),
    st.one_of(st.none(), st.floats(0, 1)),
)
def test_the_first_class_is_the_answer_with_its_score(
    values: list[float], scope: str | None, threshold: float | None
) -> None:
    logits = np.asarray(values, dtype=np.float32)
    answer = task_over(("a", "b", "c", "d"), scope, threshold=threshold).head.decode(logits, Encoding([], None), "x")
    first, *others = answer.details["classes"]
    assert (first["label"], first["score"]) == (answer.label, answer.score)
    plain = dict(zip("abcd", softmax(logits), strict=True))
    assert {item["label"]: item["score"] for item in others} == {
        label: pytest.approx(score) for label, score in plain.items() if label != answer.label
    }
    assert [item["score"] for item in others] == sorted((item["score"] for item in others), reverse=True)
    best = max("abcd", key=lambda label: plain[label])
    decided = scope not in (None, best) and threshold is not None and plain[best] < threshold
    assert answer.label == (scope if decided else best)
    assert answer.score == pytest.approx(1 - plain[best] if decided else plain[best])
    for item in (first, answer.details):
        assert item.get("by_threshold", False) == decided
        assert item.get("out_of_scope", False) == (answer.label == scope)
    assert not any({"by_threshold", "out_of_scope"} & item.keys() for item in others)


def test_a_trained_out_of_scope_class_answers_for_itself() -> None:
    task = task_over(("a", "b", SCOPE), SCOPE, threshold=1.0)
    answer = task.head.decode(np.asarray([0, 0, 1.0]), Encoding([], None), "x")
    assert answer.label == SCOPE
    assert answer.score == pytest.approx(float(softmax(np.asarray([0, 0, 1.0]))[2]))


answer_lists = st.lists(st.tuples(st.sampled_from("abco"), st.sampled_from("abco")), min_size=1, max_size=30)


@given(answer_lists)
@settings(max_examples=60)
def test_rows_add_up_to_the_gated_metrics(pairs: list[tuple[str, str]]) -> None:
    references, predictions = zip(*pairs, strict=True)
    for task in (task_over(), task_over(scope="o")):
        metrics = scores(task.metrics, references, labelled(predictions))
        assert task.metrics[0].gated
        for gated in metrics_package.gated(task.metrics):
            hits, counted = gated.per_example(references, predictions).sum(axis=0)
            assert (gated.name in metrics) == (counted > 0)
            if counted:
                assert metrics[gated.name] == pytest.approx(100 * hits / counted)
    inside = [r == p for r, p in pairs if r != "o"]
    outside = [p == "o" for r, p in pairs if r == "o"]
    if inside:
        assert metrics["in_scope_accuracy"] == pytest.approx(100 * sum(inside) / len(inside))
    if outside:
        assert metrics["out_of_scope_recall"] == pytest.approx(100 * sum(outside) / len(outside))


@given(answer_lists)
@settings(max_examples=40, deadline=None)
def test_metrics_and_report_equal_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    references, predictions = map(list, zip(*pairs, strict=True))
    task = task_over()
    values = scores(task.metrics, references, labelled(predictions))
    assert values["accuracy"] == pytest.approx(100 * metrics.accuracy_score(references, predictions))
    assert values["macro_f1"] == pytest.approx(
        100 * metrics.f1_score(references, predictions, average="macro", zero_division=0)
    )
    report = metrics.classification_report(references, predictions, output_dict=True, zero_division=0)
    for row in task.class_report(references, predictions):
        wanted = report[row["name"]]
        assert row["precision"] == pytest.approx(100 * wanted["precision"])
        assert row["recall"] == pytest.approx(100 * wanted["recall"])
        assert row["f1"] == pytest.approx(100 * wanted["f1-score"])
        assert row["support"] == wanted["support"]


def labelled(labels: Iterable[object]) -> list[Prediction]:
    return [Prediction(label, 1.0) for label in labels]


def answers(task: TextClassification, logits: np.ndarray) -> list[object]:
    return [task.head.decode(row, Encoding([], None), "x").label for row in logits]


def worth(metrics: dict[str, float]) -> float:
    return metrics["in_scope_accuracy"] + RECALL_WORTH * metrics["out_of_scope_recall"]


@pytest.mark.parametrize("labels", [("a", "b", "c"), ("a", "b", "c", SCOPE)])
@pytest.mark.parametrize("seed", range(4))
def test_the_threshold_costs_at_most_half_a_point_and_no_other_is_worth_more(
    labels: tuple[str, ...], seed: int
) -> None:
    random = np.random.default_rng(seed)
    references = random.choice(["a", "b", "c", SCOPE], size=600)
    truth = np.asarray([[label == name for name in labels] for label in references], dtype=np.float64)
    logits = (random.normal(size=truth.shape) + 2.5 * truth).astype(np.float32)
    plain = task_over(labels, SCOPE)
    spec = plain.head.tuned(list(logits), list(references))
    assert spec.options["threshold"] is not None
    before = scores(plain.metrics, references, labelled(answers(plain, logits)))
    after = scores(plain.metrics, references, labelled(answers(TextClassification(spec), logits)))
    assert before["in_scope_accuracy"] - after["in_scope_accuracy"] <= THRESHOLD_COST_POINTS + 1e-9
    assert after["out_of_scope_recall"] >= before["out_of_scope_recall"]
    for threshold in np.linspace(0, 1, 41):
        found = answers(task_over(labels, SCOPE, threshold=float(threshold)), logits)
        other = scores(plain.metrics, references, labelled(found))
        if before["in_scope_accuracy"] - other["in_scope_accuracy"] <= THRESHOLD_COST_POINTS:
            assert worth(other) <= worth(after) + 1e-9
    assert plain.head.tuned(list(logits), list(references)) == spec


@pytest.mark.parametrize("labels", [("a", "b", "c"), ("a", "b", "c", SCOPE)])
@pytest.mark.parametrize("seed", range(4))
def test_a_matched_threshold_turns_away_as_many_texts_as_the_other_model(labels: tuple[str, ...], seed: int) -> None:
    random = np.random.default_rng(seed)
    logits = random.normal(scale=2, size=(600, len(labels))).astype(np.float32)
    plain = task_over(labels, SCOPE)
    claimed = answers(plain, logits).count(SCOPE)

    def matched(turned_away: int) -> TextClassification:
        others = random.permutation([SCOPE] * turned_away + ["a"] * (600 - turned_away))
        return TextClassification(plain.head.matched(list(logits), list(others)))

    for wanted in (claimed, claimed + 1, claimed + 17, 600):
        assert answers(matched(wanted), logits).count(SCOPE) == wanted
    assert matched(claimed).head.spec.options["threshold"] == 0.0
    assert matched(0).head.spec.options["threshold"] == 0.0


def test_texts_of_one_score_are_turned_away_together() -> None:
    logits = [np.asarray([2.0, 0, 0], dtype=np.float32)] * 5 + [np.asarray([0, 4.0, 0], dtype=np.float32)] * 4

    def turned_away(others: int) -> int:
        spec = task_over(scope=SCOPE).head.matched(logits, [SCOPE] * others + ["a"] * (9 - others))
        return answers(TextClassification(spec), np.stack(logits)).count(SCOPE)

    assert [turned_away(others) for others in (0, 2, 3, 5, 7, 8)] == [0, 0, 5, 5, 5, 9]


def test_no_threshold_is_chosen_without_out_of_scope_examples() -> None:
    logits = list(np.eye(3, dtype=np.float32))
    assert task_over().head.tuned(logits, ["a", "b", "c"]).options["threshold"] is None
    assert task_over(scope=SCOPE).head.tuned(logits, ["a", "b", "c"]).options["threshold"] is None
    assert task_over(scope=SCOPE).head.tuned(logits, [SCOPE] * 3).options["threshold"] is None
    assert task_over().head.matched(logits, ["a", "b", "c"]).options["threshold"] is None


def test_certain_answers_keep_a_threshold_that_is_a_probability() -> None:
    logits = [np.asarray([900.0, 0, 0], dtype=np.float32)] * 4
    threshold = task_over(scope=SCOPE).head.tuned(logits, ["a", "a", "a", SCOPE]).options["threshold"]
    assert threshold is not None and 0 <= threshold <= 1


def test_tasks_are_found_by_name_and_unknown_ones_get_a_hint() -> None:
    assert tasks.names() == (
        "text-classification",
        "sentence-pair-classification",
        "multi-label-classification",
        "regression",
        "token-classification",
        "relation-extraction",
        "entities-and-relations",
        "question-answering",
        "sentence-embedding",
        "prototype-classification",
    )
    assert tasks.get("text-classification") is TextClassification
    assert isinstance(tasks.create(TextClassification.spec_for(("a",))), TextClassification)
    with pytest.raises(BadInputError) as caught:
        tasks.get("text-clasification")
    assert "Did you mean text-classification" in caught.value.hint
    with pytest.raises(BadInputError, match="no out-of-scope label"):
        tasks.get("token-classification").spec_for(("O",), SCOPE)


def test_a_spec_survives_json() -> None:
    spec = TextClassification.spec_for(("a", "b"), SCOPE).with_options(threshold=0.1 + 0.2)
    assert HeadSpec.model_validate_json(spec.model_dump_json()) == spec


@pytest.mark.parametrize(
    ("references", "scope", "most"),
    [("aab", None, "a"), ("cccab", "c", "a"), ("cc", "c", "c"), ("abbcc", "c", "b")],
)
def test_the_majority_answers_are_the_most_frequent_class_and_not_the_out_of_scope_label(
    references: str, scope: str | None, most: str
) -> None:
    assert task_over(scope=scope).majority_answers(list(references)) == [most] * len(references)
