"""The device's side of adb over TCP, as in adbd: enough for `adb shell` with exit codes.

Written after AOSP's docs `protocol.txt` and `shell_protocol.h`. Messages are 24 bytes of header and a payload; a stream
is opened by the host, each WRTE is answered by OKAY before the next may follow. A stream `shell,v2,raw:COMMAND` carries
packets of one byte kind, four bytes length, data.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
import shutil
import socket
import struct
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import IO

CNXN, OPEN, OKAY, CLSE, WRTE = (
    int.from_bytes(name, "little") for name in (b"CNXN", b"OPEN", b"OKAY", b"CLSE", b"WRTE")
)
VERSION, LONGEST = 0x01000001, 256 * 1024
STDIN, STDOUT, STDERR, EXIT, CLOSE_STDIN = range(5)
PROPERTIES = {
    "ro.build.version.release": "14",
    "ro.product.manufacturer": "Made Up",
    "ro.product.model": "Phone 1",
    "ro.product.cpu.abi": "x86_64",
}


class AndroidPeer:
    """Listens on loopback. The device's shell is mksh with toybox, if they are installed."""

    def __init__(self, folder: Path, features: str = "shell_v2,cmd") -> None:
        self.cache = folder / "data local tmp" / "edge-ptf"
        self.cache.parent.mkdir(exist_ok=True)
        self.features = features
        self.shell, self.env = _shell(folder / "system bin")
        self.env["EDGE_PTF_CACHE"] = str(self.cache)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.connections: list[_Connection] = []

    @property
    def serial(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def name(self) -> str:
        return f"adb:{self.serial}"

    def connect(self) -> None:
        """Connects adb to the device."""
        subprocess.run(["adb", "connect", self.serial], capture_output=True, check=True, timeout=90)
        subprocess.run(["adb", "-s", self.serial, "wait-for-device"], capture_output=True, check=True, timeout=90)

    def unplug(self) -> None:
        """Simulates a disconnected cable."""
        for connection in self.connections:
            connection.close()

    def __enter__(self) -> AndroidPeer:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.listener.close()
        self.unplug()

    def _accept(self) -> None:
        while True:
            try:
                taken, _ = self.listener.accept()
            except OSError:
                return
            connection = _Connection(taken, self)
            self.connections.append(connection)
            threading.Thread(target=connection.serve, daemon=True).start()


class _Connection:
    def __init__(self, taken: socket.socket, peer: AndroidPeer) -> None:
        self.socket, self.peer = taken, peer
        self.sending = threading.Lock()
        self.streams: dict[int, _Shell] = {}
        self.numbers = itertools.count(1)

    def serve(self) -> None:
        try:
            while True:
                command, first, second, length, _, magic = struct.unpack("<6I", self._exactly(24))
                assert command ^ 0xFFFFFFFF == magic
                self._take(command, first, second, self._exactly(length))
        except OSError:
            self.close()

    def send(self, command: int, first: int, second: int, payload: bytes = b"") -> None:
        header = struct.pack(
            "<6I", command, first, second, len(payload), sum(payload) & 0xFFFFFFFF, command ^ 0xFFFFFFFF
        )
        with self.sending:
            self.socket.sendall(header + payload)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for stream in list(self.streams.values()):
            stream.hang_up()

    def _take(self, command: int, first: int, second: int, payload: bytes) -> None:
        stream = self.streams.get(second)
        if command == CNXN:
            shown = "".join(f"{name}={value};" for name, value in PROPERTIES.items() if "product" in name)
            self.send(CNXN, VERSION, LONGEST, f"device::{shown}features={self.peer.features}".encode())
        elif command == OPEN:
            self._open(first, payload.rstrip(b"\0").decode())
        elif command == WRTE and stream:
            stream.received.put(payload)
        elif command == OKAY and stream:
            stream.may_send.release()
        elif command == CLSE and stream:
            stream.hang_up()

    def _open(self, theirs: int, service: str) -> None:
        kind, _, command = service.partition(":")
        if kind.split(",")[0] != "shell" or "raw" not in kind.split(","):
            self.send(CLSE, 0, theirs)
            return
        ours = next(self.numbers)  # never the same number again: the host also closes a stream that we have closed
        self.streams[ours] = _Shell(self, ours, theirs, [*self.peer.shell, "-c", command], self.peer.env)

    def _exactly(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            if not (subword := self.socket.recv(count - len(data))):
                raise OSError("the other side has gone")
            data += subword
        return bytes(data)


class _Shell:
    """One stream: a command with its three pipes."""

    def __init__(self, connection: _Connection, ours: int, theirs: int, argv: list[str], env: dict[str, str]) -> None:
        self.connection, self.ours, self.theirs = connection, ours, theirs
        self.received: queue.Queue[bytes | None] = queue.Queue()
        self.may_send, self.writing, self.gone = threading.Semaphore(1), threading.Lock(), False
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, env=env, start_new_session=True)
        connection.send(OKAY, ours, theirs)
        threading.Thread(target=self._feed, daemon=True).start()
        threading.Thread(target=self._run, daemon=True).start()

    def hang_up(self) -> None:
        """The host has closed the stream or is gone. The command's input ends, and the command is not killed."""
        self.gone = True
        self.received.put(None)
        self.may_send.release()

    def _feed(self) -> None:
        assert self.process.stdin is not None
        waiting, open_ = b"", True
        while (subword := self.received.get()) is not None:
            waiting += subword
            while len(waiting) >= 5 and len(waiting) >= 5 + (size := int.from_bytes(waiting[1:5], "little")):
                kind, data, waiting = waiting[0], waiting[5 : 5 + size], waiting[5 + size :]
                if kind == CLOSE_STDIN:
                    self.process.stdin.close()
                    open_ = False
                elif kind == STDIN and open_:
                    try:
                        self.process.stdin.write(data)
                        self.process.stdin.flush()
                    except OSError:
                        open_ = False
            with contextlib.suppress(OSError):
                self.connection.send(OKAY, self.ours, self.theirs)
        with contextlib.suppress(OSError):
            self.process.stdin.close()

    def _run(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        pumps = [
            threading.Thread(target=self._pump, args=(kind, stream), daemon=True)
            for kind, stream in ((STDOUT, self.process.stdout), (STDERR, self.process.stderr))
        ]
        for pump in pumps:
            pump.start()
        for pump in pumps:
            pump.join()
        code = self.process.wait()
        self._packet(EXIT, bytes([code if code >= 0 else 128 - code]))
        self.connection.streams.pop(self.ours, None)
        with contextlib.suppress(OSError):
            self.connection.send(CLSE, self.ours, self.theirs)
        self.received.put(None)

    def _pump(self, kind: int, stream: IO[bytes]) -> None:
        while data := os.read(stream.fileno(), 32 * 1024):
            self._packet(kind, data)
        stream.close()

    def _packet(self, kind: int, data: bytes) -> None:
        with self.writing, contextlib.suppress(OSError):
            self.may_send.acquire()
            if not self.gone:
                self.connection.send(WRTE, self.ours, self.theirs, bytes([kind]) + struct.pack("<I", len(data)) + data)
            else:
                self.may_send.release()


def _shell(folder: Path) -> tuple[list[str], dict[str, str]]:
    """A shell and its environment. `getprop` answers as on a phone."""
    folder.mkdir()
    getprop = folder / "getprop"
    cases = "".join(f"{name}) echo '{value}' ;;\n" for name, value in PROPERTIES.items())
    getprop.write_text(f'#!/bin/sh\ncase "$1" in\n{cases}esac\n', encoding="utf-8")
    getprop.chmod(0o755)
    mksh, toybox = shutil.which("mksh"), shutil.which("toybox")
    if not mksh or not toybox:
        return ["/bin/sh"], {"PATH": f"{folder}:/usr/bin:/bin"}
    for name in subprocess.run([toybox], capture_output=True, text=True, check=True).stdout.split():
        if not (folder / name).exists():
            (folder / name).symlink_to(toybox)
    (folder / "sh").symlink_to(mksh)
    return [mksh], {"PATH": str(folder)}
