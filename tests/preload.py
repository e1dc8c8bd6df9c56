"""What a process of `tests/commands.py` does once, before commands are forked from it.

It imports what the commands import. It also makes and proves the character table of the tokenizer of most tests: a
process does so once for each tokenizer, and the commands of the tests are processes of their own.
"""

from __future__ import annotations

import gc
from importlib import import_module

MODULES = (
    *("torch", "transformers.trainer", "transformers.models.bert.modeling_bert", "datasets"),
    *("transformers.models.auto.modeling_auto", "onnx", "onnxruntime", "scipy.stats", "bokeh.embed"),
    *("edge_ptf.api.jobs", "edge_ptf.cli.compress", "edge_ptf.pipeline", "edge_ptf.report.page"),
)


def prove_the_characters() -> None:
    """Fills the memory of `characters` and `proof` for the tests' WordPiece tokenizer."""
    from edge_ptf.package.tokenizers.wordpiece import KIND
    from tests.conftest import wordpiece_tokenizer

    core = wordpiece_tokenizer().backend_tokenizer
    KIND.prove(core, KIND.tables(core.to_str().encode()), ())


for name in MODULES:
    import_module(name)
prove_the_characters()
gc.freeze()  # a collection of a forked process need not look at these objects
