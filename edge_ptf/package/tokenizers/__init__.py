"""The runner's tokenizer tables: written from what the Hugging Face tokenizer does, and proven against it.

One module for each kind, which defines `KIND`. To add a kind, add its module to this package and its name to
`MODULES`. See docs/how-to/add-a-tokenizer.md.
"""

from __future__ import annotations

import json
from importlib import import_module

from edge_ptf.package.tokenizers.base import TokenizerKind, UnsupportedTokenizerError

__all__ = ["KINDS", "MODULES", "TokenizerKind", "UnsupportedTokenizerError", "kind_of"]

MODULES = ("wordpiece",)

KINDS: dict[str, TokenizerKind] = {name: import_module(f"{__name__}.{name}").KIND for name in MODULES}


def kind_of(document: bytes) -> TokenizerKind:
    """The kind of the tokenizer that a `tokenizer.json` describes.

    Raises:
        UnsupportedTokenizerError: the runner has no such tokenizer.
    """
    model = (json.loads(document).get("model") or {}).get("type", "none")
    for kind in KINDS.values():
        if kind.model == model:
            return kind
    known = ", ".join(kind.model for kind in KINDS.values())
    raise UnsupportedTokenizerError(f"model {model} (known to the runner: {known})")
