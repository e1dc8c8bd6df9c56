"""edge-ptf turns labelled text, a checkpoint and a hardware profile into a package that is proven to fit the device.

Every stage is a function of this package. The command line calls the same functions. `compress` calls them in order.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import Any

__version__ = version("edge-ptf")

_PUBLIC = {
    "load_data": ("edge_ptf.data", "load"),
    "load_profile": ("edge_ptf.profiles", "load"),
    "resolve_recipe": ("edge_ptf.recipe", "resolve_recipe"),
    "finetune": ("edge_ptf.training", "finetune"),
    "measure_latency_table": ("edge_ptf.compression", "measure_latency_table"),
    "open_latency_table": ("edge_ptf.compression", "open_latency_table"),
    "prune": ("edge_ptf.compression", "prune"),
    "distill": ("edge_ptf.training", "distill"),
    "export": ("edge_ptf.graph", "export"),
    "quantize": ("edge_ptf.graph", "quantize"),
    "assemble": ("edge_ptf.package", "assemble"),
    "evaluate": ("edge_ptf.bench", "evaluate"),
    "bench": ("edge_ptf.bench", "bench"),
    "gate": ("edge_ptf.gate", "gate"),
    "seal": ("edge_ptf.package", "seal"),
    "open_package": ("edge_ptf.package", "open_payload"),
    "verify": ("edge_ptf.package", "verify"),
    "Runner": ("edge_ptf.runtime", "Runner"),
    "Job": ("edge_ptf.preparation", "Job"),
    "compress": ("edge_ptf.pipeline", "compress"),
}

__all__ = ["__version__", *_PUBLIC]  # noqa: PLE0604 - the keys are strings


def __getattr__(name: str) -> Any:
    """Loads a public name on first use, so that `import edge_ptf` is fast."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'edge_ptf' has no attribute '{name}'")
    module, attribute = _PUBLIC[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted(__all__)
