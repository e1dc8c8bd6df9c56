"""The main job on tiny models, as a user runs it: verdicts, records, reuse, interruption."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from edge_ptf.package import open_payload, verify
from tests.commands import edge_ptf, start

QUICK = (
    *("--set", "finetune.epochs=1", "--set", "distill.epochs=1", "--set", "distill.spliced_texts=0.2"),
    *("--set", "bench.launches=5", "--set", "bench.calls=100", "--set", "bench.seconds=0"),
    *("--set", "bench.memory_launches=2", "--set", "prune.num_layers=2", "--set", "prune.intermediate_size=[32]"),
)


def job(base: Path, data: Path, out: Path, *more: str, profile: str = "x86-generic") -> list[str]:
    return [
        *("compress", "--profile", profile, "--model", str(base), "--data", str(data)),
        *("--task", "text-classification", "--out", str(out), *QUICK, *more),
    ]


@pytest.mark.slow
def test_the_whole_job(run: Callable, tiny_base: Callable[[str], Path], csv_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "build"
    command = job(tiny_base("bert"), csv_data, out, "--max-drop", "accuracy=100", "--min-speedup", "0.01")
    command += ["--set", "search.storage=postgresql://me:s3cr3t@db/search"]
    first = run(*command, "--junit", out / "ci" / "gate.xml", "--markdown", out / "ci" / "summary.md")
    assert first.returncode in (0, 4), first.stderr
    verdict = json.loads((out / "verdict.json").read_text(encoding="utf-8"))
    assert first.returncode == {"PASS": 0, "FAIL": 3, "UNPROVEN": 4}[verdict["status"]]
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert [stage["stage"] for stage in record["stages"]][:8] == [
        *("finetune", "export", "assemble", "prune", "distill", "export", "quantize", "speed_check"),
    ]
    assert not any(stage["reused"] for stage in record["stages"])
    suite = ElementTree.parse(out / "ci" / "gate.xml").getroot()[0]
    assert suite.attrib["tests"] == str(len(verdict["target_verdicts"]))
    summary = (out / "ci" / "summary.md").read_text(encoding="utf-8")
    assert verdict["status"] in summary.splitlines()[0]
    assert "Teacher and package" in summary
    package = open_payload(out / "package.eptf")
    assert package.digest == record["payload"] == verdict["payload"]
    assert {type(item).__name__ for item in package.evidence()} == {
        *("AccuracyEvidence", "LatencyEvidence", "MemoryEvidence"),
    }
    assert verify(out / "package-baseline.eptf").payload.digest == record["baseline"]
    assert not list(out.rglob("*.partial"))
    logged = (out / "progress.log").read_text(encoding="utf-8").splitlines()
    assert [line[20:] for line in logged if line.endswith("Fine-tune …")] == ["Fine-tune …"]
    assert "Content-Security-Policy" in (out / "report.html").read_text(encoding="utf-8")
    assert str(out / "report.html") in first.stdout.replace("\n", "")

    with_texts = run("report", out, "--data", csv_data, "--out", "mine.html")
    assert with_texts.returncode == 0, with_texts.stderr
    assert "turn on the lights" in (tmp_path / "mine.html").read_text(encoding="utf-8")
    assert run("report", out, "--out", "again.html").returncode == 0
    page = (tmp_path / "mine.html").read_text(encoding="utf-8")
    redacted = run("report", out, "--data", csv_data, "--redact", "--out", "redacted.html")
    assert "left out" in redacted.stdout
    assert "turn on the lights" not in (tmp_path / "redacted.html").read_text(encoding="utf-8")
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == page  # the run's own data, read as it was then
    by_number = run("report", out / "package.eptf")
    assert "shown by number" in by_number.stdout
    assert "turn on the lights" not in (out / "report.html").read_text(encoding="utf-8")
    beside = run("compare", out / "package-baseline.eptf", out / "package.eptf", "--html", "both.html")
    assert beside.returncode == 0, beside.stderr
    assert "FP32" in beside.stdout
    assert "Two packages" in (tmp_path / "both.html").read_text(encoding="utf-8")

    second = run(*command, "--redact")
    assert second.returncode == first.returncode
    assert "left out on request" in (out / "report.html").read_text(encoding="utf-8")
    again = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert again["payload"] == record["payload"]
    assert all(stage["reused"] for stage in again["stages"] if stage["stage"] != "bench")
    assert "reused" in second.stdout

    failing = run(*command, "--package-mb", "0.001", "--json")
    assert failing.returncode == 3
    assert "FAIL" in failing.stderr
    printed = json.loads(failing.stdout)
    assert printed["verdict"]["status"] == "FAIL"
    assert printed["payload"] == open_payload(Path(printed["files"]["package"])).digest
    assert printed["figures"]["package"]["size_mb"] < printed["figures"]["teacher"]["size_mb"]
    assert set(json.loads((out / "run.json").read_text(encoding="utf-8"))) < set(printed)

    assert record["recipe"]["search"]["storage"] == "postgresql://me:***@db/search"
    for said in (*(done.stdout + done.stderr for done in (first, second, failing)), package.manifest.model_dump_json()):
        assert "s3cr3t" not in said
    assert [path for path in out.rglob("*") if path.is_file() and b"s3cr3t" in path.read_bytes()] == []


@pytest.mark.slow
def test_another_device_is_judged_where_it_can_be(
    run: Callable, tiny_base: Callable[[str], Path], csv_data: Path, tmp_path: Path
) -> None:
    """Its costs are estimated too where a speed-up is asked for: this machine is not what they would be measured on."""
    more = ("--max-drop", "accuracy=100", "--set", "prune.speedup=1.2", "--set", "prune.num_layers=null")
    command = job(
        tiny_base("distilbert"),
        csv_data,
        tmp_path / "out",
        *more,
        "--set",
        "prune.intermediate_size=null",
        "--set",
        "speed_check.allow_slower=true",
        profile="jetson",
    )
    done = run(*command)
    assert done.returncode == 4, done.stdout + done.stderr
    unchecked = "whether INT8 is faster than FP32 on NVIDIA Jetson Orin Nano cannot be checked here"
    assert unchecked in " ".join((done.stdout + done.stderr).split())
    verdict = json.loads((tmp_path / "out" / "verdict.json").read_text(encoding="utf-8"))
    status = {item["target"]: item["status"] for item in verdict["target_verdicts"]}
    assert status["max_drop.accuracy"] == "PASS"
    assert status["latency_ms.p50"] == status["peak_memory_mb"] == "UNPROVEN"
    (settling,) = {item["settle"] for item in verdict["target_verdicts"] if item["status"] == "UNPROVEN"}
    assert settling.startswith("edge-ptf bench PACKAGE --device ssh://USER@HOST ")
    assert (tmp_path / "out" / "package.eptf").exists()
    (latencies,) = (tmp_path / "out" / "stages").glob("latency_table-*/latency_table.json")
    assert json.loads(latencies.read_text(encoding="utf-8"))["source"] == "estimated"


@pytest.mark.slow
def test_killed_and_run_again_it_ends_with_the_same_payload(
    tiny_base: Callable[[str], Path], csv_data: Path, tmp_path: Path
) -> None:
    def begun(out: Path) -> ForkServerProcess:
        return start(tmp_path, *job(tiny_base("bert"), csv_data, out), streams=tmp_path / "streams")

    def digest(out: Path) -> str:
        return str(json.loads((out / "run.json").read_text(encoding="utf-8"))["payload"])

    edge_ptf(tmp_path, "--version")  # imports what all commands import
    before = time.monotonic()
    whole = begun(tmp_path / "whole")
    whole.join(300)
    assert whole.exitcode in (0, 3, 4)
    length = time.monotonic() - before
    out = tmp_path / "killed"
    for share in (0.35, 0.5, 0.7):
        process = begun(out)
        process.join(share * length)
        if process.exitcode is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.join()
    last = begun(out)
    last.join(300)
    assert last.exitcode in (0, 3, 4)
    assert digest(out) == digest(tmp_path / "whole")


@pytest.mark.slow
def test_interrupted_it_says_so_and_goes_on(tiny_base: Callable[[str], Path], csv_data: Path, tmp_path: Path) -> None:
    streams, command = tmp_path / "streams", job(tiny_base("bert"), csv_data, tmp_path / "out")
    process = start(tmp_path, *command, streams=streams)
    while "\n  finetune" not in (streams / "stdout").read_text() and process.exitcode is None:
        process.join(0.05)
    os.kill(process.pid, signal.SIGINT)
    process.join(120)
    assert process.exitcode == 130
    errors = (streams / "stderr").read_text(encoding="utf-8")
    assert "the same command resumes" in errors
    assert "Traceback" not in errors
    again = edge_ptf(tmp_path, *command)
    assert again.returncode in (0, 3, 4)
    assert "reused" in next(line for line in again.stdout.splitlines() if line.strip().startswith("finetune"))


def test_dry_run_says_who_set_what(
    run: Callable, tiny_base: Callable[[str], Path], csv_data: Path, tmp_path: Path
) -> None:
    done = run(*job(tiny_base("bert"), csv_data, Path("out"), "--dry-run"))
    assert done.returncode == 0
    rows = {line.split("│")[1].strip(): line for line in done.stdout.splitlines() if line.startswith("│")}
    assert "command line" in rows["finetune.epochs"]
    assert "profile x86-generic" in rows["quantize.reduce_range"]
    assert "task text-classification" in rows["prune.vocabulary_size"]
    assert "default" in rows["distill.learning_rate"]
    assert not (tmp_path / "out").exists()


def test_dry_run_checks_model_and_data_and_says_what_can_be_proven(
    run: Callable, tiny_base: Callable[[str], Path], csv_data: Path, tmp_path: Path
) -> None:
    done = run(*job(tiny_base("bert"), csv_data, Path("out"), "--dry-run", "--max-drop", "accuracy=1"))
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert "Data: " in said
    assert "Warning: accuracy: 48 test rows can prove a drop of at most 7.16 points at best; for 1 point" in said
    assert "about 370" in said
    enough = run(*job(tiny_base("bert"), csv_data, Path("out"), "--dry-run", "--max-drop", "accuracy=8"))
    assert "Warning" not in enough.stdout
    for command in (
        job(tmp_path / "no-model", csv_data, Path("out")),
        job(tiny_base("bert"), tmp_path / "no.csv", Path("out")),
    ):
        wrong = run(*command, "--dry-run")
        assert wrong.returncode == 2
        assert "Resolved settings" in wrong.stdout
        assert "no-model" in wrong.stderr or "no.csv" in wrong.stderr
    limit = run(*job(tiny_base("bert"), csv_data, Path("out"), "--dry-run", "--max-drop", "entity_f1=1"))
    assert limit.returncode == 2
    assert "not judged by 'entity_f1'" in limit.stderr
    assert not (tmp_path / "out").exists()


def test_dry_run_loads_the_model_as_the_training_does(
    run: Callable, tiny_base: Callable[[str], Path], csv_data: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(tiny_base("bert"), broken)
    weights = next(broken.glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-100])
    done = run(*job(broken, csv_data, Path("out"), "--dry-run"))
    assert done.returncode == 2
    assert "the weights cannot be loaded" in done.stderr
    layers = run(*job(tiny_base("bert"), csv_data, Path("out"), "--dry-run", "--set", "finetune.freeze_layers=99"))
    assert layers.returncode == 2
    assert "freeze_layers is 99" in layers.stderr


def test_dry_run_prints_json_on_request(run: Callable, tiny_base: Callable[[str], Path], csv_data: Path) -> None:
    done = run(*job(tiny_base("bert"), csv_data, Path("out"), "--dry-run", "--max-drop", "accuracy=1", "--json"))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["recipe"]["finetune"]["epochs"] == 1
    assert found["data"]["splits"]["test"]["rows"] == 48
    assert [(each["metric"], each["possible"]) for each in found["provable"]] == [("accuracy", False)]
    assert "Resolved settings" in done.stderr


def test_the_project_file_names_sections_as_set_does_and_is_announced(
    run: Callable, tiny_base: Callable[[str], Path], csv_data: Path, tmp_path: Path
) -> None:
    (tmp_path / "edge-ptf.yaml").write_text(
        f"profile: x86-generic\nmodel: {tiny_base('bert')}\ntask: text-classification\nout: out\n"
        f"data:\n  source: {csv_data}\n  encoding: latin-1\n"
    )
    done = run("compress", "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["recipe"]["data"]["encoding"] == "latin-1"
    assert done.stderr.startswith("edge-ptf.yaml is used: it sets profile, model, task, out, data\n")
    assert (
        json.loads(run("compress", "--dry-run", "--json", "--set", "data.encoding=utf-8").stdout)["recipe"]["data"][
            "encoding"
        ]
        == "utf-8"
    )
    (tmp_path / "edge-ptf.yaml").write_text("reading:\n  encoding: latin-1\ndata: {source: 3}\n")
    wrong = run("compress", "--dry-run")
    assert wrong.returncode == 2
    assert "edge-ptf.yaml:1: unknown field 'reading'" in wrong.stderr
    assert "edge-ptf.yaml:3: data: takes text" in wrong.stderr
    assert "is used" not in run("profiles", "list").stderr


def test_project_file_stands_below_flags(
    run: Callable, tiny_base: Callable[[str], Path], csv_data: Path, tmp_path: Path
) -> None:
    assert run("init", "--profile", "x86-generic", "--model", tiny_base("bert"), "--data", csv_data).returncode == 0
    file = tmp_path / "edge-ptf.yaml"
    file.write_text(file.read_text(encoding="utf-8") + "finetune:\n  epochs: 9\n  seed: 4\n", encoding="utf-8")
    done = run("compress", "--dry-run", "--set", "finetune.epochs=2")
    assert done.returncode == 0, done.stderr
    rows = {line.split("│")[1].strip(): line for line in done.stdout.splitlines() if line.startswith("│")}
    assert " 2 " in rows["finetune.epochs"]
    assert "edge-ptf.yaml" in rows["finetune.seed"]
    assert run("init").returncode == 2


UNSIZED = tuple(
    part for setting in QUICK if "=" in setting and not setting.startswith("prune.") for part in ("--set", setting)
)
"""QUICK without a size for the student."""


def targets_only(base: Path, data: Path, command: str, out: Path, *more: str) -> list[str]:
    """A job that names no size."""
    return [
        *(command, "--profile", "x86-generic", "--model", str(base), "--data", str(data)),
        *("--task", "text-classification", "--out", str(out), "--set", "latency_table.rounds=3"),
        *UNSIZED,
        *("--min-speedup", "0.1", "--max-drop", "accuracy=100", *more),
    ]


@pytest.mark.slow
def test_with_targets_alone_the_recipe_is_found(
    run: Callable, tiny_base: Callable[[str], Path], csv_data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "build"
    command = targets_only(tiny_base("bert"), csv_data, "compress", out)
    done = run(*command)
    assert done.returncode in (0, 4), done.stderr
    assert "Trials (accuracy" in done.stdout
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    found = record["search"]
    assert found == json.loads((out / "search.json").read_text(encoding="utf-8"))
    assert found["winner"] == "trial 1"
    winner = found["trials"][0]
    assert winner["predicted"]["size_mb"] > 0
    assert winner["short"] == {}
    assert record["recipe"]["prune"]["num_layers"] == winner["overrides"]["prune"]["num_layers"] == 3
    stages = [stage["stage"] for stage in record["stages"]]
    assert stages.count("evaluate") == 4  # teacher and package, on validation and on test
    assert stages.count("bench") in (2, 3)  # one of a trial that does not count is made again
    assert stages.count("distill") == 2  # the second one is reused
    package = open_payload(out / "package.eptf")
    data = {item.data for item in package.evidence() if hasattr(item, "data")}
    assert not any(name.endswith("-validation") for name in data)
    trained = [stage for stage in record["stages"] if stage["stage"] == "distill"]
    assert trained[-1]["reused"]

    sized = run(*command, "--set", "prune.num_layers=2", "--dry-run")
    assert "automatic" not in sized.stdout or "no size is set" not in sized.stdout
    assert "no size is set" in run(*command, "--dry-run").stdout


@pytest.mark.slow
def test_a_search_ends_in_a_recipe_that_compress_takes(
    run: Callable, tiny_base: Callable[[str], Path], csv_data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "build"
    command = targets_only(tiny_base("bert"), csv_data, "search", out, "--trials", "2", "--all-trials")
    command += ["--seed", "3", "--set", "data.label_column=label", "--set", "prune.keep_layers=[0]"]
    done = run(*command, "--set", "search.epochs=1")
    assert done.returncode == 0, done.stderr
    found = json.loads((out / "search.json").read_text(encoding="utf-8"))
    assert [trial["state"] for trial in found["trials"]] == ["finished", "finished"]
    assert "Experimental" not in done.stderr
    again = run(*command, "--set", "search.epochs=1")
    assert again.returncode == 0, again.stderr
    assert json.loads((out / "search.json").read_text(encoding="utf-8"))["trials"] == found["trials"]
    asked = yaml.safe_load((out / "recipe.yaml").read_text(encoding="utf-8"))
    assert asked["targets"] == {"min_speedup": 0.1, "max_drop": {"accuracy": 100.0}}  # limits and all else that was set
    assert asked["data"] == {"source": str(csv_data), "label_column": "label"}
    assert asked["finetune"]["seed"] == 3
    assert asked["prune"]["keep_layers"] is None  # what was given must not come back beside the winner's count
    assert "search" not in asked
    made = run("compress", "--config", out / "recipe.yaml")
    assert made.returncode in (0, 3, 4), made.stderr
    winner = next(trial for trial in found["trials"] if trial["name"] == found["winner"])
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert record["recipe"]["prune"]["num_layers"] == winner["overrides"]["prune"]["num_layers"]
    assert len(open_payload(out / "package.eptf").manifest.graph.layers) == winner["overrides"]["prune"]["num_layers"]
    assert "search" not in record


@pytest.mark.slow
def test_a_model_that_may_be_left_as_it_is_needs_no_size_and_int8_must_win_something(
    run: Callable, tiny_base: Callable[[str], Path], csv_data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "build"
    command = targets_only(tiny_base("albert"), csv_data, "compress", out, "--set", "prune.skip_unsupported=true")
    command += ["--set", "distill.hidden_weight=0"]
    first = run(*command)
    if first.returncode == 3 and "INT8 is slower than FP32" in first.stderr:  # as it is on x86 with this tiny model
        assert not (out / "package.eptf").exists()
        assert "speed_check.allow_slower=true" in first.stderr
    allowed = run(*command, "--set", "speed_check.allow_slower=true")
    assert (out / "run.json").exists(), allowed.stderr
    assert "search" not in json.loads((out / "run.json").read_text(encoding="utf-8"))
