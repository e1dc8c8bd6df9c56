from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from edge_ptf.data.columns import Columns
from edge_ptf.data.conll import clean_words
from edge_ptf.data.csv_files import CSV_FIELD_LIMIT
from edge_ptf.data.dataset import DataConfig
from edge_ptf.data.lines import PLAIN, FileFormat
from edge_ptf.data.readers import read_file
from edge_ptf.data.rows import Findings, Row
from edge_ptf.errors import DataError
from edge_ptf.tasks.text_classification import TextClassification
from edge_ptf.tasks.token_classification import TokenClassification

TEXT = Columns.of(TextClassification, DataConfig())
WORDS = Columns.of(TokenClassification, DataConfig())


def read(
    path: Path, content: str | bytes, columns: Columns = TEXT, form: FileFormat = PLAIN
) -> tuple[list[Row], Findings]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    findings = Findings()
    return list(read_file(path, columns, findings, form)), findings


def problems(path: Path, content: str | bytes, columns: Columns = TEXT) -> list[str]:
    return [problem.removeprefix(f"{path}:") for problem in read(path, content, columns)[1].problems]


# CSV and TSV


def test_csv_lines_are_physical_lines_of_the_file(tmp_path: Path) -> None:
    content = 'text,label\r\n"two\r\nlines",a\r\n\r\nplain,b\r\n"three\n\nlines",c\nlast,d'
    rows, findings = read(tmp_path / "x.csv", content)
    assert [(row.lines, row.values["text"]) for row in rows] == [
        ((2,), "two\r\nlines"),
        ((5,), "plain"),
        ((6,), "three\n\nlines"),
        ((9,), "last"),
    ]
    assert not findings.count
    assert not findings.notes


def test_csv_quotes_commas_and_other_line_separators_stay_in_the_text(tmp_path: Path) -> None:
    rows, _ = read(tmp_path / "x.csv", 'text,label\n"say ""hi"", now",a\none\u2028line\x85still,b\nnext,c\n')
    assert [row.values["text"] for row in rows] == ['say "hi", now', "one\u2028line\x85still", "next"]
    assert [row.lines for row in rows] == [(2,), (3,), (4,)]


def test_tsv_is_cut_at_tabs(tmp_path: Path) -> None:
    rows, _ = read(tmp_path / "x.tsv", "label\ttext\na\tone, two\n")
    assert rows[0].values == {"text": "one, two", "label": "a"}


def test_a_byte_order_mark_is_accepted_at_the_beginning_only(tmp_path: Path) -> None:
    rows, _ = read(tmp_path / "x.csv", "\ufefftext,label\n\ufeffhi,a\n")
    assert rows[0].values == {"text": "\ufeffhi", "label": "a"}


