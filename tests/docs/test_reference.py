"""The reference pages contain everything that the code declares."""

from __future__ import annotations

import inspect
import re

import click
import pytest

import edge_ptf
from edge_ptf.cli.main import main
from edge_ptf.errors import ExitCode
from edge_ptf.profiles import Profile
from edge_ptf.recipe import Recipe
from tools.reference import c_api, pages, python_api
from tools.reference.commands import tree
from tools.reference.configuration import fields_of
from tools.reference.exit_codes import MEANINGS

PAGES = pages()


@pytest.mark.parametrize(("path", "command"), list(tree(main)), ids=lambda item: item if isinstance(item, str) else "")
def test_every_option_of_every_command_is_there(path: str, command: click.Command) -> None:
    if isinstance(command, click.Group):
        return
    section = PAGES["commands.md"].split(f"\n## {path}\n")[1].split("\n## ")[0]
    options = [option for item in command.params if isinstance(item, click.Option) for option in item.opts]
    assert not [option for option in options if f"`{option}`" not in section]


def test_a_stage_option_has_the_range_of_its_field() -> None:
    section = PAGES["commands.md"].split("\n## edge-ptf finetune\n")[1].split("\n## ")[0]
    row = next(line for line in section.splitlines() if line.startswith("| `--epochs`"))
    assert "≥" in row


@pytest.mark.parametrize("section", list(Recipe.model_fields))
def test_every_field_of_the_recipe_is_there(section: str) -> None:
    text = PAGES["recipe.md"].split(f"\n## {section}\n")[1].split("\n## ")[0]
    assert not [name for name in fields_of(section) if f"| `{name}` |" not in text]


def test_every_field_of_a_profile_is_there() -> None:
    names = [field.alias or name for name, field in Profile.model_fields.items()]
    assert not [name for name in names if f"| `{name}` |" not in PAGES["profile.md"]]


@pytest.mark.parametrize("name", python_api.public_names())
def test_every_argument_of_a_public_function_is_there(name: str) -> None:
    section = PAGES["python-api.md"].split(f"\n## {name}\n")[1].split("\n## ")[0]
    arguments = inspect.signature(getattr(edge_ptf, name)).parameters
    assert not [each for each in arguments if f"| `{each}` |" not in section]
    assert "None" not in section.split("```\n")[0].replace(" = None", "").replace(" | None", "")
    assert f"python -c 'import edge_ptf; print(edge_ptf.{name}(" in section


def test_every_exit_code_has_a_meaning() -> None:
    assert {int(code) for code in ExitCode} == set(MEANINGS)


def test_every_function_and_field_of_the_header_is_there() -> None:
    header = re.sub(r"/\*.*?\*/", "", c_api.HEADER.read_text(encoding="utf-8"), flags=re.DOTALL)
    functions = re.findall(r"^EDGE_PTF_API\s[^;(]*?(\w+)\s*\(", header, re.MULTILINE)
    assert len(functions) > 20
    assert not [name for name in functions if f"\n### {name}\n" not in PAGES["c-api.md"]]
    values = re.findall(r"^\s+(EDGE_PTF_\w+) = ", header, re.MULTILINE)
    assert not [name for name in values if f"`{name} = " not in PAGES["c-api.md"]]


def test_a_comment_behind_a_declaration_belongs_to_it() -> None:
    api = c_api.read(
        "/* top */\n/* Opens it. */\nEDGE_PTF_API int edge_ptf_open(int a);\n\n"
        "EDGE_PTF_API int edge_ptf_count(void); /* 0 or more */\ntypedef struct edge_ptf_x edge_ptf_x; /* a handle */\n"
    )
    assert api.functions == [("int edge_ptf_open(int a);", "Opens it."), ("int edge_ptf_count(void);", "0 or more")]
    assert api.handles == [("edge_ptf_x", "a handle")]
