"""The content of each section of the report, made from a study. The template only does the layout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bokeh.plotting import figure

from edge_ptf import statistics
from edge_ptf.machine import Machine
from edge_ptf.package.evidence import LatencyEvidence
from edge_ptf.report import answers, figures, plots, sizes, verdicts
from edge_ptf.report.answers import Pairs, Side
from edge_ptf.report.explanations import BETWEEN, explanations
from edge_ptf.report.formatting import (
    answer_form,
    bytes_text,
    counted,
    figure_text,
    metric_words,
    score_number,
    score_text,
    score_unit,
    spread_texts,
)
from edge_ptf.report.study import Study
from edge_ptf.report.tuning import options_text, ranked, tuning_lines
from edge_ptf.tasks import create
from edge_ptf.training.tuning_record import Tuning

MATRIX_CLASSES = 25
"""A larger matrix first shows only this many classes, those with the most mistakes."""
PAIRS_SHOWN = 300
TRIALS_SHOWN = 5
SIDES = {
    Side.LOST: ("Lost", "only the teacher is right"),
    Side.GAINED: ("Gained", "only the package is right"),
    Side.OTHER: ("Differently wrong", "both are wrong, with different answers"),
    Side.SAME: ("Equally wrong", "both give the same wrong answer"),
}


def contents(study: Study) -> dict[str, Any]:
    """All values for the template. A section without data is None."""
    manifest = study.payload.manifest
    return {
        "name": manifest.name,
        "digest": study.payload.digest,
        "heading": heading(study),
        "verdict": study.verdict,
        "summary": verdicts.summary(study.verdict),
        "targets": verdicts.targets(study.verdict) if study.verdict else [],
        "warnings": warnings(study),
        "matrix_limit": MATRIX_CLASSES,
        "tiles": figures.figures(study),
        "lineage": lineage(study),
        "accuracy": accuracy(study),
        "changes": changes(study),
        "latencies": [latency(study, number) for number in range(1, len(study.latencies) + 1)],
        "sizes": size(study),
        "points": variants(study),
        "steering": metric_words(figures.metrics_of(study)[0].name),
        "sensitivity": sensitivity(study.record),
        "tuning": tuning(study.tuning),
        "environment": environment(study),
    }


def heading(study: Study) -> list[tuple[str, str]]:
    """What the report is about: model, data, task and profile."""
    manifest = study.payload.manifest
    data, known = study.record.get("data"), study.accuracy or study.baseline
    source = data.get("source") if isinstance(data, Mapping) else None
    texts = f"{counted(len(known.rows), 'text')} of the {known.split} split" if known else ""
    layers = counted(len(manifest.graph.layers), "layer")
    rows = [
        ("Model", f"{manifest.lineage.base_model} ({layers}, {manifest.graph.scheme})"),
        ("Data", ", ".join(part for part in (source or manifest.lineage.data[:12], texts) if part)),
        ("Task", create(manifest.head).title),
        ("Profile", study.verdict.profile if study.verdict else "none: not judged"),
    ]
    return [(name, str(value)) for name, value in rows]


def warnings(study: Study) -> list[str]:
    """The warnings of the verdict. If there are several measurements, with the machine that each is about."""
    found = []
    for warning in study.verdict.warnings if study.verdict else ():
        machines = [_machine_name(record) for record in study.latencies if warning in record.warnings]
        about = f" (latency on {', '.join(dict.fromkeys(machines))})" if machines and len(study.latencies) > 1 else ""
        found.append(f"{warning}{about}")
    return found


def variants(study: Study) -> list[tuple[str, str, str, str]]:
    """Name, speed-up, score and size of the teacher, the package and every other variant."""
    steering = figures.metrics_of(study)[0].name
    return [
        (
            point.name,
            f"{point.speed:.2f}×",
            score_text(steering, point.metric),
            figure_text(point.size_mb, "MB"),
        )
        for point in figures.points(study)
    ]


def drawings(study: Study) -> dict[str, figure]:
    """The plots, by their names in the template."""
    found: dict[str, figure] = {}
    if study.accuracy is not None:
        rows = answers.class_changes(study.baseline, study.accuracy)
        if sum(row.change is not None for row in rows) > 2:
            found["classes"] = plots.class_scatter(rows)
        pairs = answers.confusions(create(study.payload.manifest.head), study.accuracy)
        names = _class_order(pairs)
        if pairs:
            found["matrix"] = plots.confusion(pairs, names)
        if len(names) > MATRIX_CLASSES:
            found["matrix-worst"] = plots.confusion(pairs, answers.most_confused(pairs, MATRIX_CLASSES))
    for number, record in enumerate(study.latencies, 1):
        found[f"latency-{number}-distribution"] = plots.distribution(record)
        found[f"latency-{number}-series"] = plots.time_series(record)
    if study.tuning and len(study.tuning.trials) > 1:
        found["tuning"] = plots.trials(study.tuning, metric_words(study.tuning.metric), score_unit(study.tuning.metric))
    if points := figures.points(study):
        steering = figures.metrics_of(study)[0].name
        found["front"] = plots.front(points, metric_words(steering), score_unit(steering))
    return found


def lineage(study: Study) -> dict[str, Any]:
    """Base model, data, and every step with its options and facts."""
    origin, data = study.payload.manifest.lineage, study.record.get("data")
    return {
        "base_model": origin.base_model,
        "data": origin.data,
        "source": data.get("source") if isinstance(data, Mapping) else None,
        "splits": data.get("splits") if isinstance(data, Mapping) else None,
        "notes": data.get("notes", ()) if isinstance(data, Mapping) else (),
        "steps": [
            {
                "stage": step.stage,
                "options": [(name.replace("_", " "), _plain(value)) for name, value in sorted(step.config.items())],
                "facts": [(name.replace("_", " "), _plain(value)) for name, value in sorted(step.facts.items())],
            }
            for step in origin.steps
        ],
    }


def seeds(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """Mean and standard deviation of each metric over the runs with all seeds, if there are several."""
    found = record.get("seeds")
    if not found:
        return None
    rows = [(metric_words(name), *spread_texts(name, spread)) for name, spread in found["spread"].items()]
    return {"count": len(found["runs"]), "rows": rows}


def accuracy(study: Study) -> dict[str, Any] | None:
    """Metrics, classes, tags of words and the most confused pairs."""
    if study.accuracy is None:
        return None
    task = create(study.payload.manifest.head)
    before = answers.confusions(task, study.baseline) if study.baseline else Pairs()
    after = answers.confusions(task, study.accuracy)
    mistakes = sorted({pair for pair in (*before, *after) if pair[0] != pair[1]})
    ordered = sorted(mistakes, key=lambda pair: (-after[pair], -before[pair], pair))
    metrics = study.accuracy.metrics
    return {
        "rows": len(study.accuracy.rows),
        "split": study.accuracy.split,
        "exact": study.accuracy.exact,
        "by": study.accuracy.runtime.runner or "Python",
        "right_or_wrong": task.right_or_wrong,
        "answer": answer_form(task, len(task.head.spec.labels)),
        "is_vector": task.head.answers_a_vector,
        "metrics": [
            _metric_row(name, study.baseline.metrics.get(name) if study.baseline else None, value)
            for name, value in metrics.items()
        ],
        "seeds": seeds(study.record),
        "classes": sorted(
            answers.class_changes(study.baseline, study.accuracy), key=lambda row: (row.change or 0.0, row.name)
        ),
        "tags": answers.tag_changes(study.baseline, study.accuracy),
        "pairs": [(*pair, before[pair] if study.baseline else None, after[pair]) for pair in ordered[:PAIRS_SHOWN]],
        "pairs_more": max(len(ordered) - PAIRS_SHOWN, 0),
        "matrix_classes": len(_class_order(after)),
    }


def _metric_row(name: str, before: float | None, after: float) -> tuple[str, str, str, str]:
    """Name, the teacher's score, the package's score, difference."""
    change = "–" if before is None else score_number(name, after - before, "+")
    return metric_words(name), score_text(name, before), score_text(name, after), change


def changes(study: Study) -> dict[str, Any] | None:
    """The examples with a wrong answer. Strings are stored once, and rows are short lists of numbers."""
    if study.accuracy is None or study.baseline is None:
        return None
    task = create(study.payload.manifest.head)
    if not task.right_or_wrong:
        return None
    words: dict[str, int] = {}

    def word(label: Any, text: str | None) -> int:
        return words.setdefault(task.describe(label, text), len(words))

    changed = answers.changes(study.baseline, study.accuracy)
    words_of = explanations(study, changed)
    rows, counts = [], dict.fromkeys(Side, 0)
    for change in changed:
        before, after = study.baseline.rows[change.row], study.accuracy.rows[change.row]
        example = study.examples[change.row] if study.examples else None
        text = example.text if example else None
        said = [word(label, text) for label in (before.reference, before.label, after.label)]
        row: list[Any] = [
            list(Side).index(change.side),
            change.row,
            *said,
            round(change.before, 3),
            round(change.after, 3),
        ]
        if example:
            row.append(text if example.text_pair is None else f"{text}{BETWEEN}{example.text_pair}")
            row.append(words_of.get(change.row, []))
        rows.append(row)
        counts[change.side] += 1
    same = len(study.accuracy.rows) - len(rows)
    return {
        "sides": [(side.value, *SIDES[side], counts[side]) for side in Side],
        "right": same,
        "with_texts": bool(study.examples),
        "explained": len(words_of),
        "redacted": study.redacted,
        "island": {"sides": [SIDES[side][0] for side in Side], "words": list(words), "rows": rows},
    }


def latency(study: Study, number: int) -> dict[str, Any]:
    """One measurement (from 1): machine, percentiles, launches, flags, and the warnings that are not shown above it."""
    record = study.latencies[number - 1]
    above = study.verdict.warnings if study.verdict else ()
    earlier = {warning for other in study.latencies[: number - 1] for warning in other.warnings}
    calls = counted(sum(len(launch.engine_ms) for launch in record.launches), "call")
    return {
        "name": f"latency-{number}",
        "machine": _machine_name(record),
        "amount": ", ".join(
            (counted(record.runtime.threads, "thread"), counted(len(record.launches), "launch", "launches"), calls)
        ),
        "launches": [
            {
                "number": number,
                "calls": len(launch.engine_ms),
                "warmup": launch.warmup_calls,
                "median": statistics.percentile(launch.engine_ms, 0.5),
                "load": launch.load_ms,
                "first": launch.first_ms,
                "ratio": statistics.speedup([launch.baseline_engine_ms], [launch.engine_ms])[0]
                if launch.baseline_engine_ms
                else None,
            }
            for number, launch in enumerate(record.launches, 1)
        ],
        "percentiles": figures.percentiles(record),
        "flags": record.flags,
        "warnings": [warning for warning in record.warnings if warning not in above and warning not in earlier],
        "fine": not record.flags and not record.warnings,
    }


def _machine_name(record: LatencyEvidence) -> str:
    return record.machine.device_model or record.machine.cpu


def size(study: Study) -> list[dict[str, Any]]:
    """Files, and the model's weights by purpose, each with its share of the bytes."""
    tables = []
    found = {"By file": sizes.files(study.payload), "Inside the model": sizes.model_parts(study.payload)}
    for title, subwords in found.items():
        whole = sum(subword.size_bytes for subword in subwords) or 1
        rows = [
            (subword.name, bytes_text(subword.size_bytes), 100 * subword.size_bytes / whole) for subword in subwords
        ]
        tables.append({"title": title, "rows": rows})
    return tables


