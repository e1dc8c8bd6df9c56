"""Decides whether a latency measurement counts, from the facts that its launches recorded. No other module does
this.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edge_ptf import statistics
from edge_ptf.environment import Environment
from edge_ptf.machine import Machine
from edge_ptf.runtime.record import LaunchRecord
from edge_ptf.runtime.turns import BLOCK

STEAL_LIMIT = 0.02
"""Largest share of the machine's time that the host may take."""
BACKGROUND_LIMIT = 0.25
"""Largest number of processors that other programs may keep busy."""
FREQUENCY_LIMIT = 0.10
THROTTLED_NOW, THROTTLED_SINCE_BOOT = 0xF, 0xF0000
FULL_POWER = "MAXN"
SLOWED = "without this, calls may be faster than measured"
UNSTEADY = "another run may give other times"
"""The consequences of a condition. Each warning is a fact, a colon and a consequence."""


def judge(records: Sequence[LaunchRecord], machine: Machine) -> tuple[list[str], list[str]]:
    """Returns (flags, warnings): reasons why the figures do not count, and conditions that may affect them.

    Args:
        records: the launches of one measurement, in the order in which they ran.
        machine: the machine that ran them.
    """
    flags = ["emulated processor"] if machine.emulated or any(record.machine.emulated for record in records) else []
    flags += [*_throttling(records), *_slower_clock(records), *_other_mode(records), *_crowded(records, machine)]
    warnings = [*_stolen(records), *_governor(records), *_busy(records, machine), *_board(records), *_pace(records)]
    drifted = statistics.drift([record.engine_ms for record in records])
    if drifted:
        note = f"drift: calls became {drifted.ratio:.2f} times as slow {drifted.where}"
        spoilt = any(record.baseline is None for record in records) or _ratio_drifts(records)
        if spoilt:
            flags.append(note)
        else:
            warnings.append(f"{note}; the latency in milliseconds does not count, but the speed-up does")
    return flags, warnings


def of_texts(origin: str) -> list[str]:
    """The flag of a measurement whose texts are not those of the split that the accuracy is about.

    Args:
        origin: `judged_split` of the data or texts.
    """
    named = {"golden": "the golden texts of the package", "file": "the texts of a file"}
    return [f"{named[origin]} were answered, not the test split; give --data"] if origin in named else []


def _moments(records: Sequence[LaunchRecord]) -> list[Environment]:
    return [moment for record in records for moment in (record.before, record.after)]


def _throttling(records: Sequence[LaunchRecord]) -> Iterator[str]:
    bits = [moment.throttled or 0 for moment in _moments(records)]
    new = [after & ~before & THROTTLED_SINCE_BOOT for before, after in pairwise(bits)]
    if any(each & THROTTLED_NOW for each in bits) or any(new):
        yield "throttled: power or temperature"
    if any((moment.cooling or 0) > 0 for moment in _moments(records)):
        yield "throttled: the system slowed the processor because of its temperature"
    counts = [moment.throttle_count for moment in _moments(records) if moment.throttle_count is not None]
    if counts and counts[-1] > counts[0]:
        yield f"throttled: heat slowed the processor {counts[-1] - counts[0]:.0f} times"


def _slower_clock(records: Sequence[LaunchRecord]) -> Iterator[str]:
    """A busy processor that becomes slower within a launch or between launches. Idle processors may be slow."""
    ends = [max(record.after.frequency_khz) for record in records if record.after.frequency_khz]
    pairs = [
        (max(record.before.frequency_khz), max(record.after.frequency_khz))
        for record in records
        if record.before.frequency_khz and record.after.frequency_khz
    ]
    pairs += [(max(ends), min(ends))] if ends else []
    known = [pair for pair in pairs if pair[0] > 0]
    high, low = min(known, key=lambda pair: pair[1] / pair[0], default=(1.0, 1.0))
    if low < (1 - FREQUENCY_LIMIT) * high:
        yield f"frequency: it fell from {high / 1e6:.2f} to {low / 1e6:.2f} GHz"


def _other_mode(records: Sequence[LaunchRecord]) -> Iterator[str]:
    modes = dict.fromkeys(moment.power_mode for moment in _moments(records))
    if len(modes) > 1:
        yield f"power mode: it changed during the measurement ({', '.join(mode or 'unknown' for mode in modes)})"


