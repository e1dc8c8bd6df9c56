"""Texts without labels, such as a user's own logs. The teacher answers them, and the student learns the answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from edge_ptf.data.columns import Columns
from edge_ptf.data.dataset import DataConfig
from edge_ptf.data.lines import FileFormat, text_lines
from edge_ptf.data.readers import read_file
from edge_ptf.data.rows import Findings, Row, check_text
from edge_ptf.data.splits import content
from edge_ptf.errors import DataError
from edge_ptf.examples import Example
from edge_ptf.tasks.base import RowError, Task

TABLES = (".csv", ".tsv", ".json", ".jsonl", ".parquet", ".xlsx")


def read_unlabelled(
    source: str, task: type[Task], config: DataConfig, form: Example, judging: Sequence[Example]
) -> tuple[tuple[Example, ...], dict[str, int], list[str]]:
    """The texts of a file, each once, the number of removed texts by reason, and the notes of the reader.

    Texts of validation and test are removed: a student that has learned a text cannot be judged on it.

    Args:
        source: a .txt file with a text on each line, or a table or JSON file with the text's column.
        form: an example of the task. The texts get its label, which has no meaning, and must be pairs if it is a pair.
        judging: the examples of validation and test.

    Raises:
        DataError: the file cannot be used; `problems` lists the bad rows.
    """
    path, findings = Path(source).expanduser(), Findings()
    if not path.is_file():
        raise DataError(
            f"{source}: no such file", hint=f"data.unlabelled names a file of texts: .txt, {', '.join(TABLES)}"
        )
    judged = {content(example) for example in judging}
    if form.text_pair is None:  # also the texts of pairs that a model reads apart
        judged |= {(text,) for texts in judged for text in texts}
    kept: dict[tuple[str, ...], Example] = {}
    left_out = {"twice": 0, "judging": 0}
    for row in _rows(path, task, config, form, findings):
        texts = [row.values.get(name) for name in ("text", "text_pair")[: 1 if form.text_pair is None else 2]]
        if not all(isinstance(text, str) and text.strip() for text in texts):
            findings.problem(row.place(), "the text is empty")
            continue
        try:
            check_text(*map(str, texts))
        except RowError as error:
            findings.problem(row.place(), str(error))
            continue
        example = Example(str(texts[0]), form.label, None if form.text_pair is None else str(texts[1]))
        key = content(example)
        if key in judged:
            left_out["judging"] += 1
        elif key in kept:
            left_out["twice"] += 1
        else:
            kept[key] = example
    findings.check(source)
    if not kept:
        raise DataError(f"{source}: every text is also in validation or test")
    return tuple(kept.values()), left_out, findings.notes


def _rows(path: Path, task: type[Task], config: DataConfig, form: Example, findings: Findings) -> Iterator[Row]:
    names = {"text": config.text_column}
    if form.text_pair is not None:
        names["text_pair"] = config.text_pair_column
    kinds = TABLES if form.text_pair is not None else (".txt", *TABLES)
    suffix = path.suffix.lower()
    if suffix not in kinds:
        raise DataError(f"{path}: not a file of unlabelled texts", hint=f"Allowed: {', '.join(kinds)}")
    if suffix == ".txt":
        return (Row(str(path), (line,), {"text": text}) for line, text in text_lines(path, config.encoding))
    return read_file(path, Columns(task.name, names, {}), findings, FileFormat.of(config))
