"""What a device can do, and how one is named."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from edge_ptf.errors import BadInputError
from edge_ptf.machine import Machine
from edge_ptf.progress import SILENT, Progress

if TYPE_CHECKING:
    from edge_ptf.bench.devices.facts import DeviceFacts

FORMS = "local, ssh://[user@]host[:port], adb or adb:SERIAL, qemu:aarch64"
Self = TypeVar("Self", bound="Device")


@dataclass(frozen=True, slots=True)
class Finished:
    """A program that ended on a device; `code` is 128 + n when signal n ended it."""

    code: int
    out: bytes
    err: bytes


@dataclass(frozen=True, slots=True)
class DeviceOptions:
    """How a device is used.

    exclusive: take the device's lock, so that nobody else measures at the same time.
    wait_s: how long to wait for a device that somebody else holds.
    ssh_options: options of ssh, `KEYWORD=VALUE` as in ssh_config(5).
    runner: the folder of a built runner, instead of the one that is found.
    progress: shows uploads and waiting.
    """

    exclusive: bool = True
    wait_s: float = 0.0
    ssh_options: tuple[str, ...] = ()
    runner: Path | None = None
    progress: Progress = SILENT


class Device(ABC):
    """A device, used as a context manager; what a run left on it is removed at the end, however that comes about.

    Every method raises EnvironmentFault where the device, or the way to it, does not permit the work.
    """

    name: str
    options: DeviceOptions

    def __enter__(self: Self) -> Self:
        try:
            self.open()
        except BaseException:
            self.cleanup()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cleanup()

    @abstractmethod
    def open(self) -> None:
        """Connects, takes the lock and makes the run's own directory."""

    @abstractmethod
    def probe(self) -> DeviceFacts:
        """Everything that can be found out about the device."""

    def facts(self) -> Machine:
        """The device as a machine: what decides which profile fits, and whether a figure counts."""
        return self.probe().machine

    @abstractmethod
    def runner(self) -> str:
        """Path on the device of an `edge-ptf-runner` for its processor, which was seen to start there."""

    @abstractmethod
    def put(self, local: Path) -> str:
        """Brings a file to the device unless it is there already (by sha256); returns its path there."""

    @abstractmethod
    def place(self, name: str) -> str:
        """A path inside this run's own directory on the device."""

    @abstractmethod
    def run(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, stdin: bytes = b"", timeout_s: float
    ) -> Finished:
        """Runs a program to its end. At `timeout_s` it is ended with all its children, and EnvironmentFault raised."""

    @abstractmethod
    def get(self, remote: str) -> bytes:
        """The content of a file on the device."""

    @abstractmethod
    def cleanup(self) -> None:
        """Ends what still runs, removes the run's directory and gives the lock back. May be called again."""


def open_device(name: str, options: DeviceOptions | None = None) -> Device:
    """The device of that name; nothing is contacted before it is entered.

    Raises:
        BadInputError: no such form of name.
    """
    from edge_ptf.bench.devices.adb import AdbDevice
    from edge_ptf.bench.devices.local import LocalDevice
    from edge_ptf.bench.devices.qemu import QemuDevice
    from edge_ptf.bench.devices.ssh import SshDevice

    chosen = options or DeviceOptions()
    kind, _, rest = name.partition(":")
    if name == "local":
        return LocalDevice(name, chosen)
    if kind == "ssh" and rest.startswith("//"):
        return SshDevice(name, chosen)
    if kind == "adb":
        return AdbDevice(name, chosen)
    if kind == "qemu":
        return QemuDevice(name, chosen)
    raise BadInputError(f"'{name}' names no device", hint=f"Allowed: {FORMS}")
