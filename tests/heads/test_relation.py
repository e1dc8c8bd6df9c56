"""The kind "relation": markers, targets, losses, answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from edge_ptf.errors import BadInputError
from edge_ptf.examples import Encoding, Example
from edge_ptf.heads import RelationHead
from edge_ptf.heads.relation import MARKERS, marker_positions
from tests.conftest import wordpiece_tokenizer

LABELS = ("cause", "other", "part")
HEAD = RelationHead(RelationHead.declare("relation-extraction", LABELS, no_relation="other"))
TEXT = "turn <e1>on</e1> the <e2>lights</e2>"
FIVE = Encoding([2, 7, 8, 9, 3], None, (1, 3))


def marked_tokenizer() -> object:
    from tokenizers import AddedToken

    tokenizer = wordpiece_tokenizer()
    tokenizer.add_tokens(
        [AddedToken(marker, special=True, normalized=False) for marker in MARKERS], special_tokens=True
    )
    return tokenizer


def test_positions_are_those_of_the_markers_that_begin_an_entity() -> None:
    tokenizer = marked_tokenizer()
    found = marker_positions(tokenizer, TEXT, MARKERS, 64)
    tokens = tokenizer.convert_ids_to_tokens(found.input_ids)
    assert [tokens[place] for place in found.word_starts] == ["<e1>", "<e2>"]


def test_a_marker_that_was_truncated_or_never_there_has_no_position() -> None:
    tokenizer = marked_tokenizer()
    assert marker_positions(tokenizer, TEXT, MARKERS, 6).word_starts[1] == -1
    assert marker_positions(tokenizer, "turn on the lights", MARKERS, 64).word_starts == (-1, -1)


def test_a_target_stands_at_both_markers() -> None:
    assert HEAD.target(Example(TEXT, "part"), FIVE).tolist() == [-100, 2, -100, 2, -100]
    assert HEAD.target(Example(TEXT, "part"), Encoding([2, 7, 3], None, (1, -1))).tolist() == [-100, 2, -100]


def test_the_loss_is_the_cross_entropy_of_the_sum() -> None:
    logits = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([[-100, 0, -100, 0, -100], [-100, -100, 1, -100, -100]])
    summed = torch.stack([logits[0, 1] + logits[0, 3], logits[1, 2]])
    wanted = torch.nn.functional.cross_entropy(summed, torch.tensor([0, 1]))
    assert float(HEAD.loss(logits, targets)) == pytest.approx(float(wanted), rel=1e-6)


def test_a_text_without_a_target_gives_no_loss_but_a_gradient() -> None:
    logits = torch.ones(1, 5, 3, requires_grad=True)
    loss = HEAD.loss(logits, torch.full((1, 5), -100))
    loss.backward()
    assert float(loss.detach()) == 0 and logits.grad is not None


def test_the_answer_has_the_largest_sum() -> None:
    logits = np.zeros((5, 3), np.float32)
    logits[1], logits[3], logits[2] = (3, 0, 0), (0, 0, 2), (0, 99, 0)
    found = HEAD.decode(logits, FIVE, TEXT)
    powers = np.exp([3.0, 0.0, 2.0])
    assert (found.label, found.score) == ("cause", pytest.approx(powers[0] / powers.sum()))
    assert [item["label"] for item in found.details["classes"]] == ["cause", "part", "other"]


def test_a_text_without_markers_cannot_be_answered() -> None:
    with pytest.raises(BadInputError, match="no marker <e2>") as error:
        HEAD.decode(np.zeros((5, 3), np.float32), FIVE, "<e1>turn</e1> on")
    assert "<e1>Anna</e1> lives in <e2>Rome</e2>" in str(error.value.hint)


@pytest.mark.parametrize("markers", [("a", "b", "c"), ("a", "b", "c", "a"), ("a", "b", "c", "")])
def test_there_are_four_different_markers(markers: tuple[str, ...]) -> None:
    with pytest.raises((ValueError, ValidationError), match="four different markers"):
        RelationHead(HEAD.spec.with_options(markers=markers))
