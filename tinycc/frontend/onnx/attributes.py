"""What tinycc takes of each ONNX operator: its attributes and their values, its parameters, its results.

Which attributes an operator has at an opset, and of which type, is for `onnx.checker` to say; here is which
of them are read, and with which values. What is not on the list is refused by name. Operators of the domain
com.microsoft, which the checker does not know, are listed with the number of inputs that they may have
(https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import onnx

MICROSOFT = "com.microsoft"
FLOAT = int(onnx.TensorProto.FLOAT)


@dataclass(frozen=True)
class Values:
    """The values that an attribute may have; `text` says which."""

    allows: Callable[[Any], bool]
    text: str


def _one_of(*values: int | bytes) -> Values:
    shown = [value.decode() if isinstance(value, bytes) else str(value) for value in values]
    return Values(lambda value: type(value) is type(values[0]) and value in values, " or ".join(shown))


def _integers(least: int, text: str) -> Values:
    return Values(
        lambda value: isinstance(value, list) and all(isinstance(v, int) and v >= least for v in value), text
    )


def _is_finite(value: object) -> bool:
    return isinstance(value, float) and math.isfinite(value)


FLAG = _one_of(0, 1)
OFF = _one_of(0)
NUMBER = Values(_is_finite, "a finite number")
NOT_NEGATIVE = Values(lambda value: _is_finite(value) and value >= 0, "a finite number from 0")
POSITIVE_NUMBER = Values(lambda value: _is_finite(value) and value > 0, "a finite number above 0")
ONE = Values(lambda value: value == 1.0, "1")
INTEGER = Values(lambda value: isinstance(value, int), "an integer")
POSITIVE = Values(lambda value: isinstance(value, int) and value > 0, "an integer above 0")
ODD = Values(lambda value: isinstance(value, int) and value > 0 and value % 2 == 1, "an odd integer above 0")
SIZE = Values(lambda value: isinstance(value, int) and value >= 0, "an integer from 0")
INTEGERS = _integers(-(1 << 63), "integers")
COUNTS = _integers(1, "integers above 0")
SIZES = _integers(0, "integers from 0")
ONES = Values(lambda value: isinstance(value, list) and set(value) <= {1}, "1 along each axis")
NUMBERS = Values(lambda value: isinstance(value, list) and all(map(_is_finite, value)), "finite numbers")
UNREAD = Values(lambda value: True, "anything")
"""For what an operator reads only under a value of another attribute that is refused."""

REDUCED = _one_of(b"none", b"add", b"mul", b"max", b"min")
STASH = _one_of(FLOAT)
AUTO_PAD = _one_of(b"NOTSET", b"SAME_UPPER", b"SAME_LOWER", b"VALID")
WINDOW = {"auto_pad": AUTO_PAD, "pads": SIZES, "strides": COUNTS, "kernel_shape": COUNTS}
POOL = {**WINDOW, "ceil_mode": FLAG, "dilations": COUNTS}
CONVOLUTION = {**WINDOW, "dilations": COUNTS, "group": POSITIVE}
REDUCTION = {"axes": INTEGERS, "keepdims": FLAG, "noop_with_empty_axes": FLAG}
ARG = {"axis": INTEGER, "keepdims": FLAG, "select_last_index": FLAG}
CUMULATION = {"exclusive": FLAG, "reverse": FLAG}
RECURRENCE = {
    "activations": Values(lambda value: isinstance(value, list), "a list of names"),
    "activation_alpha": NUMBERS,
    "activation_beta": NUMBERS,
    "clip": NOT_NEGATIVE,
    "direction": _one_of(b"forward", b"reverse", b"bidirectional"),
    "hidden_size": POSITIVE,
    "layout": FLAG,
}
REDUCTIONS = ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")
MANY = 1 << 20
"""More results than an operator can have."""


@dataclass(frozen=True)
class Taken:
    """What is taken of an operator.

    parameters: the inputs, by index, that must be constants.
    inputs: how many inputs there may be; None where `onnx.checker` says it.
    results: how many of the results are computed; the others must be left unread.
    """

    attributes: Mapping[str, Values] = field(default_factory=dict)
    parameters: tuple[int, ...] = ()
    inputs: range | None = None
    results: int = 1


def _microsoft(inputs: range, parameters: tuple[int, ...], **attributes: Values) -> Taken:
    return Taken(attributes, parameters, inputs)


# Functions of each element, without attributes.
ELEMENTWISE = (
    "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Cos", "Cosh", "Erf", "Exp", "Floor",
    "HardSwish", "Identity", "Log", "Mish", "Neg", "Reciprocal", "Relu", "Round", "Sigmoid", "Sign", "Sin",
    "Sinh", "Softplus", "Softsign", "Sqrt", "Tan", "Tanh",
)  # fmt: skip
# Functions of several tensors, without attributes.
COMBINING = ("Add", "Div", "MatMul", "Max", "Mean", "Min", "Mul", "PRelu", "Pow", "Sub", "Sum")

TAKEN: dict[tuple[str, str], Taken] = {
    **{("", name): Taken() for name in (*ELEMENTWISE, *COMBINING, "GlobalAveragePool", "GlobalMaxPool")},
    ("", "ArgMax"): Taken(ARG),
    ("", "ArgMin"): Taken(ARG),
    ("", "AveragePool"): Taken({**POOL, "count_include_pad": FLAG}),
    ("", "BatchNormalization"): Taken(
        {"epsilon": POSITIVE_NUMBER, "momentum": NUMBER, "spatial": _one_of(1), "training_mode": FLAG},
        results=3,
    ),
    ("", "Cast"): Taken({"to": INTEGER, "saturate": _one_of(1), "round_mode": UNREAD}),
    ("", "BitShift"): Taken({"direction": _one_of(b"LEFT", b"RIGHT")}),
    ("", "CastLike"): Taken({"saturate": _one_of(1), "round_mode": UNREAD}),
    ("", "Celu"): Taken({"alpha": POSITIVE_NUMBER}),
    ("", "Clip"): Taken(parameters=(1, 2)),
    ("", "Concat"): Taken({"axis": INTEGER}),
    ("", "Conv"): Taken(CONVOLUTION),
    ("", "ConvInteger"): Taken(CONVOLUTION, (2, 3)),
    ("", "ConvTranspose"): Taken(
        {**CONVOLUTION, "output_padding": SIZES, "output_shape": COUNTS}
    ),
    ("", "CumProd"): Taken(CUMULATION, (1,)),
    ("", "CumSum"): Taken(CUMULATION, (1,)),
    ("", "DepthToSpace"): Taken({"blocksize": POSITIVE, "mode": _one_of(b"DCR", b"CRD")}),
    ("", "DequantizeLinear"): Taken(
        {"axis": INTEGER, "block_size": SIZE, "output_dtype": _one_of(0, FLOAT)}
    ),
    ("", "Dropout"): Taken({"ratio": UNREAD, "seed": UNREAD}, (1, 2)),
    ("", "Einsum"): Taken({"equation": Values(lambda value: isinstance(value, bytes), "an equation")}),
    ("", "Elu"): Taken({"alpha": NUMBER}),
    ("", "Expand"): Taken(parameters=(1,)),
    ("", "EyeLike"): Taken({"dtype": INTEGER, "k": INTEGER}),
    ("", "Flatten"): Taken({"axis": INTEGER}),
    ("", "GRU"): Taken({**RECURRENCE, "linear_before_reset": FLAG}, (4,), results=2),
    ("", "Gather"): Taken({"axis": INTEGER}),
    ("", "GatherElements"): Taken({"axis": INTEGER}),
    ("", "GatherND"): Taken({"batch_dims": SIZE}),
    ("", "Gelu"): Taken({"approximate": _one_of(b"none", b"tanh")}),
    ("", "Gemm"): Taken({"alpha": NUMBER, "beta": NUMBER, "transA": FLAG, "transB": FLAG}),
    ("", "HardSigmoid"): Taken({"alpha": NUMBER, "beta": NUMBER}),
    ("", "Hardmax"): Taken({"axis": INTEGER}),
    ("", "InstanceNormalization"): Taken({"epsilon": NUMBER}),
    ("", "IsInf"): Taken({"detect_negative": FLAG, "detect_positive": FLAG}),
    ("", "LRN"): Taken(
        {"alpha": POSITIVE_NUMBER, "beta": POSITIVE_NUMBER, "bias": POSITIVE_NUMBER, "size": ODD}
    ),
    ("", "LSTM"): Taken({**RECURRENCE, "input_forget": FLAG}, (4,), results=3),
    ("", "LayerNormalization"): Taken({"axis": INTEGER, "epsilon": NUMBER, "stash_type": STASH}),
    ("", "LeakyRelu"): Taken({"alpha": NUMBER}),
    ("", "LogSoftmax"): Taken({"axis": INTEGER}),
    ("", "LpNormalization"): Taken({"axis": INTEGER, "p": _one_of(1, 2)}),
    ("", "MatMulInteger"): Taken(parameters=(2, 3)),
    ("", "MaxPool"): Taken({**POOL, "storage_order": FLAG}, results=2),
    ("", "Mod"): Taken({"fmod": FLAG}),
    ("", "OneHot"): Taken({"axis": INTEGER}, (1, 2)),
    ("", "Pad"): Taken({"mode": _one_of(b"constant", b"edge", b"reflect", b"wrap")}, (1, 2, 3)),
    ("", "QuantizeLinear"): Taken(
        {
            "axis": INTEGER,
            "block_size": SIZE,
            "output_dtype": INTEGER,
            "precision": _one_of(0, FLOAT),
            "saturate": FLAG,
        }
    ),
    ("", "RNN"): Taken(RECURRENCE, (4,), results=2),
    **{("", f"Reduce{name}"): Taken(REDUCTION, (1,)) for name in REDUCTIONS},
    ("", "Reshape"): Taken({"allowzero": FLAG}, (1,)),
    ("", "Resize"): Taken(
        {
            "mode": _one_of(b"nearest", b"linear", b"cubic"),
            "coordinate_transformation_mode": _one_of(
                b"half_pixel", b"asymmetric", b"align_corners", b"pytorch_half_pixel",
                b"half_pixel_symmetric", b"tf_crop_and_resize",
            ),
            "nearest_mode": _one_of(b"round_prefer_floor", b"round_prefer_ceil", b"floor", b"ceil"),
            "antialias": FLAG,
            "axes": INTEGERS,
            "cubic_coeff_a": NUMBER,
            "exclude_outside": FLAG,
            "extrapolation_value": NUMBER,
            "keep_aspect_ratio_policy": _one_of(b"stretch", b"not_larger", b"not_smaller"),
        },
        (1, 2, 3),
    ),
    ("", "ReverseSequence"): Taken({"batch_axis": INTEGER, "time_axis": INTEGER}, (1,)),
    ("", "ScatterElements"): Taken({"axis": INTEGER, "reduction": REDUCED}),
    ("", "ScatterND"): Taken({"reduction": REDUCED}),
    ("", "Selu"): Taken({"alpha": NUMBER, "gamma": NUMBER}),
    ("", "Shrink"): Taken({"bias": NUMBER, "lambd": NOT_NEGATIVE}),
    ("", "Slice"): Taken(parameters=(1, 2, 3, 4)),
    ("", "Softmax"): Taken({"axis": INTEGER}),
    ("", "SpaceToDepth"): Taken({"blocksize": POSITIVE, "mode": _one_of(b"DCR", b"CRD")}),
    ("", "Split"): Taken(
        {"axis": INTEGER, "num_outputs": POSITIVE, "split": SIZES}, (1,), results=MANY
    ),
    ("", "Squeeze"): Taken({"axes": INTEGERS}, (1,)),
    ("", "Swish"): Taken({"alpha": NUMBER}),
    ("", "ThresholdedRelu"): Taken({"alpha": NUMBER}),
    ("", "Tile"): Taken(parameters=(1,)),
    ("", "TopK"): Taken({"axis": INTEGER, "largest": FLAG, "sorted": FLAG}, (1,), results=2),
    ("", "Transpose"): Taken({"perm": SIZES}),
    ("", "Trilu"): Taken({"upper": FLAG}, (1,)),
    ("", "Unsqueeze"): Taken({"axes": INTEGERS}, (1,)),
    ("", "QLinearConv"): Taken(CONVOLUTION, (1, 2, 4, 5, 6, 7)),
    ("", "QLinearMatMul"): Taken(parameters=(1, 2, 4, 5, 6, 7)),
    (MICROSOFT, "BiasGelu"): _microsoft(range(2, 3), ()),
    (MICROSOFT, "DequantizeLinear"): _microsoft(range(2, 4), (1, 2), axis=INTEGER),
    (MICROSOFT, "FastGelu"): _microsoft(range(1, 3), ()),
    (MICROSOFT, "Gelu"): _microsoft(range(1, 2), ()),
    (MICROSOFT, "QGemm"): _microsoft(
        range(6, 10), (1, 2, 4, 5, 7, 8), alpha=ONE, transA=FLAG, transB=FLAG
    ),
    (MICROSOFT, "QLinearAdd"): _microsoft(range(7, 9), (1, 2, 4, 5, 6, 7)),
    (MICROSOFT, "QLinearAveragePool"): _microsoft(
        range(4, 6), (1, 2, 3, 4), **WINDOW, ceil_mode=FLAG, channels_last=FLAG, count_include_pad=FLAG
    ),
    (MICROSOFT, "QLinearConcat"): _microsoft(range(5, 3 * 1024), (0, 1), axis=INTEGER),
    (MICROSOFT, "QLinearConv"): _microsoft(
        range(8, 10), (1, 2, 4, 5, 6, 7), **CONVOLUTION, channels_last=FLAG
    ),
    (MICROSOFT, "QLinearGlobalAveragePool"): _microsoft(range(5, 6), (1, 2, 3, 4), channels_last=FLAG),
    (MICROSOFT, "QLinearLeakyRelu"): _microsoft(range(4, 6), (1, 2, 3, 4), alpha=NUMBER),
    (MICROSOFT, "QLinearMul"): _microsoft(range(7, 9), (1, 2, 4, 5, 6, 7)),
    (MICROSOFT, "QLinearSigmoid"): _microsoft(range(4, 6), (1, 2, 3, 4)),
    (MICROSOFT, "QLinearSoftmax"): _microsoft(range(5, 6), (1, 2, 3, 4), axis=INTEGER, opset=POSITIVE),
    (MICROSOFT, "QuantizeLinear"): _microsoft(range(2, 4), (1, 2), axis=INTEGER),
    (MICROSOFT, "QuickGelu"): _microsoft(range(1, 2), (), alpha=NUMBER),
}  # fmt: skip
