"""Makes the vocabulary smaller by rewriting the tokenizer's files. The counted texts are tokenized as before."""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edge_ptf.errors import CheckpointError
from edge_ptf.models.checkpoint import load_tokenizer

KINDS = ("WordPiece", "BPE", "Unigram")
"""The tokenizer models whose elementary subwords are known."""
BYTE = re.compile(r"<0x[0-9A-F]{2}>")


def count_subwords(tokenizer: Any, texts: Iterable[str]) -> Counter[int]:
    """How often each token id occurs in the texts."""
    found: Counter[int] = Counter()
    for ids in tokenizer(list(texts), add_special_tokens=False)["input_ids"]:
        found.update(ids)
    return found


def obstacle(tokenizer: Any) -> str:
    """Why the vocabulary of this tokenizer cannot be pruned; empty if it can."""
    kind = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["type"]
    if kind in KINDS:
        return ""
    return f"the elementary subwords of a {kind} tokenizer are not known, so some texts could become unknown tokens"


def kept_ids(tokenizer: Any, counts: Mapping[int, int], min_count: int, size: int | None, first: int = 0) -> list[int]:
    """The ids of the subwords that stay, in increasing order:

    - the ids below `first`, and special and added tokens
    - every elementary subword: a single character in each form that this tokenizer has (with a prefix inside a word,
      with a suffix at its end), and single bytes; without one letter, whole words would become unknown
    - every subword with a character that has no elementary subword of its own
    - subwords that the texts use at least `min_count` times, and all subwords that merges need to build them
    - frequent subwords, from the top of the vocabulary, until there are `size`

    Args:
        counts: how often each id occurs in the texts.
        first: the first id that may be dropped.

    Raises:
        CheckpointError: the vocabulary of this kind of tokenizer cannot be pruned.
    """
    document = json.loads(tokenizer.backend_tokenizer.to_str())
    model = document["model"]
    subwords, sources = _subwords(model), _sources(model)
    kept = {*range(first), *tokenizer.all_special_ids, *(item["id"] for item in document["added_tokens"])}
    kept |= _needed(subwords, model)
    kept |= {number for number, count in counts.items() if count >= min_count}
    if model["type"] == "Unigram":  # the score of an unknown character depends on the least likely subword
        kept.add(min(subwords, key=lambda number: model["vocab"][number][1]))
    kept = _closed(sources, kept)
    for number in sorted(subwords):
        if size is None or len(kept) >= size:
            break
        if number not in kept and not subwords[number].startswith("[unused"):
            kept |= _closed(sources, {number})
    return sorted(kept)


