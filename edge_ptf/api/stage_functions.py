"""The Python function of each stage, made from its declaration (`edge_ptf.stages.declaration`).

The command of the stage calls the same `run_stage`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from edge_ptf import stages
from edge_ptf.api.arguments import KEYWORDS, path_of, plain, public
from edge_ptf.api.documenting import document
from edge_ptf.api.inputs import chosen_base, chosen_profile, chosen_task, load_data, new_task, opened, stage_config
from edge_ptf.api.measuring import asked_texts, entered, proof
from edge_ptf.api.parameters import section_of, stage_parameters
from edge_ptf.api.results import StageResult
from edge_ptf.api.settings import Settings, source_and_options
from edge_ptf.bench import BenchTexts
from edge_ptf.bench.devices import Device
from edge_ptf.cache import Outcome, Place
from edge_ptf.config import Source, StageConfig
from edge_ptf.data.dataset import LabelledData
from edge_ptf.graph import Graph
from edge_ptf.heads import HeadSpec
from edge_ptf.models.base_models import Base
from edge_ptf.models.checkpoint import Checkpoint
from edge_ptf.package import Payload
from edge_ptf.profiles import Profile
from edge_ptf.progress import SILENT, say
from edge_ptf.stages import Stage
from edge_ptf.tasks.base import Task


def run_stage(
    stage: Stage[..., Any],
    chosen: Settings,
    given: Mapping[str, Any],
    begin: Callable[[], AbstractContextManager[Place]],
) -> Outcome[Any]:
    """Opens everything that a stage works on, then runs it or finds its earlier result.

    Args:
        chosen: the settings of the call.
        given: the artifacts, as paths or open ones, and the fields of the stage's section that were given.
        begin: gives the place of the result; called after the options were checked.
    """
    inputs: dict[str, Any] = {
        each.name: opened(each, given.get(each.name), chosen) for each in stage.inputs() if each.option
    }
    task = next(filter(None, map(_head_of, inputs.values())), None) or chosen_task(chosen)
    for each in stage.inputs():
        if issubclass(each.kind, StageConfig):
            if each.name == "config":
                chosen.sources.insert(0, known_from_inputs(stage, inputs, each.kind))
            inputs[each.name] = stage_config(each.kind, task, chosen, dict(given) if each.name == "config" else {})
        elif each.kind is Profile:
            inputs[each.name] = chosen_profile(chosen)
    with begin() as place, _device(stage, given, place) as device:
        for each in stage.inputs():
            if each.kind is Base:
                inputs[each.name] = chosen_base(chosen)
            elif BenchTexts in each.also:
                texts = given.get("texts")
                file = path_of("texts", texts, exists=True) if texts is not None else None
                inputs[each.name] = asked_texts(inputs["package"], file, chosen, place.progress)
            elif each.kind is LabelledData:
                inputs[each.name] = load_data(chosen, task, place.progress)
            elif each.kind is Task:  # over the labels of the data, which stand before it
                inputs[each.name] = new_task(chosen_task(chosen), inputs["data"], chosen)
            elif each.kind is Device:
                inputs[each.name] = device
        if device is not None:
            payloads = [artifact for artifact in inputs.values() if isinstance(artifact, Payload)]
            say(place.progress, proof(device, payloads[0]))
        return stage(place, **inputs)


def known_from_inputs(stage: Stage[..., Any], inputs: Mapping[str, Any], config: type[StageConfig]) -> Source:
    """The options that an input decides where nothing is given; the weakest of all sources."""
    found = {name: default.value(inputs) for name, default in stage.defaults.items()}
    return Source("the package", {section_of(config): found} if found else {})


def stage_function(stage: Stage[..., Any]) -> Callable[..., StageResult]:
    """The Python function of a stage: its keyword arguments are the options of the stage's command."""
    parameters = stage_parameters(stage)

    def function(*args: Any, **kwargs: Any) -> StageResult:
        bound = signature.bind(*args, **kwargs)
        given = {name: value for name, value in bound.arguments.items() if value is not None}
        progress = given.pop("progress", None) or SILENT
        project = path_of("config", given.pop("config")) if "config" in given else None
        settings, overwrite = given.pop("set", None), bool(given.pop("overwrite", False))
        artifacts = {each.name for each in stage.inputs() if each.option}
        flags = {name: value if name in artifacts else plain(value) for name, value in given.items()}
        flags["data"], reading = source_and_options(flags.get("data"))
        chosen = Settings(project, settings, flags, KEYWORDS)
        chosen.sources.append(Source(KEYWORDS, {"data": reading}))

        @contextmanager
        def begin() -> Iterator[Place]:
            yield Place(path_of("out", chosen.need("out")), progress, overwrite)

        return StageResult.of(run_stage(stage, chosen, flags, begin))

    declared = [each.declared() for each in parameters]
    signature = inspect.Signature(declared, return_annotation=StageResult)
    function.__name__ = function.__qualname__ = stage.name
    function.__doc__ = document(stage, parameters)
    function.__module__ = __name__
    function.__annotations__ = {}
    vars(function)["__signature__"] = signature
    return public(function)


@contextmanager
def _device(stage: Stage[..., Any], given: Mapping[str, Any], place: Place) -> Iterator[Device | None]:
    """The open device of a stage that can work on one."""
    if not any(each.kind is Device for each in stage.inputs()):
        yield None
        return
    runner = given.get("runner")
    options = tuple(given.get("ssh_options") or ())
    with entered(given.get("device"), Path(runner) if runner else None, options, place.progress) as device:
        yield device


def _head_of(artifact: Any) -> HeadSpec | None:
    """The head that an artifact was made with; None for one that has none."""
    if isinstance(artifact, Payload):
        return artifact.manifest.head
    return artifact.info.head if isinstance(artifact, Checkpoint | Graph) else None


FUNCTIONS: dict[str, Callable[..., StageResult]] = {
    name: stage_function(stage) for name, stage in stages.STAGES.items() if stage.callable_alone
}
"""The function of each stage that can be run on its own, by name."""


def __getattr__(name: str) -> Callable[..., StageResult]:
    if name in FUNCTIONS:
        return FUNCTIONS[name]
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
