"""SQuAD files of both versions, and tables of questions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edge_ptf.data.loading import load
from edge_ptf.errors import DataError
from edge_ptf.tasks.question_answering import QuestionAnswering
from edge_ptf.tasks.text_classification import TextClassification

CONTEXT = "Anna lives in Rome, and Bob lives in Oslo."


def asked(number: int, answers: list[Any], **more: Any) -> dict[str, Any]:
    return {"id": f"q{number}", "question": f"Who is number {number}?", "answers": answers, **more}


def squad(*questions: dict[str, Any]) -> str:
    paragraphs = [{"context": CONTEXT, "qas": list(questions)}]
    return json.dumps({"version": "v2.0", "data": [{"title": "People", "paragraphs": paragraphs}]})


def anna(number: int) -> dict[str, Any]:
    return asked(number, [{"text": "Anna", "answer_start": 0}, {"text": "Anna lives", "answer_start": 0}])


def nobody(number: int) -> dict[str, Any]:
    return asked(number, [], is_impossible=True, plausible_answers=[{"text": "Bob", "answer_start": 24}])


def test_a_folder_of_squad_files_is_read(tmp_path: Path) -> None:
    for start, name in enumerate(("train", "dev", "test")):
        (tmp_path / f"{name}.json").write_text(squad(anna(10 * start), nobody(10 * start + 1)), encoding="utf-8")
    data = load(str(tmp_path), QuestionAnswering)
    answered, silent = data.test
    assert (answered.text, answered.text_pair) == ("Who is number 20?", CONTEXT)
    assert (answered.label, answered.spans) == (("Anna", "Anna lives"), ((0, 4), (0, 10)))
    assert (silent.label, silent.spans) == ((), ())
    assert data.report.splits["train"].classes == {"answer": 1, "no answer": 1}
    assert data.labels == ("start", "end")
    assert data.report.notes == ()


def test_version_1_has_no_mark_of_questions_without_an_answer(tmp_path: Path) -> None:
    (tmp_path / "all.json").write_text(squad(*(anna(number) for number in range(40))), encoding="utf-8")
    data = load(str(tmp_path / "all.json"), QuestionAnswering)
    assert all(example.label for example in (*data.train, *data.validation, *data.test))


def test_all_bad_questions_are_named_at_once(tmp_path: Path) -> None:
    bad = [
        asked(1, [{"text": "Carl", "answer_start": 0}]),
        asked(2, [{"text": "Carl"}]),
        asked(3, [{"text": "Anna", "answer_start": 90}]),
        asked(4, [{"text": "Anna", "answer_start": 0}], is_impossible=True),
        {"question": " ", "answers": []},
    ]
    (tmp_path / "all.json").write_text(squad(anna(0), *bad), encoding="utf-8")
    with pytest.raises(DataError) as error:
        load(str(tmp_path / "all.json"), QuestionAnswering)
    file = tmp_path / "all.json"
    assert list(error.value.problems) == [
        f"{file}: question q1: the answer is 'Carl', but at answer_start 0 the context has 'Anna'",
        f"{file}: question q2: the answer 'Carl' is not in the context",
        f"{file}: question q3: answer_start 90 of 'Anna' is outside the context of 42 characters",
        f"{file}: question q4: is_impossible is true, but there is an answer",
        f"{file}: data[0].paragraphs[0].qas[5]: the question is empty",
    ]


@pytest.mark.parametrize("wrong", [{"qas": 3}, "text", {"context": CONTEXT, "qas": [7]}])
def test_a_damaged_paragraph_is_a_problem(tmp_path: Path, wrong: Any) -> None:
    content = {"data": [{"paragraphs": [wrong, {"context": CONTEXT, "qas": [anna(0)]}]}]}
    (tmp_path / "all.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(DataError) as error:
        load(str(tmp_path / "all.json"), QuestionAnswering)
    assert "data[0].paragraphs[0]" in error.value.problems[0]


def test_another_task_says_what_the_file_has(tmp_path: Path) -> None:
    (tmp_path / "all.json").write_text(squad(anna(0)), encoding="utf-8")
    with pytest.raises(DataError, match=r"no column 'label'.*found: question, context, answer"):
        load(str(tmp_path / "all.json"), TextClassification)


def rows(count: int) -> list[dict[str, Any]]:
    return [
        {"question": f"Who is number {number}?", "context": CONTEXT, "answer": "Anna" if number % 3 else None}
        for number in range(count)
    ]


def test_tables_of_questions_are_read(tmp_path: Path) -> None:
    lines = ["question,context,answer,answer_start"]
    lines += [
        f'Who is {number}?,"{CONTEXT}",{"Oslo" if number % 3 else ""},{37 if number % 3 else ""}'
        for number in range(40)
    ]
    (tmp_path / "all.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    data = load(str(tmp_path / "all.csv"), QuestionAnswering)
    assert {example.spans for example in data.train} == {((37, 41),), ()}


def test_the_form_of_hugging_face_is_read(tmp_path: Path) -> None:
    content = [
        {
            **row,
            "answers": {"text": [row["answer"]] if row["answer"] else [], "answer_start": [0] if row["answer"] else []},
        }
        for row in rows(40)
    ]
    for row in content:
        del row["answer"]
    (tmp_path / "all.jsonl").write_text("\n".join(map(json.dumps, content)), encoding="utf-8")
    data = load(str(tmp_path / "all.jsonl"), QuestionAnswering)
    assert {example.label for example in data.train} == {("Anna",), ()}
    assert any("'answers.text' is read as answer" in note for note in data.report.notes)
