"""No call from Python crashes the process: threads, lengths, zero bytes, and use after close."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_ptf.errors import BadInputError, EdgePtfError, PackageError
from edge_ptf.package.tokenizers.proof import random_texts
from edge_ptf.runtime import Runner
from edge_ptf.runtime.native import Library, NativeRunner, verify_native

MANY_THREADS = """
import sys, threading
from pathlib import Path
from edge_ptf.package.tokenizers.proof import random_texts
from edge_ptf.runtime.native import Library, NativeRunner

runner = NativeRunner(Path(sys.argv[1]), 1, Library(sys.argv[2]))
texts = list(random_texts(200, 3))
wanted = [(runner.answer(text), runner.logits.tolist(), runner.encode(text)) for text in texts]
wrong = []

def work(shift):
    for place in range(200):
        number = (place + 25 * shift) % 200
        answer = runner.answer(texts[number]), runner.logits.tolist(), runner.encode(texts[number])
        if answer != wanted[number]:
            wrong.append(number)

threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
runner.close()
print(len(wrong))
"""
CLOSED_MEANWHILE = """
import sys, threading
from pathlib import Path
from edge_ptf.errors import BadInputError
from edge_ptf.runtime.native import Library, NativeRunner

library, ended = Library(sys.argv[2]), []

def work(runner):
    try:
        while True:
            runner.answer("turn on the lights")
            runner.logits
    except BadInputError as error:
        ended.append(error.message)

