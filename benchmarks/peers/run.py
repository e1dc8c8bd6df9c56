"""Compares accuracy, speed and size of one fine-tuned encoder, compressed by edge-ptf and by other toolkits.

    python benchmarks/peers/environments.py
    python benchmarks/peers/run.py --teacher build/clinc150/stages/finetune-… --package build/clinc150/package.eptf \\
        --baseline build/clinc150/package-baseline.eptf --data ../shared/data/clinc150

Every toolkit gets the same checkpoint and the same validation texts for calibration, in each INT8 form that it offers.
Its best variant is the fastest one that loses at most one point of validation accuracy. A worker only computes logits
from token ids, one text at a time and without padding. This program tunes thresholds (on validation) and computes
answers and metrics (on test), with the functions that make and evaluate packages. All models that need ONNX Runtime use
the same one.

All models are timed in one run. Each launch loads every model again in a separate process. Then the models alternate in
short blocks over the same test texts, in a new random order each round. Only one computes at a time.

A speed is the launch's ratio of medians to the FP32 teacher under ONNX Runtime, and its interval (95 %) is over
launches. The teacher takes part twice: the ratio of its two copies is the noise of the run.

`build/peers` keeps the compressed models and their logits. They are made again when their inputs change.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from figures import Row, Rows, Split, Times, answers, calibrated, mark_best, metrics, page, record, speed, table
from plot import plot
from process import Worker, WorkerError
from toolkits import ONNX_RUNTIME, TOOLKITS, WORK, WORKERS, CompressionError, Engine, compress, model_bytes, versions
from toolkits import requirements as requirements_of

from edge_ptf import tasks
from edge_ptf.bench.validity import BACKGROUND_LIMIT
from edge_ptf.data import DataConfig, load
from edge_ptf.digests import file_digest, value_digest
from edge_ptf.environment import Environment, environment
from edge_ptf.graph.exporting import spread
from edge_ptf.machine import this_machine
from edge_ptf.metrics import gated
from edge_ptf.package import Payload, open_payload, threshold_texts

CALIBRATION_TEXTS = 300
WARM_CALLS = 3
"""Number of uncounted calls at the start of each block, because another model was in the caches."""
TEACHER, AGAIN, OURS = "FP32 teacher", "FP32 teacher again", "edge-ptf"


@dataclass(slots=True)
class Contestant:
    """A model, its engine, and its token ids."""

    toolkit: str
    variant: str
    engine: Engine
    model: Path
    payload: Payload
    """The payload whose tokenizer tokenizes the texts."""

    @property
    def title(self) -> str:
        return f"{self.toolkit} {self.variant}".strip()


def main() -> None:
    given = _arguments()
    began = time.monotonic()
    baseline = open_payload(given.baseline)
    task = tasks.create(baseline.manifest.head)
    config = DataConfig(out_of_scope_label=task.out_of_scope_label)
    data = load(str(given.data), tasks.get(task.name), config)
    _check_labels(given.teacher, task.head.spec.labels)
    failed: list[dict[str, str]] = []
    contestants = _packages(given.package, baseline) + _compressed(given, baseline, data.validation, failed)
    _say(began, "compressed")

    rows: list[Row] = []
    timed: list[Contestant] = []
    texts = threshold_texts(data.validation) if task.head.tunes else list(data.validation)
    labels = [example.label for example in data.validation]
    teacher_known: list[Any] = []
    teacher_test: list[Any] = []
    for contestant in contestants:
        split, test = (_split(contestant.payload, part) for part in (texts, data.test))
        try:
            engine, logits = _logits(contestant, [*split.encodings, *test.encodings])
        except WorkerError as error:
            failed.append({"toolkit": contestant.toolkit, "variant": contestant.variant, "error": str(error)})
            continue
        known, unknown = np.split(logits, [len(texts)])
        follows = teacher_known if contestant.toolkit not in (TEACHER, AGAIN) else None
        own = calibrated(task, known, labels, follows)
        found = answers(own, known, split)
        answered = answers(own, unknown, test) if contestant.toolkit != AGAIN else teacher_test
        if not teacher_known:
            teacher_known, teacher_test = found, answered
        first = own.metrics[0]
        reached = first.score(first.per_example(labels, found[: len(labels)]))
        rows.append(
            Row(
                contestant.toolkit,
                contestant.variant,
                engine,
                round(model_bytes(contestant.model) / 1e6, 2),
                round(reached, 3),
                own.head.spec.options["threshold"],
                metrics(own, test, teacher_test, answered),
            )
        )
        timed.append(contestant)
        shown = ", ".join(f"{name} {metric.value:.2f} %" for name, metric in rows[-1].metrics.items())
        _say(began, f"{contestant.title}: {shown}")

    drawn = random.Random(0).sample(range(len(data.test)), min(given.texts, len(data.test)))
    times, others = _take_turns(timed, [data.test[number] for number in drawn], given, began)
    for index, row in enumerate(rows):
        row.speed = {str(threads): speed(times[threads][0], times[threads][index]) for threads in given.threads}
    mark_best([row for row in rows if row.toolkit not in (TEACHER, AGAIN)], rows[0], str(given.threads[0]))
    seconds = round(time.monotonic() - began)
    titles = {metric.name: metric.title for metric in gated(task.metrics)}
    noisy = sum(count > BACKGROUND_LIMIT for count in others)
    warnings = [f"other programs kept more than a quarter of a processor busy in {noisy} of {len(others)} launches"]
    result = {
        "machine": this_machine().model_dump(mode="json"),
        "teacher": baseline.digest,
        "packages": [open_payload(package).digest for package in given.package],
        "data": data.fingerprint,
        **{"calibration_texts": CALIBRATION_TEXTS, "timed_texts": len(texts), "launches": given.launches},
        **{"rounds": given.rounds, "block": given.block, "seconds": seconds},
        "processors_busy_with_others": others,
        "warnings": warnings if noisy else [],
        "versions": {toolkit.title: versions(toolkit) for toolkit in TOOLKITS},
        "rows": record(rows),
        "failed": failed,
    }
    _write(given.out, result, rows, titles, str(given.threads[0]))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--teacher", type=Path, required=True, help="the fine-tuned checkpoint: a Hugging Face directory"
    )
    parser.add_argument("--package", type=Path, action="append", required=True, help="edge-ptf's; may be given again")
    parser.add_argument("--baseline", type=Path, required=True, help="the teacher as a package")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", nargs="+", metavar="TOOLKIT", help="only the toolkits with these environments")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--launches", type=int, default=5, help="for each number of threads, at least 3 for intervals")
    parser.add_argument("--rounds", type=int, default=12, help="number of blocks of each model in a launch")
    parser.add_argument("--block", type=int, default=25, help="number of calls in a block")
    parser.add_argument("--texts", type=int, default=300, help="number of timed test texts")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "results" / "peers-clinc150.json")
    given = parser.parse_args()
    if min(*given.threads, given.launches, given.rounds, given.block, given.texts) < 1:
        parser.error("all counts must be at least 1")
    return given


def _packages(packages: list[Path], baseline: Payload) -> list[Contestant]:
    """The teacher, the teacher once more, and the packages of edge-ptf."""
    full = _unpacked(baseline)
    found = [
        Contestant(TEACHER, "", ONNX_RUNTIME, full, baseline),
        Contestant(AGAIN, "", ONNX_RUNTIME, full, baseline),
    ]
    for number, path in enumerate(packages):
        payload = open_payload(path)
        variant = path.stem if number or len(packages) > 1 else ""
        found.append(Contestant(OURS, variant, ONNX_RUNTIME, _unpacked(payload), payload))
    return found


def _compressed(
    given: argparse.Namespace, baseline: Payload, validation: Any, failed: list[dict[str, str]]
) -> list[Contestant]:
    """The models of the other toolkits. Failures are added to `failed`."""
    calibration = WORK / "calibration.json"
    ids = [encoding.input_ids for encoding in _split(baseline, spread(validation, CALIBRATION_TEXTS)).encodings]
    calibration.write_text(json.dumps(ids), encoding="utf-8")
    graph = _unpacked(baseline)
    key = value_digest([file_digest(given.teacher / "model.safetensors"), file_digest(graph), ids])
    found = []
    for toolkit in TOOLKITS:
        if given.only and toolkit.environment not in given.only:
            continue
        for variant in toolkit.variants:
            print(f"{toolkit.title} {variant}", file=sys.stderr, flush=True)
            try:
                model = compress(toolkit, variant, given.teacher, graph, calibration, key)
            except CompressionError as error:
                failed.append({"toolkit": toolkit.title, "variant": variant, "error": str(error)})
            else:
                found.append(Contestant(toolkit.title, variant, toolkit.engine, model, baseline))
    return found


def _unpacked(payload: Payload) -> Path:
    """The package's graph as a file."""
    file = WORK / "packages" / payload.digest[:16] / "model.onnx"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(payload.model())
    return file


