"""The kind "regression": standardized targets, losses, answers in the unit of the data."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from edge_ptf.examples import Encoding, Example
from edge_ptf.heads import HeadSpec, RegressionHead

SPEC = RegressionHead.declare("regression", ("value",))
HEAD = RegressionHead(SPEC.with_options(mean=3.5, deviation=2.0))
NOWHERE = Encoding([2, 5, 3], None)


def test_mean_and_deviation_come_from_train() -> None:
    values = [1.0, 2.0, 4.0, 9.0]
    options = RegressionHead(SPEC).fitted(values).options
    assert options["mean"] == 4
    assert options["deviation"] == pytest.approx(float(np.std(values)))
    assert RegressionHead(SPEC).fitted([7.0, 7.0]).options == {"mean": 7.0, "deviation": 1.0}
    fitted = RegressionHead(RegressionHead(SPEC).fitted(values))
    targets = [float(fitted.target(Example("x", value), NOWHERE)) for value in values]
    assert (np.mean(targets), np.std(targets)) == (pytest.approx(0, abs=1e-6), pytest.approx(1, rel=1e-6))
    assert fitted.untuned == fitted.spec  # what train decides is no threshold


def test_an_answer_is_in_the_unit_of_the_data() -> None:
    answer = HEAD.decode(np.float32([-1.25]), NOWHERE, "x")
    assert (answer.label, answer.score) == (1.0, 1.0)
    target = HEAD.target(Example("x", 4.75), NOWHERE)
    assert HEAD.decode(np.float32([float(target)]), NOWHERE, "x").label == pytest.approx(4.75)


def test_a_text_without_a_value_has_no_target() -> None:
    assert HEAD.is_labelled(HEAD.target(Example("x", 0.0), NOWHERE))
    assert not HEAD.is_labelled(HEAD.no_target(NOWHERE))
    batch = HEAD.batch_targets([HEAD.target(Example("x", 5.5), NOWHERE), HEAD.no_target(NOWHERE)], 9)
    assert batch.dtype == np.float32
    assert batch[0] == 1 and math.isnan(batch[1])


def test_the_loss_is_the_squared_distance_of_the_texts_with_a_value() -> None:
    logits = torch.tensor([[1.0], [9.0], [-2.0]], requires_grad=True)
    targets = torch.tensor([0.5, float("nan"), 1.0])
    loss = HEAD.loss(logits, targets)
    assert float(loss.detach()) == pytest.approx((0.25 + 9) / 2)
    assert float(HEAD.loss(logits, targets, reduction="sum")) == pytest.approx(9.25)
    loss.backward()
    assert logits.grad is not None and logits.grad.isfinite().all()
    assert float(HEAD.loss(logits, torch.full((3,), float("nan")))) == 0


@pytest.mark.parametrize("form", ["kl", "mse"])
def test_distillation_is_the_squared_distance_of_both_models(form: str) -> None:
    student, teacher = torch.tensor([[1.0], [2.0]]), torch.tensor([[0.0], [4.0]])
    assert float(HEAD.distillation_loss(student, teacher, form, 2.0)) == pytest.approx((1 + 4) / 2)  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{"deviation": 0}, {"deviation": -1}, {"mean": math.nan}, {"mean": math.inf}])
def test_wrong_options_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        RegressionHead(SPEC.with_options(**options))


def test_a_head_has_one_number() -> None:
    with pytest.raises(ValueError, match="answers one number, and has 2 labels"):
        RegressionHead(RegressionHead.declare("regression", ("a", "b")))


def test_the_spec_survives_json_and_transformers_reads_it_as_regression() -> None:
    assert HeadSpec.model_validate_json(HEAD.spec.model_dump_json()) == HEAD.spec
    config = HEAD.model_config()
    assert (config["problem_type"], config["num_labels"], config["id2label"]) == ("regression", 1, {0: "value"})
    assert "3.5 + 2.0 × logit" in HEAD.rules()[0]
