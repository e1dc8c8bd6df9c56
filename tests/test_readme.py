"""Every command in the README exists and takes the options it is shown with."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from edge_ptf.cli.main import main

README = Path(__file__).resolve().parents[1] / "README.md"


def commands() -> list[str]:
    text = re.sub(r"\\\n\s*", " ", README.read_text(encoding="utf-8"))
    lines = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    found = [re.split(r"\s+#|\s+>", line)[0].replace("…", "").strip() for line in lines]
    return [line for line in found if line.startswith("edge-ptf ")]


def test_the_readme_shows_every_stage() -> None:
    shown = {shlex.split(line)[1] for line in commands()}
    assert {"finetune", "prune", "distill", "export", "quantize", "assemble", "evaluate", "bench", "gate"} <= shown


@pytest.mark.parametrize("line", commands())
def test_command_in_the_readme_parses(line: str) -> None:
    words = shlex.split(line)[1:]
    context = click.Context(main)
    command: click.Command = main
    while isinstance(command, click.Group):
        found = command.get_command(context, words[0])
        assert found is not None, f"no command {words[0]}"
        command, words = found, words[1:]
    command.make_parser(click.Context(command)).parse_args(args=list(words))
