"""The kind "span": the part of a context that answers a question, or no answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from edge_ptf.answers import token_f1
from edge_ptf.examples import Encoding, Example, Logits, Prediction
from edge_ptf.heads.base import HeadOptions, Reduction, Target
from edge_ptf.heads.classes import ClassHead
from edge_ptf.heads.spec import HeadSpec

if TYPE_CHECKING:
    from torch import Tensor

LABELS = ("start", "end")
"""The columns of the logits."""
START, END = 0, 1


class SpanOptions(HeadOptions):
    """Settings of a head of the kind "span"."""

    stride: int = Field(128, ge=0, description="Tokens of the context that two neighbouring windows share.")
    max_answer_tokens: int = Field(30, ge=1, description="Longest answer in tokens.")
    has_no_answer: bool = Field(False, description="Whether a question can have no answer.")
    null_threshold: float = Field(
        0.0,
        allow_inf_nan=False,
        description="There is no answer if its score is larger than that of the best answer by more than this.",
    )


@dataclass(frozen=True, slots=True)
class Best:
    """The best answer to a question: its first and last token among those of all windows, its score, and the score of
    no answer. Without a token of the context there is no answer."""

    first: int
    last: int
    score: float
    none: float


class SpanHead(ClassHead):
    """The part of the context with the largest sum of a start and an end logit, both in one window.

    One linear layer gives two logits for each token, as in BERT (Devlin et al. 2019, section 4.2 and 4.3). The first
    token of a window stands for no answer.
    """

    kind = "span"
    logits_axes = ("batch", "token", "label")
    target_axes = ("batch", "token", "label")
    target_dtype = np.float32
    ignored = -1
    answers_a_list = True
    answers_with_text = True
    compares_tokens = True
    options_model = SpanOptions
    tuned_options = ("null_threshold",)

    def __init__(self, spec: HeadSpec) -> None:
        """Raises ValueError where the labels are not those of the two columns."""
        super().__init__(spec)
        if tuple(spec.labels) != LABELS:
            raise ValueError(f"the head '{spec.name}' must have the labels {', '.join(LABELS)}")

    @property
    def stride(self) -> int:
        """See Head."""
        return int(self.options.stride)

    def settings(self) -> dict[str, str]:
        """The windows, the longest answer, and the threshold if a question can have no answer."""
        options = self.options
        found = {
            "shared tokens of windows": str(options.stride),
            "longest answer": f"{options.max_answer_tokens} tokens",
        }
        if options.has_no_answer:
            found["threshold for no answer"] = f"{options.null_threshold:.3f}, chosen on validation"
        return found

    @staticmethod
    def auto_model() -> Any:
        """Token classification: it computes what question answering does, under one name of an output."""
        from transformers import AutoModelForTokenClassification

        return AutoModelForTokenClassification

    # Training

    def fitted(self, references: Sequence[Any]) -> HeadSpec:
        """Notes whether a question of train has no answer."""
        return self.spec.with_options(has_no_answer=any(not answers for answers in references))

    def target(self, example: Example, encoding: Encoding) -> Target:
        """1 at the first and at the last token of the first answer that lies in this window, 0 at the others.

        The first token of the window stands for no answer: without one, or if no answer lies in the window.
        """
        found = np.zeros((len(encoding.input_ids), len(LABELS)), self.target_dtype)
        places = (tokens_of(span, encoding) for span in example.spans)
        first, last = next((place for place in places if place is not None), (0, 0))
        found[first, START] = found[last, END] = 1
        return found

    def loss(self, logits: Tensor, targets: Tensor, smoothing: float = 0.0, reduction: Reduction = "mean") -> Tensor:
        """The mean of the cross-entropies of start and end over the tokens of each window.

        Args:
            logits, targets: [windows, tokens, 2]; padding is ignored.
            smoothing: share of each target that is spread over the tokens of the window.
            reduction: mean or sum over the windows.
        """
        labelled = (targets != self.ignored).any(-1).any(-1)
        if not bool(labelled.any()):
            return logits.sum() * 0.0  # has a gradient all the same
        wanted = targets[labelled]
        real = wanted != self.ignored
        known = logits[labelled].masked_fill(~real, float("-inf")).log_softmax(1).masked_fill(~real, 0.0)
        spread = wanted.masked_fill(~real, 0.0) * (1 - smoothing) + smoothing * real / real.sum(1, keepdim=True)
        each = -(spread * known).sum(1).mean(-1)
        return each.mean() if reduction == "mean" else each.sum()

    # Answers

    def decode(self, logits: Logits, encoding: Encoding, text: str) -> Prediction:
        """The answer, and its characters in the context.

        If a question can have no answer, the score is the sigmoid of the distance between the score of the best answer
        and that of no answer; of no answer it is 1 minus that. Otherwise the score is the product of the probabilities
        of its first and last token among the tokens of the context, of all windows.
        """
        best = best_span(logits, encoding, self.options.max_answer_tokens)
        if best is None:
            return Prediction((), 1.0, {"answer": None})
        apart = best.none - best.score
        if self.options.has_no_answer:
            if apart > self.options.null_threshold:
                return Prediction((), _sigmoid(apart), {"answer": None})
            score = _sigmoid(-apart)
        else:
            score = _share(logits, encoding, best)
        begin, end = encoding.places[best.first][0], encoding.places[best.last][1]
        answer = encoding.context[begin:end]
        return Prediction((answer,), score, {"answer": {"text": answer, "start": begin, "end": end}})

    def rules(self) -> tuple[str, ...]:
        """Windows, the best pair, and the threshold."""
        options = self.options
        found = [
            "The first text is the question, the second one the context. A context that is longer than `max_length` "
            "allows is read in windows, and each window is run alone. A question has at most half of the tokens that "
            f"are not special ones. Two windows share {options.stride} tokens of the context, and at most half of "
            "those that a window has.",
            "The answer begins at one token of the context and ends at the same or a later one of the same window, "
            f"with at most {options.max_answer_tokens} tokens in all. It is the pair with the largest sum of the logit "
            "`start` of the first and `end` of the last token, over all windows.",
        ]
        if options.has_no_answer:
            found.append(
                "The score of no answer is the sum of both logits at the first token of a window, the smallest one of "
                "all windows. If it is larger than that of the best answer by more than "
                f"{options.null_threshold!r}, the question has no answer."
            )
        return tuple(found)

    @property
    def tunes(self) -> bool:
        """If a question can have no answer, there is a threshold to choose."""
        return bool(self.options.has_no_answer)

    def tuned(
        self, logits: Sequence[Logits], references: Sequence[Any], encodings: Sequence[Encoding] = ()
    ) -> HeadSpec:
        """Chooses the threshold for no answer with the best F1 on labelled examples; of equal ones the largest."""
        if not self.tunes or not len(logits):
            return self.spec
        apart, values = [], []
        for row, encoding, wanted in zip(logits, encodings, references, strict=True):
            best = best_span(row, encoding, self.options.max_answer_tokens)
            if best is None:
                continue
            apart.append(best.none - best.score)
            text = encoding.context[encoding.places[best.first][0] : encoding.places[best.last][1]]
            values.append((token_f1(wanted, (text,)), token_f1(wanted, ())))
        return self._with_threshold(apart, values)

    def _with_threshold(self, apart: Sequence[float], values: Sequence[tuple[float, float]]) -> HeadSpec:
        """The spec with the threshold whose sum of values is largest: of an answered text the first, else the second"""
        if not apart:
            return self.spec
        order = np.argsort(apart, kind="stable")
        answered, silent = np.asarray(values)[order].T
        sums = np.concatenate([[0.0], np.cumsum(answered)]) + silent.sum() - np.concatenate([[0.0], np.cumsum(silent)])
        bounds = _between(np.asarray(apart)[order])
        allowed = np.isfinite(bounds)
        best = np.flatnonzero(allowed & (sums >= sums[allowed].max() - 1e-9))[-1]
        return self.spec.with_options(null_threshold=float(bounds[best]))

    def matched(self, logits: Sequence[Logits], answers: Sequence[Any], encodings: Sequence[Encoding] = ()) -> HeadSpec:
        """Chooses the threshold that leaves as many questions without an answer as another model does."""
        if not self.tunes:
            return self.spec
        found = (
            best_span(row, each, self.options.max_answer_tokens) for row, each in zip(logits, encodings, strict=True)
        )
        apart = np.sort([best.none - best.score for best in found if best is not None])
        if not len(apart):
            return self.spec
        bounds, wanted = _between(apart), sum(not answer for answer in answers)
        far = np.abs(len(apart) - np.arange(len(bounds)) - wanted) + np.where(np.isfinite(bounds), 0, len(apart) + 1)
        return self.spec.with_options(null_threshold=float(bounds[int(np.argmin(far))]))


def tokens_of(span: tuple[int, int], encoding: Encoding) -> tuple[int, int] | None:
    """The first and the last token of some characters of the context; None if they do not all lie in this window."""
    begin, end = span
    own = [at for at, place in enumerate(encoding.places) if place[0] < place[1]]
    inside = [at for at in own if encoding.places[at][1] > begin and encoding.places[at][0] < end]
    if not inside:
        return None
    first, last = inside[0], inside[-1]
    begins = first != own[0] or encoding.places[first][0] <= begin
    ends = last != own[-1] or encoding.places[last][1] >= end
    return (first, last) if begins and ends else None


def best_span(logits: Logits, encoding: Encoding, most: int) -> Best | None:
    """The best answer of at most `most` tokens over all windows; of equal ones the first. None: there is no context."""
    wide, best, none = np.asarray(logits, np.float64), None, np.inf
    for begin, first, end in _contexts(encoding, len(wide)):
        none = min(none, float(wide[begin].sum()))
        starts, ends = np.where(_has_place(encoding, first, end), wide[first:end].T, -np.inf)
        count, longest = len(starts), min(most, len(starts))
        if not count:
            continue
        padded = np.concatenate([ends, np.full(longest - 1, -np.inf)])
        sums = starts[:, None] + np.lib.stride_tricks.sliding_window_view(padded, longest)
        place = int(sums.argmax())
        start, length = divmod(place, longest)
        if best is None or sums[start, length] > best.score:
            best = Best(first + start, first + start + length, float(sums[start, length]), 0.0)
    return None if best is None else Best(best.first, best.last, best.score, none)


def _contexts(encoding: Encoding, count: int) -> Iterator[tuple[int, int, int]]:
    """Of each window its first token, and the tokens [first, end) of the context in it."""
    begin = 0
    for length in encoding.windows or (count,):
        own = [at for at in range(begin, begin + length) if encoding.places[at][0] < encoding.places[at][1]]
        yield (begin, own[0], own[-1] + 1) if own else (begin, begin, begin)
        begin += length


def _has_place(encoding: Encoding, first: int, end: int) -> NDArray[np.bool_]:
    """Which of some tokens have characters in the context; a lone space that is a token has none."""
    return np.asarray([place[0] < place[1] for place in encoding.places[first:end]], np.bool_)


def _share(logits: Logits, encoding: Encoding, best: Best) -> float:
    """The probability of the start times that of the end, each among the tokens of the context of all windows."""
    wide = np.asarray(logits, np.float64)
    rows = np.concatenate(
        [wide[first:end][_has_place(encoding, first, end)] for _, first, end in _contexts(encoding, len(wide))]
    )
    chosen = (wide[best.first, START], wide[best.last, END])
    shares = [np.exp(chosen[column] - rows[:, column].max()) for column in (START, END)]
    totals = [np.exp(rows[:, column] - rows[:, column].max()).sum() for column in (START, END)]
    return float(shares[START] / totals[START] * (shares[END] / totals[END]))


def _sigmoid(value: float) -> float:
    return 1 / (1 + exp(-value)) if value >= 0 else exp(value) / (1 + exp(value))


def _between(ordered: NDArray[np.float64]) -> NDArray[np.float64]:
    """Thresholds between neighbouring numbers, and beyond both ends; one between equal numbers is NaN."""
    middle = (ordered[:-1] + ordered[1:]) / 2
    middle = np.where((ordered[:-1] <= middle) & (middle < ordered[1:]), middle, np.nan)
    return np.concatenate([ordered[:1] - 1, middle, ordered[-1:] + 1])
