"""WordPiece, as BERT has it."""

from __future__ import annotations

from edge_ptf.package.tokenizers.base import TokenizerKind
from edge_ptf.package.tokenizers.layout import MODEL, gap, tokenizer_tables
from edge_ptf.package.tokenizers.proof import prove_tables
from edge_ptf.package.tokenizers.reference import TableTokenizer

KIND = TokenizerKind(
    name="wordpiece", model=MODEL, tables=tokenizer_tables, gap=gap, reference=TableTokenizer, prove=prove_tables
)
