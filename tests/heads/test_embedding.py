"""The kind "embedding": targets, losses, answers, and the model that pools."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from edge_ptf import models, tasks
from edge_ptf.examples import Encoding, Example
from edge_ptf.heads import EmbeddingHead
from edge_ptf.heads.embedding import CLASSES, PAIRS, SCORES, cosine, leading, pairs_of
from edge_ptf.heads.pooled_model import pooled, unit
from edge_ptf.heads.vector_losses import contrastive, cosent, similarity_distance
from edge_ptf.models.checkpoint import load_base_model, load_tokenizer
from edge_ptf.models.sentence_models import with_vectors

ONE, OTHER = Encoding([2, 5, 3], None), Encoding([2, 6, 3], None)


def head(form: str | None = SCORES, width: int = 4, **options: object) -> EmbeddingHead:
    spec = EmbeddingHead.declare("sentence-embedding", ("0",)).with_options(form=form)
    return EmbeddingHead(EmbeddingHead(spec).sized(width, "mean").with_options(**options))


def rows(*values: list[float]) -> torch.Tensor:
    return unit(torch.tensor(values, dtype=torch.float32))


def test_texts_of_a_pair_have_the_number_of_the_pair_and_their_own() -> None:
    example = Example("a", 0.5, "b")
    first, second = head().target(example, ONE), head().target(example, OTHER)
    assert first[0] == second[0] and first[1] != second[1] and first[2] == second[2] == 0.5
    assert head().target(Example("a", 0.5, "c"), ONE)[0] != first[0]
    assert head(CLASSES).target(Example("x", "one"), ONE)[0] == head(CLASSES).target(Example("y", "one"), OTHER)[0]
    assert not head().is_labelled(head().no_target(ONE)) and head().is_labelled(first)
    assert pairs_of([7.0, 7.0, 9.0, 8.0, 8.0, 7.0, 7.0]) == ([0, 3, 5], [1, 4, 6])  # 9 is torn from its other half


def test_cosent_equals_the_formula() -> None:
    cosines, scores = torch.tensor([0.9, 0.1, 0.5]), torch.tensor([1.0, 3.0, 3.0])
    terms = [
        math.exp(20 * (0.9 - 0.1)),
        math.exp(20 * (0.9 - 0.5)),
    ]  # the pair with the lower score against both others
    assert float(cosent(cosines, scores)) == pytest.approx(math.log(1 + sum(terms)), rel=1e-5)
    assert float(cosent(torch.tensor([0.1, 0.9]), torch.tensor([1.0, 2.0]))) == pytest.approx(math.exp(-16), abs=1e-6)


def test_the_contrastive_loss_equals_a_plain_loop() -> None:
    torch.manual_seed(0)
    vectors = unit(torch.randn(6, 5))
    groups, texts = torch.tensor([1.0, 1, 2, 2, 2, 3]), torch.arange(6).double()
    losses = []
    for anchor in range(5):  # the last text is alone in its group
        others = [at for at in range(6) if at != anchor]
        powers = {at: math.exp(20 * float(vectors[anchor] @ vectors[at])) for at in others}
        alike = [at for at in others if groups[at] == groups[anchor]]
        losses.append(-sum(math.log(powers[at] / sum(powers.values())) for at in alike) / len(alike))
    assert float(contrastive(vectors, groups, texts)) == pytest.approx(sum(losses) / 5, rel=1e-5)


def test_a_text_of_two_pairs_is_like_the_other_texts_of_both() -> None:
    vectors = rows([1, 0], [0.9, 0.1], [1, 0], [0.8, 0.3], [0, 1], [0.1, 1])
    groups, texts = torch.tensor([1.0, 1, 2, 2, 3, 3]), torch.tensor([5.0, 6, 5, 7, 8, 9])
    one = contrastive(vectors, groups, texts)
    joined = contrastive(vectors[[0, 1, 3, 4, 5]], torch.tensor([1.0, 1, 1, 3, 3]), texts[[0, 1, 3, 4, 5]])
    assert torch.isfinite(one) and torch.isfinite(joined)
    apart = contrastive(vectors, groups, torch.arange(6).double())  # now equal texts count as different
    assert float(one) < float(apart)


def test_batches_without_a_whole_pair_or_a_like_text_have_a_loss_of_zero_with_a_gradient() -> None:
    for form, targets in ((SCORES, [[1, 5, 0.5], [2, 6, 0.7]]), (CLASSES, [[1, 5, math.nan], [2, 6, math.nan]])):
        for values in (targets, [[math.nan] * 3] * 2):
            logits = torch.eye(2, 4, requires_grad=True)
            loss = head(form).loss(logits, torch.tensor(values, dtype=torch.float64))
            loss.backward()
            assert float(loss.detach()) == 0 and logits.grad is not None


def test_shorter_vectors_are_trained_too() -> None:
    torch.manual_seed(0)
    vectors, targets = unit(torch.randn(4, 4)), torch.tensor([[1.0, 5, 3], [1, 6, 3], [2, 7, 1], [2, 8, 1]]).double()
    whole = head().loss(vectors, targets)
    short = head(width=2).loss(unit(vectors[:, :2]), targets)
    assert float(head(matryoshka=(2,)).loss(vectors, targets)) == pytest.approx(float((whole + short) / 2), rel=1e-5)


def test_distillation_matches_vectors_and_similarities() -> None:
    torch.manual_seed(0)
    student, teacher = unit(torch.randn(5, 4)), unit(torch.randn(5, 4))
    apart = (student - teacher).square().sum(-1).mean()
    found = [
        [float(student[a] @ student[b] - teacher[a] @ teacher[b]) ** 2 for b in range(5) if b != a] for a in range(5)
    ]
    wanted = float(apart) + float(np.mean(found))
    assert float(head().distillation_loss(student, teacher, "mse", 2.0)) == pytest.approx(wanted, rel=1e-5)
    for form in ("mse", "kl"):
        assert float(head().distillation_loss(teacher, teacher, form, 2.0)) == pytest.approx(0, abs=1e-6)
        assert float(similarity_distance(student, teacher, form, 2.0)) > 0
        assert float(similarity_distance(student[:1], teacher[:1], form, 2.0)) == 0


def test_an_answer_is_a_vector_and_of_two_texts_their_cosine() -> None:
    one = head().decode(np.float32([0.6, 0, 0.8, 0]), ONE, "x")
    assert (one.label, one.score) == ((0.6, 0.0, 0.8, 0.0), 1.0)
    two = np.float32([0.6, 0, 0.8, 0, 1, 0, 0, 0])
    answer = head().decode(two, ONE, "x")
    assert answer.label == answer.score == pytest.approx(0.6) and answer.details == {"cosine": answer.score}
    assert head(PAIRS).decode(two, ONE, "x").label == (0.6, 0.0, 0.8, 0.0, 1.0, 0.0, 0.0, 0.0)
    assert head().support(two, ONE, None) == pytest.approx(0.6)
    assert head().support(two[:4], ONE, None) is None


def test_leading_numbers_have_the_length_1_again() -> None:
    short = head(dimensions=2).decode(np.float32([0.6, 0, 0.8, 0]), ONE, "x")
    assert short.label == (1.0, 0.0)
    assert leading(np.asarray([[3.0, 4.0, 12.0], [0.0, 0.0, 1.0]]), 2).tolist() == [[0.6, 0.8], [0.0, 0.0]]
    assert head(dimensions=2).untuned == head().untuned  # a shorter answer belongs to the same model
    with pytest.raises(ValueError, match="dimensions is 5, but a vector has 4 numbers"):
        head(dimensions=5)
    assert cosine(np.zeros(2), np.ones(2)) == 0


def test_padding_does_not_count_in_the_mean() -> None:
    states = torch.randn(2, 5, 3)
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]])
    assert torch.allclose(pooled(states, mask, "mean")[1], states[1, :2].mean(0), atol=1e-6)
    assert torch.allclose(pooled(states, None, "mean"), states.mean(1), atol=1e-6)
    assert torch.equal(pooled(states, mask, "first"), states[:, 0])


@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta", "electra"])
@pytest.mark.parametrize("pooling", ["mean", "first"])
def test_an_untrained_model_gives_the_pooled_states_of_its_encoder(
    tiny_base: Callable[[str], Path], family: str, pooling: str
) -> None:
    base = tiny_base(family)
    task = with_vectors(base, tasks.create(tasks.get("sentence-embedding").spec_for((SCORES,))), pooling, ())
    model, tokenizer = load_base_model(base, task).eval(), load_tokenizer(base)
    batch = tokenizer(["turn on the lights", "play music please now"], padding=True, return_tensors="pt")
    with torch.no_grad():
        found = model(**batch, output_hidden_states=True)
        states = models.encoder(model)(**batch).last_hidden_state
        wanted = unit(pooled(states, batch["attention_mask"], pooling))
        assert torch.allclose(found.logits, wanted, atol=1e-6)
        assert torch.allclose(copy.deepcopy(model)(**batch).logits, wanted, atol=1e-6)
    assert len(found.hidden_states) == 4
    assert type(model).__name__.endswith("ForTokenClassification")
    assert task.head.reads_first_token == (pooling == "first")
