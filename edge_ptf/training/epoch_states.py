"""The state of an interrupted training, from which a later run resumes; it is used only if it is as it was written."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_ptf.digests import changed_file, file_digest, file_digests, signed, unsigned
from edge_ptf.progress import Progress, say

FILE = "whole.json"


@dataclass(frozen=True, slots=True)
class EpochState:
    """What the last whole epoch left.

    checkpoint: the folder that `transformers.Trainer` resumes from; None: training begins anew.
    history: the validation score of each epoch.
    """

    checkpoint: Path | None = None
    history: tuple[float, ...] = ()


def kept_file(folder: Path, epoch: int) -> Path:
    """The weights of an epoch that may be the best."""
    return folder / f"kept-{epoch}.safetensors"


def write_state(folder: Path, checkpoint: str, history: Sequence[float], kept_epoch: int) -> None:
    """Marks an epoch as whole, with the sha256 of its files; weights of other epochs than `kept_epoch` are removed."""
    kept = kept_file(folder, kept_epoch)
    files = {f"{checkpoint}/{name}": digest for name, digest in file_digests(folder / checkpoint).items()}
    files[kept.name] = file_digest(kept)
    draft = folder / f"{FILE}.draft"
    draft.write_text(signed({"checkpoint": checkpoint, "history": list(history), "files": files}), encoding="utf-8")
    draft.replace(folder / FILE)
    for other in folder.glob("kept-*.safetensors"):
        if other != kept:
            other.unlink()


def read_state(folder: Path, progress: Progress) -> EpochState:
    """The last epoch that was written to its end; what came after it is removed.

    A damaged state is removed too, and `progress` reports it.
    """
    found, wrong = EpochState(), ""
    try:
        document = unsigned((folder / FILE).read_text(encoding="utf-8"))
        wrong = changed_file(folder, document["files"])
        found = EpochState(folder / document["checkpoint"], tuple(document["history"]))
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError):
        wrong = FILE
    if wrong:
        say(progress, f"{folder / wrong}: damaged; the training begins anew")
        (folder / FILE).unlink(missing_ok=True)
        found = EpochState()
    for path in folder.glob("checkpoint-*"):
        if path != found.checkpoint:
            shutil.rmtree(path)
    return found
