"""The operators that a graph may have: those of our own graphs, and those of exports of the known model families.

None of them runs another graph. Only those of `SIZED` make a tensor much larger than their inputs, and their constant
sizes are checked. `cpp_runner/src/engines/onnx_operators.h` has the same names, and so has `docs/package.md`.
"""

from __future__ import annotations


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


SAME_SIZE = _names(
    "Abs ArgMax Cast Ceil Clip Cos CumSum DequantizeLinear Dropout DynamicQuantizeLinear Elu Erf Exp Flatten "
    "Floor Gelu HardSigmoid Identity IsNaN LayerNormalization LeakyRelu Log LogSoftmax Neg Not QuantizeLinear "
    "Reciprocal ReduceMax ReduceMean ReduceMin ReduceSum Relu Reshape Round Sigmoid Sign Sin Slice Softmax "
    "Softplus Split Sqrt Squeeze Tanh Transpose Trilu Unsqueeze"
)
"""Of ai.onnx: an output is at most as large as the first input."""
BROADCAST = _names(
    "Add And Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mod Mul Or Pow Sub Sum Where Xor"
)
"""Of ai.onnx: the inputs are broadcast to one shape."""
SIZED = frozenset(("ConstantOfShape", "Expand", "Range", "Tile"))
"""Of ai.onnx: the values of an input say how large the output is."""
OTHERS = _names("Concat Constant Gather GatherElements GatherND Gemm MatMul MatMulInteger Shape")
MICROSOFT = _names(
    "Attention BiasGelu DequantizeLinear DynamicQuantizeMatMul EmbedLayerNormalization FastGelu FusedMatMul "
    "GatherBlockQuantized Gelu MatMulIntegerToFloat MatMulNBits MultiHeadAttention QAttention "
    "QEmbedLayerNormalization QGemm QLinearAdd QLinearMul QuantizeLinear QuickGelu SkipLayerNormalization"
)
ALLOWED = {
    "": SAME_SIZE | BROADCAST | SIZED | OTHERS,
    "ai.onnx": SAME_SIZE | BROADCAST | SIZED | OTHERS,
    "com.microsoft": MICROSOFT,
}
"""By domain; the empty one is ai.onnx."""
