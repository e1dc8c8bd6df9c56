"""The answering process: its answers, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from edge_ptf.errors import EnvironmentFault, PackageError, VerificationError
from edge_ptf.package import Payload, archive
from edge_ptf.runtime import Runner, WorkerProcess

MakePayload = Callable[..., Payload]
TEXTS: list[tuple[str, str | None]] = [
    ("turn on the lights", None),
    ("", None),
    ("日本 🙂 \u2028 x", None),
    ("a\nb", None),
]


def is_gone(worker: WorkerProcess) -> bool:
    """Neither running nor a zombie."""
    return worker.process.returncode is not None and not psutil.pid_exists(worker.process.pid)


def test_it_answers_as_a_runner_does(make_payload: MakePayload) -> None:
    plain, tagger, paired = make_payload(), make_payload(kind="token-classification"), make_payload(paired=True)
    pairs = [("turn on", "play jazz"), ("a", "")]
    with WorkerProcess() as worker:
        loaded = [worker.load(item.path, str(number), 1) for number, item in enumerate((plain, tagger, paired))]
        found = [worker.answers("0", TEXTS), worker.answers("1", TEXTS), worker.answers("2", pairs)]
        assert worker.answers("0", []) == []
        assert worker.answers("0", TEXTS) == found[0]
    assert is_gone(worker)
    for payload, texts, answers in ((plain, TEXTS, found[0]), (tagger, TEXTS, found[1]), (paired, pairs, found[2])):
        runner = Runner(payload)
        wanted = [runner.answer(text, pair) for text, pair in texts]
        assert [item.label for item in answers] == [item.label for item in wanted]
        assert [item.score for item in answers] == pytest.approx([item.score for item in wanted], abs=1e-12)
    assert all(item["load_ms"] > 0 for item in loaded)
    assert loaded[0]["runtime"]["name"] == "onnxruntime"
    assert loaded[0]["runtime"]["threads"] == 1


def test_a_request_that_fails_is_answered_and_the_next_one_served(make_payload: MakePayload, tmp_path: Path) -> None:
    (tmp_path / "bad.eptf").write_text("no package")
    payload = make_payload()
    with WorkerProcess() as worker:
        for path in (tmp_path / "bad.eptf", tmp_path / "none.eptf"):
            with pytest.raises(PackageError, match=path.name):
                worker.load(path, "bad", 1)
        worker.load(payload.path, "good", 1)
        assert len(worker.answers("good", TEXTS)) == len(TEXTS)
    assert is_gone(worker)


def test_a_package_that_is_not_what_it_says_keeps_its_kind_of_error(make_payload: MakePayload, tmp_path: Path) -> None:
    entries = []
    with zipfile.ZipFile(make_payload().path) as good:
        for entry in good.infolist():
            content = good.read(entry)
            content = content[:-1] + b"?" if entry.filename == "model.onnx" else content
            entries.append((entry.filename, content, entry.compress_type == zipfile.ZIP_STORED))
    archive.write(tmp_path / "changed.eptf", entries)
    with WorkerProcess() as worker, pytest.raises(VerificationError, match="not what the manifest says"):
        worker.load(tmp_path / "changed.eptf", "changed", 1)


def test_a_killed_process_is_an_environment_fault(make_payload: MakePayload) -> None:
    with WorkerProcess() as worker:
        worker.load(make_payload().path, "payload", 1)
        os.kill(worker.process.pid, signal.SIGKILL)
        worker.process.wait(10)
        for _ in range(2):
            with pytest.raises(EnvironmentFault, match="answering process ended"):
                worker.answers("payload", TEXTS)
    assert is_gone(worker)


def test_a_process_that_breaks_says_its_last_words() -> None:
    with WorkerProcess() as worker, pytest.raises(EnvironmentFault, match="KeyError: 'unknown'"):
        worker.answers("unknown", TEXTS)
    assert is_gone(worker)


def test_an_error_here_ends_the_process_there() -> None:
    with pytest.raises(RuntimeError, match="here"), WorkerProcess() as worker:
        raise RuntimeError("here")
    assert is_gone(worker)


def test_it_ends_when_its_input_does() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "edge_ptf.runtime.worker"],
        input='{"load": "none.eptf", "as": "a", "threads": 1}\n',
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0
    assert "none.eptf" in json.loads(done.stdout)["error"]
    assert done.stderr == ""
