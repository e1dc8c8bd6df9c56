"""The errors that a user can meet, and the exit code of the command line for each of them.

Exit codes: 0 done or PASS, 2 wrong usage or bad input, 3 FAIL, 4 UNPROVEN, 5 environment, 130 interrupted,
1 internal error (the only one that prints a traceback).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from enum import IntEnum

from edge_ptf.credentials import masked
from edge_ptf.escaping import escaped


class ExitCode(IntEnum):
    """The exit code of the process."""

    OK = 0
    INTERNAL = 1
    BAD_INPUT = 2
    FAIL = 3
    UNPROVEN = 4
    ENVIRONMENT = 5
    INTERRUPTED = 130


class EdgePtfError(Exception):
    """A condition that the user can fix. `message` is what is wrong and where; `hint` is what is allowed or what to
    do.

    `str(error)` has a line for the message and one for each problem. Control characters in them are escaped and
    passwords are masked.
    """

    exit_code: ExitCode = ExitCode.INTERNAL

    def __init__(self, message: str, *, hint: str = "", problems: Sequence[str] = ()) -> None:
        """Args:
        message: one line: what is wrong and where.
        hint: one line: what is allowed, or what to do next.
        problems: each single problem, if there can be several (bad rows, wrong fields).
        """
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.problems = tuple(problems)

    def __str__(self) -> str:
        lines = [f"{self.message}. {self.hint}" if self.hint else self.message]
        lines += [f"  {problem}" for problem in self.problems]
        return "\n".join(escaped(masked(line)) for line in lines)


class BadInputError(EdgePtfError):
    """Wrong usage or input that cannot be used."""

    exit_code = ExitCode.BAD_INPUT


class ConfigError(BadInputError):
    """A configuration file or option value is not valid; `problems` lists every wrong field."""


class ProfileError(BadInputError):
    """A hardware profile is unknown or not valid."""


class DataError(BadInputError):
    """Labelled text cannot be used; `problems` lists every bad row with file and line."""


class CheckpointError(BadInputError):
    """A checkpoint is missing, damaged, unsafe or of a kind that is not supported."""


class PackageError(BadInputError):
    """A package breaks the rules of `docs/package.md`."""


class VerificationError(EdgePtfError):
    """A package can be read, but differs from its manifest or answers its golden vectors wrongly."""

    exit_code = ExitCode.FAIL


class RefusedError(EdgePtfError):
    """A finished result must not be shipped."""

    exit_code = ExitCode.FAIL


class ParityError(EdgePtfError):
    """An exported graph does not give the same answers as its model."""

    exit_code = ExitCode.FAIL


class EnvironmentFault(EdgePtfError):
    """The environment does not permit the work: disk, network, device, a missing extra."""

    exit_code = ExitCode.ENVIRONMENT


class MissingExtraError(EnvironmentFault):
    """A package of an optional extra is not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package '{package}', which is not installed",
            hint=f'Install it with: pip install "edge-ptf[{extra}]"',
        )


def near_matches(name: str, known: Iterable[str]) -> str:
    """A hint with the closest known names first, then all names; empty if there are none."""
    known = sorted(known)
    if not known:
        return ""
    close = get_close_matches(name, known, n=3, cutoff=0.5)
    listed = ", ".join(known)
    return f"Did you mean {' or '.join(close)}? (known: {listed})" if close else f"Known: {listed}"
