"""`edge-ptf export`, `calibrate`, `quantize`, `sensitivity` and `assemble`: from a checkpoint to the payload."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edge_ptf.cli.arguments import Settings, job_options, out_option, overwrite_option, package_path
from edge_ptf.cli.console import make_console
from edge_ptf.cli.options import config_options
from edge_ptf.cli.running import load_data, print_outcome, stage_config, working
from edge_ptf.graph import CalibrateConfig, ExportConfig, QuantizeConfig, SensitivityConfig
from edge_ptf.package import AssembleConfig, open_payload

folder = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command("export")
@click.option("--checkpoint", required=True, type=folder, help="A checkpoint, as finetune, prune or distill write it.")
@job_options
@out_option
@overwrite_option
@config_options(ExportConfig)
def export_command(
    checkpoint: Path, settings: tuple[str, ...], project_file: Path | None, overwrite: bool, **flags: Any
) -> int:
    """Turn a checkpoint into ONNX; the largest difference to PyTorch is printed, too large is an error."""
    from edge_ptf import stages
    from edge_ptf.models.checkpoint import open_checkpoint

    chosen = Settings(project_file, settings, flags)
    source = open_checkpoint(checkpoint)
    config = stage_config(ExportConfig, source.info.head, chosen, flags)
    with working(chosen.need("out"), overwrite) as place:
        data = load_data(chosen, source.info.head, place.progress)
        return print_outcome(stages.run_export(source, data, config, place))


@click.command("calibrate")
@click.option("--checkpoint", required=True, type=folder, help="The checkpoint that the graph is exported from.")
@job_options
@out_option
@overwrite_option
@config_options(CalibrateConfig)
def calibrate_command(
    checkpoint: Path, settings: tuple[str, ...], project_file: Path | None, overwrite: bool, **flags: Any
) -> int:
    """Find ranges of activations for static INT8 with Neural Compressor, on the PyTorch model.

    \b
    edge-ptf calibrate --checkpoint work/student --data my-texts/ --profile jetson --out work/ranges
    edge-ptf quantize --graph work/onnx … --profile jetson --ranges work/ranges --calibration best

    Whether activations are signed or symmetric comes from --profile and --set quantize.…; only texts of the validation
    split are looked at. The ranges lie in --out as ranges.json.
    """
    from edge_ptf import stages
    from edge_ptf.models.checkpoint import open_checkpoint

    chosen = Settings(project_file, settings, flags)
    source = open_checkpoint(checkpoint)
    config = stage_config(CalibrateConfig, source.info.head, chosen, flags)
    quantization = stage_config(QuantizeConfig, source.info.head, chosen, {})
    with working(chosen.need("out"), overwrite) as place:
        data = load_data(chosen, source.info.head, place.progress)
        return print_outcome(stages.run_calibrate(source, data, config, quantization, place))


@click.command("quantize")
@click.option("--graph", required=True, type=folder, help="An FP32 graph directory, as export writes it.")
@click.option(
    "--ranges",
    type=folder,
    help="Ranges that calibrate wrote: used as they are, or with --calibration best tried beside all other ways.",
)
@job_options
@out_option
@overwrite_option
@config_options(QuantizeConfig)
def quantize_command(
    graph: Path,
    ranges: Path | None,
    settings: tuple[str, ...],
    project_file: Path | None,
    overwrite: bool,
    **flags: Any,
) -> int:
    """Turn an FP32 graph into INT8. The quantization comes from --profile, single options win over it."""
    from edge_ptf import stages
    from edge_ptf.graph import load_ranges, open_graph
    from edge_ptf.report.calibration import calibration_table

    chosen = Settings(project_file, settings, flags)
    source, given = open_graph(graph), load_ranges(ranges) if ranges else None
    config = stage_config(QuantizeConfig, source.info.head, chosen, flags)
    with working(chosen.need("out"), overwrite) as place:
        data = load_data(chosen, source.info.head, place.progress)
        outcome = stages.run_quantize(source, data, config, place, given)
    if table := calibration_table(outcome.artifact):
        make_console().print(table)
    return print_outcome(outcome)


@click.command("sensitivity")
@click.argument("graph", type=folder)
@job_options
@out_option
@overwrite_option
@config_options(SensitivityConfig)
def sensitivity_command(
    graph: Path, settings: tuple[str, ...], project_file: Path | None, overwrite: bool, **flags: Any
) -> int:
    """Find the products of an FP32 GRAPH that INT8 hurts, and the fewest that have to stay FP32.

    \b
    edge-ptf sensitivity work/onnx --data my-texts/ --profile host --out work/sensitivity
    edge-ptf quantize --graph work/onnx … --keep-fp32 layer.1.feed_forward.output

    GRAPH is a directory that export wrote. The quantization comes from --profile and --set quantize.…; only
    the validation split is used. The whole record lies in --out as sensitivity.json.
    """
    from edge_ptf import stages
    from edge_ptf.graph import open_graph
    from edge_ptf.report.sensitivity import sensitivity_table

    chosen = Settings(project_file, settings, flags)
    source = open_graph(graph)
    config = stage_config(SensitivityConfig, source.info.head, chosen, flags)
    quantization = stage_config(QuantizeConfig, source.info.head, chosen, {})
    with working(chosen.need("out"), overwrite) as place:
        data = load_data(chosen, source.info.head, place.progress)
        outcome = stages.run_sensitivity(source, data, config, quantization, place)
    make_console().print(sensitivity_table(outcome.artifact))
    return print_outcome(outcome)


@click.command("assemble")
@click.option("--graph", required=True, type=folder, help="A graph directory, as export or quantize write it.")
@click.option("--baseline", type=package_path, help="The FP32 teacher's package, whose operating point is to be kept.")
@job_options
@out_option
@overwrite_option
@config_options(AssembleConfig)
def assemble_command(
    graph: Path,
    baseline: Path | None,
    settings: tuple[str, ...],
    project_file: Path | None,
    overwrite: bool,
    **flags: Any,
) -> int:
    """Make the payload; thresholds are chosen on the validation split. The result is payload.eptf in --out."""
    from edge_ptf import stages
    from edge_ptf.graph import open_graph

    chosen = Settings(project_file, settings, flags)
    source, teacher = open_graph(graph), open_payload(baseline) if baseline else None
    config = stage_config(AssembleConfig, source.info.head, chosen, flags)
    with working(chosen.need("out"), overwrite) as place:
        data = load_data(chosen, source.info.head, place.progress)
        return print_outcome(stages.run_assemble(source, teacher, data, config, place))
