"""Data sets of the `datasets` library, saved on disk or fetched from the hub, and Parquet files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeGuard

from edge_ptf.data.columns import Columns
from edge_ptf.data.conll import clean_words
from edge_ptf.data.lines import PLAIN, FileFormat
from edge_ptf.data.rows import Findings, Row
from edge_ptf.data.splits import SPLITS, TEST, TRAIN, VALIDATION
from edge_ptf.errors import BadInputError, DataError, EnvironmentFault
from edge_ptf.untrusted import check_links, check_name, read_object

SPLIT_NAMES = {
    "train": TRAIN,
    "validation": VALIDATION,
    "valid": VALIDATION,
    "dev": VALIDATION,
    "val": VALIDATION,
    "test": TEST,
}
"""Possible names of each split."""


def is_saved(folder: Path) -> bool:
    """Whether `save_to_disk` wrote the folder."""
    return (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file()


def saved_rows(folder: Path, columns: Columns, findings: Findings) -> dict[str, Iterator[Row]]:
    """The rows of each split of a folder that `save_to_disk` wrote. A data set without splits is train."""
    import datasets

    _check_saved(folder)
    try:
        with _quiet():
            stored = datasets.load_from_disk(str(folder))
    except Exception as error:  # the library raises the errors of its Arrow reader, which have no common type
        raise DataError(f"{folder}: cannot be read as a saved data set: {_first_line(error)}") from None
    return _rows_of_splits(str(folder), stored, columns, findings)


def read_parquet(path: Path, columns: Columns, findings: Findings, form: FileFormat = PLAIN) -> Iterator[Row]:
    """The rows of a Parquet file. The line of a row is its index, from 0. Class ids become names if the file has them.

    Raises:
        DataError: the file cannot be read, or lacks a column.
    """
    import datasets
    from pyarrow import parquet, types

    try:
        table = parquet.read_table(path)
        for index, field in enumerate(table.schema):
            if types.is_dictionary(field.type):
                table = table.set_column(index, field.name, table.column(index).cast(field.type.value_type))
        part = datasets.Dataset(datasets.table.InMemoryTable(table))
    except Exception as error:  # the errors of the Parquet reader have no common type
        raise DataError(f"{path}: cannot be read as Parquet: {_first_line(error)}") from None
    yield from _rows(str(path), part, columns, findings)


def _check_saved(folder: Path) -> None:
    """Refuses a data set whose lists of splits and files lead out of its folder."""
    try:
        check_links(folder)
        listed = folder / "dataset_dict.json"
        splits = read_object(listed).get("splits", ()) if listed.is_file() else ()
        parts = [check_name(folder, name, listed) for name in splits]
        for part in parts or [folder]:
            state = part / "state.json"
            files = read_object(state).get("_data_files") if state.is_file() else ()
            for file in files if isinstance(files, list) else ():
                check_name(part, file.get("filename") if isinstance(file, dict) else None, state)
    except BadInputError as error:
        raise DataError(error.message, hint=error.hint) from None


def hub_rows(
    name: str, config: str | None, columns: Columns, findings: Findings, hint: str = ""
) -> dict[str, Iterator[Row]]:
    """The rows of each split of a data set on the hub, or of its copy in the local cache.

    Raises:
        EnvironmentFault: the hub cannot be reached and there is no local copy.
        DataError: there is no such data set, or it cannot be read.
    """
    import datasets
    from datasets.exceptions import DatasetNotFoundError, DatasetsError

    try:
        with _quiet():
            stored = datasets.load_dataset(name, config, trust_remote_code=False)
    except DatasetNotFoundError:
        raise DataError(
            f"'{name}' is neither a local file or folder nor a public data set on the hub",
            hint=hint or "Check the spelling. For a private or gated data set log in with: hf auth login",
        ) from None
    except (ConnectionError, TimeoutError) as error:
        raise EnvironmentFault(
            f"'{name}' is not a local file or folder, and the hub cannot be reached ({_first_line(error)})",
            hint=hint or "Check the path, connect to the network, or give a folder that datasets' save_to_disk wrote",
        ) from None
    except ValueError as error:
        about_config = "config" in str(error).lower()
        raise DataError(
            f"'{name}' on the hub cannot be read: {_first_line(error)}",
            hint="Choose a configuration with: --set data.hub_config=NAME" if about_config else "",
        ) from None
    except (DatasetsError, RuntimeError) as error:
        raise DataError(f"'{name}' on the hub cannot be read: {_first_line(error)}") from None
    except OSError as error:
        raise EnvironmentFault(f"'{name}' on the hub cannot be fetched: {_first_line(error)}") from None
    return _rows_of_splits(name, stored, columns, findings)


def _rows_of_splits(name: str, stored: Any, columns: Columns, findings: Findings) -> dict[str, Iterator[Row]]:
    parts: Mapping[str, Any] = stored if isinstance(stored, Mapping) else {TRAIN: stored}
    chosen: dict[str, Any] = {}
    for given, part in parts.items():
        split = SPLIT_NAMES.get(given.lower())
        if split is None:
            findings.notes.append(f"The split '{given}' is not used.")
        elif split in chosen:
            raise DataError(f"{name}: two splits for {split}", hint="Keep one of them")
        elif _unlabelled(part, columns):
            findings.notes.append(f"The split '{given}' has no labels and is not used.")
        else:
            chosen[split] = part
    if TRAIN not in chosen:
        raise DataError(f"{name}: no train split with labels (found: {', '.join(parts) or 'none'})")
    return {split: _rows(f"{name}/{split}", chosen[split], columns, findings) for split in SPLITS if split in chosen}


def _rows(place: str, part: Any, columns: Columns, findings: Findings) -> Iterator[Row]:
    """Rows with class names instead of class ids. The line of a row is its index, from 0."""
    if any(isinstance(feature, dict) for feature in part.features.values()):
        part = part.flatten()
    found = list(part.column_names)
    columns = columns.resolve(place, found, findings)
    wanted = [column for column in (*columns.required.values(), *columns.optional.values()) if column in found]
    names = {column: _class_names(part.features[column]) for column in wanted}
    for index, record in enumerate(part.select_columns(wanted)):
        values = columns.pick({column: _named(value, names[column]) for column, value in record.items()})
        words, tags = values.get("tokens"), values.get("tags")
        if _all_text(words) and _all_text(tags) and len(words) == len(tags):
            kept = clean_words(words, tags, findings)
            if not kept:
                findings.dropped_sentences += 1
                continue
            values |= {"tokens": [word for _, word, _ in kept], "tags": [tag for _, _, tag in kept]}
        yield Row(place, (index,), values)


def _all_text(values: Any) -> TypeGuard[list[str]]:
    """Whether a value is a list of texts. Any other value is left to the task, which refuses it."""
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def _unlabelled(part: Any, columns: Columns) -> bool:
    """Whether every label is -1. Data sets on the hub use this for a test split without public labels."""
    try:
        required = columns.resolve("", list(part.column_names), Findings()).required
    except DataError:
        return False
    column = required.get("label", required.get("value"))
    if column not in part.column_names or ("label" in required and _class_names(part.features[column]) is None):
        return False
    return bool(part.unique(column) == [-1])


def _class_names(feature: Any) -> list[str] | None:
    """The names of a ClassLabel's ids, or of a list of ClassLabels."""
    from datasets import ClassLabel

    feature = getattr(feature, "feature", feature)
    return list(feature.names) if isinstance(feature, ClassLabel) else None


def _named(value: Any, names: list[str] | None) -> Any:
    if names is None or value is None:
        return value
    if isinstance(value, list):
        return [_named(item, names) for item in value]
    return names[value] if 0 <= value < len(names) else None


@contextmanager
def _quiet() -> Iterator[None]:
    """Switches off the library's own progress bars, which would mix with ours."""
    import datasets

    if datasets.are_progress_bars_disabled():
        yield
        return
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        datasets.enable_progress_bars()


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
