"""The command as a process of its own: arguments in, exit code and output back.

A start of Python with torch and transformers takes seconds, and the suite runs hundreds of commands. So they are forked
from one process, which `preload` prepares.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

SECONDS = 300
FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(["tests.preload"])


def edge_ptf(
    folder: Path, *arguments: object, env: dict[str, str] | None = None, text: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs `edge-ptf ARGUMENTS` in a folder, with one thread.

    Args:
        env: more variables. They may be such that Python or a library reads at its start, so a new process is started.
        text: standard input.

    Raises:
        subprocess.TimeoutExpired: it took more than SECONDS.
    """
    words = [*map(str, arguments)]
    variables = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "120", **(env or {})}
    if env:
        return subprocess.run(
            [sys.executable, "-m", "edge_ptf", *words],
            cwd=folder,
            env=variables,
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
    with TemporaryDirectory() as scratch:
        streams = [Path(scratch) / name for name in ("stdin", "stdout", "stderr")]
        streams[0].write_text(text or "", encoding="utf-8")
        process = FORKING.Process(target=_run, args=(words, folder, variables, streams))
        process.start()
        process.join(SECONDS)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(words, SECONDS)
        stdout, stderr = (stream.read_text(encoding="utf-8") for stream in streams[1:])
        return subprocess.CompletedProcess(words, process.exitcode, stdout, stderr)


def _run(words: list[str], folder: Path, variables: dict[str, str], streams: list[Path]) -> None:
    """In the new process."""
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(folder)
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        with streams[number].open(mode) as file:
            os.dup2(file.fileno(), number)
        setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))
    from edge_ptf.cli.main import run

    with mock.patch.object(sys, "argv", ["edge-ptf", *words]):
        run()
