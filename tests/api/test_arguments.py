"""Keyword arguments are the options of the commands, and a wrong one is reported in one line."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import click
import pytest

import edge_ptf
from edge_ptf.api.parameters import in_python
from edge_ptf.cli.main import main
from edge_ptf.compression import PruneConfig
from edge_ptf.data.dataset import LabelledData
from edge_ptf.errors import BadInputError, EdgePtfError
from edge_ptf.package import Payload
from edge_ptf.stages.declaration import STAGES, Option, Work, stage
from tests.api.conftest import Bundle

RENAMED = {"settings": "set", "project_file": "config", "folders": "evidence", "out_file": "out", "texts_file": "texts"}
"""The names of parameters in the command's code where they differ from the option."""
ONLY_COMMANDS = {
    "compress": {"as_json", "dry_run", "junit_file", "markdown_file"},
    "check": {"as_json"},
    "bench": {"against", "sealed", "with_samples"},
    "gate": {"as_json", "junit_file", "markdown_file"},
    "report": {"open_it"},
}
"""Options about printing, files for CI systems, and a second job in the same command."""
ONLY_PYTHON = {"progress", "options"}
COMMANDS = [name for name in edge_ptf.__all__ if name.replace("_", "-") in main.list_commands(click.Context(main))]


def options_of(name: str) -> dict[str, click.Parameter]:
    command = main.get_command(click.Context(main), name.replace("_", "-"))
    assert command is not None
    left_out = ONLY_COMMANDS.get(name, set()) | {"help", "verbose"}
    return {RENAMED.get(each.name or "", each.name or ""): each for each in command.params if each.name not in left_out}


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in ("compare", "verify")])
def test_the_arguments_are_the_options_of_the_command(name: str) -> None:
    arguments = inspect.signature(getattr(edge_ptf, name)).parameters
    assert set(arguments) - ONLY_PYTHON == set(options_of(name))


