"""Measurements without labelled data: which texts, where evidence says it, and that it counts for no target."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_ptf import profiles
from edge_ptf.bench import BenchConfig, BenchTexts, bench, golden_texts, load_bench, texts_of
from edge_ptf.data.dataset import LabelledData
from edge_ptf.errors import BadInputError
from edge_ptf.examples import Example
from edge_ptf.gate import gate
from edge_ptf.package import Payload
from edge_ptf.package.evidence import Status
from edge_ptf.package.golden import TEXTS
from edge_ptf.profiles import Targets

MakePayload = Callable[..., Payload]
SMALL = BenchConfig(launches=5, calls=100, seconds=0, memory_launches=2)


def test_the_golden_texts_are_those_in_the_package(make_payload: MakePayload) -> None:
    found = golden_texts(make_payload())
    assert [example.text for example in found.test] == list(TEXTS)
    assert all(example.text_pair is None for example in found.test)
    assert all(example.text_pair for example in golden_texts(make_payload(paired=True)).test)
    assert found.fingerprint != golden_texts(make_payload(paired=True)).fingerprint


def test_a_file_has_a_text_or_an_object_on_each_line(make_payload: MakePayload, tmp_path: Path) -> None:
    file = tmp_path / "texts.txt"
    file.write_bytes('turn on\r\n\n{"text": "naïve", "more": 1}\nplay\u2028now\n'.encode())
    assert texts_of(file, make_payload()).test == tuple(
        Example(text, ()) for text in ("turn on", "naïve", "play\u2028now")
    )
    file.write_text(json.dumps({"text": "turn on", "text_pair": "the light"}), encoding="utf-8")
    assert texts_of(file, make_payload(paired=True)).test == (Example("turn on", (), "the light"),)


@pytest.mark.parametrize(
    ("content", "paired", "message"),
    [
        (b"\n\n", False, "no text in it"),
        (b"a\n{1}\n", False, "line 2: not a JSON object"),
        (b'{"text": 3}', False, "line 1: not a JSON object"),
        (b'{"text": "a", "text_pair": 3}', False, "line 1: not a JSON object"),
        (b'{"text": "a", "text_pair": "b"}', False, "answers single texts"),
        (b"turn on", True, "answers pairs of texts"),
        (b"\xff", False, "cannot be read as UTF-8 text"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(
    make_payload: MakePayload, tmp_path: Path, content: bytes, paired: bool, message: str
) -> None:
    file = tmp_path / "texts.txt"
    file.write_bytes(content)
    with pytest.raises(BadInputError, match=message) as caught:
        texts_of(file, make_payload(paired=paired))
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("origin", ["golden", "file", "test"])
def test_evidence_says_which_texts_and_only_the_test_split_counts(
    make_payload: MakePayload,
    tiny_labelled: Callable[..., LabelledData],
    fake_device: Callable[..., Any],
    tmp_path: Path,
    origin: str,
) -> None:
    payload, device = make_payload(), fake_device()
    data = tiny_labelled() if origin == "test" else BenchTexts(origin, tiny_labelled().test)  # type: ignore[arg-type]
    latency, memory = bench(payload, make_payload(mode="fp32"), data, SMALL, tmp_path / "out", device=device)
    assert load_bench(tmp_path / "out") == (latency, memory)
    assert latency.texts == origin
    profile = profiles.load("x86-generic").replace(match=profiles.Match())
    targets = Targets(latency_ms={"p50": 1e6}, min_speedup=1e-6, peak_memory_mb=1e6)
    verdict = gate(payload, [latency, memory], [], profile, targets)
    for target in verdict.target_verdicts:
        if origin == "test":
            assert target.status is Status.PASS
        else:
            assert target.status is Status.UNPROVEN
            assert "not the test split" in target.reason
