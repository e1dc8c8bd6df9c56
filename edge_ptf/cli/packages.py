"""`edge-ptf inspect`, `verify` and `predict`: a finished package."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_ptf.cli.console import make_console, say_fields, say_json
from edge_ptf.errors import BadInputError, ExitCode

if TYPE_CHECKING:
    from edge_ptf.runtime.checkpoint import CheckpointRunner
    from edge_ptf.runtime.occlusion import WordEffect
    from edge_ptf.runtime.runner import Runner

package = click.Path(path_type=Path)


@click.command("inspect")
@click.argument("package", type=package)
@click.option("--json", "as_json", is_flag=True, help="Print the manifest and the verdict as JSON.")
@click.option("--unpack", "folder", type=click.Path(path_type=Path), help="Also write the files to this directory.")
def inspect_command(package: Path, as_json: bool, folder: Path | None) -> int:
    """Show what PACKAGE contains, its measurements and its verdict."""
    from edge_ptf.package import MissingSamplesError, open_payload, unpack
    from edge_ptf.package.evidence import AccuracyEvidence, Evidence, LatencyEvidence
    from edge_ptf.report import terminal
    from edge_ptf.report.stage_lines import accuracy_line

    payload = open_payload(package)
    verdict = payload.verdict()
    if folder is not None:
        if folder.exists() and any(folder.iterdir()):
            raise BadInputError(f"{folder}: not empty", hint="Give a new directory")
        unpack(payload, folder)
    if as_json:
        document = {
            "digest": payload.digest,
            "size_bytes": payload.size_bytes,
            "manifest": payload.manifest.model_dump(mode="json"),
            "verdict": verdict.model_dump(mode="json") if verdict else None,
        }
        say_json(document, indent=2)
        return ExitCode.OK
    console = make_console()
    console.print(terminal.package_table(payload))
    evidence: list[Evidence] = []
    try:
        evidence = payload.evidence()
    except MissingSamplesError as missing:
        console.print(f"{missing.message}. {missing.hint}", soft_wrap=True)
    for record in evidence:
        if isinstance(record, AccuracyEvidence):
            who = "Package" if record.payload == payload.digest else "Teacher"
            console.print(f"{who} on test ({len(record.rows):,} texts): {accuracy_line(record)}", soft_wrap=True)
        elif isinstance(record, LatencyEvidence) and record.payload == payload.digest:
            console.print(terminal.latency_table(record, None))
    console.print(terminal.verdict_table(verdict) if verdict else "Not sealed: no verdict inside.")
    return ExitCode.OK


@click.command("verify")
@click.argument("package", type=package)
def verify_command(package: Path) -> int:
    """Check every checksum of PACKAGE, then its golden vectors with ONNX Runtime. Exit code 3: a check failed."""
    from edge_ptf.package import verify

    report = verify(package)
    console = make_console()
    console.print(f"{package}: {report.files} files as the manifest says, payload {report.payload.digest[:12]}")
    if report.exact:
        share = 100 * report.largest_difference
        console.print(f"{report.golden} golden vectors answered; largest difference {share:.2g} % of the largest logit")
    else:
        console.print(
            f"{report.golden} golden texts tokenized as they must be; their logits were not compared: "
            "this processor does not execute the package's INT8 products exactly"
        )
    if report.missing_samples is not None:
        console.print(f"The samples behind its verdict were not checked: {report.missing_samples} is missing")
    return ExitCode.OK


@click.command("predict")
@click.argument("subject", metavar="SUBJECT", type=package)
@click.argument("texts", nargs=-1)
@click.option("--pair", help="The second text, for a package of pairs or vectors; with one TEXT.")
@click.option("--threads", type=click.IntRange(1, 64), default=1, show_default=True, help="Threads of one inference.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a text, with probabilities and offsets.")
@click.option("--dimensions", type=click.IntRange(1), help="Answer with so many leading numbers of a vector.")
@click.option(
    "--add-class",
    "added",
    metavar="NAME=FILE",
    multiple=True,
    help="For class centres: add a class first, from a file with one text a line. Several times: several classes.",
)
@click.option("--explain", is_flag=True, help="Also say how much the score falls without each word.")
def predict_command(
    subject: Path,
    texts: tuple[str, ...],
    pair: str | None,
    threads: int,
    as_json: bool,
    dimensions: int | None,
    added: tuple[str, ...],
    explain: bool,
) -> int:
    """Answer TEXTS with a package, the package of a run, or a checkpoint. Without TEXTS, each line of the standard
    input is one text.

    \b
    edge-ptf predict build/package.eptf "turn on the lights"
    edge-ptf predict build/ "turn on the lights"            # the directory that compress wrote
    edge-ptf predict teacher/ "turn on the lights"          # a checkpoint, in PyTorch

    Thresholds and temperature are chosen when a package is assembled: a checkpoint answers without them. With
    --explain, a line for each word follows its text, the most important word first.
    """
    from edge_ptf.runtime.occlusion import word_effects
    from edge_ptf.runtime.subject import open_subject
    from edge_ptf.tasks.sentence_embedding import shortened

    if not texts and (sys.stdin is None or sys.stdin.isatty()):
        raise BadInputError("no text given", hint='edge-ptf predict PACKAGE "your text", or pipe one text a line')
    if pair is not None and len(texts) != 1:
        raise BadInputError("--pair goes with exactly one TEXT")
    runner = open_subject(subject, threads)
    if dimensions is not None:
        runner.task = shortened(runner.task, dimensions, "--dimensions")
    for given in added:
        _add_class(runner, subject, given)
    if runner.takes_pairs not in (None, pair is not None):
        raise BadInputError(
            f"{subject}: answers {'pairs of texts' if runner.takes_pairs else 'single texts'}",
            hint="Give one TEXT and --pair TEXT" if runner.takes_pairs else "Leave out --pair",
        )
    for number, text in enumerate(texts or _lines(), 1):
        _check_utf8(text, f"text {number}")
        found = runner.answer(text, pair)
        effects = word_effects(runner, text, pair, found.label) if explain else []
        if as_json:
            row = {"text": text, "label": found.label, "score": found.score, **found.details}
            say_json({**row, "words": [_fields(effect) for effect in effects]} if explain else row)
        else:
            say_fields(runner.task.describe(found.label, text), f"{found.score:.3f}", text)
            for effect in sorted(effects, key=lambda effect: -abs(effect.effect)):
                say_fields(effect.head, f"{effect.effect:+.3f}", effect.word)
    return ExitCode.OK


def _fields(effect: WordEffect) -> dict[str, Any]:
    """The fields of an effect; the name of the task only if there are several."""
    return {name: value for name, value in asdict(effect).items() if name != "head" or value}


def _add_class(runner: Runner | CheckpointRunner, subject: Path, given: str) -> None:
    """Adds a class to a package, from NAME=FILE."""
    from edge_ptf.runtime.runner import Runner

    name, equals, file = given.partition("=")
    if not equals:
        raise BadInputError(f"--add-class {given}: not NAME=FILE", hint="The file has one text a line")
    if not isinstance(runner, Runner):
        raise BadInputError(
            f"--add-class: {subject} is a checkpoint", hint="Give a package of prototype-classification"
        )
    try:
        lines = Path(file).read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"--add-class: {file} cannot be read ({error})", hint="Give a file of UTF-8 text") from None
    runner.add_class(name, [line for line in lines if line.strip()])


def _lines() -> Iterator[str]:
    sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")  # type: ignore[union-attr]
    for line in sys.stdin:
        yield line.rstrip("\r\n")


def _check_utf8(text: str, place: str) -> None:
    """What is not UTF-8 arrives with its bytes as lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadInputError(f"{place}: not UTF-8 at character {error.start + 1}", hint="Give UTF-8 text") from None