@pytest.mark.parametrize("name", [name for name in COMMANDS if name in STAGES and name != "compare"])
def test_a_required_argument_is_a_required_option(name: str) -> None:
    arguments = inspect.signature(getattr(edge_ptf, name)).parameters
    required = {each.name for each in arguments.values() if each.default is each.empty}
    assert required == {key for key, option in options_of(name).items() if option.required}
    assert all(each.default is None for each in arguments.values() if each.default is not each.empty)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown argument of a stage": (
        {"f": "prune", "num_layer": 2},
        "prune: unknown argument 'num_layer'.*num_layers",
    ),
    "an unknown argument of a job": ({"f": "compress", "max_drops": {}}, "unknown argument 'max_drops'.*max_drop"),
    "a section that is misspelt": ({"f": "compress", "prunes": {}}, "compress: unknown argument 'prunes'.*prune"),
    "a missing artifact": ({"f": "export", "data": "demo"}, "export: missing a required argument: 'checkpoint'"),
    "a missing setting": ({"f": "finetune", "model": "x"}, "task is missing. Give task=…"),
    "a path that is none": ({"f": "prune", "checkpoint": 3}, "checkpoint: takes a path or a Checkpoint, not int 3"),
    "a path to nothing": ({"f": "prune", "checkpoint": "nowhere"}, "checkpoint: nowhere does not exist"),
    "a section that is no mapping": ({"f": "compress", "prune": 3}, "prune: takes a mapping, not int 3"),
    "an option that is none": ({"f": "check", "set": {"epochs": 3}}, "set=.*'epochs' is no SECTION.FIELD"),
    "a task that is none": ({"f": "check", "task": "text-clasification"}, "Did you mean text-classification"),
    "a profile that is none": ({"f": "compress", "profile": "x86-vni", "task": "x"}, "Did you mean x86-vnni"),
    "a seed that is none": ({"f": "compress", "seed": "1"}, "seed: takes a whole number, not str '1'"),
    "a compute capability that is none": (
        {"f": "build_engine", "package": "P", "out": "o", "compute_capability": "8.6"},
        "compute_capability: takes whole numbers, not str '8.6'. For example",
    ),
    "a package that is none": ({"f": "gate", "package": 5}, "package: takes a path, not int 5"),
    "evidence that is none": (
        {"f": "gate", "package": "P", "evidence": 5, "profile": "host"},
        "evidence: takes a path",
    ),
    "a value out of range": (
        {"f": "prune", "checkpoint": "C", "data": "demo", "num_layers": -1, "out": "o"},
        r"^prune: prune.num_layers: .*greater than 0 \(given: -1\)$",
    ),
    "a field that is misspelt": (
        {"f": "compress", "profile": "host", "task": "text-classification", "prune": {"num_layer": 2}},
        "compress: unknown field 'prune.num_layer'. Did you mean num_layers",
    ),
    "a target that is none": (
        {"f": "compress", "profile": "host", "task": "text-classification", "max_drop": 1},
        "compress: targets.max_drop: .*dictionary.*given: 1",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_argument_is_reported_in_one_line(bundle: Bundle, case: str) -> None:
    given, message = WRONG[case]
    paths = {"C": "work/checkpoint", "P": "work/package.eptf", "demo": str(bundle.data)}
    arguments = {name: paths.get(value, value) if isinstance(value, str) else value for name, value in given.items()}
    with pytest.raises(EdgePtfError, match=message) as found:
        getattr(edge_ptf, arguments.pop("f"))(**arguments)
    assert len(str(found.value).splitlines()) == 1
    assert isinstance(found.value, BadInputError)


def test_open_objects_paths_and_results_give_the_same_stage(bundle: Bundle) -> None:
    from edge_ptf.models.checkpoint import open_checkpoint

    profile = edge_ptf.load_profile("x86-generic")
    data = edge_ptf.load_data(bundle.data, task="text-classification")
    first = edge_ptf.export("work/checkpoint", data=str(bundle.data), profile="x86-generic", out="work/same")
    again = edge_ptf.export(open_checkpoint(Path("work/checkpoint")), data=data, profile=profile, out=Path("work/same"))
    assert (again.reused, again.artifact.digest) == (True, first.artifact.digest)


def test_a_setting_can_be_a_mapping_or_texts() -> None:
    asked = {"task": "text-classification"}
    found = [
        edge_ptf.resolve_recipe(**asked, set={"distill.epochs": 7}),
        edge_ptf.resolve_recipe(**asked, set={"distill": {"epochs": 7}}),
        edge_ptf.resolve_recipe(**asked, set=["distill.epochs=7"]),
        edge_ptf.resolve_recipe(**asked, distill={"epochs": 7}),
    ]
    assert found == found[:1] * 4
    assert found[0].distill.epochs == 7
    assert edge_ptf.resolve_recipe(**asked, set={"data.text_column": "q"}).data.text_column == "q"
    assert edge_ptf.resolve_recipe(**asked, seed=5).finetune.seed == 5


def test_data_can_be_a_mapping_with_options_of_reading(bundle: Bundle, tmp_path: Path) -> None:
    rows = [f"turn on {number},a\nplay {number},b" for number in range(40)]
    (tmp_path / "one.csv").write_text("\n".join(["question,answer", *rows]), encoding="utf-8")
    data = {"source": tmp_path / "one.csv", "text_column": "question", "label_column": "answer"}
    found = edge_ptf.check(data, task="text-classification")
    assert found.details.columns == {"text": "question", "label": "answer"}
    result = edge_ptf.finetune(model=bundle.model, data=data, task="text-classification", out="work/mapped")
    assert result.artifact.info.head.labels == ("a", "b")


def test_the_project_file_stands_below_arguments(bundle: Bundle) -> None:
    asked = {"task": "text-classification"}
    assert edge_ptf.resolve_recipe(**asked).distill.spliced_texts == 0.2
    assert edge_ptf.resolve_recipe(**asked, distill={"spliced_texts": 0.1}).distill.spliced_texts == 0.1
    Path("other.yaml").write_text("distill: {spliced_texts: 0.4}\n", encoding="utf-8")
    assert edge_ptf.resolve_recipe(**asked, config="other.yaml").distill.spliced_texts == 0.4


@pytest.fixture
def declared() -> Any:
    """A stage that is new."""

    @stage("prune", 1, (), lambda folder: folder, lambda artifact: "counted")
    def counted(
        work: Work, package: Annotated[Payload, Option("A package.")], data: LabelledData, config: PruneConfig
    ) -> Path:
        """Count what --samples says."""
        (work.folder / "rows").write_text(f"{len(data.train)} {config.samples}", encoding="utf-8")
        return work.folder

    return counted


@pytest.fixture(autouse=True)
def known_stages() -> Iterator[None]:
    before = dict(STAGES)
    yield
    STAGES.clear()
    STAGES.update(before)


def test_a_new_stage_gets_its_function_from_its_declaration(declared: Any, bundle: Bundle) -> None:
    from edge_ptf.api.stage_functions import stage_function

    function = stage_function(declared)
    arguments = inspect.signature(function).parameters
    assert list(arguments)[:2] == ["package", "profile"]
    assert "num_layers" in arguments
    result = function("work/package.eptf", data=bundle.data, samples=9, out="work/counted")
    assert (result.folder / "rows").read_text(encoding="utf-8").endswith(" 9")
    assert str(result).splitlines()[0] == "prune: counted"
    assert "Count what `samples` says." in (function.__doc__ or "")
    assert 'edge_ptf.prune(package="work/package.eptf", data="demo"' in (function.__doc__ or "")


def test_a_text_about_the_command_line_is_one_about_python() -> None:
    text = "Needs --num-layers, as `prune --speedup`; repeatable.\n\n\b\nedge-ptf prune --x\n\nOn the command line, no."
    assert in_python(text) == "Needs `num_layers`, as `prune speedup`."
