"""Token ids equal those of the Hugging Face tokenizer: real texts, random texts, and every truncation."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from edge_ptf.errors import PackageError
from edge_ptf.package.tokenizers.proof import random_texts
from edge_ptf.runtime.native import Library, NativeRunner

FUZZ = 300_000
LENGTH = 128


@pytest.fixture(scope="module")
def uncased(
    library: Library, with_tokenizer: Callable[..., Any], real_tokenizer: bytes
) -> tuple[NativeRunner, Tokenizer]:
    """The runner with MiniLM's vocabulary, and the Hugging Face tokenizer."""
    return _both(library, with_tokenizer(real_tokenizer, max_length=LENGTH), real_tokenizer)


@pytest.fixture(scope="module")
def cased(
    library: Library, with_tokenizer: Callable[..., Any], cased_tokenizer: bytes
) -> tuple[NativeRunner, Tokenizer]:
    """The same, cased."""
    return _both(library, with_tokenizer(cased_tokenizer, max_length=LENGTH), cased_tokenizer)


def _both(library: Library, payload: Any, document: bytes) -> tuple[NativeRunner, Tokenizer]:
    core = Tokenizer.from_str(document.decode())
    core.enable_truncation(LENGTH)
    return NativeRunner(payload.path, 1, library), core


@pytest.mark.slow
def test_random_texts(uncased: tuple[NativeRunner, Tokenizer]) -> None:
    runner, core = uncased
    differing = [text for text in random_texts(FUZZ, 1) if runner.encode(text)[0] != core.encode(text).ids]
    assert differing == []


@pytest.mark.slow
def test_random_texts_of_a_cased_model(cased: tuple[NativeRunner, Tokenizer]) -> None:
    runner, core = cased
    differing = [text for text in random_texts(FUZZ // 10, 2) if runner.encode(text)[0] != core.encode(text).ids]
    assert differing == []


@pytest.mark.parametrize("name", ["clinc150", "wnut17", "semeval2010_task8", "xquad_en"])
def test_real_texts(uncased: tuple[NativeRunner, Tokenizer], shared_data: Path, name: str) -> None:
    runner, core = uncased
    texts = _texts(shared_data / name)
    assert len(texts) > 1000
    assert [text for text in texts if runner.encode(text)[0] != core.encode(text).ids] == []


def _texts(folder: Path) -> list[str]:
    """Every text field of every file of any format."""
    found: list[str] = []
    for file in sorted(folder.iterdir()):
        if file.suffix == ".csv":
            with file.open(newline="", encoding="utf-8") as stream:
                found += [value for row in csv.reader(stream) for value in row]
        elif file.suffix == ".conll":
            sentences = file.read_text(encoding="utf-8").split("\n\n")
            found += [" ".join(line.split("\t")[0] for line in each.splitlines()) for each in sentences]
        elif file.suffix in (".json", ".jsonl", ".txt", ".tsv"):
            found += file.read_text(encoding="utf-8").splitlines()
    return found


@given(st.text(max_size=80))
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text(uncased: tuple[NativeRunner, Tokenizer], text: str) -> None:
    runner, core = uncased
    text = text.encode(errors="replace").decode()
    assert runner.encode(text)[0] == core.encode(text).ids


@given(st.binary(max_size=60))
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_bytes_that_are_no_utf8_are_read_as_python_replaces_them(
    uncased: tuple[NativeRunner, Tokenizer], content: bytes
) -> None:
    runner, core = uncased
    assert runner.encode(content)[0] == core.encode(content.decode(errors="replace")).ids


@pytest.mark.parametrize("strategy", ["longest_first", "only_first", "only_second"])
@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("length", [4, 5, 6, 7, 10, 33])
def test_pairs_are_shortened_as_the_tokenizer_does(
    library: Library, with_tokenizer: Callable[..., Any], real_tokenizer: bytes, strategy: str, side: str, length: int
) -> None:
    chosen = {"truncation": strategy, "truncation_side": side}
    payload = with_tokenizer(real_tokenizer, paired=True, max_length=length, **chosen)
    core = Tokenizer.from_str(real_tokenizer.decode())
    core.enable_truncation(length, strategy=strategy, direction=side)
    texts = ["", "turn on", "a b c d e f", "x" * 130, "the lights in the kitchen " * 6, *random_texts(12, 3)]
    refused = 0
    with NativeRunner(payload.path, 1, library) as runner:
        for text in texts:
            for pair in texts:
                try:
                    wanted = core.encode(text, pair)
                except Exception:  # an error of the library: this strategy cannot truncate enough
                    with pytest.raises(PackageError, match="leaves no room"):
                        runner.encode(text, pair)
                    refused += 1
                    continue
                assert runner.encode(text, pair) == (wanted.ids, wanted.type_ids)
    assert (refused > 0) == (strategy != "longest_first")


def test_special_tokens_in_a_text_are_themselves(uncased: tuple[NativeRunner, Tokenizer]) -> None:
    runner, core = uncased
    for text in (
        "[CLS]",
        "a[SEP]b",
        "[MASK][MASK]",
        "[mask]",
        "[[CLS]]",
        "[CL S]",
        "x [UNK] [PAD]y",
        "[CLS",
        "É[SEP]\u0301",
    ):
        assert runner.encode(text)[0] == core.encode(text).ids


def test_a_long_text_is_cut(uncased: tuple[NativeRunner, Tokenizer]) -> None:
    runner, core = uncased
    for text in ("word " * 100_000, "x" * 1_000_000, "中" * 10_000, "a\u0301" * 5000, "e" + "\u0301" * 1000):
        assert runner.encode(text)[0] == core.encode(text).ids


def test_the_template_comes_from_the_tokenizer(
    library: Library, with_tokenizer: Callable[..., Any], real_tokenizer: bytes
) -> None:
    content: dict[str, Any] = json.loads(real_tokenizer)
    content["post_processor"] = {"type": "BertProcessing", "sep": ["[SEP]", 102], "cls": ["[CLS]", 101]}
    document = json.dumps(content).encode()
    core = Tokenizer.from_str(document.decode())
    with NativeRunner(with_tokenizer(document, paired=True, max_length=LENGTH).path, 1, library) as runner:
        wanted = core.encode("turn on", "the lights")
        assert runner.encode("turn on", "the lights") == (wanted.ids, wanted.type_ids)
