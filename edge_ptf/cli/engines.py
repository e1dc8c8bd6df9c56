"""`edge-ptf build-engine`: TensorRT engines of a finished package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edge_ptf.cli.console import make_console
from edge_ptf.errors import ExitCode


class _Numbers(click.ParamType):  # type: ignore[type-arg]  # click 8.1 has no type arguments
    """Whole numbers, separated by commas."""

    name = "N,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """'86,89' as (86, 89)."""
        if isinstance(value, tuple):
            return value
        parts = str(value).replace(" ", "").split(",")
        if not all(part.isdecimal() and 0 < int(part) < 10_000 for part in parts):
            self.fail(f"'{value}' is no list of whole numbers such as 86,89", param, ctx)
        return tuple(int(part) for part in parts)


@click.command("build-engine")
@click.argument("package", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Directory for the engines.")
@click.option(
    "--compute-capability",
    type=_Numbers(),
    default=(),
    help="GPUs to build for without having them, e.g. 86,89 (TensorRT-RTX). Default: the GPU of this machine.",
)
@click.option(
    "--lengths",
    type=_Numbers(),
    default=(),
    help="Longest text of each optimisation profile, in tokens. Default: 8,16,32,64,128; one profile for TensorRT-RTX.",
)
def build_engine_command(
    package: Path, out: Path, compute_capability: tuple[int, ...], lengths: tuple[int, ...]
) -> int:
    """Build a TensorRT engine of each graph in PACKAGE, with the TensorRT that is installed.

    \b
    edge-ptf build-engine build/package.eptf --out engines/                                # for the GPU that is here
    edge-ptf build-engine build/package.eptf --out engines/ --compute-capability 86,89     # TensorRT-RTX, without a GPU

    An engine is built again if the package, the library, its version, the GPU or the lengths differ. An engine for the
    GPU that is here answers the golden vectors by trtexec, the program of TensorRT.
    """
    from edge_ptf.package import open_payload
    from edge_ptf.package.engine_files import build_engines

    console = make_console()
    for line in build_engines(open_payload(package), out, compute_capability, lengths).lines():
        console.print(line, soft_wrap=True)
    return ExitCode.OK
