"""Measures how often the gate is wrong: wrong PASS and interval coverage in simulations, false wins in real A/A runs.

    python benchmarks/gate_error_rates.py                                     # the simulation, one core
    python benchmarks/gate_error_rates.py --aa 100 --package PACKAGE.eptf     # a package against itself, here

Simulation: the truth of each study is known. Evidence is drawn at random, and `gate` judges it against a limit that the
true value just misses. PASS is then wrong, and may occur in at most 5 % of the studies. Coverage is the share of
studies in which the nominal 95 % interval contains the truth.

Latencies are log-normal or have stragglers. The calls of a launch are an AR(1) series, and launches differ. The true
percentile is that of all calls over all possible launches.

A/A: `edge-ptf bench --against` compares the package with itself. A false win is a comparison where one copy is called
faster: the 95 % interval of the ratio lies beyond 1 and beyond the noise floor of the session.

Exit code 1 if a promise does not hold. Each part replaces its own figures in results/gate_error_rates.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from math import hypot, log, sqrt
from pathlib import Path
from typing import Any

import numpy as np
from scipy import optimize, signal, stats

from edge_ptf import profiles, statistics, tasks
from edge_ptf.bench import BenchConfig, compare_latency
from edge_ptf.bench.devices import open_device
from edge_ptf.bench.launching import Text
from edge_ptf.gate import gate
from edge_ptf.graph.artifact import Scheme
from edge_ptf.machine import Machine, this_machine
from edge_ptf.package import open_payload
from edge_ptf.package.evidence import (
    AccuracyEvidence,
    LatencyEvidence,
    Launch,
    PredictionRow,
    RuntimeInfo,
    Status,
)
from edge_ptf.package.golden import golden_cases
from edge_ptf.package.manifest import (
    GoldenEntry,
    GraphEntry,
    HeadEntry,
    Lineage,
    Manifest,
    Requirements,
    TensorEntry,
    TokenizerEntry,
)
from edge_ptf.package.payload import Payload
from edge_ptf.profiles import Targets

RESULTS = Path(__file__).parent / "results" / "gate_error_rates.json"
NOMINAL, COVERAGE = 0.05, (0.93, 0.97)
MACHINE = Machine(arch="x86_64", cpu="simulated", isa=("avx2", "avx512_vnni"), cores=2, memory_mb=8000, os="Linux")
RUNTIME = RuntimeInfo(version="1.23.0", threads=1)
PROFILE = profiles.load("x86-vnni")
WITHIN = 0.25
"""Standard deviation of the logarithm of a call's time within a launch, because texts differ in length."""
STRAGGLERS, STRAGGLER = 0.05, log(2)
TIMES_LATENCY = 3
"""Factor for the number of latency studies, which are fast."""
Random = np.random.Generator


@dataclass(frozen=True)
class Rates:
    """One line of the table."""

    figure: str
    setting: str
    studies: int
    wrong_pass: float | None
    bound_coverage: float | None
    interval_coverage: float

    @property
    def shares(self) -> tuple[float | None, float | None, float]:
        """The three rates. The first two are None if the gate does not judge."""
        return self.wrong_pass, self.bound_coverage, self.interval_coverage

    @property
    def problems(self) -> list[str]:
        """The promises that do not hold."""
        most = NOMINAL + two_errors(self.studies)
        found = [] if (self.wrong_pass or 0.0) <= most else [f"wrong PASS beyond {100 * most:.1f} %"]
        low, high = COVERAGE
        return found if low <= self.interval_coverage <= high else [*found, "coverage outside 93 to 97 %"]


def two_errors(studies: int) -> float:
    """Two standard errors of a rate of 5 % over this many studies."""
    return 2 * sqrt(NOMINAL * (1 - NOMINAL) / studies)


# Accuracy


def accuracies(studies: int) -> Iterator[Rates]:
    """Yes-or-no outcomes: some examples are lost, some are gained, and the drop equals the limit."""
    for count, lost, gained in ((500, 0.02, 0.01), (1_000, 0.01, 0.0), (1_000, 0.05, 0.04), (4_500, 0.02, 0.01)):
        draw, truth = np.random.default_rng(count), lost - gained
        pool = [
            [PredictionRow(row=place, reference="a", label=label, score=0.9) for place in range(count)]
            for label in ("b", "a")
        ]
        found = []
        for _ in range(studies):
            kind = draw.random(count)  # lost, gained, wrong for both, right for both
            before = (kind < lost) | (kind >= lost + gained + 0.05)
            after = (kind >= lost) & ((kind < lost + gained) | (kind >= lost + gained + 0.05))
            answers = [[pool[int(hit)][place] for place, hit in enumerate(hits)] for hits in (before, after)]
            outcomes = [np.stack([hits, np.ones(count)], axis=1) for hits in (before, after)]
            found.append(_judge_drop("text-classification", "accuracy", answers, outcomes, truth))
        setting = f"{count:,} examples, {100 * lost:g} % lost, {100 * gained:g} % gained"
        yield Rates("drop of accuracy", setting, studies, *_means(found))


