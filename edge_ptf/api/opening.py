"""Opening what lies on the disk: packages and profiles."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING

from edge_ptf.api.arguments import path_of, public

if TYPE_CHECKING:
    from edge_ptf.api.results import VerifyResult
    from edge_ptf.package import Payload
    from edge_ptf.profiles import Profile


@public
def open_package(path: str | PathLike[str]) -> Payload:
    """Opens a package, and checks its structure; neither torch nor transformers is needed.

    Args:
        path: a `.eptf` file or its unpacked directory.

    Raises:
        PackageError: it is no readable package.

    Example:
        >>> edge_ptf.open_package("work/package.eptf").manifest.head.task
        'text-classification'
    """
    from edge_ptf.package.payload import open_payload

    return open_payload(path_of("path", path))


@public
def verify(package: str | PathLike[str], *, threads: int = 1) -> VerifyResult:
    """Checks every checksum of a package, then its golden vectors through its engine.

    Args:
        package: a `.eptf` file or its unpacked directory.
        threads: of one inference.

    Raises:
        PackageError: it is no readable package.
        VerificationError: a file or an answer is not what the manifest says.

    Example:
        >>> print(edge_ptf.verify("work/package.eptf"))
        work/package.eptf: ... files as the manifest says, payload ...
        Golden vectors: ...
    """
    from edge_ptf.api.results import VerifyResult
    from edge_ptf.package import verify as verified

    path = path_of("package", package)
    found = verified(path, threads=threads)
    return VerifyResult(path, found.payload, found.files, found.golden, found.exact)


@public
def load_profile(name: str | PathLike[str]) -> Profile:
    """A hardware profile.

    Args:
        name: a shipped name, a YAML file, or "host" for the shipped profile that fits this machine best.

    Raises:
        ProfileError: there is no such profile.
        ConfigError: the file is not valid; lists every wrong field with its line.

    Example:
        >>> edge_ptf.load_profile("raspberry-pi-5").confidence
        0.95
    """
    from edge_ptf import profiles

    return profiles.load(str(path_of("name", name)))
