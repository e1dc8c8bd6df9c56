"""A package measured on another machine from the command line. A real sshd on loopback represents the device."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_ptf.bench import load_bench
from edge_ptf.bench.launching import runner_files
from edge_ptf.machine import this_machine
from edge_ptf.package import Payload, archive, open_payload
from edge_ptf.package.archive import Archive
from tests.bench.devices.peers import SshServer

pytestmark = pytest.mark.slow
SHORT = ("--launches", "5", "--calls", "100", "--seconds", "0", "--memory-launches", "2")
JUDGED = ("--profile", "host", "--set", "targets.max_drop={}", "--set", "targets.min_speedup=0.001")


@pytest.fixture
def bench(
    start_sshd: Callable[..., SshServer], tiny_labelled: Callable, tmp_path: Path
) -> tuple[SshServer, Callable[..., subprocess.CompletedProcess[str]]]:
    """The server, and `bench(package, …)`, which measures there."""
    if not runner_files(this_machine()):
        pytest.skip("the C++ runner is not built (`make runner`)")
    server = start_sshd()
    folder = tmp_path / "labelled text"
    folder.mkdir()
    for split in ("train", "validation", "test"):
        rows = [f"{example.text} {split} {row},{example.label}" for row, example in enumerate(tiny_labelled().test)]
        (folder / f"{split}.csv").write_text("text,label\n" + "\n".join(rows) + "\n", encoding="utf-8")

    def run(package: Path, *words: object) -> subprocess.CompletedProcess[str]:
        options = [word for option in server.options for word in ("--ssh-option", option)]
        command = ["bench", package, "--data", folder, "--device", server.name, *options, *SHORT, *words]
        return subprocess.run(
            [sys.executable, "-m", "edge_ptf", *map(str, command), "--out", str(tmp_path / "out")],
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )

    return server, run


def test_evidence_comes_back_judged_and_sealed_and_nothing_is_left(
    bench: tuple[SshServer, Callable], make_payload: Callable[..., Payload], tmp_path: Path
) -> None:
    server, run = bench
    payload, teacher = make_payload(), make_payload(mode="fp32")
    sealed = tmp_path / "it's sealed.eptf"
    done = run(payload.path, "--baseline", teacher.path, *JUDGED, "--seal", sealed)
    assert done.returncode in (0, 4), done.stdout + done.stderr  # drift during the test leaves the verdict open
    assert f"Selftest on {server.name}: " in done.stdout
    assert "Overall: " in done.stdout
    latency, memory = load_bench(tmp_path / "out")
    assert latency.device == server.name
    assert latency.baseline == teacher.digest
    assert latency.machine.arch == this_machine().arch
    assert latency.runtime.runner == "edge-ptf-runner 0.1.0"
    assert len(latency.environment) == 5
    assert open_payload(sealed).evidence() == [latency, memory]
    assert open_payload(sealed).digest == payload.digest
    assert server.peer().left() == []
    again = run(payload.path, "--baseline", teacher.path)
    assert latency.flags or "reused" in again.stdout


def test_a_package_that_answers_otherwise_there_is_not_measured(
    bench: tuple[SshServer, Callable], make_payload: Callable[..., Payload], tmp_path: Path
) -> None:
    server, run = bench
    payload = make_payload()
    reader, changed = Archive(payload.path), tmp_path / "changed.eptf"
    lines = payload.read("golden.jsonl")
    contents = {name: reader.read(name) for name in reader.sizes}
    contents["golden.jsonl"] = lines.replace(b'"logits": [', b'"logits": [9')[: len(lines)]
    archive.write(changed, [(name, body, name.endswith((".onnx", ".bin"))) for name, body in contents.items()])
    done = run(changed)
    assert done.returncode == 3, done.stdout + done.stderr
    assert server.name in done.stderr
    assert not (tmp_path / "out").exists()
    assert server.peer().left() == []
