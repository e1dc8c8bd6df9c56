"""From a checkpoint to an ONNX graph, and from a graph to its INT8 form."""

from __future__ import annotations

from edge_ptf.export.compressor import CalibrateConfig, calibrate
from edge_ptf.export.exporting import ExportConfig, export
from edge_ptf.export.flavour import QuantizeConfig
from edge_ptf.export.gain import Gain, GainConfig, find_gain, open_gain
from edge_ptf.export.graph import Graph, open_graph
from edge_ptf.export.quantization import quantize
from edge_ptf.export.ranges import Ranges, load_ranges
from edge_ptf.export.sensitivity import Sensitivity, SensitivityConfig, load_sensitivity, sensitivity

__all__ = [
    "CalibrateConfig",
    "ExportConfig",
    "Gain",
    "GainConfig",
    "Graph",
    "QuantizeConfig",
    "Ranges",
    "Sensitivity",
    "SensitivityConfig",
    "calibrate",
    "export",
    "find_gain",
    "load_ranges",
    "load_sensitivity",
    "open_gain",
    "open_graph",
    "quantize",
    "sensitivity",
]
