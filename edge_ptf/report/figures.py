"""The figures of a study: for the tiles, for the latency table, and for the comparison of two studies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edge_ptf import statistics
from edge_ptf.metrics import Direction, Metric, gated
from edge_ptf.package.evidence import LatencyEvidence
from edge_ptf.report.formatting import figure_text, metric_words, score_number, score_text
from edge_ptf.report.plots import Point
from edge_ptf.report.study import Study
from edge_ptf.tasks import create

SIZE = "package size"
SHARES = (0.5, 0.9, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a study. `better` is the good direction: 1 larger, -1 smaller."""

    name: str
    value: float | None
    unit: str
    better: int
    note: str = ""
    metric: str = ""
    """The name of the metric, if the figure is one."""

    @property
    def text(self) -> str:
        """Value and unit."""
        return score_text(self.metric, self.value) if self.metric else figure_text(self.value, self.unit)


@dataclass(frozen=True, slots=True)
class Percentile:
    """One row of the latency table."""

    name: str
    value: str
    interval: str


def metrics_of(study: Study) -> tuple[Metric, ...]:
    """All metrics of the package's task. The first one steers training."""
    return create(study.payload.manifest.head).metrics


def figures(study: Study) -> list[Figure]:
    """The important figures of the package, with the teacher's figures in notes."""
    found = [*_accuracy(study)]
    found += _times(study)
    found.append(Figure(SIZE, study.payload.size_bytes / 1e6, "MB", -1))
    found += [Figure("peak memory", max(item.peak_memory_mb), "MB", -1) for item in study.memories[:1]]
    return found


def speedup(latency: LatencyEvidence) -> tuple[float, float | None] | None:
    """Engine time of the teacher ÷ engine time of the package, and its lower bound; None without a teacher."""
    slow = [launch.baseline_engine_ms for launch in latency.launches]
    if not all(slow):
        return None
    return statistics.speedup(slow, [launch.engine_ms for launch in latency.launches])


def percentiles(latency: LatencyEvidence) -> list[Percentile]:
    """Text to answer, the engine alone, loading and the first answer."""
    calls = [launch.end_to_end_ms for launch in latency.launches]
    engine = [launch.engine_ms for launch in latency.launches]
    rows = []
    for title, samples, shares in (("text to answer", calls, SHARES), ("engine alone", engine, SHARES[:1])):
        for share in shares:
            found = statistics.launch_percentile(samples, share)
            known = found.low is not None and found.high is not None
            interval = f"{found.low:.3f} to {found.high:.3f}" if known else "not estimable"
            rows.append(Percentile(f"{title}, p{100 * share:g}", f"{found.value:.3f}", interval))
    for title, name in (("load, median", "load_ms"), ("first answer, median", "first_ms")):
        once = [getattr(launch, name) for launch in latency.launches]
        rows.append(Percentile(title, f"{statistics.percentile(once, 0.5):.2f}", ""))
    return rows


def points(study: Study) -> list[Point]:
    """Teacher, package and every other variant of the run record; empty if speed or accuracy is unknown."""
    steering = metrics_of(study)[0].name
    ratio = speedup(study.compared) if study.compared else None
    if study.accuracy is None or study.baseline is None or ratio is None or steering not in study.accuracy.metrics:
        return []
    teacher_mb = study.baseline_bytes / 1e6 if study.baseline_bytes else None
    found = [Point("teacher", 1.0, study.baseline.metrics[steering], teacher_mb, "teacher")]
    found += [
        Point(str(row["name"]), float(row["speedup"]), float(row["metrics"][steering]), float(row["size_mb"]))
        for row in study.record.get("variants", ())
        if steering in row.get("metrics", {})
    ]
    package_mb = study.payload.size_bytes / 1e6
    return [*found, Point("package", ratio[0], study.accuracy.metrics[steering], package_mb, "package")]


def _accuracy(study: Study) -> list[Figure]:
    if study.accuracy is None:
        return []
    rows = []
    for metric in gated(metrics_of(study)):
        value = study.accuracy.metrics.get(metric.name)
        before = study.baseline.metrics.get(metric.name) if study.baseline else None
        if value is not None:
            note = ""
            if before is not None:
                change = f"{score_number(metric.name, value - before, '+')} {metric.unit}".rstrip()
                note = f"teacher {score_text(metric.name, before)}, {change}"
            better = 1 if metric.direction is Direction.HIGHER else -1
            rows.append(Figure(metric_words(metric.name), value, metric.unit, better, note, metric.name))
    return rows


def _times(study: Study) -> Iterator[Figure]:
    if study.compared and (ratio := speedup(study.compared)):
        bound = f"at least {ratio[1]:.2f}×, 95 % bound" if ratio[1] is not None else "no bound"
        yield Figure("speed-up", ratio[0], "×", 1, bound + _uncounted(study.compared))
    for latency in study.latencies[:1]:
        calls = [ms for launch in latency.launches for ms in launch.end_to_end_ms]
        slow = f"p95 {statistics.percentile(calls, 0.95):.2f} ms"
        yield Figure("latency, p50", statistics.percentile(calls, 0.5), "ms", -1, slow + _uncounted(latency))


def _uncounted(latency: LatencyEvidence) -> str:
    return "; does not count" if latency.flags else ""
