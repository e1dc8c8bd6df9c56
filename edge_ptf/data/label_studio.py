"""The JSON export of Label Studio: tasks with a text each, and what annotators chose or marked.

The form is that of https://labelstud.io/guide/export. Choices, labels of parts of a text, and relations are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from edge_ptf.data.columns import OTHER_NAMES, Columns
from edge_ptf.data.marked_texts import CLASSES, RELATIONS, TAGS, MarkedText, Relation, Span, marked_rows
from edge_ptf.data.rows import Findings, Row

_LABELS = ("labels", "hypertextlabels")


def is_label_studio(record: Any) -> bool:
    """Whether a JSON value is a task of Label Studio: an object with `data` and a list of `annotations`."""
    return (
        isinstance(record, Mapping)
        and isinstance(record.get("data"), Mapping)
        and isinstance(record.get("annotations"), list)
    )


def label_studio_rows(
    path: str, records: Iterable[tuple[int, Any]], columns: Columns, findings: Findings
) -> Iterator[Row]:
    """The rows of the tasks. A cancelled annotation is ignored; of several, the first is read.

    Args:
        records: with the lines where they begin.

    Raises:
        DataError: the task needs another column.
    """
    texts = (marked for line, record in records for marked in _task(path, line, record, findings))
    return marked_rows(path, texts, (CLASSES, TAGS, RELATIONS), columns, findings)


def _task(path: str, line: int, record: Any, findings: Findings) -> Iterator[MarkedText]:
    if not is_label_studio(record):
        findings.problem(f"{path}:{line}", "not a task of Label Studio, with `data` and `annotations`")
        return
    text = _text(record["data"])
    if text is None:
        names = ", ".join(map(str, record["data"]))
        findings.problem(f"{path}:{line}", f"no field of `data` is surely the text (found: {names}): name it `text`")
        return
    given = [each for each in record["annotations"] if isinstance(each, Mapping) and not each.get("was_cancelled")]
    if len(given) > 1:
        findings.note(f"{path}: some texts have several annotations. The first is read.")
    classes: dict[str, None] = {}
    spans: list[Span] = []
    relations: list[Relation] = []
    results = given[0].get("result") if given else None
    for result in results if isinstance(results, list) else ():
        fault = _read(result, classes, spans, relations)
        if fault:
            findings.problem(f"{path}:{line}", fault)
            return
    if given:
        yield MarkedText(path, line, text, tuple(classes), tuple(spans), tuple(relations))
    else:
        findings.note(f"{path}: texts without an annotation are left out.")


def _read(result: Any, classes: dict[str, None], spans: list[Span], relations: list[Relation]) -> str | None:
    """Adds one result to what was found. Returns why it cannot be used."""
    if not isinstance(result, Mapping):
        return "a result is no object"
    kind: Any = result.get("type")
    value: Any = result.get("value")
    try:
        if kind == "choices":
            classes |= dict.fromkeys(map(str, value["choices"]))
        elif kind in _LABELS:
            name = value[kind][0]
            place = value.get("globalOffsets") or value
            spans.append(Span(int(place["start"]), int(place["end"]), str(name), str(result.get("id", ""))))
        elif kind == "relation":
            name = (result.get("labels") or ["related"])[0]
            ends = (str(result["from_id"]), str(result["to_id"]))
            relations.append(Relation(str(name), *(ends if result.get("direction") != "left" else ends[::-1])))
    except (AttributeError, KeyError, IndexError, TypeError, ValueError):
        return f"a result of the type {kind!r} is incomplete"
    return None


def _text(data: Mapping[str, Any]) -> str | None:
    """The text of a task: the field `text`, the only string, or the only one with a usual name."""
    texts = {str(name): value for name, value in data.items() if isinstance(value, str)}
    if "text" in texts or len(texts) == 1:
        return texts.get("text", next(iter(texts.values())))
    usual = [value for name, value in texts.items() if name.lower() in OTHER_NAMES["text"]]
    return usual[0] if len(usual) == 1 else None
