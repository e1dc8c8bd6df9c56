"""Tag schemes: how the tags of the words of an entity are written.

| scheme | an entity of three words | of one word |
| --- | --- | --- |
| bio (IOB2) | B I I | B |
| iob1 | I I I | I; the first tag is B behind an entity of the same type |
| bioes (IOBES) | B I E | S |
| bilou | B I L | U |
| ioe2 | I I E | E |
| ioe1 | I I I | I; the last tag is E before an entity of the same type |

One reading serves all of them, because a letter has the same meaning in each scheme that has it. It is the reading of
conlleval and of seqeval in its default mode, with L as E and U as S.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal, get_args

from edge_ptf.heads.token import OUTSIDE
from edge_ptf.tasks.base import RowError

TagScheme = Literal["bio", "iob1", "bioes", "bilou", "ioe2", "ioe1"]
SCHEMES: tuple[TagScheme, ...] = get_args(TagScheme)
"""Every scheme. Of schemes that fit equally well, the first one is chosen."""
OTHER_NAMES: dict[str, TagScheme] = {"iob2": "bio", "iobes": "bioes"}
LETTERS: dict[TagScheme, str] = {
    "bio": "BI",
    "iob1": "BI",
    "bioes": "BIES",
    "bilou": "BILU",
    "ioe2": "IE",
    "ioe1": "IE",
}
TAG = re.compile(r"O|[BIESLU]-\S+")
ALLOWED = "O, or B-, I-, E-, S-, L- or U- with a type"

Entity = tuple[str, int, int]
"""Type, first word and last word."""


def entities(tags: Sequence[str]) -> list[Entity]:
    """The entities that tags of any scheme form.

    B- and S- (U-) begin an entity. I- and E- (L-) continue one of the same type, and begin one if there is none.
    E- (L-) and S- (U-) end it.
    """
    found: list[Entity] = []
    kind: str | None = None
    first = 0
    for index, tag in enumerate((*tags, OUTSIDE)):
        letter, _, name = tag.partition("-")
        continues = name == kind and letter in "IEL"
        if kind is not None and not continues:
            found.append((kind, first, index - 1))
            kind = None
        if letter == OUTSIDE:
            continue
        if not continues:
            kind, first = name, index
        if letter in "ELSU":
            found.append((name, first, index))
            kind = None
    return found


def written(scheme: TagScheme, found: Sequence[Entity], count: int) -> tuple[str, ...]:
    """The tags of `count` words with these entities, in order and apart from each other."""
    tags = [OUTSIDE] * count
    for place, (kind, first, last) in enumerate(found):
        letters = ["I"] * (last - first + 1)
        behind = found[place - 1] if place else None
        before = found[place + 1] if place + 1 < len(found) else None
        match scheme:
            case "bio":
                letters[0] = "B"
            case "iob1":
                letters[0] = "B" if behind and behind[::2] == (kind, first - 1) else "I"
            case "ioe2":
                letters[-1] = "E"
            case "ioe1":
                letters[-1] = "E" if before and before[:2] == (kind, last + 1) else "I"
            case _:
                end, alone = ("E", "S") if scheme == "bioes" else ("L", "U")
                letters = ["B", *letters[1:-1], end] if last > first else [alone]
        tags[first : last + 1] = [f"{letter}-{kind}" for letter in letters]
    return tuple(tags)


def misfits(scheme: TagScheme, tags: Sequence[str]) -> int:
    """The number of tags that the scheme writes in another way for the same entities."""
    wanted = written(scheme, entities(tags), len(tags))
    return sum(tag != own for tag, own in zip(tags, wanted, strict=True))


def all_misfits(scheme: TagScheme, sentences: Iterable[Sequence[str]]) -> int:
    """The sum of `misfits` over sentences."""
    counts = Counter(map(tuple, sentences))
    return sum(times * misfits(scheme, tags) for tags, times in counts.items())


def recognised(sentences: Sequence[Sequence[str]]) -> tuple[TagScheme, int]:
    """The scheme with the fewest misfits in these tags, and their number.

    In a clean file the number is 0. If there are only B- and I- tags, it is BIO or IOB1: an I- that begins an entity is
    a misfit in BIO, and a B- that does not follow an entity of the same type is one in IOB1.
    """
    fewest: tuple[TagScheme, int] = SCHEMES[0], all_misfits(SCHEMES[0], sentences)
    for scheme in SCHEMES[1:]:
        if fewest[1] and (count := all_misfits(scheme, sentences)) < fewest[1]:
            fewest = scheme, count
    return fewest


def to_bio(scheme: TagScheme, tags: Sequence[str]) -> tuple[str, ...]:
    """The tags of one sentence as BIO; tags of the scheme BIO stay as they are.

    Raises:
        RowError: a tag has a letter that the scheme does not have.
    """
    for item, tag in enumerate(tags):
        if tag != OUTSIDE and tag[0] not in LETTERS[scheme]:
            allowed = ", ".join(f"{letter}-" for letter in LETTERS[scheme])
            raise RowError(f"tag '{tag}' is not of the scheme of the data, {scheme} (allowed: O, {allowed})", item=item)
    return tuple(tags) if scheme == "bio" else written("bio", entities(tags), len(tags))


def notes(scheme: TagScheme, count: int, given: bool) -> tuple[str, ...]:
    """Sentences for the reader of the data.

    Args:
        count: misfits in train.
        given: the user named the scheme.
    """
    said = []
    if scheme != "bio":
        how = "as data.tag_scheme says" if given else "recognised from train"
        said.append(f"Tag scheme: {scheme}, {how}. The tags are converted to BIO.")
    if count:
        said.append(
            f"Tags of train that do not follow the scheme {scheme}: {count}. They are read by the rules of conlleval."
        )
    return tuple(said)
