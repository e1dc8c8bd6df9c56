from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_ptf import tasks
from edge_ptf.examples import Encoding
from edge_ptf.heads import Head
from edge_ptf.training.batching import POOL_BATCHES, Item, LengthGroupedBatches, TogetherBatches, collate
from edge_ptf.training.trainer import by_length


def batches(lengths: list[int], size: int, seed: int = 0, epoch: int = 0) -> list[list[int]]:
    sampler = LengthGroupedBatches(lengths, size, seed)
    sampler.set_epoch(epoch)
    return list(sampler)


@settings(deadline=None)
@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=300),
    size=st.integers(1, 20),
    epoch=st.integers(0, 5),
)
def test_each_text_comes_once_an_epoch(lengths: list[int], size: int, epoch: int) -> None:
    found = batches(lengths, size, epoch=epoch)
    assert sorted(index for batch in found for index in batch) == list(range(len(lengths)))
    assert len(found) == len(LengthGroupedBatches(lengths, size, 0))
    sizes = sorted(len(batch) for batch in found)
    assert sizes[1:] == [size] * (len(sizes) - 1)
    assert 1 <= sizes[0] <= size


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    lengths = np.random.default_rng(0).integers(3, 30, 500).tolist()
    sampler = LengthGroupedBatches(lengths, 16, 3)
    sampler.set_epoch(2)
    first = list(sampler)
    np.random.seed(1)
    torch.manual_seed(1)
    for _ in range(2):
        assert list(sampler) == first  # asked again, or by another run that begins in this epoch
    assert batches(lengths, 16, seed=3, epoch=2) == first
    others = [batches(lengths, 16, seed, epoch) for seed, epoch in ((3, 1), (3, 3), (2, 2), (2, 3))]
    assert all(other != first for other in others)
    together = [{frozenset(batch) for batch in found} for found in (first, others[0])]
    assert len(together[0] & together[1]) < 5  # neighbours change too


def test_texts_of_a_pair_stand_side_by_side_in_one_batch() -> None:
    items = [Item(Encoding([1] * (3 + (7 * at) % 11), None), np.zeros(3), at, example=at // 2) for at in range(2 * 53)]
    sampler = TogetherBatches(items, None, 8, 0)
    found = list(sampler)
    assert sorted(at for batch in found for at in batch) == list(range(2 * 53))
    assert len(found) == len(sampler) == 7  # 53 pairs, 8 in each batch
    for batch in found:
        assert all(
            second == first + 1 and first % 2 == 0 for first, second in zip(batch[::2], batch[1::2], strict=True)
        )
    sampler.set_epoch(1)
    assert list(sampler) != found


def test_a_batch_has_two_texts_of_a_class_other_ones_in_each_epoch() -> None:
    groups = [float(at % 7) for at in range(60)] + [9.0]  # 9 is alone, and seven classes have 8 or 9 texts
    items = [Item(Encoding([1] * (3 + at % 5), None), np.zeros(3), at) for at in range(61)]
    sampler = TogetherBatches(items, groups, 8, 0)
    seen = []
    for epoch in range(2):
        sampler.set_epoch(epoch)
        found = list(sampler)
        assert sorted(at for batch in found for at in batch) == list(range(61))
        assert len(found) == len(sampler)
        for batch in found:
            for at in batch:
                near = [groups[other] for other in batch if other != at]
                assert groups[at] == 9 or groups[at] in near
        seen.append({frozenset(batch) for batch in found})
    assert seen[0] != seen[1]
    assert list(TogetherBatches(items, groups, 8, 0)) == list(TogetherBatches(items, groups, 8, 0))


def test_little_is_padded() -> None:
    lengths = np.random.default_rng(0).integers(3, 40, 4 * POOL_BATCHES * 16)
    padded = sum(int(lengths[batch].max()) * len(batch) for batch in batches(lengths.tolist(), 16))
    assert padded < 1.03 * lengths.sum()


def test_batches_are_not_sorted_by_length() -> None:
    lengths = np.random.default_rng(0).integers(3, 40, 640)
    means = [float(lengths[batch].mean()) for batch in batches(lengths.tolist(), 16)]
    assert abs(np.corrcoef(means, range(len(means)))[0, 1]) < 0.5


TEXT = tasks.create(tasks.get("text-classification").spec_for(("a", "b"))).head
TOKEN = tasks.create(tasks.get("token-classification").spec_for(("O", "B-x", "I-x"))).head


def item(length: int, target: int | list[int] | None, row: int = 0, types: bool = True, head: Head = TEXT) -> Item:
    """An item with made-up tokens; None: it has no label."""
    kinds = [0] * (length // 2) + [1] * (length - length // 2)
    encoding = Encoding(list(range(10, 10 + length)), kinds if types else None)
    return Item(encoding, head.no_target(encoding) if target is None else np.asarray(target), row)


def test_a_batch_is_padded_to_its_longest_text() -> None:
    found = collate([item(2, 1, 5), item(4, None, 9)], ("input_ids", "attention_mask", "token_type_ids"), 7, TEXT)
    assert found["input_ids"].tolist() == [[10, 11, 7, 7], [10, 11, 12, 13]]
    assert found["attention_mask"].tolist() == [[1, 1, 0, 0], [1, 1, 1, 1]]
    assert found["token_type_ids"].tolist() == [[0, 1, 0, 0], [0, 0, 1, 1]]
    assert found["targets"].tolist() == [1, -100]
    assert found["rows"].tolist() == [5, 9]
    assert {value.dtype for value in found.values()} == {torch.long}


def test_token_targets_are_padded_with_what_the_loss_does_not_look_at() -> None:
    targets = ([3, -100], [-100] * 3, None)
    items = [item(length, target, head=TOKEN) for length, target in zip((2, 3, 1), targets, strict=True)]
    found = collate(items, ("input_ids",), 0, TOKEN)
    assert found["targets"].tolist() == [[3, -100, -100], [-100] * 3, [-100] * 3]
    assert set(found) == {"input_ids", "targets", "rows"}


def test_missing_token_types_are_zero() -> None:
    found = collate([item(2, 0, types=False)], ("input_ids", "token_type_ids"), 0, TEXT)
    assert found["token_type_ids"].tolist() == [[0, 0]]


@pytest.mark.parametrize("size", [1, 3, 50])
def test_scoring_batches_hold_each_text_once_shortest_first(size: int) -> None:
    lengths = [5, 1, 9, 1, 7, 3, 3]
    found = list(by_length([item(length, 0) for length in lengths], size))
    order = [index for batch in found for index in batch]
    assert order == [1, 3, 5, 6, 0, 4, 2]
    assert all(len(batch) <= size for batch in found)
