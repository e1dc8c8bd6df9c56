"""What an engine is: it runs graphs of some formats. A session of it takes named tensors and gives named tensors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edge_ptf.examples import Encoding, Logits

Inputs: TypeAlias = Mapping[str, NDArray[np.int64]]
"""Each [batch, length]."""
Outputs: TypeAlias = dict[str, NDArray[np.float32]]
"""Each with a batch axis in front."""


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """An input or output of a graph; a name in `shape` is an axis whose size changes from call to call."""

    name: str
    dtype: str
    shape: tuple[str | int, ...]


class Session(ABC):
    """A loaded graph."""

    inputs: tuple[str, ...]
    """The graph's inputs."""
    outputs: tuple[str, ...]
    """The outputs that a run gives."""

    @abstractmethod
    def run(self, feeds: Inputs) -> Outputs:
        """One call: every input by its name, each output by its name. Several threads may call at a time."""

    @abstractmethod
    def tensors(self) -> tuple[tuple[TensorInfo, ...], tuple[TensorInfo, ...]]:
        """All inputs and all outputs of the graph."""

    def feeds(self, encoding: Encoding) -> dict[str, NDArray[np.int64]]:
        """The graph's inputs for one text that has no windows, each int64 [1, length]."""
        return feeds(encoding, self.inputs)

    def answer(self, encoding: Encoding) -> Outputs:
        """Every output for one text. The model reads each window alone; their outputs follow each other."""
        return joined_outputs([self.run(self.feeds(part)) for part in encoding.parts()])

    def output(self, encoding: Encoding, name: str) -> Logits:
        """One output for one text, without the batch axis."""
        found: Logits = self.answer(encoding)[name][0]
        return found


class Engine(ABC):
    """One engine. Its library is imported inside the methods, because `edge-ptf --help` must be quick."""

    name: ClassVar[str]
    """As in a profile and in a package's `requires.engines`."""
    formats: ClassVar[tuple[str, ...]]
    """Of the graphs that it runs, as in a package's `graphs[].format`."""
    least_version: ClassVar[str]
    """The oldest version that runs what edge-ptf packages."""

    @abstractmethod
    def version(self) -> str:
        """The version that is installed here.

        Raises:
            MissingExtraError: it is not installed.
        """

    @abstractmethod
    def session(self, model: Path | bytes, threads: int = 1, outputs: Sequence[str] = ()) -> Session:
        """Loads a graph.

        Args:
            model: a file or its content.
            threads: of one call.
            outputs: what a run gives, by name; empty: all outputs of the graph.

        Raises:
            PackageError: the engine cannot read the graph.
        """

    @abstractmethod
    def check(self, model: bytes, inputs: Sequence[str], outputs: Sequence[str]) -> list[str]:
        """What is wrong with a packaged graph, each finding as the rest of a sentence about the file; [] if nothing is.

        Args:
            inputs: names that the graph must have, in this order.
            outputs: the same for its outputs.

        Raises:
            PackageError: the graph has what a package must not have.
        """


def joined_outputs(parts: Sequence[Outputs]) -> Outputs:
    """The outputs of the windows of one text, one after the other."""
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts], axis=1) for name in parts[0]}


def feeds(encoding: Encoding, inputs: Sequence[str]) -> dict[str, NDArray[np.int64]]:
    """The named inputs for one text, each int64 [1, length]."""
    ids = np.asarray([encoding.input_ids], dtype=np.int64)
    known = {
        "input_ids": ids,
        "attention_mask": np.ones_like(ids),
        "token_type_ids": np.asarray([encoding.token_type_ids], dtype=np.int64)
        if encoding.token_type_ids is not None
        else np.zeros_like(ids),
    }
    return {name: known[name] for name in inputs}
