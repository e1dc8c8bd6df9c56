"""Is a package what its manifest says, and does it answer its golden vectors here?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np

from edge_ptf import tasks
from edge_ptf.engines.base import Outputs, Session
from edge_ptf.errors import EdgePtfError, PackageError, VerificationError
from edge_ptf.examples import Encoding, Logits
from edge_ptf.heads import HEADS, HeadSpec, OutputSpec
from edge_ptf.machine import this_machine
from edge_ptf.package.golden import GoldenCase, golden_cases
from edge_ptf.package.manifest import Manifest
from edge_ptf.package.payload import Payload, open_payload
from edge_ptf.package.samples import MissingSamplesError, samples_file
from edge_ptf.package.tables_check import check_tables


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What was checked: files by size and sha256, golden vectors, and the largest logit difference met.

    `exact` is False where this machine does not execute the package's INT8 products exactly; then the golden logits
    were not compared. `missing_samples` is the file with the samples of a sealed package where it is not there.
    """

    payload: Payload
    files: int
    golden: int
    largest_difference: float
    exact: bool
    missing_samples: Path | None = None


def verify(path: Path, *, threads: int = 1) -> VerifyReport:
    """Checks every file and what sealing added, then runs the golden vectors through the engine that the package names.

    Raises:
        PackageError: no readable package.
        VerificationError: a file or an answer is not what the manifest says.
    """
    payload = open_payload(path)
    for entry in payload.manifest.files:
        payload.check(entry.path)
    missing = _check_evidence(payload)
    payload.verdict()
    _check_graphs(payload)
    exact = exact_here(payload.manifest)
    count, worst = check_golden(payload, threads=threads, compare=exact)
    return VerifyReport(payload, len(payload.manifest.files), count, worst, exact, missing)


def _check_evidence(payload: Payload) -> Path | None:
    """Reads the evidence. Returns the file with the samples if only that is not there: the package may ship alone."""
    try:
        payload.evidence()
    except MissingSamplesError:
        return samples_file(payload.path)
    return None


def exact_here(manifest: Manifest) -> bool:
    """Whether this machine executes the package's INT8 products exactly."""
    scheme = manifest.graph.scheme
    return scheme.precision != "int8" or this_machine().executes_exactly(
        scheme.activation, scheme.weight, scheme.reduce_range
    )


def _check_graphs(payload: Payload) -> None:
    """Each graph has what a package may have, and takes what the manifest says."""
    for graph in payload.manifest.graphs:
        place = f"{payload.path}: '{graph.file}'"
        inputs, outputs = ([item.name for item in items] for items in (graph.inputs, graph.outputs))
        try:
            findings = payload.engine(graph).check(payload.read(graph.file), inputs, outputs)
        except PackageError as error:
            raise PackageError(f"{place}: {error.message}") from None
        for finding in findings:
            raise VerificationError(f"{place} {finding}")


def _check_shape(head: HeadSpec, output: OutputSpec, shape: Sequence[str | int], place: str) -> None:
    """The graph declares as many axes as the head, and as many labels where it says a number."""
    if len(shape) != len(output.axes):
        raise VerificationError(f"{place}: the output '{output.tensor}' has other axes than the manifest says")
    for axis, size in zip(output.axes, shape, strict=True):
        if axis == "label" and isinstance(size, int) and size != len(head.labels):
            raise VerificationError(
                f"{place}: '{head.name}' has {len(head.labels)} labels; its output '{output.tensor}' has {size}"
            )