def test_texts_of_a_hundred_thousand_and_more_characters_are_read_and_the_limit_is_put_back(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    rows, findings = read(tmp_path / "x.csv", f"text,label\n{'word ' * 60_000},a\n")
    assert len(rows[0].values["text"]) == 300_000
    assert not findings.count
    assert csv.field_size_limit() == before


def test_a_pair_column_is_used_when_present(tmp_path: Path) -> None:
    rows, _ = read(tmp_path / "x.csv", "text,text_pair,label,other\na,b,c,d\n")
    assert rows[0].values == {"text": "a", "text_pair": "b", "label": "c"}


def test_columns_can_have_other_names(tmp_path: Path) -> None:
    columns = Columns.of(TextClassification, DataConfig(text_column="utterance", label_column="intent"))
    rows, _ = read(tmp_path / "x.csv", "utterance, intent\nhello,greet\n", columns)
    assert rows[0].values == {"text": "hello", "label": "greet"}


def test_missing_columns_name_the_file_what_is_missing_what_is_there_and_the_option(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    with pytest.raises(DataError) as caught:
        read(path, "said,meaning\nhello,greet\n")
    said = str(caught.value)
    assert "\n" not in said
    for part in (str(path), "'text'", "'label'", "said, meaning", "--set data.text_column="):
        assert part in said
    with pytest.raises(DataError, match=r"no column 'label'.*data\.label_column="):
        read(path, "text,meaning\nhello,greet\n")


def test_a_column_named_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'text' occurs twice in the header"):
        read(tmp_path / "x.csv", "text,label,text\na,b,c\n")


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_a_csv_file_without_header_is_empty(tmp_path: Path, content: str) -> None:
    with pytest.raises(DataError, match="the file is empty"):
        read(tmp_path / "x.csv", content)


def test_csv_rows_of_another_width_are_problems(tmp_path: Path) -> None:
    assert problems(tmp_path / "x.csv", "text,label\none, two,a\nalone\nfine,b\n") == [
        "2: the row has 3 fields, but the header has 2",
        "3: the row has 1 fields, but the header has 2",
    ]


def test_a_quote_that_is_never_closed_is_a_problem_where_it_opens(tmp_path: Path) -> None:
    assert problems(tmp_path / "x.csv", 'text,label\nfine,a\n"open,b\nswallowed,c\n') == [
        "3: this quote is never closed"
    ]


def test_text_after_a_closing_quote_is_a_problem_and_reading_goes_on(tmp_path: Path) -> None:
    rows, findings = read(tmp_path / "x.csv", 'text,label\n"a" b,c\nfine,d\n"e" f,g\n')
    assert [row.values["text"] for row in rows] == ["fine"]
    assert [problem.split(": ")[0].rsplit(":")[-1] for problem in findings.problems] == ["2", "4"]


def test_a_field_beyond_the_limit_is_a_problem(tmp_path: Path) -> None:
    found = problems(tmp_path / "x.csv", f"text,label\n{'x' * (CSV_FIELD_LIMIT + 1)},a\n")
    assert found[0].startswith("2: a field has more than 10,000,000 characters")


def test_a_broken_header_is_a_fault_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"x\.csv:1: this quote is never closed"):
        read(tmp_path / "x.csv", '"text,label\na,b\n')


# UTF-8, kinds of files


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "json"])
def test_what_is_not_utf8_is_named_by_line_and_byte(tmp_path: Path, suffix: str) -> None:
    head = {"csv": b"text,label\n", "tsv": b"text\tlabel\n", "jsonl": b'{"text": 1}\n', "json": b"[\n"}[suffix]
    with pytest.raises(DataError, match=rf"x\.{suffix}:2: not UTF-8 at byte 3 .*\(byte {len(head) + 3} of the file"):
        read(tmp_path / f"x.{suffix}", head + b"caf\xe9,drink\n")


def test_utf16_is_refused_as_not_utf8(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"x\.csv:1: not UTF-8 at byte 0.* Save the file as UTF-8.*data\.encoding=utf-16$"
    ):
        read(tmp_path / "x.csv", "text,label\na,b\n".encode("utf-16"))


def test_other_kinds_of_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"unknown file type.*\.csv, \.tsv, \.jsonl"):
        read(tmp_path / "x.data", b"PAR1")


def test_a_file_that_cannot_be_opened_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        list(read_file(tmp_path / "absent.csv", TEXT, Findings()))


# JSON


def test_jsonl_lines_are_counted_over_blank_ones(tmp_path: Path) -> None:
    rows, _ = read(tmp_path / "x.jsonl", '{"text": "a", "label": 1}\n\n{"label": "x", "text": "b\u2028c"}\n')
    assert [(row.lines, row.values) for row in rows] == [
        ((1,), {"text": "a", "label": 1}),
        ((3,), {"text": "b\u2028c", "label": "x"}),
    ]


def test_bad_jsonl_lines_are_problems(tmp_path: Path) -> None:
    good = '{"text": "a", "label": "b"}'
    lines = [good, '{"text": "a"', "[1, 2]", "[" * 100_000, "9" * 5000, good]
    found = problems(tmp_path / "x.jsonl", "\n".join(lines))
    assert [problem.split(":")[0] for problem in found] == ["2", "3", "4", "5"]
    assert "not valid JSON" in found[0]
    assert found[1] == "3: not a JSON object of columns"


