from __future__ import annotations

from pathlib import Path

from edge_ptf.cli.arguments import Settings
from edge_ptf.cli.console import Bars, make_console
from edge_ptf.cli.running import load_data
from edge_ptf.tasks.text_classification import TextClassification


def test_a_stage_command_shows_the_notes_of_its_data(tmp_path: Path) -> None:
    for name in ("train", "validation", "test"):
        (tmp_path / f"{name}.csv").write_text(f"utterance;label\n{name} on;on\n{name} off;off\n")
    console = make_console()
    with console.capture() as shown:
        data = load_data(Settings(None, (), {"data": str(tmp_path)}), TextClassification, Bars(console))
    assert len(data.report.notes) == 2
    assert all(f"  {note}\n" in shown.get() for note in data.report.notes)
