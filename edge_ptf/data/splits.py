"""Assigns examples to train, validation and test. Pure, deterministic functions; the order has no effect."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from edge_ptf.digests import value_digest
from edge_ptf.examples import Example

TRAIN, VALIDATION, TEST = SPLITS = ("train", "validation", "test")

Content = tuple[str, ...]


def content(example: Example) -> Content:
    """The identity of a text. Case, amount of white space and label have no effect on it."""
    texts = (example.text,) if example.text_pair is None else (example.text, example.text_pair)
    return tuple(" ".join(text.casefold().split()) for text in texts)


def assign(
    examples: Sequence[Example], stratum: Callable[[Example], str], *, validation: float = 0.0, test: float = 0.0
) -> list[str]:
    """The split of each example, stratified, and chosen by the hash of its content.

    Examples with equal content get the same split, so no text is in two splits. At least one content of each stratum
    stays in train. The shares of test and validation are rounded so that the total has the requested fraction (largest
    remainders).

    Args:
        stratum: the key whose parts are equal in all splits, as `Task.stratum`.
        validation: the share of validation, from 0.
        test: the share of test, from 0; below 1 together with `validation`.
    """
    strata_of: dict[Content, str] = {}
    for example in examples:
        key, kind = content(example), stratum(example)
        strata_of[key] = min(kind, strata_of.get(key, kind))
    members: dict[str, list[Content]] = defaultdict(list)
    for key, kind in strata_of.items():
        members[kind].append(key)
    sizes = {kind: len(keys) for kind, keys in sorted(members.items())}
    tested = _shares(sizes, test, {kind: size - 1 for kind, size in sizes.items()})
    validated = _shares(sizes, validation, {kind: size - 1 - tested[kind] for kind, size in sizes.items()})
    split_of: dict[Content, str] = {}
    for kind, keys in members.items():
        ends = tested[kind], tested[kind] + validated[kind]
        for rank, key in enumerate(sorted(keys, key=value_digest)):
            split_of[key] = TEST if rank < ends[0] else VALIDATION if rank < ends[1] else TRAIN
    return [split_of[content(example)] for example in examples]


def crossing(splits: Mapping[str, Sequence[Example]]) -> dict[str, set[int]]:
    """Positions in train and validation of examples whose content is also in a later split.

    Test is later than train and validation, and validation is later than train.
    """
    contents = {name: [content(example) for example in splits.get(name, ())] for name in SPLITS}
    tested, validated = set(contents[TEST]), set(contents[VALIDATION])
    return {
        TRAIN: {index for index, key in enumerate(contents[TRAIN]) if key in tested or key in validated},
        VALIDATION: {index for index, key in enumerate(contents[VALIDATION]) if key in tested},
    }


def conflicts(examples: Sequence[Example]) -> int:
    """The number of contents that occur with more than one label."""
    labels: dict[Content, set[str | tuple[str, ...]]] = defaultdict(set)
    for example in examples:
        labels[content(example)].add(example.label)
    return sum(len(found) > 1 for found in labels.values())


def _shares(sizes: Mapping[str, int], fraction: float, capacity: Mapping[str, int]) -> dict[str, int]:
    """The number for each stratum: its exact share rounded down, plus one where the remainder is largest."""
    exact = {kind: size * fraction for kind, size in sizes.items()}
    shares = {kind: min(math.floor(value), capacity[kind]) for kind, value in exact.items()}
    wanted = round(sum(sizes.values()) * fraction) - sum(shares.values())
    by_non_int8_dtype = sorted(sizes, key=lambda kind: (shares[kind] - exact[kind], value_digest(kind)))
    for kind in [kind for kind in by_non_int8_dtype if shares[kind] < capacity[kind]][: max(wanted, 0)]:
        shares[kind] += 1
    return shares