def check_golden(
    payload: Payload, *, threads: int = 1, compare: bool = True, sessions: Mapping[str, Session] | None = None
) -> tuple[int, float]:
    """Runs the golden vectors; returns their number and the largest difference, as a share of a tensor's largest value.

    Every output of every head is compared.

    Args:
        sessions: what runs each graph, by the graph's name; None: an engine that the package requires.
    """
    manifest, path = payload.manifest, payload.path
    cases = golden_cases(payload.read(manifest.golden.file))
    if len(cases) != manifest.golden.count:
        raise VerificationError(f"{path}: {len(cases)} golden vectors, not {manifest.golden.count}")
    outputs = [(head, output) for head in manifest.heads for output in head.outputs.values()]
    if sessions is None:
        sessions = {graph.name: payload.session(graph, threads) for graph in manifest.graphs}
        files = {graph.name: graph.file for graph in manifest.graphs}
        for head, output in outputs:
            shapes = {tensor.name: tensor.shape for tensor in sessions[head.graph].tensors()[1]}
            _check_shape(head, output, shapes[output.tensor], f"{path}: '{files[head.graph]}'")
    tokenizer = payload.tokenizer(sessions[manifest.graph.name].inputs)
    task, worst = tasks.create(manifest.head), 0.0
    for number, case in enumerate(cases, 1):
        place = f"{path}: golden text {number}"
        encoding = task.encode(tokenizer, [case.example], manifest.tokenizer.max_length)[0]
        if (encoding.input_ids, encoding.token_type_ids, list(encoding.windows)) != (
            case.input_ids,
            case.token_type_ids,
            case.windows,
        ):
            raise VerificationError(f"{place} is cut into other tokens here")
        _check_answers(manifest, case, place)
        answers = {name: _run(session, encoding, place) for name, session in sessions.items()}
        for head, output in outputs:
            found = answers[head.graph][output.tensor][0]
            _check_labels(head, output, found, place)
            difference = _difference(case, output, found, place)
            allowed = manifest.golden.tolerance if case.tolerance is None else case.tolerance
            if compare and not difference <= allowed:  # a NaN is no answer either
                raise VerificationError(
                    f"{place}: the output '{output.tensor}' is off by {100 * difference:.2g} % of the largest "
                    f"(allowed: {100 * allowed:.2g} %)",
                    hint="This machine or its engine does not execute the model as it was made",
                )
            worst = max(worst, difference)
    check_tables(payload, cases)
    return len(cases), worst


def _check_answers(manifest: Manifest, case: GoldenCase, place: str) -> None:
    """The answers are labels of the heads: one, a list where a head answers with a list, a number where it answers with
    a number, or parts of a text where it answers with such."""
    heads = {head.name: head for head in manifest.heads}
    for name, answer in case.answers.items():
        if name not in heads:
            raise VerificationError(f"{place} has an answer of '{name:.80}', which is no head of the package")
        kind = HEADS[heads[name].kind]
        if kind.answers_with_text:
            if not isinstance(answer, list) or not all(isinstance(part, str) for part in answer):
                raise VerificationError(f"{place}: an answer of '{name}' is no list of texts")
            continue
        if kind.answers_a_number:
            if isinstance(answer, bool) or not isinstance(answer, int | float) or not isfinite(answer):
                raise VerificationError(f"{place}: an answer of '{name}' is no number")
            continue
        labels = answer if kind.answers_a_list else [answer]
        if not isinstance(labels, list) or any(label not in heads[name].labels for label in labels):
            raise VerificationError(f"{place}: an answer of '{name}' is no label of that head")


def _run(session: Session, encoding: Encoding, place: str) -> Outputs:
    try:
        return session.answer(encoding)
    except EdgePtfError:
        raise
    except Exception as error:  # ONNX Runtime's own exceptions share no public base class
        raise VerificationError(f"{place}: the model does not take it ({error!r:.200})") from None


def _check_labels(head: HeadSpec, output: OutputSpec, found: Logits, place: str) -> None:
    """The tensor has the declared axes, and as many labels as the head."""
    if found.ndim != len(output.axes) - 1:
        raise VerificationError(f"{place}: the output '{output.tensor}' has other axes than the manifest says")
    for axis, size in zip(output.axes[1:], found.shape, strict=True):
        if axis == "label" and size != len(head.labels):
            raise VerificationError(
                f"{place}: '{head.name}' has {len(head.labels)} labels; its output '{output.tensor}' has {size}"
            )


def _difference(case: GoldenCase, output: OutputSpec, found: Logits, place: str) -> float:
    """The largest difference of a value, as a share of the largest expected one."""
    expected = case.tensor(output.tensor)
    if expected is None:
        raise VerificationError(f"{place} has no output '{output.tensor}'")
    if expected.shape != found.shape:
        raise VerificationError(f"{place}: the output '{output.tensor}' has another shape, {found.shape}")
    return float(np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-6))
