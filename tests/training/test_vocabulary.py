from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from edge_ptf import models, tasks
from edge_ptf.examples import Encoding
from edge_ptf.models.checkpoint import load_base_model
from edge_ptf.training.trainer import OptimizationConfig, _optimizer
from edge_ptf.training.vocabulary import CompactVocabulary

TASK = tasks.create(tasks.get("text-classification").spec_for(("a", "b", "c")))
ENCODINGS = [Encoding([2, 60, 61, 3], None), Encoding([2, 70, 60, 3], [0, 0, 0, 0]), Encoding([2, 5, 3], None)]

torch.set_num_threads(1)


def model(base: Path) -> Any:
    torch.manual_seed(0)
    return load_base_model(base, TASK, dropout=0.0)


def tensors(encoding: Encoding) -> dict[str, torch.Tensor]:
    return {"input_ids": torch.tensor([encoding.input_ids])}


def test_texts_are_renumbered_over_what_occurs() -> None:
    small = CompactVocabulary(ENCODINGS, 100, 1)
    assert small.kept.tolist() == [0, 1, 2, 3, 5, 60, 61, 70]
    for encoding in ENCODINGS:
        found = small.renumbered(encoding)
        assert small.kept[found.input_ids].tolist() == encoding.input_ids
        assert found.token_type_ids == encoding.token_type_ids
        assert found.word_starts == encoding.word_starts
    assert small.renumbered(ENCODINGS[0]).input_ids == [2, 5, 6, 3]


@pytest.mark.parametrize("pad", [0, 1, 40])
def test_ids_up_to_the_padding_id_keep_their_number(pad: int) -> None:
    small = CompactVocabulary(ENCODINGS, 100, pad)
    assert small.numbers[: pad + 1].tolist() == list(range(pad + 1))


@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta", "electra", "albert"])
def test_the_small_table_gives_the_same_logits(tiny_base: Callable[[str], Path], family: str) -> None:
    whole = model(tiny_base(family)).eval()
    small = CompactVocabulary(ENCODINGS, whole.config.vocab_size, whole.config.pad_token_id)
    with torch.no_grad():
        before = [whole(**tensors(encoding)).logits for encoding in ENCODINGS]
        full = small.shrink(whole)
        assert models.word_embeddings(whole).weight.shape[0] == len(small.kept)
        after = [whole(**tensors(small.renumbered(encoding))).logits for encoding in ENCODINGS]
    assert all(torch.equal(left, right) for left, right in zip(before, after, strict=True))
    small.restore(whole, full)
    table = models.word_embeddings(whole)
    assert table.num_embeddings == len(table.weight) == whole.config.vocab_size
    with torch.no_grad():
        again = [whole(**tensors(encoding)).logits for encoding in ENCODINGS]
    assert all(torch.equal(left, right) for left, right in zip(before, again, strict=True))


@pytest.mark.parametrize("frozen", [False, True])
def test_restoring_puts_the_trained_rows_back_and_leaves_the_others(
    tiny_base: Callable[[str], Path], frozen: bool
) -> None:
    whole = model(tiny_base("bert"))
    models.word_embeddings(whole).weight.requires_grad_(not frozen)
    before = models.word_embeddings(whole).weight.detach().clone()
    small = CompactVocabulary(ENCODINGS, whole.config.vocab_size, 0)
    full = small.shrink(whole)
    assert models.word_embeddings(whole).weight.requires_grad != frozen
    with torch.no_grad():
        models.word_embeddings(whole).weight.add_(1)
    small.restore(whole, full)
    table = models.word_embeddings(whole).weight
    assert table.requires_grad != frozen
    expected = before.clone()
    expected[torch.from_numpy(small.kept)] += 1
    assert torch.equal(table, expected)
    assert torch.equal(full, before)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("family", ["bert", "roberta", "albert"])
def test_training_the_small_table_equals_training_the_whole(
    tiny_base: Callable[[str], Path], family: str, optimizer: str
) -> None:
    """Rows without a gradient stay as they are, since embeddings have no weight decay."""

    def trained(compact: bool) -> dict[str, np.ndarray]:
        taught = model(tiny_base(family)).train()
        small = CompactVocabulary(ENCODINGS, taught.config.vocab_size, taught.config.pad_token_id)
        full = small.shrink(taught) if compact else None
        stepper = _optimizer(taught, OptimizationConfig(optimizer=optimizer, learning_rate=1e-2, weight_decay=0.1))
        for _ in range(4):
            for target, encoding in enumerate(ENCODINGS):
                logits = taught(**tensors(small.renumbered(encoding) if compact else encoding)).logits
                torch.nn.functional.cross_entropy(logits, torch.tensor([target])).backward()
                torch.nn.utils.clip_grad_norm_(taught.parameters(), 1.0)
                stepper.step()
                stepper.zero_grad()
        if compact:
            small.restore(taught, full)
        return {name: value.detach().numpy() for name, value in taught.named_parameters()}

    whole, compact = trained(False), trained(True)
    assert whole.keys() == compact.keys()
    for name, value in whole.items():
        assert np.allclose(value, compact[name], atol=1e-6), name
