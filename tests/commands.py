"""The command as a process of its own: arguments in, exit code and output back.

A start of Python with torch and transformers takes seconds, and the suite runs hundreds of commands. So they are forked
from one process, which `preload` prepares.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

SECONDS = 300
STREAMS = ("stdin", "stdout", "stderr")
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
        process = start(folder, *words, streams=Path(scratch), env=variables, text=text)
        process.join(SECONDS)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(words, SECONDS)
        stdout, stderr = (Path(scratch, name).read_text(encoding="utf-8") for name in STREAMS[1:])
        return subprocess.CompletedProcess(words, process.exitcode, stdout, stderr)


def start(
    folder: Path, *arguments: object, streams: Path, env: dict[str, str] | None = None, text: str | None = None
) -> ForkServerProcess:
    """Starts `edge-ptf ARGUMENTS` in a folder, as the leader of a process group of its own.

    Args:
        streams: directory for the files stdin, stdout and stderr.
        env: the whole environment.
    """
    streams.mkdir(exist_ok=True)
    for name in STREAMS:
        (streams / name).write_text((text or "") if name == "stdin" else "", encoding="utf-8")
    variables = env or {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "120"}
    process = FORKING.Process(target=_run, args=([*map(str, arguments)], folder, variables, streams))
    process.start()
    return process


def _run(words: list[str], folder: Path, variables: dict[str, str], streams: Path) -> None:
    """In the new process."""
    os.setsid()
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(folder)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, (name, mode) in enumerate(zip(STREAMS, "rww", strict=True)):
        with (streams / name).open(mode) as file:
            os.dup2(file.fileno(), number)
        setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))
    from edge_ptf.cli.main import run

    with mock.patch.object(sys, "argv", ["edge-ptf", *words]):
        run()
