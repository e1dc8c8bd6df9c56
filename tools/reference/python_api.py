"""The page about the Python API, from the signatures and docstrings of the public names."""

from __future__ import annotations

import doctest
import inspect
import re
import types
from collections.abc import Callable, Mapping
from typing import Any, Literal, Union, get_args, get_origin

import edge_ptf
from edge_ptf import stages
from edge_ptf.api.parameters import stage_parameters
from tools.reference.fields import range_of
from tools.reference.markdown import sentence, table

HEAD = """# Python API

`import edge_ptf` gives a function for each command. The keyword arguments are the options of the command, with
underscores: `--num-layers 2` is `num_layers=2`. Paths and names can be plain strings. A stage also takes what another
stage returned.

- What is not given comes from `edge-ptf.yaml`, where the working directory has one. A stronger place wins over a weaker
  one: built-in default < task < profile < `edge-ptf.yaml` < arguments.
- `set={"distill.epochs": 6}` sets any option of the [recipe](recipe.md). `compress`, `search` and `check` also take a
  section as a mapping: `distill={"epochs": 6}`. So does `data` everywhere:
  `data={"source": "texts.csv", "text_column": "question"}`.
- A result prints as at most five lines.
- Every error is an `edge_ptf.errors.EdgePtfError` with one line that says what is wrong and what is allowed. An
  unknown argument is an `ArgumentError`, which is a `TypeError` too.
- Nothing is shown while a function works. Give `progress` an object with `start`, `advance` and `finish`.

The lines below run as they are in a folder that has the named files.
"""
ASSIGNMENT = re.compile(r"^\w+ = (edge_ptf\..+)$")


def page() -> str:
    """Every public name with its signature, its example and its arguments."""
    names = public_names()
    rows = [(f"[`{name}`](#{name.lower()})", sentence(_summary(getattr(edge_ptf, name)))) for name in names]
    parts = [HEAD, table(("name", "what it does"), rows), ""]
    for name in names:
        found = getattr(edge_ptf, name)
        parts += [f"## {name}\n", f"```python\n{signature(name, found)}\n```\n", _prose(found), ""]
        parts += [f"```bash\n{one_liners()[name]}\n```\n", *_arguments(name, found)]
    return "\n".join(parts)


def public_names() -> list[str]:
    """The names of the page, in the order of `edge_ptf.__all__`."""
    return [name for name in edge_ptf.__all__ if name != "__version__"]


def one_liners() -> dict[str, str]:
    """A shell command for each public name that runs the example of its docstring and prints the result."""
    return {name: f"python -c '{_code(getattr(edge_ptf, name))}'" for name in public_names()}


def signature(name: str, found: Callable[..., Any]) -> str:
    """The signature, one argument a line."""
    declared = inspect.signature(found)
    lines, keyword_only = [], False
    for each in declared.parameters.values():
        if each.kind is each.KEYWORD_ONLY and not keyword_only:
            lines.append("    *,")
            keyword_only = True
        stars = "**" if each.kind is each.VAR_KEYWORD else ""
        default = "" if each.default is each.empty else f" = {_default(each.default)}"
        lines.append(f"    {stars}{each.name}: {type_text(each.annotation)}{default},")
    returned = declared.return_annotation
    back = "" if returned is declared.empty or name == "Runner" else f" -> {type_text(returned)}"
    return "\n".join([f"edge_ptf.{name}(", *lines, f"){back}"])


def type_text(annotation: Any) -> str:
    """A type as one writes it, without the names of modules."""
    if isinstance(annotation, str):
        return re.sub(r"\bPathText\b", "str | PathLike", annotation.replace("Setting |", "Mapping | list[str] |"))
    origin, inner = get_origin(annotation), get_args(annotation)
    if hasattr(annotation, "__metadata__"):
        return type_text(inner[0])
    if origin in (Union, types.UnionType):
        return " | ".join(dict.fromkeys(map(type_text, inner)))
    if origin is Literal:
        return " | ".join(f'"{value}"' for value in inner)
    name = "None" if annotation is type(None) else getattr(origin or annotation, "__name__", str(annotation))
    within = ", ".join("..." if each is ... else type_text(each) for each in inner)
    return f"{name}[{within}]" if inner and name != "PathLike" else name


def _default(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _code(found: Any) -> str:
    """The first statement of the example, on one line; its result is printed."""
    first = doctest.DocTestParser().get_examples(found.__doc__ or "")[0]
    statement = " ".join(first.source.split())
    assigned = ASSIGNMENT.match(statement)
    shown = statement if statement.startswith("print(") else f"print({assigned[1] if assigned else statement})"
    return f"import edge_ptf; {shown}"


def _summary(found: Any) -> str:
    return (inspect.getdoc(found) or "").split("\n\n")[0]


def _prose(found: Any) -> str:
    """The docstring up to its sections."""
    return re.split(r"\n(?=(?:Args|Returns|Raises|Example):\n)", inspect.getdoc(found) or "")[0].strip() + "\n"


def _arguments(name: str, found: Any) -> list[str]:
    """The arguments with what they are: for a stage from its declaration, else from the docstring."""
    if name in stages.STAGES and stages.STAGES[name].callable_alone:
        rows = [
            (
                f"`{each.name}`",
                "required" if each.required else each.default_text,
                range_of(each.field) if each.field else "",
                sentence(_described(found)[each.name]),
            )
            for each in stage_parameters(stages.STAGES[name])
        ]
        return [table(("argument", "default", "range", "meaning"), rows), ""]
    documented = _described(found if name != "Runner" else found.__init__)
    parameters: Mapping[str, inspect.Parameter] = inspect.signature(found).parameters
    rows = [(f"`{each}`", sentence(documented.get(each, ""))) for each in parameters if each in documented]
    return [table(("argument", "meaning"), rows), ""] if rows else []


def _described(found: Any) -> dict[str, str]:
    """The texts of the section "Args" of a docstring, without defaults."""
    text = inspect.getdoc(found) or ""
    section = re.search(r"^Args:\n(.*?)(?=\n\n|\Z)", text, re.DOTALL | re.MULTILINE)
    described: dict[str, str] = {}
    if section is None:
        return described
    for entry in re.findall(r"^ {0,4}(\S[^\n]*(?:\n {5,}[^\n]*)*)", section[1], re.MULTILINE):
        names, _, meaning = entry.partition(": ")
        for name in names.split(", "):
            described[name] = " ".join(meaning.split())
    return described
