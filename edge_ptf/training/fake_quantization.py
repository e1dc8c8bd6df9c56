"""INT8's rounding in the forward pass, so that a model learns to answer well in the form in which it will ship.

Values stay floating-point numbers and are moved to the nearest ones that INT8 can express; the gradient passes as if
they had not been (Bengio et al. 2013, "Estimating or Propagating Gradients Through Stochastic Neurons"; Jacob et al.
2018, "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", section 3).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from edge_ptf import models
from edge_ptf.errors import BadInputError
from edge_ptf.graph import linear_ops, rewrite
from edge_ptf.graph.quantization_scheme import QuantizeConfig

if TYPE_CHECKING:
    from torch import Tensor

SMALLEST = 1e-30
"""Scales below this are those of values that are all zero."""


@contextmanager
def fake_quantized(model: Any, quantization: QuantizeConfig, *, one_token: bool) -> Iterator[None]:
    """Within it `model` answers as its INT8 graph will, or nearly; after it the model has its own forward pass again.

    Weights are rounded as `quantize` rounds them, for each output channel or for the whole matrix; so are the rows of
    the word embeddings. Inputs of products are rounded by the least and the largest number, zero included, of

    - dynamic mode: one text, over its own tokens, as ONNX Runtime finds it (DynamicQuantizeLinear at batch 1). So
      neither padding nor neighbours in the batch change a text's answer, and it is the answer of the INT8 graph;
    - static mode: the whole batch, in place of the calibrated range, which is that of many texts too; outputs of
      products likewise. The roundings are about as large as the graph's, and not the same. Nothing is averaged over
      steps, so training has no state beside the weights.

    Left out are the factors of `smooth`, the one scale that query, key and value share where a whole matrix has one,
    large tables of positions, ALBERT's last use of its layer (see `one_token`), what static mode rounds on the way to
    residual sums, and products that are no `torch.nn.Linear`. In bfloat16 rounded values are rounded once more.

    Args:
        model: as `transformers` makes it, fed with keyword arguments; parameters keep their names and their values.
        quantization: dynamic or static mode (see `checked`). Products named in `keep_fp32` stay as they are.
        one_token: the head reads a text's first token alone. Then the graph works out what follows the last attention
            for that token only, and in dynamic mode its range is that of the token.
    """
    rounding = _Rounding(quantization)
    rows = {id(module) for module in _after_attention(model)} if one_token else set()
    changed = []
    watching = model.register_forward_pre_hook(rounding.see_mask, with_kwargs=True)
    try:
        for name, module in _linear(model):
            if name not in quantization.keep_fp32:
                module.forward = partial(rounding.linear, module, id(module) in rows)
                changed.append(module)
        table = models.word_embeddings(model)
        if round_rows := table_rounding(quantization, int(model.config.vocab_size), int(table.weight.shape[1])):
            table.forward = partial(_picked, table.forward, round_rows)
            changed.append(table)
        yield
    finally:
        watching.remove()
        for module in changed:
            del module.forward


def checked(model: Any, quantization: QuantizeConfig | None) -> QuantizeConfig:
    """The quantization, if `model` can be taught for it.

    Raises:
        BadInputError: there will be no INT8, or the model has no product of a name in `keep_fp32`.
    """
    if quantization is None or quantization.mode == "none":
        raise BadInputError(
            "quantization-aware distillation is for a student that becomes INT8, and quantize.mode is none",
            hint="Set quantize.mode, or leave out distill.quantization_aware",
        )
    linear_ops.check_known(quantization.keep_fp32, {name for name, _ in _linear(model)})
    return quantization


def _linear(model: Any) -> list[tuple[str, Any]]:
    """The products of a model, by the names that `keep_fp32` has for them: `layer.1.feed_forward.output`."""
    from torch import nn

    linear = [(path, module) for path, module in model.named_modules() if isinstance(module, nn.Linear)]
    return [(linear_ops.readable(re.sub(r"\.(?!\d)", "/", path)), module) for path, module in linear]


@dataclass(frozen=True, slots=True)
class Grid:
    """The whole numbers that values become: the least, the most, and whether zero is the middle of every range."""

    least: int
    most: int
    symmetric: bool

    def round(self, values: Tensor, low: Tensor, high: Tensor) -> Tensor:
        """The values [rows, …] as FP32, each moved to the nearest that its row's range [rows] can express.

        The range is widened to hold zero; what lies outside becomes its nearest end. So round ONNX's
        DynamicQuantizeLinear and ONNX Runtime's quantizer (`compute_scale_zp`).
        """
        import torch

        low, high = low.detach().float().clamp(max=0), high.detach().float().clamp(min=0)
        if self.symmetric:
            high = torch.maximum(-low, high)
            low = -high
        scale = (high - low) / (self.most - self.least)
        scale = torch.where(scale > SMALLEST, scale, 1.0)
        middle = round((self.least + self.most) / 2)
        zero = torch.full_like(scale, middle) if self.symmetric else (self.least - low / scale).round()
        return torch.fake_quantize_per_channel_affine(
            values.float(), scale, zero.to(torch.int32), 0, self.least, self.most
        )


def activation_grid(quantization: QuantizeConfig) -> Grid:
    """How inputs of products are rounded."""
    if quantization.activation == "uint8":
        return Grid(0, 255, symmetric=False)
    return Grid(-127 if quantization.symmetric_activation else -128, 127, symmetric=quantization.symmetric_activation)


def weight_grid(quantization: QuantizeConfig) -> Grid:
    """How weights are rounded."""
    if quantization.weight == "uint8":
        return Grid(0, 127 if quantization.reduce_range else 255, symmetric=quantization.mode == "static")
    largest = 64 if quantization.reduce_range else 127
    return Grid(-largest, largest, symmetric=True)


def round_weights(weight: Tensor, quantization: QuantizeConfig) -> Tensor:
    """A weight matrix [outputs, inputs] as INT8 expresses it."""
    rows = weight if quantization.per_channel else weight.reshape(1, -1)
    return weight_grid(quantization).round(rows, *rows.aminmax(dim=1)).view_as(weight)


def table_rounding(quantization: QuantizeConfig, subwords: int, width: int) -> Callable[[Tensor], Tensor] | None:
    """How rows [rows, width] of a table of so many subwords are rounded; None: they are not."""
    if subwords * width < rewrite.LEAST_TABLE or quantization.embeddings in ("fp16", "fp32"):
        return None
    return in_blocks if quantization.embeddings == "int4" and width % 2 == 0 else in_rows


def in_rows(rows: Tensor) -> Tensor:
    """Rows [rows, width] in INT8, with a scale each."""
    return Grid(-127, 127, symmetric=True).round(rows, *rows.aminmax(dim=1))


def in_blocks(rows: Tensor) -> Tensor:
    """Rows [rows, width] in INT4: what `rewrite.in_blocks` stores."""
    import torch
    from torch.nn.functional import pad

    count, width = rows.shape
    blocks = pad(rows.float(), (0, -width % rewrite.BLOCK)).reshape(-1, rewrite.BLOCK)
    largest = blocks.detach().abs().amax(1).clamp_min(1e-12)
    zero = torch.zeros_like(largest, dtype=torch.int32)

    def rounded(scale: Tensor) -> Tensor:
        return torch.fake_quantize_per_channel_affine(blocks, scale, zero, 0, -8, 7)

    with torch.no_grad():
        scales = torch.stack([share * largest / 7 for share in rewrite.CLIPS])
        errors = torch.stack([(rounded(scale) - blocks).square().sum(1) for scale in scales])
        scale = scales.gather(0, errors.argmin(0, keepdim=True))[0]
    return rounded(scale).reshape(count, -1)[:, :width]


class _Rounding:
    """The forward pass of products, in one quantization."""

    def __init__(self, quantization: QuantizeConfig) -> None:
        self.quantization = quantization
        self.static = quantization.mode == "static"
        self.activations = activation_grid(quantization)
        self.mask: Any = None  # of the batch at hand, [batch, length]; None: all tokens are real

    def see_mask(self, model: Any, args: Any, kwargs: dict[str, Any]) -> None:
        """Which tokens the model is about to be fed with are real."""
        self.mask = kwargs.get("attention_mask")

    def linear(self, linear: Any, rows: bool, inputs: Tensor) -> Tensor:
        """What `linear` gives for [batch, length, width] or [batch, width]; `rows`: each token has its own range."""
        from torch.nn.functional import linear as multiply

        weight, bias = round_weights(linear.weight, self.quantization), linear.bias
        rounded = self.inputs(inputs, rows)
        if not self.static or not self.quantization.outputs:
            return multiply(rounded, weight, bias)
        if bias is None or inputs.ndim == 2:  # a Gemm, which has its bias in it
            return self.inputs(multiply(rounded, weight, bias), rows)
        result: Tensor = self.inputs(multiply(rounded, weight), rows) + bias
        return result

    def inputs(self, values: Tensor, rows: bool) -> Tensor:
        """The values [batch, …, width], rounded by the ranges that the quantization has for them."""
        low, high = values.detach().aminmax(dim=-1)
        if self.mask is not None and low.shape == self.mask.shape:
            padding = self.mask == 0
            low, high = low.masked_fill(padding, 0), high.masked_fill(padding, 0)
        if self.static:
            return self.activations.round(values[None], low.min()[None], high.max()[None])[0]
        if rows or values.ndim == 2:
            flat = values.reshape(-1, values.shape[-1])
            return self.activations.round(flat, low.reshape(-1), high.reshape(-1)).view_as(values)
        return self.activations.round(values, low.flatten(1).amin(1), high.flatten(1).amax(1))


def _picked(look_up: Callable[[Tensor], Tensor], round_rows: Callable[[Tensor], Tensor], ids: Tensor) -> Tensor:
    """The rounded rows [batch, length, width] of some subwords."""
    rows = look_up(ids)
    return round_rows(rows.reshape(-1, rows.shape[-1])).view_as(rows)


def _after_attention(model: Any) -> list[Any]:
    """The modules that see one token after the other once no later layer mixes tokens."""
    found: list[Any] = []
    for part in reversed(models.parts(model) if models.is_known(model) else []):
        family = part.family
        found += [
            part.get(path) for path in (family.attention_output, family.feed_forward_input, family.feed_forward_output)
        ]
        if part.num_heads:
            break
    return found
