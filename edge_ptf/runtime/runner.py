"""Runs a package in this process, as a device does, without torch or transformers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from edge_ptf import tasks
from edge_ptf.errors import BadInputError
from edge_ptf.examples import Encoding, Example, Logits, Prediction
from edge_ptf.heads import PrototypeHead
from edge_ptf.package.payload import Payload, open_payload
from edge_ptf.runtime.texts import without_surrogates
from edge_ptf.tasks.sentence_embedding import shortened


class Runner:
    """Answers texts, one at a time and without padding.

    Example:
        >>> answer = edge_ptf.Runner("work/package.eptf").answer("turn on the lights")
        >>> answer.score > 0
        True
    """

    def __init__(self, payload: Payload | str | PathLike[str], threads: int = 1, dimensions: int | None = None) -> None:
        """Args:
        payload: an open package, or the path of one.
        threads: of one inference.
        dimensions: leading numbers of a vector that an answer has; None: as the package says.

        Raises:
            BadInputError: the package answers with no vectors, or with shorter ones.
        """
        payload = payload if isinstance(payload, Payload) else open_payload(Path(payload))
        manifest = payload.manifest
        self.payload = payload
        self.task = tasks.create(manifest.head)
        if dimensions is not None:
            self.task = shortened(self.task, dimensions, "dimensions")
        self.engine = payload.engine(manifest.graph)
        self.session = payload.session(manifest.graph, threads, self.task.head.tensors)
        self.tokenizer = payload.tokenizer(self.session.inputs)
        self.max_length = manifest.tokenizer.max_length
        self.takes_pairs = None if self.task.head.reads_texts_apart else manifest.heads[0].text_pairs
        """None: it takes one text or two."""

    def encode(self, text: str, text_pair: str | None = None) -> Encoding:
        """Token ids as in training, truncated to the package's maximum length; a lone surrogate is read as U+FFFD."""
        text, text_pair = without_surrogates(text), text_pair and without_surrogates(text_pair)
        return self.task.encode(self.tokenizer, [Example(text, (), text_pair)], self.max_length)[0]

    def logits(self, encoding: Encoding) -> Logits:
        """[classes] or [tokens, classes], FP32; of several heads a mapping from their names to these."""
        return self.task.head.read(self.session.answer(encoding))

    def add_class(self, name: str, texts: Sequence[str]) -> None:
        """Adds a class to a package of prototype-classification, without training: its centre is that of its texts.

        It belongs to this object. A lone surrogate of a text is read as U+FFFD.

        Args:
            name: of the class; it becomes the last label.
            texts: one or more; five are a good start.

        Raises:
            BadInputError: the package takes no classes, the name cannot be that of a new class, or there are no texts.
        """
        head = self.task.head
        if not isinstance(head, PrototypeHead):
            raise BadInputError(
                f"the package takes no new class: its task is {self.task.name}",
                hint="Only prototype-classification takes new classes",
            )
        if isinstance(texts, str):
            raise BadInputError("the texts of a new class are one text", hint="Give a list of texts")
        vectors = [head.vector(self.session.answer(self.encode(text))) for text in texts]
        self.task = tasks.create(head.with_class(name, vectors))

    def answer(self, text: str, text_pair: str | None = None) -> Prediction:
        r"""The label (or tags), its probability, and details.

        A lone surrogate of a text is read as U+FFFD.

        Example:
            >>> runner = edge_ptf.Runner("work/package.eptf")
            >>> runner.answer("turn on \ud800") == runner.answer("turn on \ufffd")
            True
        """
        encoding = self.encode(text, text_pair)
        return self.task.head.decode(self.logits(encoding), encoding, without_surrogates(text))


def timed_runner(package: Path, threads: int) -> tuple[Runner, float]:
    """A package that is ready to answer, and the milliseconds that loading took.

    Importing the libraries is not loading the package, so it is not counted.
    """
    import tokenizers  # noqa: F401

    begin = time.perf_counter_ns()
    payload = open_payload(package)
    opened = time.perf_counter_ns()
    payload.engine(payload.manifest.graph).version()  # imports the engine's library
    ready = time.perf_counter_ns()
    runner = Runner(payload, threads)
    return runner, (time.perf_counter_ns() - ready + opened - begin) / 1e6
