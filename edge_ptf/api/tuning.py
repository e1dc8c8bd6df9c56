"""`tune`: a hyperparameter search of fine-tuning or distillation, and the project file with what it found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from edge_ptf import data as data_package
from edge_ptf import stages, tasks
from edge_ptf.api.arguments import public_with
from edge_ptf.api.inputs import chosen_base, chosen_task
from edge_ptf.api.jobs import OPTIONS, given_settings
from edge_ptf.api.parameters import PathText, Setting
from edge_ptf.api.results import StageResult, TuneResult
from edge_ptf.api.searching import RECIPE_FILE, recipe_sections
from edge_ptf.api.settings import SOURCE, Settings
from edge_ptf.cache import Outcome, Place
from edge_ptf.config import Source
from edge_ptf.data.dataset import LabelledData
from edge_ptf.errors import BadInputError
from edge_ptf.models.base_models import Base
from edge_ptf.models.checkpoint import Checkpoint, open_checkpoint
from edge_ptf.progress import SILENT, Progress
from edge_ptf.recipe import Recipe, resolve_recipe
from edge_ptf.tasks.base import Task
from edge_ptf.training import Watch
from edge_ptf.training.tuning_record import Tuning, TuningTrial
from edge_ptf.tuning import tune as search_options

TRIALS = 20
STORAGE_FILE = "tuning.db"


@public_with(OPTIONS)
def tune(
    data: PathText | LabelledData | Mapping[str, Any] | None = None,
    *,
    model: PathText | Base | None = None,
    task: str | type[Task] | Mapping[str, str] | None = None,
    out: PathText | None = None,
    trials: int = TRIALS,
    storage: str | None = None,
    teacher: PathText | Checkpoint | StageResult | None = None,
    student: PathText | Checkpoint | StageResult | None = None,
    out_of_scope_label: str | None = None,
    set: Setting | None = None,
    config: PathText | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> TuneResult:
    """Searches for the options of fine-tuning, or of distillation, that give the best score on validation texts.

    The arguments are those of `edge-ptf tune`. A call with the same arguments resumes. Several processes with the same
    `out` and `storage` share the work. `compress(config=result.recipe)` uses what was found.

    Args:
        data: labelled text: file, directory, hub id, or the built-in "demo"; with options of reading a mapping,
            `{"source": "texts.csv", "text_column": "question"}`.
        model: pretrained model: directory, hub id, or "minilm-l6"; without `teacher`.
        task: what the labels mean, such as "text-classification".
        out: directory for the results.
        trials: trainings, those of earlier runs on the same storage counted.
        storage: where trials are kept, a database URL. [default: tuning.db in out]
        teacher: a fine-tuned checkpoint: the options of distillation are searched.
        student: the smaller checkpoint that it teaches, as `prune` writes it.
        out_of_scope_label: the label of texts that belong to no class.
        set: any option of the recipe: `{"finetune.epochs": 3}`.
        config: project file. [default: edge-ptf.yaml where it exists]
        progress: receives how far the work is. [default: nothing is shown]
        options: sections of the recipe as mappings.

    Returns:
        All trials, and the file with the best options.

    Raises:
        MissingExtraError: Optuna is not installed.
        ArgumentError: an argument is unknown or has a wrong value.
        EdgePtfError: one line that says what is wrong and what is allowed.

    Example:
        >>> print(edge_ptf.tune("demo", model="minilm-l6", task="text-classification", trials=1, out="work/tuning",
        ...                     set={"finetune.epochs": 1}))
        Tuning of finetune: no options are better than those of the recipe
        1 trials, 1 finished, 0 stopped early
        best: the options of the recipe; ...
        Recipe: work/tuning/recipe.yaml
    """
    job = {"data": data, "model": model, "task": task, "out": out, "out_of_scope_label": out_of_scope_label}
    chosen, own = given_settings(job, config, set, options)
    return tuned(chosen, own, trials, storage, teacher, student, progress or SILENT)


def tuned(
    chosen: Settings,
    own: dict[str, Any],
    trials: int,
    storage: str | None,
    teacher: Any,
    student: Any,
    progress: Progress,
    on_trial: Callable[[str, TuningTrial], None] = lambda *_: None,
) -> TuneResult:
    """Reads what the settings name, and searches.

    Args:
        own: what the caller's own arguments set in the recipe.
        teacher, student: both or none.
        on_trial: gets the name of the metric and each trial.
    """
    if trials < 1:
        raise BadInputError(f"{chosen.option('trials')} {trials}: must be at least 1")
    if (teacher is None) != (student is None):
        given, missing = ("teacher", "student") if student is None else ("student", "teacher")
        raise BadInputError(
            f"{chosen.option(given)} is given without {chosen.option(missing)}",
            hint="Give both to search the options of distillation, or none to search those of fine-tuning",
        )
    kind, out = chosen_task(chosen), Path(chosen.need("out"))
    sources = [*chosen.sources, Source(chosen.caller, own)]
    recipe = resolve_recipe(None, kind, sources)
    named = chosen.need("data")
    data = named if isinstance(named, LabelledData) else data_package.load(str(named), kind, recipe.data, progress)
    out.mkdir(parents=True, exist_ok=True)
    place = Place(out / "stages", progress, keyed=True)
    identity: dict[str, Any] = {"data": data.fingerprint}
    if teacher is None:
        task = tasks.create(kind.spec_for(data.labels, recipe.data.out_of_scope_label))
        base = chosen_base(chosen)
        identity["model"] = base.digest
        settings: Any = recipe.finetune

        def train(config: Any, watch: Watch) -> Outcome[Checkpoint]:
            return stages.finetune(place, base, data, config, task, watch)
    else:
        above, below = (_checkpoint(each) for each in (teacher, student))
        task = tasks.create(below.info.head)
        identity |= {"teacher": above.digest, "student": below.digest}
        settings = recipe.distill

        def train(config: Any, watch: Watch) -> Outcome[Checkpoint]:
            return stages.distill(place, above, below, data, config, recipe.quantize, (), watch)

    found = search_options(
        train,
        settings,
        task.steering,
        len(data.validation),
        trials,
        storage or f"sqlite:///{(out / STORAGE_FILE).resolve()}",
        identity,
        task.head.scored([], [], []) is not None,
        lambda trial: on_trial(task.steering.name, trial),
    )
    found.write(out)
    return TuneResult(found, _write_recipe(chosen, sources, recipe, found, out))


def _checkpoint(given: Any) -> Checkpoint:
    given = getattr(given, "artifact", given)
    return given if isinstance(given, Checkpoint) else open_checkpoint(Path(given))


def _write_recipe(chosen: Settings, sources: list[Source], recipe: Recipe, found: Tuning, out: Path) -> Path | None:
    """Writes the project file with everything that was asked for and the best options; None without them."""
    if found.winner is None:
        return None
    sections = recipe_sections([*sources, Source("the best trial", {found.section: found.winner.options})])
    asked = {name: chosen.get(name) for name in ("model", "data", "task")}
    content: dict[str, Any] = {
        name: getattr(value, "name", None) or str(value) for name, value in asked.items() if value is not None
    }
    if isinstance(chosen.get("data"), LabelledData):
        del content["data"]
    if recipe.data.out_of_scope_label:
        content["out_of_scope_label"] = recipe.data.out_of_scope_label
    if "data" in sections:
        source = {SOURCE: content.pop("data")} if "data" in content else {}
        sections["data"] = {**source, **sections["data"]}
    file = out / RECIPE_FILE
    file.write_text(yaml.safe_dump({**content, **sections}, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return file
