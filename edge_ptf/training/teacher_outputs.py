"""The teacher's answers to every training text, worked out once and kept on disk for all epochs."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from edge_ptf import models
from edge_ptf.digests import changed_file, file_digests, signed, unsigned
from edge_ptf.heads import Head
from edge_ptf.heads.outputs import as_arrays
from edge_ptf.progress import Progress, say
from edge_ptf.training.activation_capture import ActivationCapture
from edge_ptf.training.batching import Item, collate
from edge_ptf.training.device import Precision, device_and_precision, on_gpu
from edge_ptf.training.trainer import by_length

BATCH = 64
JOINED_ROWS = 4096


class Stored:
    """FP16 numbers in a file, a row for each token, read text by text: flat in memory.

    A memory map would be the process's own memory as far as anyone can see, and these files take gigabytes.
    """

    def __init__(self, file: Path, shape: Sequence[int], offsets: NDArray[np.int64]) -> None:
        self.file, self.row, self.offsets = file.open("rb", buffering=0), tuple(shape[1:]), offsets

    def of(self, texts: Sequence[int]) -> NDArray[np.float16]:
        """The rows of some texts, one text after the other: [tokens, *row]."""
        lengths = [int(self.offsets[text + 1] - self.offsets[text]) for text in texts]
        found = np.empty((sum(lengths), *self.row), np.float16)
        size, filled = found.itemsize * int(np.prod(self.row)), 0
        for text, length in zip(texts, lengths, strict=True):
            self.file.seek(size * int(self.offsets[text]))
            if self.file.readinto(found[filled : filled + length].data) != size * length:
                raise OSError(f"{self.file.name} is shorter than it was")
            filled += length
        return found


class TeacherOutputs:
    """Logits (FP32, a memory map), hidden states and projections (FP16, in files): flat in memory.

    `logits` has an array for each part of the head, by the name of its tensor: [texts, classes], or [tokens, classes]
    for a task on tokens. A row of `hidden` is [layers, width], one of `projections` [3, width]: query, key and value of
    the last layer. The tokens of text i are rows offsets[i] to offsets[i + 1].
    """

    def __init__(self, folder: Path) -> None:
        shapes = json.loads((folder / "shapes.json").read_text(encoding="utf-8"))
        self.offsets: NDArray[np.int64] = np.load(folder / "offsets.npy")
        self.logits = {
            name: np.memmap(folder / _file(name), np.float32, "r", shape=tuple(shape))
            for name, shape in shapes["logits"].items()
        }
        self.hidden, self.projections = (
            Stored(folder / f"{name}.bin", shapes[name], self.offsets) if shapes[name][1] else None
            for name in ("hidden", "projections")
        )
        self.per_token = bool(shapes["per_token"])

    def joined(self, others: Sequence[TeacherOutputs], folder: Path, head: Head) -> TeacherOutputs:
        """These outputs with the mean of all logits in place of their own, kept in files of `folder`.

        The mean of logits is the geometric mean of the distributions (Hinton et al. 2015, section 1). Hidden states
        of different models have no common axes, so that those of the first stay. So do the `single_columns` of a head.
        """
        folder.mkdir(parents=True, exist_ok=True)
        joined, means = copy(self), {}
        single = {part.spec.logits.tensor: part.single_columns for part in head.parts}
        for name, own in self.logits.items():
            mean = means[name] = _mapped(folder / _file(name), np.float32, own.shape)
            for begin in range(0, len(mean), JOINED_ROWS):
                rows = slice(begin, begin + JOINED_ROWS)
                mean[rows] = np.mean([outputs.logits[name][rows] for outputs in (self, *others)], axis=0)
                if (columns := single[name]) is not None:
                    mean[rows, columns] = own[rows, columns]
            mean.flush()
        joined.logits = means
        return joined


def _file(tensor: str) -> str:
    """The name of the file of a part's logits."""
    return f"{tensor}.bin"


def _mapped(file: Path, kind: type[np.generic], shape: tuple[int, ...]) -> Any:
    """A new array in a file, whose space is taken at once: a full disk is an error then, and no bus error later."""
    with _allocated(file, kind, shape):
        return np.memmap(file, kind, "r+", shape=shape)


