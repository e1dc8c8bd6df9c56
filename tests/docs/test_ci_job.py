"""The workflow in docs/how-to/ci-job.md is valid and calls commands with options that exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import click
import yaml

from edge_ptf.cli.main import main

TEXT = (Path(__file__).parents[2] / "docs" / "how-to" / "ci-job.md").read_text(encoding="utf-8")
WORKFLOW: dict[str, Any] = yaml.safe_load(re.search(r"```yaml\n(.*?)```", TEXT, re.DOTALL)[1])


def steps() -> list[dict[str, Any]]:
    return [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]


def commands() -> list[list[str]]:
    scripts = "\n".join(step["run"] for step in steps() if "run" in step).replace("\\\n", " ")
    lines = [line.split("||")[0].strip() for line in scripts.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith(".venv/bin/edge-ptf")]


def test_every_command_of_the_workflow_exists_with_its_options() -> None:
    assert [command[0] for command in commands()] == ["compress", "bench", "gate"]
    for name, *arguments in commands():
        command = main.get_command(click.Context(main), name)
        assert command is not None
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in arguments if word.startswith("--")} <= known, name


def test_the_workflow_shows_and_keeps_its_reports() -> None:
    written = {command[place + 1] for command in commands() for place, word in enumerate(command) if word == "--junit"}
    assert written == {"reports/compress.xml", "reports/gate.xml"}
    uploads = [step for step in steps() if "upload-artifact" in step.get("uses", "")]
    assert all("reports/" in step["with"]["path"] and step["if"] == "always()" for step in uploads)
    summaries = [step["run"] for step in steps() if "$GITHUB_STEP_SUMMARY" in step.get("run", "")]
    assert len(summaries) == len(WORKFLOW["jobs"]) == 2
