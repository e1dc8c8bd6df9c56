"""The tasks, by name."""

from __future__ import annotations

from edge_ptf.errors import BadInputError, near_matches
from edge_ptf.heads import HeadSpec
from edge_ptf.tasks.base import Task
from edge_ptf.tasks.entities_and_relations import EntitiesAndRelations
from edge_ptf.tasks.joint import joint, parse
from edge_ptf.tasks.multi_label_classification import MultiLabelClassification
from edge_ptf.tasks.prototype_classification import PrototypeClassification
from edge_ptf.tasks.question_answering import QuestionAnswering
from edge_ptf.tasks.regression import Regression
from edge_ptf.tasks.relation_extraction import RelationExtraction
from edge_ptf.tasks.sentence_embedding import SentenceEmbedding
from edge_ptf.tasks.sentence_pair_classification import SentencePairClassification
from edge_ptf.tasks.text_classification import TextClassification
from edge_ptf.tasks.token_classification import TokenClassification

_TASKS: dict[str, type[Task]] = {
    task.name: task
    for task in (
        TextClassification,
        SentencePairClassification,
        MultiLabelClassification,
        Regression,
        TokenClassification,
        RelationExtraction,
        EntitiesAndRelations,
        QuestionAnswering,
        SentenceEmbedding,
        PrototypeClassification,
    )
}


def names() -> tuple[str, ...]:
    """Every task's name."""
    return tuple(_TASKS)


def get(name: str) -> type[Task]:
    """The task of that name, or several: "intent=text-classification,slots=token-classification".

    Raises:
        BadInputError: there is none; the hint names the closest. Or these tasks cannot share an encoder.
    """
    if "=" in name or "," in name:
        return joint(tuple((own, get(task)) for own, task in parse(name).items()))
    if name not in _TASKS:
        raise BadInputError(f"unknown task '{name}'", hint=near_matches(name, _TASKS))
    return _TASKS[name]


def create(spec: HeadSpec) -> Task:
    """The task that a head belongs to, with this head.

    Raises:
        BadInputError: there is no such task.
        ValueError: the head is of another kind than the task's.
    """
    return get(spec.task)(spec)
