"""`edge-ptf profiles list | show | validate`."""

from __future__ import annotations

from pathlib import Path

import click
from rich.table import Table

from edge_ptf import profiles
from edge_ptf.cli.console import make_console, say
from edge_ptf.errors import EdgePtfError, ExitCode
from edge_ptf.machine import this_machine
from edge_ptf.recipe import resolve_recipe


@click.group("profiles")
def profiles_command() -> None:
    """List, show and validate hardware profiles."""


@profiles_command.command("list")
def list_command() -> int:
    """List the shipped profiles, and mark those that fit this machine."""
    machine = this_machine()
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("profile", "device", "INT8", "targets", "this machine"):
        table.add_column(name, overflow="fold")
    for name in profiles.names():
        profile = profiles.load(name)
        scheme = profile.scheme
        table.add_row(
            name,
            profile.title,
            f"{scheme.mode} {scheme.activation} × {scheme.weight}",
            _targets(profile),
            "yes" if not profiles.mismatches(profile, machine) else "",
        )
    console = make_console()
    console.print(table)
    console.print(f"\n--profile host means: {profiles.for_machine(machine).name}")
    return ExitCode.OK


@profiles_command.command("show")
@click.argument("name")
def show_command(name: str) -> int:
    """Print a profile's file with its sources. Copy it to write your own profile."""
    profile = profiles.load(name)
    path = Path(name)
    source = path if path.is_file() else profiles.folder() / f"{profile.name}.yaml"
    say(source.read_text(encoding="utf-8"), end="")
    return ExitCode.OK


@profiles_command.command("validate")
@click.argument("files", nargs=-1, required=True)
def validate_command(files: tuple[str, ...]) -> int:
    """Check profile files. Every wrong field is listed with its line."""
    from edge_ptf import tasks

    worst = ExitCode.OK
    for name in files:
        try:
            profile = profiles.load(name)
            for task in tasks.names():
                resolve_recipe(profile, tasks.get(task))
        except EdgePtfError as error:
            say(f"edge-ptf: {error}", err=True)
            worst = max(worst, error.exit_code)
        else:
            say(f"{name}: a valid profile ({profile.title})")
    return worst


def _targets(profile: profiles.Profile) -> str:
    wanted = profile.targets
    parts = [f"p50 ≤ {wanted.latency_ms.p50:g} ms"] if wanted.latency_ms.p50 else []
    parts += [f"≥ {wanted.min_speedup:g}×"] if wanted.min_speedup else []
    parts += [f"≤ {wanted.package_mb:g} MB"] if wanted.package_mb else []
    return ", ".join(parts)
