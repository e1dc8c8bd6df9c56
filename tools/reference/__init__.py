"""The reference pages of the documentation, made from the code. `tools/site.py` puts them into the site.

Each module makes pages of one kind. A page is Markdown text; nothing here needs MkDocs.
"""

from __future__ import annotations

from tools.reference import c_api, commands, configuration, exit_codes, json_schemas, python_api

__all__ = ["pages"]


def pages() -> dict[str, str]:
    """The text of each page, by its file name."""
    return {
        "index.md": _index(),
        "commands.md": commands.page(),
        "python-api.md": python_api.page(),
        "recipe.md": configuration.recipe_page(),
        "profile.md": configuration.profile_page(),
        "c-api.md": c_api.page(),
        "exit-codes.md": exit_codes.page(),
        "bench-schema.md": json_schemas.page(
            "bench.schema.json",
            "Bench record",
            "One launch of a latency measurement writes one record. The Python program and the C++ runner write the "
            "same form.",
        ),
        "manifest-schema.md": json_schemas.page(
            "package.schema.json",
            "Manifest",
            "The fields of `manifest.json`. [The package format](../package.md) explains them.",
        ),
    }


def _index() -> str:
    return """# Reference

`make docs` makes these pages from the code.

| page | content | made from |
| --- | --- | --- |
| [Commands](commands.md) | every command with its options, defaults and ranges | the command line program |
| [Python API](python-api.md) | every public function with its arguments and an example | signatures and docstrings |
| [Recipe](recipe.md) | every setting of `edge-ptf.yaml` and `--set` | the models of the stages |
| [Profile](profile.md) | every field of a hardware profile, and the shipped profiles | the model of a profile |
| [C API](c-api.md) | every function, type and constant of `edge_ptf.h` | the header |
| [Exit codes](exit-codes.md) | the meaning of exit codes | the error classes |
| [Package format](../package.md) | the normative text about `.eptf` files | written by hand |
| [Manifest](manifest-schema.md) | the fields of `manifest.json` | `docs/package.schema.json` |
| [Bench record](bench-schema.md) | the fields of a latency record | `docs/bench.schema.json` |
| [Runner](../runner.md) | how to build, install and call the C++ runner | written by hand |
"""
