"""The project's own files agree with each other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import tomllib

ROOT = Path(__file__).resolve().parents[1]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_every_package_is_in_the_wheel() -> None:
    present = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "edge_ptf").rglob("__init__.py")}
    data = {"edge_ptf.shipped_profiles", "edge_ptf.report.templates"}  # folders of files; setuptools wants their names
    assert present | data == set(PROJECT["tool"]["setuptools"]["packages"])
    folders = {path for path in (ROOT / "edge_ptf").rglob("*") if path.is_dir() and path.name != "__pycache__"}
    named = {".".join(path.relative_to(ROOT).parts) for path in folders}
    assert named <= present | data  # a folder without a name gets a banner in every installation


def recipe(target: str) -> str:
    """The lines of a target of the Makefile: its prerequisites and its commands."""
    found = re.search(rf"^{re.escape(target)}:.*\n(?:\t.*\n)*", MAKEFILE, re.MULTILINE)
    assert found, target
    return found[0]


def test_the_runner_is_built_without_the_python_environment() -> None:
    dependencies = recipe("build/deps-%")
    assert "INSTALLED" not in dependencies and "BIN" not in dependencies
    assert "install" not in recipe("runner").split("\n", maxsplit=1)[0]


def test_an_editable_installation_is_quiet() -> None:
    assert "ignore:Editable installation" in recipe("$(INSTALLED)")


def test_every_module_has_a_place_in_the_layers() -> None:
    layers = " ".join(PROJECT["tool"]["importlinter"]["contracts"][0]["layers"])
    modules = {
        path.stem for path in (ROOT / "edge_ptf").iterdir() if path.name[0] not in "._" and path.name != "py.typed"
    }
    missing = sorted(module for module in modules if not re.search(rf"\bedge_ptf\.{module}\b", layers))
    assert not missing


def test_constraints_name_every_direct_dependency() -> None:
    pinned = {
        line.split("==")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line
    }
    extras = PROJECT["project"]["optional-dependencies"].values()
    wanted = [*PROJECT["project"]["dependencies"], *(item for extra in extras for item in extra)]
    names = {re.split(r"[<>=\[]", item)[0].strip().lower().replace("_", "-") for item in wanted}
    assert names <= pinned


@pytest.mark.parametrize("document", ["README.md", "benchmarks/README.md"])
def test_links_lead_somewhere(document: str) -> None:
    path = ROOT / document
    for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target
