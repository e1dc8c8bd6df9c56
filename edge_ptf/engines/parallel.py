"""Many texts through one session, on all cores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from edge_ptf.engines.base import Outputs, Session
from edge_ptf.examples import Encoding
from edge_ptf.machine import this_machine


def answer_all(session: Session, encodings: Sequence[Encoding]) -> Iterator[Outputs]:
    """Every output for each text, in order.

    Each call reads one text with the session's own number of threads, so no value differs from that of
    `session.answer`. Only the calls run side by side, one on each core. If the caller stops early, the calls that have
    not begun are dropped.
    """
    pool = ThreadPoolExecutor(this_machine().cores, "answer")
    try:
        yield from pool.map(session.answer, encodings)
    finally:
        pool.shutdown(cancel_futures=True)
