"""What a batch teaches a student: how far its logits, hidden states and relations are from its teacher's."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_ptf.heads import Head
from edge_ptf.heads.outputs import in_fp32
from edge_ptf.training import losses
from edge_ptf.training.activation_capture import ActivationCapture
from edge_ptf.training.batching import Item
from edge_ptf.training.teacher_outputs import TeacherOutputs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_ptf.training.distillation import DistillConfig

RELATION_HEADS = 12
"""Into how many parts queries, keys and values are cut to relate tokens, where both widths permit: MiniLM's own count,
whatever heads were pruned (the paper takes more than the teacher has, for wider models)."""


class DistillationLoss:
    """The loss of one batch, from the student's outputs and the teacher's kept ones."""

    def __init__(
        self,
        config: DistillConfig,
        head: Head,
        outputs: TeacherOutputs,
        items: tuple[Sequence[Item], Sequence[Item]],
        alike: Sequence[bool],
        axes: Sequence[int],
        capture: ActivationCapture,
    ) -> None:
        """Args:
        items: the texts as the student and as the teacher cut them.
        alike: of each text, whether they cut it alike.
        axes: the teacher's numbers that the student's hidden states have.
        capture: of the student's last query, key and value, where relations count.
        """
        self.config, self.head = config, head
        self.outputs = outputs
        self.items = items
        self.alike = alike
        self.axes = list(axes)
        self.capture = capture

    def loss(self, outputs: Any, batch: dict[str, Any]) -> Any:
        """A scalar."""
        config, rows = self.config, batch["rows"].tolist()
        logits, mask = in_fp32(outputs.logits), batch["attention_mask"].bool()
        usable = [place for place, row in enumerate(rows) if self.alike[row]]
        texts = [rows[place] for place in usable]
        total = sum(
            own.sum() * 0.0 for _, own in self.head.each(logits)
        )  # has a gradient even where teacher and student cut every text differently
        if config.logit_weight:
            total = total + config.logit_weight * self._logits_apart(logits, rows, usable)
        if config.label_weight:
            total = total + config.label_weight * self.head.loss(logits, batch["targets"])
        if config.hidden_weight and usable:
            total = total + config.hidden_weight * self._states_apart(outputs.hidden_states, mask, usable, texts)
        if config.relation_weight and usable:
            total = total + config.relation_weight * self._relations_apart(mask, usable, texts)
        return total

    def _logits_apart(self, logits: Any, rows: Sequence[int], usable: Sequence[int]) -> Any:
        """Weighted sum of the distances of the logits of each part."""
        parts = zip(self.head.each(logits), self.head.weights, strict=True)
        return sum(weight * self._part_apart(part, own, rows, usable) for (part, own), weight in parts)

    def _part_apart(self, head: Head, logits: Any, rows: Sequence[int], usable: Sequence[int]) -> Any:
        """Distance of the logits: of the texts, of all words, of the words of each text, or of the tokens of each text
        that both cut alike."""
        import torch

        config, kept = self.config, self.outputs.logits[head.spec.logits.tensor]
        pairs = []
        if head.compares_tokens:
            for place in usable:
                begin, end = self.outputs.offsets[rows[place]], self.outputs.offsets[rows[place] + 1]
                pairs.append((logits[place, : end - begin].T, np.ascontiguousarray(kept[begin:end].T)))
        elif head.compares_words:
            words = (self._words(row) for row in rows)
            pairs = [(logits[place, own], kept[asked]) for place, (own, asked) in enumerate(words) if len(own)]
        elif head.spec.per_token:
            answered, asked = self._word_answers(logits, rows)
            pairs = [(answered, kept[asked])] if len(answered) else []
        else:
            pairs = [(logits, kept[rows])]
        apart = [
            head.distillation_loss(
                own, torch.from_numpy(wanted).to(logits.device), config.logit_loss, config.temperature
            )
            for own, wanted in pairs
        ]
        return torch.stack(apart).mean() if apart else 0.0

    def _word_answers(self, logits: Any, rows: Sequence[int]) -> tuple[Any, NDArray[np.int64]]:
        """The student's logits at each word's first token, and the teacher's rows for the same words.

        Other tokens were never trained to answer anything, in the teacher either. Words stay comparable where the two
        tokenizers cut them differently.
        """
        positions, asked = zip(*(self._words(row) for row in rows), strict=True)
        places = np.repeat(np.arange(len(rows)), [len(own) for own in positions])
        return logits[places, np.concatenate(positions)], np.concatenate(asked)

    def _words(self, row: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The student's first token of each word that both know, and the teacher's rows for the same words."""
        own, theirs = (np.asarray(items[row].encoding.word_starts, dtype=np.int64) for items in self.items)
        count = min(len(own), len(theirs))
        known = (own[:count] >= 0) & (theirs[:count] >= 0)
        return own[:count][known], self.outputs.offsets[row] + theirs[:count][known]

    def _states_apart(self, states: Any, mask: Any, usable: list[int], texts: list[int]) -> Any:
        """Distance of hidden states, mean over the student's layers."""
        import torch

        assert self.outputs.hidden is not None
        wanted = torch.from_numpy(self.outputs.hidden.of(texts)).to(mask.device).float()
        if len(self.axes) < wanted.shape[-1]:
            wanted = wanted[..., self.axes]
        real = mask[usable]
        own = [state[usable].float()[real] for state in states[1:]]
        chosen: Sequence[int] = range(len(own))
        if self.config.layer_map == "nearest":
            with torch.no_grad():
                apart = [[float(losses.hidden_distance(state, each)) for each in wanted.unbind(1)] for state in own]
            chosen = losses.nearest_in_order(np.asarray(apart))
        pairs = zip(own, chosen, strict=True)
        return torch.stack([losses.hidden_distance(state, wanted[:, index]) for state, index in pairs]).mean()

    def _relations_apart(self, mask: Any, usable: list[int], texts: list[int]) -> Any:
        """Divergence of the relations within queries, within keys and within values, mean of the three."""
        import torch

        assert self.outputs.projections is not None
        wanted = torch.from_numpy(self.outputs.projections.of(texts)).to(mask.device).float()
        real, found = mask[usable], []
        for number, given in enumerate(self.capture.given):
            own = given[usable].float()
            target = own.new_zeros(*real.shape, wanted.shape[-1])
            target[real] = wanted[:, number]
            heads = gcd(RELATION_HEADS, own.shape[-1], wanted.shape[-1])
            found.append(losses.relation_divergence(own, target, real, heads))
        return torch.stack(found).mean()
