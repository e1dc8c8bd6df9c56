"""Every stage through the cache: what its result depends on, and how a finished result is opened again.

The command line and `pipeline.compress` both call these; the functions they wrap are the Python API.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from edge_ptf.bench import (
    BenchConfig,
    Comparison,
    EvaluateConfig,
    bench,
    compare_latency,
    evaluate,
    load_accuracy,
    load_bench,
    load_comparison,
    runner_for,
)
from edge_ptf.bench.devices import Device
from edge_ptf.bench.launching import LOCAL, runner_digest
from edge_ptf.cache import Key, Outcome, Place
from edge_ptf.compression import (
    LatencyTable,
    LatencyTableConfig,
    PruneConfig,
    measure_latency_table,
    open_latency_table,
    prune,
)
from edge_ptf.config import StageConfig
from edge_ptf.data.dataset import LabelledData
from edge_ptf.digests import bytes_digest, tree_digest, value_digest
from edge_ptf.graph import (
    CalibrateConfig,
    ExportConfig,
    QuantizeConfig,
    Ranges,
    Sensitivity,
    SensitivityConfig,
    SpeedCheck,
    SpeedCheckConfig,
    calibrate,
    check_speed,
    export,
    load_ranges,
    load_sensitivity,
    open_graph,
    open_speed_check,
    quantize,
    sensitivity,
)
from edge_ptf.graph.artifact import Graph
from edge_ptf.graph.neural_compressor import LIBRARIES, require_compressor
from edge_ptf.machine import this_machine
from edge_ptf.models.checkpoint import Checkpoint, open_checkpoint
from edge_ptf.package import AssembleConfig, Payload, assemble, open_payload
from edge_ptf.package.evidence import AccuracyEvidence, LatencyEvidence, MemoryEvidence
from edge_ptf.tasks.base import Task
from edge_ptf.training import (
    DistillConfig,
    FinetuneConfig,
    KeptAnswers,
    Precision,
    TeacherOutputs,
    Watch,
    device_and_precision,
    distill,
    finetune,
)
from edge_ptf.training.batching import Item

TRAINING = ("torch", "transformers", "tokenizers")
GRAPH = ("torch", "transformers", "tokenizers", "onnx", "onnxruntime")
RUNNING = ("tokenizers", "onnxruntime")

Artifact = TypeVar("Artifact")


def run_finetune(
    base: Path, base_name: str, data: LabelledData, task: Task, config: FinetuneConfig, place: Place
) -> Outcome[Checkpoint]:
    """The teacher: `base` fine-tuned on `data`."""
    key = _key(
        "finetune",
        config,
        TRAINING,
        version=2,
        base=tree_digest(base),
        base_name=base_name,
        data=data.fingerprint,
        head=task.head.spec.model_dump(mode="json"),
        device_and_precision=device_and_precision(config.precision),
    )
    return place.run(
        key, lambda out: finetune(base, base_name, data, task, config, out, place.progress), open_checkpoint
    )


def run_latency_table(
    checkpoint: Checkpoint, data: LabelledData, quantize: QuantizeConfig, config: LatencyTableConfig, place: Place
) -> Outcome[LatencyTable]:
    """What heads and neurons of `checkpoint`'s layers cost in the form `quantize` gives them, on this machine.

    What a quantization says of one graph does not count: naming products that stay FP32 must not change the student.
    """
    quantize = quantize.for_any_graph()
    key = _key(
        "latency_table",
        config,
        GRAPH,
        quantize=quantize.model_dump(mode="json"),
        checkpoint=checkpoint.digest,
        data=data.fingerprint,
        machine=_machine(),
    )
    return place.run(
        key,
        lambda out: measure_latency_table(checkpoint, data, quantize, config, out, place.progress),
        open_latency_table,
    )


def run_prune(
    checkpoint: Checkpoint,
    data: LabelledData,
    config: PruneConfig,
    place: Place,
    latencies: LatencyTable | None = None,
) -> Outcome[Checkpoint]:
    """The untrained student: `checkpoint` made physically smaller; a speed-up is found by `costs`."""
    key = _key(
        "prune",
        config,
        TRAINING,
        version=6,
        checkpoint=checkpoint.digest,
        data=data.fingerprint,
        device_and_precision=device_and_precision("fp32"),
        latencies=latencies.model_dump(mode="json") if latencies else None,
    )
    return place.run(key, lambda out: prune(checkpoint, data, config, out, place.progress, latencies), open_checkpoint)


def run_distill(
    teacher: Checkpoint,
    student: Checkpoint,
    data: LabelledData,
    config: DistillConfig,
    place: Place,
    watch: Watch | None = None,
    extra_teachers: Sequence[Checkpoint] = (),
    quantization: QuantizeConfig | None = None,
) -> Outcome[Checkpoint]:
    """The student taught by the teacher and the extra teachers; `watch` may stop a training that is not worth its time.

    The quantization counts only where the student is taught for it.
    """
    further: dict[str, Any] = {}
    if config.quantization_aware and quantization:
        further["quantization"] = quantization.model_dump(mode="json")
    if extra_teachers:
        further["extra_teachers"] = [each.digest for each in extra_teachers]
    if data.unlabelled:
        further["unlabelled"] = value_digest([[each.text, each.text_pair] for each in data.unlabelled])
    key = _key(
        "distill",
        config,
        TRAINING,
        version=4,
        teacher=teacher.digest,
        student=student.digest,
        data=data.fingerprint,
        device_and_precision=device_and_precision(config.precision),
        **further,
    )
    kept = _kept_answers(config.precision, place)
    return place.run(
        key,
        lambda out: distill(
            teacher, student, data, config, out, place.progress, watch, extra_teachers, quantization, kept
        ),
        open_checkpoint,
    )


def _kept_answers(precision: Precision, place: Place) -> KeptAnswers | None:
    """Further teachers' logits in a folder of their own, beside the students that are taught by them."""
    if not place.keyed:
        return None

    def kept(teacher: Checkpoint, texts: Sequence[Item], ask: Callable[[Path], TeacherOutputs]) -> TeacherOutputs:
        read = value_digest([[item.encoding.input_ids, item.encoding.token_type_ids] for item in texts])
        parts = {"teacher": teacher.digest, "texts": read, "device_and_precision": device_and_precision(precision)}
        return place.run(Key("answers", 1, parts, TRAINING), ask, TeacherOutputs).artifact

    return kept


