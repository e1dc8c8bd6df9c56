from __future__ import annotations

import pytest

from edge_ptf.engines.onnxruntime import interleaved_ms, session
from edge_ptf.engines.onnxruntime.session import TIMED_CALLS


def test_sessions_take_turns_on_every_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that each call moves by what that session takes for that text."""
    now, order = [0], list[tuple[str, int]]()

    class Session:
        def __init__(self, name: str, ms: int) -> None:
            self.name, self.ms = name, ms

        def feeds(self, encoding: int) -> int:
            return encoding

        def run(self, feed: int) -> None:
            now[0] += self.ms * feed * 1_000_000
            order.append((self.name, feed))

    monkeypatch.setattr(session.time, "perf_counter_ns", lambda: now[0])
    sessions = [Session("a", 1), Session("b", 3)]
    found = interleaved_ms(sessions, [7, 8], rounds=5)  # type: ignore[arg-type, list-item]
    assert found.tolist() == [[7.0, 8.0], [21.0, 24.0]]
    calls = TIMED_CALLS + 1
    turns = order[::calls]
    assert order == [turn for turn in turns for _ in range(calls)]
    pairs = list(zip(turns[::2], turns[1::2], strict=True))
    assert [first[1] for first, _ in pairs] == [second[1] for _, second in pairs] == [7, 8] * 5
    assert {first[0] for first, _ in pairs} == {"a", "b"}  # neither always comes first
    assert all(first[0] != second[0] for first, second in pairs)
