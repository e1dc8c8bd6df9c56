"""`gate` and `seal`: the verdict about a package."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

from edge_ptf import profiles, tasks
from edge_ptf.api.arguments import KEYWORDS, path_of, public_with
from edge_ptf.api.inputs import needed_profile
from edge_ptf.api.jobs import OPTIONS, given_settings
from edge_ptf.api.parameters import PathText, Setting
from edge_ptf.api.results import JudgeResult, StageResult
from edge_ptf.api.settings import Settings
from edge_ptf.bench import load_accuracy, load_bench
from edge_ptf.config import Source
from edge_ptf.errors import BadInputError
from edge_ptf.gate import gate as verdict_about
from edge_ptf.package import Payload, open_payload
from edge_ptf.package import seal as sealed_with
from edge_ptf.package.evidence import (
    AccuracyEvidence,
    Evidence,
    LatencyEvidence,
    MemoryEvidence,
    Verdict,
    with_earlier,
)
from edge_ptf.package.samples import samples_file
from edge_ptf.package.sealing import with_samples_inside, without_samples_inside
from edge_ptf.profiles import Profile
from edge_ptf.recipe import resolve_recipe

Record: TypeAlias = PathText | StageResult | AccuracyEvidence | LatencyEvidence | MemoryEvidence
"""One piece of evidence: a directory that evaluate or bench wrote, what they returned, or the record itself."""


@public_with(OPTIONS)
def gate(
    package: PathText | Payload | StageResult,
    *,
    profile: PathText | Profile | None = None,
    evidence: Sequence[Record] | Record = (),
    set: Setting | None = None,
    config: PathText | None = None,
    **options: Any,
) -> JudgeResult:
    """Judges a package against a profile's targets.

    Args:
        package: a `.eptf` file, an open package, or what `assemble` returned.
        profile: a shipped name, a YAML file, "host", or an open profile. [default: the one that the
            package was made for]
        evidence: directories that `evaluate` or `bench` wrote, or what they returned. The evidence inside a sealed
            package is read anyway.
        set: any option of the recipe: `{"targets.min_speedup": 4}`.
        config: project file. [default: edge-ptf.yaml where it exists]
        options: targets, such as `max_drop={"accuracy": 1}`.

    Returns:
        The verdict with each target; `result.status` is PASS, FAIL, UNPROVEN, or None where no target is set.

    Raises:
        BadInputError: nothing has been measured about the package.
        ArgumentError: an argument is unknown or has a wrong value.

    Example:
        >>> print(edge_ptf.gate("work/package.eptf", profile="host", evidence="work/accuracy", package_mb=50))
        Verdict: ... on ...: ... targets proven...
        work/package.eptf
    """
    payload, records, chosen = _judged(package, profile, evidence, set, config, options)
    return JudgeResult(judged(payload, records, chosen), tuple(records), payload.path)


@public_with(OPTIONS)
def seal(
    package: PathText | Payload | StageResult,
    *,
    out: PathText,
    profile: PathText | Profile | None = None,
    evidence: Sequence[Record] | Record = (),
    with_samples: bool = False,
    set: Setting | None = None,
    config: PathText | None = None,
    **options: Any,
) -> JudgeResult:
    """Judges a package and writes a new file with the verdict inside. The payload stays byte for byte.

    The evidence with every sample is written to NAME.samples.zip beside the file, which holds its digest.

    Args:
        package: a `.eptf` file, an open package, or what `assemble` returned.
        out: the new package file.
        profile: a shipped name, a YAML file, "host", or an open profile. [default: the one that the
            package was made for]
        evidence: directories that `evaluate` or `bench` wrote, or what they returned.
        with_samples: put every sample into the package, and count them in its size.
        set: any option of the recipe: `{"targets.min_speedup": 4}`.
        config: project file. [default: edge-ptf.yaml where it exists]
        options: targets, such as `max_drop={"accuracy": 1}`.

    Raises:
        BadInputError: nothing has been measured about the package, or `out` is the package itself.
        ArgumentError: an argument is unknown or has a wrong value.

    Example:
        >>> print(edge_ptf.seal("work/package.eptf", profile="host", evidence="work/accuracy", out="work/new.eptf"))
        Verdict: ... on ...
        work/new.eptf: payload ...
    """
    payload, records, chosen = _judged(package, profile, evidence, set, config, options)
    file = path_of("out", out)
    check_other_file(payload.path, file, "out")
    verdict, sealed = judge_and_seal(payload, records, chosen, file, with_samples=with_samples)
    return JudgeResult(verdict, tuple(records), payload.path, sealed)


def check_other_file(package: Path, file: Path, option: str) -> None:
    """A sealed package is a new file.

    Raises:
        BadInputError: it is the package that it is made from.
    """
    if file.exists() and file.resolve() == package.resolve():
        raise BadInputError(f"{file}: would replace the package it is made from", hint=f"Choose another {option}")


def gathered(payload: Payload, evidence: Sequence[Record]) -> list[Evidence]:
    """The evidence that is given, and what a sealed package holds.

    Raises:
        BadInputError: there is none.
    """
    found = with_earlier([record for each in evidence for record in _records(each)], payload.evidence())
    if not found:
        raise BadInputError(
            f"{payload.path}: nothing has been measured about it",
            hint="Run `edge-ptf evaluate` and `edge-ptf bench`, and give their directories with --evidence",
        )
    return found


def judged(payload: Payload, evidence: list[Evidence], chosen: Settings) -> Verdict:
    """The verdict against the profile and targets of the settings."""
    baseline = [
        record for record in evidence if isinstance(record, AccuracyEvidence) and record.payload != payload.digest
    ]
    if len({record.payload for record in baseline}) > 1:
        baseline = _teacher(payload, evidence, baseline)
    profile = made_for(payload, chosen)
    targets = resolve_recipe(profile, tasks.get(payload.manifest.head.task), chosen.sources).targets
    return verdict_about(payload, evidence, baseline, profile, targets)


def made_for(payload: Payload, chosen: Settings) -> Profile:
    """The profile that is named; else the one that the package was made for, or was sealed against.

    Raises:
        BadInputError: none is known, or it is not a shipped one.
    """
    verdict = payload.verdict()
    name = payload.manifest.profile or (verdict.profile if verdict else None)
    if chosen.get("profile") or not name:
        return needed_profile(chosen)
    if name not in profiles.names():
        raise BadInputError(
            f"{payload.path}: was made for the profile '{name}', which is not a shipped one",
            hint=f"Give its file: {chosen.option('profile')}{'' if chosen.caller == KEYWORDS else ' '}FILE.yaml",
        )
    return profiles.load(name)


def judge_and_seal(
    payload: Payload, evidence: list[Evidence], chosen: Settings, file: Path, *, with_samples: bool
) -> tuple[Verdict, Payload]:
    """Judges the file that is to ship, and writes it.

    Args:
        with_samples: put the samples of the evidence inside. Otherwise they are written beside the file.
    """
    ships = with_samples_inside(payload, evidence) if with_samples else without_samples_inside(payload)
    verdict = judged(ships, evidence, chosen)
    return verdict, sealed_with(ships, evidence, verdict, file, with_samples=with_samples)


def sealed_lines(file: Path, sealed: Payload, *, with_samples: bool) -> list[str]:
    """What was written where."""
    lines = [f"{file}: payload {sealed.digest[:12]}"]
    return lines if with_samples else [*lines, f"{samples_file(file)}: its samples; keep it beside the package"]


def _judged(
    package: Any, profile: Any, evidence: Any, settings: Any, config: Any, options: dict[str, Any]
) -> tuple[Payload, list[Evidence], Settings]:
    """The open package, its evidence, and the settings of a call from Python."""
    chosen, own = given_settings({"profile": profile}, config, settings, options)
    chosen.sources.append(Source(chosen.caller, own))
    given = getattr(package, "artifact", package)
    payload = given if isinstance(given, Payload) else open_payload(path_of("package", given, exists=True))
    several = evidence if isinstance(evidence, list | tuple) else [evidence]
    return payload, gathered(payload, several), chosen


def _teacher(payload: Payload, evidence: list[Evidence], others: list[AccuracyEvidence]) -> list[AccuracyEvidence]:
    """Of several other packages that were evaluated the one that this one was timed beside."""
    timed = {getattr(record, "baseline", None) for record in evidence if record.payload == payload.digest}
    found = [record for record in others if record.payload in timed]
    if len({record.payload for record in found}) != 1:
        digests = ", ".join(sorted({record.payload[:12] for record in others}))
        raise BadInputError(
            f"{payload.path}: any of {digests} could be its teacher, and the evidence does not say which",
            hint="Give --evidence of one of them, or of a bench beside it",
        )
    return found


def _records(given: Record) -> list[Evidence]:
    """The records of one directory, result or record."""
    artifact = given.artifact if isinstance(given, StageResult) else given
    several = artifact if isinstance(artifact, tuple) else (artifact,)
    if all(isinstance(each, AccuracyEvidence | LatencyEvidence | MemoryEvidence) for each in several):
        return list(several)
    folder = path_of("evidence", artifact, exists=True)
    if (folder / "accuracy.json").exists():
        return [load_accuracy(folder)]
    return list(load_bench(folder))
