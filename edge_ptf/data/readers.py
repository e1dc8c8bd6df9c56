"""Reads files of labelled text row by row: CSV, TSV, JSON, JSON Lines, SQuAD, CoNLL, Parquet,
Excel, and the files of Label Studio, Rasa and spaCy.

Each row has the line number in its file, so that error messages show file and line. Text files are UTF-8, with or
without a byte order mark, unless the user names another encoding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from edge_ptf.data.columns import Columns
from edge_ptf.data.conll import read_conll
from edge_ptf.data.csv_files import read_csv, read_tsv
from edge_ptf.data.docbin import read_docbin
from edge_ptf.data.hub import read_parquet
from edge_ptf.data.json_files import read_json, read_jsonl
from edge_ptf.data.lines import PLAIN, FileFormat
from edge_ptf.data.rasa import read_rasa
from edge_ptf.data.rows import Findings, Row
from edge_ptf.data.spreadsheets import read_xlsx
from edge_ptf.errors import DataError

__all__ = ["READERS", "Columns", "FileFormat", "Findings", "Reader", "Row", "read_file", "refusal"]

Reader = Callable[[Path, Columns, Findings, FileFormat], Iterator[Row]]

READERS: dict[str, Reader] = {
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".jsonl": read_jsonl,
    ".json": read_json,
    ".parquet": read_parquet,
    ".xlsx": read_xlsx,
    ".conll": read_conll,
    ".txt": read_conll,
    ".yml": read_rasa,
    ".yaml": read_rasa,
    ".spacy": read_docbin,
}

_SHEET = "Save the sheet as .xlsx, or as CSV with the column names in the first line (in Excel: Save As, CSV UTF-8)"
_TO_ROWS = "Write a .csv or .jsonl file with one row for each text and its label"
_ARROW = "Write it as Parquet: datasets.Dataset.from_file(NAME).to_parquet('train.parquet')"
_UNPACK = "Unpack it, and give the folder or file that was in it"

ADVICE: dict[str, str] = {
    **dict.fromkeys((".xls", ".xlsm", ".xlsb", ".ods", ".numbers"), _SHEET),
    **dict.fromkeys((".xml", ".md", ".html", ".docx", ".pdf", ".toml"), _TO_ROWS),
    **dict.fromkeys((".db", ".sqlite", ".sqlite3"), _TO_ROWS),
    **dict.fromkeys((".arrow", ".feather"), _ARROW),
    **dict.fromkeys((".gz", ".zip", ".bz2", ".xz", ".zst", ".tar", ".tgz", ".7z", ".rar"), _UNPACK),
    **dict.fromkeys((".pkl", ".pickle"), "Loading a pickle can run any code; write it with pandas: DataFrame.to_csv"),
}
"""What to do with a kind of file that is not read, by suffix."""


def read_file(path: Path, columns: Columns, findings: Findings, form: FileFormat = PLAIN) -> Iterator[Row]:
    """The rows of one file. The suffix selects the reader.

    Rows that cannot be read become problems in `findings`.

    Raises:
        DataError: the whole file cannot be used: it has another encoding, lacks a column, or has an unknown suffix.
    """
    suffix = path.suffix.lower()
    if suffix not in READERS:
        raise refusal(path)
    return READERS[suffix](path, columns, findings, form)


def refusal(path: Path) -> DataError:
    """The error for a file of a kind that is not read. It says what to do."""
    suffix = path.suffix.lower()
    allowed = f"Allowed: {', '.join(READERS)}"
    if suffix in ADVICE:
        return DataError(f"{path}: {suffix} files are not read", hint=f"{ADVICE[suffix]}. {allowed}")
    return DataError(f"{path}: unknown file type", hint=allowed)
