from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from edge_ptf import models
from edge_ptf.models import LayerShape, family_named, parts, shapes, slice_layer
from edge_ptf.models.checkpoint import load_base_model
from edge_ptf.tasks.text_classification import TextClassification
from edge_ptf.tasks.token_classification import TokenClassification

FAMILIES = ("bert", "distilbert", "roberta", "xlm-roberta", "electra")
LIMIT = 1e-5

torch.set_num_threads(1)


@pytest.fixture
def model(request: pytest.FixtureRequest, tiny_base: Callable[[str], Path]) -> Any:
    """A tiny classifier with nonzero biases, so that the test detects a lost bias."""
    torch.manual_seed(1)
    loaded = load_base_model(tiny_base(request.param), TextClassification(TextClassification.spec_for(("a", "b", "c"))))
    with torch.no_grad():
        for name, value in loaded.named_parameters():
            if name.endswith("bias"):
                value.normal_(0, 0.3)
            elif value.ndim == 2:
                value.normal_(0, 0.2)
    return loaded.eval()


each_family = pytest.mark.parametrize("model", FAMILIES, indirect=True)


def answers(model: Any) -> torch.Tensor:
    """Logits of a padded batch."""
    generator = torch.Generator().manual_seed(2)
    ids = torch.randint(5, 60, (4, 12), generator=generator)
    mask = torch.ones_like(ids)
    mask[1, 7:] = 0
    mask[3, 3:] = 0
    with torch.no_grad():
        return model(input_ids=ids, attention_mask=mask).logits


def zero(model: Any, layer: int, heads: Sequence[int], neurons: Sequence[int]) -> None:
    """Sets the outputs of all other heads and neurons to zero."""
    part, size = parts(model)[layer], models.head_size(model)
    with torch.no_grad():
        attention = part.get(part.family.attention_output).weight
        for head in set(range(part.num_heads)) - set(heads):
            attention[:, head * size : (head + 1) * size] = 0
        inner = part.get(part.family.feed_forward_output).weight
        inner[:, sorted(set(range(part.intermediate_size)) - set(neurons))] = 0


KEPT: dict[str, list[tuple[list[int], list[int]]]] = {
    "some heads": [([0, 2], list(range(64))), ([1, 2, 3], list(range(64))), ([3], list(range(64)))],
    "some neurons": [(list(range(4)), list(range(0, 64, 2))), (list(range(4)), [5]), (list(range(4)), [0, 63])],
    "both, uneven": [([3], [1, 2, 3]), ([0, 1, 2, 3], list(range(64))), ([1, 2], list(range(40)))],
    "no heads": [([], list(range(64))), ([0], list(range(64))), ([], [7])],
    "no neurons": [([0, 1], []), ([0, 1, 2, 3], list(range(64))), ([2], [])],
    "nothing at all": [([], []), ([], []), ([], [])],
}


@each_family
@pytest.mark.parametrize("kept", KEPT)
@pytest.mark.filterwarnings("error")
def test_slicing_equals_setting_the_rest_to_zero(model: Any, kept: str) -> None:
    whole = answers(model)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    for layer, (heads, neurons) in enumerate(KEPT[kept]):
        zero(model, layer, heads, neurons)
    zeroed = answers(model)
    assert (zeroed - whole).abs().max() > 10 * LIMIT
    model.load_state_dict(state)
    before = sum(value.numel() for value in model.parameters())
    for part, (heads, neurons) in zip(parts(model), KEPT[kept], strict=True):
        slice_layer(part, heads, neurons)
    assert (answers(model) - zeroed).abs().max() < LIMIT
    assert shapes(model) == tuple(
        LayerShape(num_heads=len(heads), intermediate_size=len(neurons)) for heads, neurons in KEPT[kept]
    )
    assert sum(value.numel() for value in model.parameters()) < before


@each_family
def test_slicing_twice_equals_slicing_once(model: Any) -> None:
    state = {name: value.clone() for name, value in model.state_dict().items()}
    for part in parts(model):
        slice_layer(part, [0, 2, 3], range(10, 50))
        slice_layer(part, [0, 2], range(5, 15))
    twice = answers(model)
    fresh = type(model)(model.config).eval()
    fresh.load_state_dict(state)
    for part in parts(fresh):
        slice_layer(part, [0, 3], range(15, 25))
    assert (answers(fresh) - twice).abs().max() < LIMIT
    for part in parts(fresh):
        slice_layer(part, [], [])
        slice_layer(part, [], [])
    assert shapes(fresh) == (LayerShape(num_heads=0, intermediate_size=0),) * 3
    assert answers(fresh).isfinite().all()


@each_family
def test_slicing_leaves_the_original_tensors_alone(model: Any) -> None:
    part = parts(model)[0]
    query = part.get(part.family.projections[0]).weight
    copy = query.detach().clone()
    slice_layer(part, [1], range(64))
    with torch.no_grad():
        part.get(part.family.projections[0]).weight.zero_()
    assert torch.equal(query, copy)


@each_family
@pytest.mark.parametrize("kept", [[0], [2], [0, 2], [0, 1, 2]])
def test_keeping_layers_equals_skipping_the_others(model: Any, kept: list[int]) -> None:
    layers = models.layers(model)
    handles = [
        layers[index].register_forward_hook(
            lambda _module, inputs, output: (inputs[0], *output[1:]) if isinstance(output, tuple) else inputs[0]
        )
        for index in range(3)
        if index not in kept
    ]
    skipped = answers(model)
    for handle in handles:
        handle.remove()
    models.keep_layers(model, kept)
    assert torch.equal(answers(model), skipped)
    assert len(shapes(model)) == len(kept)
    rebuilt = type(model)(model.config)
    rebuilt.load_state_dict(model.state_dict())
    assert torch.equal(answers(rebuilt.eval()), skipped)


