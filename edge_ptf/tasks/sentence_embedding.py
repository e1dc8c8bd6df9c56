"""A vector for a text, so that texts are alike where their vectors are: search, duplicates, grouping."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from edge_ptf.digests import value_digest
from edge_ptf.errors import BadInputError
from edge_ptf.examples import Encoding, Example, joined
from edge_ptf.heads import EmbeddingHead, HeadSpec, encode
from edge_ptf.heads.embedding import CLASSES, FORMS, PAIRS, SCORES
from edge_ptf.metrics import Metric
from edge_ptf.metrics.numbers import Spearman
from edge_ptf.metrics.retrieval import RecallAtK
from edge_ptf.tasks.base import Rewrite, RowError, Task
from edge_ptf.tasks.text_classification import TextClassification

SAID = {
    SCORES: "two texts and a score",
    PAIRS: "two texts without a score",
    CLASSES: "one text and a label",
}
"""The forms of a row, in words."""
DIGITS = 16
"""Of the digests that stand for the texts of a pair."""
SHOWN_NUMBERS = 4


class SentenceEmbedding(Task):
    """Vectors, trained on pairs with a score, on pairs of like texts, or on texts with a class.

    All rows of a data set have one of these forms. A pair is judged by the cosine of its vectors, or by how well one
    text finds the other.
    """

    name = "sentence-embedding"
    title = "Sentence embedding"
    head_type = EmbeddingHead
    pipeline_tag = "sentence-similarity"
    columns = ("text",)
    optional_columns = ("text_pair", "score", "label")
    right_or_wrong = False
    simple_model = "the same vector for every text"
    recipe: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        **TextClassification.recipe,
        "sensitivity": {"max_drop": 0.005},
        "targets": {"max_drop": {"spearman": 0.01, "recall_at_1": 1.0}},
    }

    @classmethod
    def spec_for(cls, labels: Sequence[str], out_of_scope_label: str | None = None) -> HeadSpec:
        """The spec for data of the form that `labels` names. The model decides how many numbers a vector has.

        Raises:
            BadInputError: the task has no notion of out-of-scope texts.
        """
        form = labels[0] if labels and labels[0] in FORMS else None
        return super().spec_for(("0",), out_of_scope_label).with_options(form=form)

    @staticmethod
    def example(row: Mapping[str, Any]) -> Example:
        """See Task. A pair has a number in `score` (or in `label`), or neither; a text alone has a name in `label`."""
        score, label = (None if _is_empty(row.get(name)) else row.get(name) for name in ("score", "label"))
        if row.get("text_pair") is None:
            if score is not None:
                raise RowError("a score is about two texts, and the second one is missing")
            if label is None:
                raise RowError("a text alone needs a label: texts with the same label are alike; or give a second text")
            return TextClassification.example({**row, "label": label})
        pair = TextClassification.example({**row, "label": "any"})
        number = score if score is not None else label
        if number is not None:
            return Example(pair.text, _score(number, "score" if score is not None else "label"), pair.text_pair)
        return Example(pair.text, (_digest(pair.text), _digest(str(pair.text_pair))), pair.text_pair)

    @classmethod
    def rewriting(cls, train: Sequence[Example], config: object) -> tuple[Rewrite | None, tuple[str, ...]]:
        """Labels stay as they are. A row of another form than most rows of train is refused."""
        counts = Counter(map(_form, train))
        wanted = max(FORMS, key=lambda form: counts[form])

        def checked(example: Example) -> Example:
            if (form := _form(example)) != wanted:
                raise RowError(f"the row has {SAID[form]}, but most rows of train have {SAID[wanted]}")
            return example

        return checked, ()

    @classmethod
    def collect_labels(cls, examples: Sequence[Example]) -> tuple[str, ...]:
        """The form of the rows: scores, pairs or classes."""
        return (_form(examples[0]),)

    @classmethod
    def split_fault(cls, split: str, examples: Sequence[Example]) -> tuple[str, str] | None:
        """See Task. Equal scores have no order, one pair has no other to compare with, and a text needs a like one."""
        form = _form(examples[0])
        if form == SCORES and len({example.label for example in examples}) < 2:
            return f"all scores of {split} are {examples[0].label:g}", "Give pairs with different scores"
        if form == PAIRS and len({example.label for example in examples}) < 2:
            return f"{split} has only one pair", "Give at least two pairs"
        if form == CLASSES:
            counts = Counter(example.label for example in examples)
            if max(counts.values()) < 2:
                return f"no two texts of {split} have the same label", "Give at least two texts of a class"
            if split == "train" and len(counts) < 2:
                return f"train has only one class ({examples[0].label})", "Give at least two classes"
        return None

    def check_label(self, example: Example) -> str | None:
        """Every score and every label can be used."""
        return None

    @staticmethod
    def label_names(example: Example) -> tuple[str, ...]:
        """The class, where there is one."""
        return (example.label,) if _form(example) == CLASSES else ()

    @staticmethod
    def class_names(example: Example) -> list[str]:
        """The class, where there is one."""
        return [example.label] if _form(example) == CLASSES else []

    @staticmethod
    def stratum(example: Example) -> str:
        """The class, where there is one."""
        return str(example.label) if _form(example) == CLASSES else ""

    def encode(self, tokenizer: Any, examples: Sequence[Example], max_length: int) -> list[Encoding]:
        """Token ids of one text, or of both texts of a pair one after the other, each as a window."""
        texts = [Example(text, ()) for example in examples for text in _texts(example)]
        found = iter(encode(tokenizer, texts, max_length, words=False))
        return [joined([next(found) for _ in _texts(example)]) for example in examples]

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Spearman's correlation of cosine and score; or how often a text finds a like one. Of data without a form yet,
        all of them."""
        spearman = Spearman(name="spearman", title="Spearman", gated=True)
        recall = (
            RecallAtK(name="recall_at_1", title="recall@1", k=1, gated=True),
            RecallAtK(name="recall_at_10", title="recall@10", k=10),
        )
        form = self.head.options.form
        return (spearman,) if form == SCORES else recall if form else (spearman, *recall)

    def class_report(self, references: Sequence[Any], predictions: Sequence[Any]) -> list[dict[str, Any]]:
        """An answer is no class."""
        return []

    @staticmethod
    def confusions(reference: Any, prediction: Any) -> list[tuple[str, str]]:
        """An answer is no class."""
        return []

    def majority_answers(self, references: Sequence[Any]) -> list[Any]:
        """The same vector for every text."""
        form = self.head.options.form
        return [1.0 if form == SCORES else (1.0, 1.0) if form == PAIRS else (1.0,)] * len(references)

    @staticmethod
    def describe(label: Any, text: str | None) -> str:
        """The cosine or score with six digits, the first numbers of a vector, or the class."""
        if isinstance(label, float):
            return f"{label:.6g}"
        if isinstance(label, str):
            return label
        shown = ", ".join(map(str, label[:SHOWN_NUMBERS]))
        return f"{shown}, … ({len(label)} numbers)" if len(label) > SHOWN_NUMBERS else shown


