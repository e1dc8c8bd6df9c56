"""Peak resident memory of this process."""

from __future__ import annotations

import sys
from pathlib import Path


def peak_memory_mb() -> float:
    """The peak resident memory in MB (10^6 bytes).

    On Linux it is VmHWM of this program. `getrusage` would also count the parent's memory before this program started.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