@each_family
@pytest.mark.parametrize("kept", KEPT)
def test_a_reshaped_model_takes_the_state_of_a_sliced_one(model: Any, kept: str) -> None:
    for part, (heads, neurons) in zip(parts(model), KEPT[kept], strict=True):
        slice_layer(part, heads, neurons)
    fresh = type(model)(model.config).eval()
    models.reshape(fresh, shapes(model))
    assert shapes(fresh) == shapes(model)
    fresh.load_state_dict(model.state_dict())
    assert torch.equal(answers(fresh), answers(model))


@each_family
def test_a_sliced_model_trains(model: Any) -> None:
    for part, (heads, neurons) in zip(parts(model), KEPT["no heads"], strict=True):
        slice_layer(part, heads, neurons)
    ids = torch.randint(5, 60, (2, 8), generator=torch.Generator().manual_seed(0))
    model.train()
    model(input_ids=ids, labels=torch.tensor([0, 2])).loss.backward()
    without = [name for name, value in model.named_parameters() if value.grad is None]
    assert without == []
    assert all(value.grad.isfinite().all() for value in model.parameters())


@each_family
def test_parts_are_found_and_measured(model: Any) -> None:
    assert models.head_size(model) == 8
    assert shapes(model) == (LayerShape(num_heads=4, intermediate_size=64),) * 3
    assert models.word_embeddings(model).weight.shape[0] == model.config.vocab_size
    assert models.family_of(model) is family_named(model.config.model_type)


@pytest.mark.parametrize("family", FAMILIES)
def test_token_classifiers_are_sliced_as_well(tiny_base: Callable[[str], Path], family: str) -> None:
    torch.manual_seed(3)
    task = TokenClassification(TokenClassification.spec_for(("O", "B-A", "I-A")))
    model = load_base_model(tiny_base(family), task).eval()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    for layer in range(3):
        zero(model, layer, [1], range(8))
    zeroed = answers(model)
    model.load_state_dict(state)
    for part in parts(model):
        slice_layer(part, [1], range(8))
    assert zeroed.shape == (4, 12, 3)
    assert (answers(model) - zeroed).abs().max() < LIMIT


def twinned(model: Any) -> None:
    """Writes every hidden dimension of the first half a second time to the other half, which nothing reads."""
    half = models.hidden_size(model) // 2
    writers = [models.embedded(model), *(part.layer for part in parts(model))]
    with torch.no_grad():
        for module in (each for writer in writers for each in writer.modules()):
            if isinstance(module, torch.nn.Embedding) and module.embedding_dim == 2 * half:
                module.weight[:, half:] = module.weight[:, :half]
            elif isinstance(module, torch.nn.LayerNorm):
                module.weight.normal_(1, 0.3)
                module.weight[half:], module.bias[half:] = module.weight[:half], module.bias[:half]
        for part in parts(model):
            for path in (part.family.attention_output, part.family.feed_forward_output):
                _twin(part.get(path), half)
            for path in (*part.family.projections, part.family.feed_forward_input):
                part.get(path).weight[:, half:] = 0
        if hasattr(models.encoder(model), "embeddings_project"):
            _twin(models.embedded(model), half)
        pooler = getattr(models.encoder(model), "pooler", None)
        head = pooler.dense if pooler else getattr(model, "pre_classifier", model.classifier)
        getattr(head, "dense", head).weight[:, half:] = 0


def _twin(linear: Any, half: int) -> None:
    linear.weight[half:], linear.bias[half:] = linear.weight[:half], linear.bias[:half]


@pytest.mark.parametrize("kind", [TextClassification, TokenClassification])
@pytest.mark.parametrize("family", FAMILIES)
def test_hidden_numbers_that_repeat_others_and_are_not_read_can_go(
    tiny_base: Callable[[str], Path], family: str, kind: Any
) -> None:
    labels = ("O", "B-A", "I-A") if kind is TokenClassification else ("a", "b", "c")
    torch.manual_seed(4)
    model = load_base_model(tiny_base(family), kind(kind.spec_for(labels))).eval()
    with torch.no_grad():
        for value in model.parameters():
            value.add_(torch.randn_like(value) * 0.1)
    twinned(model)
    whole = answers(model)
    models.keep_hidden(model, range(16))
    assert models.hidden_size(model) == 16
    assert (answers(model) - whole).abs().max() < LIMIT
    assert models.shapes(model) == (LayerShape(num_heads=4, intermediate_size=64),) * 3
    fresh = type(model)(model.config).eval()
    models.reshape(fresh, shapes(model), 16)
    fresh.load_state_dict(model.state_dict())
    assert torch.equal(answers(fresh), answers(model))


@each_family
@pytest.mark.parametrize("kept", KEPT)
def test_hidden_states_of_sliced_layers_are_narrowed_and_train(model: Any, kept: str) -> None:
    for part, (heads, neurons) in zip(parts(model), KEPT[kept], strict=True):
        slice_layer(part, heads, neurons)
    before = shapes(model)
    models.keep_hidden(model, [*range(0, 32, 3), 31])
    assert shapes(model) == before
    fresh = type(model)(model.config).eval()
    models.reshape(fresh, before, 12)
    fresh.load_state_dict(model.state_dict())
    assert torch.equal(answers(fresh), answers(model))
    ids = torch.randint(5, 60, (2, 8), generator=torch.Generator().manual_seed(0))
    model.train()
    model(input_ids=ids, labels=torch.tensor([0, 2])).loss.backward()
    assert all(value.grad is not None and value.grad.isfinite().all() for value in model.parameters())
