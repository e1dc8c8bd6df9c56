"""The versions of TensorRT whose rules are known, and the operators of each.

Sources: docs/operators.md and the importers of ONNX-TensorRT, release/8.6-GA and release/10.1-GA; the ONNX opset guide
of TensorRT 11; for TensorRT-RTX its own parser (`OnnxParser.supports_operator`). See
docs/decisions/0073-what-tensorrt-accepts.md for which of them were run.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge_ptf.errors import BadInputError, near_matches


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


OPERATORS = _names(
    "Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool BatchNormalization Cast Ceil Celu Clip "
    "Concat Constant ConstantOfShape Conv ConvTranspose Cos Cosh CumSum DepthToSpace DequantizeLinear Div Dropout "
    "Einsum Elu Equal Erf Exp Expand EyeLike Flatten Floor GRU Gather GatherElements GatherND Gemm GlobalAveragePool "
    "GlobalLpPool GlobalMaxPool Greater GreaterOrEqual GridSample GroupNormalization HardSigmoid HardSwish Identity If "
    "InstanceNormalization IsInf IsNaN LRN LSTM LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax Loop "
    "LpNormalization LpPool MatMul Max MaxPool Mean MeanVarianceNormalization Min Mod Mul Neg NonMaxSuppression "
    "Not OneHot Or PRelu Pad Pow QuantizeLinear RNN RandomNormal RandomNormalLike RandomUniform RandomUniformLike "
    "Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd "
    "ReduceSum ReduceSumSquare Relu Reshape Resize ReverseSequence RoiAlign Round Scan Scatter ScatterElements "
    "ScatterND Selu Shape Shrink Sigmoid Sign Sin Sinh Size Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt "
    "Squeeze Sub Sum Tan Tanh ThresholdedRelu Tile TopK Transpose Trilu Unsqueeze Upsample Where Xor"
)
"""Of every version."""
FULL = _names("NonZero")
"""Of every version of the full library: TensorRT-RTX lacks the plugin that computes it."""
SINCE_10 = _names("CastLike Gelu Hardmax Mish")
SINCE_11 = _names("BlackmanWindow HammingWindow HannWindow RMSNormalization RotaryEmbedding STFT Swish TensorScatter")
"""Also of TensorRT-RTX. Attention of operator set 23 is not here: TensorRT-RTX 1.7.1 ends with a memory fault."""


@dataclass(frozen=True, slots=True)
class Target:
    """One version of TensorRT."""

    name: str
    title: str
    operators: frozenset[str]
    most_opset: int
    """The newest operator set that its documentation names. Newer ones are tried, and may parse."""
    typed: bool = True
    """Whether a network can be strongly typed: Q/DQ may then be FP16."""
    int8_weights: bool = True
    """Whether a weight may be stored in INT8. Otherwise it is FP32, followed by QuantizeLinear and DequantizeLinear."""
    bfloat16: bool = True
    default_axis: int = 1
    """The axis of a Q/DQ node with several scales that names none. ONNX means axis 1."""
    unsigned_zero: bool = False
    """Whether a zero point of type UINT8 is read as INT8 if it is 0."""


TARGETS = {
    target.name: target
    for target in (
        Target(
            "8.6",
            "TensorRT 8.6",
            OPERATORS | FULL,
            most_opset=17,
            typed=False,
            int8_weights=False,
            bfloat16=False,
            default_axis=0,
        ),
        Target("10.x", "TensorRT 10", OPERATORS | FULL | SINCE_10, most_opset=20, default_axis=0),
        Target("11.x", "TensorRT 11", OPERATORS | FULL | SINCE_10 | SINCE_11, most_opset=25),
        Target("rtx", "TensorRT-RTX 1.7", OPERATORS | SINCE_10 | SINCE_11, most_opset=25, unsigned_zero=True),
    )
}


def target(name: str) -> Target:
    """The target of that name.

    Raises:
        BadInputError: there is none; the hint names the closest.
    """
    if name not in TARGETS:
        raise BadInputError(f"unknown TensorRT version '{name}'", hint=near_matches(name, TARGETS))
    return TARGETS[name]
