"""Comparison of the teacher's and the package's answers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge_ptf import tasks
from edge_ptf.report.answers import Side, changes, class_changes, confusions, most_confused

from .conftest import accuracy_of

NAMES = ("a", "b", "c")
SPEC = tasks.get("text-classification").spec_for(NAMES)
ROWS = st.lists(st.tuples(*[st.sampled_from(NAMES)] * 3), min_size=1, max_size=40)


@given(ROWS)
def test_every_example_is_on_exactly_one_side(rows: list[tuple[str, str, str]]) -> None:
    teacher = accuracy_of("t" * 64, SPEC, [(reference, before) for reference, before, _ in rows])
    package = accuracy_of("p" * 64, SPEC, [(reference, after) for reference, _, after in rows])
    found = changes(teacher, package)
    counts = {side: sum(change.side is side for change in found) for side in Side}
    assert counts[Side.LOST] == sum(b == r != a for r, b, a in rows)
    assert counts[Side.GAINED] == sum(a == r != b for r, b, a in rows)
    assert counts[Side.SAME] == sum(a == b != r for r, b, a in rows)
    assert counts[Side.OTHER] == sum(r not in (a, b) and a != b for r, b, a in rows)
    assert len(found) + sum(a == b == r for r, b, a in rows) == len(rows)
    assert [change.row for change in found] == sorted(change.row for change in found)
    drop = teacher.metrics["accuracy"] - package.metrics["accuracy"]
    assert abs(drop - 100 * (counts[Side.LOST] - counts[Side.GAINED]) / len(rows)) < 1e-9


@given(ROWS)
def test_the_matrix_counts_every_example_once(rows: list[tuple[str, str, str]]) -> None:
    package = accuracy_of("p" * 64, SPEC, [(reference, after) for reference, _, after in rows])
    pairs = confusions(tasks.create(SPEC), package)
    assert sum(pairs.values()) == len(rows)
    hits = sum(times for (expected, answered), times in pairs.items() if expected == answered)
    assert abs(100 * hits / len(rows) - package.metrics["accuracy"]) < 1e-9
    wrong = {name for pair in pairs if pair[0] != pair[1] for name in pair}
    assert set(most_confused(pairs, 3)) == wrong


def test_classes_that_one_side_never_met_have_no_change() -> None:
    teacher = accuracy_of("t" * 64, SPEC, [("a", "a"), ("a", "b")])
    package = accuracy_of("p" * 64, SPEC, [("a", "a"), ("a", "a")])
    rows = {row.name: row for row in class_changes(teacher, package)}
    assert rows["b"].change is None
    assert rows["a"].change is not None
    assert rows["a"].change > 0
    assert all(row.change is None for row in class_changes(None, package))


def test_tags_are_confused_word_by_word_and_described_with_their_words() -> None:
    task = tasks.get("token-classification")
    assert task.confusions(("O", "B-room", "O"), ("O", "B-day", "B-room")) == [("room", "day"), ("O", "room")]
    label = ("O", "B-room", "I-room")
    assert task.describe(label, "in living room") == "room: living room"
    assert task.describe(label, None) == "room: word 2 to 3"
    assert task.describe(("O",), "hello") == "no entity"
