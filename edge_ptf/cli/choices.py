"""Names that an option can take: the near match of a wrong one, and what a shell completes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import click
from click.shell_completion import CompletionItem

from edge_ptf import profiles, tasks
from edge_ptf.data.loading import DEMO_COLUMNS
from edge_ptf.errors import BadInputError, near_matches
from edge_ptf.metrics import gated
from edge_ptf.models.base_models import MINILM
from edge_ptf.recipe import Recipe

Completion = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


class Choice(click.Choice[str]):
    """One of several names. A wrong name is answered with its near matches."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """See click."""
        return f"there is no '{value}'. {near_matches(str(value), self.choices)}"


def metric_names(task: str, out_of_scope_label: str | None = None, *, drops: bool = True) -> list[str]:
    """The names of the metrics that can have a limit. The labels of the data do not matter to that.

    Args:
        drops: the metrics whose drop can have one; otherwise those whose score can.
        out_of_scope_label: the label of texts that belong to no class; ignored for a task that has none.
    """
    kind, spec = tasks.get(task), tasks.get(task).spec_for(("O",))
    if out_of_scope_label is not None:
        with suppress(BadInputError):
            spec = kind.spec_for(("O",), out_of_scope_label)
    metrics = tasks.create(spec).metrics
    return [metric.name for metric in (gated(metrics) if drops else metrics)]


def complete_profile(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Shipped profiles, host, and files."""
    return _matching(("host", *profiles.names()), incomplete, files="file")


def complete_model(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The built-in model, and folders."""
    return _matching((MINILM,), incomplete, files="dir")


def complete_data(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The built-in corpora, and files."""
    return _matching(DEMO_COLUMNS, incomplete, files="file")


def complete_metric(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """`METRIC=` for each gated metric of the task on the line, or of all tasks."""
    return _complete_metric(ctx, incomplete, drops=True)


def complete_score(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """`METRIC=` for each metric of the task on the line, or of all tasks."""
    return _complete_metric(ctx, incomplete, drops=False)


def _complete_metric(ctx: click.Context, incomplete: str, *, drops: bool) -> list[CompletionItem]:
    task, label = ctx.params.get("task"), ctx.params.get("out_of_scope_label")
    found = list[str]()
    for name in (task,) if task else tasks.names():
        with suppress(BadInputError):  # one of several tasks, before the others are typed
            found += metric_names(name, label, drops=drops)
        if not task:
            found += metric_names(name, "any", drops=drops)
    return _matching((f"{name}=" for name in dict.fromkeys(found)), incomplete)


def complete_setting(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """`SECTION.`, and then `SECTION.FIELD=`."""
    section = incomplete.partition(".")[0]
    if "." not in incomplete or section not in Recipe.model_fields:
        return _matching((f"{name}." for name in Recipe.model_fields), incomplete)
    model: Any = Recipe.model_fields[section].annotation
    return _matching((f"{section}.{name}=" for name in model.model_fields), incomplete)


def _matching(names: Iterable[str], incomplete: str, files: str = "") -> list[CompletionItem]:
    """The names that begin so; then what the shell itself finds.

    Args:
        files: 'file' or 'dir' to let the shell complete paths as well.
    """
    found = [CompletionItem(name) for name in names if name.startswith(incomplete)]
    return [*found, CompletionItem(incomplete, type=files)] if files else found
