"""How far long work is, as lines of text: what a log shows where there is no terminal."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

EVERY_S = 30.0
"""Seconds between two lines about the same work."""
FIRST_S, FIRST_STEPS = 4.0, 5
"""A first estimate of the time left needs so many seconds and steps; long steps need one line's time."""
LONG_S = 60.0
"""Work that is expected to take longer is announced with its time as soon as that can be estimated."""
WINDOW_S = 60.0
"""The time left is computed from the speed of so many last seconds."""
SLOW = 0.5
"""Work at less than this share of its first speed is called slow."""


class WholeJob(Protocol):
    """What is expected of the whole job that some work belongs to."""

    def begin(self, title: str) -> None:
        """This work begins."""

    def seconds_after(self, title: str, seconds: float) -> float | None:
        """Seconds of all work that comes after work of this title, which takes `seconds` in all; None: unknown."""


@dataclass(slots=True)
class _Work:
    title: str
    total: int
    before: int
    begun: float
    said: float
    done: int = 0
    note: str = ""
    announced: bool = False
    slow: bool = False
    first: float | None = None
    """Steps in a second, when there was a first estimate."""
    points: deque[tuple[float, int]] = field(default_factory=deque)

    def advance(self, steps: int, now: float) -> None:
        self.done += steps
        self.points.append((now, self.done))
        while len(self.points) > 2 and now - self.points[1][0] >= WINDOW_S:
            self.points.popleft()

    def speed(self, now: float) -> float | None:
        """Steps in a second lately; None before that can be said."""
        passed = now - self.begun
        if not self.done or passed < FIRST_S or (self.done < FIRST_STEPS and passed < EVERY_S):
            return None
        since, done = self.points[0] if passed > WINDOW_S else (self.begun, 0)
        return (self.done - done) / (now - since) if now > since and self.done > done else None


class ProgressLines:
    """Writes a line about the current work every `EVERY_S` seconds: share, note, time left of it and of the whole.

    Work of more than a minute is announced with its time after the first seconds. Work that becomes slow is said once.
    """

    def __init__(
        self,
        write: Callable[[str, bool], None],
        whole: WholeJob | None = None,
        clock: Callable[[], float] = time.monotonic,
        why_slow: Callable[[], str] = lambda: "",
    ) -> None:
        """Args:
        write: takes each line, and whether it is said once rather than every half minute.
        whole: what is expected of the whole job; None: the work is no part of one.
        clock: seconds since a fixed moment.
        why_slow: what may slow this machine now; empty if nothing is known.
        """
        self.write, self.whole, self.clock, self.why_slow = write, whole, clock, why_slow
        self.working: list[_Work] = []
        self.lock = threading.RLock()

    def start(self, title: str, total: int, done: int = 0) -> None:
        """See Progress."""
        with self.lock:
            now = self.clock()
            self.working.append(_Work(title, total, done, now, now))
            if self.whole:
                self.whole.begin(title)

    def advance(self, steps: int = 1, note: str = "") -> None:
        """See Progress."""
        with self.lock:
            if not self.working:
                return
            work, now = self.working[-1], self.clock()
            work.advance(steps, now)
            work.note = note or work.note
            speed = work.speed(now)
            if speed and work.first is None:
                work.first = speed
                self._announce(work, now)
            self._say_if_slow(work, speed)
            self.tick()

    def finish(self) -> None:
        """See Progress."""
        with self.lock:
            if self.working:
                self.working.pop()

    def tick(self) -> None:
        """Writes the line of the current work if it is due."""
        with self.lock:
            now = self.clock()
            if self.working and now - self.working[-1].said >= EVERY_S:
                self._line(self.working[-1], now)

    def _announce(self, work: _Work, now: float) -> None:
        """Says the time of long work at once."""
        left = self._left(work, now)
        if left is not None and not work.announced and now - work.begun + left >= LONG_S:
            work.announced, work.said = True, now
            self.write(f"{work.title}: {duration(left)} for this stage{self._whole(work, left, now)}", True)

    def _line(self, work: _Work, now: float) -> None:
        work.said, left = now, self._left(work, now)
        parts = [f"{100 * (work.before + work.done) / max(work.total, 1):.0f} %", *([work.note] if work.note else [])]
        stage = f"{duration(left)} left" if left is not None else "time left unknown"
        self.write(f"{work.title}: {', '.join(parts)}; {stage}{self._whole(work, left, now)}", False)

    def _left(self, work: _Work, now: float) -> float | None:
        """Seconds until this work ends; None: unknown."""
        speed = work.speed(now)
        return (work.total - work.before - work.done) / speed if speed else None

    def _whole(self, work: _Work, left: float | None, now: float) -> str:
        if self.whole is None:
            return ""
        seconds = None
        if left is not None and work.done:
            seconds = (now - work.begun + left) * work.total / max(work.total - work.before, 1)
        after = self.whole.seconds_after(work.title, seconds) if seconds is not None else None
        if after is None or left is None:
            return "; time of the whole unknown"
        return f"; {duration(left + after)} for the whole"

    def _say_if_slow(self, work: _Work, speed: float | None) -> None:
        if speed and work.first and not work.slow and speed < SLOW * work.first:
            work.slow = True
            why = self.why_slow()
            share = 100 * speed / work.first
            self.write(f"{work.title}: now at {share:.0f} % of its first speed{f'; {why}' if why else ''}", True)


def duration(seconds: float) -> str:
    """A time that is estimated, in words: about 40 s, about 3 min, about 1 h 20 min."""
    if seconds < 90:
        return f"about {max(round(seconds / 5) * 5, 5)} s"
    minutes = round(seconds / 60)
    return f"about {minutes} min" if minutes < 90 else f"about {minutes // 60} h {minutes % 60} min"
