"""A device with a POSIX shell. Kinds of devices differ only in how they reach the shell."""

from __future__ import annotations

import itertools
import os
import secrets
import shlex
import subprocess
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from edge_ptf.bench.devices import built_runner, facts, scripts
from edge_ptf.bench.devices.base import Device, DeviceOptions, Finished
from edge_ptf.bench.devices.session import NOTICED_S, Session, end
from edge_ptf.digests import file_digest
from edge_ptf.errors import BadInputError, EnvironmentFault

QUICK_S = 60.0
"""For short operations: make a directory, stop a program, collect facts."""
SLOWEST_BYTES_PER_S = 50_000
SLICE_S = 0.2
KILLED = 128 + 9
GONE = 255
"""Exit code of `run.sh` if the run's folder does not exist."""


class NoAnswer(EnvironmentFault):
    """The device did not answer in time. The program that was started there may still run."""


class ShellDevice(Device):
    """Does everything with `_command`, which returns the local command that runs a shell script on the device."""

    def __init__(self, name: str, options: DeviceOptions) -> None:
        self.name = name
        self.options = options
        self._session: Session | None = None
        self._folder = ""
        self._numbers = itertools.count(1)
        self._facts: facts.DeviceFacts | None = None
        self._runner = ""

    @abstractmethod
    def _command(self, script: str) -> list[str]:
        """The command on this machine that runs the script in a shell of the device."""

    def _session_command(self, script: str) -> list[str]:
        """The command for the session, which starts first and ends last."""
        return self._command(script)

    @abstractmethod
    def _explain(self, said: str) -> EnvironmentFault:
        """Makes the error for a missing shell, from the standard error of the command."""

    def _program(self, argv: Sequence[str], env: Mapping[str, str]) -> list[str]:
        """The command that the device's shell starts to run a program for the device's processor."""
        return [*(["env", *(f"{name}={value}" for name, value in env.items())] if env else []), *argv]

    def open(self) -> None:
        """See Device."""
        self._session = Session(self.name, self._session_command, self.options)
        self._folder = self._session.wait_until_ready(self._explain)

    def cleanup(self) -> None:
        """See Device."""
        if self._session is not None:
            self._session.close()
        self._session, self._folder, self._runner = None, "", ""

    def probe(self) -> facts.DeviceFacts:
        """See Device."""
        if self._facts is None:
            found = self._execute(scripts.facts(self._own_folder))
            self._facts = facts.parse(found.out.decode(errors="replace"))
        return self._facts

    def place(self, name: str) -> str:
        """See Device."""
        if not name or name in (".", "..", "groups", "ending") or "/" in name or "\0" in name:
            raise BadInputError(f"'{name}': not a valid file name", hint="Give a plain file name without a directory")
        return f"{self._own_folder}/{name}"

    def get(self, remote: str) -> bytes:
        """See Device."""
        found = self._execute(f"cat < {shlex.quote(remote)}", timeout_s=_transfer_s(1 << 30))
        if found.code:
            raise EnvironmentFault(f"{self.name}: {remote} cannot be read ({_last_line(found.err)})")
        return found.out

    def put(self, local: Path) -> str:
        """See Device."""
        if not local.is_file():
            raise BadInputError(f"{local}: not a file", hint="Give a file; directories cannot be uploaded")
        digest, size = file_digest(local), local.stat().st_size
        kept = f"{self._own_folder.rpartition('/')[0]}/{digest}"
        if self._execute(scripts.is_stored(kept, size, digest), timeout_s=_transfer_s(size)).code == 0:
            return kept
        part = f"{self._own_folder}/part.{next(self._numbers)}"
        self._upload(local, size, part)
        arrived = self._execute(scripts.is_stored(part, size, digest), timeout_s=_transfer_s(size))
        moved = arrived if arrived.code else self._execute(f"mv -f {shlex.quote(part)} {shlex.quote(kept)}")
        if moved.code:
            raise EnvironmentFault(
                f"{self.name}: the upload of {local.name} is incomplete {_last_line(moved.err)}".rstrip(),
                hint="Check the connection and the device's storage, and try again",
            )
        return kept

    def run(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, stdin: bytes = b"", timeout_s: float
    ) -> Finished:
        """See Device."""
        number, source = next(self._numbers), "/dev/null"
        if stdin:
            source = self.place(f"stdin.{number}")
            self._write(stdin, source)
        variables = dict(env or {})
        if self._runner and argv[0] == self._runner:
            variables.setdefault("LD_LIBRARY_PATH", self._runner.rpartition("/")[0])
        script = scripts.run(self._own_folder, number, source, self._program(argv, variables))
        try:
            found = self._execute(script, timeout_s=timeout_s)
        except NoAnswer:
            self._end(number)
            raise EnvironmentFault(
                f"{self.name}: {Path(argv[0]).name} did not end within {timeout_s:g} s and was stopped"
            ) from None
        except BaseException:
            self._end(number)
            raise
        if found.code in (KILLED, GONE) and self._session is not None and self._session.ended(NOTICED_S):
            raise self._lost(found.err)  # the end of the session stopped the program or prevented its start
        return found

    def runner(self) -> str:
        """See Device."""
        if not self._runner:
            found = self.probe()
            files = built_runner.find(
                found.machine.arch,
                word_bits=found.word_bits,
                android=found.libc == "bionic",
                chosen=self.options.runner,
            )
            folder = self.place("runner")
            for name, path in files.items():
                target, kept = shlex.quote(f"{folder}/{name}"), shlex.quote(self.put(path))
                self._check(f"mkdir -p {shlex.quote(folder)} && {{ ln -s {kept} {target} || cp {kept} {target}; }}")
            self._runner = f"{folder}/{built_runner.TOOL}"
            self._start_once()
        return self._runner

    def _start_once(self) -> None:
        tried = self.run([self._runner, "--version"], timeout_s=QUICK_S)
        if tried.code:
            self._runner, why = "", _last_line(tried.err) or f"exit code {tried.code}"
            raise EnvironmentFault(
                f"{self.name}: the runner does not start on the device ({why})",
                hint="Build it on the device, or with libraries that are not newer than the device's, and set "
                f"{built_runner.variable(self.probe().machine.arch)} to its folder",
            )

    @property
    def _own_folder(self) -> str:
        if not self._folder:
            raise RuntimeError(f"{self.name} is used outside of its `with` block")
        return self._folder

    def _check(self, script: str) -> None:
        found = self._execute(script)
        if found.code:
            raise self._cannot_write(_last_line(found.err))

    def _end(self, number: int) -> None:
        """Stops a program. If this fails, the end of the session stops it."""
        try:
            self._execute(scripts.end(self._own_folder, number), timeout_s=QUICK_S)
        except EnvironmentFault:
            return

    def _write(self, content: bytes, remote: str) -> None:
        found = self._execute(f"cat > {shlex.quote(remote)}", stdin=content, timeout_s=_transfer_s(len(content)))
        if found.code:
            raise self._cannot_write(_last_line(found.err))

    def _upload(self, local: Path, size: int, remote: str) -> None:
        """Streams a file through the shell. This also works on devices without sftp."""
        progress, shown = self.options.progress, 0
        progress.start(f"Upload {local.name} to {self.name}", max(size, 1))

        def show(done: int) -> None:
            nonlocal shown
            progress.advance(done - shown, f"{done / 1e6:.1f} of {size / 1e6:.1f} MB")
            shown = done

        target = shlex.quote(remote)
        with local.open("rb") as content:
            try:
                found = self._execute(
                    f"cat > {target} && chmod 700 {target}",
                    stdin=content,
                    timeout_s=_transfer_s(size),
                    passing=lambda: show(os.lseek(content.fileno(), 0, os.SEEK_CUR)),
                )
            except NoAnswer:
                raise EnvironmentFault(f"{self.name}: the upload of {local.name} hangs and was stopped") from None
            finally:
                progress.finish()
        if found.code:
            raise self._cannot_write(_last_line(found.err), size)

    def _cannot_write(self, why: str, size: int = 0) -> EnvironmentFault:
        folder = self._own_folder.rpartition("/")[0]
        found = self._execute(f"df -Pk {shlex.quote(folder)}")
        free = facts.free_mb(found.out.decode(errors="replace"))
        missing = f"; {size / 1e6:.1f} MB are needed and {free} MB free" if size and free is not None else ""
        return EnvironmentFault(
            f"{self.name}: {folder} cannot be written ({why}{missing})",
            hint=f"Free space there. {folder} contains uploads of earlier runs; you may remove them",
        )

    def _execute(
        self,
        script: str,
        *,
        stdin: bytes | IO[bytes] = b"",
        timeout_s: float = QUICK_S,
        passing: Callable[[], None] | None = None,
    ) -> Finished:
        """Runs a script in the device's shell.

        Args:
            passing: a function that is called repeatedly while the script runs.

        Raises:
            NoAnswer: the script took longer than `timeout_s`.
        """
        if self._session is not None and self._session.ended():
            raise self._lost(b"")  # without the session there is no lock, so no further work is allowed
        mark = secrets.token_hex(8)
        process = subprocess.Popen(
            self._command(scripts.framed(script, mark)),
            stdin=subprocess.PIPE if isinstance(stdin, bytes) else stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        given = stdin if isinstance(stdin, bytes) else None
        try:
            out, err = _communicate(process, given, timeout_s, passing)
        except subprocess.TimeoutExpired:
            raise NoAnswer(
                f"{self.name}: no answer within {timeout_s:g} s", hint="Check whether the device hangs, and try again"
            ) from None
        finally:
            end(process)
        return self._finished(out, err, mark.encode())

    def _finished(self, out: bytes, err: bytes, mark: bytes) -> Finished:
        output, errors = (stream.partition(mark + b"\n")[2] for stream in (out, err))
        errors, ended, code = errors.rpartition(b"\n" + mark + b" ")
        if ended:
            return Finished(int(code.split()[0]), output, errors)
        said = (errors or err).decode(errors="replace")
        if self._session is not None and self._session.ended(NOTICED_S):
            raise self._lost(err)
        raise self._explain(said)

    def _lost(self, err: bytes) -> EnvironmentFault:
        return EnvironmentFault(
            f"{self.name}: the connection was lost ({_last_line(err) or 'without a message'})",
            hint="The programs on the device were stopped; try again",
        )


def _communicate(
    process: subprocess.Popen[bytes], given: bytes | None, timeout_s: float, passing: Callable[[], None] | None
) -> tuple[bytes, bytes]:
    end = time.monotonic() + timeout_s
    while True:
        left = max(0.0, end - time.monotonic())
        try:
            return process.communicate(given, left if passing is None else min(left, SLICE_S))
        except subprocess.TimeoutExpired:
            if passing is None or left <= SLICE_S:
                raise
            passing()


def _transfer_s(size: int) -> float:
    """Time limit in seconds for a transfer of this many bytes."""
    return QUICK_S + size / SLOWEST_BYTES_PER_S


def _last_line(said: bytes) -> str:
    lines = said.decode(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else ""
