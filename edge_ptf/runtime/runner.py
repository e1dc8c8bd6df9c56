"""Runs a package in this process, as a device does, without torch or transformers."""

from __future__ import annotations

import time
from os import PathLike
from pathlib import Path

from edge_ptf import tasks
from edge_ptf.examples import Encoding, Example, Logits, Prediction
from edge_ptf.package.payload import Payload, open_payload
from edge_ptf.runtime.texts import without_surrogates


class Runner:
    """Answers texts, one at a time and without padding.

    Example:
        >>> answer = edge_ptf.Runner("work/package.eptf").answer("turn on the lights")
        >>> answer.score > 0
        True
    """

    def __init__(self, payload: Payload | str | PathLike[str], threads: int = 1) -> None:
        """Args:
        payload: an open package, or the path of one.
        threads: of one inference.
        """
        payload = payload if isinstance(payload, Payload) else open_payload(Path(payload))
        manifest = payload.manifest
        self.payload = payload
        self.task = tasks.create(manifest.head)
        self.engine = payload.engine(manifest.graph)
        self.session = payload.session(manifest.graph, threads, self.task.head.tensors)
        self.tokenizer = payload.tokenizer(self.session.inputs)
        self.max_length = manifest.tokenizer.max_length
        self.takes_pairs = manifest.heads[0].text_pairs

    def encode(self, text: str, text_pair: str | None = None) -> Encoding:
        """Token ids as in training, truncated to the package's maximum length; a lone surrogate is read as U+FFFD."""
        text, text_pair = without_surrogates(text), text_pair and without_surrogates(text_pair)
        return self.task.encode(self.tokenizer, [Example(text, (), text_pair)], self.max_length)[0]

    def logits(self, encoding: Encoding) -> Logits:
        """[classes] or [tokens, classes], FP32; of several heads a mapping from their names to these."""
        return self.task.head.read(self.session.answer(encoding))

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
