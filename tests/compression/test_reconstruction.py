from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from edge_ptf import models, tasks
from edge_ptf.compression.reconstruction import RIDGE, _bias_alone, _changes, _Sums, reconstruct
from edge_ptf.data.dataset import LabelledData
from edge_ptf.models.checkpoint import Checkpoint, load_model, load_tokenizer, model_inputs
from edge_ptf.progress import SILENT
from edge_ptf.training.batching import Item
from edge_ptf.training.finetuning import labelled_items

TEXT, TOKEN = "text-classification", "token-classification"
FAMILIES = ["bert", "distilbert", "roberta", "electra"]
ALL_HEADS, ALL_UNITS = range(4), range(64)

torch.set_num_threads(1)


class Case:
    """A tiny teacher with weights large enough to matter, and texts."""

    def __init__(self, teacher: Checkpoint, data: LabelledData) -> None:
        self.teacher, tokenizer = load_model(teacher), load_tokenizer(teacher.path)
        torch.manual_seed(1)
        with torch.no_grad():
            for part in models.parts(self.teacher):
                for linear in (part.family.attention_output, part.family.feed_forward_output):
                    part.get(linear).weight.add_(torch.randn_like(part.get(linear).weight) * 0.2)
        task = tasks.create(teacher.info.head)
        self.items: list[Item] = labelled_items(tokenizer, task, data.train, teacher.info.max_length)
        self.inputs, self.pad = model_inputs(self.teacher, tokenizer), int(tokenizer.pad_token_id)
        self.first_token = teacher.info.head.task == TEXT

    def student(self, *cut: tuple[Any, Any]) -> Any:
        model = copy.deepcopy(self.teacher)
        for part, (heads, neurons) in zip(models.parts(model), cut, strict=True):
            models.slice_layer(part, list(heads), list(neurons))
        return model

    def fit(self, student: Any, form: Any, origins: tuple[int, ...] = (0, 1, 2)) -> list[float]:
        return reconstruct(
            student, self.teacher, origins, form, self.items, self.inputs, self.pad, self.first_token, SILENT
        )

    def states(self, model: Any) -> list[Any]:
        """Hidden states after each layer for each text alone, without padding, and the logits."""
        found = []
        for item in self.items:
            length = len(item.encoding.input_ids)
            known = {
                "input_ids": item.encoding.input_ids,
                "attention_mask": [1] * length,
                "token_type_ids": item.encoding.token_type_ids or [0] * length,
            }
            with torch.no_grad():
                found.append(
                    model(**{name: torch.tensor([known[name]]) for name in self.inputs}, output_hidden_states=True)
                )
        return found

    def distance(self, model: Any) -> float:
        """Mean squared distance between the logits and the teacher's."""
        pairs = zip(self.states(model), self.states(self.teacher), strict=True)
        return float(np.mean([float((own.logits - wanted.logits).square().mean()) for own, wanted in pairs]))


@pytest.fixture
def case(tiny_teacher: Callable[..., Checkpoint], tiny_data: Callable[..., LabelledData]) -> Callable[..., Case]:
    return lambda family="bert", task=TEXT: Case(tiny_teacher(family, task), tiny_data(task))


@pytest.mark.parametrize("form", ["weights", "scales"])
@pytest.mark.parametrize("family", FAMILIES)
def test_an_uncut_model_stays_as_it_is(case: Callable[..., Case], family: str, form: str) -> None:
    made = case(family)
    student = made.student(*[(ALL_HEADS, ALL_UNITS)] * 3)
    assert made.fit(student, form) == [0.0] * 6
    for name, value in made.teacher.state_dict().items():
        assert torch.equal(student.state_dict()[name], value), name
    assert not any(module._forward_pre_hooks for model in (student, made.teacher) for module in model.modules())


@pytest.mark.parametrize("task", [TEXT, TOKEN])
@pytest.mark.parametrize("family", FAMILIES)
def test_answers_come_nearer_to_the_teachers(case: Callable[..., Case], family: str, task: str) -> None:
    made = case(family, task)
    cut = [([0, 2], range(0, 64, 2)), ([], range(20)), ([1, 3], [])]
    plain = made.student(*cut)
    before = made.distance(plain)
    distances = {}
    for form in ("scales", "weights"):
        student = made.student(*cut)
        left = made.fit(student, form)
        assert all(0 <= share <= 1.0001 for share in left)
        distances[form] = made.distance(student)
    assert distances["weights"] < 0.5 * before
    assert distances["scales"] < before
    assert distances["weights"] < distances["scales"]


