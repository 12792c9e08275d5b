"""Operators that onnxruntime runs on a CUDA device, with the element types they take there.

Read from docs/OperatorKernels.md of onnxruntime (section CUDAExecutionProvider, the kernels for operator set 20); only
the operators that the graphs use, and of the types only those that the graphs could use.
"""

FUSED = "com.microsoft"
OPSET = 20  # the kernels below are those for this operator set

Types = frozenset[str]

FLOATS: Types = frozenset({"float", "float16"})
NUMBERS: Types = FLOATS | {"int32", "int64"}
ANY: Types = NUMBERS | {"bool"}
INDEX: Types = frozenset({"int32", "int64"})
INT64: Types = frozenset({"int64"})
BOOL: Types = frozenset({"bool"})

# Types per input; the last entry is for all further inputs.
KERNELS: dict[tuple[str, str], tuple[Types, ...]] = {
    ("", "Add"): (NUMBERS,),
    ("", "Cast"): (ANY,),
    ("", "Concat"): (ANY,),
    ("", "Div"): (NUMBERS,),
    ("", "Equal"): (ANY,),
    ("", "Exp"): (FLOATS,),
    ("", "Expand"): (ANY, INT64),
    ("", "Gather"): (ANY, INDEX),
    ("", "GatherElements"): (ANY, INDEX),
    ("", "GatherND"): (FLOATS | INT64 | BOOL, INT64),  # no int32
    ("", "Gelu"): (FLOATS,),
    ("", "Gemm"): (FLOATS,),
    ("", "Greater"): (NUMBERS,),
    ("", "GreaterOrEqual"): (NUMBERS,),
    ("", "Identity"): (ANY,),
    ("", "Log"): (FLOATS,),
    ("", "LogSoftmax"): (FLOATS,),
    ("", "MatMul"): (FLOATS,),
    ("", "Max"): (NUMBERS,),
    ("", "Mul"): (NUMBERS,),
    ("", "Or"): (BOOL,),
    ("", "ReduceSum"): (NUMBERS, INT64),
    ("", "Relu"): (FLOATS,),
    ("", "Reshape"): (ANY, INT64),
    ("", "SimplifiedLayerNormalization"): (FLOATS,),
    ("", "Slice"): (ANY, INDEX),
    ("", "Softmax"): (FLOATS,),
    ("", "Split"): (ANY, INT64),
    ("", "Squeeze"): (ANY, INT64),
    ("", "Sub"): (NUMBERS,),
    ("", "TopK"): (NUMBERS, INT64),
    ("", "Transpose"): (ANY,),
    ("", "Unsqueeze"): (ANY, INT64),
    ("", "Where"): (BOOL, FLOATS | INDEX),  # no bool to choose from
    (FUSED, "BiasGelu"): (FLOATS,),
    (FUSED, "FusedMatMul"): (FLOATS,),
    (FUSED, "MultiHeadAttention"): (FLOATS,),  # of query, key and value; masks are not used
    (FUSED, "SkipSimplifiedLayerNormalization"): (FLOATS,),
}

# What answers on the host although its input is on the device, and why that costs nothing.
ON_HOST: dict[tuple[str, str], str] = {
    ("", "Shape"): "reads the dimensions, not the tensor; what it gives is wanted on the host by Slice and Expand",
}

# Inputs that a kernel wants on the host: they must be constants of the graph, its int64 inputs or from ON_HOST.
HOST_INPUTS: dict[tuple[str, str], tuple[int, ...]] = {
    ("", "Expand"): (1,),
    ("", "ReduceSum"): (1,),
    ("", "Reshape"): (1,),
    ("", "Slice"): (1, 2, 3, 4),
    ("", "Split"): (1,),
    ("", "Squeeze"): (1,),
    ("", "TopK"): (1,),
    ("", "Unsqueeze"): (1,),
}
