"""Exports a checkpoint to an ONNX graph, and quantizes a graph to INT8."""

from __future__ import annotations

from edge_ptf.graph.artifact import Graph, open_graph
from edge_ptf.graph.exporting import ExportConfig, export
from edge_ptf.graph.neural_compressor import CalibrateConfig, calibrate
from edge_ptf.graph.quantization import quantize
from edge_ptf.graph.quantization_scheme import QuantizeConfig
from edge_ptf.graph.ranges import Ranges, load_ranges
from edge_ptf.graph.sensitivity import Sensitivity, SensitivityConfig, load_sensitivity, sensitivity
from edge_ptf.graph.speed_check import SpeedCheck, SpeedCheckConfig, check_speed, open_speed_check

__all__ = [
    "CalibrateConfig",
    "ExportConfig",
    "Graph",
    "QuantizeConfig",
    "Ranges",
    "Sensitivity",
    "SensitivityConfig",
    "SpeedCheck",
    "SpeedCheckConfig",
    "calibrate",
    "check_speed",
    "export",
    "load_ranges",
    "load_sensitivity",
    "open_graph",
    "open_speed_check",
    "quantize",
    "sensitivity",
]