def entity_f1s(studies: int) -> Iterator[Rates]:
    """Sentences from a large population in which losses occur in bunches. F1 is a ratio of sums over sentences."""
    draw = np.random.default_rng(1)
    for count, entities, recall, loss in ((1_300, 0.85, 0.5, 0.04), (500, 2.0, 0.8, 0.02)):
        population = [_sentence(draw, entities, recall, loss) for _ in range(20_000)]
        rows = [[row[side] for row in population] for side in (0, 1)]
        totals = [np.asarray([row[2 + side] for row in population], dtype=np.float64) for side in (0, 1)]
        truth = statistics.share_of(totals[0]) - statistics.share_of(totals[1])
        found = []
        for _ in range(studies):
            chosen = draw.integers(0, len(population), count)
            answers = [[side[place] for place in chosen] for side in rows]
            outcomes = [side[chosen] for side in totals]
            found.append(_judge_drop("token-classification", "entity_f1", answers, outcomes, truth))
        setting = f"{count:,} sentences of {entities:g} entities, F1 falls by {100 * truth:.1f} points"
        yield Rates("drop of entity F1", setting, studies, *_means(found))


def _sentence(draw: Random, entities: float, recall: float, loss: float) -> tuple[Any, ...]:
    """Teacher's and package's row, then their (true positive, predicted, actual), for one sentence.

    Every other word is an entity. A wrong prediction is an entity of the wrong type, or one after the last entity.
    """
    actual = int(draw.poisson(entities))
    right = draw.random(actual) < recall
    invented = int(draw.poisson(0.3 * entities))
    kept = draw.random(actual) < np.where(right, 1 - draw.beta(0.5, 0.5 / loss - 0.5), 0.02)
    reference = ("B-x", "O") * actual + ("O", "O") * (invented + 1)
    sides = []
    for hits, more in ((right, invented), (kept, int(draw.binomial(invented, 0.95) + draw.poisson(0.02 * entities)))):
        extra = min(more, invented + 1)
        label = [word for hit in hits for word in ("B-x" if hit else "O", "O")]
        label += ["B-x", "O"] * extra + ["O", "O"] * (invented + 1 - extra)
        row = PredictionRow(row=0, reference=reference, label=tuple(label), score=0.9)
        sides.append((row, (int(hits.sum()), int(hits.sum()) + extra, actual)))
    return sides[0][0], sides[1][0], sides[0][1], sides[1][1]


def _judge_drop(
    task: str, metric: str, answers: Sequence[Sequence[PredictionRow]], outcomes: Sequence[Any], truth: float
) -> tuple[bool, bool, bool]:
    """Whether the gate passes it, whether its bound holds, and whether the two-sided interval contains the truth."""
    teacher, own = (
        AccuracyEvidence(
            payload=name, data="d", machine=MACHINE, runtime=RUNTIME, exact=True, metrics={}, rows=tuple(rows)
        )
        for name, rows in zip("tp", answers, strict=True)
    )
    targets = Targets(max_drop={metric: 100 * truth})
    judged = gate(_payload(task), [own], [teacher], PROFILE, targets).target_verdicts[0]
    interval = statistics.drop_interval(*outcomes)
    assert judged.bound is not None and interval.low is not None and interval.high is not None
    covered = interval.low <= truth <= interval.high
    return judged.status is Status.PASS, judged.bound >= 100 * truth, covered


# Latency


