"""The project's own files agree with each other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import tomllib

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_every_package_is_in_the_wheel() -> None:
    present = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "edge_ptf").rglob("__init__.py")}
    assert present | {"edge_ptf.shipped_profiles"} == set(PROJECT["tool"]["setuptools"]["packages"])


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
