from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from edge_ptf.api.inputs import load_data
from edge_ptf.api.settings import Settings
from edge_ptf.cli import running
from edge_ptf.cli.console import Bars, make_console
from edge_ptf.tasks.text_classification import TextClassification


def test_a_stage_command_shows_the_notes_of_its_data(tmp_path: Path) -> None:
    for name in ("train", "validation", "test"):
        (tmp_path / f"{name}.csv").write_text(f"utterance;label\n{name} on;on\n{name} off;off\n")
    console = make_console()
    with console.capture() as shown:
        data = load_data(Settings(None, (), {"data": str(tmp_path)}), TextClassification, Bars(console))
    assert len(data.report.notes) == 2
    assert all(f"  {note}\n" in shown.get() for note in data.report.notes)


@pytest.mark.parametrize("load", ["", "other programs use this machine (load 9.0 on 2 cores)"])
def test_a_busy_machine_is_said_before_long_work(monkeypatch: pytest.MonkeyPatch, load: str) -> None:
    monkeypatch.setattr(running, "load_of_others", lambda: load)
    monkeypatch.setattr(running, "this_machine", lambda: SimpleNamespace(cores=2))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    said = []
    for threads in (None, "1"):
        if threads:
            monkeypatch.setenv("OMP_NUM_THREADS", threads)
        console = make_console()
        with console.capture() as shown:
            running.say_if_busy(console)
        said.append(shown.get())
    if not load:
        assert said == ["", ""]
        return
    assert said[0].startswith(
        "  Other programs use this machine (load 9.0 on 2 cores): work takes longer. OMP_NUM_THREADS=1"
    )
    assert "OMP_NUM_THREADS" not in said[1]  # it is chosen already