def rewritten(tokenizer: Any, kept: Sequence[int]) -> Any:
    """The same tokenizer with the kept subwords only. Ids are renumbered in the old order.

    Raises:
        CheckpointError: the vocabulary of this kind of tokenizer cannot be pruned.
    """
    numbers = {old: new for new, old in enumerate(kept)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tokenizer.save_pretrained(folder)
        _rewrite(folder / "tokenizer.json", lambda document: _pruned(document, numbers))
        _rewrite(folder / "tokenizer_config.json", lambda document: _pruned_config(document, numbers))
        for old in ("vocab.txt", "vocab.json", "merges.txt", "sentencepiece.bpe.model", "spiece.model"):
            (folder / old).unlink(missing_ok=True)  # tokenizer.json contains all of it
        found = load_tokenizer(folder)
    found.truncation_side = tokenizer.truncation_side
    return found


def differences(before: Any, after: Any, texts: Sequence[str]) -> dict[str, float]:
    """The effect of vocabulary pruning on texts: [UNK] per thousand tokens and mean length, before and after."""

    def look(tokenizer: Any) -> tuple[float, float]:
        rows = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        tokens = sum(map(len, rows))
        unknown = sum(row.count(tokenizer.unk_token_id) for row in rows) if tokenizer.unk_token_id is not None else 0
        return round(1000 * unknown / max(tokens, 1), 3), round(tokens / max(len(rows), 1), 3)

    (unknown_before, length_before), (unknown_after, length_after) = look(before), look(after)
    return {
        "unknown_per_thousand_before": unknown_before,
        "unknown_per_thousand_after": unknown_after,
        "mean_tokens_before": length_before,
        "mean_tokens_after": length_after,
    }


def _subwords(model: Mapping[str, Any]) -> dict[int, str]:
    """The subwords by id. Ids of added tokens may be missing."""
    if model["type"] == "Unigram":
        return {number: subword for number, (subword, _) in enumerate(model["vocab"])}
    if model["type"] in ("WordPiece", "BPE"):
        return {number: subword for subword, number in model["vocab"].items()}
    raise CheckpointError(
        f"the vocabulary of a {model['type']} tokenizer cannot be pruned", hint="Set prune.vocabulary to false"
    )


def _needed(subwords: Mapping[int, str], model: Mapping[str, Any]) -> set[int]:
    """The ids without which a text could become unknown: elementary subwords, and subwords that nothing can replace."""
    prefix, suffix = _marks(model)
    singles = {subword for subword in subwords.values() if len(_inner(subword, prefix, suffix)) <= 1}
    octets = {subword for subword in subwords.values() if model.get("byte_fallback") and BYTE.fullmatch(subword)}
    # Merges of BPE begin with elementary subwords. No text gives an [unused…] subword of BERT.
    merged = model["type"] == "BPE" and not model.get("ignore_merges")

    def replaceable(subword: str) -> bool:
        unused = subword.startswith("[unused")
        return merged or unused or all(part in singles for part in _elements(subword, prefix, suffix))

    return {
        number
        for number, subword in subwords.items()
        if subword in singles or subword in octets or not replaceable(subword)
    }


def _marks(model: Mapping[str, Any]) -> tuple[str, str]:
    """What stands before a subword inside a word, and behind one at the end of a word."""
    prefix = model.get("continuing_subword_prefix")
    if model["type"] == "Unigram":
        return "", ""
    return prefix or "", model.get("end_of_word_suffix") or ""


def _inner(subword: str, prefix: str, suffix: str) -> str:
    """A subword without its marks, and without `▁`, which stands for a space in front."""
    return subword.removeprefix(prefix).removesuffix(suffix).removeprefix("▁")


def _elements(subword: str, prefix: str, suffix: str) -> list[str]:
    """The elementary subwords that have the same characters as a subword, in the same places of a word."""
    head = prefix if prefix and subword.startswith(prefix) else ""
    tail = suffix if suffix and subword.endswith(suffix) else ""
    characters = subword[len(head) : len(subword) - len(tail)]
    last = len(characters) - 1
    return [
        (head if place == 0 else prefix) + character + (tail if place == last else "")
        for place, character in enumerate(characters)
    ]


def _merges(model: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Byte-pair merges as (left, right, result); older files write left and right as one string."""
    if model["type"] != "BPE":
        return []
    mark = len(model.get("continuing_subword_prefix") or "")
    split = [merge.split(" ", 1) if isinstance(merge, str) else merge for merge in model["merges"]]
    return [(left, right, left + right[mark:]) for left, right in split]


def _sources(model: Mapping[str, Any]) -> dict[int, set[int]]:
    """For each subword, the subwords from which byte-pair merges build it."""
    found: dict[int, set[int]] = {}
    for left, right, result in _merges(model):
        found.setdefault(model["vocab"][result], set()).update((model["vocab"][left], model["vocab"][right]))
    return found


def _closed(sources: Mapping[int, set[int]], kept: Iterable[int]) -> set[int]:
    """`kept` and every subword that byte-pair merges need to build a kept one."""
    closed = set(kept)
    waiting = list(closed)
    while waiting:
        further = sources.get(waiting.pop(), set()) - closed
        closed |= further
        waiting += further
    return closed


def _pruned(document: dict[str, Any], numbers: Mapping[int, int]) -> dict[str, Any]:
    model = document["model"]
    subwords = _subwords(model)
    if model["type"] == "Unigram":
        model["vocab"] = [model["vocab"][old] for old in numbers if old in subwords]
        model["unk_id"] = numbers.get(model["unk_id"])
    else:
        merges = _merges(model)
        model["vocab"] = {subwords[old]: new for old, new in numbers.items() if old in subwords}
        if merges:
            model["merges"] = [
                list(merge[:2]) for merge in merges if all(subword in model["vocab"] for subword in merge)
            ]
    document["added_tokens"] = [item for item in document["added_tokens"] if item["id"] in numbers]
    for item in document["added_tokens"]:
        item["id"] = numbers[item["id"]]
    _renumber(document.get("post_processor"), numbers)
    document["padding"] = document["truncation"] = None
    return document


def _renumber(processor: Any, numbers: Mapping[int, int]) -> None:
    """Renumbers the ids of special tokens in a post-processor of any kind, nested or not."""
    if not isinstance(processor, dict):
        return
    for inner in processor.get("processors", []):
        _renumber(inner, numbers)
    if isinstance(processor.get("special_tokens"), dict):
        for item in processor["special_tokens"].values():
            item["ids"] = [numbers[old] for old in item["ids"]]
    for name in ("sep", "cls"):
        if isinstance(processor.get(name), list):
            processor[name][1] = numbers[processor[name][1]]


def _pruned_config(document: dict[str, Any], numbers: Mapping[int, int]) -> dict[str, Any]:
    added = document.get("added_tokens_decoder")
    if isinstance(added, dict):
        document["added_tokens_decoder"] = {
            str(numbers[int(old)]): value for old, value in added.items() if int(old) in numbers
        }
    return document


def _rewrite(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    document = change(json.loads(path.read_text(encoding="utf-8")))
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
