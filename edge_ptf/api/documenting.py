"""The docstring of a stage's function, with an example that runs, from the declaration of the stage."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Sequence
from typing import Any

from edge_ptf.api.arguments import Parameter
from edge_ptf.api.parameters import in_python
from edge_ptf.models.base_models import Base
from edge_ptf.package import Payload
from edge_ptf.stages import Stage
from edge_ptf.stages.declaration import ARGUMENT, Input
from edge_ptf.tasks.base import Task

WIDTH = 112
FOLDER = "work"
"""Where the files of the examples lie."""


def document(stage: Stage[..., Any], parameters: Sequence[Parameter]) -> str:
    """What the stage does, its arguments, and an example."""
    text = in_python(inspect.getdoc(stage.function) or "")
    for each in stage.inputs():
        if each.option is ARGUMENT:
            text = text.replace(each.name.upper(), f"`{each.name}`")
    arguments = [
        textwrap.fill(f"{each.name}: {_described(each)}", WIDTH, initial_indent="    ", subsequent_indent="        ")
        for each in parameters
    ]
    call = textwrap.indent(f">>> print(edge_ptf.{example(stage)})\n{stage.name}: ...", "    ")
    return "\n".join(
        [
            text,
            "",
            "Args:",
            *arguments,
            "",
            "Returns:",
            "    StageResult: the artifact, its folder, and whether it was there already.",
            "",
            "Raises:",
            "    EdgePtfError: one line that says what is wrong and what is allowed.",
            "",
            "Example:",
            call,
        ]
    )


def example(stage: Stage[..., Any]) -> str:
    """A call of the stage's function with what it needs, and with the fields that have an example."""
    given: dict[str, Any] = {}
    inputs = stage.inputs()
    for each in inputs:
        if each.kind is Base:
            given["model"] = "minilm-l6"
        elif each.option and each.required:
            given[each.name] = path_of_example(each)
    given["data"] = "demo"
    if any(each.kind is Task for each in inputs):
        given["task"] = "text-classification"
    config: Any = next(each.kind for each in inputs if each.name == "config")
    for name, field in config.model_fields.items():
        if field.examples:
            given[name] = field.examples[0]
    given["out"] = f"{FOLDER}/{stage.name}"
    return f"{stage.name}({', '.join(f'{name}={value!r}' for name, value in given.items())})".replace("'", '"')


def path_of_example(each: Input) -> str:
    """Where an artifact lies in the examples."""
    return f"{FOLDER}/{each.name}{'.eptf' if each.kind is Payload else ''}"


def _described(parameter: Parameter) -> str:
    text = parameter.python or in_python(parameter.help)
    if not parameter.default_text:
        return text if text.endswith((".", "]")) else f"{text}."
    return f"{text.rstrip('.')}. [default: {parameter.default_text}]"
