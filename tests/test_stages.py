"""What a measurement's key is made of, and when an earlier one is used again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_ptf import stages
from edge_ptf.bench import BenchConfig
from edge_ptf.cache import Place
from edge_ptf.compression import PruneConfig
from edge_ptf.data.dataset import LabelledData
from edge_ptf.graph import QuantizeConfig
from edge_ptf.models.base_models import Base
from edge_ptf.models.checkpoint import Checkpoint, load_model, load_tokenizer, save_checkpoint
from edge_ptf.package import Payload
from edge_ptf.recipe import Recipe
from edge_ptf.stages.declaration import STAGES, Stage, Work, counted, stage
from edge_ptf.training import DistillConfig
from tests.bench.conftest import FakeDevice

SMALL = BenchConfig(launches=5, calls=100, seconds=0, memory_launches=2)


@pytest.fixture
def bench(
    make_payload: Callable[..., Payload], tiny_labelled: Callable[..., LabelledData], tmp_path: Path
) -> Callable[..., Any]:
    """Runs the stage in a keyed place: `bench(device, config)`."""

    def run(device: FakeDevice, config: BenchConfig = SMALL, *, beside: bool = False) -> Any:
        teacher = make_payload(mode="fp32") if beside else None
        place = Place(tmp_path / "stages", keyed=True)
        return stages.bench(place, make_payload(), tiny_labelled(), config, teacher, device)

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
        return stages.compare(place, first, second, tiny_labelled(), SMALL, device(runner_folder))

    a, b = make_payload(), make_payload(mode="fp32")
    found = compare(a, b)
    assert (found.artifact.a, found.artifact.b) == (a.digest, b.digest)
    assert compare(a, b).reused
    assert compare(b, a).key != found.key


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
def test_a_stage_takes_its_section_of_the_recipe(stage: Stage[..., Any]) -> None:
    """`compare` measures as `bench` does, and is part of its command."""
    (config,) = [each.kind for each in stage.inputs() if each.name == "config"]
    assert config is Recipe.model_fields["bench" if stage.name == "compare" else stage.name].annotation


def test_a_stage_is_called_with_a_place_and_says_what_came_out(tmp_path: Path) -> None:
    ran = []

    @declared(value=3)
    def doubled(work: Work, number: int, config: PruneConfig, *, unused: object = None) -> str:
        ran.append(work.folder.name)
        (work.folder / "result").write_text(str(2 * number), encoding="utf-8")
        return ""

    place, config = Place(tmp_path, keyed=True), PruneConfig()
    first = doubled(place, 4, config)
    again = doubled(place, number=4, config=config, unused=print)
    assert (first.artifact, first.stage, first.reused, again.reused) == ("8", "doubled", False, True)
    assert len(ran) == 1
    assert STAGES["doubled"].line(first.artifact) == "it is 8"
    keys = {doubled.key(4, config).digest(), doubled.key(5, config).digest()}
    keys |= {
        doubled.key(4, PruneConfig(num_layers=2)).digest(),
        declared(value=4)(doubled.function).key(4, config).digest(),
    }
    assert len(keys) == 4
    del STAGES["doubled"]


def declared(value: int) -> Any:
    """Declares a stage that depends on `value` too."""
    return stage(
        "doubled",
        1,
        ("numpy",),
        lambda folder: (folder / "result").read_text(encoding="utf-8"),
        lambda text: f"it is {text}",
        counts=lambda given: {"value": value, "unused": None},
    )


def test_what_has_no_form_in_a_key_is_an_error_and_never_left_out() -> None:
    assert counted({"a": (1, None, PruneConfig(num_layers=2))})["a"][2]["num_layers"] == 2
    assert counted(Base(Path(__file__).parent / "data", "x")) == counted(Base(Path(__file__).parent / "data", "x"))
    with pytest.raises(TypeError, match="a builtin_function_or_method cannot stand in a key"):
        counted(print)


def test_inputs_are_what_the_signature_says() -> None:
    found = {each.name: each for each in stages.distill.inputs()}
    assert list(found) == ["teacher", "student", "data", "config", "quantization", "extra_teachers", "watch"]
    assert [each.name for each in found.values() if each.required] == ["teacher", "student", "data", "config"]
    assert found["extra_teachers"].kind is found["teacher"].kind is Checkpoint
    assert [each.name for each in found.values() if each.many] == ["extra_teachers"]
    assert found["quantization"].kind is QuantizeConfig
    assert found["watch"].option is None


def test_a_students_key_holds_the_int8_that_it_is_taught_for_and_no_other(
    tiny_teacher: Callable[..., Any], tiny_data: Callable[..., LabelledData]
) -> None:
    def key(config: DistillConfig, quantization: QuantizeConfig | None = None) -> str:
        return stages.distill.key(tiny_teacher(), tiny_teacher(), tiny_data(), config, quantization).digest()

    plain, aware = DistillConfig(), DistillConfig(quantization_aware=True)
    flavours = [QuantizeConfig(), QuantizeConfig(reduce_range=True)]
    assert len({key(plain), *(key(plain, quantization) for quantization in flavours)}) == 1
    assert len({key(plain), *(key(aware, quantization) for quantization in flavours)}) == 3


def test_what_further_teachers_say_is_asked_for_once(
    tiny_teacher: Callable[..., Any], tiny_data: Callable[..., LabelledData], tmp_path: Path
) -> None:
    teacher, data, place = tiny_teacher("bert"), tiny_data(), Place(tmp_path / "stages", keyed=True)
    changed = save_checkpoint(load_model(teacher), load_tokenizer(teacher.path), teacher.info, tmp_path / "another")
    student = stages.prune(place, teacher, data, PruneConfig(num_layers=2)).artifact
    short = DistillConfig(epochs=1, batch_size=8, spliced_texts=1.0, precision="fp32")

    def taught(config: DistillConfig, where: Place = place) -> Any:
        return stages.distill(where, teacher, student, data, config, extra_teachers=[changed]).artifact

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
