"""Compares two packages on one device: launches of A and B alternate with launches of A and A in the same session."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from edge_ptf.bench import validity
from edge_ptf.bench.comparison import faster, noise_floor, paired_ratio, ratio_estimate
from edge_ptf.bench.devices import Device
from edge_ptf.bench.latency import BenchConfig, entered, runtime_info
from edge_ptf.bench.launching import Text, Workload, bring_package, program_for, texts_file
from edge_ptf.config import StrictModel
from edge_ptf.digests import canonical_json
from edge_ptf.errors import PackageError
from edge_ptf.machine import Machine
from edge_ptf.package.evidence import RuntimeInfo
from edge_ptf.package.payload import Payload
from edge_ptf.progress import SILENT, Progress
from edge_ptf.runtime.record import LaunchRecord

FILE = "comparison.json"
Figure = Literal["end_to_end_ms", "engine_ms"]


class Contest(StrictModel):
    """One figure of both packages. A ratio is how many times as long B takes as A."""

    figure: Figure
    ratio: float
    low: float | None = Field(description="Limits of the 95 % interval.")
    high: float | None
    floor: float | None = Field(description="Noise floor: a ratio between its inverse and this value is noise.")
    faster: Literal["a", "b"] | None = Field(description="The faster package; None if the difference is not shown.")
    ratios: tuple[float, ...] = Field(description="One ratio for each launch of A and B.")
    own_ratios: tuple[float, ...] = Field(description="One ratio for each launch of A and A.")


class Comparison(StrictModel):
    """Two packages compared in one session on one device."""

    a: str = Field(description="Payload digest.")
    b: str
    device: str
    machine: Machine
    runtime: RuntimeInfo
    contests: tuple[Contest, ...]
    flags: tuple[str, ...] = Field((), description="Reasons why these figures do not count.")
    warnings: tuple[str, ...] = ()


def compare_latency(
    a: Payload,
    b: Payload,
    texts: Sequence[Text],
    config: BenchConfig,
    out: Path | None = None,
    progress: Progress = SILENT,
    device: Device | None = None,
) -> Comparison:
    """Finds the faster of two packages and the ratio. A difference counts only beyond the session's noise floor.

    Args:
        texts: the texts that both packages answer.
        config: as for `bench`. `launches` launches of A and B alternate with as many launches of A and A.
        out: the directory for `comparison.json`; None: no file.
        device: an open device; None: this machine.
    """
    with entered(device, progress) as place, texts_file(texts) as file:
        program = program_for(place, config.runtime, [a, b])
        first, second = bring_package(place, a), bring_package(place, b)
        workload = Workload(place.put(file), config.pace, config.mode, config.threads)
        progress.start("Compare", 2 * config.launches)
        together, alone = list[LaunchRecord](), list[LaunchRecord]()
        for number in range(config.launches):
            turns = ((second, together), (first, alone))
            for baseline, records in turns if number % 2 == 0 else reversed(turns):
                records.append(program.launch(first, workload, config.launch_seed(number), baseline=baseline))
                progress.advance()
        progress.finish()
        machine = place.facts()
    flags, warnings = validity.judge(together, machine)
    found = Comparison(
        a=a.digest,
        b=b.digest,
        device=place.name,
        machine=machine,
        runtime=runtime_info(together[0]),
        contests=tuple(contest(figure, together, alone) for figure in ("end_to_end_ms", "engine_ms")),
        flags=tuple(flags),
        warnings=tuple(warnings),
    )
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / FILE).write_bytes(canonical_json(found.model_dump(mode="json")))
    return found


def contest(figure: Figure, together: Sequence[LaunchRecord], alone: Sequence[LaunchRecord]) -> Contest:
    """Computes the comparison of one figure.

    Args:
        together: launches of A with B as the baseline.
        alone: launches of A with A as the baseline.
    """
    ratios, own = _ratios(figure, together), _ratios(figure, alone)
    estimate, floor = ratio_estimate(ratios), noise_floor(own)
    return Contest(
        figure=figure,
        ratio=estimate.value,
        low=estimate.low,
        high=estimate.high,
        floor=floor,
        faster=(None, "a", "b")[faster(estimate, floor)],
        ratios=tuple(ratios),
        own_ratios=tuple(own),
    )


def load_comparison(folder: Path) -> Comparison:
    """Reads the comparison that `compare_latency` wrote."""
    try:
        return Comparison.model_validate_json((folder / FILE).read_bytes())
    except ValidationError as error:
        raise PackageError(f"{folder / FILE}: damaged ({error.errors()[0]['msg']})") from None
    except FileNotFoundError:
        raise PackageError(f"{folder}: no {FILE}", hint="Give a directory that `bench --against` wrote") from None


def _ratios(figure: Figure, records: Sequence[LaunchRecord]) -> list[float]:
    return [
        paired_ratio(
            validity.block_medians(getattr(record, figure)), validity.block_medians(getattr(record.baseline, figure))
        )
        for record in records
    ]
