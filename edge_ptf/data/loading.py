"""Reads labelled text from any source and checks all of it. Bad rows are reported before any stage begins."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TypeAlias, TypeVar

from edge_ptf.data import hub
from edge_ptf.data.brat import is_brat, read_brat
from edge_ptf.data.class_folders import class_folders, read_class_folders
from edge_ptf.data.columns import Columns
from edge_ptf.data.dataset import DataConfig, DataReport, LabelledData, fingerprint, split_report
from edge_ptf.data.joint import each_source, read_all
from edge_ptf.data.label_checks import check_numbers, label_fault, label_notes, twin_hint
from edge_ptf.data.lines import FileFormat
from edge_ptf.data.notes import reading_notes, repeated_notes, unlabelled_notes
from edge_ptf.data.readers import ADVICE, READERS, Reader, read_file, refusal
from edge_ptf.data.rows import Findings, Row, check_text
from edge_ptf.data.splits import SPLITS, TEST, TRAIN, VALIDATION, assign, conflicts, crossing
from edge_ptf.data.unlabelled import read_unlabelled
from edge_ptf.errors import BadInputError, DataError
from edge_ptf.examples import Example
from edge_ptf.progress import SILENT, Progress
from edge_ptf.tasks.base import RowError, Task

DEFAULTS = DataConfig()
DEMO_COLUMNS = {
    "demo": ("text", "label", "tokens", "tags"),
    "demo:ner": ("tokens", "tags"),
    "demo-large": ("text", "label", "tokens", "tags"),
    "demo-large:ner": ("tokens", "tags"),
}
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
SHOWN_NAMES = 10

Located: TypeAlias = tuple[Example, str]
"""An example, and the place where it was read."""
Given = TypeVar("Given", Row, Example)


def load(source: str, task: type[Task], config: DataConfig = DEFAULTS, progress: Progress = SILENT) -> LabelledData:
    """Reads, checks, splits and cleans labelled text.

    If the source has no validation or no test, they are taken from train by the hash of the content, stratified. A text
    of test is removed from train and validation, and a text of validation is removed from train.

    Args:
        source: a name of `DEMO_COLUMNS` (the built-in corpus); a file with a suffix of `READERS`; a directory of such
            files named train, validation (valid, dev, val) and test, or of such folders with a folder of .txt files for
            each class or with files of brat; one folder of such folders or files; a directory that `save_to_disk` of
            `datasets` wrote; or the id of a data set on the hub.
        task: defines the columns, and how a row becomes an example.

    Raises:
        DataError: the source is unknown or cannot be used; `problems` lists the bad rows of all files.
        EnvironmentFault: the hub cannot be reached.
    """
    findings = Findings()
    rows = _labelled(source, task, config, findings, progress)
    findings.check(source)
    _check_pairs(rows, source)
    given = tuple(rows)
    rows, removed = _without_duplicates(rows)
    rows, split_by = _complete(rows, task, config, source)
    splits = {name: tuple(example for example, _ in rows[name]) for name in SPLITS}
    labels = _check_labels(source, rows, task, config, removed)
    unlabelled: tuple[Example, ...] = ()
    left_out: dict[str, int] = {}
    further_notes: list[str] = []
    if config.unlabelled:
        judging = (*splits[VALIDATION], *splits[TEST])
        unlabelled, left_out, further_notes = read_unlabelled(
            config.unlabelled, task, config, splits[TRAIN][0], judging
        )
    report = DataReport(
        source=source,
        splits={name: split_report(splits[name], task) for name in SPLITS},
        split_by=split_by,
        duplicates_removed=removed,
        notes=(
            *reading_notes(findings, given, removed, conflicts(splits[TRAIN])),
            *label_notes(splits[TRAIN], task),
            *repeated_notes(splits[TEST]),
            *(note for note in further_notes if note not in findings.notes),
            *unlabelled_notes(len(unlabelled), left_out),
        ),
        columns=findings.columns,
    )
    return LabelledData(
        splits[TRAIN], splits[VALIDATION], splits[TEST], labels, report, fingerprint(splits, labels), unlabelled
    )


def is_at_hand(source: str) -> bool:
    """Whether the source can be read without the hub. A missing path could also be the name of a hub data set."""

    def here(name: str) -> bool:
        return name in DEMO_COLUMNS or Path(name).expanduser().exists()

    return here(source) or all(here(each.partition("=")[2]) for each in each_source(source))


def _labelled(
    source: str, task: type[Task], config: DataConfig, findings: Findings, progress: Progress
) -> dict[str, list[Located]]:
    """The examples of each split of the source; of several tasks, those of all their sources."""

    def read(name: str, kind: type[Task], origin: str, accept: Callable[[Row], Row | None]) -> dict[str, list[Located]]:
        columns = Columns.of(kind, config, name, [other for other in task.kinds if other != name])
        found = _rows_of(origin, kind, columns, config, findings)
        if name:
            found = {split: filter(None, map(accept, rows)) for split, rows in found.items()}
        examples = _read(found, kind, config, findings, origin, progress, sparse=bool(name))
        scope = config.out_of_scope_label
        check_numbers(_all(examples), kind, scope.removeprefix(f"{name}.") if name and scope else scope, findings)
        return examples

    def complete(name: str, rows: dict[str, list[Located]]) -> dict[str, list[Located]]:
        findings.check(source)
        whole, split_by = _complete(rows, task.kinds[name], config, f"{source}: '{name}'")
        if split_by != "given":
            findings.note(f"The data of '{name}' were split by {split_by}.")
        return whole

    return read_all(task, source, read, complete, findings) if task.kinds else read("", task, source, lambda row: row)


def _rows_of(
    source: str, task: type[Task], columns: Columns, config: DataConfig, findings: Findings
) -> dict[str, Iterator[Row]]:
    """The rows of each split of the source. Rows without a split belong to train."""
    form = FileFormat.of(config)
    if source in DEMO_COLUMNS:
        return _demo_rows(source, task)
    if not source.strip():
        raise DataError("the data set has no name", hint="Give a file, a folder, a hub id or 'demo'")
    path = Path(source).expanduser()
    if path.is_dir() and hub.is_saved(path):
        return hub.saved_rows(path, columns, findings)
    if path.is_dir():
        return {
            name: _reader(part)(part, columns, findings, form)
            for name, part in _split_parts(path, task.columns).items()
        }
    if path.exists():
        return {TRAIN: read_file(path, columns, findings, form)}
    if _is_path(source, path):
        raise DataError(f"{source}: no such file or folder", hint=_siblings(path))
    return hub.hub_rows(source, config.hub_config, columns, findings, hint=_siblings(path, only_close=True))


def _read(
    splits: Mapping[str, Iterator[Row]],
    task: type[Task],
    config: DataConfig,
    findings: Findings,
    source: str,
    progress: Progress,
    *,
    sparse: bool = False,
) -> dict[str, list[Located]]:
    """Converts rows to examples, with labels as the task wants them. Bad rows become problems.

    Args:
        sparse: a split may be without examples.
    """
    read: dict[str, list[tuple[Example, Row]]] = {}
    progress.start("Reading data", len(splits))
    for name, rows in splits.items():
        before = findings.count
        read[name] = list(_usable(((row, row) for row in rows), partial(_example, task), findings))
        if not read[name] and findings.count == before and not sparse:
            raise DataError(f"{source}: {name} has no rows")
        progress.advance(note=f"{name}: {len(read[name])} rows")
    progress.finish()
    known = [example for example, _ in read.get(TRAIN, ())]
    rewrite, notes = task.rewriting(known, config) if known or not sparse else (None, ())
    for note in notes:
        findings.note(note)
    if rewrite is not None:
        read = {name: list(_usable(examples, rewrite, findings)) for name, examples in read.items()}
    return {name: [(example, row.place()) for example, row in read[name]] for name in SPLITS if name in read}


def _usable(
    given: Iterable[tuple[Given, Row]], convert: Callable[[Given], Example], findings: Findings
) -> Iterator[tuple[Example, Row]]:
    for each, row in given:
        try:
            yield convert(each), row
        except RowError as error:
            findings.problem(row.place(error.item), str(error))


def _example(task: type[Task], row: Row) -> Example:
    example = task.example(row.values)
    names = task.label_names(example)
    check_text(example.text, example.text_pair or "", *names)
    for item, name in enumerate(names):
        if why := label_fault(name):
            raise RowError(why, item=item)
    return example


def _check_pairs(rows: Mapping[str, Sequence[Located]], source: str) -> None:
    """Checks that all examples are pairs or none is, because a batch is tokenized as one or the other."""
    single = Findings()
    paired = False
    for example, place in _all(rows):
        paired |= example.text_pair is not None
        if example.text_pair is None:
            single.problem(place, "the second text of the pair is missing, but other rows have one")
    if paired:
        single.check(source)


def _without_duplicates(rows: Mapping[str, list[Located]]) -> tuple[dict[str, list[Located]], dict[str, int]]:
    crossed = crossing({name: [example for example, _ in located] for name, located in rows.items()})
    kept = {
        name: [item for index, item in enumerate(located) if index not in crossed.get(name, ())]
        for name, located in rows.items()
    }
    return kept, {name: len(positions) for name, positions in crossed.items()}


def _complete(
    rows: dict[str, list[Located]], task: type[Task], config: DataConfig, source: str
) -> tuple[dict[str, list[Located]], str]:
    """All three splits, with missing ones taken from train, and a description of how this was done."""
    shares = {VALIDATION: config.validation_fraction, TEST: config.test_fraction}
    shares = {name: share for name, share in shares.items() if name not in rows}
    split_by = "given"
    if shares:
        names = assign(
            [example for example, _ in rows[TRAIN]],
            task.stratum,
            validation=shares.get(VALIDATION, 0.0),
            test=shares.get(TEST, 0.0),
        )
        whole = rows[TRAIN]
        parts = {part: [row for row, name in zip(whole, names, strict=True) if name == part] for part in SPLITS}
        rows = {**parts, **{name: located for name, located in rows.items() if name != TRAIN}}
        taken = ", ".join(f"{name} {100 * share:g} %" for name, share in shares.items())
        stratified = ", stratified" if len({task.stratum(example) for example, _ in whole}) > 1 else ""
        split_by = f"content hash{stratified} ({taken})"
    for name in SPLITS:
        if not rows[name]:
            why = "all its rows are also in another split" if name not in shares else "there are too few rows to split"
            raise DataError(f"{source}: {name} is empty", hint=f"Give more data: {why}")
    return rows, split_by


def _check_labels(
    source: str,
    rows: Mapping[str, Sequence[Located]],
    task: type[Task],
    config: DataConfig,
    removed: Mapping[str, int],
) -> tuple[str, ...]:
    """The labels of train. Checks that validation and test have no other labels."""
    labels = task.collect_labels([example for example, _ in rows[TRAIN]])
    outside = config.out_of_scope_label
    whole = task(task.spec_for(labels, outside))
    for name in SPLITS:
        if fault := task.split_fault(name, [example for example, _ in rows[name]]):
            raise DataError(f"{source}: {fault[0]}", hint=fault[1])
    if outside is not None and not any(outside in task.class_names(example) for example, _ in _all(rows)):
        close = get_close_matches(outside, labels, n=1)
        raise DataError(
            f"{source}: no row has the out-of-scope label '{outside}'",
            hint=f"Did you mean '{close[0]}'?" if close else f"Labels: {_listed(labels)}",
        )
    if outside is not None and not any(
        outside in task.class_names(example) for name in (TRAIN, VALIDATION) for example, _ in rows[name]
    ):
        raise DataError(
            f"{source}: only test contains the out-of-scope label '{outside}', so no model can learn it",
            hint="Move some of these rows to validation, which tunes the threshold, or to train",
        )
    findings, unknown = Findings(), set[str]()
    for example, place in _all(rows):
        if why := whole.check_label(example):
            findings.problem(place, why + twin_hint(task.label_names(example), labels))
            unknown.update(set(task.label_names(example)) - {*labels})
    lost = f" (rows removed from train because a later split contains them: {removed[TRAIN]})"
    where = f"train{lost if removed[TRAIN] else ''}"
    findings.check(source, hint=f"Every label must occur in {where}: add rows with {_listed(unknown)}, or remove these")
    return labels


def _all(rows: Mapping[str, Sequence[Located]]) -> Iterator[Located]:
    for name in SPLITS:
        yield from rows.get(name, ())


def _demo_rows(source: str, task: type[Task]) -> dict[str, Iterator[Row]]:
    from edge_ptf.data.demo import generate, generate_small

    offered = DEMO_COLUMNS[source]
    if missing := [column for column in task.columns if column not in offered]:
        fitting = [name for name, columns in DEMO_COLUMNS.items() if set(task.columns) <= set(columns)]
        raise BadInputError(
            f"'{source}' has no {' and no '.join(missing)}, but {task.name} needs it",
            hint=f"Use --data {fitting[0]}" if fitting else "The built-in corpus has no data for this task",
        )

    def rows(split: str) -> Iterator[Row]:
        for index, row in enumerate(corpus[split]):
            values = {"text": row.text, "label": row.intent, "tokens": row.text.split(), "tags": row.tags}
            yield Row(f"{source}/{split}", (index,), {name: values[name] for name in offered})

    corpus = (generate if source.startswith("demo-large") else generate_small)(seed=0)
    return {split: rows(split) for split in SPLITS}


def _split_parts(folder: Path, needed: Sequence[str]) -> dict[str, Path]:
    """The file of each split in a folder, or its folder of class folders. Others are ignored.

    A folder of class folders without splits is train. `needed` are the columns that a message names.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        split = hub.SPLIT_NAMES.get(path.stem.lower())
        if split is None or not _is_part(path):
            continue
        if split in found:
            raise DataError(f"{folder}: two files for {split}: {found[split].name} and {path.name}", hint="Keep one")
        found[split] = path
    if TRAIN not in found:
        others = sorted(path for path in folder.iterdir() if hub.SPLIT_NAMES.get(path.stem.lower()) == TRAIN)
        if unread := [path for path in others if path.is_file() and path.suffix.lower() in ADVICE]:
            raise refusal(unread[0])
        if nested := [path for path in others if path.is_dir()]:
            raise DataError(
                f"{folder}: '{nested[0].name}' is a folder with neither .ann files nor a folder of .txt files for each "
                "class",
                hint=f"Write one file, such as train.csv, with the columns {', '.join(needed)}",
            )
        if not found and (is_brat(folder) or len(class_folders(folder)) > 1):
            return {TRAIN: folder}
        raise DataError(
            f"{folder}: no train file (found: {_listed(path.name for path in folder.iterdir())})",
            hint=f"Name the file train with one of the suffixes {', '.join(READERS)}",
        )
    return {name: found[name] for name in SPLITS if name in found}


