"""The public names of `edge_ptf` stay callable, whatever was imported."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from types import ModuleType

import click
import pytest

import edge_ptf
from edge_ptf import stages
from edge_ptf.cli.main import main

NAMES = [name for name in edge_ptf.__all__ if name != "__version__"]
EVERYTHING = """
import importlib, pkgutil, edge_ptf
before = {name: getattr(edge_ptf, name) for name in edge_ptf.__all__}
for found in pkgutil.walk_packages(edge_ptf.__path__, "edge_ptf."):
    if found.name != "edge_ptf.__main__":
        importlib.import_module(found.name)
for name, value in before.items():
    assert getattr(edge_ptf, name) is value, name
    assert name == "__version__" or callable(value), name
from edge_ptf import bench, gate, report, search
assert not [each for each in (bench, gate, report, search) if not callable(each)]
print(len(before))
"""


def test_every_name_is_callable_after_everything_was_imported() -> None:
    done = subprocess.run([sys.executable, "-c", EVERYTHING], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len(edge_ptf.__all__)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_can_be_called_twice_after_everything_was_imported(name: str) -> None:
    """With an argument that it does not have: the function answers, not a module."""
    for found in pkgutil.walk_packages(edge_ptf.__path__, "edge_ptf."):
        if found.name != "edge_ptf.__main__":
            importlib.import_module(found.name)
    for _ in range(2):
        with pytest.raises(TypeError, match="no_such_argument"):
            getattr(edge_ptf, name)(no_such_argument=1)


@pytest.mark.parametrize("name", ["bench", "gate", "report", "search"])
def test_a_module_with_a_public_name_can_still_be_imported(name: str) -> None:
    module = importlib.import_module(f"edge_ptf.{name}")
    assert isinstance(module, ModuleType)
    assert not isinstance(getattr(edge_ptf, name), ModuleType)


def test_a_public_name_can_be_replaced_for_a_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge_ptf, "gate", len, raising=False)
    assert edge_ptf.gate("ab") == 2


def test_every_stage_that_is_a_command_has_its_function_and_the_other_way_round() -> None:
    commands = {name.replace("-", "_") for name in main.list_commands(click.Context(main))}
    alone = {name for name, stage in stages.STAGES.items() if stage.callable_alone}
    assert alone == commands & set(stages.STAGES) - {"compare"}
    assert alone <= set(edge_ptf.__all__)
    assert commands - set(edge_ptf.__all__) == {"init", "profiles", "inspect", "predict", "devices", "doctor"}


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'finetun'"):
        _ = edge_ptf.finetun
    assert set(NAMES) <= set(dir(edge_ptf))


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, edge_ptf; print(*sorted({'torch', 'numpy', 'pydantic', 'click'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
