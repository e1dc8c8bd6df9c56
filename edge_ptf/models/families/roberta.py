"""RoBERTa: the layers of BERT, positions that start after the padding id, and a head of two linear modules."""

from __future__ import annotations

from dataclasses import replace

from edge_ptf.models.families import bert

FAMILY = replace(
    bert.FAMILY,
    name="roberta",
    heads=("classifier.dense", "classifier"),
)
