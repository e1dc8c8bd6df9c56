"""A number for a text or a pair of texts: similarity, a rating, a price."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from edge_ptf.examples import Example
from edge_ptf.heads import HeadSpec, RegressionHead
from edge_ptf.metrics import Metric
from edge_ptf.metrics.numbers import Pearson, RootMeanSquareError, Spearman
from edge_ptf.tasks.base import RowError, Task
from edge_ptf.tasks.text_classification import TextClassification

VALUE = "value"
"""The name of the number: the one label of the head."""


class Regression(Task):
    """A number for a text or a pair, in the unit of the data."""

    name = "regression"
    title = "Regression"
    head_type = RegressionHead
    pipeline_tag = "text-classification"
    columns = ("text", "value")
    optional_columns = ("text_pair",)
    joint_forms = ("text", "pair")
    right_or_wrong = False
    simple_model = "the mean alone"
    recipe: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        **TextClassification.recipe,
        "sensitivity": {"max_drop": 0.005},
        "targets": {"max_drop": {"spearman": 0.01, "pearson": 0.01}},
    }

    @classmethod
    def spec_for(cls, labels: Sequence[str], out_of_scope_label: str | None = None) -> HeadSpec:
        """The spec, whatever the labels are: an answer is one number.

        Raises:
            BadInputError: the task has no notion of out-of-scope texts.
        """
        return super().spec_for((VALUE,), out_of_scope_label)

    @staticmethod
    def example(row: Mapping[str, Any]) -> Example:
        """See Task. `value` is a number, or a text that is one."""
        given = row.get("value")
        single = TextClassification.example({**row, "label": "any"})
        if given is None or (isinstance(given, str) and not given.strip()):
            raise RowError("the value is empty; every row needs a number")
        try:
            value = math.nan if isinstance(given, bool) else float(given)
        except (TypeError, ValueError, OverflowError):
            value = math.nan
        if not math.isfinite(value) or (isinstance(given, str) and "_" in given):
            raise RowError(f"the value {given!r} is no number; allowed are finite numbers such as 3, -0.5 or 1e3")
        return Example(single.text, value, single.text_pair)

    @classmethod
    def collect_labels(cls, examples: Sequence[Example]) -> tuple[str, ...]:
        """The name of the number."""
        return (VALUE,)

    @classmethod
    def split_fault(cls, split: str, examples: Sequence[Example]) -> tuple[str, str] | None:
        """See Task. Values that are all equal have no order, in any split."""
        if len({example.label for example in examples}) > 1:
            return None
        return f"all values of {split} are {examples[0].label:g}", "Give rows with different values"

    def check_label(self, example: Example) -> str | None:
        """Every number can be used."""
        return None

    @staticmethod
    def label_names(example: Example) -> tuple[str, ...]:
        """A number has no name."""
        return ()

    @staticmethod
    def class_names(example: Example) -> list[str]:
        """There are no classes."""
        return []

    @staticmethod
    def stratum(example: Example) -> str:
        """A split is not stratified."""
        return ""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Spearman's and Pearson's correlation, and the root mean square error. A limit on the error has no default:
        it is in the unit of the data."""
        return (
            Spearman(name="spearman", title="Spearman", gated=True),
            Pearson(name="pearson", title="Pearson", gated=True),
            RootMeanSquareError(name="rmse", title="RMSE", gated=True),
        )

    def class_report(self, references: Sequence[Any], predictions: Sequence[Any]) -> list[dict[str, Any]]:
        """There are no classes."""
        return []

    @staticmethod
    def confusions(reference: Any, prediction: Any) -> list[tuple[str, str]]:
        """There are no classes."""
        return []

    def majority_answers(self, references: Sequence[Any]) -> list[Any]:
        """The mean for every text."""
        return [sum(references) / len(references)] * len(references)

    @staticmethod
    def describe(label: Any, text: str | None) -> str:
        """The number with six digits."""
        return f"{label:.6g}"
