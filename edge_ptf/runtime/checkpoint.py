"""Answers texts with a checkpoint, in PyTorch: the answers before the model becomes a package."""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_ptf import tasks
from edge_ptf.examples import Encoding, Example, Logits, Prediction
from edge_ptf.heads.outputs import as_arrays
from edge_ptf.models.checkpoint import Checkpoint, load_model, load_tokenizer, model_inputs
from edge_ptf.runtime.texts import without_surrogates


class CheckpointRunner:
    """Answers texts, one at a time and without padding, through the head that a package has too.

    Thresholds are chosen when a package is assembled, so a checkpoint answers without them.
    """

    takes_pairs: bool | None = None
    """A checkpoint does not say whether it answers pairs."""

    def __init__(self, checkpoint: Checkpoint, threads: int = 1) -> None:
        """Raises CheckpointError if the weights are damaged."""
        import torch

        torch.set_num_threads(threads)
        self.model = load_model(checkpoint)
        self.tokenizer = load_tokenizer(checkpoint.path)
        self.task = tasks.create(checkpoint.info.head)
        self.max_length = checkpoint.info.max_length
        self._inputs = model_inputs(self.model, self.tokenizer)

    def encode(self, text: str, text_pair: str | None = None) -> Encoding:
        """Token ids as in training, truncated to the longest sequence; a lone surrogate is read as U+FFFD."""
        text, text_pair = without_surrogates(text), text_pair and without_surrogates(text_pair)
        return self.task.encode(self.tokenizer, [Example(text, (), text_pair)], self.max_length)[0]

    def logits(self, encoding: Encoding) -> Logits:
        """[classes] or [tokens, classes], FP32. The model reads each window alone."""
        parts = [self._logits(part) for part in encoding.parts()]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _logits(self, encoding: Encoding) -> Any:
        import torch

        length = len(encoding.input_ids)
        known = {
            "input_ids": encoding.input_ids,
            "attention_mask": [1] * length,
            "token_type_ids": encoding.token_type_ids or [0] * length,
        }
        with torch.inference_mode():
            found = self.model(**{name: torch.tensor([known[name]]) for name in self._inputs}, return_dict=True)
        return self.task.head.of_text(as_arrays(found.logits), 0, length)

    def answer(self, text: str, text_pair: str | None = None) -> Prediction:
        """The label (or tags), its probability, and details."""
        encoding = self.encode(text, text_pair)
        return self.task.head.decode(self.logits(encoding), encoding, without_surrogates(text))