def test_a_unit_that_copies_another_is_made_up_for(case: Callable[..., Case]) -> None:
    """If a removed unit always has the same output as a kept one, nothing is lost."""
    made = case()
    part = models.parts(made.teacher)[1]
    inner = part.get(part.family.feed_forward_input)
    with torch.no_grad():
        inner.weight[5], inner.bias[5] = inner.weight[9], inner.bias[9]
    whole = (ALL_HEADS, ALL_UNITS)
    student = made.student(whole, (ALL_HEADS, [unit for unit in ALL_UNITS if unit != 5]), whole)
    before = made.distance(student)
    left = made.fit(student, "weights")
    assert left[3] < 0.05
    assert made.distance(student) < 0.05 * before


def test_the_first_refit_is_the_ridge_solution(case: Callable[..., Case]) -> None:
    """Compared with numpy's least squares, with the ridge as additional rows."""
    made = case("bert", TOKEN)
    whole = (ALL_HEADS, ALL_UNITS)
    student, fitted = (made.student((ALL_HEADS, range(24)), whole, whole) for _ in range(2))
    made.fit(fitted, "weights")
    part = models.parts(student)[0]
    rows, missing = [], []
    hook = part.get(part.family.feed_forward_output).register_forward_pre_hook(
        lambda _, given: rows.append(given[0][0])
    )
    sums: dict[str, list[Any]] = {"own": [], "wanted": []}
    for name, model in (("own", student), ("wanted", made.teacher)):
        norm = models.parts(model)[0].get(part.family.feed_forward_norm)
        keep = norm.register_forward_pre_hook(lambda _, given, name=name: sums[name].append(given[0][0]))
        made.states(model)
        keep.remove()
    hook.remove()
    missing = torch.cat(sums["wanted"]).numpy() - torch.cat(sums["own"]).numpy()
    inputs = np.concatenate([torch.cat(rows).numpy(), np.ones((len(missing), 1))], axis=1).astype(np.float64)
    pull = np.sqrt(RIDGE * np.square(inputs).sum() / inputs.shape[1])
    pulls = np.diag([pull] * 24 + [0.0])
    wanted, *_ = np.linalg.lstsq(
        np.vstack([inputs, pulls]), np.vstack([missing, np.zeros((25, missing.shape[1]))]), rcond=None
    )
    outer = models.parts(fitted)[0].get(part.family.feed_forward_output)
    change = (outer.weight - part.get(part.family.feed_forward_output).weight).detach().numpy().T
    assert np.allclose(change, wanted[:-1], atol=2e-3)
    assert np.allclose(
        (outer.bias - part.get(part.family.feed_forward_output).bias).detach().numpy(), wanted[-1], atol=2e-3
    )


@pytest.mark.parametrize("count", [30, 3000])
def test_what_does_not_hold_for_others_is_not_fitted(count: int) -> None:
    """Sixty inputs with a weak relation to the error: few tokens are not enough to learn it."""
    draw = np.random.default_rng(0)
    truth = draw.normal(size=(60, 8)) / 60**0.5
    sums = []
    for number in (count, 1000):
        rows = torch.from_numpy(np.hstack([draw.normal(size=(number, 60)), np.ones((number, 1))]))
        missing = rows[:, :-1] @ torch.from_numpy(truth) + torch.from_numpy(draw.normal(size=(number, 8)))
        sums.append(_Sums.empty(61, 8))
        sums[-1].add(rows, missing)
    fitted, others = sums
    change = _changes(fitted.squares, fitted.linear_ops, None, 0)
    assert change is not None
    assert fitted.gained(change) > 0.3 * fitted.error
    assert (others.gained(change) > 0) == (count == 3000)
    assert others.gained(_bias_alone(others)) >= 0
    assert fitted.joined(others).error == fitted.error + others.error


def test_scales_change_whole_heads_and_units_by_one_factor(case: Callable[..., Case]) -> None:
    made = case()
    student = made.student(([0, 2], range(20)), (ALL_HEADS, ALL_UNITS), (ALL_HEADS, ALL_UNITS))
    before = copy.deepcopy(student)
    made.fit(student, "scales")
    for path, group in (("attention.output.dense", 8), ("output.dense", 1)):
        own, old = (models.parts(model)[0].get(path).weight.detach() for model in (student, before))
        factors = (own / old).view(own.shape[0], -1, group)
        assert (factors - factors[:1, :, :1]).abs().max() < 1e-2
        assert (factors[0, :, 0] - 1).abs().max() > 1e-3


def test_layers_that_are_gone_are_made_up_for_by_those_that_stay(case: Callable[..., Case]) -> None:
    made = case()
    student = made.student(*[(ALL_HEADS, ALL_UNITS)] * 3)
    models.keep_layers(student, [0, 2])
    before = made.distance(student)
    made.fit(student, "weights", (0, 2))
    assert made.distance(student) < before


def test_the_same_texts_give_the_same_weights(case: Callable[..., Case]) -> None:
    made = case()
    cut = [(ALL_HEADS, range(24))] * 3
    first, second = made.student(*cut), made.student(*cut)
    made.fit(first, "weights")
    made.fit(second, "weights")
    for name, value in first.state_dict().items():
        assert torch.equal(second.state_dict()[name], value)
