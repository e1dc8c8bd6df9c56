"""Every command line in the documents exists with its options. Fast ones are run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from edge_ptf.cli.main import main
from edge_ptf.recipe import Recipe
from tests.docs.pages import DOCS, Shown, commands, marked_blocks

CHEAP = ("profiles", "doctor", "init")
TUTORIAL = DOCS / "tutorial" / "index.md"
QUICK = (
    "--set finetune.epochs=1 --set distill.epochs=1 --set distill.spliced_texts=0.2 --set bench.launches=5 "
    "--set bench.calls=100 --set bench.seconds=0 --set bench.memory_launches=2 --set prune.intermediate_size=[32] "
    "--max-drop in_scope_accuracy=100 --max-drop out_of_scope_recall=100 --min-speedup 0.01 --set prune.num_layers=2"
)


def parse(words: list[str]) -> tuple[click.Command, dict[str, Any]]:
    """The command and its parsed options, without running it."""
    command: click.Command = main
    while isinstance(command, click.Group):
        assert words, "a command is missing"
        found = command.get_command(click.Context(command), words[0])
        assert found is not None, f"no command {words[0]}"
        command, words = found, words[1:]
    for parameter in command.params:  # the path of an example does not exist on this machine
        if isinstance(parameter.type, click.Path):
            parameter.type = click.Path(path_type=Path)
    context = command.make_context(command.name, list(words), resilient_parsing=False)
    return command, context.params


@pytest.mark.parametrize("shown", commands(), ids=str)
def test_a_shown_command_parses(shown: Shown) -> None:
    if shown.words[:1] in (["COMMAND"], ["CMD"]):
        return
    _, options = parse(shown.words)
    for setting in options.get("settings") or ():
        section, _, rest = setting.partition(".")
        field = Recipe.model_fields.get(section)
        assert field is not None, f"--set {setting}: no section {section}"
        name = rest.partition("=")[0].split(".")[0]
        assert name in field.annotation.model_fields, f"--set {setting}: no field {name}"


def test_the_documents_show_every_stage() -> None:
    shown = {item.words[0] for item in commands()}
    stages = {"finetune", "prune", "distill", "export", "quantize", "assemble", "evaluate", "bench", "gate", "seal"}
    assert stages <= shown


def cheap() -> list[Shown]:
    found = [shown for shown in commands() if shown.words[0] in CHEAP or "--help" in shown.words]
    slow = {"COMMAND", "FILE", "--jetson"}
    return [shown for shown in found if "mine.yaml" not in shown.line and not slow & set(shown.words)]


@pytest.mark.parametrize("shown", cheap(), ids=str)
def test_a_cheap_command_runs(shown: Shown, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "edge_ptf", *shown.words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_tutorial_runs(tmp_path: Path, tiny_base: Any) -> None:
    """The marked blocks in order, with a tiny model and a tenth of the rows; the C++ block runs in `make test`."""
    blocks = marked_blocks(TUTORIAL)
    assert list(blocks) == ["data", "profiles", "compress", "predict", "verify", "runner", "settings"]
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, arguments in (("python", ""), ("edge-ptf", "-m edge_ptf")):
        launcher = programs / name
        launcher.write_text(f'#!/bin/sh\nexec {sys.executable} {arguments} "$@"\n', encoding="utf-8")
        launcher.chmod(0o755)
    root = DOCS.parent
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(root), os.environ.get("PYTHONPATH"))))

    def run(name: str, script: str, codes: tuple[int, ...] = (0,)) -> str:
        done = subprocess.run(
            ["bash", "-e", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode in codes, f"{name}: {done.stdout}\n{done.stderr}"
        return done.stdout

    assert run("data", blocks["data"]).startswith("text,label")
    for file in (tmp_path / "voice").glob("*.csv"):
        head, *rows = file.read_text(encoding="utf-8").splitlines()
        file.write_text("\n".join([head, *rows[::10]]) + "\n", encoding="utf-8")
    assert "--profile host means" in run("profiles", blocks["profiles"])
    compress = blocks["compress"].rstrip("\n").replace("minilm-l6", str(tiny_base("bert")))
    compress = compress.replace("--profile host", "--profile x86-generic")
    assert "Overall" in run("compress", f"{compress} {QUICK}", codes=(0, 4))
    assert run("predict", blocks["predict"]).count("\t") == 6
    assert "golden" in run("verify", blocks["verify"])
    runner = root / "build" / "runner-release"
    if (runner / "edge-ptf-runner").exists():
        (tmp_path / "build" / "runner-release").symlink_to(runner)
        run("runner", blocks["runner"].replace("make runner\n", ""))
    run("settings", blocks["settings"])
    shutil.rmtree(tmp_path / "build")
