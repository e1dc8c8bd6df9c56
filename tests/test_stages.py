"""What a measurement's key is made of, and when an earlier one is used again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge_ptf import stages
from edge_ptf.bench import BenchConfig
from edge_ptf.cache import Place
from edge_ptf.compression import PruneConfig
from edge_ptf.data.dataset import LabelledData
from edge_ptf.graph import QuantizeConfig
from edge_ptf.models.checkpoint import load_model, load_tokenizer, save_checkpoint
from edge_ptf.package import Payload
from edge_ptf.training import DistillConfig
from tests.bench.conftest import FakeDevice

SMALL = BenchConfig(launches=5, texts=100, seconds=0, memory_launches=2)


@pytest.fixture
def bench(
    make_payload: Callable[..., Payload], tiny_labelled: Callable[..., LabelledData], tmp_path: Path
) -> Callable[..., Any]:
    """Runs the stage in a keyed place: `bench(device, config)`."""

    def run(device: FakeDevice, config: BenchConfig = SMALL, *, beside: bool = False) -> Any:
        teacher = make_payload(mode="fp32") if beside else None
        place = Place(tmp_path / "stages", keyed=True)
        return stages.run_bench(make_payload(), teacher, tiny_labelled(), config, place, device)

    return run


@pytest.fixture
def runner_folder(tmp_path: Path) -> Path:
    """A folder that a runner could have been built in."""
    folder = tmp_path / "runner"
    folder.mkdir()
    for name in ("edge-ptf-runner", "libedge_ptf_runner.so.0", "libonnxruntime.so.1"):
        (folder / name).write_bytes(name.encode())
    return folder


def device(runner: Path, name: str = "ssh://pi@kitchen") -> FakeDevice:
    made = FakeDevice(name=name)
    made.options = type(made.options)(runner=runner)
    return made


def test_a_measurement_is_used_again_only_where_it_was_taken_and_as(bench: Any, runner_folder: Path) -> None:
    first = bench(device(runner_folder))
    assert not first.reused
    again = device(runner_folder)
    assert bench(again).reused
    assert again.commands == []
    other = bench(device(runner_folder, "ssh://pi@attic"))
    keys = {first.key, other.key}
    for config in (SMALL.replace(mode="sustained", seconds=0), SMALL.replace(threads=2), SMALL.replace(seed=1)):
        keys.add(bench(device(runner_folder), config).key)
    keys.add(bench(device(runner_folder), beside=True).key)
    board = device(runner_folder)
    board.machine = board.machine.replace(device_model="Raspberry Pi 5")
    keys.add(bench(board).key)
    (runner_folder / "libedge_ptf_runner.so.0").write_bytes(b"built anew")
    keys.add(bench(device(runner_folder)).key)
    assert len(keys) == 8


def test_a_governor_that_changed_is_no_other_machine(bench: Any, runner_folder: Path) -> None:
    first = bench(device(runner_folder))
    changed = device(runner_folder)
    changed.machine = changed.machine.replace(governor="powersave")
    assert bench(changed).key == first.key


def test_a_measurement_that_does_not_count_is_made_again(bench: Any, runner_folder: Path) -> None:
    hot = device(runner_folder)
    hot.facts_of = lambda _: ({"throttled": 4}, {"throttled": 4})
    assert bench(hot).artifact[0].flags == ("throttled: power or temperature",)
    cool = bench(device(runner_folder))
    assert not cool.reused
    assert cool.artifact[0].flags == ()
    assert bench(device(runner_folder)).reused


def test_a_comparison_is_a_stage_too(
    make_payload: Callable[..., Payload],
    tiny_labelled: Callable[..., LabelledData],
    tmp_path: Path,
    runner_folder: Path,
) -> None:
    place = Place(tmp_path / "stages", keyed=True)

    def compare(first: Payload, second: Payload) -> Any:
        return stages.run_comparison(first, second, tiny_labelled(), SMALL, place, device(runner_folder))

    a, b = make_payload(), make_payload(mode="fp32")
    found = compare(a, b)
    assert (found.artifact.a, found.artifact.b) == (a.digest, b.digest)
    assert compare(a, b).reused
    assert compare(b, a).key != found.key


def test_a_students_key_holds_the_int8_that_it_is_taught_for_and_no_other(
    tiny_teacher: Callable[..., Any], tiny_data: Callable[..., LabelledData]
) -> None:
    def key(config: DistillConfig, quantization: QuantizeConfig | None = None) -> str:
        place = SimpleNamespace(run=lambda key, *_: key.digest(), keyed=False)
        return stages.run_distill(tiny_teacher(), tiny_teacher(), tiny_data(), config, place, quantization=quantization)

    plain, aware = DistillConfig(), DistillConfig(quantization_aware=True)
    flavours = [QuantizeConfig(), QuantizeConfig(reduce_range=True)]
    assert len({key(plain), *(key(plain, quantization) for quantization in flavours)}) == 1
    assert len({key(plain), *(key(aware, quantization) for quantization in flavours)}) == 3


def test_what_further_teachers_say_is_asked_for_once(
    tiny_teacher: Callable[..., Any], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    teacher, data, place = tiny_teacher("bert"), tiny_data(), Place(tmp_path / "stages", keyed=True)
    changed = save_checkpoint(load_model(teacher), load_tokenizer(teacher.path), teacher.info, tmp_path / "another")
    student = stages.run_prune(teacher, data, PruneConfig(num_layers=2), place).artifact
    short = DistillConfig(epochs=1, batch_size=8, spliced_texts=1.0, precision="fp32")

    def taught(config: DistillConfig, where: Place = place) -> Any:
        return stages.run_distill(teacher, student, data, config, where, extra_teachers=[changed]).artifact

    def answers() -> list[Path]:
        return sorted((tmp_path / "stages").glob("answers-*"))

    first = taught(short)
    (kept,) = answers()
    taught(short.replace(learning_rate=1e-4))
    assert answers() == [kept]
    taught(short.replace(spliced_texts=0.5))
    assert len(answers()) == 2  # other texts
    alone = taught(short, Place(tmp_path / "alone"))
    assert alone.digest == first.digest
