from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from edge_ptf import models, tasks
from edge_ptf.compression.importance import (
    LayerImportance,
    fisher,
    fisher_hidden,
    magnitude,
    magnitude_hidden,
    strongest,
)
from edge_ptf.data.dataset import LabelledData
from edge_ptf.examples import Encoding
from edge_ptf.heads import Head
from edge_ptf.models.checkpoint import load_base_model, load_tokenizer, model_inputs
from edge_ptf.progress import SILENT
from edge_ptf.training.batching import Item, collate
from edge_ptf.training.finetuning import labelled_items

TEXT, TOKEN = "text-classification", "token-classification"
SHAPES = [([0, 2, 3], range(64)), ([], range(0, 64, 3)), ([1], [])]

torch.set_num_threads(1)


def prepared(base: Path, data: LabelledData, task: str) -> tuple[Any, Head, list[Item], tuple[str, ...]]:
    kind = tasks.create(tasks.get(task).spec_for(data.labels))
    torch.manual_seed(0)
    model, tokenizer = load_base_model(base, kind).eval(), load_tokenizer(base)
    with torch.no_grad():
        for value in model.parameters():
            value.add_(torch.randn_like(value) * 0.1)
    for part, (heads, neurons) in zip(models.parts(model), SHAPES, strict=True):
        models.slice_layer(part, heads, neurons)
    return model, kind.head, labelled_items(tokenizer, kind, data.train, 32), model_inputs(model, tokenizer)


def one_by_one(model: Any, items: list[Item], inputs: tuple[str, ...]) -> list[LayerImportance]:
    """A mask on the input of an output projection scales the columns of its weight: gradient times weight, summed."""
    size = models.head_size(model)
    parts = models.parts(model)
    sums = [LayerImportance(np.zeros(part.num_heads), np.zeros(part.intermediate_size)) for part in parts]
    for item in items:
        length = len(item.encoding.input_ids)
        known = {
            "input_ids": item.encoding.input_ids,
            "attention_mask": [1] * length,
            "token_type_ids": item.encoding.token_type_ids or [0] * length,
        }
        logits = model(**{name: torch.tensor([known[name]]) for name in inputs}).logits
        target = torch.tensor(item.target).reshape(-1)
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), target, reduction="sum")
        model.zero_grad()
        loss.backward()
        for part, total in zip(parts, sums, strict=True):
            if part.num_heads:
                weight = part.get(part.family.attention_output).weight
                columns = (weight * weight.grad).sum(0)
                total.heads.__iadd__(columns.view(-1, size).sum(1).detach().double().numpy() ** 2)
            if part.intermediate_size:
                weight = part.get(part.family.feed_forward_output).weight
                total.neurons.__iadd__((weight * weight.grad).sum(0).detach().double().numpy() ** 2)
    model.zero_grad()
    return [LayerImportance(total.heads / len(items), total.neurons / len(items)) for total in sums]


@pytest.mark.parametrize("task", [TEXT, TOKEN])
@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta", "electra"])
def test_fisher_equals_one_text_at_a_time(
    tiny_base: Callable[[str], Path], tiny_data: Callable[..., LabelledData], family: str, task: str
) -> None:
    model, head, items, inputs = prepared(tiny_base(family), tiny_data(task), task)
    assert len({len(item.encoding.input_ids) for item in items}) > 3
    pad = int(model.config.pad_token_id)
    found = fisher(model, head, items, inputs, pad, SILENT)
    for got, wanted, (heads, neurons) in zip(found, one_by_one(model, items, inputs), SHAPES, strict=True):
        assert got.heads.shape == (len(heads),)
        assert got.neurons.shape == (len(neurons),)
        assert np.allclose(got.heads, wanted.heads, rtol=1e-3, atol=1e-12)
        assert np.allclose(got.neurons, wanted.neurons, rtol=1e-3, atol=1e-12)
        assert (got.heads > 0).all()


@pytest.mark.parametrize("task", [TEXT, TOKEN])
@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta", "electra"])
def test_fisher_of_hidden_states_equals_one_text_at_a_time(
    tiny_base: Callable[[str], Path], tiny_data: Callable[..., LabelledData], family: str, task: str
) -> None:
    """A mask on the output of a module scales its weights and bias row by row: gradient times value, summed."""
    model, head, items, inputs = prepared(tiny_base(family), tiny_data(task), task)
    places = [models.embedded(model)]
    places = [getattr(places[0], "LayerNorm", places[0])]
    places += [part.get(path) for part in models.parts(model) for path in part.family.norms]
    wanted = np.zeros(32)
    for item in items:
        tensors = collate([item], inputs, 0, head)
        logits = model(**{name: tensors[name] for name in inputs}).logits
        targets = tensors["targets"].reshape(-1)
        model.zero_grad()
        torch.nn.functional.cross_entropy(logits.view(-1, logits.shape[-1]), targets, reduction="sum").backward()
        products = [value * value.grad for place in places for value in (place.weight, place.bias)]
        rows = [each.sum(1) if each.ndim == 2 else each for each in products]
        wanted += torch.stack(rows).sum(0).detach().double().numpy() ** 2
    model.zero_grad()
    found = fisher_hidden(model, head, items, inputs, int(model.config.pad_token_id), SILENT)
    assert np.allclose(found, wanted / len(items), rtol=1e-3, atol=1e-12)
    assert not any(module._forward_hooks for module in model.modules())
    assert all(value.requires_grad for value in model.parameters())


