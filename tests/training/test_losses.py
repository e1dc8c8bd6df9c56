from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge_ptf.heads.losses import label_loss, logit_distance, soft_cross_entropy
from edge_ptf.training import losses

torch.set_num_threads(1)


def softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values - values.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    return draw.normal(size=(7, 5)) * 3, draw.normal(size=(7, 5)) * 3


def value(loss: torch.Tensor) -> float:
    assert loss.ndim == 0
    return float(loss)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_soft_cross_entropy_is_the_divergence_times_the_squared_temperature(
    pair: tuple[np.ndarray, np.ndarray], temperature: float
) -> None:
    student, teacher = pair
    own, wanted = softmax(student / temperature), softmax(teacher / temperature)
    expected = (wanted * np.log(wanted / own)).sum(-1).mean() * temperature**2
    found = soft_cross_entropy(torch.from_numpy(student), torch.from_numpy(teacher), temperature)
    assert value(found) == pytest.approx(expected, rel=1e-9)
    assert value(soft_cross_entropy(*[torch.from_numpy(teacher)] * 2, temperature)) == pytest.approx(0, abs=1e-12)


def test_logit_distance_takes_out_a_common_shift(pair: tuple[np.ndarray, np.ndarray]) -> None:
    student, teacher = pair
    own, wanted = (values - values.mean(-1, keepdims=True) for values in pair)
    found = value(logit_distance(torch.from_numpy(student), torch.from_numpy(teacher)))
    assert found == pytest.approx(((own - wanted) ** 2).mean(), rel=1e-9)
    shifted = torch.from_numpy(student + np.arange(7)[:, None])
    assert value(logit_distance(shifted, torch.from_numpy(teacher))) == pytest.approx(found, rel=1e-9)


def test_label_loss_is_the_mean_over_what_has_a_label() -> None:
    logits = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    targets = torch.tensor([[1, -100, 2], [-100, -100, 0]])
    chances = logits.log_softmax(-1)
    wanted = -(chances[0, 0, 1] + chances[0, 2, 2] + chances[1, 2, 0]) / 3
    assert torch.allclose(label_loss(logits, targets), wanted)
    nothing = label_loss(logits, torch.full_like(targets, -100))
    assert nothing.item() == 0
    assert torch.equal(torch.autograd.grad(nothing, logits)[0], torch.zeros_like(logits))


def test_hidden_distance_is_in_units_of_the_teachers_variance() -> None:
    draw = np.random.default_rng(0)
    student, teacher = draw.normal(size=(11, 8)), draw.normal(size=(11, 8)) * 5
    found = value(losses.hidden_distance(torch.from_numpy(student), torch.from_numpy(teacher)))
    assert found == pytest.approx(((student - teacher) ** 2).mean() / teacher.var(ddof=1), rel=1e-9)
    scaled = losses.hidden_distance(torch.from_numpy(student * 100), torch.from_numpy(teacher * 100))
    assert value(scaled) == pytest.approx(found, rel=1e-9)
    flat = losses.hidden_distance(torch.ones(3, 4), torch.zeros(3, 4))
    assert np.isfinite(value(flat))


def relations(hidden: np.ndarray, heads: int) -> np.ndarray:
    """[heads, length, length] of one text without padding."""
    split = hidden.reshape(len(hidden), heads, -1).transpose(1, 0, 2)
    return softmax(split @ split.transpose(0, 2, 1) / np.sqrt(split.shape[-1]))


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_relation_divergence_is_that_of_each_text_without_its_padding(heads: int) -> None:
    draw = np.random.default_rng(0)
    student, teacher = draw.normal(size=(3, 6, 8)), draw.normal(size=(3, 6, 16))
    lengths = [6, 4, 1]
    mask = np.arange(6)[None] < np.array(lengths)[:, None]
    rows = []
    for text, length in enumerate(lengths):
        own, wanted = relations(student[text, :length], heads), relations(teacher[text, :length], heads)
        rows.append((wanted * np.log(wanted / own)).sum(-1).ravel())
    tensors = [torch.from_numpy(values) for values in (student, teacher, mask)]
    found = losses.relation_divergence(*tensors, heads)
    assert value(found) == pytest.approx(np.concatenate(rows).mean(), rel=1e-6)
    student[~mask], teacher[~mask] = 1e3, -1e3
    tensors = [torch.from_numpy(values) for values in (student, teacher, mask)]
    assert value(losses.relation_divergence(*tensors, heads)) == pytest.approx(value(found), rel=1e-6)


def test_gradients_are_finite_and_lead_to_the_teacher() -> None:
    generator = torch.Generator().manual_seed(0)
    teacher = torch.randn(2, 5, 8, generator=generator)
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]]).bool()
    for loss in (
        lambda state: losses.relation_divergence(state, teacher, mask, 2),
        lambda state: losses.hidden_distance(state[mask], teacher[mask]),
        lambda state: logit_distance(state[mask], teacher[mask]),
        lambda state: soft_cross_entropy(state[mask], teacher[mask], 2.0),
    ):
        state = torch.randn(2, 5, 8, generator=generator).requires_grad_(True)
        before = loss(state)
        (gradient,) = torch.autograd.grad(before, state)
        assert torch.isfinite(gradient).all()
        assert gradient[~mask].abs().max() == 0
        assert float(loss(state.detach() - 0.1 * gradient)) < float(before.detach())


@given(arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(1, 5)), elements=st.integers(0, 20)))
def test_the_nearest_layers_in_order_are_those_of_the_least_sum(apart: np.ndarray) -> None:
    own, theirs = apart.shape
    found = losses.nearest_in_order(apart)
    assert found == sorted(found)
    orders = itertools.combinations_with_replacement(range(theirs), own)
    least = min(sum(apart[row, column] for row, column in enumerate(order)) for order in orders)
    assert sum(apart[row, column] for row, column in enumerate(found)) == least