def test_a_column_that_no_json_row_has_is_a_fault_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no column 'label'.*found: text, meaning"):
        read(tmp_path / "x.jsonl", '{"text": "a", "meaning": "b"}\n' * 3)


def test_a_column_that_one_json_row_lacks_is_left_to_the_task(tmp_path: Path) -> None:
    rows, _ = read(tmp_path / "x.jsonl", '{"text": "a"}\n{"text": "a", "label": "b"}\n')
    assert [row.values["label"] for row in rows] == [None, "b"]


@pytest.mark.parametrize("indent", [None, 2])
def test_a_json_array_keeps_the_line_of_each_row(tmp_path: Path, indent: int | None) -> None:
    rows, _ = read(
        tmp_path / "x.json", json.dumps([{"text": "a", "label": "b"}, {"text": "c", "label": "d"}], indent=indent)
    )
    assert [row.values["text"] for row in rows] == ["a", "c"]
    assert [row.lines for row in rows] == ([(1,), (1,)] if indent is None else [(2,), (6,)])


def test_a_json_file_may_hold_objects_one_after_another(tmp_path: Path) -> None:
    rows, _ = read(tmp_path / "x.json", '{"text": "a", "label": "b"}\n{"text": "c", "label": "d"}\n')
    assert [row.lines for row in rows] == [(1,), (2,)]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ('[\n{"text": "a", "label": "b"}', "the array is not closed"),
        ('[\n{"text": "a", "label": "b"}\n{"text": "a", "label": "b"}]', ":3: not valid JSON: ',' or ']' is missing"),
        ('[{"text": "a", "label": "b"}]\nmore', "there is text after the array"),
        ('[\n{"text": oops}]', ":2: not valid JSON"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_a_damaged_json_file_is_named_with_its_line(tmp_path: Path, content: str, why: str) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path / "x.json", content)
    assert why in caught.value.message


# CoNLL


def sentences(path: Path, content: str) -> list[tuple[list[str], list[str], tuple[int, ...]]]:
    return [(row.values["tokens"], row.values["tags"], row.lines) for row in read(path, content, WORDS)[0]]


def test_conll_takes_the_first_and_last_column_and_ends_sentences_at_blank_lines(tmp_path: Path) -> None:
    content = "-DOCSTART- -X- O\n\nEU NNP B-ORG\nsays VBZ O\n\t\n \r\n\nHi\tUH\tO\r\n-DOCSTART-\tO\nbye\tO"
    for name in ("x.conll", "x.txt"):
        assert sentences(tmp_path / name, content) == [
            (["EU", "says"], ["B-ORG", "O"], (3, 4)),
            (["Hi"], ["O"], (8,)),
            (["bye"], ["O"], (10,)),
        ]


def test_a_conll_line_with_one_column_is_a_problem_and_spoils_its_sentence_only(tmp_path: Path) -> None:
    rows, findings = read(tmp_path / "x.conll", "a\tO\nb\nc\tO\n\nd\tO\n", WORDS)
    assert [problem.split(":", 1)[1] for problem in findings.problems] == [
        "2: only one column; a word and its tag are needed"
    ]
    assert [row.values["tokens"] for row in rows] == [["d"]]


def test_white_space_inside_words_is_removed_and_words_that_are_nothing_else_are_dropped(tmp_path: Path) -> None:
    rows, findings = read(
        tmp_path / "x.conll", "10\u00a0km\tO\n\u00a0\tO\n\ufe0f\tO\na\u200bb\tB-x\n\n\u3000\tO\n\n", WORDS
    )
    assert [row.values["tokens"] for row in rows] == [["10km", "\ufe0f", "a\u200bb"]]
    assert rows[0].lines == (1, 3, 4)
    assert (findings.cleaned_words, findings.dropped_words, findings.dropped_sentences) == (1, 2, 1)
    assert all(not character.isspace() for word in rows[0].values["tokens"] for character in word)


