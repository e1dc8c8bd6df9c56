"""The shell scripts that run on devices. They use POSIX sh and only tools that busybox and toybox also have."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from functools import cache
from pathlib import Path

ECHO_END = 'code=$?; echo >&2; echo "{mark} $code" >&2'


def framed(script: str, mark: str) -> str:
    """Puts the script between marks, to separate its output from the output of a login shell.

    Both streams begin with a line `mark`. The standard error ends with a line `mark CODE`. Without this line, the
    script did not reach its end.
    """
    return f"echo {mark}; echo {mark} >&2; (\n{script}\n); {ECHO_END.format(mark=mark)}"


def session(*, mark: str, exclusive: bool, wait_s: float, who: str) -> str:
    """The script that holds the device; see `session.sh`."""
    values = {"mark": mark, "exclusive": "yes" if exclusive else "no", "wait": str(int(wait_s)), "who": who}
    return "\n".join([_assignments(values), _script("processes.sh"), _script("session.sh")])


def run(folder: str, number: int, source: str, program: Sequence[str]) -> str:
    """The script that runs a program with the file `source` as input; see `run.sh`."""
    values = {"run": folder, "number": str(number), "input": source, "processes": _script("processes.sh")}
    return "\n".join([_assignments(values), f"set -- {shlex.join(program)}", _script("run.sh")])


def end(folder: str, number: int) -> str:
    """The script that stops the program that `run` started with this number. If it has not started, it cannot start."""
    file = shlex.quote(f"{folder}/groups/{number}")
    return f"{_script('processes.sh')}\n: > {file}.stop\n[ ! -s {file} ] || end_group {file}"


def facts(folder: str) -> str:
    """The script that collects facts about the device; see `facts.sh` and `facts.parse`."""
    return f"{_assignments({'folder': folder})}\n{_script('facts.sh')}"


def is_stored(path: str, size: int, digest: str) -> str:
    """Succeeds if the file has this size and this sha256 (if the device can compute it). Marks the file as used."""
    file = shlex.quote(path)
    same = f'[ "$(sha256sum < {file} | cut -c 1-64)" = {digest} ]'
    known = "command -v sha256sum > /dev/null 2>&1"
    return f'[ -f {file} ] && [ "$(wc -c < {file})" -eq {size} ] && {{ ! {known} || {same}; }} && touch {file}'


def _assignments(values: dict[str, str]) -> str:
    return "\n".join(f"{name}={shlex.quote(value)}" for name, value in values.items())


@cache
def _script(name: str) -> str:
    """A script without its comments, because adb accepts short commands only."""
    lines = Path(__file__).with_name(name).read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if line.strip() and not line.lstrip().startswith("#"))
