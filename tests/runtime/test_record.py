"""Both measuring programs write one form of record."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError

from edge_ptf.bench.launching import runner_files
from edge_ptf.machine import this_machine
from edge_ptf.package import Payload
from edge_ptf.runtime.record import LaunchRecord, json_schema

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "bench.schema.json"
MakePayload = Callable[..., Payload]


def test_the_published_schema_is_that_of_the_code() -> None:
    published = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert published == json.loads(json.dumps(json_schema())), "write record.json_schema() to docs/bench.schema.json"
    jsonschema.Draft202012Validator.check_schema(published)


@pytest.fixture
def programs() -> dict[str, list[str]]:
    """The measuring programs on this machine."""
    files = runner_files(this_machine())
    if not files:
        pytest.skip("the C++ runner is not built (`make runner`)")
    return {
        "python": [sys.executable, "-m", "edge_ptf.runtime.bench"],
        "runner": [str(files["edge-ptf-runner"]), "bench"],
    }


def measured(program: list[str], folder: Path, *words: object) -> dict[str, Any]:
    texts, out = folder / "texts.jsonl", folder / "record.json"
    lines = [{"text": f"turn on {'the ' * number}lights"} for number in range(30)]
    texts.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    command = [*program, *map(str, words), "--texts", str(texts), "--seconds", "0", "--seed", "7", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return found


def fields(document: Any) -> Any:
    """Every name at every depth."""
    if isinstance(document, dict):
        return {name: fields(value) for name, value in sorted(document.items())}
    return None


def test_both_programs_write_the_same_record(
    programs: dict[str, list[str]], make_payload: MakePayload, tmp_path: Path
) -> None:
    package, teacher = make_payload().path, make_payload(mode="fp32").path
    words = (package, "--baseline", teacher, "--mode", "paced", "--rate", 1000, "--calls", 35, "--threads", 1)
    found = {name: measured(program, tmp_path, *words) for name, program in programs.items()}
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    for record in found.values():
        jsonschema.validate(record, schema)
        assert LaunchRecord.model_validate(record).rate == 1000
        assert record["payload"] == make_payload().digest
        assert record["baseline"]["payload"] == make_payload(mode="fp32").digest
        assert len(record["end_to_end_ms"]) == len(record["baseline"]["end_to_end_ms"]) == 40
        assert record["peak_memory_mb"] is None
    python, runner = found["python"], found["runner"]
    gone = python["machine"].pop("gpu")
    assert isinstance(gone, str)
    assert fields(python) == fields(runner)
    # The same texts in the same order, with the same tokens, on the same machine.
    assert python["tokens"] == runner["tokens"] == runner["baseline"]["tokens"]
    assert len(set(python["tokens"])) > 10
    for name in ("arch", "cpu", "isa", "os", "emulated"):
        assert python["machine"][name] == runner["machine"][name]
    assert (python["runner"], runner["runner"]) == ("", "0.1.0")


def test_both_programs_tell_their_memory(
    programs: dict[str, list[str]], make_payload: MakePayload, tmp_path: Path
) -> None:
    peaks = {
        name: measured(program, tmp_path, make_payload().path, "--calls", 10, "--memory")["peak_memory_mb"]
        for name, program in programs.items()
    }
    assert 5 < peaks["runner"] < peaks["python"] < 250


def test_a_package_that_cannot_be_opened_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "texts").write_text('{"text": "a"}\n')
    (tmp_path / "bad.eptf").write_text("no package")
    command = [sys.executable, "-m", "edge_ptf.runtime.bench", str(tmp_path / "bad.eptf")]
    command += ["--texts", str(tmp_path / "texts"), "--out", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith("edge-ptf: ")
    assert "bad.eptf" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_record_whose_lists_differ_in_length_is_refused(
    programs: dict[str, list[str]], make_payload: MakePayload, tmp_path: Path
) -> None:
    record = measured(programs["runner"], tmp_path, make_payload().path, "--calls", 10)
    assert LaunchRecord.model_validate({**record, "from_a_later_version": 1}).baseline is None
    for wrong in ({"tokens": [1]}, {"schema": 2}, {"engine_ms": [-1.0] * 10}, {"mode": "fast"}):
        with pytest.raises(ValidationError):
            LaunchRecord.model_validate({**record, **wrong})
