"""Seal a package: a new file with the payload byte for byte, and evidence and verdict beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from edge_ptf.digests import bytes_digest, canonical_json
from edge_ptf.errors import PackageError, VerificationError
from edge_ptf.package import archive, container
from edge_ptf.package.archive import Archive
from edge_ptf.package.evidence import AccuracyEvidence, Evidence, LatencyEvidence, MemoryEvidence, Verdict
from edge_ptf.package.manifest import MANIFEST
from edge_ptf.package.payload import MANIFEST_LIMIT, SEALING_BYTES, STORED, VERDICT, Payload, open_payload
from edge_ptf.package.samples import ENTRY, EVIDENCE, samples_file, write_samples

SIZE_TARGET = "package_mb"


def seal(
    payload: Payload, evidence: Sequence[Evidence], verdict: Verdict, out_file: Path, *, with_samples: bool = False
) -> Payload:
    """A new package file: the payload byte for byte, with the verdict and the evidence.

    The samples lie in NAME.samples.zip beside it, whose digest the package holds. So the file stays within
    `Payload.shipped_bytes`, which is the size that a verdict judges.

    Args:
        with_samples: put the samples inside; the verdict must be about `with_samples_inside`.

    Raises:
        PackageError: the verdict is about another payload, or judged a smaller file.
        VerificationError: the payload is not what its manifest says any more.
    """
    if verdict.payload != payload.digest:
        raise PackageError("the verdict is about another payload", hint="Run `edge-ptf gate` for this package")
    document = Archive(payload.path).read(MANIFEST, limit=MANIFEST_LIMIT)
    if bytes_digest(document) != payload.digest:
        raise VerificationError(f"{payload.path}: {MANIFEST} changed since the package was opened")
    names = [entry.path for entry in payload.manifest.files]
    contents = [(MANIFEST, document, False), *((name, payload.read(name), name.endswith(STORED)) for name in names)]
    records = _named(payload, evidence)
    said = json.dumps(verdict.model_dump(mode="json"), indent=1).encode()
    out_file.parent.mkdir(parents=True, exist_ok=True)
    aside = out_file.with_name(f".{out_file.name}.samples")
    try:
        if with_samples or not records:
            added = {name: canonical_json(record) for name, record in records.items()}
        else:
            added = {ENTRY: canonical_json(write_samples(aside, records).model_dump(mode="json"))}
        added[VERDICT] = said
        _check_size(payload, added, verdict)
        archive.write(out_file, [*contents, *((name, body, False) for name, body in added.items())])
        if aside.exists():
            aside.replace(samples_file(out_file))
    finally:
        aside.unlink(missing_ok=True)
    return open_payload(out_file)


def with_samples_inside(payload: Payload, evidence: Sequence[Evidence]) -> Payload:
    """The payload as a verdict judges it if the samples of this evidence lie inside the file."""
    records = _named(payload, evidence)
    size = sum(container.packed_bytes(name, canonical_json(record)) for name, record in records.items())
    return replace(payload, samples_bytes=size)


def without_samples_inside(payload: Payload) -> Payload:
    """The payload as a verdict judges it if its samples lie beside the file."""
    return replace(payload, samples_bytes=0)


def _check_size(payload: Payload, added: Mapping[str, bytes], verdict: Verdict) -> None:
    """The file is no larger than the size that the verdict judged."""
    size = payload.size_bytes + sum(container.packed_bytes(name, content) for name, content in added.items())
    judged = next((item.value for item in verdict.target_verdicts if item.target == SIZE_TARGET), None)
    most = payload.shipped_bytes if judged is None else round(judged * 1e6)
    if size > most and (judged is not None or ENTRY in added):
        raise PackageError(
            f"the sealed file would have {size:,} bytes, more than the {most:,} that were judged",
            hint=f"What sealing adds is limited to {SEALING_BYTES:,} bytes: give fewer directories with --evidence",
        )


def _named(payload: Payload, evidence: Sequence[Evidence]) -> dict[str, dict[str, object]]:
    """Each record as JSON by the name of its file: by kind, records about the baseline set apart."""
    named: dict[str, dict[str, object]] = {}
    for record in evidence:
        if not isinstance(record, AccuracyEvidence | LatencyEvidence | MemoryEvidence):
            raise PackageError(f"{type(record).__name__} is no evidence")
        prefix = "" if record.payload == payload.digest else "baseline-"
        stem = f"{EVIDENCE}{prefix}{record.kind}"
        count = sum(1 for name in named if name.startswith(stem))
        named[f"{stem}{f'-{count + 1}' if count else ''}.json"] = record.model_dump(mode="json")
    return dict(sorted(named.items()))
