"""Manifests: read without trust, by the published schema."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_ptf.digests import canonical_json
from edge_ptf.errors import PackageError, VerificationError
from edge_ptf.package import Manifest, Payload, open_payload
from edge_ptf.package.archive import Archive
from edge_ptf.package.manifest import MANIFEST, json_schema

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "package.schema.json"
MakePayload = Callable[..., Payload]
Rewritten = Callable[..., Path]


def manifest_of(payload: Payload) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(Archive(payload.path).read(MANIFEST))
    return document


def test_the_published_schema_is_that_of_the_code() -> None:
    published = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert published == json.loads(json.dumps(json_schema())), (
        "write manifest.json_schema() to docs/package.schema.json"
    )
    jsonschema.Draft202012Validator.check_schema(published)


@pytest.mark.parametrize("kind", ["text-classification", "token-classification"])
def test_a_manifest_fits_the_published_schema(make_payload: MakePayload, kind: str) -> None:
    document = manifest_of(make_payload(kind=kind))
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.validate(document, schema)
    jsonschema.validate(with_unknown_fields(document), schema)
    for field in ("graphs", "heads", "files", "tokenizer", "golden", "requires", "lineage"):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({key: value for key, value in document.items() if key != field}, schema)


def with_unknown_fields(value: Any) -> Any:
    """The document as a later minor version might write it: one more field in every object that has fixed fields."""
    if isinstance(value, list):
        return [with_unknown_fields(item) for item in value]
    if not isinstance(value, dict):
        return value
    free = ("config", "facts", "tools", "options", "engines")
    if value and all(
        isinstance(item, dict) and "tensor" in item for item in value.values()
    ):  # a head's outputs, by role
        return {key: with_unknown_fields(item) for key, item in value.items()}
    grown = {key: item if key in free else with_unknown_fields(item) for key, item in value.items()}
    return {**grown, "from_a_later_version": [1]}


def test_unknown_fields_are_ignored_at_every_depth(make_payload: MakePayload, rewritten: Rewritten) -> None:
    payload = make_payload()
    document = with_unknown_fields(manifest_of(payload)) | {"version": "2.7"}
    opened = open_payload(rewritten(payload, {MANIFEST: canonical_json(document)}))
    assert opened.manifest == payload.manifest.model_copy(update={"version": "2.7"})
    assert opened.digest != payload.digest


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": "3.0"}, r"package format 3\.0; this edge-ptf reads 2\.x"),
        ({"version": "1.2"}, r"package format 1\.2; this edge-ptf reads 2\.x"),
        ({"version": "2"}, "version"),
        ({"version": None}, "damaged"),
        ({"format": "another"}, "format"),
        ({"heads": []}, "heads"),
        ({"graphs": []}, "graphs"),
        ({"files": []}, "not among them"),
        ({"name": 5}, "name"),
    ],
)
def test_a_manifest_that_breaks_a_rule_is_refused(
    make_payload: MakePayload, rewritten: Rewritten, changes: dict[str, Any], message: str
) -> None:
    payload = make_payload()
    with pytest.raises(PackageError, match=message):
        open_payload(rewritten(payload, {MANIFEST: canonical_json(manifest_of(payload) | changes)}))


def test_a_package_of_an_earlier_format_must_be_made_again(make_payload: MakePayload, rewritten: Rewritten) -> None:
    payload = make_payload()
    for version, hint in (("1.2", "Make the package again with this edge-ptf"), ("3.0", "Use a newer edge-ptf")):
        path = rewritten(payload, {MANIFEST: canonical_json(manifest_of(payload) | {"version": version})})
        with pytest.raises(PackageError) as caught:
            open_payload(path)
        assert str(caught.value) == f"{path}: package format {version}; this edge-ptf reads 2.x. {hint}"


def test_parts_of_one_manifest_must_agree(make_payload: MakePayload, rewritten: Rewritten) -> None:
    payload = make_payload()
    whole = manifest_of(payload)
    graph, head = whole["graphs"][0], whole["heads"][0]
    for changes, message in [
        ({"graphs": [graph, graph]}, "graphs: 'main' is named twice"),
        ({"heads": [head, head]}, "heads: 'main' is named twice"),
        ({"heads": [head, head | {"name": "b", "text_pairs": True}]}, "some take pairs of texts"),
        (
            {"graphs": [graph, graph | {"name": "b"}], "heads": [head, head | {"name": "b", "graph": "b"}]},
            "two graphs have the output 'logits'",
        ),
    ]:
        with pytest.raises(PackageError, match=message):
            open_payload(rewritten(payload, {MANIFEST: canonical_json(whole | changes)}))
    several = open_payload(
        rewritten(payload, {MANIFEST: canonical_json(whole | {"heads": [head, head | {"name": "b"}]})})
    )
    assert [each.name for each in several.manifest.heads] == ["main", "b"]


def test_a_manifest_that_refers_to_nothing_is_refused(make_payload: MakePayload, rewritten: Rewritten) -> None:
    payload = make_payload()
    for place, value, message in [
        (("heads", 0, "graph"), "other", "no graph 'other'"),
        (("graphs", 0, "file"), "other.onnx", "other.onnx"),
        (("golden", "file"), "other.jsonl", "other.jsonl"),
        (("tokenizer", "huggingface"), "other.json", "other.json"),
        (("files", 0, "path"), "../../etc/passwd", "not a plain relative path"),
        (("files", 0, "path"), "model.onnx", "named twice"),
        (("files", 0, "path"), MANIFEST, "named twice"),
        (("files", 0, "sha256"), "0", "sha256"),
        (("files", 0, "size"), -1, "size"),
        (("heads", 0, "options", "threshold"), 2, "threshold"),
        (("heads", 0, "options", "threshold"), "low", "threshold"),
        (("heads", 0, "task"), "translation", "unknown task 'translation'"),
        (("heads", 0, "task"), "token-classification", "is of the kind 'text', not 'token'"),
        (("heads", 0, "kind"), "other", "'other' is not a known kind of head"),
        (("heads", 0, "kind"), "token", "the axes batch, token, label"),
        (("heads", 0, "outputs"), {}, "no output 'logits'"),
        (("heads", 0, "outputs", "logits", "tensor"), "other", "no output 'other'"),
        (("heads", 0, "outputs", "logits", "axes"), ["batch", "colour"], "axes"),
        (("heads", 0, "outputs", "logits", "dtype"), "int64", "dtype"),
        (("heads", 0, "labels"), ["a", "b"], "has 2 labels; its output 'logits' has 3"),
        (("graphs", 0, "outputs", 0, "shape"), ["batch", "length", 3], "not float32 with 2 axes"),
        (("graphs", 0, "outputs", 0, "dtype"), "int64", "not float32 with 2 axes"),
        (("graphs", 0, "format"), "other", "format"),
        (("tokenizer", "kind"), None, "tables without a kind"),
    ]:
        document = manifest_of(payload)
        spot = document
        for part in place[:-1]:
            spot = spot[part]
        spot[place[-1]] = value
        with pytest.raises(PackageError, match=message):
            open_payload(rewritten(payload, {MANIFEST: canonical_json(document)}))


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'"text"', b"[" * 100_000, b"\xff\xfe", b'{"version":"2.0"}'])
def test_a_manifest_that_is_none_is_refused(make_payload: MakePayload, rewritten: Rewritten, content: bytes) -> None:
    with pytest.raises(PackageError):
        open_payload(rewritten(make_payload(), {MANIFEST: content}))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_value_anywhere_in_the_manifest_is_read_or_refused(
    make_payload: MakePayload, rewritten: Rewritten, data: st.DataObject
) -> None:
    payload = make_payload()
    document = manifest_of(payload)
    document["lineage"]["steps"] = []
    spot: Any = document
    while True:
        key = data.draw(st.sampled_from(sorted(spot) if isinstance(spot, dict) else range(len(spot))))
        if not isinstance(spot[key], dict | list) or not spot[key] or data.draw(st.booleans()):
            break
        spot = spot[key]
    scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
    spot[key] = data.draw(st.recursive(scalars, lambda inner: st.lists(inner, max_size=2), max_leaves=3))
    try:
        opened = open_payload(rewritten(payload, {MANIFEST: json.dumps(document).encode()}))
    except (PackageError, VerificationError):
        return
    assert opened.manifest.head
    assert opened.manifest.graph


def test_manifests_are_data_alone(make_payload: MakePayload) -> None:
    text = Archive(make_payload().path).read(MANIFEST).decode()
    assert str(Path.home()) not in text
    assert "/tmp" not in text
    assert Manifest.model_validate_json(text) == make_payload().manifest
