"""The declaration of a head, and the task it belongs to."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from edge_ptf import heads, tasks
from edge_ptf.errors import BadInputError
from edge_ptf.heads import HeadSpec

TEXT = tasks.get("text-classification").spec_for(("a", "b"), "b").with_options(threshold=0.42)
TOKEN = tasks.get("token-classification").spec_for(("O", "B-x", "I-x"))


def test_a_text_head_is_declared_as_the_package_format_says() -> None:
    assert TEXT.model_dump(mode="json") == {
        "name": "main",
        "task": "text-classification",
        "kind": "text",
        "outputs": {"logits": {"tensor": "logits", "axes": ["batch", "label"], "dtype": "float32"}},
        "labels": ["a", "b"],
        "options": {"out_of_scope_label": "b", "threshold": 0.42},
    }


def test_a_token_head_has_a_token_axis_and_its_decoding() -> None:
    head = TOKEN
    assert (head.kind, head.logits.axes, head.options) == ("token", ("batch", "token", "label"), {"decoding": "greedy"})


def test_a_head_says_whether_it_answers_for_each_token() -> None:
    assert not TEXT.per_token
    assert TOKEN.per_token


@pytest.mark.parametrize("spec", [TEXT, TEXT.with_options(out_of_scope_label=None, threshold=None), TOKEN])
def test_a_spec_survives_json_and_makes_its_task(spec: HeadSpec) -> None:
    assert HeadSpec.model_validate_json(spec.model_dump_json()) == spec
    assert tasks.create(spec).head.spec == spec


def test_every_task_declares_its_head() -> None:
    for name in tasks.names():
        spec = tasks.get(name).spec_for(("O", "B-x"))
        assert (spec.task, spec.logits.tensor) == (name, "logits")
        assert spec.logits.axes == heads.HEADS[spec.kind].logits_axes


def test_options_of_a_later_version_are_ignored() -> None:
    later = tasks.create(TEXT.with_options(from_a_later_version=1)).head
    assert (later.options.out_of_scope_label, later.options.threshold) == ("b", 0.42)
    plain = tasks.create(TEXT.replace(options={})).head
    assert (plain.options.out_of_scope_label, plain.options.threshold) == (None, None)


def test_what_was_tuned_is_taken_out() -> None:
    assert tasks.create(TEXT).head.untuned == TEXT.with_options(threshold=None)
    assert tasks.create(TOKEN).head.untuned == TOKEN


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "other"}, "'other' is not a known kind of head"),
        ({"kind": "token"}, "the axes batch, token, label"),
        ({"outputs": {}}, "no output 'logits'"),
        ({"outputs": {"logits": {"tensor": "x", "axes": ["label", "batch"]}}}, "the axes batch, label"),
        ({"outputs": {"logits": {"tensor": "x", "axes": ["batch", "colour"]}}}, "axes"),
        ({"outputs": {"logits": {"tensor": "x", "axes": ["batch", "label"], "dtype": "int64"}}}, "dtype"),
        ({"outputs": {"states": {"tensor": "x", "axes": ["token"]}}}, "'states' do not begin with batch"),
        ({"outputs": {"states": {"tensor": "x", "axes": ["batch", "batch"]}}}, "name it twice"),
    ],
)
def test_outputs_that_do_not_fit_the_kind_are_refused(changes: dict[str, Any], message: str) -> None:
    values = TEXT.model_dump()
    if "states" in changes.get("outputs", {}):
        changes = {"outputs": {**values["outputs"], **changes["outputs"]}}
    with pytest.raises(ValidationError, match=message):
        HeadSpec.model_validate({**values, **changes})


def test_a_head_that_does_not_fit_its_task_is_refused() -> None:
    with pytest.raises(ValidationError, match="threshold"):
        TEXT.with_options(threshold=2)
    with pytest.raises(ValueError, match="is of the kind 'text', not 'token'"):
        tasks.create(TEXT.replace(task="token-classification"))
    with pytest.raises(BadInputError, match="unknown task 'translation'"):
        tasks.create(TEXT.replace(task="translation"))
