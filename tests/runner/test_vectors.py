"""Vectors: the C++ runner gives those of Python, for one text and for two."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_ptf.errors import PackageError
from edge_ptf.package import Payload, verify
from edge_ptf.package.golden import TEXTS
from edge_ptf.package.tokenizers.proof import random_texts
from edge_ptf.runtime import Runner
from edge_ptf.runtime.native import Library, NativeRunner, verify_native
from tests.runner.test_windows import changed

NEAR = 2e-6


@pytest.fixture(scope="module", params=[None, 8], ids=["whole", "leading"])
def payload(request: pytest.FixtureRequest, make_payload: Callable[..., Any], tmp_path_factory: Any) -> Payload:
    """A tiny package for vectors, whole ones or their leading numbers."""
    found = make_payload("bert", "sentence-embedding", "dynamic", paired=True)
    return (
        found if request.param is None else with_options(found, tmp_path_factory.mktemp("v"), dimensions=request.param)
    )


def with_options(payload: Payload, folder: Path, **options: object) -> Payload:
    head = payload.manifest.heads[0]
    head = head.model_copy(update={"options": {**head.options, **options}})
    return changed(payload, folder / "package.eptf", {"heads": (head,)})


def test_vectors_and_cosines_are_those_of_python(library: Library, payload: Payload) -> None:
    python = Runner(payload)
    size = payload.manifest.head.options["dimensions"] or 32
    assert python.takes_pairs is None and not payload.manifest.heads[0].text_pairs
    texts = [*TEXTS, *random_texts(60, 5), "", "   "]
    with NativeRunner(payload.path, 1, library) as runner:
        for text, pair in zip(texts, [*texts[7:], *texts[:7]], strict=True):
            one, other = python.answer(text), runner.answer(text)
            assert other.label == pytest.approx(one.label, abs=NEAR) and len(other.label) == size
            assert other.score == one.score == 1 and other.details == one.details == {}
            assert np.linalg.norm(one.label) == pytest.approx(1, abs=1e-4)
            encoding = python.encode(text, pair)
            assert runner.encode(text, pair)[0] == encoding.input_ids
            one, other = python.answer(text, pair), runner.answer(text, pair)
            assert other.label == other.score == other.details["cosine"] == pytest.approx(one.score, abs=NEAR)
            assert runner.logits.shape == (64,)
        first, second = (np.asarray(runner.answer(text).label) for text in ("turn on", "play music"))
        assert runner.answer("turn on", "play music").score == pytest.approx(float(first @ second), abs=1e-5)
    assert verify(payload.path).golden == verify_native(payload.path, library).golden == len(TEXTS)


@pytest.mark.parametrize("dimensions", [0, -1, 33, 2.5, [8]])
def test_a_size_that_does_not_fit_is_refused(
    library: Library, make_payload: Callable[..., Any], tmp_path: Path, dimensions: object
) -> None:
    payload = make_payload("bert", "sentence-embedding", "dynamic", paired=True)
    try:
        path = with_options(payload, tmp_path, dimensions=dimensions).path
    except (PackageError, ValueError):
        path = None  # Python refuses to write it
    if path is not None:
        with pytest.raises(PackageError):
            Runner(path)
        with pytest.raises(PackageError, match="dimensions"):
            NativeRunner(path, 1, library)


def test_wrong_arguments_are_harmless(library: Library, make_payload: Callable[..., Any]) -> None:
    vector, cosine = library.result_vector, library._handle.edge_ptf_cosine
    cosine.restype, count = ctypes.c_double, ctypes.c_size_t(7)
    assert not vector(None, 0, 0, ctypes.byref(count)) and count.value == 0
    payload = make_payload("bert", "sentence-embedding", "dynamic", paired=True)
    with NativeRunner(payload.path, 1, library) as runner:
        result = runner._result()
        assert len(result.vector(0, 0)) == 0  # nothing was answered yet
        runner.answer("turn on")
        assert [len(result.vector(head, text)) for head, text in ((0, 0), (0, 1), (1, 0), (0, 99))] == [32, 0, 0, 0]
        runner.answer("turn on", "play")
        assert [len(result.vector(0, text)) for text in (0, 1, 2)] == [32, 32, 0]
        runner.encode("turn on")
        assert len(result.vector(0, 0)) == 0
    values = (ctypes.c_float * 4)(3, 4, -6, -8)
    half = ctypes.cast(ctypes.byref(values, 8), ctypes.POINTER(ctypes.c_float))
    assert cosine(values, half, ctypes.c_size_t(2)) == pytest.approx(-1)
    assert cosine(values, None, ctypes.c_size_t(2)) == cosine(values, half, ctypes.c_size_t(0)) == 0
