"""The families of encoders that can be pruned: one module each, which defines `FAMILY`.

To add a family, add its module to this package and its name to `MODULES`. See docs/how-to/add-a-family.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module

from edge_ptf.errors import CheckpointError
from edge_ptf.models.families.base import Family, NormPlacement

__all__ = ["FAMILIES", "MODULES", "Family", "NormPlacement", "family_named", "register"]

MODULES = (
    "bert",
    "roberta",
    "xlm_roberta",
    "electra",
    "distilbert",
)


def register(modules: Iterable[str]) -> dict[str, Family]:
    """The families that these modules of the package define, by the `model_type` of their configurations."""
    found: dict[str, Family] = {}
    for module in modules:
        family: Family = import_module(f"{__name__}.{module}").FAMILY
        if family.name in found:
            raise ValueError(f"two modules define the family '{family.name}'")
        found[family.name] = family
    return found


FAMILIES: dict[str, Family] = register(MODULES)


def family_named(name: str) -> Family:
    """The family of a configuration's `model_type`.

    Raises:
        CheckpointError: edge-ptf cannot prune models of this family.
    """
    if name not in FAMILIES:
        raise CheckpointError(
            f"the model family '{name}' cannot be pruned", hint=f"Supported families: {', '.join(FAMILIES)}"
        )
    return FAMILIES[name]
