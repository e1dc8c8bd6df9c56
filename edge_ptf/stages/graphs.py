"""The stages from a checkpoint to the payload: ONNX, ranges, INT8, and what ships."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from edge_ptf import __version__, package
from edge_ptf import graph as graphs
from edge_ptf.data.dataset import LabelledData
from edge_ptf.graph import Graph, Ranges
from edge_ptf.graph.neural_compressor import LIBRARIES, require_compressor
from edge_ptf.machine import this_machine
from edge_ptf.models.checkpoint import Checkpoint
from edge_ptf.package import Payload
from edge_ptf.profiles import Profile
from edge_ptf.report.stage_lines import graph_line, payload_line, ranges_line, sensitivity_line, speed_check_line
from edge_ptf.stages.checkpoints import GRAPH, TRAINING
from edge_ptf.stages.declaration import ARGUMENT, Option, Work, stage

RUNNING = ("tokenizers", "onnxruntime")


@stage("export", 3, GRAPH, graphs.open_graph, graph_line)
def export(
    work: Work,
    checkpoint: Annotated[Checkpoint, Option("A checkpoint, as finetune, prune or distill write it.")],
    data: LabelledData,
    config: graphs.ExportConfig,
) -> Graph:
    """Turn a checkpoint into ONNX; the largest difference to PyTorch is printed, too large is an error."""
    return graphs.export(checkpoint, data, config, work.folder, work.progress)


def _calibrate_counts(given: Any) -> Mapping[str, Any]:
    """Only the form of activations counts of the quantization."""
    require_compressor()  # whose version is part of the key
    form = {"activation": given.quantization.activation, "symmetric": given.quantization.symmetric_activation}
    return {"quantization": form}


@stage("calibrate", 1, (*TRAINING, *LIBRARIES), graphs.load_ranges, ranges_line, _calibrate_counts)
def calibrate(
    work: Work,
    checkpoint: Annotated[Checkpoint, Option("The checkpoint that the graph is exported from.")],
    data: LabelledData,
    config: graphs.CalibrateConfig,
    quantization: graphs.QuantizeConfig,
) -> Ranges:
    """Find ranges of activations for static INT8 with Neural Compressor, on the PyTorch model.

    \b
    edge-ptf calibrate --checkpoint work/student --data my-texts/ --profile jetson --out work/ranges
    edge-ptf quantize --graph work/onnx … --profile jetson --ranges work/ranges --calibration best

    Whether activations are signed or symmetric comes from --profile and --set quantize.…; only texts of the validation
    split are read. The result is ranges.json in --out.
    """
    return graphs.calibrate(checkpoint, data, config, quantization, work.folder, work.progress)


def _isa_counts(given: Any) -> Mapping[str, Any]:
    return {"isa": [this_machine().arch, *this_machine().isa]}


@stage("quantize", 6, GRAPH, graphs.open_graph, graph_line, _isa_counts)
def quantize(
    work: Work,
    graph: Annotated[Graph, Option("An FP32 graph directory, as export writes it.")],
    data: LabelledData,
    config: graphs.QuantizeConfig,
    ranges: Annotated[
        Ranges | None,
        Option(
            "Ranges that calibrate wrote: used as they are, or with --calibration best tried beside all other ways."
        ),
    ] = None,
) -> Graph:
    """Convert an FP32 graph to INT8. The settings come from --profile; single options override them."""
    return graphs.quantize(graph, data, config, work.folder, work.progress, ranges)


def _speed_check_counts(given: Any) -> Mapping[str, Any]:
    """`allow_slower` does not count: it is applied to the result."""
    return {"config": given.config.replace(allow_slower=False), "machine": this_machine().replace(governor="")}


@stage("speed_check", 2, RUNNING, graphs.open_speed_check, speed_check_line, _speed_check_counts)
def speed_check(
    work: Work, full: Graph, int8: Graph, data: LabelledData, config: graphs.SpeedCheckConfig
) -> graphs.SpeedCheck:
    """Time INT8 against FP32 on this machine."""
    return graphs.check_speed(full, int8, data, config, work.folder, work.progress)


def _sensitivity_counts(given: Any) -> Mapping[str, Any]:
    """`keep_fp32` does not count: the stage finds it."""
    return {"quantization": given.quantization.replace(keep_fp32=()), "machine": this_machine().replace(governor="")}


@stage("sensitivity", 3, GRAPH, graphs.load_sensitivity, sensitivity_line, _sensitivity_counts)
def sensitivity(
    work: Work,
    graph: Annotated[Graph, ARGUMENT],
    data: LabelledData,
    config: graphs.SensitivityConfig,
    quantization: graphs.QuantizeConfig,
) -> graphs.Sensitivity:
    """Find the linear ops of an FP32 GRAPH that lose accuracy in INT8, and the fewest that have to stay FP32.

    \b
    edge-ptf sensitivity work/onnx --data my-texts/ --profile host --out work/sensitivity
    edge-ptf quantize --graph work/onnx … --keep-fp32 layer.1.feed_forward.output

    GRAPH is a directory that export wrote. The quantization comes from --profile and --set quantize.…; only
    the validation split is used. The result is sensitivity.json in --out.
    """
    return graphs.sensitivity(graph, data, config, quantization, work.folder, work.progress)


def _assemble_counts(given: Any) -> Mapping[str, Any]:
    profile = given.profile.name if given.profile else None  # its settings count by `config`
    return {"tool": __version__, "profile": profile, **_isa_counts(given)}


def _open_payload(folder: Path) -> Payload:
    return package.open_payload(folder / "payload.eptf")


@stage("assemble", 10, RUNNING, _open_payload, payload_line, _assemble_counts)
def assemble(
    work: Work,
    graph: Annotated[Graph, Option("A graph directory, as export or quantize write it.")],
    data: LabelledData,
    config: package.AssembleConfig,
    baseline: Annotated[
        Payload | None, Option("The FP32 teacher's package, whose operating point is to be kept.")
    ] = None,
    profile: Profile | None = None,
) -> Payload:
    """Make the payload; thresholds are chosen on the validation split. The result is payload.eptf in --out."""
    return package.assemble(graph, data, config, work.folder, work.progress, baseline, profile)
