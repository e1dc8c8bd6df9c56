"""Tag schemes: one reading for all of them, conversion to BIO, and which scheme the tags of train are written in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import BILOU, IOB1, IOB2, IOBES, IOE1, IOE2, Entities

from edge_ptf.config import parse
from edge_ptf.data.dataset import DataConfig
from edge_ptf.errors import ConfigError
from edge_ptf.examples import Example
from edge_ptf.heads.token import spans
from edge_ptf.tasks.base import RowError
from edge_ptf.tasks.tag_schemes import LETTERS, SCHEMES, TagScheme, entities, misfits, recognised, to_bio, written
from edge_ptf.tasks.token_classification import TokenClassification

OF_SEQEVAL = {"bio": IOB2, "iob1": IOB1, "bioes": IOBES, "bilou": BILOU, "ioe2": IOE2, "ioe1": IOE1}


@st.composite
def sentences(draw: st.DrawFn) -> tuple[list[tuple[str, int, int]], int]:
    """Entities that do not overlap, some of them side by side, and the number of words."""
    found, place = [], 0
    for gap, length, kind in draw(
        st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4), st.sampled_from(["A", "B", "a-b"])), max_size=6)
    ):
        found.append((kind, place + gap, place + gap + length - 1))
        place += gap + length
    return found, place + draw(st.integers(0, 2))


def starts_with_end(tags: tuple[str, ...]) -> bool:
    """Whether an entity of one word has the tag E-."""
    return any(tags[first].startswith("E-") for _, first, _ in entities(tags))


def test_every_scheme_of_seqeval_is_known() -> None:
    assert set(OF_SEQEVAL) == set(SCHEMES) == set(LETTERS)


@pytest.mark.parametrize("scheme", SCHEMES)
@given(sentences())
def test_tags_of_a_scheme_are_those_of_seqeval_and_become_bio(
    scheme: TagScheme, given: tuple[list[tuple[str, int, int]], int]
) -> None:
    found, count = given
    tags = written(scheme, found, count)
    if count and not (scheme == "ioe1" and starts_with_end(tags)):  # seqeval's IOE1 begins no entity with E-
        strict = Entities([list(tags)], OF_SEQEVAL[scheme]).entities[0]
        assert [(entity.tag, entity.start, entity.end - 1) for entity in strict] == found
    assert entities(tags) == found
    assert misfits(scheme, tags) == 0
    bio = to_bio(scheme, tags)
    assert bio == written("bio", found, count)
    assert spans(bio) == found


@given(st.lists(st.sampled_from(["O", *(f"{letter}-{kind}" for letter in "BIES" for kind in "AB")]), max_size=9))
def test_any_tags_are_read_as_seqeval_reads_them(tags: list[str]) -> None:
    assert entities(tags) == get_entities(tags)
    assert spans(to_bio("bioes", tags)) == get_entities(tags)
    as_bilou = [tag.replace("E-", "L-").replace("S-", "U-") for tag in tags]
    assert entities(as_bilou) == get_entities(tags)


@given(st.sampled_from(SCHEMES), st.lists(sentences(), min_size=1, max_size=8))
def test_clean_tags_are_recognised_with_the_entities_they_were_written_for(
    scheme: TagScheme, texts: list[tuple[list[tuple[str, int, int]], int]]
) -> None:
    tags = [written(scheme, found, count) for found, count in texts]
    guess, wrong = recognised(tags)
    assert wrong == 0
    assert [to_bio(guess, each) for each in tags] == [written("bio", found, count) for found, count in texts]


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        (["B-a I-a O", "O I-a"], "bio"),  # one tag against each scheme: BIO
        (["I-a I-a O I-b", "I-a B-a"], "iob1"),
        (["I-a O"], "iob1"),
        (["B-a I-a B-a O B-b"], "bio"),
        (["B-a I-a O", "B-b O B-a", "O I-a"], "bio"),
        (["I-a O I-b", "O I-a I-a", "B-a O"], "iob1"),
        (["S-a O B-b E-b"], "bioes"),
        (["U-a O"], "bilou"),
        (["I-a E-a O E-a"], "ioe2"),
        (["I-a I-a O I-a E-a I-a"], "ioe1"),
        (["O O"], "bio"),
        ([], "bio"),
    ],
)
def test_the_scheme_with_the_fewest_misfits_is_chosen(tags: list[str], scheme: TagScheme) -> None:
    assert recognised([each.split() for each in tags])[0] == scheme


def test_bio_tags_stay_as_they_are_and_odd_ones_are_counted() -> None:
    examples = [Example("a b c", ("B-x", "I-x", "O")), Example("d", ("I-x",)), Example("e f", ("B-x", "B-x"))]
    rewrite, notes = TokenClassification.rewriting(examples, DataConfig())
    assert rewrite is not None
    assert [rewrite(example) for example in examples] == examples
    assert notes == ("Tags of train that do not follow the scheme bio: 1. They are read by the rules of conlleval.",)
    assert TokenClassification.rewriting(examples[::2], DataConfig())[1] == ()


def test_a_tag_of_another_scheme_is_refused_with_its_place() -> None:
    with pytest.raises(
        RowError, match=r"'E-x' is not of the scheme of the data, bilou \(allowed: O, B-, I-, L-, U-\)"
    ) as caught:
        to_bio("bilou", ["U-x", "O", "E-x"])
    assert caught.value.item == 2


@pytest.mark.parametrize(("name", "scheme"), [("IOB2", "bio"), ("BILOU", "bilou"), ("iobes", "bioes"), (None, None)])
def test_usual_other_names_of_a_scheme_are_known(name: str | None, scheme: str | None) -> None:
    assert DataConfig.model_validate({"tag_scheme": name}).tag_scheme == scheme


def test_an_unknown_scheme_is_refused_with_all_names() -> None:
    with pytest.raises(ConfigError) as caught:
        parse(DataConfig, {"tag_scheme": "bmes"}, where="edge-ptf.yaml")
    assert all(f"'{scheme}'" in str(caught.value) for scheme in SCHEMES)
