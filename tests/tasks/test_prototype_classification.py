"""Prototype classification: its label set, its metrics before and after there are centres, its graph."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import InferenceSession

from edge_ptf import tasks
from edge_ptf.errors import BadInputError
from edge_ptf.examples import Example
from edge_ptf.metrics import gated
from edge_ptf.metrics.retrieval import RecallAtK
from edge_ptf.package import AssembleConfig, deciding
from edge_ptf.package.centres import add_centres
from edge_ptf.preparation import check_labels
from edge_ptf.tasks.base import RowError
from edge_ptf.tasks.prototype_classification import PrototypeClassification
from edge_ptf.tasks.text_classification import TextClassification
from tests.conftest import labelled

LABELS, SCOPE = ("a", "b", "c"), "none"


def test_the_out_of_scope_label_is_no_class() -> None:
    task = tasks.create(PrototypeClassification.spec_for((*LABELS, SCOPE), SCOPE))
    assert tuple(task.head.label_ids) == LABELS and task.out_of_scope_label == SCOPE
    assert [task.check_label(Example("x", label)) is None for label in ("a", SCOPE, "d")] == [True, True, False]
    assert tasks.create(task.head.with_centres(20.0)).head.spec.labels == LABELS


def test_a_model_is_steered_by_recall_and_judged_by_accuracy() -> None:
    model = tasks.create(PrototypeClassification.spec_for(LABELS, SCOPE))
    package = tasks.create(model.head.with_centres(20.0))
    assert (model.steering.name, package.steering.name) == ("recall_at_1", "in_scope_accuracy")
    names = [metric.name for metric in gated(model.metrics)]
    assert names == [metric.name for metric in gated(package.metrics)] == ["in_scope_accuracy", "out_of_scope_recall"]
    assert model.describe((0.5, 0.25, 0, 0, 1.0), None).endswith("(5 numbers)") and package.describe("a", None) == "a"


def test_texts_out_of_scope_do_not_search_and_can_be_found() -> None:
    metric = RecallAtK(name="recall_at_1", title="recall@1", scattered=SCOPE)
    references = ["a", "a", SCOPE, SCOPE, "b", "b"]
    vectors = [(1.0, 0.0), (0.9, 0.1), (0.0, 1.0), (0.0, 1.0), (-1.0, 0.1), (0.1, 0.9)]
    rows = metric.per_example(references, vectors)
    assert rows[:, 1].tolist() == [1, 1, 0, 0, 1, 1]
    assert rows[:, 0].tolist() == [1, 1, 0, 0, 0, 0]  # the last text is nearer to those out of scope
    assert metric.score(metric.per_example(references, references)) == 100
    assert replace(metric, scattered=None).per_example(references, vectors)[:, 1].all()


def test_shorter_vectors_are_refused_before_the_training() -> None:
    task = tasks.create(PrototypeClassification.spec_for(LABELS))
    assert deciding(task, AssembleConfig()) is task
    with pytest.raises(BadInputError, match=r"assemble\.dimensions is 8, but prototype-classification compares"):
        deciding(task, AssembleConfig(dimensions=8))


def test_rows_are_those_of_text_classification_without_pairs() -> None:
    assert PrototypeClassification.columns == TextClassification.columns
    assert PrototypeClassification.optional_columns == ()
    with pytest.raises(RowError, match="the label is empty"):
        PrototypeClassification.example({"text": "a", "label": " "})
    with pytest.raises(BadInputError, match="cannot share an encoder"):
        tasks.get("x=prototype-classification,y=text-classification")


def test_labels_of_data_and_model_are_compared() -> None:
    data = labelled("prototype-classification")
    known = PrototypeClassification.spec_for(LABELS)
    check_labels(data, known)
    check_labels(data, tasks.create(known).head.with_centres(20.0))
    with pytest.raises(BadInputError, match="only in the model: d"):
        check_labels(data, PrototypeClassification.spec_for((*LABELS, "d")))


def test_the_graph_gives_cosines_beside_the_vector() -> None:
    weight = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["logits"], "last")],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 4])],
        [numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    centres = np.random.default_rng(1).normal(size=(2, 4))
    add_centres(model, "logits", centres)
    onnx.checker.check_model(model)
    session = InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    assert [each.name for each in session.get_outputs()] == ["logits", "vector"]
    logits, vector = session.run(None, {"x": np.ones((1, 3), np.float32)})
    assert vector[0] == pytest.approx(weight.sum(0), rel=1e-5)
    assert logits[0] == pytest.approx(centres @ vector[0], rel=1e-5)
