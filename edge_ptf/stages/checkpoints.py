"""The stages that make checkpoints: teacher, latency table, pruned and taught student."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from edge_ptf import compression, training
from edge_ptf.cache import Key
from edge_ptf.data.dataset import LabelledData
from edge_ptf.digests import value_digest
from edge_ptf.graph import QuantizeConfig
from edge_ptf.machine import this_machine
from edge_ptf.models.base_models import Base
from edge_ptf.models.checkpoint import Checkpoint, open_checkpoint
from edge_ptf.profiles import Profile
from edge_ptf.report.stage_lines import checkpoint_line, latency_table_line
from edge_ptf.stages.declaration import LEFT_OUT, Option, Work, stage
from edge_ptf.tasks.base import Task
from edge_ptf.training import TeacherOutputs, device_and_precision
from edge_ptf.training.batching import Item

TRAINING = ("torch", "transformers", "tokenizers")
GRAPH = (*TRAINING, "onnx", "onnxruntime")


def _finetune_counts(given: Any) -> Mapping[str, Any]:
    """`positive_weights` counts if there are any, so that older results without them are found; `watch` does not."""
    options = given.config.model_dump(mode="json")
    if given.config.positive_weights == "none":
        del options["positive_weights"]
    return {
        "config": options,
        "task": given.task.head.spec,
        "device_and_precision": device_and_precision(given.config.precision),
        "watch": LEFT_OUT,
    }


@stage("finetune", 3, TRAINING, open_checkpoint, checkpoint_line, _finetune_counts)
def finetune(
    work: Work,
    base: Base,
    data: LabelledData,
    config: training.FinetuneConfig,
    task: Task,
    watch: training.Watch | None = None,
) -> Checkpoint:
    """Fine-tune a pretrained model on labelled text. The result is the full-precision teacher."""
    return training.finetune(base.path, base.name, data, task, config, work.folder, work.progress, watch)


def _latency_table_counts(given: Any) -> Mapping[str, Any]:
    """The fields of the quantization that are for one graph do not count: `keep_fp32` must not change the student.

    The profile counts only by the source of the times.
    """
    return {
        "config": compression.settled(given.config, given.profile),
        "profile": None,
        "quantization": given.quantization.for_any_graph(),
        "machine": this_machine().replace(governor=""),
    }


@stage("latency_table", 3, GRAPH, compression.open_latency_table, latency_table_line, _latency_table_counts)
def latency_table(
    work: Work,
    checkpoint: Annotated[Checkpoint, Option("A fine-tuned checkpoint.")],
    data: LabelledData,
    config: compression.LatencyTableConfig,
    quantization: QuantizeConfig,
    profile: Profile | None = None,
) -> compression.LatencyTable:
    """Measure the latency of attention heads and feed-forward neurons on this machine, for `prune --speedup`.

    The timed graphs have the quantization of --profile and of the section `quantize`. Measure on a quiet machine. For a
    profile of another device the times are estimated (--source).
    """
    config, quantization = compression.settled(config, profile), quantization.for_any_graph()
    return compression.measure_latency_table(checkpoint, data, quantization, config, work.folder, work.progress)


def _prune_counts(given: Any) -> Mapping[str, Any]:
    return {"device_and_precision": device_and_precision("fp32")}


@stage("prune", 8, TRAINING, open_checkpoint, checkpoint_line, _prune_counts)
def prune(
    work: Work,
    checkpoint: Annotated[Checkpoint, Option("A fine-tuned checkpoint.")],
    data: LabelledData,
    config: compression.PruneConfig,
    latency_table: Annotated[
        compression.LatencyTable | None,
        Option("What each width costs, as `latency-table` writes it; --speedup needs it."),
    ] = None,
) -> Checkpoint:
    """Remove layers, heads, feed-forward neurons and vocabulary. The result is a smaller model.

    \b
    edge-ptf latency-table --checkpoint teacher/ --data demo --out latency/
    edge-ptf prune --checkpoint teacher/ --data demo --latency-table latency/ --speedup 1.5 --out small/

    The remaining weights are fitted to the outputs of the unpruned model, so light pruning needs no training. After
    strong pruning, train the model with `distill`.
    """
    return compression.prune(checkpoint, data, config, work.folder, work.progress, latency_table)


def _distill_counts(given: Any) -> Mapping[str, Any]:
    """The quantization counts only in quantization-aware distillation; `watch` does not count."""
    return {
        "quantization": given.quantization if given.config.quantization_aware else None,
        "unlabelled": value_digest([[each.text, each.text_pair] for each in given.data.unlabelled]),
        "device_and_precision": device_and_precision(given.config.precision),
        "watch": None,
    }


@stage("distill", 5, TRAINING, open_checkpoint, checkpoint_line, _distill_counts)
def distill(
    work: Work,
    teacher: Annotated[Checkpoint, Option("The fine-tuned checkpoint to learn from.")],
    student: Annotated[Checkpoint, Option("The smaller checkpoint, as `prune` writes it.")],
    data: LabelledData,
    config: training.DistillConfig,
    quantization: QuantizeConfig | None = None,
    extra_teachers: Annotated[
        Sequence[Checkpoint],
        Option(
            "A further teacher, of the same model and data; all answers are averaged; repeatable.", "--extra-teacher"
        ),
    ] = (),
    watch: training.Watch | None = None,
) -> Checkpoint:
    """Train the student on the answers and the hidden states of the teacher.

    With --quantization-aware, the training simulates the quantization of --profile and of the section `quantize`.
    """

    def kept(teacher: Checkpoint, texts: Sequence[Item], ask: Callable[[Path], TeacherOutputs]) -> TeacherOutputs:
        """Keeps the logits of extra teachers in a folder of their own, for further students."""
        read = value_digest([[item.encoding.input_ids, item.encoding.token_type_ids] for item in texts])
        where = device_and_precision(config.precision)
        parts = {"teacher": teacher.digest, "texts": read, "device_and_precision": where}
        return work.place.run(Key("answers", 2, parts, TRAINING), ask, TeacherOutputs).artifact

    answers = kept if work.place.keyed else None
    return training.distill(
        teacher, student, data, config, work.folder, work.progress, watch, extra_teachers, quantization, answers
    )