def sensitivity(record: Mapping[str, Any]) -> list[tuple[str, float]]:
    """(part, points lost when only this part is compressed), worst first; empty if the run did not record it."""
    rows = record.get("sensitivity", ())
    return sorted(((str(row["part"]), float(row["drop"])) for row in rows), key=lambda row: (-row[1], row[0]))


def tuning(found: Tuning | None) -> dict[str, Any] | None:
    """The conclusion of a hyperparameter search, its best trials, and the share of each option."""
    if found is None:
        return None
    best = [trial for trial in ranked(found) if trial.state == "finished"][:TRIALS_SHOWN]
    rows = sorted(found.importance.items(), key=lambda item: -item[1])
    return {
        "summary": ". ".join(line[:1].upper() + line[1:] for line in tuning_lines(found)[:2]),
        "trials": [
            (trial.number, score_text(found.metric, trial.score), options_text(trial.options)) for trial in best
        ],
        "importance": [(name.replace("_", " "), "", 100 * share) for name, share in rows],
    }


def environment(study: Study) -> dict[str, Any]:
    """Machines, runtimes and tools, without duplicates."""
    measured: list[tuple[str, Any]] = [("accuracy", item) for item in (study.accuracy,) if item]
    measured += [("latency", item) for item in study.latencies] + [("memory", item) for item in study.memories]
    machines: dict[tuple[Machine, str], list[str]] = {}
    for kind, item in measured:
        runtime = item.runtime
        engine = f"{runtime.name} {runtime.version}, {runtime.provider}, {counted(runtime.threads, 'thread')}"
        by = f", called by {runtime.runner or 'Python'}"
        machines.setdefault((item.machine, engine + by), []).append(kind)
    tools = study.record.get("tools") or study.payload.manifest.lineage.tools
    return {
        "machines": [
            {"measured": ", ".join(dict.fromkeys(kinds)), "runtime": runtime, "facts": _facts(machine)}
            for (machine, runtime), kinds in machines.items()
        ],
        "tools": sorted((str(name), str(version)) for name, version in tools.items()),
        "needs": study.payload.manifest.requires,
        "seconds": [(row["stage"], row["seconds"], row["reused"]) for row in study.record.get("stages", ())],
    }


def _facts(machine: Machine) -> list[tuple[str, str]]:
    facts = [
        ("processor", machine.cpu),
        ("board", machine.device_model),
        ("architecture", machine.arch),
        ("instruction sets", ", ".join(machine.isa)),
        ("cores", str(machine.cores)),
        ("memory", f"{machine.memory_mb:,} MB"),
        ("system", machine.os),
        ("governor", machine.governor or "unknown"),
        ("GPU", machine.gpu),
        ("emulated", "yes" if machine.emulated else ""),
    ]
    return [(name, value) for name, value in facts if value]


def _class_order(pairs: Pairs) -> list[str]:
    return sorted({name for pair in pairs for name in pair})


def _plain(value: Any) -> str:
    """An option or a fact on one line."""
    if value is None or isinstance(value, bool):  # 1 is not True here
        return {None: "none", True: "yes", False: "no"}[value]
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return ", ".join(_plain(item) for item in value) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_plain(item)}" for name, item in value.items()) or "none"
    return str(value)
