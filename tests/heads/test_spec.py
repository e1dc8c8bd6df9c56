"""The declaration of a head, and the task it belongs to."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from edge_ptf import heads, tasks
from edge_ptf.errors import BadInputError
from edge_ptf.heads import HeadSpec
from edge_ptf.tasks.base import TaskSpec

TEXT = tasks.get("text-classification").spec_for(("a", "b"), "b").replace(threshold=0.42)
TOKEN = tasks.get("token-classification").spec_for(("O", "B-x", "I-x"))


def test_a_text_head_is_declared_as_the_package_format_says() -> None:
    assert tasks.create(TEXT).head.model_dump(mode="json") == {
        "name": "main",
        "task": "text-classification",
        "kind": "text",
        "outputs": {"logits": {"tensor": "logits", "axes": ["batch", "label"], "dtype": "float32"}},
        "labels": ["a", "b"],
        "options": {"out_of_scope_label": "b", "threshold": 0.42},
    }


def test_a_token_head_has_a_token_axis_and_no_options() -> None:
    head = tasks.create(TOKEN).head
    assert (head.kind, head.logits.axes, head.options) == ("token", ("batch", "token", "label"), {})


def test_a_head_says_whether_it_answers_for_each_token() -> None:
    assert not tasks.create(TEXT).head.per_token
    assert tasks.create(TOKEN).head.per_token
    assert {kind: heads.is_per_token(kind) for kind in heads.LOGITS_AXES} == {"text": False, "token": True}


@pytest.mark.parametrize("spec", [TEXT, TEXT.replace(out_of_scope_label=None, threshold=None), TOKEN])
def test_the_spec_of_a_task_comes_back_from_its_head(spec: TaskSpec) -> None:
    head = HeadSpec.model_validate_json(tasks.create(spec).head.model_dump_json())
    assert tasks.spec_of(head) == spec


def test_every_task_has_a_known_kind_of_head() -> None:
    for name in tasks.names():
        head = tasks.create(tasks.get(name).spec_for(("O", "B-x"))).head
        assert (head.task, head.logits.tensor) == (name, "logits")
        assert head.logits.axes == heads.LOGITS_AXES[head.kind]


def test_options_of_a_later_version_are_ignored() -> None:
    head = tasks.create(TEXT).head
    assert tasks.spec_of(head.replace(options={**head.options, "from_a_later_version": 1})) == TEXT
    assert tasks.spec_of(head.replace(options={})) == TEXT.replace(out_of_scope_label=None, threshold=None)


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
    values = tasks.create(TEXT).head.model_dump()
    if "states" in changes.get("outputs", {}):
        changes = {"outputs": {**values["outputs"], **changes["outputs"]}}
    with pytest.raises(ValidationError, match=message):
        HeadSpec.model_validate({**values, **changes})


def test_a_head_that_does_not_fit_its_task_is_refused() -> None:
    head = tasks.create(TEXT).head
    with pytest.raises(ValueError, match="threshold"):
        tasks.spec_of(head.replace(options={"threshold": 2}))
    with pytest.raises(ValueError, match="has a head of the kind 'token', not 'text'"):
        tasks.spec_of(head.replace(task="token-classification"))
    with pytest.raises(BadInputError, match="unknown task 'translation'"):
        tasks.spec_of(head.replace(task="translation"))
