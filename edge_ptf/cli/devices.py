"""`edge-ptf devices probe`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.table import Table

from edge_ptf import profiles
from edge_ptf.cli.console import Bars, make_console, say_json
from edge_ptf.errors import ExitCode

if TYPE_CHECKING:
    from edge_ptf.bench.devices import DeviceFacts

ssh_option = click.option(
    "--ssh-option",
    "ssh_options",
    multiple=True,
    metavar="KEYWORD=VALUE",
    help="An option of ssh, as in ssh_config(5), such as IdentityFile=key; repeatable.",
)


@click.group("devices")
def devices_command() -> None:
    """Show what a device is, and which profiles fit it."""


@devices_command.command("probe")
@click.argument("device", default="local")
@ssh_option
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def probe_command(device: str, ssh_options: tuple[str, ...], as_json: bool) -> int:
    """Show what DEVICE is, and which shipped profiles fit it.

    DEVICE is local (this machine), ssh://[user@]host[:port], adb or adb:SERIAL, or qemu:aarch64. Nothing is measured,
    and no file stays there. The device may be in use meanwhile.
    """
    from edge_ptf.bench.devices import DeviceOptions, open_device

    console = make_console()
    with Bars(make_console(stderr=True)) as bars:
        options = DeviceOptions(exclusive=False, ssh_options=ssh_options, progress=bars)
        with open_device(device, options) as opened:
            found = opened.probe()
    fitting = profiles.fitting(found.machine)
    if as_json:
        say_json({"device": device, **found.model_dump(mode="json"), "profiles": fitting}, indent=2)
    else:
        console.print(_table(device, found, fitting))
    return ExitCode.OK


def _table(device: str, found: DeviceFacts, fitting: list[str]) -> Table:
    machine = found.machine
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    rows = {
        "device": device,
        "board": machine.device_model,
        "processor": f"{machine.cpu}, {machine.cores} cores, {found.abi or machine.arch}",
        "instruction sets": ", ".join(machine.isa) or "none that matters to INT8",
        "system": ", ".join(part for part in (found.system, machine.os, found.libc) if part),
        "memory": f"{machine.memory_mb / 1000:.1f} GB",
        "free disk": "" if found.free_disk_mb is None else f"{found.free_disk_mb / 1000:.1f} GB",
        "GPU": machine.gpu,
        "governor": machine.governor or "unknown",
        "frequency": ", ".join(map(str, found.frequency_mhz)) + " MHz" if found.frequency_mhz else "",
        "temperature": ", ".join(f"{zone} {value:.1f} °C" for zone, value in found.temperature_c.items()),
        "power mode": found.power_mode,
        "throttled": "" if found.throttled is None else ", ".join(found.throttled) or "no",
        "emulated": "yes: no latency measured here counts" if machine.emulated else "no",
        "shipped profiles": ", ".join(fitting)
        or "none fits; write one (edge-ptf profiles show x86-generic > mine.yaml)",
    }
    for name, value in rows.items():
        if value:
            table.add_row(name, value)
    return table
