"""The latency protocol: what is asked of the measuring process, and what becomes of its answers."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from edge_ptf.data.dataset import LabelledData
from edge_ptf.errors import PackageError
from edge_ptf.machine import Machine, this_machine
from edge_ptf.measure import BenchConfig, bench, latency, load_bench
from edge_ptf.package import Payload, seal
from edge_ptf.package.evidence import Evidence, LatencyEvidence, Verdict
from edge_ptf.runtime import Runner

MakePayload = Callable[..., Payload]
Data = Callable[..., LabelledData]
SMALL = BenchConfig(launches=5, texts=100, seconds=0, memory_launches=2)
LONGER = SMALL.replace(texts=200)


class FakeProcess:
    """A measuring process whose clock the test sets: `ms(name, launch, call)` is the engine time of a call."""

    def __init__(self, ms: Callable[[str, int, int], float]) -> None:
        self.ms = ms
        self.launch = -1
        self.calls: Counter[str] = Counter()
        self.asked: list[list[tuple[str, int]]] = []
        self.order: list[list[Any]] = []
        self.open = False

    def __call__(self) -> FakeProcess:
        return self

    def __enter__(self) -> FakeProcess:
        assert not self.open
        self.open, self.launch, self.calls = True, self.launch + 1, Counter()
        self.asked.append([])
        self.order.append([])
        return self

    def __exit__(self, *error: object) -> None:
        self.open = False

    def load(self, path: Path, name: str, threads: int) -> dict[str, Any]:
        return {"load_ms": 12.5, "runtime": {"name": "onnxruntime", "version": "1", "threads": threads}}

    def time(self, name: str, texts: list[Any]) -> list[tuple[float, float, int]]:
        self.asked[-1].append((name, len(texts)))
        self.order[-1] += texts if name == "payload" else []
        rows = []
        for text, _ in texts:
            engine = self.ms(name, self.launch, self.calls[name])
            self.calls[name] += 1
            rows.append((engine + 0.5, engine, len(text)))
        return rows

    def answers(self, name: str, texts: list[Any]) -> list[Any]:
        self.asked[-1].append(("answers", len(texts)))
        return []

    def peak_memory_mb(self) -> float:
        return 100.0 + self.launch


@pytest.fixture
def measured(
    make_payload: MakePayload, tiny_labelled: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[LatencyEvidence, FakeProcess]]:
    """Runs the protocol against a fake clock."""

    def run(
        ms: Callable[[str, int, int], float], *, baseline: bool = True, config: BenchConfig = SMALL
    ) -> tuple[LatencyEvidence, FakeProcess]:
        process = FakeProcess(ms)
        monkeypatch.setattr(latency, "WorkerProcess", process)
        teacher = make_payload(mode="fp32") if baseline else None
        return bench(make_payload(), teacher, tiny_labelled(), config, tmp_path / "out")[0], process

    return run


def steady(name: str, launch: int, call: int) -> float:
    """A baseline that takes four times as long, and some noise."""
    noise = random.Random(f"{name}{launch}{call}").uniform(0.98, 1.02)
    return (4.0 if name == "baseline" else 1.0) * noise


def test_payload_and_baseline_take_turns_in_mirrored_blocks(measured: Any) -> None:
    _, process = measured(steady)
    for asked in process.asked[:5]:
        assert asked[0] == ("payload", 1)
        blocks = [item for item in asked if item[1] == latency.BLOCK]
        assert [name for name, _ in blocks] == ["payload", "baseline", "baseline", "payload"] * 5
    assert process.asked[5:] == [[("answers", 48)]] * 2


def test_every_launch_has_an_order_of_its_own_that_repeats(measured: Any, tiny_labelled: Data) -> None:
    _, process = measured(steady, baseline=False)
    _, again = measured(steady, baseline=False)
    assert process.order == again.order
    assert process.order[0][:1] != process.order[1][:1] or process.order[0] != process.order[1]
    texts = [(example.text, example.text_pair) for example in tiny_labelled().test]
    measuring = process.order[0][-100:]
    assert Counter(measuring[:48]) == Counter(texts)
    assert measuring[48:96] == measuring[:48]
    _, seeded = measured(steady, baseline=False, config=SMALL.replace(seed=1))
    assert seeded.order != process.order


def test_every_sample_is_kept(measured: Any) -> None:
    found, process = measured(steady)
    assert len(found.launches) == 5
    for number, launch in enumerate(found.launches):
        assert len(launch.engine_ms) == len(launch.end_to_end_ms) == len(launch.tokens) == 100
        assert len(launch.baseline_engine_ms) == len(launch.baseline_end_to_end_ms) == 100
        before = process.asked[number].index(("payload", 10))
        skipped = sum(count for name, count in process.asked[number][:before] if name == "payload")
        assert launch.engine_ms == tuple(round(steady("payload", number, skipped + i), 4) for i in range(100))
        assert launch.first_ms == pytest.approx(steady("payload", number, 0) + 0.5, abs=1e-3)
        assert launch.load_ms == 12.5
    assert found.flags == ()
    assert not any("drift" in warning for warning in found.warnings)


def test_warm_up_lasts_until_the_engine_is_steady(measured: Any) -> None:
    def slow_start(name: str, launch: int, call: int) -> float:
        return steady(name, launch, call) * (3 - min(call, 120) / 60)

    quick = measured(steady, baseline=False)[0].launches[0].warmup_calls
    slow = measured(slow_start, baseline=False)[0].launches[0].warmup_calls
    assert quick == 40
    assert slow >= 120
    never = measured(lambda name, launch, call: 1.0 + call // 20 % 2, baseline=False)[0]
    assert never.launches[0].warmup_calls == latency.WARMUP_MOST


def test_a_launch_lasts_until_time_and_count_are_reached(measured: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    clock: Iterator[float] = iter(range(100_000))
    monkeypatch.setattr(latency.time, "monotonic", lambda: next(clock))
    found, _ = measured(steady, config=SMALL.replace(seconds=30))
    assert len(found.launches[0].engine_ms) > 300
    assert {len(launch.engine_ms) % latency.BLOCK for launch in found.launches} == {0}


def test_a_machine_that_slows_down_is_flagged(measured: Any) -> None:
    def slowing(name: str, launch: int, call: int) -> float:
        return steady(name, launch, call) * (1 + call / 400)

    found, _ = measured(slowing, baseline=False, config=LONGER)
    assert len(found.flags) == 1
    assert found.flags[0].startswith("drift")
    beside, _ = measured(slowing, config=LONGER)
    assert beside.flags == ()
    assert any(warning.startswith("drift") for warning in beside.warnings)


def test_launches_that_become_slower_are_flagged(measured: Any) -> None:
    found, _ = measured(lambda name, launch, call: steady(name, launch, call) * (1 + launch / 5), baseline=False)
    assert "from the first launch to the last" in found.flags[0]


def test_a_speed_up_that_drifts_is_flagged(measured: Any) -> None:
    def payload_alone(name: str, launch: int, call: int) -> float:
        return steady(name, launch, call) * (1 + call / 400 if name == "payload" else 1)

    found, _ = measured(payload_alone, config=LONGER)
    assert any(flag.startswith("drift") for flag in found.flags)


def test_an_emulated_processor_is_flagged(measured: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine = this_machine().replace(emulated=True, governor="powersave")
    monkeypatch.setattr(latency, "this_machine", lambda: machine)
    found, _ = measured(steady)
    assert found.flags == ("emulated processor",)
    assert "frequency governor is 'powersave'" in found.warnings
    assert load_bench(tmp_path / "out")[1].flags == ("emulated processor",)
    monkeypatch.setattr(latency, "this_machine", lambda: machine.replace(emulated=False, governor="performance"))
    found, _ = measured(steady)
    assert found.flags == ()
    assert not any("governor" in warning for warning in found.warnings)


def test_a_protocol_that_is_too_small_is_refused() -> None:
    for wrong in ({"launches": 4}, {"texts": 99}, {"memory_launches": 1}, {"seconds": -1}, {"threads": 0}):
        with pytest.raises(ValidationError):
            BenchConfig.model_validate(wrong)


def test_a_real_bench(
    make_payload: MakePayload, tiny_labelled: Data, verdict_for: Callable[[Payload], Verdict], tmp_path: Path
) -> None:
    payload, teacher, data = make_payload(), make_payload(mode="fp32"), tiny_labelled()
    latency_found, memory_found = bench(payload, teacher, data, SMALL, tmp_path / "out")
    assert (latency_found.payload, latency_found.baseline) == (payload.digest, teacher.digest)
    assert latency_found.data == data.fingerprint
    assert latency_found.runtime.threads == 1
    runner = Runner(payload)
    for number, launch in enumerate(latency_found.launches):
        texts = [example.text for example in data.test]
        order = random.Random(f"{SMALL.seed}-{number}").sample(texts, len(texts))
        tokens = [len(runner.encode(order[place % 48]).input_ids) for place in range(100)]
        assert list(launch.tokens) == tokens
        assert launch.load_ms > 0
        assert launch.first_ms > 0
        assert launch.warmup_calls >= 80
        pairs = zip(launch.end_to_end_ms, launch.engine_ms, strict=True)
        assert all(0 < engine < whole for whole, engine in pairs)
        assert all(value > 0 for value in launch.baseline_engine_ms)
        assert len(launch.baseline_engine_ms) == 100
    assert len(memory_found.peak_memory_mb) == 2
    assert all(20 < peak < 250 for peak in memory_found.peak_memory_mb)
    assert max(memory_found.peak_memory_mb) < 1.2 * min(memory_found.peak_memory_mb)
    assert load_bench(tmp_path / "out") == (latency_found, memory_found)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["latency.json", "memory.json"]
    adapter: TypeAdapter[Evidence] = TypeAdapter(Evidence)
    for record in (latency_found, memory_found):
        assert adapter.validate_json(record.model_dump_json()) == record
    sealed = seal(payload, [latency_found, memory_found], verdict_for(payload), tmp_path / "sealed.eptf")
    assert sealed.evidence() == [latency_found, memory_found]


def test_blocks_of_a_kind_are_never_longer_than_two(measured: Any) -> None:
    """ABBA: what slows the machine for a moment hits both."""
    _, process = measured(steady)
    names = [name for name, count in process.asked[0] if count == latency.BLOCK]
    assert max(len(list(group)) for _, group in groupby(names)) == 2


def test_what_is_no_bench_is_said(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=r"latency\.json"):
        load_bench(tmp_path)
    (tmp_path / "latency.json").write_text("{}")
    with pytest.raises(PackageError, match="damaged"):
        load_bench(tmp_path)


def test_the_machine_of_the_evidence_holds_nothing_private() -> None:
    import getpass
    import socket

    text = this_machine().model_dump_json()
    assert socket.gethostname() not in text
    assert getpass.getuser() not in text
    assert set(Machine.model_fields) >= {"arch", "cpu", "isa", "governor", "emulated"}