def shortened(task: Task, dimensions: int, option: str) -> Task:
    """The task with answers of the leading numbers of its vectors.

    Args:
        option: what asks for it, for the message.

    Raises:
        BadInputError: the answers of the task are no vectors, or have fewer numbers.
    """
    head = task.head
    if not head.answers_a_vector or not 1 <= dimensions <= len(head.spec.labels):
        has = f"has {len(head.spec.labels)} numbers" if head.answers_a_vector else "is no vector"
        raise BadInputError(
            f"{option} is {dimensions}, but an answer of {task.name} {has}",
            hint=f"Give 1 to {len(head.spec.labels)}" if head.answers_a_vector else "Leave it out",
        )
    return type(task)(head.spec.with_options(dimensions=dimensions))


def _form(example: Example) -> str:
    return SCORES if isinstance(example.label, float) else CLASSES if isinstance(example.label, str) else PAIRS


def _texts(example: Example) -> tuple[str, ...]:
    return (example.text,) if example.text_pair is None else (example.text, example.text_pair)


def _digest(text: str) -> str:
    """Stands for a text in evidence, which has no texts. White space and case do not count."""
    return value_digest(" ".join(text.casefold().split()))[:DIGITS]


def _is_empty(value: Any) -> bool:
    """Whether a cell has no value; pandas writes NaN into such cells."""
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or (isinstance(value, str) and not value.strip())


def _score(given: Any, name: str) -> float:
    try:
        value = math.nan if isinstance(given, bool) else float(given)
    except (TypeError, ValueError, OverflowError):
        value = math.nan
    if math.isfinite(value) and not (isinstance(given, str) and "_" in given):
        return value
    advice = "" if name == "score" else "; leave the label out if both texts of every pair are alike"
    said = "allowed are finite numbers such as 3, -0.5 or 1"
    raise RowError(f"the {name} {given!r} of a pair is no number; {said}{advice}")
