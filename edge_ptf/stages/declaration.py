"""`@stage`: a stage is declared once, as a plain function with typed inputs.

    @stage("prune", 7, TRAINING, open_checkpoint, checkpoint_line)
    def prune(
        work: Work, checkpoint: Annotated[Checkpoint, Option("A checkpoint.")], data: LabelledData, config: PruneConfig
    ) -> Checkpoint:
        '''What `edge-ptf prune --help` says.'''
        return compression.prune(checkpoint, data, config, work.folder, work.progress)

- **Calling it**: `prune(place, checkpoint, data, config)` opens the finished result in the place, or works there. It
  gives an `Outcome[Checkpoint]`.
- **Cache key**: name, version, versions of the libraries, and every input. `counts` replaces an input of which only a
  part counts, and adds what else the result depends on, such as the machine.
- **Recipe**: `config` is the section of the stage's name.
- **Command**: `edge_ptf.cli.stage_commands` makes it from the name, the docstring and the types of the inputs.
- **Python function**: `edge_ptf.api.stage_functions` makes it from the same; its arguments are the command's options.
- **Summary line**: `line` gives it from the artifact.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, NoneType, SimpleNamespace
from typing import Annotated, Any, Concatenate, Generic, ParamSpec, TypeVar, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from edge_ptf.cache import Key, Outcome, Place
from edge_ptf.config import StageConfig
from edge_ptf.data.dataset import LabelledData
from edge_ptf.models.base_models import Base
from edge_ptf.profiles import Profile
from edge_ptf.progress import Progress
from edge_ptf.tasks.base import Task

Inputs = ParamSpec("Inputs")
Artifact = TypeVar("Artifact")


@dataclass(frozen=True, slots=True)
class Work:
    """The folder that a stage writes to, its progress, and the place for further results."""

    folder: Path
    progress: Progress
    place: Place


@dataclass(frozen=True, slots=True)
class Option:
    """An input that is an option of the command: `--name`, or `flag` if it is set."""

    help: str
    flag: str = ""


LEFT_OUT = object()
"""In what a stage counts: this input does not count."""
ARGUMENT = Option("")
"""An input that is an argument of the command."""


@dataclass(frozen=True, slots=True)
class Default:
    """The default of an option that an input decides: in words, and its value for the opened inputs."""

    words: str
    value: Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class Input:
    """One input, as the signature says; `kind` is `Checkpoint` for `Checkpoint | None` and `Sequence[Checkpoint]` too.

    `also` has the other kinds that the input may be.

    `option` is None for an input that comes from the settings, or that the command does not have.
    """

    name: str
    kind: type
    also: tuple[type, ...]
    many: bool
    required: bool
    option: Option | None

    @property
    def settled(self) -> bool:
        """Whether it comes from the settings: the job's model, data, task and profile, or a section of the recipe."""
        return issubclass(self.kind, (Base, LabelledData, Task, Profile, StageConfig))


@dataclass(frozen=True, slots=True)
class Stage(Generic[Inputs, Artifact]):
    """A declared stage; see the module."""

    name: str
    version: int
    libraries: tuple[str, ...]
    open: Callable[[Path], Artifact]
    line: Callable[[Artifact], str]
    counts: Callable[[Any], Mapping[str, Any]]
    reusable: Callable[[Artifact], bool]
    function: Callable[Concatenate[Work, Inputs], Artifact]
    defaults: Mapping[str, Default]

    @property
    def callable_alone(self) -> bool:
        """Whether it has a command and a Python function: its required inputs are options, or come from settings."""
        return all(each.option or each.settled or not each.required for each in self.inputs())

    def __call__(self, place: Place, *args: Inputs.args, **kwargs: Inputs.kwargs) -> Outcome[Artifact]:
        """Opens the result in `place`, or makes it; see `cache.run`."""

        def produce(folder: Path) -> Artifact:
            return self.function(Work(folder, place.progress, place), *args, **kwargs)

        return place.run(self.key(*args, **kwargs), produce, self.open, self.reusable)

    def key(self, *args: Inputs.args, **kwargs: Inputs.kwargs) -> Key:
        """The key of the result: everything that it depends on."""
        bound = inspect.signature(self.function).bind(None, *args, **kwargs)
        bound.apply_defaults()
        given = dict(list(bound.arguments.items())[1:])
        parts = {**given, **self.counts(SimpleNamespace(**given))}
        kept = {name: counted(value) for name, value in parts.items() if value is not LEFT_OUT}
        return Key(self.name, self.version, kept, self.libraries)

    def inputs(self) -> list[Input]:
        """The inputs, in their order."""
        hints, found = get_type_hints(self.function, include_extras=True), []
        for each in list(inspect.signature(self.function).parameters.values())[1:]:
            hint, option = hints[each.name], None
            if get_origin(hint) is Annotated:
                hint, option = get_args(hint)
            kind, *also = [part for part in get_args(hint) if part is not NoneType] or [hint]
            many, required = get_origin(hint) is Sequence, each.default is each.empty
            found.append(Input(each.name, get_origin(kind) or kind, tuple(also), many, required, option))
        return found


STAGES: dict[str, Stage[..., Any]] = {}
"""Every stage by its name."""


def stage(
    name: str,
    version: int,
    libraries: tuple[str, ...],
    open_artifact: Callable[[Path], Artifact],
    line: Callable[[Artifact], str],
    counts: Callable[[Any], Mapping[str, Any]] = lambda given: {},
    reusable: Callable[[Artifact], bool] = lambda artifact: True,
    defaults: Mapping[str, Default] = MappingProxyType({}),
) -> Callable[[Callable[Concatenate[Work, Inputs], Artifact]], Stage[Inputs, Artifact]]:
    """Declares a stage.

    Args:
        name: in keys, in the recipe and, with "-" for "_", on the command line.
        version: raise it with every change after which the same inputs give another result.
        libraries: the installed packages that do the work.
        open_artifact: opens the finished folder.
        line: one line about the artifact.
        counts: gets the inputs (`given.config`, …); returns entries of the key that replace inputs or are added.
            `LEFT_OUT` takes an input out of the key.
        reusable: False for a result that must not be used again.
        defaults: of options whose default an input decides, by name.
    """

    def declare(function: Callable[Concatenate[Work, Inputs], Artifact]) -> Stage[Inputs, Artifact]:
        made = Stage(name, version, libraries, open_artifact, line, counts, reusable, function, defaults)
        STAGES[name] = made
        return made

    return declare


def counted(value: Any) -> Any:
    """A value as it stands in a key, in plain JSON: the digest of an artifact or of data, the values of options.

    Raises:
        TypeError: the value has no such form, so `counts` must replace it.
    """
    digest = getattr(value, "digest", getattr(value, "fingerprint", None))
    if isinstance(digest, str):
        return digest
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, list | tuple):
        return [counted(each) for each in value]
    if isinstance(value, Mapping):
        return {name: counted(each) for name, each in value.items()}
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"a {type(value).__name__} cannot stand in a key")
