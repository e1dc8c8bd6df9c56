"""Pages from JSON Schema files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tools.reference.markdown import sentence, table

DOCS = Path(__file__).resolve().parents[2] / "docs"


def page(file: str, title: str, text: str) -> str:
    """A page about one schema file in `docs/`: the top level, then each definition."""
    schema = json.loads((DOCS / file).read_text(encoding="utf-8"))
    parts = [f"# {title}\n", text, "", f"The schema file is [{file}](../{file}).", "", "## Top level\n", _table(schema)]
    for name, definition in schema.get("$defs", {}).items():
        parts += [f"\n## {name}\n", sentence(definition.get("description", "").split("\n\n")[0])]
        if "properties" in definition:
            parts += ["", _table(definition)]
        elif "enum" in definition:
            parts += ["", "Values: " + ", ".join(f"`{value}`" for value in definition["enum"]) + "."]
    return "\n".join(parts) + "\n"


def _table(schema: dict[str, Any]) -> str:
    required = set(schema.get("required", ()))
    rows = [
        (
            f"`{name}`",
            _type(field),
            "yes" if name in required else json.dumps(field["default"]) if "default" in field else "no",
            field.get("description", ""),
        )
        for name, field in schema.get("properties", {}).items()
    ]
    return table(("field", "type", "required, or default", "meaning"), rows)


def _type(field: dict[str, Any]) -> str:  # noqa: PLR0911
    if "$ref" in field:
        name = field["$ref"].split("/")[-1]
        return f"[{name}](#{name.lower()})"
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    for key in ("anyOf", "oneOf", "allOf"):
        if key in field:
            return " or ".join(_type(part) for part in field[key])
    if field.get("type") == "array":
        items = field.get("items") or {}
        return f"list of {_type(items)}" if items else "list"
    inner = field.get("additionalProperties")
    if field.get("type") == "object" and isinstance(inner, dict):
        return f"mapping of text to {_type(inner)}"
    kind = field.get("type", "any value")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)