def run_export(checkpoint: Checkpoint, data: LabelledData, config: ExportConfig, place: Place) -> Outcome[Graph]:
    """The checkpoint as an ONNX graph, proven to answer alike."""
    key = _key("export", config, GRAPH, version=2, checkpoint=checkpoint.digest, data=data.fingerprint)
    return place.run(key, lambda out: export(checkpoint, data, config, out, place.progress), open_graph)


def run_calibrate(
    checkpoint: Checkpoint, data: LabelledData, config: CalibrateConfig, quantization: QuantizeConfig, place: Place
) -> Outcome[Ranges]:
    """Ranges of activations by Neural Compressor, in the quantization's form of activations."""
    require_compressor()  # whose version is part of the key
    activation = {"activation": quantization.activation, "symmetric": quantization.symmetric_activation}
    key = _key(
        "calibrate",
        config,
        (*TRAINING, *LIBRARIES),
        quantization=activation,
        checkpoint=checkpoint.digest,
        data=data.fingerprint,
    )
    return place.run(
        key, lambda out: calibrate(checkpoint, data, config, quantization, out, place.progress), load_ranges
    )


def run_quantize(
    graph: Graph, data: LabelledData, config: QuantizeConfig, place: Place, ranges: Ranges | None = None
) -> Outcome[Graph]:
    """The graph in INT8; `ranges` are what `run_calibrate` found."""
    further = {"ranges": ranges.model_dump(mode="json")} if ranges else {}
    key = _key("quantize", config, GRAPH, version=4, graph=graph.digest, data=data.fingerprint, isa=_isa(), **further)
    return place.run(key, lambda out: quantize(graph, data, config, out, place.progress, ranges), open_graph)


def run_speed_check(
    full: Graph, int8: Graph, data: LabelledData, config: SpeedCheckConfig, place: Place
) -> Outcome[SpeedCheck]:
    """What INT8 wins over FP32 on this machine."""
    timing = config.replace(allow_slower=False)
    key = _key(
        "speed_check", timing, RUNNING, full=full.digest, int8=int8.digest, data=data.fingerprint, machine=_machine()
    )
    return place.run(key, lambda out: check_speed(full, int8, data, timing, out, place.progress), open_speed_check)


