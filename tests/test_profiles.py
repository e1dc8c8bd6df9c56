"""Hardware profiles: those that ship, those that users write, and which one a machine is."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from edge_ptf import profiles, tasks
from edge_ptf.errors import ConfigError, ProfileError
from edge_ptf.machine import Machine, this_machine
from edge_ptf.metrics import gated
from edge_ptf.profiles import Profile
from edge_ptf.recipe import resolve_recipe

SHIPPED = profiles.names()
MINE = """\
schema: 1
name: mine
title: My board
"""


def machine(arch: str, *isa: str, model: str = "", os: str = "Linux 6.1") -> Machine:
    return Machine(arch=arch, cpu="test", isa=isa, device_model=model, cores=4, memory_mb=4000, os=os)


@pytest.fixture
def written(tmp_path: Path):  # type: ignore[no-untyped-def]
    """Writes a profile file and gives its name: `written(text, name="mine.yaml")`."""

    def write(text: str, name: str = "mine.yaml") -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return str(tmp_path / name)

    return write


def problems(name: str) -> list[str]:
    """Every finding, each where it was found."""
    with pytest.raises(ConfigError) as caught:
        profiles.load(name)
    assert all("\n" not in problem for problem in caught.value.problems)
    return list(caught.value.problems) or [caught.value.message]


# What ships


def test_the_devices_of_the_readme_are_there() -> None:
    assert {"jetson", "raspberry-pi-5", "x86-vnni", "x86-generic", "android-arm64"} <= set(SHIPPED)
    assert {*profiles.HOST_CANDIDATES, *profiles.LAST_RESORTS} <= set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_profile_is_whole_and_names_its_sources(name: str) -> None:
    profile = profiles.load(name)
    text = (profiles.folder() / f"{name}.yaml").read_text(encoding="utf-8")
    assert profile.name == name
    assert profile.title in text
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert "# Sources" in comments
    assert any(line.startswith("# - ") for line in comments[comments.index("# Sources") :])
    assert profile.match.arch
    assert profile.targets.max_drop
    assert set(profile.targets.max_drop) == {"accuracy", "in_scope_accuracy", "out_of_scope_recall", "entity_f1"}


@pytest.mark.parametrize("task", tasks.names())
@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_profile_makes_a_recipe_for_every_task(name: str, task: str) -> None:
    profile = profiles.load(name)
    kind = tasks.get(task)
    recipe = resolve_recipe(profile, kind)
    scheme = recipe.quantize.scheme()
    assert (scheme.precision, scheme.mode) == ("int8", profile.scheme.mode)
    assert (scheme.activation, scheme.weight) == (profile.scheme.activation, profile.scheme.weight)
    assert recipe.export.opset == profile.engine.opset
    assert recipe.bench.threads == recipe.evaluate.threads == profile.engine.threads
    own_limits = kind.recipe.get("targets", {}).get("max_drop", {})
    limits = {**own_limits, **profile.targets.max_drop}
    assert recipe.targets == profile.targets.replace(max_drop=limits)
    spec = kind.spec_for(("O", "B-x"))
    own_unit = {"rmse"}  # in the unit of the data, so no limit suits all data
    assert {metric.name for metric in gated(tasks.create(spec).metrics)} - own_unit <= set(limits)


@pytest.mark.parametrize("name", SHIPPED)
def test_milliseconds_are_limited_on_named_boards_alone(name: str) -> None:
    profile = profiles.load(name)
    limited = profile.targets.latency_ms.p50 or profile.targets.latency_ms.p95
    assert bool(limited) <= bool(profile.match.device_model)
    assert limited or profile.targets.min_speedup or profile.match.gpu  # no GPU is measured yet


@pytest.mark.parametrize("name", SHIPPED)
def test_a_device_executes_its_own_scheme_exactly(name: str) -> None:
    profile = profiles.load(name)
    scheme, match = profile.scheme, profile.match
    for isa in match.isa_any or (("avx_vnni",) if match.gpu else ("avx2",)):  # what stands for a GPU must be exact
        device = machine(match.arch, isa)
        assert device.executes_exactly(scheme.activation, scheme.weight, scheme.reduce_range)


# Finding


@pytest.mark.parametrize(
    ("device", "name"),
    [
        (machine("x86_64", "avx2", "avx512f", "avx512_vnni"), "x86-vnni"),
        (machine("x86_64", "avx2", "avx_vnni"), "x86-vnni"),
        (machine("x86_64", "avx2", "amx_int8"), "x86-vnni"),
        (machine("x86_64", "avx2"), "x86-avx2"),
        (machine("x86_64", "avx2", "avx512f"), "x86-avx2"),
        (machine("x86_64"), "x86-generic"),
        (machine("x86_64", "avx2").replace(gpu="NVIDIA GeForce RTX 4090"), "x86-avx2"),
        (machine("aarch64", "neon", "asimddp", model="NVIDIA Jetson Orin Nano Developer Kit"), "jetson"),
        (machine("aarch64", "neon", model="NVIDIA Jetson AGX Orin Developer Kit"), "jetson-agx-orin"),
        (machine("aarch64", "neon", model="NVIDIA Jetson Xavier NX Developer Kit"), "jetson-xavier-nx"),
        (machine("aarch64", "neon", "asimddp", model="Raspberry Pi 5 Model B Rev 1.0"), "raspberry-pi-5"),
        (machine("aarch64", "neon", model="Raspberry Pi 4 Model B Rev 1.4"), "raspberry-pi-4"),
        (machine("aarch64", "neon", model="Some Board"), "arm64-generic"),
        (machine("aarch64", "neon", "asimddp"), "arm64-generic"),
    ],
)
def test_a_machine_gets_the_profile_of_its_kind(device: Machine, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert profiles.for_machine(device).name == name
    monkeypatch.setattr(profiles, "this_machine", lambda: device)
    assert profiles.load("host").name == name


def test_the_profile_of_this_machine_executes_exactly_here() -> None:
    device = this_machine()
    try:
        scheme = profiles.for_machine(device).scheme
    except ProfileError:
        pytest.skip(f"no shipped profile for {device.arch}")
    assert device.executes_exactly(scheme.activation, scheme.weight, scheme.reduce_range)


@pytest.mark.parametrize("device", [machine("riscv64"), machine("x86", "avx2")])
def test_an_unknown_machine_is_told_how_to_go_on(device: Machine) -> None:
    with pytest.raises(ProfileError, match="no shipped profile fits") as caught:
        profiles.for_machine(device)
    assert "mine.yaml" in caught.value.hint


def test_mismatches_name_every_reason() -> None:
    board = profiles.load("jetson")
    reasons = profiles.mismatches(board, machine("x86_64", "avx2"))
    assert len(reasons) == 2
    assert "x86_64 is not aarch64" in reasons
    assert any("Orin Nano" in reason for reason in reasons)
    phone = profiles.load("android-arm64")
    assert profiles.mismatches(phone, machine("aarch64", os="Linux 6.1")) == ["Linux 6.1 is not Android"]
    assert profiles.mismatches(phone, machine("aarch64", os="")) == ["this system is not Android"]
    assert profiles.mismatches(phone, machine("aarch64", os="Android 14")) == []
    card = profiles.load("x86-tensorrt")
    assert profiles.mismatches(card, machine("x86_64", "avx2")) == ["there is no NVIDIA GPU"]
    radeon = machine("x86_64", "avx2").replace(gpu="Radeon RX 7900")
    assert profiles.mismatches(card, radeon) == ["'Radeon RX 7900' is no NVIDIA GPU"]
    assert profiles.mismatches(card, radeon.replace(gpu="NVIDIA GeForce RTX 4090")) == []
    old = profiles.load("x86-avx2")
    assert profiles.mismatches(old, machine("x86_64", "avx2", "avx_vnni")) == ["the processor has avx_vnni"]
    assert profiles.mismatches(old, machine("x86_64")) == ["the processor has none of avx2"]


@pytest.mark.parametrize(
    ("name", "near"),
    [("jetsn", "jetson"), ("x86-vnn", "x86-vnni"), ("raspberrypi5", "raspberry-pi-5"), ("hots", "host")],
)
def test_an_unknown_name_gets_near_matches(name: str, near: str) -> None:
    with pytest.raises(ProfileError) as caught:
        profiles.load(name)
    assert caught.value.message == f"unknown profile '{name}'"
    assert near in caught.value.hint.split("(known")[0]
    assert "YAML file" in caught.value.hint


@pytest.mark.parametrize("name", ["none.yaml", "folder/none.yml", "./none"])
def test_a_missing_file_is_said(name: str) -> None:
    with pytest.raises(ProfileError, match="no such profile file"):
        profiles.load(name)


# Extending


def test_what_a_profile_does_not_say_it_takes_from_the_one_it_extends(written) -> None:  # type: ignore[no-untyped-def]
    name = written(MINE + "extends: jetson\ntargets:\n  latency_ms: {p50: 3}\n  max_drop: {accuracy: 0.5}\n")
    mine, jetson = profiles.load(name), profiles.load("jetson")
    assert (mine.scheme, mine.engine, mine.recipe) == (jetson.scheme, jetson.engine, jetson.recipe)
    assert mine.engines == jetson.engines == ("tensorrt", "onnxruntime")
    assert mine.targets.latency_ms.p50 == 3
    assert mine.targets.latency_ms.p95 == jetson.targets.latency_ms.p95
    assert mine.targets.max_drop == {**jetson.targets.max_drop, "accuracy": 0.5}


def test_a_profile_that_only_moves_limits_is_still_for_the_same_device(written) -> None:  # type: ignore[no-untyped-def]
    """Otherwise a laptop's latency would count for a board."""
    mine = profiles.load(written(MINE + "extends: jetson\ntargets:\n  latency_ms: {p50: 3}\n"))
    assert mine.match == profiles.load("jetson").match
    assert profiles.mismatches(mine, machine("x86_64", "avx2"))


