"""Runs the cases beside the project, and prints what each one did and what is expected.

    python -m tests.cases [NAME…]

A case is a folder of `../shared/cases` with `run.sh` and `expected.txt`; NAME is the beginning of a folder's name. The
cases run in a copy of the folder. pytest does not collect this file: some cases need minutes and much memory.

The exit code is 1 if a case is not as expected. What `expected.txt` says is prose. It is judged where it names an exit
code ("rc 2"), a refusal, a line, or a token that must not occur; all else is for the reader.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CASES = ROOT.parent / "shared" / "cases"
LIMIT_S = 900
RENAMED = {"edge_ptf.checkpoint": "edge_ptf.models.checkpoint", "count_pieces": "count_subwords"}
"""Names that the cases were written with, and their names today."""
RUNNER = ROOT / "build" / "runner-release" / "edge-ptf-runner"
REFUSAL = re.compile(r"^edge-ptf: .*", re.MULTILINE)
EXIT = re.compile(r"\brc (\d+)")
WIDTHS = (38, 16, 60, 60)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a case did."""

    name: str
    verdict: str
    result: str
    expected: str


def main(names: Sequence[str]) -> int:
    """Runs the named cases, or all; returns the exit code."""
    if not CASES.is_dir():
        print(f"skipped: the cases are not beside the project ({CASES})")
        return 0
    unknown = [name for name in names if not list(CASES.glob(f"{name}*"))]
    if unknown:
        print(f"no case begins with {', '.join(unknown)}; there are: {', '.join(sorted(_folders()))}")
        return 2
    _print_row("case", "verdict", "result", "expected")
    findings = []
    with tempfile.TemporaryDirectory() as folder:
        copy = _copied(Path(folder) / "cases")
        for name in sorted(_folders()):
            if not names or name.startswith(tuple(names)):
                findings.append(run(copy / name))
                found = findings[-1]
                _print_row(found.name, found.verdict, found.result, found.expected)
    return int(any(found.verdict == "not as expected" for found in findings))


def run(case: Path) -> Finding:
    """Runs one case of the copied folder."""
    if not (case / "run.sh").is_file():
        return Finding(case.name, "skipped", "there is no run.sh", "")
    expected = (case / "expected.txt").read_text(encoding="utf-8").strip()
    programs = Path(sys.executable).parent
    given = {"EDGE_PTF": str(programs / "edge-ptf"), "PYTHON": sys.executable, "RUNNER": str(RUNNER)}
    with tempfile.TemporaryDirectory() as scratch:
        environment = {**os.environ, **given, "PYTHONPATH": str(ROOT), "TMPDIR": scratch}
        try:
            done = subprocess.run(
                ["sh", str(case / "run.sh")],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=LIMIT_S,
                check=False,
            )
            output = done.stdout.decode(errors="replace")
        except subprocess.TimeoutExpired:
            return Finding(case.name, "not as expected", f"no end after {LIMIT_S} s", expected)
    return Finding(case.name, verdict(output, expected), shown(output), expected)


def verdict(output: str, expected: str) -> str:
    """Whether the output is what the words of `expected.txt` mean, as far as a program can tell."""
    refused = _refused(output)
    if "DataError" in expected:
        places = re.findall(r"\w+\.\w+:\d+", expected)
        return _word((refused or "DataError" in output) and all(place in output for place in places))
    if re.search(r"refus|cannot", expected) and refused:
        return _word(True)
    allowed, found = EXIT.findall(expected), EXIT.findall(output)
    if allowed and found:
        return _word(found[-1] in allowed and (found[-1] != "2" or bool(REFUSAL.search(output))))
    if line := re.match(r"equal: True", expected):
        return _word(line[0] in output)
    if absent := re.match(r"no (<\w+>)", expected):
        return _word(absent[1] not in output and "Traceback" not in output)
    if "refused" in expected:
        return _word(False)
    return "read it"


def shown(output: str) -> str:
    """The refusal before training, or the last lines."""
    if _refused(output):
        return next(iter(REFUSAL.findall(output)))
    lines = [line.strip() for line in output.splitlines() if line.strip() and not line.strip().startswith("/")]
    return " / ".join(lines[-2:])


def _refused(output: str) -> bool:
    """Whether the first stage refused the input in one line, before any training."""
    found = REFUSAL.search(output)
    return bool(found) and "Fine-tune" not in output[: found.start()]


def _word(right: bool) -> str:
    return "as expected" if right else "not as expected"


def _folders() -> Iterator[str]:
    return (path.name for path in CASES.iterdir() if path.is_dir())


def _copied(target: Path) -> Path:
    shutil.copytree(CASES, target)
    for path in target.glob("*/*.py"):
        text = path.read_text(encoding="utf-8")
        for old, new in RENAMED.items():
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")
    return target


def _print_row(*cells: str) -> None:
    columns = [textwrap.wrap(cell, width) or [""] for cell, width in zip(cells, WIDTHS, strict=True)]
    for number in range(max(map(len, columns))):
        row = [column[number] if number < len(column) else "" for column in columns]
        print("  ".join(cell.ljust(width) for cell, width in zip(row, WIDTHS, strict=True)).rstrip(), flush=True)
    print(flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
