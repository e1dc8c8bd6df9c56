"""A device that a package is measured on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_ptf.api.inputs import load_data
from edge_ptf.api.settings import Settings
from edge_ptf.bench import BenchTexts, golden_texts, texts_of
from edge_ptf.bench.devices import Device, DeviceOptions, open_device
from edge_ptf.data.dataset import LabelledData
from edge_ptf.errors import BadInputError, EnvironmentFault
from edge_ptf.package import Payload
from edge_ptf.progress import Progress

LOCAL = "local"


@contextmanager
def entered(
    device: str | Device | None, runner: Path | None, ssh_options: tuple[str, ...], progress: Progress
) -> Iterator[Device | None]:
    """The open device; None: this machine as it is.

    Args:
        device: its name, or an open one, which stays open. None: this machine.
        runner: the folder of the C++ runner built for it.
    """
    if isinstance(device, Device):
        yield device
        return
    name = device or LOCAL
    if name == LOCAL and runner is None:
        yield None
        return
    with open_device(name, DeviceOptions(ssh_options=ssh_options, runner=runner, progress=progress)) as there:
        yield there


def asked_texts(payload: Payload, file: Path | None, chosen: Settings, progress: Progress) -> LabelledData | BenchTexts:
    """The texts that a package answers while it is measured: of the file, else of the data, else the golden texts.

    Args:
        file: one text on each line.

    Raises:
        BadInputError: both a file and data are given.
    """
    if file is not None:
        if chosen.get("data") and chosen.origin("data") == chosen.caller:
            names = f"{chosen.option('texts').rstrip('=')} and {chosen.option('data').rstrip('=')}"
            raise BadInputError(f"{names} both say which texts are answered", hint="Give one of them")
        return texts_of(file, payload)
    if chosen.get("data"):
        return load_data(chosen, payload.manifest.head, progress)
    return golden_texts(payload)


def proof(device: Device, payload: Payload) -> str:
    """That the package answers on the device as it must.

    Raises:
        VerificationError: it does not.
        EnvironmentFault: it does, and yet no latency is measured there.
    """
    from edge_ptf.bench.launching import selftest

    said = f"Selftest on {device.name}: {selftest(device, payload)}"
    if device.facts().emulated:
        raise EnvironmentFault(
            f"{said}. Latency is refused as evidence: emulated processor",
            hint="Measure on the device itself: edge-ptf bench --device ssh://user@host",
        )
    return said
