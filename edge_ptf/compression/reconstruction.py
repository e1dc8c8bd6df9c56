"""Refits the output projections after pruning, so that each layer's output is close to its output before.

It needs no labels, no gradients and no epochs: each half of a layer is one linear least-squares problem over a few
thousand texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edge_ptf import models
from edge_ptf.models import LayerParts
from edge_ptf.progress import Progress
from edge_ptf.training.batching import Item, pad_inputs
from edge_ptf.training.trainer import by_length

BATCH = 32
RIDGE = 1e-2
"""Ridge penalty towards the original weights, relative to the mean square of the projection's inputs."""
ROUNDING = 1e-6
"""Targets are stored in FP16. A squared error of this share is their rounding error and counts as zero."""
HELD_OUT = 10
"""One of this many tokens is held out. These tokens show whether a fit generalizes, before the fit of all tokens."""
LARGEST_SCALE = 10.0
"""A layer with a larger change of its scales stays unchanged: its problem is ill-conditioned (Kwon et al. 2022)."""

Half = Literal["attention", "feed_forward"]
HALVES: tuple[Half, ...] = ("attention", "feed_forward")
Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Texts:
    """The texts for the fit, and the model's inputs."""

    items: Sequence[Item]
    inputs: Sequence[str]
    pad: int

    def batches(self) -> Iterator[tuple[dict[str, Any], Any]]:
        """Yields the model's inputs and the mask of real tokens [batch, length]."""
        for batch in by_length(self.items, BATCH):
            texts = [self.items[index] for index in batch]
            tensors = pad_inputs(texts, ("input_ids", "attention_mask", *self.inputs), self.pad)
            yield {name: tensors[name] for name in self.inputs}, tensors["attention_mask"].bool()


def reconstruct(
    student: Any,
    teacher: Any,
    origins: Sequence[int],
    form: Literal["weights", "scales"],
    items: Sequence[Item],
    inputs: Sequence[str],
    pad: int,
    first_token: bool,
    progress: Progress,
) -> list[float]:
    """Refits the output projections of a pruned model in place, from the first layer to the last.

    Each half of a layer adds its output to its input, and a LayerNorm follows. The sum before the LayerNorm is fitted
    to the teacher's sum (least squares). Its input is that of the student with all layers before it refitted, so the
    fit also corrects errors of earlier layers.

    "weights" refits every weight of the projection. "scales" refits one factor for each head and neuron (mask tuning of
    Kwon et al. 2022, folded into the weights). Both refit the bias. If there are too few tokens, so that the error of
    held-out tokens does not fall, only the bias is refitted, or nothing.

    Args:
        origins: for each layer of the student, the index of its layer in the teacher.
        first_token: the answer is read from the first token, so the last layer is fitted for this token only.

    Returns:
        For each half of each layer, the remaining share of the squared error on held-out tokens.
    """
    texts = _Texts(items, inputs, pad)
    wanted = models.parts(teacher)
    parts = models.parts(student)
    targets = _Targets(teacher, [wanted[origin] for origin in origins], texts, first_token, progress)
    left = []
    progress.start("Refit", 2 * len(parts))
    for layer, part in enumerate(parts):
        for half in HALVES:
            left.append(_refit(student, part, half, form, texts, targets.of(layer, half), targets.first_only(layer)))
            progress.advance()
    progress.finish()
    return left


class _Targets:
    """The teacher's sums before each LayerNorm for the fitted tokens, FP16: [tokens, width] per batch."""

    def __init__(
        self, teacher: Any, parts: Sequence[LayerParts], texts: _Texts, first_token: bool, progress: Progress
    ) -> None:
        import torch

        self.layers, self.first_token = len(parts), first_token
        self.found: dict[tuple[int, Half], list[Any]] = {
            (layer, half): [] for layer in range(len(parts)) for half in HALVES
        }
        progress.start("Read the unpruned model", len(texts.items))
        with torch.no_grad():
            for feeds, mask in texts.batches():
                with ExitStack() as hooks:
                    for layer, part in enumerate(parts):
                        for half in HALVES:
                            keep = _keeping(self.found[layer, half], _tokens(mask, self.first_only(layer)))
                            hooks.callback(part.get(_norm(part, half)).register_forward_pre_hook(keep).remove)
                    teacher(**feeds, return_dict=True)
                progress.advance(len(mask))
        progress.finish()

    def of(self, layer: int, half: Half) -> list[Any]:
        return self.found[layer, half]

    def first_only(self, layer: int) -> bool:
        return self.first_token and layer == self.layers - 1


def _keeping(found: list[Any], tokens: Any) -> Any:
    def hook(module: Any, arguments: tuple[Any, ...]) -> None:
        found.append(arguments[0][tokens].half())

    return hook


class _EnoughError(Exception):
    """Stops the forward pass: all needed values are captured."""


