"""`label_errors`: labels that are likely wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edge_ptf import data as data_package
from edge_ptf import tasks
from edge_ptf.api.arguments import public_with
from edge_ptf.api.inputs import chosen_base, chosen_task
from edge_ptf.api.jobs import OPTIONS, given_settings
from edge_ptf.api.parameters import PathText, Setting
from edge_ptf.api.results import LabelErrorsResult
from edge_ptf.api.settings import Settings
from edge_ptf.cache import Outcome, Place
from edge_ptf.config import Source
from edge_ptf.data.dataset import LabelledData
from edge_ptf.errors import BadInputError
from edge_ptf.label_errors import find_label_errors
from edge_ptf.models.base_models import Base
from edge_ptf.progress import SILENT, Progress
from edge_ptf.recipe import resolve_recipe
from edge_ptf.tasks.base import Task

FOLDS = 3
MOST_FOLDS = 20


@public_with(OPTIONS)
def label_errors(
    data: PathText | LabelledData | Mapping[str, Any] | None = None,
    *,
    model: PathText | Base | None = None,
    task: str | type[Task] | None = None,
    out: PathText | None = None,
    folds: int = FOLDS,
    out_of_scope_label: str | None = None,
    set: Setting | None = None,
    config: PathText | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> LabelErrorsResult:
    """Finds labels that are likely wrong, by models that were not trained on the text (confident learning).

    The arguments are those of `edge-ptf label-errors`. A model is fine-tuned in each fold of train and test, so it
    takes as long as so many teachers.

    Args:
        data: labelled text: file, directory, hub id, or the built-in "demo"; with options of reading a mapping,
            `{"source": "texts.csv", "text_column": "question"}`.
        model: pretrained model: directory, hub id, or "minilm-l6".
        task: what the labels mean: a task with one class for a text, such as "text-classification".
        out: directory for the list, and for the models of the folds: the same call resumes.
        folds: of the cross-validation, from 2 to 20.
        out_of_scope_label: the label of texts that belong to no class.
        set: any option of the recipe: `{"finetune.epochs": 3}`.
        config: project file. [default: edge-ptf.yaml where it exists]
        progress: receives how far the work is. [default: nothing is shown]
        options: sections of the recipe as mappings.

    Raises:
        DataError: the data cannot be used, or have fewer different texts than folds.
        BadInputError: the task has no single class for a text.
        ArgumentError: an argument is unknown or has a wrong value.

    Example:
        >>> print(edge_ptf.label_errors("demo", model="minilm-l6", task="text-classification", folds=2,
        ...                             out="work/labels"))
        Label errors: ... labels are likely wrong; ...
    """
    job = {"data": data, "model": model, "task": task, "out": out, "out_of_scope_label": out_of_scope_label}
    chosen, own = given_settings(job, config, set, options)
    return searched_labels(chosen, own, folds, progress or SILENT)


def searched_labels(
    chosen: Settings,
    own: dict[str, Any],
    folds: int,
    progress: Progress,
    on_stage: Callable[[Outcome[Any], str], None] = lambda *_: None,
) -> LabelErrorsResult:
    """Reads the data that the settings name, and finds their likely errors.

    Args:
        own: what the caller's own arguments set in the recipe.
    """
    if not 2 <= folds <= MOST_FOLDS:
        raise BadInputError(f"{chosen.option('folds')} {folds}: must be from 2 to {MOST_FOLDS}")
    kind, out = chosen_task(chosen), Path(chosen.need("out"))
    recipe = resolve_recipe(None, kind, [*chosen.sources, Source(chosen.caller, own)])
    base = chosen_base(chosen)
    given = chosen.need("data")
    read = given if isinstance(given, LabelledData) else data_package.load(str(given), kind, recipe.data, progress)
    task = tasks.create(kind.spec_for(read.labels, recipe.data.out_of_scope_label))
    out.mkdir(parents=True, exist_ok=True)
    place = Place(out / "stages", progress, keyed=True)
    found = find_label_errors(base, task, read, recipe.finetune, folds, place, progress, on_stage)
    return LabelErrorsResult(found, found.write(out))
