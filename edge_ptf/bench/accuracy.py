"""Measures accuracy: the payload answers the labelled test texts one at a time, as it does on a device."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from edge_ptf import metrics, tasks
from edge_ptf.config import StageConfig
from edge_ptf.data.dataset import LabelledData
from edge_ptf.digests import canonical_json
from edge_ptf.engines import Threads
from edge_ptf.errors import BadInputError, PackageError
from edge_ptf.examples import Example, Prediction
from edge_ptf.machine import this_machine
from edge_ptf.package.evidence import AccuracyEvidence, PredictionRow, RuntimeInfo
from edge_ptf.package.payload import Payload
from edge_ptf.package.verification import exact_here
from edge_ptf.progress import SILENT, Progress
from edge_ptf.runtime.native import find_library, load_library
from edge_ptf.runtime.process import WorkerProcess

FILE = "accuracy.json"
NAME = "payload"
BLOCK = 50
MOST_PROCESSES = 4
"""Each holds the model in memory."""
BLOCKS_OF_PROCESS = 10
"""To start a process and to load the model takes about as long as this many blocks."""


class EvaluateConfig(StageConfig):
    """How the payload answers the test split."""

    threads: Threads = 1
    runtime: Literal["auto", "python", "runner"] = Field(
        "auto", description="Runtime: the C++ runner or Python. auto: the runner if it is built, else Python."
    )


def evaluate(
    payload: Payload, data: LabelledData, config: EvaluateConfig, out: Path, progress: Progress = SILENT
) -> AccuracyEvidence:
    """Answers every test text at batch size 1 without padding, and writes `accuracy.json` with each answer.

    Only this function reads labels of `test`. For data of `tried_on_validation`, validation takes the place of test,
    and the evidence records this.
    """
    examples = data.test
    answers, runtime = _answered(payload, examples, config, progress)
    rows = [
        PredictionRow(
            row=row,
            reference=example.label,
            label=answer.label,
            score=round(answer.score, 6),
            ranking=answer.ranking,
            scores=tuple(round(score, 6) for score in answer.scores),
            rankings=answer.rankings,
        )
        for row, (example, answer) in enumerate(zip(examples, answers, strict=True))
    ]
    evidence = AccuracyEvidence(
        payload=payload.digest,
        data=data.fingerprint,
        split=data.judged_split,
        machine=this_machine(),
        runtime=RuntimeInfo(**runtime),
        exact=exact_here(payload.manifest),
        **_figures(payload, rows),
    )
    out.mkdir(parents=True, exist_ok=True)
    (out / FILE).write_bytes(canonical_json(evidence.model_dump(mode="json")))
    return evidence


def _answered(
    payload: Payload, examples: Sequence[Example], config: EvaluateConfig, progress: Progress
) -> tuple[list[Prediction], dict[str, Any]]:
    """The answers in the order of the texts, and the facts about the runtime.

    Processes share the texts. Each answers one text at a time, so no answer depends on their number.
    """
    texts = [(example.text, example.text_pair) for example in examples]
    blocks = [texts[start : start + BLOCK] for start in range(0, len(texts), BLOCK)]
    free = min(MOST_PROCESSES, this_machine().cores // config.threads)
    count = max(1, min(free, len(blocks) // BLOCKS_OF_PROCESS))
    library, answers = runner_for(payload, config), list[Prediction]()
    progress.start("Evaluate", len(examples))
    with ExitStack() as stack:
        workers = [stack.enter_context(WorkerProcess()) for _ in range(count)]
        loaded = [worker.load(payload.path, NAME, config.threads, library) for worker in workers]
        pool = stack.enter_context(ThreadPoolExecutor(count))
        for start in range(0, len(blocks), count):
            for found in pool.map(_block, workers, blocks[start : start + count]):
                answers += found
                progress.advance(len(found))
    progress.finish()
    return answers, loaded[0]["runtime"]


def _block(worker: WorkerProcess, texts: list[tuple[str, str | None]]) -> list[Prediction]:
    return worker.answers(NAME, texts)


def joined(
    payload: Payload, data: LabelledData, parts: Sequence[tuple[Sequence[int], AccuracyEvidence]]
) -> AccuracyEvidence:
    """Cross-validated evidence about the recipe of a payload: the answers of all folds, in the order of `data.test`.

    Args:
        payload: made by the same recipe from all folds. It answered none of these texts.
        parts: for each fold, the places of its texts in `data.test`, and what the fold's own package answered.

    Raises:
        ValueError: a text was not judged exactly once.
    """
    found: dict[int, PredictionRow] = {}
    for places, evidence in parts:
        for place, row in zip(places, evidence.rows, strict=True):
            if place in found:
                raise ValueError(f"text {place} was judged twice")
            found[place] = row.replace(row=place)
    if sorted(found) != list(range(len(data.test))):
        raise ValueError(f"{len(found)} of {len(data.test)} texts were judged")
    first = parts[0][1]
    return first.replace(
        payload=payload.digest,
        data=data.fingerprint,
        split="cross-validated",
        exact=all(evidence.exact for _, evidence in parts),
        folds=len(parts),
        fold_payloads=tuple(evidence.payload for _, evidence in parts),
        **_figures(payload, [found[place] for place in range(len(found))]),
    )


def _figures(payload: Payload, rows: Sequence[PredictionRow]) -> dict[str, Any]:
    """Rows, metrics and the reports of classes and of words, as the evidence has them."""
    task = tasks.create(payload.manifest.head)
    references, labels = [row.reference for row in rows], [row.label for row in rows]
    return {
        "rows": tuple(rows),
        "metrics": metrics.scores(task.metrics, references, rows),
        "class_report": tuple(task.class_report(references, labels)),
        "word_report": tuple(task.word_report(references, labels)),
    }


def runner_for(payload: Payload, config: EvaluateConfig) -> Path | None:
    """The library of the C++ runner that answers; None if Python answers.

    Raises:
        EnvironmentFault: the configuration selects the runner, but the runner is not built on this machine.
        BadInputError: the configuration selects the runner, but the package only accepts token ids.
    """
    if config.runtime == "python":
        return None
    tokenizer = payload.manifest.tokenizer
    if config.runtime == "auto":
        return find_library() if tokenizer.tables else None
    if not tokenizer.tables:
        raise BadInputError(
            f"{payload.path}: the runner accepts token ids only ({tokenizer.unsupported or 'no tokenizer tables'})",
            hint="Use --runtime python",
        )
    return load_library().path


def load_accuracy(folder: Path) -> AccuracyEvidence:
    """Reads the evidence that `evaluate` wrote."""
    try:
        return AccuracyEvidence.model_validate_json((folder / FILE).read_bytes())
    except ValidationError as error:
        raise PackageError(f"{folder / FILE}: damaged ({error.errors()[0]['msg']})") from None
    except FileNotFoundError:
        raise PackageError(f"{folder}: no {FILE}", hint="Give a directory that `evaluate` wrote") from None
