"""`build_engine`: TensorRT engines of a package."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

from edge_ptf.api.arguments import ArgumentError, kind_of, path_of, public

if TYPE_CHECKING:
    from edge_ptf.api.results import EnginesResult


@public
def build_engine(
    package: str | PathLike[str],
    *,
    out: str | PathLike[str],
    compute_capability: int | Sequence[int] = (),
    lengths: int | Sequence[int] = (),
) -> EnginesResult:
    """Builds a TensorRT engine of each graph in a package, with the TensorRT that is installed.

    Args:
        package: a `.eptf` file or its unpacked directory.
        out: directory for the engines. What is there already and is current is kept.
        compute_capability: GPUs to build for without having them, 86 for 8.6, with TensorRT-RTX.
            [default: the GPU of this machine]
        lengths: longest text of each optimisation profile, in tokens. [default: 8, 16, 32, 64, 128; one profile for
            TensorRT-RTX]

    Raises:
        PackageError: it is no readable package, or TensorRT cannot build from a graph.
        VerificationError: an engine answers a golden text otherwise than the package.
        EnvironmentFault: there is no TensorRT, or no GPU where one is needed.
        BadInputError: the library does not build for a compute capability.

    Example:
        >>> print(edge_ptf.build_engine("work/baseline.eptf", out="work/engines", compute_capability=86))
        work/engines/main.sm86.engine: ... with tensorrt-rtx ... for compute capability 8.6, ... MB
        Golden vectors: not run: ...
    """
    from edge_ptf.api.results import EnginesResult
    from edge_ptf.package import open_payload
    from edge_ptf.package.engine_files import build_engines

    file, folder = path_of("package", package), path_of("out", out)
    numbers = _numbers("compute_capability", compute_capability), _numbers("lengths", lengths)
    return EnginesResult(folder, build_engines(open_payload(file), folder, *numbers))


def _numbers(name: str, value: Any) -> tuple[int, ...]:
    """One whole number or several."""
    several = tuple(value) if isinstance(value, list | tuple) else (value,)
    for each in several:
        if type(each) is not int or each < 1:
            raise ArgumentError(f"{name}: takes whole numbers, not {kind_of(each)}", hint="For example [86, 89]")
    return several