def run_sensitivity(
    graph: Graph, data: LabelledData, config: SensitivityConfig, quantization: QuantizeConfig, place: Place
) -> Outcome[Sensitivity]:
    """What INT8 does to each product of the graph; its times belong to this machine."""
    key = _key(
        "sensitivity",
        config,
        GRAPH,
        version=2,
        quantization=quantization.replace(keep_fp32=()).model_dump(mode="json"),
        graph=graph.digest,
        data=data.fingerprint,
        machine=_machine(),
    )
    return place.run(
        key, lambda out: sensitivity(graph, data, config, quantization, out, place.progress), load_sensitivity
    )


def run_assemble(
    graph: Graph, baseline: Payload | None, data: LabelledData, config: AssembleConfig, place: Place
) -> Outcome[Payload]:
    """The payload: the bytes that ship; with a baseline, its operating point is kept."""
    from edge_ptf import __version__

    key = _key(
        "assemble",
        config,
        RUNNING,
        version=7,
        graph=graph.digest,
        baseline=baseline.digest if baseline else None,
        data=data.fingerprint,
        tool=__version__,
        isa=_isa(),
    )
    return place.run(
        key,
        lambda out: assemble(graph, data, config, out, place.progress, baseline),
        lambda folder: open_payload(folder / "payload.eptf"),
    )


def run_evaluate(
    payload: Payload, data: LabelledData, config: EvaluateConfig, place: Place
) -> Outcome[AccuracyEvidence]:
    """The payload's answers to the texts of the split that it is judged by."""
    library = runner_for(payload, config)
    key = _key(
        "evaluate",
        config,
        RUNNING,
        version=2,
        payload=payload.digest,
        data=data.fingerprint,
        machine=_machine(),
        runner=bytes_digest(library.read_bytes()) if library else None,
    )
    return place.run(key, lambda out: evaluate(payload, data, config, out, place.progress), load_accuracy)


def run_bench(
    payload: Payload,
    baseline: Payload | None,
    data: LabelledData,
    config: BenchConfig,
    place: Place,
    device: Device | None = None,
) -> Outcome[tuple[LatencyEvidence, MemoryEvidence]]:
    """The payload's latency and memory, interleaved with the baseline.

    Args:
        device: an open device; None: this machine.
    """
    key = _measuring_key("bench", payload, baseline, data, config, device)
    return place.run(
        key,
        lambda out: bench(payload, baseline, data, config, out, place.progress, device),
        load_bench,
        reusable=lambda evidence: not evidence[0].flags and not evidence[1].flags,
    )


def run_comparison(
    a: Payload, b: Payload, data: LabelledData, config: BenchConfig, place: Place, device: Device | None = None
) -> Outcome[Comparison]:
    """Which of two packages is faster; see `compare_latency`."""
    texts = [(example.text, example.text_pair) for example in data.test]
    return place.run(
        _measuring_key("compare", a, b, data, config, device),
        lambda out: compare_latency(a, b, texts, config, out, place.progress, device),
        load_comparison,
        reusable=lambda found: not found.flags,
    )


def _measuring_key(
    stage: str,
    payload: Payload,
    baseline: Payload | None,
    data: LabelledData,
    config: BenchConfig,
    device: Device | None,
) -> Key:
    """A time belongs to the device it was taken on and to the program that took it."""
    machine = device.facts() if device else this_machine()
    payloads = [payload, *([baseline] if baseline else [])]
    return _key(
        stage,
        config,
        RUNNING,
        version=2,
        payload=payload.digest,
        baseline=baseline.digest if baseline else None,
        data=data.fingerprint,
        machine=machine.model_dump(mode="json", exclude={"governor"}),
        device=device.name if device else LOCAL,
        runner=runner_digest(config.runtime, payloads, device),
    )


def _key(stage: str, config: StageConfig, libraries: tuple[str, ...], *, version: int = 1, **inputs: Any) -> Key:
    return Key(stage, version, {"config": config.model_dump(mode="json"), **inputs}, libraries)


def _isa() -> list[str]:
    machine = this_machine()
    return [machine.arch, *machine.isa]


def _machine() -> dict[str, Any]:
    return this_machine().model_dump(mode="json", exclude={"governor"})
