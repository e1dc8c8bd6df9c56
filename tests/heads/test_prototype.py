"""The kind "prototype": vectors that are trained, centres, answers, and classes that are added."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_ptf.errors import BadInputError
from edge_ptf.examples import Encoding, Example
from edge_ptf.heads import VECTOR, PrototypeHead, PrototypeVectors
from edge_ptf.heads.prototype import centre, name_fault
from edge_ptf.heads.text import TextHead
from edge_ptf.tasks.prototype_classification import PrototypeClassification
from edge_ptf.training.batching import Item, LengthGroupedBatches, TogetherBatches

ONE, OTHER = Encoding([2, 5, 3], None), Encoding([2, 6, 3], None)
CLASSES, SCOPE = ("light", "music", "timer"), "none"
SCALE = 10.0


def vectors_head(scope: str | None = SCOPE, width: int = 4) -> PrototypeVectors:
    head = PrototypeVectors(PrototypeClassification.spec_for((*CLASSES, SCOPE), scope))
    return PrototypeVectors(head.sized(width, "mean"))


def head(scope: str | None = SCOPE, **options: object) -> PrototypeHead:
    return PrototypeHead(vectors_head(scope).with_centres(SCALE).with_options(**options))


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def outputs(vector: np.ndarray, centres: np.ndarray) -> dict[str, np.ndarray]:
    """What a graph gives for one text."""
    return {"logits": np.float32(SCALE * centres @ vector)[None], VECTOR: np.float32(vector)[None]}


def test_a_text_out_of_scope_is_alone_in_its_class() -> None:
    group = [
        vectors_head().target(Example(text, label), encoding)[:2].tolist()
        for text, label, encoding in (
            ("a", "light", ONE),
            ("b", "light", OTHER),
            ("c", SCOPE, ONE),
            ("d", SCOPE, OTHER),
        )
    ]
    assert group[0][0] == group[1][0] and len({each[0] for each in group}) == 3
    assert [each[0] == each[1] for each in group] == [False, False, True, True]
    assert (
        vectors_head(None).target(Example("c", SCOPE), ONE)[0]
        == vectors_head(None).target(Example("d", SCOPE), OTHER)[0]
    )


def test_the_loss_of_texts_out_of_scope_only_pushes_them_away() -> None:
    torch.manual_seed(0)
    vectors = torch.nn.functional.normalize(torch.randn(4, 4), dim=-1)
    known = [("light", ONE), ("light", OTHER), (SCOPE, Encoding([2, 7, 3], None)), (SCOPE, Encoding([2, 8, 3], None))]
    targets = torch.tensor(np.stack([vectors_head().target(Example("x", *[label]), ids) for label, ids in known]))
    losses = []
    for anchor, like in ((0, 1), (1, 0)):
        powers = {at: float(torch.exp(20 * vectors[anchor] @ vectors[at])) for at in range(4) if at != anchor}
        losses.append(-np.log(powers[like] / sum(powers.values())))
    assert float(vectors_head().loss(vectors, targets)) == pytest.approx(np.mean(losses), rel=1e-4)


def test_a_batch_holds_two_texts_of_a_class() -> None:
    examples = [Example(str(number), CLASSES[number % 3]) for number in range(12)]
    items = [
        Item(Encoding([2, number, 3], None), vectors_head().target(each, Encoding([2, number, 3], None)), number)
        for number, each in enumerate(examples)
    ]
    batches = LengthGroupedBatches.of(items, vectors_head(), 4, 0)
    assert isinstance(batches, TogetherBatches)
    for batch in batches:
        labels = [examples[place].label for place in batch]
        assert all(labels.count(label) > 1 for label in labels)
    plain = TextHead(TextHead.declare("text-classification", CLASSES))
    texts = [
        Item(item.encoding, plain.target(each, item.encoding), item.row)
        for each, item in zip(examples, items, strict=True)
    ]
    assert not isinstance(LengthGroupedBatches.of(texts, plain, 4, 0), TogetherBatches)


def test_a_model_has_vectors_and_a_package_has_classes() -> None:
    model, package = vectors_head(), head()
    assert (model.answers_a_vector, package.answers_a_vector) == (True, False)
    assert tuple(model.label_ids) == package.spec.labels == CLASSES and len(model.spec.labels) == 4
    assert package.tensors == ("logits", "vector") and model.tensors == ("logits",)
    assert package.untuned == head(threshold=0.5, scale=3.0).untuned
    assert not package.is_tuned and head(threshold=0.5).is_tuned
    assert PrototypeHead(package.tempered(2.0)).options.scale == SCALE / 2
    with pytest.raises(BadInputError, match="compares whole vectors"):
        model.sized(8, "mean", (4,))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    classes=st.integers(1, 5),
    width=st.integers(1, 8),
    added=st.integers(0, 3),
    threshold=st.none() | st.floats(-1, 1),
)
def test_an_answer_is_that_of_a_plain_loop(
    seed: int, classes: int, width: int, added: int, threshold: float | None
) -> None:
    draw = np.random.default_rng(seed)
    centres, vector = unit(draw.normal(size=(classes, width))), unit(draw.normal(size=width))
    names = tuple(f"class {number}" for number in range(classes))
    spec = head(threshold=threshold).spec.replace(labels=names)
    extra = [[unit(draw.normal(size=width)) for _ in range(2 + number)] for number in range(added)]
    for number, texts in enumerate(extra):
        spec = PrototypeHead(spec).with_class(f"new {number}", texts)
    cosines = [sum(a * b for a, b in zip(row, vector, strict=True)) for row in centres.tolist()]
    for texts in extra:
        mean = [sum(text[place] for text in texts) / len(texts) for place in range(width)]
        length = sum(value * value for value in mean) ** 0.5
        cosines.append(sum(a * b for a, b in zip(mean, vector, strict=True)) / (length or 1))
    powers = [np.exp(SCALE * (cosine - max(cosines))) for cosine in cosines]
    best = cosines.index(max(cosines))

    found = PrototypeHead(spec)
    logits = found.read(outputs(vector, centres))
    answer = found.decode(logits, ONE, "x")
    if threshold is not None and abs(max(cosines) - threshold) < 1e-5:
        return  # the logits are rounded to float32
    outside = threshold is not None and max(cosines) < threshold
    assert answer.label == (SCOPE if outside else spec.labels[best])
    score = min(1 - max(cosines), 1) if outside else powers[best] / sum(powers)
    assert answer.score == pytest.approx(score, abs=1e-5)
    assert answer.details.get("by_threshold", False) == outside


def test_the_threshold_is_tuned_on_cosines_and_follows_another_model() -> None:
    centres = np.eye(3, 4)
    inside = [unit(np.asarray(row)) for row in ([1, 0.1, 0, 0], [0, 1, 0.2, 0], [0.1, 0, 1, 0])]
    outside = [unit(np.asarray(row)) for row in ([0, 0, 0.1, 1.0], [0.2, 0, 0, 1.0], [-1.0, -1, -1, 0.5])]
    logits = [head().read(outputs(vector, centres)) for vector in (*inside, *outside)]
    tuned = PrototypeHead(head().tuned(logits, [*CLASSES, *[SCOPE] * 3]))
    assert 0.19 < tuned.options.threshold < 0.98
    answers = [tuned.decode(row, ONE, "x").label for row in logits]
    assert answers == [*CLASSES, *[SCOPE] * 3]
    other = PrototypeHead(head().matched([row * 0.5 for row in logits], answers))
    assert [other.decode(row * 0.5, ONE, "x").label for row in logits] == answers
    nothing = PrototypeHead(head().matched(logits, [*CLASSES, *CLASSES]))
    assert nothing.decode(logits[-1], ONE, "x").label in CLASSES  # a cosine below 0 is kept too
    assert head(None).tuned(logits, [*CLASSES] * 2) == head(None).spec


def test_support_is_the_probability_or_the_distance() -> None:
    row = head().read(outputs(np.asarray([0.6, 0.8, 0, 0]), np.eye(3, 4)))
    assert head().support(row, ONE, "music") == head().decode(row, ONE, "x").score
    assert head().support(row, ONE, SCOPE) == pytest.approx(0.2)
    assert "the nearest" not in " ".join(head().rules()) and "cosines" in head().rules()[0]
    assert "less than 0.5" in head(threshold=0.5).rules()[1] and len(head(None).rules()) == 1
    assert head(threshold=0.5).settings()["threshold on the cosine"].startswith("0.500")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("light", "there is a class 'light' already"),
        (SCOPE, "there is a class 'none' already"),
        (" ", "the name of the new class is empty"),
        ("a\nb", "has a control character"),
        ("a\x85", "has a control character"),
        ("a\ud800", "no Unicode text"),
    ],
)
def test_a_name_that_cannot_be_a_class_is_refused(name: str, said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        head().with_class(name, [np.ones(4)])
    assert not name_fault("Licht \u00e4n 🙂", CLASSES)


def test_a_class_without_texts_is_refused_and_zeros_stay_zeros() -> None:
    with pytest.raises(BadInputError, match="has no texts"):
        head().with_class("new", [])
    assert centre([np.zeros(3)]).tolist() == [0, 0, 0]
    twice = PrototypeHead(head().with_class("new", [np.ones(4)]))
    with pytest.raises(BadInputError, match="there is a class 'new' already"):
        twice.with_class("new", [np.ones(4)])
