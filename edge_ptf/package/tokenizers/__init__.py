"""The runner's tokenizer tables: written from what the Hugging Face tokenizer does, and proven against it."""

from __future__ import annotations

from edge_ptf.package.tokenizers.layout import UnsupportedTokenizerError, tokenizer_tables
from edge_ptf.package.tokenizers.proof import prove_tables
from edge_ptf.package.tokenizers.reference import TableTokenizer

__all__ = ["TableTokenizer", "UnsupportedTokenizerError", "prove_tables", "tokenizer_tables"]
