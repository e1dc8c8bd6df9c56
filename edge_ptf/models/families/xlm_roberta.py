"""XLM-RoBERTa: RoBERTa in a hundred languages, with another tokenizer."""

from __future__ import annotations

from dataclasses import replace

from edge_ptf.models.families import roberta

FAMILY = replace(roberta.FAMILY, name="xlm-roberta")