def _stolen(records: Sequence[LaunchRecord]) -> Iterator[str]:
    spent, stolen = _elapsed(records, "ticks"), _elapsed(records, "stolen_ticks")
    if spent is None or stolen is None:
        yield f"steal time unknown: the host may have stopped this machine; {SLOWED}"
    elif spent > 0 and stolen / spent > STEAL_LIMIT:
        yield f"the host took {100 * stolen / spent:.0f} % of this machine's time: {SLOWED}"


def _governor(records: Sequence[LaunchRecord]) -> Iterator[str]:
    for governor in dict.fromkeys(moment.governor for moment in _moments(records)):
        if not governor:
            yield f"frequency governor unknown: the clock may have changed; {UNSTEADY}"
        elif governor != "performance":
            yield f"frequency governor is '{governor}', not 'performance': the clock may have changed; {UNSTEADY}"


def _busy(records: Sequence[LaunchRecord], machine: Machine) -> Iterator[str]:
    load = records[0].before.load
    if load is not None and load > machine.cores / 2:
        yield f"load was {load:.1f} on {_cores(machine)} before the first launch: {SLOWED}"
    others = _others(records, machine)
    if BACKGROUND_LIMIT < others <= _spare(records, machine):
        yield f"other programs kept {others:.1f} of {_cores(machine)} busy: {SLOWED}"


def _crowded(records: Sequence[LaunchRecord], machine: Machine) -> Iterator[str]:
    """Programs wait for a processor. Long calls then wait more often than short ones, so the ratio is also wrong."""
    others = _others(records, machine)
    if others > max(BACKGROUND_LIMIT, _spare(records, machine)):
        needed = records[0].threads
        yield f"crowded: other programs kept {others:.1f} of {_cores(machine)} busy, and the package needs {needed}"


def _cores(machine: Machine) -> str:
    return f"{machine.cores} core{'s' if machine.cores != 1 else ''}"


def _spare(records: Sequence[LaunchRecord], machine: Machine) -> float:
    """Number of cores that other programs may use while the package still has all cores that it needs."""
    return machine.cores - records[0].threads + BACKGROUND_LIMIT


def _others(records: Sequence[LaunchRecord], machine: Machine) -> float:
    """Number of cores that other programs kept busy; 0 if unknown."""
    spent, idle, stolen = (_elapsed(records, name) for name in ("ticks", "idle_ticks", "stolen_ticks"))
    if spent is None or idle is None or stolen is None or spent <= 0:
        return 0.0
    rate = records[0].before.ticks_per_second
    own = sum(record.after.process_ms - record.before.process_ms for record in records) / 1000 * rate
    return (spent - idle - stolen - own) / spent * machine.cores


def _board(records: Sequence[LaunchRecord]) -> Iterator[str]:
    last = records[-1].after
    if last.power_mode and not last.power_mode.startswith(FULL_POWER):
        yield f"power mode is {last.power_mode}, not {FULL_POWER}: the times hold for this mode alone"
    if last.power_mode and last.clocks_fixed is False:
        yield f"clocks may change (jetson_clocks fixes them): {UNSTEADY}"


def _pace(records: Sequence[LaunchRecord]) -> Iterator[str]:
    for rate in {record.rate for record in records if record.rate}:
        slow = statistics.percentile([ms for record in records for ms in record.end_to_end_ms], 0.5)
        if slow > 1000 / rate:
            yield f"calls took longer than {rate:g} per second allow: the times are those of a slower rate"


def _elapsed(records: Sequence[LaunchRecord], name: str) -> float | None:
    """The increase of a counter during the launches; None if a launch has no value for it."""
    pairs = [(getattr(record.before, name), getattr(record.after, name)) for record in records]
    if any(before is None or after is None for before, after in pairs):
        return None
    return float(sum(after - before for before, after in pairs))


def _ratio_drifts(records: Sequence[LaunchRecord]) -> bool:
    """Whether the speed-up drifts. A slow phase that affects payload and baseline equally does not change it."""
    ratios = [
        list(block_medians(record.baseline.engine_ms) / block_medians(record.engine_ms))
        for record in records
        if record.baseline
    ]
    return statistics.drift(ratios) is not None


def block_medians(samples: Sequence[float]) -> NDArray[np.float64]:
    """The median of each block of calls, in order. For two packages that alternate, items i belong to the same
    moment.
    """
    count = len(samples) // BLOCK
    medians: NDArray[np.float64] = np.median(np.asarray(samples[: count * BLOCK]).reshape(count, BLOCK), axis=1)
    return medians
