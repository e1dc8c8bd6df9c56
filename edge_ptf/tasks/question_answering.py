"""The part of a context that answers a question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from edge_ptf.answers import exact_match, token_f1
from edge_ptf.examples import Encoding, Example
from edge_ptf.heads import HeadSpec, SpanHead
from edge_ptf.heads.span import LABELS
from edge_ptf.heads.windows import encode_windows
from edge_ptf.metrics import Metric, Share
from edge_ptf.tasks.base import RowError, Task, listed

ANSWERED, NO_ANSWER = "answer", "no answer"
"""What a question has, for the stratified split and the counts."""
YES_OR_NO = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": None}


class QuestionAnswering(Task):
    """A part of the context as it stands there, or no answer. `text` is the question and `text_pair` the context."""

    name = "question-answering"
    title = "Question answering"
    head_type = SpanHead
    pipeline_tag = "question-answering"
    columns = ("question", "context", "answer")
    optional_columns = ("answer_start", "is_impossible")
    right_or_wrong = False
    answer = "a part of the context"
    simple_model = "no answer to any question"
    recipe: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "finetune": {"max_length": 384},
        "prune": {"num_layers": 2 / 3, "intermediate_size": 1 / 3, "vocabulary": False},
        "distill": {"logit_loss": "kl", "label_weight": 1.0, "spliced_texts": 1.0, "split_words": 0.0},
        "targets": {"max_drop": {"f1": 1.5}},
    }

    @classmethod
    def spec_for(cls, labels: Sequence[str], out_of_scope_label: str | None = None) -> HeadSpec:
        """The spec, whatever the labels are: the columns of the logits are start and end.

        Raises:
            BadInputError: the task has no notion of out-of-scope texts.
        """
        return super().spec_for(LABELS, out_of_scope_label)

    @staticmethod
    def example(row: Mapping[str, Any]) -> Example:
        """See Task.

        `answer` is a text, a list of texts or of {"text", "answer_start"}, or {"text": […], "answer_start": […]}.
        `answer_start` counts characters of the context, one number for each answer. Without it, an answer stands where
        its text occurs first. No answer means that the context has none.
        """
        question, context = row.get("question"), row.get("context")
        for name, text in (("question", question), ("context", context)):
            if not isinstance(text, str) or not text.strip():
                raise RowError(f"the {name} is empty")
        found = [_placed(text, start, str(context)) for text, start in _given(row.get("answer"), row)]
        impossible = _is_impossible(row.get("is_impossible"))
        if impossible and found:
            raise RowError("is_impossible is true, but there is an answer")
        if impossible is False and not found:
            raise RowError("is_impossible is false, but there is no answer")
        spans = tuple(found)
        return Example(str(question), tuple(str(context)[begin:end] for begin, end in spans), str(context), spans)

    @classmethod
    def collect_labels(cls, examples: Sequence[Example]) -> tuple[str, ...]:
        """The columns of the logits."""
        return LABELS

    @classmethod
    def split_fault(cls, split: str, examples: Sequence[Example]) -> tuple[str, str] | None:
        """See Task. Questions without any answer teach nothing."""
        if split != "train" or any(example.label for example in examples):
            return None
        return "no question of train has an answer", "Give questions with answers in the column 'answer'"

    def check_label(self, example: Example) -> str | None:
        """Every answer can be used."""
        return None

    @staticmethod
    def label_names(example: Example) -> tuple[str, ...]:
        """An answer is no name."""
        return ()

    @staticmethod
    def class_names(example: Example) -> list[str]:
        """Whether there is an answer."""
        return [ANSWERED if example.label else NO_ANSWER]

    @staticmethod
    def stratum(example: Example) -> str:
        """Whether there is an answer."""
        return ANSWERED if example.label else NO_ANSWER

    def encode(self, tokenizer: Any, examples: Sequence[Example], max_length: int) -> list[Encoding]:
        """Token ids of each window, and the characters of each token in the context."""
        return encode_windows(tokenizer, examples, max_length, self.head.options.stride) if examples else []

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """F1 of the words of an answer, which is gated, and exact match."""
        return (
            Share(name="f1", title="F1 of answers", count=lambda a, b: (token_f1(a, b), 1), empty=0.0, gated=True),
            Share(name="exact_match", title="exact match", count=lambda a, b: (exact_match(a, b), 1), empty=0.0),
        )

    def class_report(self, references: Sequence[Any], predictions: Sequence[Any]) -> list[dict[str, Any]]:
        """There are no classes."""
        return []

    @staticmethod
    def confusions(reference: Any, prediction: Any) -> list[tuple[str, str]]:
        """There are no classes."""
        return []

    def majority_answers(self, references: Sequence[Any]) -> list[Any]:
        """No answer to any question."""
        return [()] * len(references)

    @staticmethod
    def describe(label: Any, text: str | None) -> str:
        """The acceptable answers, or that there is none."""
        return " | ".join(dict.fromkeys(label)) or NO_ANSWER


def _given(value: Any, row: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    """Each answer with its offset, or None where it has none."""
    starts = row.get("answer_start")
    if isinstance(value, Mapping):
        value, starts = value.get("text"), value.get("answer_start", starts)
    texts = [] if value is None or (isinstance(value, str) and not value.strip()) else _items(value)
    offsets = [] if starts is None or (isinstance(starts, str) and not starts.strip()) else _items(starts)
    if offsets and len(offsets) != len(texts):
        raise RowError(f"{len(texts)} answers, but {len(offsets)} values of answer_start")
    for number, text in enumerate(texts):
        if isinstance(text, Mapping):
            yield text.get("text"), text.get("answer_start")
        else:
            yield text, offsets[number] if offsets else None


def _items(value: Any) -> list[Any]:
    """A list, the list that a string holds, or the one value."""
    found = listed(value.tolist() if hasattr(value, "tolist") else value)
    return [value] if found is None else found


def _placed(text: Any, start: Any, context: str) -> tuple[int, int]:
    """The characters of an answer in the context, without white space at its ends."""
    if not isinstance(text, str) or not text.strip():
        raise RowError(f"the answer {text!r} is not a text")
    if start is None:
        begin = context.find(text.strip())
        if begin < 0:
            raise RowError(f"the answer {_short(text)} is not in the context")
        return begin, begin + len(text.strip())
    begin = _whole(start)
    if not 0 <= begin <= len(context) - len(text):
        raise RowError(f"answer_start {begin} of {_short(text)} is outside the context of {len(context)} characters")
    if context[begin : begin + len(text)] != text:
        at = context[begin : begin + len(text)]
        raise RowError(f"the answer is {_short(text)}, but at answer_start {begin} the context has {_short(at)}")
    begin += len(text) - len(text.lstrip())
    return begin, begin + len(text.strip())


def _whole(start: Any) -> int:
    try:
        number = float("nan") if isinstance(start, bool) else float(start)
    except (TypeError, ValueError, OverflowError):
        number = float("nan")
    if not number.is_integer():
        raise RowError(f"answer_start is {start!r}; it must be a whole number: the first character of the answer")
    return int(number)


def _is_impossible(value: Any) -> bool | None:
    """Yes, no, or not given."""
    if value is None or isinstance(value, bool):
        return value
    key = str(value).strip().lower()
    if key not in YES_OR_NO:
        raise RowError(f"is_impossible is {value!r}; allowed are true and false")
    return YES_OR_NO[key]


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:39]}…")