def test_a_match_replaces_the_other_one_as_a_whole(written) -> None:  # type: ignore[no-untyped-def]
    mine = profiles.load(written(MINE + "extends: jetson\nmatch:\n  arch: aarch64\n"))
    assert mine.match.device_model == ""


def test_files_extend_files_beside_them(written) -> None:  # type: ignore[no-untyped-def]
    written(MINE.replace("mine", "base") + "extends: x86-vnni\nconfidence: 0.9\n", "base.yaml")
    mine = profiles.load(written(MINE + "extends: base.yaml\n"))
    assert (mine.name, mine.confidence) == ("mine", 0.9)
    assert mine.targets.min_speedup == profiles.load("x86-vnni").targets.min_speedup


@pytest.mark.parametrize("ways", [["mine.yaml"], ["b.yaml", "mine.yaml"], ["b.yaml", "./c.yaml", "mine.yaml"]])
def test_a_circle_is_found(written, ways: list[str]) -> None:  # type: ignore[no-untyped-def]
    start = written(MINE + f"extends: {ways[0]}\n")
    for here, there in pairwise(ways):
        written(MINE + f"extends: {there}\n", here)
    with pytest.raises(ConfigError, match=r"circle \(mine → .*mine\)"):
        profiles.load(start)


def test_a_circle_through_a_folder_is_found(written, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    start = written(MINE + f"extends: ../{tmp_path.name}/mine.yaml\n")
    with pytest.raises(ConfigError, match="circle"):
        profiles.load(start)


def test_an_unknown_base_gets_its_line_and_near_matches(written) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigError, match=r"mine\.yaml:4: 'extends: jetsn' is not there") as caught:
        profiles.load(written(MINE + "extends: jetsn\n"))
    assert "jetson" in caught.value.hint
    with pytest.raises(ConfigError, match=r"mine\.yaml:4: 'extends' takes the name"):
        profiles.load(written(MINE + "extends: [jetson]\n"))