def _reader(part: Path) -> Reader:
    if part.is_dir():
        return read_brat if is_brat(part) else read_class_folders
    return read_file


def _is_part(path: Path) -> bool:
    """Whether a file or folder with the name of a split can be read as one."""
    if path.is_dir():
        return is_brat(path) or bool(class_folders(path))
    return path.suffix.lower() in READERS and path.is_file()


def _is_path(source: str, path: Path) -> bool:
    """Whether a name that does not exist is a path and not a hub id."""
    in_folder = "/" in source and path.parent.is_dir()
    return not HUB_ID.fullmatch(source) or path.suffix.lower() in (*READERS, *ADVICE) or in_folder


def _siblings(path: Path, *, only_close: bool = False) -> str:
    """A hint with similar names in the folder of `path`."""
    if not path.parent.is_dir():
        return "" if only_close else f"The folder {path.parent} does not exist either"
    names = sorted(sibling.name for sibling in path.parent.iterdir())
    close = get_close_matches(path.name, names, n=3, cutoff=0.5)
    if close:
        return f"Did you mean {' or '.join(str(path.parent / name) for name in close)}?"
    return "" if only_close else f"{path.parent} contains: {_listed(names)}"


def _listed(names: Iterable[str]) -> str:
    ordered = sorted(names)
    rest = f" and {len(ordered) - SHOWN_NAMES} more" if len(ordered) > SHOWN_NAMES else ""
    return f"{', '.join(ordered[:SHOWN_NAMES]) or 'nothing'}{rest}"