def _allocated(file: Path, kind: type[np.generic], shape: tuple[int, ...]) -> BinaryIO:
    """A new file for such an array, open for writing."""
    size = int(np.prod(shape)) * np.dtype(kind).itemsize
    opened = file.open("wb", buffering=0)
    if size and hasattr(os, "posix_fallocate"):
        os.posix_fallocate(opened.fileno(), 0, size)
    return opened


def _is_finished(folder: Path, progress: Progress) -> bool:
    """Whether an interrupted run has written all outputs and they are unchanged; damaged ones are reported."""
    wrong, whole = "", folder / "shapes.json"
    try:
        wrong = changed_file(folder, unsigned(whole.read_text(encoding="utf-8"))["files"])
    except FileNotFoundError:
        return False
    except (OSError, ValueError, KeyError):
        wrong = whole.name
    if wrong:
        say(progress, f"{folder / wrong}: damaged; the teacher is asked again")
        whole.unlink()
    return not wrong


def compute(
    teacher: Any,
    head: Head,
    items: Sequence[Item],
    layers: Sequence[int],
    inputs: tuple[str, ...],
    pad: int,
    folder: Path,
    progress: Progress,
    precision: Precision = "fp32",
    *,
    projections: bool = False,
) -> TeacherOutputs:
    """Runs the teacher over `items`, or opens what an interrupted run has finished already.

    Args:
        layers: indexes into the teacher's hidden states (0 is the embedding's output).
        precision: as for training; in bf16 a logit differs by some hundredths.
        projections: whether to keep query, key and value of the last layer too.

    Raises:
        CheckpointError: such projections are wanted of a model that has none, or of an unknown family.
    """
    import torch

    if _is_finished(folder, progress):
        return TeacherOutputs(folder)
    folder.mkdir(parents=True, exist_ok=True)
    lengths = [len(item.encoding.input_ids) for item in items]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    width = models.hidden_size(teacher)
    logits_shapes = {
        part.spec.logits.tensor: (int(offsets[-1]) if part.spec.per_token else len(items), len(part.spec.labels))
        for part in head.parts
    }
    teacher = teacher.to("cuda" if on_gpu() else "cpu").eval()
    captured = models.projections(teacher) if projections else ()
    kept = {
        "hidden": (int(offsets[-1]), len(layers), width),
        "projections": (int(offsets[-1]), len(captured), int(captured[0].out_features) if captured else 0),
    }
    shapes = {"logits": logits_shapes, **kept, "per_token": head.spec.per_token}
    logits = {name: _mapped(folder / _file(name), np.float32, shape) for name, shape in logits_shapes.items()}
    files = {name: _allocated(folder / f"{name}.bin", np.float16, shape) for name, shape in kept.items() if shape[1]}
    device = next(teacher.parameters()).device
    quick = device_and_precision(precision)["precision"] == "bf16"
    progress.start("Ask the teacher", len(items))
    with torch.no_grad(), ActivationCapture(captured) as capture:
        for batch in by_length(items, BATCH):
            tensors = collate([items[index] for index in batch], inputs, pad, head)
            feeds = {name: tensors[name].to(device) for name in inputs}
            with torch.autocast(device.type, torch.bfloat16, enabled=quick):
                outputs = teacher(**feeds, output_hidden_states=bool(layers), return_dict=True)
            answers = head.each(as_arrays(outputs.logits))
            inner = {
                "hidden": [outputs.hidden_states[layer].half().cpu().numpy() for layer in layers],
                "projections": [given.half().cpu().numpy() for given in capture.given],
            }
            for place, index in enumerate(batch):
                begin, end = offsets[index], offsets[index + 1]
                for part, answer in answers:
                    rows = slice(begin, end) if part.spec.per_token else index
                    logits[part.spec.logits.tensor][rows] = part.of_text(answer, place, end - begin)
                for name, file in files.items():
                    states = np.stack([state[place][: end - begin] for state in inner[name]], axis=1)
                    file.seek(int(begin) * states[0].nbytes)
                    file.write(states.tobytes())
            progress.advance(len(batch))
    progress.finish()
    for array in logits.values():
        array.flush()
    for file in files.values():
        file.close()
    np.save(folder / "offsets.npy", offsets)
    draft = folder / "shapes.draft"
    draft.write_text(signed({**shapes, "files": file_digests(folder, (draft.name,))}), encoding="utf-8")
    draft.replace(folder / "shapes.json")
    return TeacherOutputs(folder)
