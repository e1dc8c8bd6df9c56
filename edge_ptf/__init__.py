"""edge-ptf turns labelled text, a checkpoint and a hardware profile into a package that is proven to fit the device.

Every command is also a function of this package, with the command's options as keyword arguments. Paths and names may
be plain strings.

Example:
    >>> import edge_ptf
    >>> print(edge_ptf.check("demo", task="text-classification"))
    text-classification data can be used...
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from types import ModuleType
from typing import Any

__version__ = version("edge-ptf")

_STAGES = "edge_ptf.api.stage_functions"
_PUBLIC = {
    "compress": "edge_ptf.api.compressing",
    "search": "edge_ptf.api.searching",
    "check": "edge_ptf.api.checking",
    "label_errors": "edge_ptf.api.labels",
    "tune": "edge_ptf.api.tuning",
    "bench": _STAGES,  # the other stages need no line: only this one has the name of a sub-package
    "gate": "edge_ptf.api.judging",
    "seal": "edge_ptf.api.judging",
    "report": "edge_ptf.api.reporting",
    "compare": "edge_ptf.api.reporting",
    "verify": "edge_ptf.api.opening",
    "build_engine": "edge_ptf.api.engines",
    "open_package": "edge_ptf.api.opening",
    "load_data": "edge_ptf.api.checking",
    "load_profile": "edge_ptf.api.opening",
    "resolve_recipe": "edge_ptf.api.compressing",
    "Runner": "edge_ptf.runtime.runner",
    "mark_entities": "edge_ptf.tasks.relation_extraction",
}
"""The module of each public name."""


class _Package(ModuleType):
    """The package. A sub-package or module that has a public name does not hide the public function.

    Python binds `edge_ptf.gate` to the module of that name when something imports it. Here the name stays the
    function. `from edge_ptf.gate import …` still reads the module.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _PUBLIC and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    """Loads a public name on first use, so that `import edge_ptf` is fast."""
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    if name == "__all__":
        return ["__version__", *_PUBLIC, *(each for each in _stage_functions() if each not in _PUBLIC)]
    if not name.startswith("_") and find_spec(f"{__name__}.{name}") is None and name in (found := _stage_functions()):
        return found[name]
    raise AttributeError(f"module 'edge_ptf' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__getattr__("__all__"))


def _stage_functions() -> dict[str, Any]:
    """The function of each stage that is a command, by name."""
    found: dict[str, Any] = import_module(_STAGES).FUNCTIONS
    return found
