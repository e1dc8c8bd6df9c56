"""Is a package what its manifest says, and does it answer its golden vectors here?"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_ptf import tasks
from edge_ptf.errors import PackageError, VerificationError
from edge_ptf.export.execute import GraphSession
from edge_ptf.machine import this_machine
from edge_ptf.package.manifest import Manifest
from edge_ptf.package.payload import Payload, open_payload
from edge_ptf.package.tokenizer import PackageTokenizer
from edge_ptf.tasks.base import Example


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What was checked: files by size and sha256, golden vectors, and the largest logit difference met.

    `exact` is False where this machine does not execute the package's INT8 products exactly; then the golden logits
    were not compared.
    """

    payload: Payload
    files: int
    golden: int
    largest_difference: float
    exact: bool


def verify(path: Path, *, threads: int = 1) -> VerifyReport:
    """Checks every file, then runs the golden vectors through ONNX Runtime.

    Raises:
        PackageError: no readable package.
        VerificationError: a file or an answer is not what the manifest says.
    """
    payload = open_payload(path)
    for entry in payload.manifest.files:
        payload.read(entry.path)
    exact = exact_here(payload.manifest)
    count, worst = check_golden(payload, threads=threads, compare=exact)
    return VerifyReport(payload, len(payload.manifest.files), count, worst, exact)


def exact_here(manifest: Manifest) -> bool:
    """Whether this machine executes the package's INT8 products exactly."""
    scheme = manifest.graph.scheme
    return scheme.precision == "fp32" or this_machine().executes_exactly(
        scheme.activation, scheme.weight, scheme.reduce_range
    )


def check_golden(payload: Payload, *, threads: int = 1, compare: bool = True) -> tuple[int, float]:
    """Runs the golden vectors; returns their number and the largest difference, as a share of the largest logit."""
    manifest = payload.manifest
    session = GraphSession(payload.model(), threads)
    tokenizer = PackageTokenizer(payload.read(manifest.tokenizer.huggingface), session.inputs)
    task, worst = tasks.create(manifest.task), 0.0
    try:
        lines = [json.loads(line) for line in payload.read(manifest.golden.file).decode().splitlines()]
        cases = [(Example(line["text"], (), line.get("text_pair")), line) for line in lines]
    except (ValueError, KeyError, TypeError) as error:
        raise PackageError(f"{payload.path}: damaged golden vectors ({error})") from None
    for number, (example, line) in enumerate(cases, 1):
        encoding = task.encode(tokenizer, [example], manifest.tokenizer.max_length)[0]
        if encoding.input_ids != line["input_ids"]:
            raise VerificationError(f"{payload.path}: golden text {number} is cut into other tokens here")
        expected = np.asarray(line["logits"], dtype=np.float64)
        found = np.atleast_2d(session.logits(encoding))
        if found.shape != expected.shape:
            raise VerificationError(f"{payload.path}: golden text {number}: {found.shape} logits, not {expected.shape}")
        worst = max(worst, float(np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-6)))
        if compare and not worst <= manifest.golden.tolerance:
            raise VerificationError(
                f"{payload.path}: golden text {number}: a logit is off by {100 * worst:.2g} % of the largest "
                f"(allowed: {100 * manifest.golden.tolerance:.2g} %)",
                hint="This machine or its ONNX Runtime does not execute the model as it was made",
            )
    return len(cases), worst
