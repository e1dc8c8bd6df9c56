"""One line about each stage's result, for the terminal. Each stage names its function in `@stage`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from edge_ptf import statistics, tasks
from edge_ptf.compression import LatencyTable
from edge_ptf.graph.artifact import Graph
from edge_ptf.graph.ranges import Ranges
from edge_ptf.graph.sensitivity import Sensitivity
from edge_ptf.graph.speed_check import SpeedCheck
from edge_ptf.models import LayerShape
from edge_ptf.models.checkpoint import Checkpoint
from edge_ptf.models.lineage import PruneFacts, QuantizeFacts, TrainingFacts
from edge_ptf.package.evidence import AccuracyEvidence, LatencyEvidence, MemoryEvidence
from edge_ptf.package.payload import Payload
from edge_ptf.report.formatting import counted, metric_words, score_text

if TYPE_CHECKING:
    from edge_ptf.bench import Comparison


def stage_line(stage: str, summary: str, seconds: float, reused: bool, subject: str = "") -> RenderableType:
    """One finished stage: its subject, its duration or that it was reused, and its result."""
    line = Table.grid(padding=(0, 2, 0, 0))
    row = [Text(f"  {stage}", style="bold"), Text("reused" if reused else f"{seconds:.1f} s"), Text(summary)]
    line.add_column(width=max(10, len(stage) + 2))
    if subject:
        row.insert(1, Text(subject))
        line.add_column(width=max(8, len(subject)))
    line.add_column(width=8, justify="right", style="dim" if reused else "")
    line.add_column(overflow="fold")
    line.add_row(*row)
    return line


def checkpoint_line(checkpoint: Checkpoint) -> str:
    """The parts that are left after pruning, or the score of the training."""
    facts, layers = checkpoint.info.facts, checkpoint.info.layers
    if isinstance(facts, PruneFacts):
        return _pruned(facts, layers)
    if isinstance(facts, TrainingFacts) and facts.validation:
        score = facts.validation[facts.kept_epoch - 1]
        metric = tasks.create(checkpoint.info.head).steering
        shown = f"{score:.{metric.digits}f} {metric.score_unit}".strip()
        return f"validation {shown} (epoch {facts.kept_epoch} of {len(facts.validation)})"
    return counted(len(layers), "layer")


def _pruned(facts: PruneFacts, layers: Sequence[LayerShape]) -> str:
    if facts.skipped:
        return f"not pruned: {facts.skipped}"
    text = f"layers {', '.join(map(str, facts.kept_layers or ()))}; {_widths(layers)}"
    if facts.kept_hidden:
        text += f"; hidden size {len(facts.kept_hidden)}"
    if facts.predicted_ms and facts.predicted_unpruned_ms:
        ratio = facts.predicted_unpruned_ms / facts.predicted_ms
        text += f"; {facts.predicted_ms:.2f} ms expected, {ratio:.2f} × as fast"
    if facts.vocabulary_skipped:
        return f"{text}; vocabulary not pruned: {facts.vocabulary_skipped}"
    before, after = facts.subwords_before, facts.subwords_after
    return f"{text}; vocabulary {before:,} → {after:,}" if before and after else text


def _widths(layers: Sequence[LayerShape]) -> str:
    """Heads if layers differ in them, and feed-forward widths, for each layer if layers differ in them."""
    heads, neurons = [layer.num_heads for layer in layers], [layer.intermediate_size for layer in layers]
    shown = [f"heads {', '.join(map(str, heads))}"] if len(set(heads)) > 1 else []
    widths = neurons if len(set(neurons)) > 1 else neurons[:1]
    return "; ".join([*shown, f"feed-forward {', '.join(map(str, widths))}"])


def graph_line(graph: Graph) -> str:
    """Size and form, and the difference to the model before the stage."""
    info, facts = graph.info, graph.info.facts
    size = graph.model.stat().st_size / 1e6
    if info.scheme.precision == "fp32":
        return f"{size:.1f} MB, largest difference to PyTorch {info.parity_max_difference:.1g}"
    form = f"INT8 {info.scheme.mode}" if info.scheme.precision == "int8" else info.scheme.precision.upper()
    if not isinstance(facts, QuantizeFacts):
        return f"{size:.1f} MB, {form}"
    ranges = f" ({facts.calibration})" if facts.calibration else ""
    same = facts.same_answer_percent
    agreement = (
        f"mean difference to the FP32 logits {facts.mean_logit_difference:.2g}"
        if same is None
        else f"{same:.1f} % of answers as in FP32"
    )
    return f"{size:.1f} MB, {form}{ranges}, {agreement}"


def latency_table_line(latencies: LatencyTable) -> str:
    """The source of the times, and the time of the unpruned model."""
    full = f", FP32 {latencies.full_precision_ms:.2f} ms" if latencies.full_precision_ms else ""
    return f"{latencies.source}: unpruned {latencies.unpruned_ms:.2f} ms{full}"


def ranges_line(ranges: Ranges) -> str:
    """How many linear ops have ranges, and how many texts they come from."""
    return f"{ranges.source}: ranges of {counted(len(ranges.linear_ops), 'linear op')}, {counted(ranges.texts, 'text')}"


def speed_check_line(check: SpeedCheck) -> str:
    """The speed of INT8 compared with FP32, and the linear ops in other kernels if there are any."""
    kernels = f", {check.int8_linear_ops} of {check.linear_ops} linear ops in INT8 kernels"
    whole = check.int8_linear_ops == check.linear_ops
    return f"INT8 {check.ratio:.2f}× as fast as FP32 ({check.low:.2f} to {check.high:.2f}){'' if whole else kernels}"


def sensitivity_line(found: Sensitivity) -> str:
    """How many linear ops have to stay FP32."""
    ops, texts = counted(len(found.linear_ops), "linear op"), counted(found.texts, "text")
    return f"{ops}, {len(found.culprits)} to keep in FP32, {texts}"


def payload_line(payload: Payload) -> str:
    """Size and digest, and whether the runner has tokenizer tables."""
    tokenizer = payload.manifest.tokenizer
    only_ids = (
        "" if tokenizer.tables else f"; the runner accepts token ids only: {tokenizer.unsupported or 'no tables'}"
    )
    return f"{payload.size_bytes / 1e6:.2f} MB, payload {payload.digest[:12]}{only_ids}"


def accuracy_line(evidence: AccuracyEvidence) -> str:
    """Every metric, and the program that answered."""
    metrics = ", ".join(f"{metric_words(name)} {score_text(name, value)}" for name, value in evidence.metrics.items())
    return f"{metrics} (by {evidence.runtime.runner or 'Python'})"


def bench_line(evidence: tuple[LatencyEvidence, MemoryEvidence]) -> str:
    """Percentiles, speed-up over the teacher, memory."""
    latency, memory = evidence
    calls = [ms for launch in latency.launches for ms in launch.end_to_end_ms]
    parts = [f"p50 {statistics.percentile(calls, 0.5):.2f} ms, p95 {statistics.percentile(calls, 0.95):.2f} ms"]
    if latency.baseline:
        ratio, _ = statistics.speedup(
            [launch.baseline_engine_ms for launch in latency.launches],
            [launch.engine_ms for launch in latency.launches],
        )
        parts.append(f"{ratio:.1f}× the teacher")
    return ", ".join([*parts, f"{max(memory.peak_memory_mb):.0f} MB resident"])


def comparison_line(found: Comparison) -> str:
    """The ratio of each figure."""
    return ", ".join(f"{item.figure.removesuffix('_ms')} ratio {item.ratio:.3f}" for item in found.contests)
