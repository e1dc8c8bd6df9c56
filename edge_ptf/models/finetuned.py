"""A fine-tuned model as `transformers` saves it, without `edge_ptf.json`: its task and labels are in `config.json`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_ptf import tasks
from edge_ptf.errors import BadInputError, CheckpointError
from edge_ptf.heads import HeadSpec
from edge_ptf.tasks.multi_label_classification import MultiLabelClassification
from edge_ptf.tasks.regression import Regression
from edge_ptf.tasks.sentence_pair_classification import SentencePairClassification
from edge_ptf.tasks.text_classification import TextClassification
from edge_ptf.tasks.token_classification import TokenClassification
from edge_ptf.untrusted import read_object

SEQUENCE, TOKEN = "ForSequenceClassification", "ForTokenClassification"
"""The ends of the names of architectures with a head that edge-ptf has."""
PROBLEMS = {
    "single_label_classification": (TextClassification.name, SentencePairClassification.name),
    "multi_label_classification": (MultiLabelClassification.name,),
    "regression": (Regression.name,),
}
UNNAMED = re.compile(r"LABEL_\d+")
"""The name that transformers gives to a class without a name."""
DEFAULT_MAX_LENGTH = 512
"""Tokens, where neither the tokenizer nor the position table has a limit."""
FINETUNE = "To fine-tune it, run `edge-ptf finetune --model` with it, or compress without --skip-finetune"


def read_head(path: Path, task: str | None = None, out_of_scope_label: str | None = None) -> HeadSpec:
    """The head that `config.json` of a fine-tuned model describes.

    Args:
        path: the directory of the model.
        task: the task as the user says it; None: `architectures` and `problem_type` say it.
        out_of_scope_label: of the data; the model need not have such a class.

    Raises:
        CheckpointError: the model has no such head, its task is unclear, or its labels have no names.
        BadInputError: the task has no out-of-scope label.
    """
    file = path / "config.json"
    try:
        config = read_object(file)
    except BadInputError as error:
        raise CheckpointError(error.message, hint=error.hint) from None
    found = task_of(file, config, task)
    kind = tasks.get(found)
    if not kind.head_type.answers_a_number:
        return kind.spec_for(_labels(file, config), out_of_scope_label)
    names = config.get("id2label")
    if not isinstance(names, dict) or len(names) != 1:
        raise CheckpointError(
            f"{file}: the model does not answer with one number (id2label: {str(names)[:60]})",
            hint=FINETUNE,
        )
    return kind.spec_for((), out_of_scope_label)


def task_of(file: Path, config: Mapping[str, Any], asked: str | None) -> str:
    """The task of a model; see `read_head`.

    Raises:
        CheckpointError: the model has another head than the task needs, or its task is unclear.
    """
    named = config.get("architectures")
    names = [str(name) for name in named] if isinstance(named, list) else []
    if not names and asked is None:
        raise CheckpointError(
            f"{file}: no 'architectures', so the task of the model is unclear",
            hint=f"Say it with --task ({', '.join(tasks.names())})",
        )
    problem = config.get("problem_type")
    if not names:
        possible = tasks.names()
    elif names[0].endswith(TOKEN):
        possible = (TokenClassification.name,)
    elif names[0].endswith(SEQUENCE):
        possible = PROBLEMS[problem] if problem in PROBLEMS else sum(PROBLEMS.values(), ())
    else:
        raise CheckpointError(f"{file}: '{names[0]}' has no head for a task of edge-ptf", hint=FINETUNE)
    if asked is not None and asked not in possible:
        said = names[0] + (f", {problem}" if problem in PROBLEMS else "")
        raise CheckpointError(
            f"{file}: the model is for {' or '.join(possible)} ({said}), not for {asked}",
            hint=f"Leave out --task, or say --task {possible[0]}",
        )
    return asked or possible[0]


def max_length_of(tokenizer: Any) -> int:
    """The longest sequence in tokens that the tokenizer was saved with, or `DEFAULT_MAX_LENGTH` where it has none."""
    from transformers.tokenization_utils_base import LARGE_INTEGER

    limit = int(tokenizer.model_max_length or 0)
    return limit if 0 < limit < LARGE_INTEGER else DEFAULT_MAX_LENGTH


def check_head(path: Path, model: Any, found: Mapping[str, Any]) -> None:
    """Refuses a model whose head was not trained: a weight of it is missing or has another shape.

    Args:
        found: what transformers says about loading: missing_keys and mismatched_keys.

    Raises:
        CheckpointError: it names the first such weight.
    """
    names = [*found["missing_keys"], *(key if isinstance(key, str) else key[0] for key in found["mismatched_keys"])]
    drawn = sorted(name for name in names if not name.endswith("position_ids") and name in model.state_dict())
    if drawn:
        raise CheckpointError(
            f"{path}: {len(drawn)} weights of the model are missing or of another shape (first: {drawn[0]}), so it is "
            "not fine-tuned for the task",
            hint=FINETUNE,
        )


def _labels(file: Path, config: Mapping[str, Any]) -> tuple[str, ...]:
    names = config.get("id2label")
    if not isinstance(names, dict) or not names or all(UNNAMED.fullmatch(str(name)) for name in names.values()):
        shown = f"only {', '.join(map(str, names.values()))}"[:60] if isinstance(names, dict) and names else "none"
        raise CheckpointError(
            f"{file}: the labels have no names (id2label: {shown}), and the answers of a package are names",
            hint='Write them into the file in the order of the training, such as "id2label": {"0": "off", "1": "on"}',
        )
    numbers = [str(number) for number in range(len(names))]
    labels = [str(names.get(number) or "").strip() for number in numbers]
    if sorted(names) != sorted(numbers) or not all(labels):
        raise CheckpointError(
            f"{file}: id2label is not a name for each number from 0 to {len(names) - 1}", hint="Correct id2label"
        )
    twice = sorted(label for label in labels if labels.count(label) > 1)
    if twice:
        raise CheckpointError(f"{file}: id2label has '{twice[0]}' more than once", hint="Give each class its own name")
    return tuple(labels)
