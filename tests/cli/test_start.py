"""How the command starts, helps and stops."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import click
import pytest

import edge_ptf
from edge_ptf.cli.main import COMMANDS, main

HEAVY = ("torch", "transformers", "onnx", "onnxruntime", "datasets", "optimum")


def commands() -> list[tuple[str, click.Command]]:
    context = click.Context(main)
    found: list[tuple[str, click.Command]] = []
    for name in COMMANDS:
        command = main.get_command(context, name)
        assert command is not None
        found.append((name, command))
        if isinstance(command, click.Group):
            found += [(f"{name} {inner}", item) for inner, item in command.commands.items()]
    return found


@pytest.mark.parametrize(("name", "command"), commands(), ids=[name for name, _ in commands()])
def test_every_command_and_option_explains_itself(name: str, command: click.Command) -> None:
    assert command.help, name
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, f"{name} {option.name}"
    assert "--help" in command.get_help(click.Context(command, info_name=name, max_content_width=110))


def test_help_loads_no_heavy_library() -> None:
    """All commands in one process: a library is found at the first command that loads it."""
    code = f"""
import contextlib, io, json, sys
from edge_ptf.cli.main import main
found = {{}}
for name in {["", *COMMANDS]!r}:
    loaded, printed = {{*sys.modules}}, io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        main([*name.split(), "--help"], standalone_mode=False)
    heavy = [library for library in {HEAVY!r} if library in sys.modules and (library not in loaded or not name)]
    found[name] = [heavy, "Usage: " in printed.getvalue()]
print(json.dumps(found))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == {name: [[], True] for name in ("", *COMMANDS)}


def test_the_public_functions_are_there() -> None:
    for name in edge_ptf.__all__:
        assert getattr(edge_ptf, name) is not None
    assert set(edge_ptf.__all__) <= set(dir(edge_ptf))
    with pytest.raises(AttributeError, match="edge_ptf"):
        _ = edge_ptf.nothing_of_this_name


def test_no_command_shows_the_help(run: Callable) -> None:
    done = run()
    assert done.returncode == 2
    assert "compress" in done.stdout + done.stderr


@pytest.mark.parametrize(("turned_into", "code"), [("raise", 130), ("raise ImportError('initialization failed')", 130)])
def test_an_interrupt_stays_one_whatever_a_library_makes_of_it(turned_into: str, code: int) -> None:
    script = f"""
import os, signal
from edge_ptf.cli import main as entry
def command(**_):
    try:
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000): pass
    except KeyboardInterrupt:
        {turned_into}
entry.main = command
entry.run()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert "interrupted" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_fault_of_ours_is_the_only_traceback() -> None:
    script = "from edge_ptf.cli import main as entry\ndef command(**_): 1 / 0\nentry.main = command\nentry.run()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr


@pytest.mark.parametrize("line", ["-v doctor", "doctor -v", "doctor --verbose", "profiles -v list", "profiles list -v"])
def test_verbose_can_stand_anywhere(line: str) -> None:
    code = (
        "import logging\nfrom edge_ptf.cli.main import main\n"
        f"try: main({line.split()!r}, standalone_mode=False)\nexcept SystemExit: pass\n"
        "print(logging.getLogger().level == logging.INFO)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "True"
