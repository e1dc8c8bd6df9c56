"""Which examples train, validate and test: pure functions, deterministic, the same in whatever order examples come."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from edge_ptf.digests import value_digest
from edge_ptf.examples import Example

TRAIN, VALIDATION, TEST = SPLITS = ("train", "validation", "test")

Content = tuple[str, ...]


def content(example: Example) -> Content:
    """What makes two texts the same text: case and the amount of white space do not count, nor does the label."""
    texts = (example.text,) if example.text_pair is None else (example.text, example.text_pair)
    return tuple(" ".join(text.casefold().split()) for text in texts)


def assign(
    examples: Sequence[Example], stratum: Callable[[Example], str], *, validation: float = 0.0, test: float = 0.0
) -> list[str]:
    """The split of each example: stratified, and chosen by the hash of its content.

    Examples of equal content go the same way, so nothing crosses. Of each stratum at least one content stays in train;
    its share of test and validation is rounded so that the whole has the fraction asked for (largest remainders).

    Args:
        stratum: the key whose parts are to be equal in all splits, as `Task.stratum`.
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
    """Positions in train and validation of examples whose content also stands in a split that judges them.

    Test judges train and validation, validation judges train.
    """
    contents = {name: [content(example) for example in splits.get(name, ())] for name in SPLITS}
    tested, validated = set(contents[TEST]), set(contents[VALIDATION])
    return {
        TRAIN: {index for index, key in enumerate(contents[TRAIN]) if key in tested or key in validated},
        VALIDATION: {index for index, key in enumerate(contents[VALIDATION]) if key in tested},
    }


def conflicts(examples: Sequence[Example]) -> int:
    """How many contents occur with more than one label."""
    labels: dict[Content, set[str | tuple[str, ...]]] = defaultdict(set)
    for example in examples:
        labels[content(example)].add(example.label)
    return sum(len(found) > 1 for found in labels.values())


def _shares(sizes: Mapping[str, int], fraction: float, capacity: Mapping[str, int]) -> dict[str, int]:
    """How many of each stratum: its exact share rounded down, then one more where the remainder is largest."""
    exact = {kind: size * fraction for kind, size in sizes.items()}
    shares = {kind: min(math.floor(value), capacity[kind]) for kind, value in exact.items()}
    wanted = round(sum(sizes.values()) * fraction) - sum(shares.values())
    by_non_int8_dtype = sorted(sizes, key=lambda kind: (shares[kind] - exact[kind], value_digest(kind)))
    for kind in [kind for kind in by_non_int8_dtype if shares[kind] < capacity[kind]][: max(wanted, 0)]:
        shares[kind] += 1
    return shares
