// The operators that a graph may have. edge_ptf/engines/onnxruntime/operators.py has the same lists and says more about
// them; a test compares both.
#pragma once

#include <string_view>

namespace edge_ptf::core {

// Of ai.onnx: an output is at most as large as the first input.
inline constexpr std::string_view kSameSize[] = {
    "Abs",         "ArgMax",
    "Cast",        "Ceil",
    "Clip",        "Cos",
    "CumSum",      "DequantizeLinear",
    "Dropout",     "DynamicQuantizeLinear",
    "Elu",         "Erf",
    "Exp",         "Flatten",
    "Floor",       "Gelu",
    "HardSigmoid", "Identity",
    "IsNaN",       "LayerNormalization",
    "LeakyRelu",   "Log",
    "LogSoftmax",  "Neg",
    "Not",         "QuantizeLinear",
    "Reciprocal",  "ReduceMax",
    "ReduceMean",  "ReduceMin",
    "ReduceSum",   "Relu",
    "Reshape",     "Round",
    "Sigmoid",     "Sign",
    "Sin",         "Slice",
    "Softmax",     "Softplus",
    "Split",       "Sqrt",
    "Squeeze",     "Tanh",
    "Transpose",   "Trilu",
    "Unsqueeze",
};

// Of ai.onnx: the inputs are broadcast to one shape.
inline constexpr std::string_view kBroadcast[] = {
    "Add", "And", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Mean", "Min", "Mod",
    "Mul", "Or",  "Pow", "Sub",   "Sum",     "Where",          "Xor",
};

// Of ai.onnx: the values of an input say how large the output is.
inline constexpr std::string_view kSized[] = {
    "ConstantOfShape",
    "Expand",
    "Range",
    "Tile",
};

// The other ones of ai.onnx.
inline constexpr std::string_view kOthers[] = {
    "Concat", "Constant", "Gather", "GatherElements", "GatherND", "Gemm", "MatMul", "MatMulInteger", "Shape",
};

// Of com.microsoft.
inline constexpr std::string_view kMicrosoft[] = {
    "Attention",
    "BiasGelu",
    "DequantizeLinear",
    "DynamicQuantizeMatMul",
    "EmbedLayerNormalization",
    "FastGelu",
    "FusedMatMul",
    "GatherBlockQuantized",
    "Gelu",
    "MatMulIntegerToFloat",
    "MatMulNBits",
    "MultiHeadAttention",
    "QAttention",
    "QEmbedLayerNormalization",
    "QGemm",
    "QLinearAdd",
    "QLinearMul",
    "QuantizeLinear",
    "QuickGelu",
    "SkipLayerNormalization",
};

}  // namespace edge_ptf::core
