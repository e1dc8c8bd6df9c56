"""The input of a report: a package with its evidence and, if available, its run record and its texts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from edge_ptf import tasks
from edge_ptf.data.dataset import LabelledData
from edge_ptf.data.folds import pooled
from edge_ptf.errors import BadInputError, PackageError
from edge_ptf.examples import Example
from edge_ptf.package import open_payload
from edge_ptf.package.evidence import AccuracyEvidence, LatencyEvidence, MemoryEvidence, Verdict
from edge_ptf.package.payload import Payload
from edge_ptf.profiles import load, mismatches, names
from edge_ptf.training.tuning_record import Tuning, read_tuning

RECORD = "run.json"
Record = Mapping[str, Any]
Measured = TypeVar("Measured", LatencyEvidence, MemoryEvidence)


@dataclass(frozen=True, slots=True)
class Study:
    """One package and everything that is known about it."""

    payload: Payload
    verdict: Verdict | None = None
    accuracy: AccuracyEvidence | None = None
    baseline: AccuracyEvidence | None = None
    latencies: tuple[LatencyEvidence, ...] = ()
    memories: tuple[MemoryEvidence, ...] = ()
    record: Record = field(default_factory=dict)
    """The record that `compress` wrote beside the package; empty if there is only the package."""
    baseline_bytes: int | None = None
    """Size of the teacher's package in bytes; None if there is only the package."""
    tuning: Tuning | None = None
    """The hyperparameter search in the directory of the run."""
    examples: tuple[Example, ...] = ()
    """The evaluated split; empty if the data was not given."""
    redacted: bool = False
    """Texts are left out on request."""

    @property
    def compared(self) -> LatencyEvidence | None:
        """The latency for the speed-up: the first that was measured together with a teacher."""
        return next((record for record in self.latencies if record.baseline is not None), None)

    def redact(self) -> Study:
        """The same study without any text of the data; its figures stay."""
        return replace(self, examples=(), redacted=True)

    def with_examples(self, data: LabelledData, source: str) -> Study:
        """The same study with the texts. The evidence contains only their numbers. A redacted study does not change.

        Raises:
            BadInputError: the package was evaluated on other data.
        """
        known = self.accuracy or self.baseline
        if known is None or self.redacted:
            return self
        if known.split == "validation":
            data = data.tried_on_validation()
        if known.folds and data.fingerprint != known.data:
            data = pooled(data, tasks.get(self.payload.manifest.head.task))
        if data.fingerprint != known.data or len(data.test) != len(known.rows):
            raise BadInputError(
                f"--data {source}: the package was not evaluated on this data "
                f"(fingerprint {data.fingerprint[:12]}, evidence has {known.data[:12]})",
                hint="Give the data of the evaluation, or leave out --data to show rows by number",
            )
        return replace(self, examples=data.test)


def open_study(path: Path) -> Study:
    """Reads a package, or a directory that `compress` wrote.

    Raises:
        BadInputError: the path is neither, or a record inside is damaged.
    """
    if not (path / RECORD).is_file():
        if path.is_dir() and not (path / "manifest.json").exists():
            raise BadInputError(
                f"{path}: neither a package nor a finished run",
                hint="Give a .eptf file, its unpacked directory, or the --out directory of a finished compress",
            )
        return read_study(open_payload(path))
    record = _read_record(path / RECORD)
    package = path / Path(str(record.get("package", "package.eptf"))).name
    teacher = package.with_name(f"{package.stem}-baseline.eptf")
    return read_study(open_payload(package), record, open_payload(teacher) if teacher.exists() else None)


def read_study(payload: Payload, record: Record | None = None, teacher: Payload | None = None) -> Study:
    """The study of an open package, with its run record and the teacher's package if they exist."""
    evidence = payload.evidence()
    answers = [item for item in evidence if isinstance(item, AccuracyEvidence)]
    own = sorted(
        (item for item in answers if item.payload == payload.digest),
        key=lambda item: (item.folds is None, item.split != "test", not item.exact),
    )
    accuracy = own[0] if own else None
    latencies = [item for item in evidence if isinstance(item, LatencyEvidence) and item.payload == payload.digest]
    timed = {item.baseline for item in latencies}
    teachers = [item for item in answers if item.payload != payload.digest]
    if accuracy is not None:
        teachers = [item for item in teachers if _same_rows(item, accuracy)]
    teachers.sort(key=lambda item: item.payload not in timed)
    return Study(
        payload=payload,
        verdict=payload.verdict(),
        accuracy=accuracy,
        baseline=teachers[0] if teachers else None,
        latencies=_counting_first(latencies, payload),
        memories=_counting_first(
            [item for item in evidence if isinstance(item, MemoryEvidence) and item.payload == payload.digest], payload
        ),
        record=record or {},
        tuning=read_tuning(payload.path.parent) if record else None,
        baseline_bytes=teacher.size_bytes if teacher else None,
    )


def _counting_first(records: Sequence[Measured], payload: Payload) -> tuple[Measured, ...]:
    """Puts the measurement behind the verdict first: on the profile's device, with the package's threads, no flags."""
    verdict = payload.verdict()
    profile = load(verdict.profile) if verdict and verdict.profile in names() else None

    def wrong(record: Measured) -> tuple[bool, bool, bool]:
        elsewhere = profile is not None and bool(mismatches(profile, record.machine))
        return elsewhere, record.runtime.threads != payload.manifest.engine.threads, bool(record.flags)

    return tuple(sorted(records, key=lambda record: any(wrong(record))))


def _same_rows(left: AccuracyEvidence, right: AccuracyEvidence) -> bool:
    sides = [(each.data, each.split, each.folds) for each in (left, right)]
    return sides[0] == sides[1] and len(left.rows) == len(right.rows)


def _read_record(path: Path) -> Record:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise PackageError(f"{path}: damaged", hint="Run compress again; it reuses finished stages")
    return record
