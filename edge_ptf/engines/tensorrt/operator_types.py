"""The types of tensors that each operator takes, measured with the parser and the builder of TensorRT-RTX 1.7.1.

`make tensorrt` measures them again. FP64 counts as FP32, because the parser converts it.
"""

from __future__ import annotations

from onnx import TensorProto

FLOAT, HALF, BFLOAT16 = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16
INT8, INT32, INT64, BOOL, UINT8 = (
    TensorProto.INT8,
    TensorProto.INT32,
    TensorProto.INT64,
    TensorProto.BOOL,
    TensorProto.UINT8,
)
FLOATS = frozenset((FLOAT, HALF, BFLOAT16))
INTEGERS = frozenset((INT32, INT64))
QUANTIZED = frozenset((INT8, TensorProto.INT4, TensorProto.FLOAT8E4M3FN, TensorProto.FLOAT4E2M1))
"""Types that a constant may have only in front of DequantizeLinear."""
CONSTANTS = FLOATS | INTEGERS | QUANTIZED | {BOOL, UINT8, TensorProto.DOUBLE}
"""Types that a stored tensor may have."""
INPUTS = FLOATS | INTEGERS | {BOOL, UINT8, INT8, TensorProto.DOUBLE}
"""Types that an input of the graph may have."""
CASTS = FLOATS | INTEGERS | {BOOL, INT8, TensorProto.DOUBLE}
"""Types that Cast may convert to inside a graph."""


def _groups(*groups: tuple[frozenset[int], str]) -> dict[str, frozenset[int]]:
    return {name: types for types, names in groups for name in names.split()}


TYPES = _groups(
    (
        FLOATS,
        "Acos Acosh Asin Asinh Atan Atanh Ceil Cos Cosh Elu Exp Floor Gelu IsInf IsNaN Log LogSoftmax ReduceL2 "
        "ReduceLogSum ReduceLogSumExp Round Selu Sigmoid Sin Sinh Softmax Softplus Sqrt Swish Tan Tanh MatMul Gemm "
        "Einsum BatchNormalization Mean Hardmax",
    ),
    (
        FLOATS | {INT8},
        "Erf HardSigmoid LeakyRelu Reciprocal Softsign ThresholdedRelu PRelu LayerNormalization "
        "InstanceNormalization GroupNormalization",
    ),
    (frozenset((FLOAT,)), "Celu"),
    (frozenset((FLOAT, HALF)), "LpNormalization Mish RandomNormalLike RandomUniformLike"),
    (frozenset((FLOAT, HALF, INT8)), "HardSwish"),
    (frozenset((FLOAT, HALF, INT8)) | INTEGERS, "Shrink"),
    (FLOATS | {INT8, INT64}, "Relu"),
    (INTEGERS, "Mod"),
    (FLOATS | INTEGERS, "CumSum Clip Pow ReduceMean GlobalAveragePool"),
    (
        FLOATS | INTEGERS | {INT8},
        "Abs ArgMax ArgMin Neg ReduceL1 ReduceMax ReduceMin ReduceProd ReduceSum ReduceSumSquare Sign GlobalMaxPool "
        "Add Sub Mul Div Max Min Sum Greater GreaterOrEqual Less LessOrEqual TopK DepthToSpace RMSNormalization",
    ),
    (frozenset((BOOL,)), "Not And Or Xor"),
    (
        FLOATS | INTEGERS | {INT8, BOOL},
        "Flatten Identity Shape Size Transpose Trilu EyeLike Dropout Equal Concat GatherElements Where Gather GatherND "
        "Slice Expand Tile Reshape Squeeze Unsqueeze Split Pad ScatterND ScatterElements OneHot CastLike",
    ),
)
"""Of the data that an operator reads; operators that are not here are not checked for types."""
ALIKE = {
    **dict.fromkeys(
        [
            "Add",
            "Sub",
            "Mul",
            "Div",
            "Max",
            "Min",
            "Sum",
            "Mean",
            "Greater",
            "GreaterOrEqual",
            "Less",
            "LessOrEqual",
            "Equal",
            "MatMul",
            "Concat",
            "PRelu",
            "Mod",
            "Clip",
            "LayerNormalization",
            "RMSNormalization",
            "GroupNormalization",
            "InstanceNormalization",
            "BatchNormalization",
            "Gemm",
            "Range",
            "Einsum",
            "And",
            "Or",
            "Xor",
        ],
        None,
    ),
    "Where": (1, 2),
    "ScatterND": (0, 2),
    "ScatterElements": (0, 2),
}
"""The inputs of an operator that need one type; None: all of them."""
DATA = {"Where": (1, 2), "OneHot": (2,), "ScatterND": (0, 2), "ScatterElements": (0, 2), **dict.fromkeys(ALIKE, None)}
DATA |= {name: ALIKE[name] for name in ("Where", "ScatterND", "ScatterElements")}
"""The inputs whose types `TYPES` is about; of other operators it is the first."""
NAMES = {
    FLOAT: "FP32",
    HALF: "FP16",
    BFLOAT16: "BF16",
    INT8: "INT8",
    UINT8: "UINT8",
    INT32: "INT32",
    INT64: "INT64",
    BOOL: "BOOL",
    TensorProto.DOUBLE: "FP64",
    TensorProto.FLOAT8E4M3FN: "FP8",
    TensorProto.FLOAT4E2M1: "FP4",
}


def name_of(kind: int) -> str:
    """The name of a type, as in messages."""
    return NAMES.get(kind) or TensorProto.DataType.Name(kind)