def test_fisher_leaves_the_model_as_it_was(
    tiny_base: Callable[[str], Path], tiny_data: Callable[..., LabelledData]
) -> None:
    model, head, items, inputs = prepared(tiny_base("bert"), tiny_data(), TEXT)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    first = fisher(model, head, items, inputs, 0, SILENT)
    second = fisher(model, head, items, inputs, 0, SILENT)
    for left, right in zip(first, second, strict=True):
        assert np.array_equal(left.heads, right.heads)
        assert np.array_equal(left.neurons, right.neurons)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(value.requires_grad and value.grad is None for value in model.parameters())
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_texts_without_a_label_do_not_count(
    tiny_base: Callable[[str], Path], tiny_data: Callable[..., LabelledData]
) -> None:
    model, head, items, inputs = prepared(tiny_base("bert"), tiny_data(), TEXT)
    extra = [Item(Encoding([2, 60, 61, 3], [0] * 4), np.asarray(-100), 0)]
    with_extra, without = (fisher(model, head, chosen, inputs, 0, SILENT) for chosen in (items + extra, items))
    for left, right in zip(with_extra, without, strict=True):
        assert np.allclose(left.heads, right.heads, rtol=1e-4)


@pytest.mark.parametrize("family", ["bert", "distilbert"])
def test_magnitude_sums_the_weights_that_leave_a_part(
    tiny_base: Callable[[str], Path], tiny_data: Callable[..., LabelledData], family: str
) -> None:
    model, _, _, _ = prepared(tiny_base(family), tiny_data(), TEXT)
    found = magnitude(model)
    for part, scores in zip(models.parts(model), found, strict=True):
        assert scores.heads.shape == (part.num_heads,)
        assert scores.neurons.shape == (part.intermediate_size,)
        if part.num_heads:
            weight = part.get(part.family.attention_output).weight.detach().numpy().astype(float)
            assert np.allclose(scores.heads, [(weight[:, 8 * h : 8 * h + 8] ** 2).sum() for h in range(part.num_heads)])
        if part.intermediate_size:
            weight = part.get(part.family.feed_forward_output).weight.detach().numpy().astype(float)
            assert np.allclose(scores.neurons, (weight**2).sum(axis=0))


def test_the_strongest_come_in_order_and_ties_go_to_the_lower_index() -> None:
    scores = np.array([0.5, 2.0, 0.5, 3.0, 0.5])
    assert strongest(scores, 0) == []
    assert strongest(scores, 1) == [3]
    assert strongest(scores, 3) == [0, 1, 3]
    assert strongest(scores, 4) == [0, 1, 2, 3]
    assert strongest(scores, 5) == [0, 1, 2, 3, 4]
    assert strongest(np.zeros(300), 7) == list(range(7))


def cut_loss(gradients: np.ndarray, kept: list[int]) -> float:
    cut = [index for index in range(gradients.shape[1]) if index not in kept]
    return float(np.square(gradients[:, cut].sum(axis=1)).mean())


def test_fisher_keeps_the_gradients_it_is_made_of(
    tiny_base: Callable[[str], Path], tiny_data: Callable[..., LabelledData]
) -> None:
    model, head, items, inputs = prepared(tiny_base("bert"), tiny_data(), TEXT)
    for layer in fisher(model, head, items, inputs, 0, SILENT):
        assert layer.head_gradients is not None
        assert layer.neuron_gradients is not None
        assert layer.head_gradients.shape == (len(items), len(layer.heads))
        assert np.allclose(np.square(layer.neuron_gradients).mean(axis=0), layer.neurons, rtol=1e-4)


def test_exchanges_find_what_can_be_lost_together() -> None:
    """Two parts that cancel each other are best removed together, even if each is important alone."""
    draw = np.random.default_rng(0)
    shared = draw.normal(size=(200, 1)) * 5
    others = draw.normal(size=(200, 2)) * [4.99, 0.1]
    gradients = np.hstack([shared, -0.99 * shared, others]).astype(np.float32)
    scores = np.square(gradients, dtype=np.float64).mean(axis=0)
    assert 0 in strongest(scores, 2)
    assert strongest(scores, 2, gradients) == [2, 3]


@given(st.integers(0, 10_000), st.integers(1, 7), st.integers(0, 7))
def test_no_single_exchange_is_left_that_helps(seed: int, parts: int, count: int) -> None:
    gradients = np.random.default_rng(seed).normal(size=(9, parts)).astype(np.float32)
    scores = np.square(gradients, dtype=np.float64).mean(axis=0)
    count = min(count, parts)
    kept = strongest(scores, count, gradients)
    assert len(kept) == count
    assert kept == sorted(set(kept))
    found = cut_loss(gradients, kept)
    assert found <= cut_loss(gradients, strongest(scores, count)) + 1e-6
    for out in kept:
        for into in set(range(parts)) - set(kept):
            assert found <= cut_loss(gradients, [*(set(kept) - {out}), into]) + 1e-6


def test_magnitude_of_hidden_states_sums_the_weights_that_write_them(
    tiny_base: Callable[[str], Path], tiny_data: Callable[..., LabelledData]
) -> None:
    model, _, _, _ = prepared(tiny_base("bert"), tiny_data(), TEXT)
    before = magnitude_hidden(model)
    assert before.shape == (32,)
    with torch.no_grad():
        models.parts(model)[0].get("output.dense").weight[5] += 3
    assert np.flatnonzero(magnitude_hidden(model) != before).tolist() == [5]
