"""The interface of a device, and the names of devices."""

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
    """A program that ended on a device. `code` is 128 + n if signal n ended it."""

    code: int
    out: bytes
    err: bytes


@dataclass(frozen=True, slots=True)
class DeviceOptions:
    """How to use a device.

    exclusive: take the device's lock, so that nobody else measures at the same time.
    wait_s: how long to wait for a device that somebody else uses, in seconds.
    ssh_options: options of ssh, `KEYWORD=VALUE` as in ssh_config(5).
    runner: folder of a built runner; None: edge-ptf searches for one.
    progress: shows uploads and waiting.
    """

    exclusive: bool = True
    wait_s: float = 0.0
    ssh_options: tuple[str, ...] = ()
    runner: Path | None = None
    progress: Progress = SILENT


class Device(ABC):
    """A device, used as a context manager. The end removes everything that the run put on the device, even after an
    error.

    Every method raises EnvironmentFault if the device, or the connection to it, does not permit the operation.
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
        """Connects, takes the lock and creates the run's directory."""

    @abstractmethod
    def probe(self) -> DeviceFacts:
        """Collects all facts about the device."""

    def facts(self) -> Machine:
        """The device as a machine. It decides which profile matches and whether a figure counts."""
        return self.probe().machine

    @abstractmethod
    def runner(self) -> str:
        """Path on the device of an `edge-ptf-runner` for its processor. A test has shown that it starts there."""

    @abstractmethod
    def put(self, local: Path) -> str:
        """Uploads a file unless the device has it already (by sha256). Returns its path on the device."""

    @abstractmethod
    def place(self, name: str) -> str:
        """A path in this run's directory on the device."""

    @abstractmethod
    def run(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, stdin: bytes = b"", timeout_s: float
    ) -> Finished:
        """Runs a program to its end. After `timeout_s`, stops it with all its children and raises EnvironmentFault."""

    @abstractmethod
    def get(self, remote: str) -> bytes:
        """The content of a file on the device."""

    @abstractmethod
    def cleanup(self) -> None:
        """Stops what still runs, removes the run's directory and releases the lock. A second call does nothing."""


def open_device(name: str, options: DeviceOptions | None = None) -> Device:
    """Returns the device with this name. The connection is made when the device is entered (`with`).

    Raises:
        BadInputError: the name has no valid form.
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
