"""What the check of a graph finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One violation of a rule of TensorRT."""

    rule: str
    """Short name of the rule, such as `zero-point`."""
    where: str
    """The node or tensor."""
    message: str
    """What is wrong."""
    advice: str
    """What to do."""
    refused: bool = True
    """False: TensorRT builds an engine all the same, but the answers may differ."""

    def __str__(self) -> str:
        return f"{self.where}: {self.message}. {self.advice}"
