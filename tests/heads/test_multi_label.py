"""The kind "multi-label": targets, losses, thresholds, answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import f1_score

from edge_ptf import tasks
from edge_ptf.examples import Encoding, Example
from edge_ptf.heads import HeadSpec, MultiLabelHead, PositiveWeights
from edge_ptf.heads.multi_label import LEAST_EXAMPLES, positive_weights, sigmoid

LABELS = ("anger", "fear", "joy", "love")
SPEC = MultiLabelHead.declare("multi-label-classification", LABELS)
HEAD = MultiLabelHead(SPEC)
NOWHERE = Encoding([2, 5, 3], None)

rows = arrays(np.float32, (6, 4), elements=st.floats(-20, 20, width=32))


def test_a_target_is_one_for_each_label_that_applies() -> None:
    assert HEAD.target(Example("x", ("fear", "love")), NOWHERE).tolist() == [0, 1, 0, 1]
    assert HEAD.target(Example("x", ()), NOWHERE).tolist() == [0] * 4
    assert HEAD.no_target(NOWHERE).tolist() == [-1] * 4
    assert HEAD.is_labelled(HEAD.target(Example("x", ()), NOWHERE))
    assert not HEAD.is_labelled(HEAD.no_target(NOWHERE))


def test_a_batch_of_targets_is_not_padded() -> None:
    batch = HEAD.batch_targets([HEAD.target(Example("x", ("joy",)), NOWHERE), HEAD.no_target(NOWHERE)], 9)
    assert batch.dtype == np.float32
    assert batch.tolist() == [[0, 0, 1, 0], [-1] * 4]


def test_the_loss_is_binary_cross_entropy_of_the_labelled_texts() -> None:
    logits = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([[1.0, 0, 0, 1], [-1, -1, -1, -1], [0, 0, 0, 0]])
    chance = logits.double().sigmoid()[[0, 2]]
    wanted = targets[[0, 2]].double()
    each = -(wanted * chance.log() + (1 - wanted) * (1 - chance).log())
    assert float(HEAD.loss(logits, targets)) == pytest.approx(float(each.mean()), rel=1e-5)
    assert float(HEAD.loss(logits, targets, reduction="sum")) == pytest.approx(float(each.sum()), rel=1e-5)
    smooth = wanted * 0.9 + 0.05
    each = -(smooth * chance.log() + (1 - smooth) * (1 - chance).log())
    assert float(HEAD.loss(logits, targets, 0.1)) == pytest.approx(float(each.mean()), rel=1e-5)


def test_no_label_gives_no_loss_but_a_gradient() -> None:
    logits = torch.ones(2, 4, requires_grad=True)
    HEAD.loss(logits, torch.full((2, 4), -1.0)).backward()
    assert logits.grad is not None and not logits.grad.any()


@given(rows, rows, st.floats(0.5, 5))
def test_distillation_is_the_divergence_of_each_label(student: np.ndarray, teacher: np.ndarray, heat: float) -> None:
    own, wanted = (np.float64(each) / heat for each in (student, teacher))
    yes, no = (lambda x: -np.logaddexp(0, -x)), (lambda x: -np.logaddexp(0, x))  # logarithms of both probabilities
    terms = np.exp(yes(wanted)) * (yes(wanted) - yes(own)) + np.exp(no(wanted)) * (no(wanted) - no(own))
    found = float(HEAD.distillation_loss(torch.tensor(student), torch.tensor(teacher), "kl", heat))
    assert found == pytest.approx(terms.sum(1).mean() * heat**2, rel=1e-3, abs=1e-3)
    assert found > -1e-4
    same = torch.tensor(teacher)
    assert float(HEAD.distillation_loss(same, same, "kl", heat)) == pytest.approx(0, abs=1e-6)
    distance = float(HEAD.distillation_loss(torch.tensor(student), torch.tensor(teacher), "mse", heat))
    assert distance == pytest.approx(float(np.square(np.float64(student) - teacher).mean()), rel=1e-4, abs=1e-6)


@given(arrays(np.float32, (4,), elements=st.floats(-90, 90, width=32)))
def test_an_answer_is_every_label_that_reaches_its_threshold(logits: np.ndarray) -> None:
    head = MultiLabelHead(SPEC.with_options(thresholds=[0.5, 0.1, 0.9, 1.0]))
    chances = sigmoid(logits)
    answer = head.decode(logits, NOWHERE, "x")
    wanted = [at for at, least in enumerate([0.5, 0.1, 0.9, 1.0]) if chances[at] >= least]
    assert answer.label == tuple(LABELS[at] for at in wanted)
    assert answer.score == pytest.approx(min(chances[wanted]) if wanted else 1 - max(chances))
    assert sorted(answer.ranking) == [0, 1, 2, 3]
    assert all(chances[a] >= chances[b] for a, b in zip(answer.ranking, answer.ranking[1:], strict=False))
    assert [item["label"] for item in answer.details["classes"]] == [LABELS[at] for at in answer.ranking]


def test_without_thresholds_a_label_applies_from_one_half_on() -> None:
    assert HEAD.decode(np.float32([0, -0.01, 3, -9]), NOWHERE, "x").label == ("anger", "joy")


def drawn(count: int, seed: int = 0) -> tuple[list[np.ndarray], list[tuple[str, ...]], np.ndarray]:
    random = np.random.default_rng(seed)
    truth = random.random((count, 4)) < [0.3, 0.02, 0.5, 0.1]
    logits = (random.normal(scale=1.5, size=truth.shape) + 2 * truth - [1, 3, 0, 2]).astype(np.float32)
    return list(logits), [tuple(np.asarray(LABELS)[row]) for row in truth], truth


def f1(spec: HeadSpec, logits: list[np.ndarray], truth: np.ndarray, label: int | None = None) -> float:
    head = MultiLabelHead(spec)
    found = np.asarray([[name in head.decode(row, NOWHERE, "x").label for name in LABELS] for row in logits])
    columns = slice(None) if label is None else label
    return float(f1_score(truth[:, columns].ravel(), found[:, columns].ravel(), zero_division=0))


@pytest.mark.parametrize("seed", range(3))
def test_no_other_threshold_of_a_frequent_label_has_a_better_f1(seed: int) -> None:
    logits, references, truth = drawn(400, seed)
    spec = HEAD.tuned(logits, references)
    for label in np.flatnonzero(truth.sum(0) >= LEAST_EXAMPLES):
        best = f1(spec, logits, truth, label)
        for threshold in np.linspace(0.02, 0.98, 49):
            other = [*spec.options["thresholds"]]
            other[label] = float(threshold)
            assert f1(spec.with_options(thresholds=other), logits, truth, label) <= best + 1e-9


def test_a_rare_label_gets_the_threshold_that_is_best_for_all_labels_together() -> None:
    logits, references, truth = drawn(300)
    assert truth[:, 1].sum() < LEAST_EXAMPLES
    common = HEAD.tuned(logits, references).options["thresholds"][1]
    best = f1(SPEC.with_options(thresholds=[common] * 4), logits, truth)
    for threshold in np.linspace(0.02, 0.98, 49):
        assert f1(SPEC.with_options(thresholds=[float(threshold)] * 4), logits, truth) <= best + 1e-9


@pytest.mark.parametrize("counts", [(0, 0, 0, 0), (50, 0, 13, 1), (50, 50, 50, 50)])
def test_matched_thresholds_give_each_label_as_often_as_the_other_model(counts: tuple[int, ...]) -> None:
    logits, _, _ = drawn(50)
    others = [tuple(name for name, count in zip(LABELS, counts, strict=True) if at < count) for at in range(50)]
    head = MultiLabelHead(HEAD.matched(logits, others))
    answers = [head.decode(row, NOWHERE, "x").label for row in logits]
    assert tuple(sum(name in each for each in answers) for name in LABELS) == counts


def test_a_label_without_validation_examples_keeps_the_threshold_of_all_labels() -> None:
    logits, references, truth = drawn(300)
    without = [tuple(name for name in names if name != "fear") for names in references]
    thresholds = HEAD.tuned(logits, without).options["thresholds"]
    best = f1(SPEC.with_options(thresholds=[thresholds[1]] * 4), logits, truth & [True, False, True, True])
    for threshold in np.linspace(0.02, 0.98, 49):
        other = SPEC.with_options(thresholds=[float(threshold)] * 4)
        assert f1(other, logits, truth & [True, False, True, True]) <= best + 1e-9


def test_a_label_that_the_other_model_never_answers_keeps_the_threshold_of_all_labels() -> None:
    scores = np.float32([[2, -5, 1, 0], [3, -4, -1, 0], [-3, -6, 2, 0], [-2, -5, -2, 0]])
    others = [("anger", "joy"), ("anger",), ("joy",), ()]
    thresholds = HEAD.matched(list(scores), others).options["thresholds"]
    ordered = np.sort(sigmoid(scores).ravel())[::-1]
    assert thresholds[1] == pytest.approx((ordered[3] + ordered[4]) / 2)  # four labels were answered in all
    reached = scores.copy()
    reached[0, 1] = 9  # now the threshold of all labels would answer it
    head = MultiLabelHead(HEAD.matched(list(reached), others))
    assert not any("fear" in head.decode(row, NOWHERE, "x").label for row in reached)
    assert head.options.thresholds[1] > sigmoid(reached)[0, 1]


TARGETS = [np.float32(row) for row in ([1, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0])]


def test_positive_weights_make_the_examples_with_a_label_weigh_as_much_as_the_others() -> None:
    assert positive_weights(np.stack(TARGETS), "balanced").tolist() == pytest.approx([0.25, 1, 4, 1])
    assert positive_weights(np.stack(TARGETS), "root").tolist() == pytest.approx([0.5, 1, 2, 1])


@pytest.mark.parametrize("form", ["balanced", "root"])
def test_the_weighted_loss_multiplies_the_terms_of_labels_that_apply(form: PositiveWeights) -> None:
    logits = torch.randn(3, 4, generator=torch.Generator().manual_seed(1))
    targets = torch.tensor([[1.0, 0, 0, 1], [-1, -1, -1, -1], [0, 0, 1, 0]])
    chance, wanted = logits.double().sigmoid()[[0, 2]], targets[[0, 2]].double()
    weights = torch.tensor(positive_weights(np.stack(TARGETS), form)).double()
    each = -(weights * wanted * chance.log() + (1 - wanted) * (1 - chance).log())
    loss = HEAD.weighted_loss(TARGETS, form)
    assert float(loss(logits, targets, 0.0)) == pytest.approx(float(each.mean()), rel=1e-5)
    same = HEAD.weighted_loss(TARGETS, "none")
    assert float(same(logits, targets, 0.1)) == float(HEAD.loss(logits, targets, 0.1))


def test_a_head_without_weights_of_labels_refuses_them() -> None:
    head = tasks.create(tasks.get("text-classification").spec_for(("a", "b"))).head
    assert not head.weighs_labels
    with pytest.raises(ValueError, match="has no weights of labels"):
        head.weighted_loss([], "balanced")


def test_nothing_to_tune_on_leaves_the_head_as_it_is() -> None:
    assert HEAD.tuned([], []) == HEAD.matched([], []) == SPEC
    assert HEAD.tunes
    assert MultiLabelHead(SPEC.with_options(thresholds=[0.1] * 4)).untuned == SPEC


@pytest.mark.parametrize("thresholds", [[0.5], [0.5] * 5, [0.5, 0.5, 0.5, 1.5], [0.5, 0.5, 0.5, -1], "0.5"])
def test_wrong_thresholds_are_refused(thresholds: object) -> None:
    with pytest.raises(ValueError, match="thresholds"):
        MultiLabelHead(SPEC.with_options(thresholds=thresholds))


def test_transformers_reads_the_head_as_multi_label() -> None:
    assert HEAD.model_config()["problem_type"] == "multi_label_classification"
