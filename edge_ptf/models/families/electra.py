"""ELECTRA: the layers of BERT, embeddings that may be narrower than the hidden states, and no pooler."""

from __future__ import annotations

from dataclasses import replace

from edge_ptf.models.families import bert

FAMILY = replace(
    bert.FAMILY,
    name="electra",
    embeddings_projection="embeddings_project",
    pooler=None,
    heads=("classifier.dense", "classifier"),
)
