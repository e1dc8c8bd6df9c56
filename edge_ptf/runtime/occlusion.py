"""Which words an answer rests on: each word is left out in turn, and the model answers again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from edge_ptf.errors import BadInputError
from edge_ptf.examples import Encoding, Logits
from edge_ptf.heads.encoding import WORD
from edge_ptf.tasks.base import Task


class Answers(Protocol):
    """What answers texts: a package or a checkpoint."""

    task: Task

    def encode(self, text: str, text_pair: str | None = None) -> Encoding:
        """Token ids."""

    def logits(self, encoding: Encoding) -> Logits:
        """Of one text."""


@dataclass(frozen=True, slots=True)
class WordEffect:
    """One word, and how much less the model supports its answer without this word.

    `start` and `end` are character offsets in the first text, or in the second one if `in_pair`. A negative effect
    means that the word speaks against the answer. `head` is the name of the task whose answer it is; empty if there is
    one task.
    """

    word: str
    start: int
    end: int
    in_pair: bool
    effect: float
    head: str = ""


def word_effects(runner: Answers, text: str, text_pair: str | None, label: Any) -> list[WordEffect]:
    """The effect of each word on an answer, in the order of the text.

    This is erasure (Li et al. 2016, "Understanding Neural Networks through Representation Erasure", section 3): the
    support of the answer with all words, minus the support without one word. `Head.support` is the probability of a
    class, or the number that is answered. Each text is run alone, as on a device, so n words take n + 1 runs. A marker
    of an entity is no word. Of several tasks each that answers about a whole text has effects of its own; they share
    the runs.

    Args:
        label: the answer to these texts; of several tasks those of all, in their order.

    Raises:
        BadInputError: the answers of this task are not about a whole text, or the answer is one vector.
    """
    head = runner.task.head

    several = len(head.parts) > 1

    def support(first: str, second: str | None) -> dict[str, float]:
        encoding = runner.encode(first, second)
        answers = zip(head.each(runner.logits(encoding)), label if several else [label], strict=True)
        found = {
            part.spec.name if several else "": value
            for (part, logits), answer in answers
            if (value := part.support(logits, encoding, answer)) is not None
        }
        if not found and head.answers_a_vector:
            raise BadInputError(
                "the vector of one text has no score that a word could change",
                hint="Leave out --explain, or add --pair",
            )
        if not found:
            raise BadInputError(
                f"an answer of the task {runner.task.name} is not about a text as a whole, so words do not explain it",
                hint="Leave out --explain",
            )
        return found

    whole, found = support(text, text_pair), list[WordEffect]()
    for in_pair, one in ((False, text), (True, text_pair)):
        for match in WORD.finditer(one or ""):
            if any(marker in match.group() for marker in head.added_tokens):
                continue
            rest = without(one or "", match.start(), match.end())
            left = support(text, rest) if in_pair else support(rest, text_pair)
            place = match.group(), match.start(), match.end(), in_pair
            found += [WordEffect(*place, whole[name] - left[name], name) for name in whole]
    return found


def without(text: str, start: int, end: int) -> str:
    """The text without a word and without one white space beside it."""
    if text[end : end + 1].isspace():
        return text[:start] + text[end + 1 :]
    return text[: max(start - 1, 0)] + text[end:] if text[start - 1 : start].isspace() else text[:start] + text[end:]