def latencies(studies: int) -> Iterator[Rates]:
    """Independent or dependent calls, equal or different launches. p50, p95 and speed-up use the same evidence."""
    settings: list[dict[str, Any]] = [{"rho": rho, "between": between} for rho in (0.0, 0.6) for between in (0.0, 0.1)]
    settings += [{"rho": 0.6, "between": 0.1, "launches": 20}, {"rho": 0.6, "between": 0.03, "stragglers": STRAGGLERS}]
    for number, setting in enumerate(settings):
        draw, stragglers = np.random.default_rng(100 + number), setting.get("stragglers", 0.0)
        spread = hypot(WITHIN, setting["between"])
        truths = {share: _true_percentile(share, spread, stragglers) for share in (0.5, 0.95)}
        found = [_judge_latency(draw, truths, **setting) for _ in range(TIMES_LATENCY * studies)]
        words = (
            f"{setting.get('launches', 7):g} launches of 200 calls, autocorrelation {setting['rho']:g}, "
            f"launches differ by {100 * setting['between']:g} %"
            + (f", {100 * stragglers:g} % stragglers" if stragglers else "")
        )
        for place, figure in enumerate(("latency p50", "latency p95", "speed-up")):
            yield Rates(figure, words, len(found), *_means([row[place] for row in found]))


def _judge_latency(
    draw: Random, truths: dict[float, float], rho: float, between: float, launches: int = 7, stragglers: float = 0.0
) -> list[tuple[bool, bool, bool]]:
    """For p50, p95 and speed-up: PASS, the bound holds, the two-sided interval contains the truth."""
    make = partial(_calls, draw, launches, rho, stragglers)
    slow_launch = between * draw.standard_normal((launches, 1))
    # a slow launch slows payload and baseline equally, except for up to a tenth of the slowdown
    own = np.exp(make() + slow_launch)
    base = 3 * np.exp(make() + slow_launch + 0.1 * between * draw.standard_normal((launches, 1)))
    record = LatencyEvidence(
        payload="p",
        baseline="t",
        data="d",
        machine=MACHINE,
        runtime=RUNTIME,
        launches=tuple(
            Launch(
                load_ms=1,
                first_ms=1,
                warmup_calls=40,
                end_to_end_ms=tuple(quick.tolist()),
                engine_ms=tuple(quick.tolist()),
                tokens=(8,) * len(quick),
                baseline_engine_ms=tuple(slow.tolist()),
            )
            for quick, slow in zip(own, base, strict=True)
        ),
    )
    targets = Targets.model_validate({"latency_ms": {"p50": truths[0.5], "p95": truths[0.95]}, "min_speedup": 3.0})
    judged = gate(_payload("text-classification"), [record], [], PROFILE, targets).target_verdicts
    intervals = [*(statistics.launch_percentile(own, share) for share in truths), statistics.ratio_interval(base, own)]
    rows = []
    for item, interval, truth in zip(judged, intervals, (*truths.values(), 3.0), strict=True):
        assert item.bound is not None and interval.low is not None and interval.high is not None
        held = item.bound <= truth if item.at_least else item.bound >= truth
        rows.append((item.status is Status.PASS, held, interval.low <= truth <= interval.high))
    return rows


def one_launch(studies: int) -> Iterator[Rates]:
    """A single long launch, as in a sustained run. It is never judged, but shown with an interval."""
    for rho in (0.0, 0.6):
        draw = np.random.default_rng(int(10 * rho))
        for share in (0.5, 0.95):
            truth, covered = _true_percentile(share, WITHIN, 0.0), []
            for _ in range(studies):
                interval = statistics.launch_percentile(np.exp(_calls(draw, 1, rho, 0.0, 1_000)), share)
                assert interval.low is not None and interval.high is not None
                covered.append(interval.low <= truth <= interval.high)
            yield Rates(
                f"latency p{100 * share:g}",
                f"one launch of 1,000 calls, autocorrelation {rho:g}",
                studies,
                None,
                None,
                float(np.mean(covered)),
            )


def _calls(draw: Random, launches: int, rho: float, stragglers: float, calls: int = 200) -> Any:
    """Logarithms of times, shape [launches, calls]: one AR(1) series per launch, with some calls twice as slow."""
    noise = draw.standard_normal((launches, calls))
    noise[:, 1:] *= sqrt(1 - rho**2)
    steps = signal.lfilter([1.0], [1.0, -rho], noise, axis=1)
    return WITHIN * steps + STRAGGLER * (draw.random((launches, calls)) < stragglers)


def _true_percentile(share: float, spread: float, stragglers: float) -> float:
    """The percentile of the mixture of two log-normal distributions."""

    def missing(place: float) -> float:
        usual, late = stats.norm.cdf([place / spread, (place - STRAGGLER) / spread])
        return float((1 - stragglers) * usual + stragglers * late - share)

    return float(np.exp(optimize.brentq(missing, -5, 5, xtol=1e-12)))


# For all parts


def _means(found: Sequence[tuple[bool, bool, bool]]) -> tuple[float, float, float]:
    passed, held, covered = np.mean(np.asarray(found, dtype=np.float64), axis=0)
    return float(passed), float(held), float(covered)


