"""Golden vectors: texts with the token ids and output tensors that every machine must reproduce."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, FiniteFloat, ValidationError, model_validator

from edge_ptf.engines import Session
from edge_ptf.errors import PackageError
from edge_ptf.examples import Encoding, Example
from edge_ptf.heads import LOGITS
from edge_ptf.package.rounding import rounding_effects
from edge_ptf.tasks.base import Task

TOLERANCE = {"fp32": 1e-3, "fp16": 0.02, "int8": 0.05}
"""Largest accepted difference of a logit, as a share of the text's largest one, by the precision of the graph:
processors round and sum in different orders, and dynamic INT8 turns that into a whole quantization step at times."""
LEAST_LOGIT = 1e-6
"""A verifier takes no smaller value for the largest one of a text."""
TEXTS = (
    "turn on the lights in the kitchen",
    "Set a timer for 10 minutes, please!",
    "what's the weather like tomorrow?",
    "a",
    "ok",
    "I'd like to book a table for two at 7:30 p.m.",
    "It's 21.5 °C in the living-room; make it 19 °C.",
    "Play “La Vie en rose” by Édith Piaf",
    "naïve café résumé façade — Straße",
    "CANCEL MY ORDER NOW!!!",
    "the   spaces    between   words\tand\ttabs",
    "e-mail jane.doe@example.org about https://example.org/a?b=c",
    "supercalifragilisticexpialidocious antidisestablishmentarianism",
    "pneumonoultramicroscopicsilicovolcanoconiosis" * 3,
    "日本語のテキスト and 中文",
    "Привет, как дела?",
    "שלום עולם",
    "مرحبا بالعالم",
    "한국어 문장",
    "emoji 🙂👍🏽 and flags 🇩🇪",
    "zero\u200bwidth and combining e\u0301 a\u0308",
    "1234567890 3.14159 1,000,000 -42",
    "'quotes' \"double\" (brackets) [MASK] <tag> & more",
    "word " * 400,
)


Row = Annotated[list[FiniteFloat], Field(min_length=1)]


class GoldenCase(BaseModel):
    """One line of `golden.jsonl`, read without trust."""

    text: str
    text_pair: str | None = None
    input_ids: list[int]
    token_type_ids: list[int] | None = None
    windows: list[int] = []
    """The number of tokens of each window that the model reads apart; empty: there is one."""
    outputs: dict[str, Row | Annotated[list[Row], Field(min_length=1)]] = Field(min_length=1)
    """By the name of the tensor, without the batch axis."""
    tolerance: FiniteFloat | None = Field(None, ge=0)
    """Of this text; None: that of the manifest."""
    answers: dict[str, Any] = {}
    """By the name of a head."""

    @model_validator(mode="after")
    def _rows_are_of_one_length(self) -> GoldenCase:
        for name, value in self.outputs.items():
            if len({len(row) for row in value if isinstance(row, list)}) > 1:
                raise ValueError(f"the rows of '{name}' differ in length")
        return self

    def tensor(self, name: str) -> NDArray[np.float64] | None:
        """One output; None: there is no such name."""
        return np.asarray(self.outputs[name], np.float64) if name in self.outputs else None

    @property
    def example(self) -> Example:
        """The text, or pair of texts, without a label."""
        return Example(self.text, (), self.text_pair)

    @property
    def encoding(self) -> Encoding:
        """The token ids that the text must become."""
        return Encoding(self.input_ids, self.token_type_ids, windows=tuple(self.windows))


def golden_cases(content: bytes) -> list[GoldenCase]:
    """Reads `golden.jsonl`.

    Raises:
        PackageError: a line is none; a line ends with a line feed, and nothing else ends one.
    """
    cases = []
    for number, line in enumerate(content.removesuffix(b"\n").split(b"\n"), 1):
        try:
            cases.append(GoldenCase.model_validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise PackageError(f"golden vectors, line {number}: {place}: {first['msg']}") from None
    return cases


def golden_examples(task: Task, paired: bool) -> list[Example]:
    """The texts in the form of the task, each with the next one where the task takes pairs."""
    texts = [task.sample_text(text) for text in TEXTS]
    pairs = [*texts[1:], texts[0]] if paired else [None] * len(texts)
    return [Example(text, (), pair) for text, pair in zip(texts, pairs, strict=True)]


def golden_lines(
    examples: Sequence[Example],
    task: Task,
    tokenizer: Any,
    session: Session,
    max_length: int,
    model: bytes | None = None,
    tolerance: float = TOLERANCE["int8"],
) -> list[dict[str, Any]]:
    """One JSON-like line a text: text, text_pair, ids, token types, logits (six digits) and the answer of the head.

    A text whose logits move by more than half of `tolerance` when arithmetic rounds otherwise has a tolerance of its
    own, twice as large as that effect. So has a text whose logits are all below the head's `least_scale`. If several
    heads answer, a line has the tensor and the answer of each. A vector is in the outputs alone.

    Args:
        model: the INT8 or FP16 graph of `session`; None: in FP32 rounding gives no text a tolerance of its own.
        tolerance: what the manifest says for all texts.
    """
    head = task.head
    encodings = [task.encode(tokenizer, [example], max_length)[0] for example in examples]
    effects = rounding_effects(model, session, encodings, head.tensors) if model is not None else [0.0] * len(encodings)
    lines = []
    for example, encoding, effect in zip(examples, encodings, effects, strict=True):
        text, pair = example.text, example.text_pair
        outputs, answers, small = dict[str, Any](), dict[str, Any](), 0.0
        found = session.answer(encoding)
        for part, logits in head.each(head.read(found)):
            names = [output.tensor for role, output in part.spec.outputs.items() if role != LOGITS]
            outputs |= {name: _six_digits(found[name][0].tolist()) for name in names}
            small = max(small, part.least_scale / max(float(np.abs(logits).max()), LEAST_LOGIT))
            outputs[part.spec.logits.tensor] = _six_digits(logits.tolist())
            if not part.answers_a_vector:  # it says no more than the outputs
                answer = part.decode(logits, encoding, text).label
                answers[part.spec.name] = _six_digits(answer) if part.answers_a_number else answer
        own = max(ceil(200 * effect) / 100, ceil(1000 * tolerance * small) / 1000)
        lines.append(
            {
                "text": text,
                **({"text_pair": pair} if pair is not None else {}),
                "input_ids": encoding.input_ids,
                **({"token_type_ids": encoding.token_type_ids} if encoding.token_type_ids is not None else {}),
                **({"windows": list(encoding.windows)} if encoding.windows else {}),
                "outputs": outputs,
                **({"tolerance": own} if own > tolerance else {}),
                **({"answers": answers} if answers else {}),
            }
        )
    return lines


def _six_digits(values: Any) -> Any:
    return [_six_digits(value) for value in values] if isinstance(values, list) else float(f"{values:.6g}")