def test_what_is_wrong_in_the_base_is_said_of_the_base(written) -> None:  # type: ignore[no-untyped-def]
    written(MINE + "engine:\n  threads: 0\n", "base.yaml")
    found = problems(written(MINE + "extends: base.yaml\ntargets:\n  package_mb: -1\n"))
    assert len(found) == 2
    assert any("base.yaml:5: engine.threads" in problem for problem in found)
    assert any("mine.yaml:6: targets.package_mb" in problem for problem in found)


# What is wrong


def test_an_unknown_engine_is_named_with_the_closest(written) -> None:  # type: ignore[no-untyped-def]
    (found,) = problems(written(MINE + "engines: [tensorrt, onnx-runtime]\n"))
    assert "mine.yaml:4: engines: unknown engine 'onnx-runtime'. Did you mean onnxruntime?" in found


@pytest.mark.parametrize(
    ("engines", "said"),
    [
        ("[tensorrt]", "edge-ptf runs none of these engines yet; add onnxruntime"),
        ("[onnxruntime, onnxruntime]", "an engine is named twice"),
        ("[]", "at least 1"),
        ("onnxruntime", "valid tuple"),
    ],
)
def test_engines_that_cannot_be_used_are_refused(written, engines: str, said: str) -> None:  # type: ignore[no-untyped-def]
    (found,) = problems(written(MINE + f"engines: {engines}\n"))
    assert "mine.yaml:4: engines" in found
    assert said in found


