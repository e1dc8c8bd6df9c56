"""Excel workbooks. The tests that write one need openpyxl, which is in the extras excel and dev."""

from __future__ import annotations

import datetime
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from edge_ptf.data import load, spreadsheets
from edge_ptf.data.spreadsheets import cell_text
from edge_ptf.errors import DataError, ExitCode, MissingExtraError
from edge_ptf.tasks.text_classification import TextClassification

LABELS = ("play", "stop", "call")


@pytest.fixture
def openpyxl() -> Any:
    return pytest.importorskip("openpyxl", reason="writing and reading a workbook needs openpyxl (extra: excel)")


def written(openpyxl: Any, path: Path, *sheets: tuple[str, list[list[Any]]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets:
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def texts(count: int = 60) -> list[list[Any]]:
    return [[f"text number {index}", LABELS[index % 3]] for index in range(count)]


def test_a_workbook_is_read_like_a_csv_file(openpyxl: Any, tmp_path: Path) -> None:
    file = written(openpyxl, tmp_path / "data.xlsx", ("Texts", [["text", "label"], *texts()]))
    (tmp_path / "data.csv").write_text(
        "text,label\n" + "".join(f"{text},{label}\n" for text, label in texts()), encoding="utf-8"
    )
    book, table = (load(str(tmp_path / name), TextClassification) for name in (file.name, "data.csv"))
    assert book.fingerprint == table.fingerprint
    assert book.labels == tuple(sorted(LABELS))


def test_empty_rows_and_columns_are_skipped_and_bad_rows_have_their_number(openpyxl: Any, tmp_path: Path) -> None:
    rows = [[None, None, None], ["Utterance", None, "label"], *([text, None, label] for text, label in texts())]
    rows.insert(5, [None, None, None])
    rows.append([None, "a remark", "play"])
    file = written(openpyxl, tmp_path / "data.xlsx", ("Texts", rows))
    with pytest.raises(DataError) as caught:
        load(str(file), TextClassification)
    (problem,) = caught.value.problems
    assert problem == f"{file}:{len(rows)}: the text is empty"


def test_only_the_first_sheet_is_read_and_this_is_said(openpyxl: Any, tmp_path: Path) -> None:
    sheets = ("Texts", [["text", "label"], *texts()]), ("More", [["text", "label"], ["more", "call"]])
    data = load(str(written(openpyxl, tmp_path / "data.xlsx", *sheets)), TextClassification)
    assert "The workbook has 2 sheets. Only the first, 'Texts', is read." in data.report.notes
    assert sum(split.rows for split in data.report.splits.values()) == 60


def test_whole_numbers_are_classes(openpyxl: Any, tmp_path: Path) -> None:
    rows = [["text", "label"], *([f"text number {index}", float(index % 3)] for index in range(60))]
    assert load(str(written(openpyxl, tmp_path / "d.xlsx", ("S", rows))), TextClassification).labels == ("0", "1", "2")


def test_a_folder_can_hold_workbooks(openpyxl: Any, tmp_path: Path) -> None:
    header = ["text", "label"]
    for name in ("train", "validation", "test"):
        rows = [[f"{name} {text}", label] for text, label in texts(12)]
        written(openpyxl, tmp_path / f"{name}.xlsx", ("S", [header, *rows]))
    assert load(str(tmp_path), TextClassification).report.split_by == "given"


def test_a_workbook_without_rows_or_columns_is_refused(openpyxl: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the first sheet is empty"):
        load(str(written(openpyxl, tmp_path / "empty.xlsx", ("S", []))), TextClassification)
    with pytest.raises(DataError, match="no column 'label'"):
        load(str(written(openpyxl, tmp_path / "one.xlsx", ("S", [["text"], ["play"]]))), TextClassification)


def test_other_files_are_no_workbooks(openpyxl: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data.xlsx").write_bytes(b"text,label\n")
    with pytest.raises(DataError, match="not an Excel workbook"):
        load(str(tmp_path / "data.xlsx"), TextClassification)
    with zipfile.ZipFile(tmp_path / "zip.xlsx", "w") as archive:
        archive.writestr("a", "b" * 100)
    with pytest.raises(DataError, match=r"zip\.xlsx: cannot be read as an Excel workbook"):
        load(str(tmp_path / "zip.xlsx"), TextClassification)
    monkeypatch.setattr(spreadsheets, "MOST_UNPACKED_BYTES", 99)
    with pytest.raises(DataError, match="at most 1 GB is read"):
        load(str(tmp_path / "zip.xlsx"), TextClassification)


def test_without_openpyxl_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data.xlsx").write_bytes(b"PK")
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(MissingExtraError) as caught:
        load(str(tmp_path / "data.xlsx"), TextClassification)
    assert caught.value.exit_code == ExitCode.ENVIRONMENT
    assert str(caught.value).endswith(
        "data.xlsx needs the package 'openpyxl', which is not installed. "
        'Install it with: pip install "edge-ptf[excel]"'
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "TRUE"),
        (3, "3"),
        (3.0, "3"),
        (2.5, "2.5"),
        (" é ", " é "),
        (datetime.date(2026, 1, 2), "2026-01-02"),
    ],
)
def test_a_cell_is_text_as_in_csv(value: Any, text: str) -> None:
    assert cell_text(value) == text
