"""Delimiters, encodings, Parquet, and kinds of files that are not read."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_ptf.config import parse
from edge_ptf.data import DataConfig, load
from edge_ptf.data.columns import Columns
from edge_ptf.data.lines import FileFormat
from edge_ptf.data.readers import ADVICE, READERS, read_file
from edge_ptf.data.rows import Findings
from edge_ptf.errors import ConfigError, DataError, ExitCode
from edge_ptf.tasks.base import Task
from edge_ptf.tasks.multi_label_classification import MultiLabelClassification
from edge_ptf.tasks.text_classification import TextClassification

GREETING = {"text": "hi, you; there|now", "label": "greet"}


def read(
    path: Path, content: str | bytes, task: type[Task] = TextClassification, **options: str
) -> tuple[list[dict[str, object]], Findings]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    findings, config = Findings(), DataConfig.model_validate(options)
    rows = read_file(path, Columns.of(task, config), findings, FileFormat.of(config))
    return [row.values for row in rows], findings


# Delimiters


@pytest.mark.parametrize(
    ("suffix", "delimiter", "shown"),
    [
        ("csv", ",", None),
        ("csv", ";", "';'"),
        ("csv", "\t", "a tab"),
        ("csv", "|", "'|'"),
        ("tsv", "\t", None),
        ("tsv", ",", "a comma"),
    ],
)
def test_the_header_decides_the_delimiter_and_a_note_says_so(
    tmp_path: Path, suffix: str, delimiter: str, shown: str | None
) -> None:
    content = f'text{delimiter}label\n"{GREETING["text"]}"{delimiter}greet\n'
    rows, findings = read(tmp_path / f"x.{suffix}", content)
    assert rows == [GREETING]
    assert findings.notes == ([f"The fields are separated by {shown}, as the header shows."] if shown else [])


def test_the_delimiter_is_not_guessed_from_rows(tmp_path: Path) -> None:
    rows, findings = read(tmp_path / "x.csv", "text,labels\nhello,a|b\nbye; now,c\n", MultiLabelClassification)
    assert [row["labels"] for row in rows] == ["a|b", "c"]
    assert not findings.notes


def test_a_bar_in_the_header_is_the_delimiter_of_multi_label_data_too(tmp_path: Path) -> None:
    rows, findings = read(tmp_path / "x.csv", 'text|labels\nhello|"a|b"\n', MultiLabelClassification)
    assert rows == [{"text": "hello", "labels": "a|b"}]
    assert len(findings.notes) == 1


def test_other_columns_may_contain_other_delimiters(tmp_path: Path) -> None:
    rows, findings = read(tmp_path / "x.csv", "text,a;b;c,label,d|e\nhello,1,greet,2\n")
    assert rows == [{"text": "hello", "label": "greet"}]
    assert not findings.notes


@pytest.mark.parametrize(
    ("given", "delimiter"), [("tab", "\t"), ("semicolon", ";"), ("pipe", "|"), ("comma", ","), ("~", "~")]
)
def test_the_option_names_the_delimiter(tmp_path: Path, given: str, delimiter: str) -> None:
    rows, findings = read(tmp_path / "x.csv", f"text{delimiter}label\nhello{delimiter}greet\n", delimiter=given)
    assert rows == [{"text": "hello", "label": "greet"}]
    assert not findings.notes


@pytest.mark.parametrize("given", ["", ";;", '"', "\n"])
def test_other_delimiters_are_refused(given: str) -> None:
    with pytest.raises(ConfigError, match="comma, semicolon, tab, pipe"):
        parse(DataConfig, {"delimiter": given}, where="x.yaml")


def test_the_line_of_a_spreadsheet_that_names_the_delimiter_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    rows, findings = read(path, "sep=;\r\ntext;label\r\nhello;greet\r\n;greet\r\nshort\r\n")
    assert rows[0] == {"text": "hello", "label": "greet"}
    assert findings.notes == ["The fields are separated by ';', as the first line says."]
    assert findings.problems == [f"{path}:5: the row has 1 fields, but the header has 2"]


def test_a_table_without_the_columns_is_shown_as_it_is_divided(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="found: said, meaning"):
        read(tmp_path / "x.csv", "said;meaning\nhello;greet\n")


# Encodings


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1", "utf-8-sig"])
@pytest.mark.parametrize("suffix", ["csv", "jsonl", "json"])
def test_a_declared_encoding_is_read(tmp_path: Path, encoding: str, suffix: str) -> None:
    content = "text,label\nfür,ä\n" if suffix == "csv" else '{"text": "für", "label": "ä"}\n'
    rows, _ = read(tmp_path / f"x.{suffix}", content.encode(encoding), encoding=encoding)
    assert rows == [{"text": "für", "label": "ä"}]


def test_line_numbers_are_right_in_another_encoding(tmp_path: Path) -> None:
    content = 'text,label\r\n"two\r\nlines\x85more\u2028and",a\r\nshort\r\n'.encode("utf-16")
    rows, findings = read(tmp_path / "x.csv", content, encoding="utf-16")
    assert rows[0]["text"] == "two\r\nlines\x85more\u2028and"
    assert findings.problems[0].startswith(f"{tmp_path}/x.csv:4:")


@pytest.mark.parametrize(
    ("content", "option"),
    [
        ("text,label\nfür,a\n".encode("cp1252"), "--set data.encoding=cp1252"),
        ("text,label\nfür,a\n".encode("utf-16"), "--set data.encoding=utf-16"),
        ("text,label\nfür,a\n".encode("utf-16-le"), "--set data.encoding=utf-16-le"),
        ("text,label\nfür,a\n".encode("utf-16-be"), "--set data.encoding=utf-16-be"),
    ],
)
def test_a_file_that_is_not_utf8_names_the_option(tmp_path: Path, content: bytes, option: str) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path / "x.csv", content)
    assert option in caught.value.hint
    assert "\n" not in str(caught.value)


def test_a_wrong_declaration_names_file_line_and_option(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"x\.csv:2: not ascii at byte 12 of the file\. .*data\.encoding"):
        read(tmp_path / "x.csv", "text,label\nfür,a\n".encode("cp1252"), encoding="ascii")
    with pytest.raises(DataError, match=r"mark of UTF-8, but data\.encoding is cp1252"):
        read(tmp_path / "x.csv", "\ufefftext,label\n", encoding="cp1252")


@pytest.mark.parametrize("name", ["utf-99", "", "base64", "rot13"])
def test_an_unknown_encoding_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="no known encoding of text"):
        parse(DataConfig, {"encoding": name}, where="x.yaml")


def test_unlabelled_texts_have_the_declared_encoding(tmp_path: Path) -> None:
    rows = "".join(f"für {index},{('a', 'b')[index % 2]}\n" for index in range(40))
    (tmp_path / "all.csv").write_bytes(f"text,label\n{rows}".encode("cp1252"))
    (tmp_path / "logs.txt").write_bytes("schön\n".encode("cp1252"))
    config = DataConfig(encoding="cp1252", unlabelled=str(tmp_path / "logs.txt"))
    assert load(str(tmp_path / "all.csv"), TextClassification, config).unlabelled[0].text == "schön"


# Parquet and other kinds


def test_parquet_is_read_with_the_names_of_class_ids(tmp_path: Path) -> None:
    import datasets

    features = datasets.Features(
        {"utterance": datasets.Value("string"), "label": datasets.ClassLabel(names=["a", "b"])}
    )
    rows = {"utterance": ["hello", "bye", ""], "label": [1, 0, -1]}
    path = tmp_path / "train.parquet"
    datasets.Dataset.from_dict(rows, features=features).to_parquet(path)
    findings = Findings()
    read_rows = list(read_file(path, Columns.of(TextClassification, DataConfig()), findings))
    assert [row.values for row in read_rows[:2]] == [{"text": "hello", "label": "b"}, {"text": "bye", "label": "a"}]
    assert read_rows[2].values["label"] is None
    assert read_rows[2].place() == f"{path}:2"
    assert findings.notes == ["Column 'utterance' is read as text."]


def test_parquet_that_pandas_wrote_with_categories_is_read(tmp_path: Path) -> None:
    import pandas

    frame = pandas.DataFrame({"text": ["hello", "bye"], "label": pandas.Categorical(["a", "b"])}, index=[7, 9])
    frame.to_parquet(tmp_path / "x.parquet")
    rows = read_file(tmp_path / "x.parquet", Columns.of(TextClassification, DataConfig()), Findings())
    assert [row.values for row in rows] == [{"text": "hello", "label": "a"}, {"text": "bye", "label": "b"}]


def test_a_damaged_parquet_file_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"x\.parquet: cannot be read as Parquet") as caught:
        read(tmp_path / "x.parquet", b"PAR1 damaged PAR1")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", sorted(ADVICE))
def test_kinds_that_are_not_read_say_what_to_do(tmp_path: Path, suffix: str) -> None:
    assert suffix not in READERS
    with pytest.raises(DataError) as caught:
        read(tmp_path / f"data{suffix}", b"x")
    assert caught.value.exit_code == ExitCode.BAD_INPUT
    assert f"{suffix} files are not read. {ADVICE[suffix]}. Allowed: .csv, " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_with_an_old_spreadsheet_or_with_nested_files_says_what_to_do(tmp_path: Path) -> None:
    sheets, texts = tmp_path / "a", tmp_path / "b"
    sheets.mkdir()
    (sheets / "train.xls").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"train\.xls: \.xls files are not read\. Save the sheet as \.xlsx, or as CSV"):
        load(str(sheets), TextClassification)
    (texts / "train").mkdir(parents=True)
    (texts / "train" / "1.txt").write_text("good")
    with pytest.raises(DataError, match=r"'train' is a folder.*train\.csv, with the columns text, label"):
        load(str(texts), TextClassification)


def test_a_missing_spreadsheet_is_a_missing_file_and_no_hub_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="no such file or folder"):
        load("data.xlsx", TextClassification)
