"""Computes a verdict from targets and evidence. Pure functions: they read, write and measure nothing.

- PASS: the one-sided bound is within the limit.
- FAIL: the value is beyond the limit.
- UNPROVEN: the value is within the limit but the bound is not, or no evidence counts. The verdict of the target then
  has the action that would settle it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from edge_ptf import profiles, statistics, tasks
from edge_ptf.accuracy_gate import AccuracyJudge
from edge_ptf.metrics import Direction
from edge_ptf.package.evidence import (
    AccuracyEvidence,
    Evidence,
    LatencyEvidence,
    MemoryEvidence,
    Status,
    TargetVerdict,
    Verdict,
)
from edge_ptf.package.payload import Payload
from edge_ptf.profiles import Profile, Targets

Kind = TypeVar("Kind", LatencyEvidence, MemoryEvidence)


def gate(
    payload: Payload,
    evidence: Sequence[Evidence],
    baseline: Sequence[AccuracyEvidence],
    profile: Profile,
    targets: Targets,
) -> Verdict:
    """Judges a payload.

    Args:
        evidence: records about this payload. Records about other payloads are ignored.
        baseline: the teacher's answers to the same split.
        targets: the targets to judge. A limit on a metric that the task does not gate is ignored.
    """
    own = [record for record in evidence if record.payload == payload.digest]
    judge = _Judge(payload, own, profile, beside_teacher=targets.min_speedup is not None)
    accuracies = [record for record in own if isinstance(record, AccuracyEvidence)]
    accuracy = AccuracyJudge(tasks.create(payload.manifest.head), accuracies, baseline, profile.confidence)
    target_verdicts = [
        *accuracy.scores(targets),
        *accuracy.drops(targets),
        *judge.latency(targets),
        *judge.speedup(targets),
        *judge.size(targets),
        *judge.memory(targets),
    ]
    warnings = [*accuracy.cross_validation(), *accuracy.teacher(targets)]
    if target_verdicts:
        warnings += [warning for record in own if isinstance(record, LatencyEvidence) for warning in record.warnings]
    return Verdict(
        payload=payload.digest,
        profile=profile.name,
        confidence=profile.confidence,
        status=_overall(target_verdicts),
        target_verdicts=tuple(target_verdicts),
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _overall(target_verdicts: Sequence[TargetVerdict]) -> Status | None:
    found = {target_verdict.status for target_verdict in target_verdicts}
    return next((status for status in (Status.FAIL, Status.UNPROVEN, Status.PASS) if status in found), None)


class _Judge:
    def __init__(
        self,
        payload: Payload,
        evidence: Sequence[Evidence],
        profile: Profile,
        *,
        beside_teacher: bool,
    ) -> None:
        self.payload = payload
        self.profile = profile
        self.beside_teacher = beside_teacher
        self.confidence = profile.confidence
        self.latencies = [record for record in evidence if isinstance(record, LatencyEvidence)]
        self.memories = [record for record in evidence if isinstance(record, MemoryEvidence)]

    # Latency

    def latency(self, targets: Targets) -> Iterator[TargetVerdict]:
        """End-to-end percentiles."""
        for name, limit, share in (
            ("p50", targets.latency_ms.p50, 0.5),
            ("p95", targets.latency_ms.p95, 0.95),
        ):
            if limit is None:
                continue
            found = TargetVerdict(
                target=f"latency_ms.{name}", title=f"latency, {name}", unit="ms", limit=limit, status=Status.UNPROVEN
            )
            record, reason = self._counting([record for record in self.latencies if not _drifted(record)])
            if record is None and any(_drifted(record) for record in self.latencies):
                reason = "the machine became faster or slower during the measurement"
            if record is None:
                yield found.replace(reason=reason, settle=self._bench())
                continue
            calls = [launch.end_to_end_ms for launch in record.launches]
            value = statistics.percentile([ms for launch in calls for ms in launch], share)
            bound = statistics.launch_percentile_bound(calls, share, self.confidence)
            more = statistics.launches_to_bound(calls, share, limit, self.confidence)
            yield _judged(found, value, bound, self._more_launches("launches", more, "a lower latency"))

    def speedup(self, targets: Targets) -> Iterator[TargetVerdict]:
        """Engine time of the teacher ÷ engine time of the payload, from the same run."""
        if targets.min_speedup is None:
            return
        limit = targets.min_speedup
        found = TargetVerdict(
            target="min_speedup",
            title="speed-up over the teacher",
            unit="×",
            direction=Direction.HIGHER,
            limit=limit,
            status=Status.UNPROVEN,
        )
        record, reason = self._counting([record for record in self.latencies if _beside_baseline(record)])
        if record is None:
            yield found.replace(reason=reason, settle=self._bench())
            return
        slow = [launch.baseline_engine_ms for launch in record.launches]
        quick = [launch.engine_ms for launch in record.launches]
        found = found.measured(*statistics.speedup(slow, quick, self.confidence))
        if found.decided is not Status.UNPROVEN:
            yield found.replace(status=found.decided)
        else:
            ratios = [statistics.speedup([a], [b])[0] for a, b in zip(slow, quick, strict=True)]
            more = statistics.launches_to_decide(ratios, limit, self.confidence)
            settle = self._more_launches("launches", more, "a larger speed-up")
            yield found.replace(reason=f"{len(ratios)} launches are too few to prove it", settle=settle)

    # Size and memory

    def size(self, targets: Targets) -> Iterator[TargetVerdict]:
        """The size of the file that ships. It is a bound that sealing keeps, so the value is the bound."""
        if targets.package_mb is not None:
            value = self.payload.shipped_bytes / 1e6
            found = TargetVerdict(
                target="package_mb",
                title="size of the sealed package",
                unit="MB",
                limit=targets.package_mb,
                status=Status.PASS,
            )
            yield _judged(found, value, value, "")

    def memory(self, targets: Targets) -> Iterator[TargetVerdict]:
        """Peak resident memory. The bound is a prediction for one more launch."""
        if targets.peak_memory_mb is None:
            return
        found = TargetVerdict(
            target="peak_memory_mb",
            title="peak memory",
            unit="MB",
            limit=targets.peak_memory_mb,
            status=Status.UNPROVEN,
        )
        record, reason = self._counting(self.memories)
        if record is None:
            yield found.replace(reason=reason, settle=self._bench())
            return
        peaks = record.peak_memory_mb
        bound = statistics.prediction_upper_bound(peaks, self.confidence)
        more = statistics.values_to_predict(peaks, targets.peak_memory_mb, self.confidence)
        yield _judged(found, max(peaks), bound, self._more_launches("memory-launches", more, "less memory"))

    def _counting(self, records: Sequence[Kind]) -> tuple[Kind | None, str]:
        """The first record that counts for this profile, or the reason why none counts."""
        reason = "not measured"
        for record in records:
            wrong = profiles.mismatches(self.profile, record.machine)
            if wrong:
                reason = f"measured on a machine that is not {self.profile.title}: {wrong[0]}"
            elif record.runtime.threads != (threads := self.payload.manifest.engine.threads):
                reason = f"measured with {record.runtime.threads} threads, but the package runs with {threads}"
            elif record.flags:
                reason = f"the measurement does not count: {record.flags[0]}"
            else:
                return record, ""
        return None, reason

    def _bench(self, *options: str) -> str:
        """The command that measures on a device of the profile, judges and seals: one for all open targets."""
        place = device_option(self.profile)
        if place is None:
            return f"nothing yet: edge-ptf bench does not reach {self.profile.title}"
        known = self.profile.name if self.profile.name in profiles.names() else "PROFILE.yaml"
        baseline = ("--baseline TEACHER.eptf",) if self.beside_teacher else ()
        words = ("edge-ptf bench PACKAGE", *place, "--data DATA", f"--profile {known}", *baseline, *options)
        return f"{' '.join(words)} --seal NEW.eptf (device: {self.profile.title})"

    def _more_launches(self, option: str, count: int | None, otherwise: str) -> str:
        """The command with enough launches. If no number of launches is predicted to be enough, `otherwise`."""
        return self._bench(f"--{option} {count}") if count else otherwise


def device_option(profile: Profile) -> tuple[str, ...] | None:
    """How `edge-ptf bench` reaches a device of the profile; empty: as this machine, None: not at all."""
    system = profile.match.os.lower()
    if system.startswith("android"):
        return ("--device adb",)
    if system.startswith("ios"):
        return None
    on_this_machine = profile.match.arch in ("", "x86_64") and not profile.match.device_model
    return () if on_this_machine else ("--device ssh://USER@HOST",)


def _beside_baseline(record: LatencyEvidence) -> bool:
    return record.baseline is not None and all(launch.baseline_engine_ms for launch in record.launches)


def _drifted(record: LatencyEvidence) -> bool:
    """Drift that affects payload and baseline equally makes milliseconds wrong, but not their ratio."""
    return any(warning.startswith("drift") for warning in record.warnings)


def _judged(found: TargetVerdict, value: float, bound: float | None, settle: str) -> TargetVerdict:
    """Judges a limit by value and bound."""
    found = found.measured(value, bound)
    if found.decided is not Status.UNPROVEN:
        return found.replace(status=found.decided)
    reason = "too few launches or calls for a bound" if bound is None else "the bound is beyond the limit"
    return found.replace(status=Status.UNPROVEN, reason=reason, settle=settle)
