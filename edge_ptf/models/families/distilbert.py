"""DistilBERT: its own names for everything, and the output projection inside the attention module."""

from __future__ import annotations

from edge_ptf.models.families.base import Family

FAMILY = Family(
    name="distilbert",
    layers="transformer.layer",
    attention="attention",
    projections=("attention.q_lin", "attention.k_lin", "attention.v_lin"),
    attention_output="attention.out_lin",
    attention_norm="sa_layer_norm",
    feed_forward_input="ffn.lin1",
    feed_forward_output="ffn.lin2",
    feed_forward_norm="output_layer_norm",
    heads=("pre_classifier", "classifier"),
    layer_count="n_layers",
    feed_forward_size="hidden_dim",
)
