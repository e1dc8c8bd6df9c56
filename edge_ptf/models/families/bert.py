"""BERT, and the models that were trained as BERT: MiniLM, BGE, E5 and many others."""

from __future__ import annotations

from edge_ptf.models.families.base import Family

FAMILY = Family(
    name="bert",
    layers="encoder.layer",
    attention="attention.self",
    projections=("attention.self.query", "attention.self.key", "attention.self.value"),
    attention_output="attention.output.dense",
    attention_norm="attention.output.LayerNorm",
    feed_forward_input="intermediate.dense",
    feed_forward_output="output.dense",
    feed_forward_norm="output.LayerNorm",
    pooler="pooler.dense",
)