def _refit(
    model: Any, part: LayerParts, half: Half, form: str, texts: _Texts, targets: Sequence[Any], first_only: bool
) -> float:
    """Refits one output projection. Returns the remaining share of the squared error on held-out tokens."""
    import torch

    output = part.get(part.family.attention_output if half == "attention" else part.family.feed_forward_output)
    width = getattr(output, "in_features", 0)
    fitted, held = _Sums.empty(width + 1, len(output.bias)), _Sums.empty(width + 1, len(output.bias))
    energy, seen = 0.0, 0
    entered: list[Any] = []
    summed: list[Any] = []
    with ExitStack() as hooks, torch.no_grad():
        hooks.callback(output.register_forward_pre_hook(lambda _, given: entered.append(given[0])).remove)
        hooks.callback(part.get(_norm(part, half)).register_forward_pre_hook(_stopping(summed)).remove)
        for (feeds, mask), target in zip(texts.batches(), targets, strict=True):
            entered.clear()
            summed.clear()
            with suppress(_EnoughError):
                model(**feeds, return_dict=True)
            tokens = _tokens(mask, first_only)
            missing = target.float() - summed[0][tokens]
            ones = torch.ones(len(missing), 1)
            rows = torch.cat([entered[0][tokens][:, :width], ones], dim=1) if width else ones
            aside = torch.arange(seen, seen + len(rows)) % HELD_OUT == HELD_OUT - 1
            seen += len(rows)
            fitted.add(rows[~aside], missing[~aside])
            held.add(rows[aside], missing[aside])
            energy += float(target.double().square().sum())
    everything = fitted.joined(held)
    if everything.error <= ROUNDING * energy:
        return 0.0
    size = part.head_size if half == "attention" else 1
    proof = held if held.error else fitted

    def whole(sums: _Sums) -> Matrix | None:
        return _changes(sums.squares, sums.linear_ops, output, size if form == "scales" else 0)

    for solve_for in (whole, _bias_alone):
        tried = solve_for(fitted)
        gained = proof.gained(tried) if tried is not None else 0.0
        change = solve_for(everything) if gained > 0 else None
        if change is not None:
            break
    else:
        return 1.0
    with torch.no_grad():
        if width:
            output.weight += torch.from_numpy(change[:-1].T).float()
        output.bias += torch.from_numpy(change[-1]).float()
    return round(1 - gained / proof.error, 4)


@dataclass(slots=True)
class _Sums:
    """The sums over tokens that define a least-squares problem."""

    squares: Matrix
    """X^T X [width + 1, width + 1], where X are the projection's inputs with a 1 appended."""
    linear_ops: Matrix
    """X^T E [width + 1, out], where E is the error of the sum before the LayerNorm."""
    error: float = 0.0
    """The squared error, summed."""

    @classmethod
    def empty(cls, width: int, out: int) -> _Sums:
        return cls(np.zeros((width, width)), np.zeros((width, out)))

    def add(self, rows: Any, missing: Any) -> None:
        """Adds tokens: rows [tokens, width + 1] and their errors [tokens, out]."""
        self.squares += (rows.T @ rows).double().numpy()
        self.linear_ops += (rows.T @ missing).double().numpy()
        self.error += float(missing.double().square().sum())

    def joined(self, other: _Sums) -> _Sums:
        """The sums over the tokens of both."""
        return _Sums(self.squares + other.squares, self.linear_ops + other.linear_ops, self.error + other.error)

    def gained(self, change: Matrix) -> float:
        """The decrease of the squared error."""
        return 2 * float((change * self.linear_ops).sum()) - float((change * (self.squares @ change)).sum())


def _bias_alone(sums: _Sums) -> Matrix:
    """The change [width + 1, out] if only the bias changes."""
    change = np.zeros_like(sums.linear_ops)
    change[-1] = sums.linear_ops[-1] / sums.squares[-1, -1]
    return change


def _changes(squares: Matrix, correlations: Matrix, output: Any, group: int) -> Matrix | None:
    """The change of the weight (transposed) and the bias, [width + 1, out].

    Args:
        squares: X^T X, where X are the projection's inputs with a 1 appended.
        correlations: X^T E, where E is the error of the sum.
        group: number of inputs that share one scale; 0: every weight is free.
    """
    from scipy.linalg import solve

    width = len(squares) - 1
    pull = RIDGE * np.trace(squares) / len(squares)
    if not width or not group:
        found: Matrix = solve(
            squares + pull * np.eye(width + 1) * ([1.0] * width + [0.0]), correlations, assume_a="pos"
        )
        return found
    # the unknowns are the changes of the scales and the bias; the bias is eliminated first
    weight = output.weight.detach().double().numpy().T
    count, means, missing = squares[-1, -1], squares[-1, :-1], correlations[-1]
    centred = squares[:-1, :-1] - np.outer(means, means) / count
    wanted = correlations[:-1] - np.outer(means, missing) / count
    groups = np.kron(np.eye(width // group), np.ones(group))
    system = groups @ (centred * (weight @ weight.T)) @ groups.T
    system += RIDGE * np.trace(system) / len(system) * np.eye(len(system))
    scales = solve(system, groups @ (wanted * weight).sum(axis=1), assume_a="pos")
    if np.abs(scales).max() > LARGEST_SCALE:
        return None
    change = weight * (groups.T @ scales)[:, None]
    return np.vstack([change, (missing - means @ change) / count])


def _stopping(found: list[Any]) -> Any:
    def hook(module: Any, arguments: tuple[Any, ...]) -> None:
        found.append(arguments[0])
        raise _EnoughError

    return hook


def _tokens(mask: Any, first_only: bool) -> Any:
    """The tokens for the fit, as a mask [batch, length]."""
    if not first_only:
        return mask
    import torch

    first = torch.zeros_like(mask)
    first[:, 0] = True
    return first


def _norm(part: LayerParts, half: Half) -> str:
    return part.family.attention_norm if half == "attention" else part.family.feed_forward_norm
