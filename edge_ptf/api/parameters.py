"""The keyword arguments of every public function that several functions share, and those of a stage.

The help of an option on the command line is the `help` here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from os import PathLike
from typing import Any, TypeAlias

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from edge_ptf import tasks
from edge_ptf.api.arguments import Parameter
from edge_ptf.bench import BenchTexts
from edge_ptf.bench.devices import Device
from edge_ptf.config import StageConfig
from edge_ptf.data.dataset import LabelledData
from edge_ptf.models.base_models import Base
from edge_ptf.profiles import Profile
from edge_ptf.progress import Progress
from edge_ptf.recipe import Recipe
from edge_ptf.stages.declaration import ARGUMENT, Input, Stage
from edge_ptf.tasks.base import Task

PathText: TypeAlias = str | PathLike[str]
Setting: TypeAlias = Mapping[str, Any] | list[str] | tuple[str, ...]
"""{"SECTION.FIELD": value}, or texts as `--set` takes them."""

MODEL = Parameter("model", PathText | Base | None, "Pretrained model: directory, hub id, or minilm-l6.")
DATA = Parameter(
    "data",
    PathText | LabelledData | Mapping[str, Any] | None,
    "Labelled text: file, directory, `datasets` directory, hub id, or the built-in demo, demo:ner, demo-large. For "
    "several tasks one for all, or NAME=DATA for each.",
)
TASK = Parameter(
    "task",
    str | type[Task] | Mapping[str, str] | None,
    "What the labels mean. For several tasks on one encoder NAME=TASK for each, such as intent=text-classification.",
    python="What the labels mean. For several tasks on one encoder a mapping, such as "
    '{"intent": "text-classification", "slots": "token-classification"}.',
)
PROFILE = Parameter("profile", PathText | Profile | None, "Hardware profile: a shipped name, a YAML file, or 'host'.")
OUT = Parameter("out", PathText | None, "Directory for the result.")
OVERWRITE = Parameter("overwrite", bool | None, "Replace what --out holds.")
OUT_OF_SCOPE_LABEL = Parameter(
    "out_of_scope_label", str | None, "The label of texts that belong to no class; gated on its own."
)
SET = Parameter(
    "set",
    Setting | None,
    "Any option of the recipe; repeatable. The project file has the same names.",
    python='Any options of the recipe, such as {"distill.epochs": 6}.',
)
CONFIG = Parameter("config", PathText | None, "Project file. [default: edge-ptf.yaml where it exists]")
PROGRESS = Parameter("progress", Progress | None, "Receives how far the work is. [default: nothing is shown]")
DEVICE = Parameter(
    "device", str | Device | None, "local, ssh://[user@]host[:port], adb[:SERIAL] or qemu:aarch64. [default: local]"
)
TEXTS = Parameter(
    "texts",
    PathText | None,
    "A file with one text on each line, in place of --data. [default without --data: the golden texts]",
)
RUNNER = Parameter(
    "runner", PathText | None, "The folder of the C++ runner built for the device. [default: the one in build/]"
)
SSH_OPTIONS = Parameter(
    "ssh_options",
    list[str] | tuple[str, ...] | None,
    "An option of ssh, as in ssh_config(5), such as IdentityFile=key; repeatable.",
    python='Options of ssh, as in ssh_config(5), such as ["IdentityFile=key"].',
)
JOB = (PROFILE, DATA, TASK, OUT_OF_SCOPE_LABEL, SET, CONFIG)
"""What every stage takes that reads labelled text, in the order of the command's help."""
HELP = {each.name: each.help for each in (MODEL, OUT, OVERWRITE, DEVICE, RUNNER, SSH_OPTIONS, TEXTS, *JOB)}
"""The help of each option that several commands share."""


def stage_parameters(stage: Stage[..., Any]) -> tuple[Parameter, ...]:
    """The keyword arguments of a stage's function, in the order of the options of its command."""
    found: list[Parameter] = []
    for each in stage.inputs():
        if each.kind is Base:
            found.append(MODEL)
        elif each.kind is Device:
            found += [DEVICE, RUNNER, SSH_OPTIONS]
        elif BenchTexts in each.also:
            found.append(TEXTS)
        elif each.option:
            found.append(_artifact(each))
    config = next(each.kind for each in stage.inputs() if each.name == "config")
    return (*found, *JOB, OUT, OVERWRITE, *_fields(stage, config), PROGRESS)


def default_words(section: str, name: str, field: FieldInfo) -> str:
    """What holds where nothing is given: the model's own value, and that of each task which has another."""
    unset = field.default in (PydanticUndefined, None, (), "")
    found = [] if unset else [_shown(field.default)]
    for task in tasks.names():
        options = tasks.get(task).recipe.get(section, {})
        if name in options:
            found.append(f"{_shown(options[name])} for {task}")
    return "; ".join(found)


def in_python(text: str) -> str:
    """A text about the command, with the options as keyword arguments.

    Without examples of commands, and without paragraphs that begin with "On the command line".
    """
    blocks = [
        block
        for block in re.split(r"\n\s*\n", text)
        if "\b" not in block and not block.startswith("On the command line")
    ]
    found = "\n\n".join(blocks).replace("; repeatable", "")
    return "".join(_without_dashes(part) for part in re.split(r"(`[^`]*`)", found))


def _without_dashes(part: str) -> str:
    """A piece of text, or of code in backticks, with the names of options as Python has them."""
    quote = "" if part.startswith("`") else "`"
    return re.sub(r"--([a-z][a-z-]*[a-z])", lambda found: f"{quote}{found[1].replace('-', '_')}{quote}", part)


def _artifact(each: Input) -> Parameter:
    option = each.option
    assert option is not None
    one: Any = PathText | each.kind
    takes = list[one] | tuple[one, ...] | None if each.many else one if each.required else one | None
    text = option.help or f"What the stage works on: a path, or a {each.kind.__name__}."
    return Parameter(each.name, takes, text, required=each.required, positional=each.required or option is ARGUMENT)


def _fields(stage: Stage[..., Any], config: type[StageConfig]) -> list[Parameter]:
    known = {name: default.words for name, default in stage.defaults.items()}
    section = section_of(config)
    return [
        Parameter(
            name,
            field.annotation,
            (field.description or "").rstrip("."),
            field=field,
            default_text=known.get(name) or default_words(section, name, field),
        )
        for name, field in config.model_fields.items()
    ]


def section_of(config: type[StageConfig]) -> str:
    """The section of the recipe that has these options."""
    return next(name for name, field in Recipe.model_fields.items() if field.annotation is config)


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(_shown, value))
    return f"{value:.3g}" if isinstance(value, float) and value < 1 else str(value)
