"""The latency protocol: the arguments of the measuring programs, and the evidence from their records."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from edge_ptf.bench import BenchConfig, bench, launching, load_bench
from edge_ptf.bench.devices import Finished
from edge_ptf.bench.launching import runner_files, selftest
from edge_ptf.data.dataset import LabelledData
from edge_ptf.errors import BadInputError, EnvironmentFault, PackageError, VerificationError
from edge_ptf.machine import Machine, this_machine
from edge_ptf.package import Payload, seal
from edge_ptf.package.evidence import Evidence, LatencyEvidence, Verdict
from edge_ptf.runtime import Runner
from edge_ptf.runtime.turns import shuffled

MakePayload = Callable[..., Payload]
Data = Callable[..., LabelledData]
Device = Any
SMALL = BenchConfig(launches=5, calls=100, seconds=0, memory_launches=2)
LONGER = SMALL.replace(calls=200)


@pytest.fixture
def measured(
    make_payload: MakePayload, tiny_labelled: Data, tmp_path: Path, fake_device: Callable[..., Any]
) -> Callable[..., tuple[LatencyEvidence, Device]]:
    """Runs the protocol with a fake clock: `measured(ms, baseline=…, config=…, device=…)`."""

    def run(
        ms: Callable[[str, int, int], float] | None = None,
        *,
        baseline: bool = True,
        config: BenchConfig = SMALL,
        device: Device = None,
    ) -> tuple[LatencyEvidence, Device]:
        used = device or (fake_device(ms) if ms else fake_device())
        teacher = make_payload(mode="fp32") if baseline else None
        return bench(make_payload(), teacher, tiny_labelled(), config, tmp_path / "out", device=used)[0], used

    return run


def steady(name: str, launch: int, call: int) -> float:
    noise = random.Random(f"{name}{launch}{call}").uniform(0.98, 1.02)
    return (4.0 if name == "baseline" else 1.0) * noise


def options_of(command: list[str]) -> dict[str, str]:
    at = command.index("--texts")
    return dict(zip(command[at::2], command[at + 1 :: 2], strict=False))


def test_a_launch_is_asked_for_by_the_words_of_the_tool(measured: Any, make_payload: MakePayload) -> None:
    _, device = measured(config=SMALL.replace(mode="paced", rate=50, threads=2))
    assert len(device.commands) == 7
    for command in device.commands:
        assert command[:3] == ["/run/edge-ptf-runner", "bench", str(make_payload().path)]
    asked = options_of(device.commands[0])
    assert asked["--baseline"] == str(make_payload(mode="fp32").path)
    assert (asked["--mode"], asked["--rate"], asked["--calls"], asked["--threads"]) == ("paced", "50.0", "100", "2")
    memory = device.commands[5]
    assert "--memory" in memory
    assert "--baseline" not in memory
    assert "--rate" not in memory


def test_every_launch_has_an_order_of_its_own_that_repeats(measured: Any) -> None:
    seeds = [[options_of(command)["--seed"] for command in measured()[1].commands] for _ in range(2)]
    assert seeds[0] == seeds[1]
    assert len(set(seeds[0][:5])) == 5
    assert all(0 <= int(seed) < 2**32 for seed in seeds[0])
    other = measured(config=SMALL.replace(seed=1))[1]
    assert options_of(other.commands[0])["--seed"] not in seeds[0]


def test_the_texts_are_those_of_the_test_split(measured: Any, tiny_labelled: Data) -> None:
    _, device = measured()
    sent = device.files[options_of(device.commands[0])["--texts"]].decode().splitlines()
    assert [json.loads(line) for line in sent] == [{"text": example.text} for example in tiny_labelled().test]
    assert not any(Path(path).exists() for path in device.put_files if Path(path).suffix == ".jsonl")


def test_sustained_launches_last_a_minute_others_two_seconds() -> None:
    assert BenchConfig().pace.seconds == 2
    assert BenchConfig(mode="sustained").pace.seconds == 60
    assert BenchConfig(mode="sustained", seconds=5).pace.seconds == 5
    assert BenchConfig(rate=20).pace.rate == 0
    assert BenchConfig(mode="paced", rate=20).pace.rate == 20


def test_every_sample_is_kept(measured: Any) -> None:
    found, _ = measured(steady)
    assert len(found.launches) == len(found.environment) == 5
    for number, launch in enumerate(found.launches):
        assert len(launch.engine_ms) == len(launch.end_to_end_ms) == len(launch.tokens) == 100
        assert len(launch.tokenize_ms) == len(launch.decode_ms) == 100
        assert len(launch.baseline_engine_ms) == len(launch.baseline_end_to_end_ms) == 100
        skipped = 1 + launch.warmup_calls
        assert launch.engine_ms == tuple(steady("payload", number, skipped + i) for i in range(100))
        assert launch.load_ms == 12.5
    assert found.flags == ()
    assert found.warnings == ()
    assert found.runtime.runner == "edge-ptf-runner 0.1.0"
    assert (found.runtime.name, found.runtime.version) == ("onnxruntime", "1.23.0")
    assert (found.device, found.mode, found.rate) == ("ssh://pi@kitchen", "burst", None)
    assert found.machine.cpu == "Cortex-A76"


def test_memory_has_launches_of_its_own(
    make_payload: MakePayload, tiny_labelled: Data, tmp_path: Path, fake_device: Any
) -> None:
    _, memory = bench(make_payload(), None, tiny_labelled(), SMALL, tmp_path, device=fake_device())
    assert memory.peak_memory_mb == (105.0, 106.0)


def test_a_machine_that_slows_down_is_flagged(measured: Any) -> None:
    def slowing(name: str, launch: int, call: int) -> float:
        return steady(name, launch, call) * (1 + call / 400)

    found, _ = measured(slowing, baseline=False, config=LONGER)
    assert len(found.flags) == 1
    assert found.flags[0].startswith("drift")
    beside, _ = measured(slowing, config=LONGER)
    assert beside.flags == ()
    assert any(warning.startswith("drift") and "does not count" in warning for warning in beside.warnings)


def test_launches_that_become_slower_are_flagged(measured: Any) -> None:
    found, _ = measured(lambda name, launch, call: steady(name, launch, call) * (1 + launch / 5), baseline=False)
    assert "from the first launch to the last" in found.flags[0]


def test_a_speed_up_that_drifts_is_flagged(measured: Any) -> None:
    def payload_alone(name: str, launch: int, call: int) -> float:
        return steady(name, launch, call) * (1 + call / 400 if name == "payload" else 1)

    found, _ = measured(payload_alone, config=LONGER)
    assert any(flag.startswith("drift") for flag in found.flags)


def test_an_emulated_processor_is_flagged(measured: Any, fake_device: Any, tmp_path: Path) -> None:
    device = fake_device()
    device.machine = device.machine.replace(emulated=True)
    found, _ = measured(device=device)
    assert found.flags == ("emulated processor",)
    assert load_bench(tmp_path / "out")[1].flags == ("emulated processor",)


def test_a_protocol_that_is_too_small_is_refused() -> None:
    wrong = ({"launches": 4}, {"calls": 99}, {"memory_launches": 1}, {"seconds": -1}, {"threads": 0})
    for fields in (*wrong, {"mode": "quick"}, {"rate": 0}, {"runtime": "java"}):
        with pytest.raises(ValidationError):
            BenchConfig.model_validate(fields)


@pytest.mark.parametrize(
    ("code", "said", "error", "message"),
    [
        (2, b"edge-ptf-runner: x.eptf: not a package\n", PackageError, "ssh://pi@kitchen: x.eptf: not a package"),
        (3, b"edge-ptf-runner: model.onnx differs\n", VerificationError, "model.onnx differs"),
        (5, b"edge-ptf-runner: this program runs on an emulator\n", EnvironmentFault, "an emulator"),
        (2, b"edge-ptf-runner: no such option: --baseline (see --help)\n", EnvironmentFault, "Build the runner again"),
        (137, b"", EnvironmentFault, "the measuring process ended: exit code 137"),
        (1, b"Traceback\nKeyError: 'text'\n", EnvironmentFault, "KeyError: 'text'"),
    ],
)
def test_a_launch_that_fails_says_why(
    measured: Any, fake_device: Any, code: int, said: bytes, error: type[Exception], message: str
) -> None:
    device = fake_device()
    device.answers = lambda _: Finished(code, b"", said)
    with pytest.raises(error) as raised:
        measured(device=device)
    assert message in str(raised.value)


def test_a_record_that_is_damaged_is_no_evidence(measured: Any, fake_device: Any) -> None:
    device = fake_device()

    def answer(command: list[str]) -> Finished:
        device.files[options_of(command)["--out"]] = b'{"schema": 1}'
        return Finished(0, b"", b"")

    device.answers = answer
    with pytest.raises(EnvironmentFault, match="record of a launch is damaged"):
        measured(device=device)


def test_a_device_that_does_not_tell_its_memory_gives_no_evidence(measured: Any, fake_device: Any) -> None:
    device = fake_device()
    made = device._record
    device._record = lambda package, options, memory: {**made(package, options, memory), "peak_memory_mb": 0}
    with pytest.raises(EnvironmentFault, match="how much memory"):
        measured(device=device)


def test_another_device_is_measured_by_the_runner_alone(
    measured: Any, make_payload: MakePayload, tiny_labelled: Data, tmp_path: Path, fake_device: Any
) -> None:
    with pytest.raises(BadInputError, match="only the C\\+\\+ runner"):
        measured(config=SMALL.replace(runtime="python"))
    with pytest.raises(BadInputError, match="token ids only"):
        bench(make_payload("roberta"), None, tiny_labelled(), SMALL, tmp_path, device=fake_device())


def test_the_selftest_is_what_the_runner_says(make_payload: MakePayload, fake_device: Any) -> None:
    device = fake_device()
    assert selftest(device, make_payload()) == "16 golden vectors answered"
    device.answers = lambda _: Finished(3, b"", b"edge-ptf-runner: golden vector 2: label b, not a\n")
    with pytest.raises(VerificationError, match="golden vector 2"):
        selftest(device, make_payload())


@pytest.mark.parametrize("runtime", ["python", "runner"])
def test_a_real_bench(
    make_payload: MakePayload,
    tiny_labelled: Data,
    verdict_for: Callable[[Payload], Verdict],
    tmp_path: Path,
    runtime: str,
) -> None:
    if runtime == "runner" and not runner_files(this_machine()):
        pytest.skip("the C++ runner is not built (`make runner`)")
    payload, teacher, data = make_payload(), make_payload(mode="fp32"), tiny_labelled()
    config = SMALL.replace(runtime=runtime)
    latency_found, memory_found = bench(payload, teacher, data, config, tmp_path / "out")
    assert (latency_found.payload, latency_found.baseline) == (payload.digest, teacher.digest)
    assert latency_found.data == data.fingerprint
    assert latency_found.runtime.threads == 1
    assert bool(latency_found.runtime.runner) == (runtime == "runner")
    assert latency_found.device == "local"
    runner = Runner(payload)
    for number, launch in enumerate(latency_found.launches):
        texts = [example.text for example in data.test]
        order = [texts[place] for place in shuffled(len(texts), config.launch_seed(number))]
        assert list(launch.tokens) == [len(runner.encode(order[place % 48]).input_ids) for place in range(100)]
        assert launch.load_ms > 0
        assert launch.first_ms > 0
        assert launch.warmup_calls >= 40
        assert min(launch.engine_ms) > 0
        rows = zip(launch.end_to_end_ms, launch.tokenize_ms, launch.engine_ms, launch.decode_ms, strict=True)
        assert all(sum(parts) <= whole + 1e-9 for whole, *parts in rows)
        assert all(value > 0 for value in launch.baseline_engine_ms)
        assert len(launch.baseline_engine_ms) == 100
    assert len(memory_found.peak_memory_mb) == 2
    assert all(5 < peak < 250 for peak in memory_found.peak_memory_mb)
    assert max(memory_found.peak_memory_mb) < 1.2 * min(memory_found.peak_memory_mb)
    assert load_bench(tmp_path / "out") == (latency_found, memory_found)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["latency.json", "memory.json"]
    adapter: TypeAdapter[Evidence] = TypeAdapter(Evidence)
    for record in (latency_found, memory_found):
        assert adapter.validate_json(record.model_dump_json()) == record
    sealed = seal(payload, [latency_found, memory_found], verdict_for(payload), tmp_path / "sealed.eptf")
    assert sealed.evidence() == [latency_found, memory_found]


def test_a_package_for_token_ids_is_measured_in_python(
    make_payload: MakePayload, tiny_labelled: Data, tmp_path: Path
) -> None:
    found, _ = bench(make_payload("roberta"), None, tiny_labelled(), SMALL, tmp_path)
    assert found.runtime.runner == ""


def test_without_a_runner_this_machine_is_measured_in_python(
    make_payload: MakePayload, tiny_labelled: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launching, "runner_files", lambda *_: {})
    found, _ = bench(make_payload(), None, tiny_labelled(), SMALL, tmp_path)
    assert found.runtime.runner == ""


def test_what_is_no_bench_is_said(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=r"latency\.json"):
        load_bench(tmp_path)
    (tmp_path / "latency.json").write_text("{}")
    with pytest.raises(PackageError, match="damaged"):
        load_bench(tmp_path)


def test_evidence_of_an_earlier_version_is_still_read() -> None:
    """Sealed before launches had the times of tokenizer and decoding, the mode, the device and the environment."""
    machine = {"arch": "x86_64", "cpu": "a", "isa": [], "cores": 2, "memory_mb": 1, "os": "Linux"}
    launch = {
        "load_ms": 1.0,
        "first_ms": 1.0,
        "warmup_calls": 40,
        "end_to_end_ms": [2.0],
        "engine_ms": [1.0],
        "tokens": [5],
        "baseline_engine_ms": [],
        "baseline_end_to_end_ms": [],
        "peak_memory_mb": None,
    }
    old = {
        "kind": "latency",
        "payload": "0" * 64,
        "baseline": None,
        "data": "1" * 64,
        "machine": machine,
        "runtime": {"name": "onnxruntime", "version": "1", "provider": "CPUExecutionProvider", "threads": 1},
        "launches": [launch],
        "flags": [],
        "warnings": [],
    }
    found = LatencyEvidence.model_validate_json(json.dumps(old))
    assert found.launches[0].tokenize_ms == ()
    assert (found.mode, found.rate, found.device, found.environment) == ("burst", None, "local", ())


def test_the_machine_of_the_evidence_holds_nothing_private() -> None:
    import getpass
    import socket

    text = this_machine().model_dump_json()
    assert socket.gethostname() not in text
    assert getpass.getuser() not in text
    assert set(Machine.model_fields) >= {"arch", "cpu", "isa", "governor", "emulated"}
