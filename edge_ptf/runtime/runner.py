"""Runs a package in this process with ONNX Runtime, as a device does, without torch or transformers."""

from __future__ import annotations

from edge_ptf import tasks
from edge_ptf.engines.onnxruntime import GraphSession
from edge_ptf.examples import Encoding, Example, Logits, Prediction
from edge_ptf.package.payload import Payload


class Runner:
    """Answers texts, one at a time and without padding."""

    def __init__(self, payload: Payload, threads: int = 1) -> None:
        manifest = payload.manifest
        self.payload = payload
        self.session = GraphSession(payload.model(), threads, manifest.heads[0].logits.tensor)
        self.tokenizer = payload.tokenizer(self.session.inputs)
        self.task = tasks.create(manifest.head)
        self.max_length = manifest.tokenizer.max_length

    def encode(self, text: str, text_pair: str | None = None) -> Encoding:
        """Token ids as in training, truncated to the package's maximum length."""
        return self.task.encode(self.tokenizer, [Example(text, (), text_pair)], self.max_length)[0]

    def logits(self, encoding: Encoding) -> Logits:
        """[classes] or [tokens, classes], FP32."""
        return self.session.logits(encoding)

    def answer(self, text: str, text_pair: str | None = None) -> Prediction:
        """The label (or tags), its probability, and details."""
        encoding = self.encode(text, text_pair)
        return self.task.head.decode(self.logits(encoding), encoding, text)