def _split(payload: Payload, examples: Any) -> Split:
    manifest = payload.manifest
    inputs = tuple(item.name for item in manifest.graph.inputs)
    task = tasks.create(manifest.head)
    return Split(examples, task.encode(payload.tokenizer(inputs), examples, manifest.tokenizer.max_length))


def _logits(contestant: Contestant, encodings: Any) -> tuple[str, Rows]:
    """The engine, and [texts, classes]. They come from an earlier run if model, texts, engine and processor are
    equal.
    """
    folder, ids = contestant.model.parent, [encoding.input_ids for encoding in encodings]
    machine = this_machine()
    engine = [file_digest(WORKERS / contestant.engine.worker), requirements_of(contestant.engine.environment)]
    key = value_digest([file_digest(contestant.model), ids, engine, machine.cpu, list(machine.isa)])
    texts, file, stamp = folder / "texts.json", folder / "logits.npy", folder / "logits.json"
    if not stamp.exists() or json.loads(stamp.read_text(encoding="utf-8"))["key"] != key:
        texts.write_text(json.dumps(ids), encoding="utf-8")
        with Worker(contestant.engine, contestant.model, 1) as worker:
            worker.ask(do="texts", file=str(texts.resolve()))
            worker.ask(do="logits", file=str(file.resolve()))
            stamp.write_text(json.dumps({"key": key, "engine": worker.engine}), encoding="utf-8")
    return json.loads(stamp.read_text(encoding="utf-8"))["engine"], np.load(file)


