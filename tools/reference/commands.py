"""The page about commands, from the tree of click commands."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import click

from edge_ptf.cli.main import main
from tools.reference.configuration import fields_of
from tools.reference.fields import range_of
from tools.reference.markdown import sentence, table

HEAD = """# Commands

`edge-ptf COMMAND --help` prints the same text.
[Exit codes](exit-codes.md) explains the exit code. [Recipe](recipe.md) lists the fields of `--set`.
"""


def page() -> str:
    """All commands in the order of `edge-ptf --help`."""
    found = dict(tree(main))
    rows = [
        (f"[`{path}`](#{_anchor(path)})", _summary(command))
        for path, command in found.items()
        if not isinstance(command, click.Group)
    ]
    parts = [HEAD, table(("command", "what it does"), rows), "", "## edge-ptf\n", *_options(main, ())]
    for path, command in found.items():
        if not isinstance(command, click.Group):
            parts += [f"## {path}\n", *_text(command), f"    {_usage(command, path)}\n", *_options(command, path)]
    return "\n".join(parts)


def tree(group: click.Group, path: str = "edge-ptf") -> Iterator[tuple[str, click.Command]]:
    """Every command under a group with its full name, groups included."""
    context = click.Context(group, info_name=path)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None:
            continue
        full = f"{path} {name}"
        yield full, command
        if isinstance(command, click.Group):
            yield from tree(command, full)


def _summary(command: click.Command) -> str:
    return sentence(command.get_short_help_str(limit=200))


def _text(command: click.Command) -> list[str]:
    """The help text; an example block keeps its line breaks."""
    parts = []
    for block in re.split(r"\n\s*\n", inspect.cleandoc(command.help or "")):
        if "\b" in block:
            parts.append("\n".join(f"    {line}" for line in block.replace("\b", "").strip("\n").splitlines()) + "\n")
        else:
            parts.append(" ".join(block.split()) + "\n")
    return parts


def _usage(command: click.Command, path: str) -> str:
    context = click.Context(command, info_name=path)
    return " ".join([path, *command.collect_usage_pieces(context)])


def _options(command: click.Command, path: Any) -> list[str]:
    fields = fields_of(path.split()[-1].replace("-", "_")) if path else {}
    context = click.Context(command, info_name=str(path))
    rows = []
    for parameter in command.get_params(context):
        if not isinstance(parameter, click.Option) or "--help" in parameter.opts:
            continue
        text = " ".join((parameter.help or "").split())
        default = re.search(r"\s*\[default: (.*)\]$", text)
        if default:
            text = text[: default.start()]
        field = fields.get(parameter.name or "")
        rows.append(
            (
                ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts)),
                _takes(parameter, context),
                default[1] if default else _default(parameter),
                range_of(field) if field else _range(parameter.type),
                sentence(text) + (" Required." if parameter.required else ""),
            )
        )
    return [table(("option", "takes", "default", "range", "meaning"), rows), ""] if rows else []


def _takes(option: click.Option, context: click.Context) -> str:
    if option.is_flag or option.count:
        return ""
    if isinstance(option.type, click.Choice):
        return ", ".join(f"`{choice}`" for choice in option.type.choices)
    return option.make_metavar(context).split(" RANGE")[0]


def _default(option: click.Option) -> str:
    value = option.default
    plain = isinstance(value, str | int | float) and not isinstance(value, bool)
    return str(value) if plain and option.show_default else ""


def _range(kind: object) -> str:
    limits = ((">" if getattr(kind, "min_open", False) else "≥", "min"), ("≤", "max"))
    return ", ".join(f"{sign} {getattr(kind, name)}" for sign, name in limits if getattr(kind, name, None) is not None)


def _anchor(path: str) -> str:
    return path.replace(" ", "-")
