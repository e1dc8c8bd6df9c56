"""`edge-ptf bench`: here, against another package, and on an emulated device."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_ptf.bench import load_bench, load_comparison
from edge_ptf.bench.devices.qemu import PROGRAM
from edge_ptf.bench.launching import runner_files
from edge_ptf.machine import this_machine
from edge_ptf.package import AssembleConfig, Payload, assemble, open_payload

Run = Callable
MakePayload = Callable[..., Payload]
SHORT = ("--launches", 5, "--calls", 100, "--seconds", 0, "--memory-launches", 2)


@pytest.fixture
def data(tmp_path: Path, tiny_labelled: Callable) -> tuple[object, ...]:
    """The labelled text of the tiny payloads, as a command takes it."""
    folder = tmp_path / "data"
    folder.mkdir()
    for split in ("train", "validation", "test"):
        rows = [f"{example.text} {split} {row},{example.label}" for row, example in enumerate(tiny_labelled().test)]
        (folder / f"{split}.csv").write_text("text,label\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return ("--data", folder)


@pytest.mark.slow
def test_a_package_is_measured_judged_and_sealed(
    run: Run, make_payload: MakePayload, data: tuple[object, ...], tmp_path: Path
) -> None:
    package, teacher = make_payload().path, make_payload(mode="fp32").path
    words = ("bench", package, *data, *SHORT, "--baseline", teacher, "--out", "out", "--mode", "paced", "--rate", 500)
    judged = ("--profile", "host", "--set", "targets.max_drop={}", "--set", "targets.min_speedup=0.001")
    done = run(*words, *judged, "--seal", "sealed.eptf")
    assert done.returncode in (0, 4), done.stderr  # a machine that drifts meanwhile leaves it open
    assert "paced at 500 per second" in done.stdout
    assert "Overall: " in done.stdout
    latency, memory = load_bench(tmp_path / "out")
    sealed = open_payload(tmp_path / "sealed.eptf")
    assert sealed.digest == make_payload().digest
    assert sealed.evidence() == [latency, memory]
    assert latency.mode == "paced"
    built = bool(runner_files(this_machine()))
    assert latency.runtime.runner == ("edge-ptf-runner 0.1.0" if built else "")
    assert f"Measured by {latency.runtime.runner or 'Python'}" in done.stdout
    again = run("bench", tmp_path / "sealed.eptf", *words[2:-4], "--mode", "paced", "--rate", 500, "--overwrite")
    assert again.returncode == 0
    assert latency.flags or "reused" in again.stdout


@pytest.mark.slow
def test_a_package_is_measured_with_its_own_threads(
    run: Run, make_graph: Callable, tiny_labelled: Callable, data: tuple[object, ...], tmp_path: Path
) -> None:
    package = assemble(make_graph(), tiny_labelled(), AssembleConfig(threads=2), tmp_path / "payload").path
    for more, expected in (((), 2), (("--threads", 1), 1)):
        done = run("bench", package, *data, *SHORT, *more, "--out", f"with-{expected}")
        assert done.returncode == 0, done.stderr
        assert load_bench(tmp_path / f"with-{expected}")[0].runtime.threads == expected


@pytest.mark.slow
def test_two_packages_are_compared(
    run: Run, make_payload: MakePayload, data: tuple[object, ...], tmp_path: Path
) -> None:
    package, other = make_payload().path, make_payload(mode="fp32").path
    done = run("bench", package, "--against", other, *data, *SHORT, "--out", "out")
    assert done.returncode == 0, done.stderr
    assert "noise floor" in done.stdout
    found = load_comparison(tmp_path / "out")
    assert (found.a, found.b) == (make_payload().digest, make_payload(mode="fp32").digest)


@pytest.mark.slow
def test_an_emulated_device_proves_answers_and_is_refused_as_a_place_for_times(
    run: Run, make_payload: MakePayload, data: tuple[object, ...], tmp_path: Path
) -> None:
    if shutil.which(PROGRAM) is None or not runner_files(this_machine().replace(arch="aarch64")):
        pytest.skip("needs qemu-user-static and the runner for aarch64 (`make runner-aarch64`)")
    done = run("bench", make_payload().path, *data, *SHORT, "--device", "qemu:aarch64", "--out", "out")
    assert done.returncode == 5, done.stdout + done.stderr
    assert "golden vectors answered" in done.stderr
    assert "Latency is refused as evidence: emulated processor" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_package_alone_is_measured_and_nothing_is_kept(run: Run, make_payload: MakePayload, tmp_path: Path) -> None:
    package = tmp_path / "package.eptf"
    shutil.copy(make_payload().path, package)
    done = run("bench", package, *SHORT)
    assert done.returncode == 0, done.stderr
    assert "text → answer, p50" in done.stdout
    assert "Does not count: the golden texts of the package were answered" in done.stdout
    assert "Without --out the samples are not kept" in done.stdout
    assert list(tmp_path.iterdir()) == [package]
    (tmp_path / "texts.txt").write_text("turn on the lights\nplay\n", encoding="utf-8")
    done = run("bench", package, *SHORT, "--texts", "texts.txt", "--out", "out", "--profile", "host")
    assert done.returncode == 4, done.stderr
    assert load_bench(tmp_path / "out")[0].texts == "file"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--device", "toaster"), "'toaster' names no device"),
        (("--against", "{package}", "--baseline", "{package}"), "--against compares two packages"),
        (("--baseline", "{package}"), "INT8, and a speed-up is over the FP32 teacher"),
        (("--seal", "{package}"), "would replace the package"),
        (("--seal", "new.eptf"), "--profile is missing"),
        (("--texts", "{package}"), "--texts and --data both say"),
        (("--mode", "quick"), "--mode"),
        (("--rate", "0"), "rate"),
        (("--device", "ssh://127.0.0.1:1", "--runtime", "python"), "cannot be reached"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    run: Run, make_payload: MakePayload, data: tuple[object, ...], words: tuple[str, ...], message: str
) -> None:
    package = str(make_payload().path)
    done = run("bench", package, *data, "--out", "out", *(word.replace("{package}", package) for word in words))
    assert done.returncode in (2, 5)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
