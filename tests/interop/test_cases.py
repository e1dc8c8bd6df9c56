"""What `make interop` compares covers every task and every family that can be pruned."""

from __future__ import annotations

from pathlib import Path

from edge_ptf import tasks
from edge_ptf.models import FAMILIES
from tests.interop.packages import CASES


def test_every_task_and_every_form_of_it_is_among_the_cases() -> None:
    forms = {(case.task, case.mode) for case in CASES}
    assert forms == {(task, mode) for task in tasks.names() for mode in ("none", "dynamic")}
    assert {case.family for case in CASES} == set(FAMILIES)
    assert {case.structure for case in CASES} == {"whole", "alike", "mixed"}
    assert any(case.scope for case in CASES)
    assert any(case.paired for case in CASES)


def test_the_other_programs_import_nothing_of_edge_ptf() -> None:
    text = Path(__file__).with_name("others.py").read_text(encoding="utf-8")
    assert "import edge_ptf" not in text
    assert "from edge_ptf" not in text


def test_both_environments_have_the_same_onnx_runtime() -> None:
    folder = Path(__file__).parent
    pinned = [
        line for line in (folder / "requirements.txt").read_text().splitlines() if line.startswith("onnxruntime==")
    ]
    assert len(pinned) == 1
    assert pinned[0] in (folder.parents[1] / "constraints.txt").read_text().splitlines()
