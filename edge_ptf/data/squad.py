"""SQuAD files, version 1.1 and 2.0: questions inside the paragraphs of articles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edge_ptf.data.columns import Columns
from edge_ptf.data.rows import Findings, Row

COLUMNS = ("question", "context", "answer", "is_impossible")


def is_squad(record: Any) -> bool:
    """Whether a JSON value is a whole SQuAD file: an object with a list `data` of objects that have `paragraphs`."""
    if not isinstance(record, Mapping) or not isinstance(record.get("data"), list) or not record["data"]:
        return False
    return all(isinstance(article, Mapping) and "paragraphs" in article for article in record["data"])


def squad_rows(path: str, record: Mapping[str, Any], columns: Columns, findings: Findings) -> Iterator[Row]:
    """One row for each question. `plausible_answers` are no answers, and are ignored.

    A row is named by the id of its question, or by its place in the file.

    Raises:
        DataError: the task has other columns.
    """
    resolved = columns.resolve(path, COLUMNS if _is_version_2(record) else COLUMNS[:-1], findings)
    for article_number, article in enumerate(record["data"]):
        for paragraph_number, paragraph in enumerate(_listed(article["paragraphs"])):
            place = f"data[{article_number}].paragraphs[{paragraph_number}]"
            if not isinstance(paragraph, Mapping) or not isinstance(paragraph.get("qas"), list):
                findings.problem(f"{path}: {place}", "not an object with 'context' and 'qas'")
                continue
            for number, asked in enumerate(paragraph["qas"]):
                if not isinstance(asked, Mapping):
                    findings.problem(f"{path}: {place}.qas[{number}]", "not an object with a 'question'")
                    continue
                name = f"question {asked['id']}" if asked.get("id") else f"{place}.qas[{number}]"
                values = {
                    "question": asked.get("question"),
                    "context": paragraph.get("context"),
                    "answer": asked.get("answers"),
                }
                if "is_impossible" in asked:
                    values["is_impossible"] = asked["is_impossible"]
                yield Row(f"{path}: {name}", (), resolved.pick(values))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _is_version_2(record: Mapping[str, Any]) -> bool:
    """Whether a question says if it has an answer."""
    paragraphs = (part for article in record["data"] for part in _listed(article["paragraphs"]))
    asked = (part.get("qas") for part in paragraphs if isinstance(part, Mapping))
    return any(
        "is_impossible" in each for qas in asked if isinstance(qas, list) for each in qas if isinstance(each, Mapping)
    )