def test_a_word_of_white_space_with_an_entity_tag_is_kept_for_the_task_to_refuse() -> None:
    assert clean_words(["a", "\u00a0"], ["O", "B-x"], Findings()) == [(0, "a", "O"), (1, "\u00a0", "B-x")]


FOUR = "EU NNP B-NP B-ORG\nsays VBZ B-VP O\n\nHi UH O O\n"


@pytest.mark.parametrize(
    ("places", "tags"),
    [({}, ["B-ORG", "O"]), ({"tag_column": 2}, ["B-NP", "B-VP"]), ({"tag_column": -2}, ["B-NP", "B-VP"])],
)
def test_conll_columns_are_found_by_their_place(tmp_path: Path, places: dict[str, int], tags: list[str]) -> None:
    rows, findings = read(tmp_path / "x.conll", FOUR, WORDS, FileFormat(**places))
    assert (rows[0].values["tokens"], rows[0].values["tags"]) == (["EU", "says"], tags)
    place = places.get("tag_column", -1)
    assert findings.notes == [
        f"CoNLL: 4 columns, separated by spaces. Words are read from column 0 and tags from column {place} (0 is the "
        "first, -1 the last)."
    ]


def test_a_conll_word_may_stand_behind_its_tag(tmp_path: Path) -> None:
    rows, _ = read(tmp_path / "x.conll", "B-ORG\t1\tEU\nO\t2\tsays\n", WORDS, FileFormat(token_column=-1, tag_column=0))
    assert rows[0].values == {"tokens": ["EU", "says"], "tags": ["B-ORG", "O"]}


def test_the_usual_form_of_conll_has_no_note_and_mixed_forms_have_one(tmp_path: Path) -> None:
    assert read(tmp_path / "x.conll", "EU\tB-ORG\nsays\tO\n", WORDS)[1].notes == []
    _, findings = read(tmp_path / "x.conll", "EU\tNNP\tB-ORG\nsays O\n", WORDS)
    assert findings.notes[0].startswith("CoNLL: 2 to 3 columns, separated by spaces or tabs.")


@pytest.mark.parametrize(
    ("places", "why"),
    [
        ({"tag_column": 3}, "only 2 columns, but data.tag_column is 3 (counted from 0; -1 is the last)"),
        ({"token_column": -3}, "only 2 columns, but data.token_column is -3 (counted from 0; -1 is the last)"),
        ({"tag_column": 0, "token_column": -2}, "2 columns: data.token_column and data.tag_column are the same one"),
    ],
)
def test_every_line_without_the_named_column_is_a_problem(tmp_path: Path, places: dict[str, int], why: str) -> None:
    _, findings = read(tmp_path / "x.conll", "a\tO\n\nb\tO\n", WORDS, FileFormat(**places))
    assert [problem.split(":", 1)[1] for problem in findings.problems] == [f"1: {why}", f"3: {why}"]


def test_a_name_for_a_column_of_conll_is_refused(tmp_path: Path) -> None:
    named = replace(WORDS, required={"tokens": "tokens", "tags": "-1"})
    with pytest.raises(DataError, match=r"have no names, but data\.tags_column is '-1'") as caught:
        read(tmp_path / "x.conll", "a\tO\n", named)
    assert "--set data.tag_column=0 is the first, -1 the last" in caught.value.hint


def test_conll_serves_only_tasks_with_words_and_tags(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"contains words and tags, but text-classification needs text, label"):
        read(tmp_path / "x.conll", "a\tO\n")


def test_problems_beyond_fifty_are_counted() -> None:
    findings = Findings()
    for line in range(73):
        findings.problem(f"x.csv:{line}", "bad")
    with pytest.raises(DataError, match="73 rows cannot be used") as caught:
        findings.check("x.csv")
    assert len(caught.value.problems) == 51
    assert caught.value.problems[-1] == "... and 23 more"
