"""What a log shows of long work, with a clock that the test sets."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_ptf import profiles, tasks
from edge_ptf.cli import console as console_module
from edge_ptf.cli.console import Bars, SafeConsole
from edge_ptf.cli.expected_work import ExpectedWork, Part, parts_of
from edge_ptf.cli.progress_lines import ProgressLines, duration
from edge_ptf.config import Source
from edge_ptf.data import load
from edge_ptf.preparation import Job
from edge_ptf.recipe import resolve_recipe


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Work:
    """A stage of even steps on lines that are kept."""

    def __init__(self, whole: ExpectedWork | None = None) -> None:
        self.clock, self.said, self.once = Clock(), list[str](), list[str]()
        self.lines = ProgressLines(self.write, whole, self.clock, lambda: "other programs use this machine")

    def write(self, line: str, once: bool) -> None:
        (self.once if once else self.said).append(line)

    def steps(self, count: int, seconds: float, note: str = "") -> None:
        for _ in range(count):
            self.clock.now += seconds
            self.lines.advance(note=note)


def test_a_line_comes_every_half_minute_with_note_and_time_left() -> None:
    work = Work()
    work.lines.start("Distill", 1000)
    work.steps(5, 1.0)
    assert len(work.once) == 1  # the announcement, which is a line as well
    work.steps(29, 1.0, "epoch 1 of 8, loss 0.5")
    assert work.said == []
    work.steps(1, 1.0, "epoch 1 of 8, loss 0.4")
    work.steps(30, 1.0)  # the last note stays
    assert work.said == [
        "Distill: 4 %, epoch 1 of 8, loss 0.4; about 16 min left",
        "Distill: 6 %, epoch 1 of 8, loss 0.4; about 16 min left",
    ]


def test_long_work_is_announced_as_soon_as_its_time_is_known_and_short_work_is_not() -> None:
    work = Work()
    work.lines.start("Fine-tune", 600)
    work.steps(4, 1.0)
    assert work.once == []
    work.steps(1, 1.0)
    assert work.once == ["Fine-tune: about 10 min for this stage"]
    work.steps(100, 1.0)
    assert len(work.once) == 1
    work.lines.finish()
    work.lines.start("Export", 30)
    work.steps(30, 1.0)
    assert len(work.once) == 1


def test_a_line_comes_also_while_one_step_takes_long() -> None:
    work = Work()
    work.lines.start("Bench", 10)
    work.clock.now += 31
    work.lines.tick()
    assert work.said == ["Bench: 0 %; time left unknown"]
    work.lines.tick()
    assert len(work.said) == 1
    work.clock.now += 30
    work.lines.tick()
    assert len(work.said) == 2
    work.lines.finish()
    work.clock.now += 60
    work.lines.tick()
    assert len(work.said) == 2


def test_the_time_left_follows_the_last_minute_and_slow_work_is_said_once() -> None:
    work = Work()
    work.lines.start("Distill", 10_000)
    work.steps(100, 0.1)
    assert all("first speed" not in line for line in work.once)
    work.steps(300, 0.6)
    assert "left" in work.said[-1]
    assert work.said[-1].split("; ")[1] == duration((10_000 - 400) * 0.6) + " left"
    slow = [line for line in work.once if "first speed" in line]
    assert len(slow) == 1
    assert "of its first speed; other programs use this machine" in slow[0]


def test_work_that_goes_on_where_it_was_counts_only_what_is_left() -> None:
    work = Work()
    work.lines.start("Fine-tune", 1000, 900)
    work.steps(5, 1.0)
    assert work.once == [f"Fine-tune: {duration(95)} for this stage"]
    work.steps(30, 1.0)
    assert work.said == ["Fine-tune: 94 %; about 65 s left"]


def test_the_whole_is_what_is_left_of_the_stage_and_what_comes_after() -> None:
    whole = ExpectedWork()
    whole.expect([Part("Fine-tune", 600), Part("Distill", 1200), Part("Evaluate", 300), Part("Bench", seconds=120)])
    work = Work(whole)
    work.lines.start("Fine-tune", 100)
    work.steps(5, 6.0)  # 10 minutes for an effort of 600: a second for each
    assert work.once == [f"Fine-tune: about 10 min for this stage; {duration(570 + 1200 + 300 + 120)} for the whole"]
    work.lines.finish()
    work.lines.start("Distill", 100)
    work.steps(2, 24.0)  # twice as slow as expected
    assert work.once[1].endswith(f"{duration(98 * 24 + 2 * 300 + 120)} for the whole")
    work.lines.finish()
    work.lines.start("Bench", 10)
    work.steps(3, 12.0)
    assert work.once[2] == "Bench: about 85 s for this stage; about 85 s for the whole"


def test_of_a_job_with_unknown_work_no_time_is_invented() -> None:
    whole = ExpectedWork()
    assert whole.seconds_after("Fine-tune", 60.0) is None
    whole.expect([Part("Fine-tune", 600), Part("Distill", 1200)])
    assert whole.seconds_after("Reading data", 60.0) is None  # its speed says nothing about training
    whole.expect([Part("Bench", seconds=20)])
    assert whole.seconds_after("Export", 60.0) == 20
    work = Work(ExpectedWork())
    work.lines.start("Fine-tune", 600)
    work.steps(5, 1.0)
    assert work.once == ["Fine-tune: about 10 min for this stage; time of the whole unknown"]


@pytest.mark.parametrize(
    ("seconds", "words"), [(1, "about 5 s"), (62, "about 60 s"), (150, "about 2 min"), (5400, "about 1 h 30 min")]
)
def test_estimates_are_said_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_lines_go_to_the_terminal_without_one_and_always_to_the_log_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    for terminal in (False, True):
        stream, log = io.StringIO(), tmp_path / f"{terminal}.log"
        bars = Bars(SafeConsole(file=stream, width=200, force_terminal=terminal), log)
        bars.lines.clock = clock
        with bars:
            bars.start("Distill", 1000)
            clock.now += 31
            bars.lines.tick()
            bars.say("a\x1b[2J line")
            bars.finish()
        written = log.read_text(encoding="utf-8").splitlines()
        assert [line[20:] for line in written] == [
            "Distill …",
            "Distill: 0 %; time left unknown",
            r"a\x1b[2J line",
        ]
        assert ("time left unknown" in stream.getvalue()) is not terminal
    missing = Bars(SafeConsole(file=io.StringIO()), tmp_path / "none" / "x.log")
    missing.say("nothing is made for a log")
    assert not (tmp_path / "none").exists()
    assert console_module.PROGRESS_LOG == "progress.log"


def test_the_work_of_a_job_follows_from_its_recipe_and_rows(
    tiny_base: Callable[[str], Path], csv_data: Path, tmp_path: Path
) -> None:
    def parts(**sections: dict[str, Any]) -> list[Part] | None:
        task, profile = tasks.get("text-classification"), profiles.load("x86-generic")
        base = {"prune": {"num_layers": 2, "intermediate_size": None}, "finetune": {"epochs": 2}}
        recipe = resolve_recipe(profile, task, [Source("test", base), Source("test", sections)])
        job = Job(profile, str(tiny_base("bert")), str(csv_data), task, tmp_path, recipe)
        return parts_of(job, load(str(csv_data), task, recipe.data).report)

    plain = parts()
    assert plain is not None
    assert [part.title for part in plain] == [
        *("Fine-tune", "Importance", "Ask the teacher", "Distill", "Evaluate", "Evaluate", "Bench"),
    ]
    assert plain[0] == Part("Fine-tune", 2 * 96)
    longer = parts(distill={"epochs": 16}, ensemble={"teachers": 3})
    assert longer is not None
    assert [part.title for part in longer].count("Fine-tune") == 3
    distill = [next(part.effort for part in each if part.title == "Distill") for each in (plain, longer)]
    assert distill[1] == pytest.approx(2 * distill[0])
    assert distill[0] < 8 * 96 * 3  # fewer layers are less work
    scope = parts(data={"out_of_scope_label": "music"})
    assert scope is not None
    assert [part.title for part in scope if "Ask the b" in part.title or part.title == "Assemble"] == [
        *("Assemble", "Ask the baseline", "Assemble"),
    ]
    assert parts(search={"automatic": True}) is None  # the targets decide what is trained