def _take_turns(
    contestants: list[Contestant], examples: Any, given: argparse.Namespace, began: float
) -> tuple[dict[int, list[Times]], list[float]]:
    """Times by threads and contestant, and the number of processors that other programs kept busy in each launch."""
    files: dict[str, Path] = {}
    for contestant in contestants:
        digest = contestant.payload.digest
        if digest not in files:
            files[digest] = WORK / f"timed-{digest[:16]}.json"
            ids = [encoding.input_ids for encoding in _split(contestant.payload, examples).encodings]
            files[digest].write_text(json.dumps(ids), encoding="utf-8")
    times: dict[int, list[Times]] = {threads: [[] for _ in contestants] for threads in given.threads}
    others: list[float] = []
    draw = random.Random(0)
    for launch in range(given.launches):
        for threads in draw.sample(given.threads, len(given.threads)):
            before, own = environment(), _processor_s()
            with ExitStack() as stack:
                workers: dict[int, Worker] = {}
                for index in draw.sample(range(len(contestants)), len(contestants)):
                    contestant = contestants[index]
                    worker = stack.enter_context(Worker(contestant.engine, contestant.model, threads))
                    worker.ask(do="texts", file=str(files[contestant.payload.digest].resolve()))
                    worker.time_ns(list(range(len(examples))))  # every length once
                    workers[index] = worker
                samples = _launch(workers, len(examples), given, draw)
            for index, taken in samples.items():
                times[threads][index].append(taken)
            others.append(_others(before, environment(), _processor_s() - own))
            _say(began, f"launch {launch + 1} of {given.launches}, threads: {threads}")
    return times, others


def _launch(
    workers: dict[int, Worker], texts: int, given: argparse.Namespace, draw: random.Random
) -> dict[int, list[int]]:
    samples: dict[int, list[int]] = {index: [] for index in workers}
    for _ in range(given.rounds):
        rows = [draw.randrange(texts) for _ in range(WARM_CALLS + given.block)]
        for index in draw.sample(list(workers), len(workers)):
            samples[index] += workers[index].time_ns(rows)[WARM_CALLS:]
    return samples


def _processor_s() -> float:
    """Processor time of this process and of the workers that have ended."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in spent)


def _others(before: Environment, after: Environment, own_s: float) -> float:
    """Number of processors that other programs kept busy; 0 if unknown."""
    if None in (before.ticks, before.idle_ticks, after.ticks, after.idle_ticks) or after.ticks == before.ticks:
        return 0.0
    spent, idle = after.ticks - before.ticks, after.idle_ticks - before.idle_ticks
    busy = (spent - idle - own_s * before.ticks_per_second) / spent
    return round(max(0.0, busy) * this_machine().cores, 2)


def _check_labels(teacher: Path, labels: tuple[str, ...]) -> None:
    names = json.loads((teacher / "config.json").read_text(encoding="utf-8"))["id2label"]
    if [names[str(number)] for number in range(len(names))] != list(labels):
        sys.exit(f"{teacher}: its labels are not those of the baseline")


def _write(out: Path, result: dict[str, Any], rows: list[Row], titles: dict[str, str], threads: str) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    teachers = [row for row in rows if row.toolkit in (TEACHER, AGAIN)]
    best = sorted((row for row in rows if row.best), key=lambda row: row.speed[threads].ratio)
    picture = out.with_suffix(".svg")
    text = page(result, [*teachers, *best], rows, titles, picture.name)
    out.with_suffix(".md").write_text(text, encoding="utf-8")
    teachers[0].best = True  # shows it in the plot
    metric, title = next(iter(titles.items()))
    picture.write_text(plot([row for row in rows if row.toolkit != AGAIN], metric, title, threads), encoding="utf-8")
    print(table([*teachers, *best], titles))
    for warning in result["warnings"]:
        print(f"warning: {warning}")


def _say(began: float, what: str) -> None:
    print(f"{time.monotonic() - began:6.0f} s  {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
