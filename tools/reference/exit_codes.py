"""The page about exit codes, from `errors.ExitCode` and the error classes."""

from __future__ import annotations

from collections.abc import Iterator

from edge_ptf import errors
from tools.reference.markdown import sentence, table

HEAD = """# Exit codes

Every command of `edge-ptf` ends with one of these codes. The tool `edge-ptf-runner` and the status values of the C API
use the same numbers.
An error is one line on standard error. Only code 1 prints a traceback.
"""
MEANINGS = {
    0: "PASS, or the command is done.",
    1: "Internal error. Please report it with the traceback.",
    2: "Wrong usage, or input that cannot be used. The message says what is allowed.",
    3: "FAIL: a target is missed. Also a failed `verify`, and a result that was refused.",
    4: "UNPROVEN: no target is missed, and at least one is not proven. The verdict shows how to settle it.",
    5: "The environment does not permit the work: disk, network, device, a missing extra.",
    130: "Interrupted. The same command resumes the work.",
}


def page() -> str:
    """The codes, and the errors behind each of them."""
    codes = [(str(int(code)), f"`{code.name}`", MEANINGS[int(code)]) for code in errors.ExitCode]
    classes = [
        (f"`{kind.__name__}`", str(int(kind.exit_code)), sentence((kind.__doc__ or "").split("\n\n")[0]))
        for kind in _subclasses(errors.EdgePtfError)
        if kind.__module__ == errors.__name__
    ]
    return "\n".join(
        [
            HEAD,
            table(("code", "name", "meaning"), codes),
            "\n## Errors in Python\n",
            "Functions of `edge_ptf` raise these exceptions. All are subclasses of `edge_ptf.errors.EdgePtfError`.\n",
            table(("exception", "code", "meaning"), classes),
            "",
        ]
    )


def _subclasses(kind: type[errors.EdgePtfError]) -> Iterator[type[errors.EdgePtfError]]:
    for below in kind.__subclasses__():
        yield below
        yield from _subclasses(below)
