"""Folders that others made: a file of such a folder is read only if it lies in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edge_ptf.errors import BadInputError

CACHED_REPOSITORY = ("models--", "datasets--")
"""How the hub's cache begins the name of a repository's folder; the files of a snapshot there are links into it."""


def root_of(folder: Path) -> Path:
    """The real path that the files of `folder` must lie below: the folder, or its repository in the hub's cache."""
    path = folder.absolute()
    for inner in (path, path.parent):  # a model may lie in a folder of its own in a snapshot
        repository = inner.parent.parent
        if inner.parent.name == "snapshots" and repository.name.startswith(CACHED_REPOSITORY):
            return repository.resolve()
    return path.resolve()


def check_links(folder: Path) -> None:
    """Refuses a folder with a symbolic link that leads out of it.

    Raises:
        BadInputError: names the link and where it leads.
    """
    root = root_of(folder)
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() and not path.resolve().is_relative_to(root):
            raise BadInputError(
                f"{path}: a link that leads out of the folder, to {path.resolve()}",
                hint="Put a copy of the file into the folder, in place of the link",
            )


def check_name(folder: Path, name: Any, named_by: Path) -> Path:
    """The file or folder of `folder` that a file in it names.

    Args:
        name: what is written there; only the name of something directly in `folder` is allowed.
        named_by: the file that says so, for the message.

    Raises:
        BadInputError: it is no plain name, or nothing of that name lies in the folder.
    """
    if not isinstance(name, str) or name in ("", ".", "..") or Path(name).name != name or "\\" in name or "\0" in name:
        raise BadInputError(
            f"{named_by}: names {name!r}, which is not in its folder",
            hint="Only names of files in the same folder are allowed there; save the model or the data again",
        )
    found = folder / name
    if not found.resolve().is_relative_to(root_of(folder)):
        raise BadInputError(f"{found}: leads out of the folder", hint="Put a copy of the file into the folder")
    if not found.exists():
        raise BadInputError(
            f"{named_by}: names {name!r}, which is not there", hint="Download it again; is it complete?"
        )
    return found


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        BadInputError: it is not readable, or no object.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInputError(f"{path}: not readable JSON ({error})", hint="Download or save it again") from None
    if not isinstance(found, dict):
        raise BadInputError(f"{path}: not a JSON object", hint="Download or save it again")
    return found