for _ in range(10):
    runner = NativeRunner(Path(sys.argv[1]), 1, library)
    threads = [threading.Thread(target=work, args=(runner,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    runner.close()
    for thread in threads:
        thread.join()
print(*sorted(set(ended)), len(ended))
"""


def in_a_process(script: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, (done.returncode, done.stderr[-2000:])
    return done.stdout.strip()


@pytest.mark.parametrize("kind", ["text-classification", "token-classification"])
def test_one_runner_serves_many_threads(library: Library, make_payload: Callable[..., Any], kind: str) -> None:
    assert in_a_process(MANY_THREADS, make_payload(kind=kind).path, library.path) == "0"


def test_a_runner_may_be_closed_while_others_answer(library: Library, make_payload: Callable[..., Any]) -> None:
    assert in_a_process(CLOSED_MEANWHILE, make_payload().path, library.path) == "this runner is closed 40"


def test_logits_are_those_of_the_own_thread(library: Library, make_payload: Callable[..., Any]) -> None:
    with NativeRunner(make_payload().path, 1, library) as runner:
        runner.answer("turn on the lights")
        before, seen = runner.logits, []

        def other() -> None:
            with pytest.raises(PackageError, match="no output"):
                seen.append(runner.logits)  # this thread has made no answer
            runner.answer("play some music please")
            seen.append(runner.logits)

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert len(seen) == 1
        assert not np.array_equal(seen[0], before)
        assert np.array_equal(runner.logits, before)


def test_every_use_after_close_is_one_clear_error(library: Library, make_payload: Callable[..., Any]) -> None:
    runner = NativeRunner(make_payload().path, 1, library)
    answer = runner.answer("turn on")
    runner.close()
    runner.close()
    uses: list[Callable[[], Any]] = [
        lambda: runner.answer("turn on"),
        lambda: runner.answers("turn on"),
        lambda: runner.encode("turn on"),
        lambda: runner.answer_ids([1, 2]),
        runner.output,
        lambda: runner.logits,
        lambda: runner.timing,
        runner.selftest,
    ]
    for use in uses:
        with pytest.raises(BadInputError, match="this runner is closed"):
            use()
    assert answer.label
    assert runner.heads[0].labels


def test_a_runner_that_nobody_closes_goes_with_its_last_reference(
    library: Library, make_payload: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[str] = []
    gc.collect()  # runners of other tests go before
    for name in ("close", "result_destroy"):
        real = getattr(library, name)
        monkeypatch.setattr(library, name, lambda handle, real=real, name=name: (closed.append(name), real(handle))[1])
    NativeRunner(make_payload().path, 1, library).answer("turn on")
    gc.collect()
    assert sorted(closed) == ["close", "result_destroy"]
    with pytest.raises(PackageError):
        NativeRunner(Path("none.eptf"), 1, library)


@pytest.mark.parametrize(
    ("ids", "types", "message"),
    [
        ([1, 2, 3], [0, 0], "2 token types for 3 token ids"),
        ([1], [0, 0], "2 token types for 1 token ids"),
        ([1, 2], [], "0 token types for 2 token ids"),
        ([1 << 64], None, "18446744073709551616 is beyond 64 bits"),
        ([1], [-(1 << 63) - 1], "is beyond 64 bits"),
        ([1.5], None, "token ids: not a list of whole numbers"),
        (["1"], None, "token ids: not a list of whole numbers"),
        ([[1, 2]], None, "token ids: not a list of whole numbers"),
        (5, None, "token ids: not a list of whole numbers"),
        ([1], "0", "token types: not a list of whole numbers"),
    ],
)
def test_ids_that_are_none_are_refused(
    library: Library, make_payload: Callable[..., Any], ids: Any, types: Any, message: str
) -> None:
    with NativeRunner(make_payload().path, 1, library) as runner, pytest.raises(BadInputError, match=message):
        runner.answer_ids(ids, types)


def test_ids_of_any_length_and_value_end_in_an_answer_or_an_error(
    library: Library, make_payload: Callable[..., Any]
) -> None:
    payload = make_payload()
    with NativeRunner(payload.path, 1, library) as runner:
        longest = payload.manifest.tokenizer.max_length
        for ids in ([], [0] * (longest + 1), [10**9], [-1], [-(1 << 63)], [(1 << 63) - 1]):
            with pytest.raises((EdgePtfError, RuntimeError)):
                runner.answer_ids(ids)
                assert ids == [-1]  # the graph counts it from the end of the table
                raise PackageError("")
        encoding = Runner(payload).encode("turn on the lights")
        ids, types = encoding.input_ids, encoding.token_type_ids
        found = runner.answer_ids(ids, types)
        for form in (tuple, np.array, lambda values: np.array(values, np.int32), iter):
            assert runner.answer_ids(form(ids), form(types)) == found


def test_outputs_that_are_none_are_refused(library: Library, make_payload: Callable[..., Any]) -> None:
    with NativeRunner(make_payload().path, 1, library) as runner:
        with pytest.raises(PackageError, match="no output"):
            runner.output()
        runner.answer("turn on")
        for role in ("other", "", "Logits"):
            with pytest.raises(PackageError, match="no output"):
                runner.output(role)
        with pytest.raises(BadInputError, match="no output"):
            runner.output("logits\0hidden")
        for head in (1, -1, 1 << 64):
            with pytest.raises(BadInputError, match="there is no head"):
                runner.output("logits", head)
        assert runner.output().shape == (len(runner.heads[0].labels),)
        runner.encode("turn on")
        with pytest.raises(PackageError, match="no output"):
            runner.output()  # of a text that was only tokenized


def test_numbers_of_nothing_are_empty(library: Library, make_payload: Callable[..., Any]) -> None:
    with NativeRunner(make_payload().path, 1, library) as runner:
        result = runner._result()
        assert result.numbers(library.result_ids) == result.numbers(library.result_types) == []
        assert list(result.items(0, 0)) == list(result.items(7, 99)) == []


def test_a_path_ends_at_no_zero_byte(library: Library, make_payload: Callable[..., Any]) -> None:
    path = make_payload().path
    for use in (lambda wrong: NativeRunner(wrong, 1, library), lambda wrong: verify_native(wrong, library)):
        with pytest.raises(BadInputError, match="a path has no zero byte"):
            use(Path(f"{path}\0.other"))


@pytest.mark.parametrize("threads", [-1, 1 << 32, 1 << 70])
def test_a_number_of_threads_that_is_none_is_refused(
    library: Library, make_payload: Callable[..., Any], threads: int
) -> None:
    with pytest.raises(EdgePtfError, match="threads"):
        NativeRunner(make_payload().path, threads, library)


def test_a_zero_byte_in_a_text_ends_nothing(
    library: Library, make_payload: Callable[..., Any], same_answer: Callable[[Any, Any], None]
) -> None:
    for paired in (False, True):
        payload = make_payload(paired=paired)
        python = Runner(payload)
        with NativeRunner(payload.path, 1, library) as runner:
            for text in ("turn\0on", "\0", "turn on\0", "\0turn on the lights"):
                pair = text if paired else None
                same_answer(runner.answer(text, pair), python.answer(text, pair))
                assert runner.encode(text, pair)[0] == python.encode(text, pair).input_ids


@pytest.mark.parametrize("kind", ["text-classification", "token-classification"])
def test_any_string_is_answered_and_a_lone_surrogate_is_a_replacement_character(
    library: Library, make_payload: Callable[..., Any], same_answer: Callable[[Any, Any], None], kind: str
) -> None:
    payload = make_payload(kind=kind)
    python = Runner(payload)
    anything = st.text(st.characters(exclude_categories=()) | st.sampled_from("\ud800\udfff\0 \u200d😀ab"), max_size=40)

    with NativeRunner(payload.path, 1, library) as native:

        @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
        @given(anything)
        def check(text: str) -> None:
            shown = "".join("\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in text)
            wanted = python.answer(shown)
            same_answer(python.answer(text), wanted)
            same_answer(native.answer(text), wanted)
            same_answer(native.answer(shown.encode()), wanted)
            assert native.encode(text)[0] == python.encode(text).input_ids
            for entity in native.answer(text).details.get("entities", ()):
                assert entity["text"] == shown[entity["start"] : entity["end"]]

        check()


def test_surrogates_in_a_second_text(
    library: Library, make_payload: Callable[..., Any], same_answer: Callable[[Any, Any], None]
) -> None:
    payload = make_payload(paired=True)
    python = Runner(payload)
    with NativeRunner(payload.path, 1, library) as native:
        same_answer(native.answer("on\ud800", "off\udfff"), python.answer("on\ufffd", "off\ufffd"))
        same_answer(python.answer("on\ud800", "off\udfff"), python.answer("on\ufffd", "off\ufffd"))


def test_threads_that_ended_leave_no_memory_behind(
    library: Library, make_payload: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, destroyed = [0], [0]
    create, destroy = library.result_create, library.result_destroy

    def count(counter: list[int], function: Any) -> Any:
        def call(*arguments: Any) -> Any:
            counter[0] += 1
            return function(*arguments)

        return call

    monkeypatch.setattr(library, "result_create", count(made, create))
    monkeypatch.setattr(library, "result_destroy", count(destroyed, destroy))
    with NativeRunner(make_payload().path, 1, library) as runner:
        for text in random_texts(20, 4):
            thread = threading.Thread(target=runner.answer, args=(text,))
            thread.start()
            thread.join()
        gc.collect()
        assert (made[0], destroyed[0]) == (20, 20)
