"""Windows of a long context: what transformers makes of it, and nothing left out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_ptf.errors import BadInputError
from edge_ptf.examples import Example
from edge_ptf.heads.span import tokens_of
from edge_ptf.heads.windows import encode_windows
from edge_ptf.package.tokenizer import PackageTokenizer, plain_document
from tests.conftest import wordpiece_tokenizer

WORDS = ("turn", "on", "the", "lights", "playing", "unplayable", "é", "日本", "🙂", "x!")
words = st.lists(st.sampled_from(WORDS), min_size=1, max_size=60).map(" ".join)
questions = st.lists(st.sampled_from(WORDS), min_size=1, max_size=5).map(" ".join)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return wordpiece_tokenizer()


def packaged(tokenizer: Any) -> PackageTokenizer:
    document = plain_document(tokenizer.backend_tokenizer.to_str().encode())
    return PackageTokenizer(document, ("input_ids", "token_type_ids"))


@settings(deadline=None, max_examples=60)
@given(questions, words, st.integers(34, 60), st.integers(0, 40))
def test_the_windows_are_those_of_transformers(question: str, context: str, limit: int, stride: int) -> None:
    tokenizer = wordpiece_tokenizer()
    (found,) = encode_windows(tokenizer, [Example(question, (), context)], limit, stride)
    room = limit - 3 - len(tokenizer(question, add_special_tokens=False)["input_ids"])
    if room < (limit - 3 + 1) // 2:
        return  # transformers does not truncate a question
    wanted = tokenizer(
        question,
        context,
        truncation="only_second",
        max_length=limit,
        stride=min(stride, room // 2),
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    parts = found.parts()
    assert [part.input_ids for part in parts] == wanted["input_ids"]
    assert [part.token_type_ids for part in parts] == wanted["token_type_ids"]
    for number, part in enumerate(parts):
        sources = wanted.sequence_ids(number)
        offsets = [
            tuple(place) if source == 1 else (0, 0)
            for place, source in zip(wanted["offset_mapping"][number], sources, strict=True)
        ]
        assert list(part.places) == offsets
    assert encode_windows(packaged(tokenizer), [Example(question, (), context)], limit, stride) == [found]


@settings(deadline=None, max_examples=60)
@given(questions, words, st.integers(8, 40), st.integers(0, 40), st.data())
def test_every_token_and_every_short_answer_is_in_a_window(
    question: str, context: str, limit: int, stride: int, data: st.DataObject
) -> None:
    tokenizer = wordpiece_tokenizer()
    (found,) = encode_windows(tokenizer, [Example(question, (), context)], limit, stride)
    assert all(len(part.input_ids) <= limit for part in found.parts())
    places = {place for part in found.parts() for place in part.places}
    alone = tokenizer(context, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    assert places - {(0, 0)} == {tuple(place) for place in alone}
    held = min(sum(place != (0, 0) for place in part.places) for part in found.parts()[:1])
    shared = min(stride, held // 2) if found.windows else len(alone)
    if shared:  # an answer of at most so many tokens lies in a window as a whole
        first = data.draw(st.integers(0, len(alone) - 1))
        last = min(first + data.draw(st.integers(0, shared - 1)), len(alone) - 1)
        span = (alone[first][0], alone[last][1])
        inside = [part for part in found.parts() if tokens_of(span, part) is not None]
        assert inside
        first_token, last_token = tokens_of(span, inside[0]) or (0, 0)
        assert (inside[0].places[first_token][0], inside[0].places[last_token][1]) == span


def test_a_question_has_at_most_half_of_the_room(tokenizer: Any) -> None:
    (found,) = encode_windows(tokenizer, [Example("turn " * 50, (), "lights on " * 10)], 13, 128)
    assert len(found.windows) > 1
    assert all(sum(place == (0, 0) for place in part.places) == 3 + 5 for part in found.parts())


def test_the_smallest_window_has_one_token_of_the_context(tokenizer: Any) -> None:
    (found,) = encode_windows(tokenizer, [Example("turn on", (), "lights on now")], 4, 128)
    assert found.windows == (4,) * len(tokenizer("lights on now", add_special_tokens=False)["input_ids"])


def test_a_long_context_takes_time_in_proportion(tokenizer: Any) -> None:
    (found,) = encode_windows(tokenizer, [Example("turn on", (), "lights " * 60_000)], 48, 30)
    assert len(found.windows) > 2_500


def test_a_question_alone_is_refused(tokenizer: Any) -> None:
    with pytest.raises(BadInputError, match="needs a context") as error:
        encode_windows(tokenizer, [Example("turn", ())], 13, 128)
    assert "the question, then the context" in str(error.value.hint)
    with pytest.raises(BadInputError, match="no room"):
        encode_windows(tokenizer, [Example("turn", (), "on")], 3, 128)


def test_a_space_that_a_tokenizer_counts_to_a_word_is_not_of_the_answer() -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    core = Tokenizer(models.WordLevel({"▁a": 0, "▁b": 1, "[UNK]": 2}, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.Metaspace()
    (found,) = encode_windows(PackageTokenizer(core.to_str().encode(), ()), [Example("a", (), "a b")], 8, 2)
    assert found.places[1:] == ((0, 1), (2, 3))
    assert found.token_type_ids is None
