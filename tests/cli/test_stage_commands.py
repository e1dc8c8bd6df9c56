"""Each stage by its own command, from labelled text to a sealed package, and what a package can be asked."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from edge_ptf.package import open_payload
from tests.commands import edge_ptf

pytestmark = pytest.mark.slow
PAYLOAD = "package/payload.eptf"


@pytest.fixture(scope="module")
def work(
    tmp_path_factory: pytest.TempPathFactory, tiny_base: Callable[[str], Path], csv_data: Path
) -> tuple[Path, dict[str, str]]:
    """The folder in which every stage has run, and what each of them said."""
    folder, said = tmp_path_factory.mktemp("work"), {}
    data = ("--data", csv_data)
    learn = ("finetune", "--model", tiny_base("bert"), *data, "--task", "text-classification", "--epochs", 2)
    short = ("--launches", 5, "--calls", 100, "--seconds", 0, "--memory-launches", 2)
    judged = ("--profile", "x86-generic", "--evidence", "accuracy", "--evidence", "latency")
    judged += ("--set", "targets.max_drop={}", "--set", "targets.min_speedup=null")
    teach = ("distill", "--teacher", "teacher", "--student", "small", *data, "--epochs", 1)
    chain: list[tuple[object, ...]] = [
        (*learn, "--out", "teacher"),
        ("prune", "--checkpoint", "teacher", *data, "--num-layers", 2, "--intermediate-size", 32, "--out", "small"),
        (*teach, "--quantization-aware", "--profile", "x86-generic", "--out", "student"),
        ("export", "--checkpoint", "student", *data, "--out", "onnx"),
        ("sensitivity", "onnx", *data, "--profile", "x86-generic", "--timed-texts", 4, "--out", "sensitivity"),
        ("quantize", "--graph", "onnx", *data, "--profile", "x86-generic", "--out", "int8"),
        ("assemble", "--graph", "int8", *data, "--out", "package"),
        ("evaluate", PAYLOAD, *data, "--out", "accuracy"),
        ("bench", PAYLOAD, *data, *short, "--out", "latency"),
        ("gate", PAYLOAD, *judged, "--junit", "ci/gate.xml", "--markdown", "ci/gate.md"),
        ("seal", PAYLOAD, *judged, "--out", "package.eptf"),
    ]
    for command in chain:
        done = edge_ptf(folder, *command)
        allowed = (0, 3, 4) if command[0] == "gate" else (0,)
        assert done.returncode in allowed, f"{command[0]}: {done.stdout}{done.stderr}"
        said[str(command[0])] = done.stdout
    return folder, said


def test_every_stage_says_what_it_did(work: tuple[Path, dict[str, str]]) -> None:
    _, said = work
    for stage, word in {
        "finetune": "validation",
        "prune": "layers",
        "distill": "validation",
        "export": "largest difference to PyTorch",
        "sensitivity": "layer.1.feed_forward.output",
        "quantize": "INT8",
        "assemble": "payload",
        "evaluate": "accuracy",
        "bench": "p50",
        "gate": "Overall",
    }.items():
        assert word in said[stage], said[stage]


def test_the_gate_writes_what_ci_systems_show(work: tuple[Path, dict[str, str]]) -> None:
    folder, said = work
    suite = ElementTree.parse(folder / "ci/gate.xml").getroot()[0]
    summary = (folder / "ci/gate.md").read_text(encoding="utf-8")
    cases = suite.findall("testcase")
    assert cases
    for case in cases:
        title, target = case.attrib["name"].rstrip(")").split(" (")
        assert title in summary
        assert title.split(",")[0] in said["gate"]
        assert case.attrib["classname"].endswith("x86-generic"), target
    status = said["gate"].split("Overall: ")[1].strip()
    assert f"on x86-generic: {'Nothing judged' if not status else ''}" in summary
    assert status in summary.splitlines()[0]


def test_the_sealed_package_holds_payload_evidence_and_verdict(work: tuple[Path, dict[str, str]]) -> None:
    folder, _ = work
    sealed = open_payload(folder / "package.eptf")
    assert sealed.digest == open_payload(folder / PAYLOAD).digest
    kinds = {type(item).__name__ for item in sealed.evidence()}
    assert kinds == {"AccuracyEvidence", "LatencyEvidence", "MemoryEvidence"}
    assert sealed.verdict() is not None
    assert not open_payload(folder / PAYLOAD).evidence()


def test_a_stage_is_reused_and_never_written_over_by_another(work: tuple[Path, dict[str, str]], csv_data: Path) -> None:
    folder, _ = work
    again = (
        "prune",
        "--checkpoint",
        "teacher",
        "--data",
        csv_data,
        "--num-layers",
        2,
        "--out",
        "small",
        "--intermediate-size",
    )
    assert "reused" in edge_ptf(folder, *again, 32).stdout
    refused = edge_ptf(folder, *again, 16)
    assert refused.returncode == 2
    assert "--overwrite" in refused.stderr
    assert "reused" in edge_ptf(folder, *again, 32).stdout


def test_a_checkpoint_is_made_as_fast_as_asked(work: tuple[Path, dict[str, str]], csv_data: Path) -> None:
    folder, _ = work
    data = ("--checkpoint", "teacher", "--data", csv_data)
    measured = edge_ptf(folder, "latency-table", *data, "--texts", 2, "--rounds", 3, "--out", "costs")
    assert measured.returncode == 0, measured.stderr
    assert "heads" in measured.stdout
    assert "last layer" in measured.stdout
    pruned = edge_ptf(folder, "prune", *data, "--latency-table", "costs", "--speedup", 1.1, "--out", "quick")
    assert pruned.returncode == 0, pruned.stderr
    assert "× as fast" in " ".join(pruned.stdout.split())
    for more, complaint in (
        ((), "edge-ptf latency-table"),
        (("--latency-table", "costs", "--intermediate-size", 32), "remove intermediate_size"),
    ):
        refused = edge_ptf(folder, "prune", *data, "--speedup", 1.1, *more, "--out", "never")
        assert refused.returncode == 2
        assert complaint in refused.stderr
        assert not (folder / "never").exists()


def test_a_package_answers_texts_pipes_and_scripts(work: tuple[Path, dict[str, str]]) -> None:
    folder, _ = work
    shown = edge_ptf(folder, "predict", "package.eptf", "turn on the lights", "play some jazz")
    assert shown.returncode == 0, shown.stderr
    assert "turn on the lights" in shown.stdout
    piped = edge_ptf(folder, "predict", "package.eptf", "--json", text="turn on the lights\nplay some jazz\n")
    rows = [json.loads(line) for line in piped.stdout.splitlines()]
    assert len(rows) == 2
    assert all(row["label"] in ("light", "timer", "music") for row in rows)


def test_an_answer_is_explained_word_by_word(work: tuple[Path, dict[str, str]]) -> None:
    folder, _ = work
    text = "turn on the lights"
    shown = edge_ptf(folder, "predict", "package.eptf", text, "--explain")
    assert shown.returncode == 0, shown.stderr
    first, *lines = [line.split("\t") for line in shown.stdout.splitlines()]
    assert first[2] == text
    assert sorted(word for _, _, word in lines) == sorted(text.split())
    effects = [abs(float(effect)) for _, effect, _ in lines]
    assert effects == sorted(effects, reverse=True)
    row = json.loads(edge_ptf(folder, "predict", "package.eptf", text, "--explain", "--json").stdout)
    assert [text[each["start"] : each["end"]] for each in row["words"]] == text.split()
    assert sorted(f"{each['effect']:+.3f}" for each in row["words"]) == sorted(effect for _, effect, _ in lines)


def test_a_run_and_a_checkpoint_answer_as_a_package_does(work: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    folder, _ = work
    texts = ("turn on the lights", "play some jazz", "set a timer")
    run = tmp_path / "run"
    run.mkdir()
    shutil.copy(folder / "package.eptf", run / "voice.eptf")
    (run / "run.json").write_text(json.dumps({"package": "voice.eptf"}), encoding="utf-8")
    answers = edge_ptf(folder, "predict", "package.eptf", *texts, "--json")
    assert edge_ptf(folder, "predict", run, *texts, "--json").stdout == answers.stdout
    shown = edge_ptf(folder, "predict", "teacher", *texts, "--json")
    assert shown.returncode == 0, shown.stderr
    for line, other in zip(shown.stdout.splitlines(), answers.stdout.splitlines(), strict=True):
        row = json.loads(line)
        assert row.keys() == json.loads(other).keys()
        assert row["classes"][0] == {"label": row["label"], "score": row["score"]}


def test_a_package_without_its_samples_is_whole_and_says_so(work: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    folder, _ = work
    shutil.copy(folder / "package.eptf", tmp_path / "package.eptf")
    for command in ("verify", "inspect"):
        alone = edge_ptf(tmp_path, command, "package.eptf")
        assert alone.returncode == 0, alone.stderr
        assert "package.samples.zip is missing" in alone.stdout
        assert "is missing" not in edge_ptf(folder, command, "package.eptf").stdout
    for words in (("report", "package.eptf"), ("gate", "package.eptf", "--profile", "host")):
        refused = edge_ptf(tmp_path, *words)
        assert refused.returncode == 2
        assert "package.samples.zip is missing" in refused.stderr
        assert len(refused.stderr.strip().splitlines()) <= 2
    (tmp_path / "package.samples.zip").write_bytes(b"other")
    assert edge_ptf(tmp_path, "verify", "package.eptf").returncode == 3


def test_a_package_tells_what_it_is(work: tuple[Path, dict[str, str]]) -> None:
    folder, _ = work
    shown = edge_ptf(folder, "inspect", "package.eptf")
    assert shown.returncode == 0
    assert "text-classification" in shown.stdout
    assert edge_ptf(folder, "inspect", PAYLOAD).returncode == 0
    document = json.loads(edge_ptf(folder, "inspect", "package.eptf", "--json").stdout)
    assert document["manifest"]["heads"][0]["labels"] == ["light", "music", "timer"]


def test_a_damaged_package_is_never_taken_for_a_good_one(work: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    folder, _ = work
    good = edge_ptf(folder, "verify", "package.eptf")
    assert good.returncode == 0, good.stderr
    content = bytearray((folder / "package.eptf").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "bad.eptf").write_bytes(content)
    bad = edge_ptf(tmp_path, "verify", "bad.eptf")
    assert bad.returncode in (2, 3), bad.stdout
    assert "Traceback" not in bad.stderr
    (tmp_path / "half.eptf").write_bytes(content[: len(content) // 2])
    half = edge_ptf(tmp_path, "predict", "half.eptf", "hello")
    assert half.returncode == 2
    assert len(half.stderr.strip().splitlines()) <= 2