def _payload(task: str) -> Payload:
    """A package that was never built. The gate reads only its task and its size."""
    labels = ("a", "b") if task == "text-classification" else ("O", "B-x")
    head = tasks.get(task).spec_for(labels)
    tensor = TensorEntry(name="logits", dtype="float32", shape=("batch", *["length"] * head.per_token, 2))
    known = {"inputs": (), "outputs": (tensor,), "opset": 17, "scheme": Scheme(), "layers": ()}
    graph = GraphEntry(name="main", format="onnx", file="model.onnx", **known)
    manifest = Manifest(
        name="simulated",
        graphs=(graph,),
        heads=(HeadEntry(**head.model_dump(), graph="main"),),
        tokenizer=TokenizerEntry(max_length=128),
        golden=GoldenEntry(count=0, tolerance=0.1),
        requires=Requirements(engines={"onnxruntime": "1.23"}),
        lineage=Lineage(base_model="m", data="d", steps=(), tools={}),
        files=(),
    )
    return Payload(Path("simulated.eptf"), manifest, "p", 1)


# A/A


def false_wins(package: Path, texts: Sequence[Text], count: int) -> dict[str, Any]:
    """Compares the package with itself, `count` times, as `edge-ptf bench --against` does."""
    payload, ratios, wins, apart = open_payload(package), [], 0, 0
    with open_device("local") as device:
        for number in range(count):
            config = BenchConfig(launches=5, calls=100, seconds=0, seed=number)
            found = compare_latency(payload, payload, texts, config, device=device)
            engine = next(contest for contest in found.contests if contest.figure == "engine_ms")
            assert engine.low is not None and engine.high is not None
            ratios.append(engine.ratio)
            wins += engine.faster is not None
            apart += not engine.low <= 1 <= engine.high
            print(f"\r{number + 1} of {count}, {wins} false wins", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    most = NOMINAL + two_errors(count)
    return {
        "package": payload.digest,
        "machine": this_machine().cpu,
        "comparisons": count,
        "false_wins": wins,
        "rate": wins / count,
        "intervals_without_1": apart,
        "largest_ratio": round(float(np.exp(np.max(np.abs(np.log(ratios))))), 4),
        "holds": wins / count <= most,
    }


def _texts(package: Path) -> list[Text]:
    """The package's own golden texts, as they are only timed. The longest are omitted, to save time."""
    payload = open_payload(package)
    cases = golden_cases(payload.read(payload.manifest.golden.file))
    return [(case.text, None) for case in cases if len(case.input_ids) <= 32]


# Command line

PARTS: dict[str, Callable[[int], Iterator[Rates]]] = {
    "accuracy": accuracies,
    "entity-f1": entity_f1s,
    "latency": latencies,
    "one-launch": one_launch,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--studies", type=int, default=1_000, help="simulated studies of each kind; three times as many for latency"
    )
    parser.add_argument("--part", choices=list(PARTS), action="append", help="simulate only this part; repeatable")
    parser.add_argument("--aa", type=int, metavar="COUNT", help="run A/A comparisons instead of the simulation")
    parser.add_argument("--package", type=Path, help="the package that is compared with itself")
    asked = parser.parse_args()
    if asked.aa and asked.package is None:
        parser.error("--aa needs --package")
    if asked.aa:
        found = false_wins(asked.package, _texts(asked.package), asked.aa)
        print(f"{found['false_wins']} false wins in {asked.aa} A/A comparisons ({100 * found['rate']:.1f} %)")
        _write({"aa": found})
        return 0 if found["holds"] else 1
    print(f"{'figure':<19} {'setting':<84} wrong PASS   bound  interval")
    simulated = {part: [_shown(rates) for rates in PARTS[part](asked.studies)] for part in asked.part or PARTS}
    _write(simulated)
    return 0 if all(row["holds"] for rows in simulated.values() for row in rows) else 1


def _shown(rates: Rates) -> dict[str, Any]:
    problems = rates.problems
    shares = ("–" if share is None else f"{100 * share:.1f} %" for share in rates.shares)
    line = "".join(f"  {share:>{width}}" for share, width in zip(shares, (9, 6, 8), strict=True))
    print(f"{rates.figure:<19} {rates.setting:<84}{line}  {', '.join(problems)}".rstrip(), flush=True)
    return {**asdict(rates), "holds": not problems}


def _write(figures: dict[str, Any]) -> None:
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    RESULTS.write_text(json.dumps({**results, **figures}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