def test_every_wrong_field_is_listed_with_its_line(written) -> None:  # type: ignore[no-untyped-def]
    text = """\
schema: 2
name: My Board
title: [1]
tittle: x
match:
  arc: x86_64
engine:
  threads: many
scheme:
  activation: int4
targets:
  max_drop:
    accuracy: 101
  latency_ms: {p50: -1}
confidence: 1
"""
    found = problems(written(text))
    lines = [int(problem.split(":")[1]) for problem in found]
    assert sorted(lines) == [1, 2, 3, 4, 6, 8, 10, 12, 14, 15]
    assert any("unknown field 'tittle'" in problem and "title" in problem.split(". ")[-1] for problem in found)
    assert any("unknown field 'match.arc'. Did you mean arch" in problem for problem in found)
    assert any("between 0 and 100" in problem for problem in found)


@pytest.mark.parametrize("name", ["", "Big", "a b", "-a", "a/b", "ä"])
def test_names_are_short_and_plain(written, name: str) -> None:  # type: ignore[no-untyped-def]
    assert "name" in problems(written(MINE.replace("name: mine", f"name: {name!r}")))[0]


def test_missing_fields_are_listed(written) -> None:  # type: ignore[no-untyped-def]
    found = problems(written("match: {}\n"))
    assert {problem.split(": ")[1] for problem in found} == {"schema", "name", "title"}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (MINE + "match: [\n", ":5"),
        (MINE + "\tmatch: {}\n", ":4"),
        (MINE + "name: twice\n", ":4: 'name' is given twice (first on line 2)"),
        (MINE + "targets:\n  package_mb: 1\n  package_mb: 2\n", ":6"),
        (MINE + "match: *nothing\n", ":4"),
        (MINE + "match: !!python/object:os.system {}\n", ":4"),
        ("- a\n- b\n", "not a mapping"),
        ("", "not a mapping"),
        ("text", "not a mapping"),
        (MINE + "---\n" + MINE, ":4"),
        (MINE + "title: \x07\n", "not valid YAML"),
    ],
)
def test_what_is_no_profile_is_said_with_its_place(written, text: str, place: str) -> None:  # type: ignore[no-untyped-def]
    assert place in problems(written(text))[0]


def test_other_bytes_are_said(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_bytes(b"schema: 1\nname: \xff\n")
    assert "not UTF-8" in problems(str(tmp_path / "mine.yaml"))[0]


def test_a_recipe_of_a_profile_is_checked_with_the_stages_own_rules(written) -> None:  # type: ignore[no-untyped-def]
    wrong = "recipe:\n  prune: {num_layers: 3}\n  distill: {epochs: -1}\n  nonsense: {}\n"
    profile = profiles.load(written(f"{MINE}{wrong}"))
    with pytest.raises(ConfigError) as caught:
        resolve_recipe(profile, tasks.get("text-classification"))
    assert len(caught.value.problems) == 2
    assert all("profile mine" in problem for problem in caught.value.problems)


def test_a_device_without_int8_gets_none(written) -> None:  # type: ignore[no-untyped-def]
    profile = profiles.load(written(MINE + "extends: jetson\nscheme:\n  precision: fp32\n"))
    recipe = resolve_recipe(profile, tasks.get("text-classification"))
    assert recipe.quantize.mode == "none"
    assert recipe.quantize.scheme().precision == "fp32"


@pytest.mark.parametrize("name", SHIPPED)
def test_a_profile_that_is_shown_loads_again(name: str, written) -> None:  # type: ignore[no-untyped-def]
    profile = profiles.load(name)
    text = yaml.safe_dump(profile.model_dump(mode="json", by_alias=True, exclude={"extends"}))
    assert profiles.load(written(text)) == profile.replace(extends=None)
    assert Profile.model_validate(profile.model_dump(by_alias=True)) == profile
