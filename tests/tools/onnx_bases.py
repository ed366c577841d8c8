"""Small quantized models of each ONNX operator that the frontend takes, whose attributes can be changed."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.tools.onnx_graph import Graph, Shape
from tinycc.frontend.onnx.attributes import ELEMENTWISE, MICROSOFT

NODE = "the_node"
IMAGE = (1, 4, 6, 5)
POSITIVE, UNIT, ABOVE_ONE = (0.02, -128), (0.007, 0), (0.02, -178)
COORDINATES = (
    "half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel", "half_pixel_symmetric",
    "tf_half_pixel_for_nn", "tf_crop_and_resize",
)  # fmt: skip
ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


@dataclass(frozen=True)
class Base:
    """A model of one operator, the node `NODE`.

    inputs: the shapes of its int8 inputs, dequantized unless `raw` by `quantized`, scale and zero point.
    weights: the shapes of int8 constants behind them, alike. constants: parameters behind those, None if left
    out.
    results: the element type of each result, 0 where it is quantized to int8 by the scale `step`.
    """

    opset: int = 13
    inputs: tuple[Shape, ...] = (IMAGE,)
    weights: tuple[Shape, ...] = ()
    constants: tuple[Any, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    results: tuple[int, ...] = (0,)
    quantized: tuple[float, int] = (0.05, 3)
    step: float = 0.05
    raw: bool = False

    def model(self, domain: str, kind: str, attributes: Mapping[str, Any]) -> onnx.ModelProto:
        """The model with other attributes."""
        graph = Graph(self.opset)
        types = self.results
        if kind.startswith(("QLinear", "QGemm")):
            operands, types = self._of_integers(graph, kind), (int(TensorProto.INT8),)
        else:
            source = graph.integers if self.raw else graph.input
            operands = [source(shape, *self.quantized) for shape in self.inputs]
            operands += [graph.weights(shape) for shape in self.weights]
            operands += ["" if value is None else graph.constant(value) for value in self.constants]
        results = graph.call(kind, operands, len(types), **attributes)
        graph.nodes[-1].name, graph.nodes[-1].domain = NODE, domain
        for result, type_ in zip(results, types, strict=True):
            if type_:
                graph.outputs.append(helper.make_tensor_value_info(result, type_, None))
            else:
                graph.output(result, self.step)
                graph.nodes[-1].name = f"{NODE} {result} quantized"
        return graph.model()

    def _of_integers(self, graph: Graph, kind: str) -> list[str]:
        """Operands of an operator on integers, each with scale and zero point, and those of the result."""
        operands = []
        for index, shape in enumerate((*self.inputs, *self.weights)):
            is_input = index < len(self.inputs)
            weights = graph.random.integers(-127, 128, shape).astype(np.int8)
            operands.append(graph.integers(shape) if is_input else graph.constant(weights))
            operands += [graph.constant(np.float32(0.02)), graph.constant(np.int8(3 if is_input else 0))]
        result = [graph.constant(np.float32(self.step)), graph.constant(np.int8(-4))]
        bias = [graph.constant(value) for value in self.constants]
        if kind == "QLinearConcat":
            return [*result, *operands]
        return [*operands, *bias, *result] if kind == "QGemm" else [*operands, *result, *bias]


def _ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def _floats(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def _with(*attributes: Mapping[str, Any], **more: Any) -> tuple[Base, ...]:
    return tuple(Base(attributes=each, **more) for each in attributes)


def _given(*constants: tuple[Any, ...], **more: Any) -> tuple[Base, ...]:
    return tuple(Base(constants=each, **more) for each in constants)


def _layer(shape: Shape, weights: Shape, bias: int = 0, **attributes: Any) -> Base:
    constants = (np.linspace(-1, 1, bias, dtype=np.float32),) if bias else ()
    return Base(20, (shape,), (weights,), constants, attributes, step=0.4)


def _integer_layer(shape: Shape, weights: Shape, bias: int = 0, **attributes: Any) -> Base:
    return Base(
        13, (shape,), (weights,), (np.arange(bias, dtype=np.int32) * 100,) if bias else (), attributes
    )


def _resize(scale: tuple[float, ...], mode: str, shape: Shape = IMAGE, **attributes: Any) -> Base:
    return Base(
        18, (shape,), constants=(None, _floats(1, 1, *scale)), attributes={"mode": mode, **attributes}
    )


def _resized_to(*sizes: int, **attributes: Any) -> Base:
    return Base(18, constants=(None, None, _ints(*sizes)), attributes={"mode": "linear", **attributes})


WINDOW = {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 0, 1]}
UNEVEN = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "ceil_mode": 1}
LOWER = {"kernel_shape": [2, 3], "auto_pad": "SAME_LOWER", "ceil_mode": 1, "strides": [2, 2]}
POOLS = (
    *_with(WINDOW, UNEVEN, LOWER),
    Base(22, attributes={"kernel_shape": [2, 2], "dilations": [2, 1]}),
    Base(inputs=((1, 4, 9),), attributes={"kernel_shape": [3], "strides": [2], "ceil_mode": 1}),
    Base(inputs=((1, 2, 4, 4, 4),), attributes={"kernel_shape": [2, 2, 2]}),
)
COUNTING_POOLS = tuple(
    Base(base.opset, base.inputs, attributes={**base.attributes, "count_include_pad": 1}) for base in POOLS
)
REDUCTIONS = (
    Base(13, attributes={"axes": [2, 3], "keepdims": 1}),
    Base(18, constants=(_ints(-1, 1),), attributes={"keepdims": 0, "noop_with_empty_axes": 0}),
    Base(18, attributes={"noop_with_empty_axes": 1}),
    Base(18, constants=(_ints(),), attributes={"noop_with_empty_axes": 0, "keepdims": 0}),
    Base(18, constants=(_ints(2, 2),)),
)
RESIZES = (
    _resize((2, 2), "linear", coordinate_transformation_mode="half_pixel"),
    *(
        _resize(scale, "nearest", coordinate_transformation_mode=coordinates, nearest_mode=rounding)
        for scale in ((2, 3), (0.5, 0.6))
        for coordinates, rounding in itertools.product(COORDINATES[:4], ROUNDINGS)
    ),
    *(
        _resize(scale, "linear", coordinate_transformation_mode=coordinates)
        for scale in ((2, 3), (0.5, 0.6), (0.5, 0.2))
        for coordinates in COORDINATES
    ),
    _resized_to(9, 7, axes=[2, 3]),
    _resized_to(7, 9, axes=[3, 2]),
    _resized_to(1, 4, 12, 12, keep_aspect_ratio_policy="not_larger"),
    _resize((1.7, 1.7), "linear"),
    Base(18, constants=(None, _floats(1, 2, 1, 1)), attributes={"mode": "linear"}),
    _resize((2,), "linear", (1, 4, 7)),
    _resize((3,), "nearest", (1, 4, 7), nearest_mode="floor", coordinate_transformation_mode="asymmetric"),
)
TRANSPOSED = ((1, 3, 4, 5), (3, 2, 3, 3))
DOMAINS = {
    "Acos": UNIT, "Acosh": ABOVE_ONE, "Asin": UNIT, "Atanh": UNIT, "Log": POSITIVE, "Reciprocal": POSITIVE,
    "Sqrt": POSITIVE,
}  # fmt: skip
SINCE = {"HardSwish": 14, "Mish": 18}
SLICES = (
    ((0, 1), (4, -1)), ((1, -3), (100, 100), (3, 2)), ((-1,), (-100,), (2,), (-2,)),
    ((0,), (6,), (2,), (2,)), ((4, 3), (0, 0), (-1, -2), (-1, -1)), ((0,), (3,), (7,)), ((3,), (2,), (2,)),
    ((0,), (3,), (2,), (0,)),
)  # fmt: skip
QUANTIZATION = (np.float32(0.1), np.int8(5))

BASES: dict[tuple[str, str], tuple[Base, ...]] = {
    **{
        ("", name): (Base(SINCE.get(name, 13), quantized=DOMAINS.get(name, (0.05, 3))),)
        for name in ELEMENTWISE
        if name != "Acosh"  # no int8 zero point makes all its operands larger than 1
    },
    **{
        ("", name): (
            Base(inputs=(IMAGE, (1, 4, 1, 5)), quantized=POSITIVE),
            *_given((_floats(1.5, 2, 0.5, 3, 1.25),), (np.float32(2),), quantized=POSITIVE),
        )
        for name in ("Add", "Div", "Mul", "Pow", "Sub")
    },
    **{
        ("", name): (Base(inputs=(IMAGE, (1, 4, 1, 5), (1, 1, 6, 1))), Base())
        for name in ("Max", "Mean", "Min", "Sum")
    },
    ("", "ArgMax"): _with({"axis": 1, "keepdims": 1}, results=(TensorProto.INT64,)),
    ("", "ArgMin"): _with({"axis": 1, "keepdims": 1}, results=(TensorProto.INT64,)),
    ("", "AveragePool"): POOLS + COUNTING_POOLS,
    ("", "Cast"): _with({"to": TensorProto.FLOAT}, opset=19),
    ("", "Celu"): _with({"alpha": 0.5}),
    ("", "Clip"): _given(
        (np.float32(-1), np.float32(2)), (None, np.float32(2)), (np.float32(0),),
        (np.float32(2), np.float32(-1)),
    ),
    ("", "Concat"): _with({"axis": 1}, inputs=(IMAGE, IMAGE)),
    ("", "Conv"): (
        _layer((1, 4, 7, 8), (6, 2, 3, 3), group=2, pads=[0, 1, 1, 0]),
        _layer((1, 4, 7, 8), (6, 4, 3, 3), 6, auto_pad="SAME_LOWER", strides=[2, 2]),
        _layer((1, 4, 8), (6, 4, 3), 6, pads=[1, 2], dilations=[2]),
        _layer((1, 2, 4, 4, 4), (3, 2, 2, 2, 2)),
    ),
    ("", "ConvTranspose"): (
        _layer(*TRANSPOSED, strides=[2, 2]),
        *(
            _layer(*TRANSPOSED, strides=[2, 2], auto_pad=mode, output_shape=shape)
            for mode in ("NOTSET", "SAME_UPPER", "SAME_LOWER")
            for shape in ([8, 10], [9, 10], [10, 12])
        ),
        _layer(*TRANSPOSED, strides=[2, 2], auto_pad="SAME_UPPER", output_padding=[1, 0]),
        _layer((1, 3, 5), (3, 2, 3), strides=[2]),
    ),
    ("", "DepthToSpace"): _with({"blocksize": 2}),
    ("", "DequantizeLinear"): (
        Base(23, constants=QUANTIZATION, attributes={"axis": 1}, raw=True),
        *_given((np.float32(0.1),), (_floats(0.1, 0.2, 0.3, 0.4), np.zeros(4, np.int8)), raw=True),
    ),
    ("", "Dropout"): (*_with({"seed": 1}), Base(results=(0, TensorProto.BOOL))),
    ("", "Elu"): _with({"alpha": 0.7}),
    ("", "Expand"): (*_given((_ints(2, 1, 3, 1),), inputs=((1, 4, 1, 5),)), *_given((_ints(6, 1),))),
    ("", "Flatten"): _with({"axis": 2}),
    ("", "Gather"): (
        *_given(*((_ints(*i),) for i in ((0, 2), (3, 2, 1), (-1, 0, 0), (1,), (4,))), attributes={"axis": 1}),
        *_given((np.int64(2),), attributes={"axis": 2}),
        *_given((_ints(0, 1, 2, 3).reshape(2, 2),), attributes={"axis": 3}),
    ),
    ("", "Gelu"): _with({"approximate": "tanh"}, opset=20),
    ("", "Gemm"): (
        _layer((1, 6), (6, 5), 5, alpha=0.5),
        _layer((1, 6), (5, 6), 5, beta=0.5, transB=1),
        _layer((1, 6), (6, 5), alpha=-2.0),
    ),
    ("", "GlobalAveragePool"): (Base(), Base(inputs=((1, 4, 9),))),
    ("", "GlobalMaxPool"): (Base(), Base(inputs=((1, 4, 9),))),
    ("", "HardSigmoid"): _with({"alpha": 0.3, "beta": 0.4}),
    ("", "CumSum"): _given((_ints(1),), opset=14, attributes={"exclusive": 1, "reverse": 1}),
    ("", "LRN"): _with({"alpha": 0.3, "beta": 0.5, "bias": 1.5, "size": 3}),
    ("", "LayerNormalization"): _given((_floats(1, 2, 0.5, 1, 3), _floats(0, 1, 0, 2, 0)), opset=17),
    ("", "LpNormalization"): _with({"axis": 1, "p": 2}, {"axis": -1, "p": 1}),
    ("", "ReduceL2"): REDUCTIONS[:2],
    ("", "LeakyRelu"): _with({"alpha": 0.1}),
    ("", "MatMul"): (_layer((1, 6), (6, 5)), Base(inputs=((1, 3, 6), (1, 6, 2)))),
    ("", "MaxPool"): (*POOLS, *_with(WINDOW, results=(0, TensorProto.INT64))),
    ("", "PRelu"): (
        Base(weights=((4, 1, 1),)),
        *_given((_floats(0.1, 0.2, -0.3, 0.4, 0.5),), (np.full((4, 1, 5), 0.1, np.float32),)),
    ),
    ("", "Pad"): (
        *_given((_ints(0, 0, 1, 2, 0, 0, 3, 0), np.float32(1)), opset=19, attributes={"mode": "constant"}),
        *(
            Base(19, constants=(_ints(*pads), None, _ints(-1, 2)), attributes={"mode": mode})
            for mode in ("constant", "edge", "reflect", "wrap")
            for pads in ((1, 2, 3, 0), (-1, 0, 0, 1), (5, 0, 0, 6))
        ),
    ),
    ("", "QuantizeLinear"): tuple(
        Base(23, constants=constants, attributes=attributes, results=(type_,))
        for type_, constants, attributes in (
            (TensorProto.INT8, QUANTIZATION, {"axis": 1}),
            (TensorProto.INT8, (np.float32(0.1),), {"output_dtype": TensorProto.INT8}),
            (TensorProto.INT16, (np.float32(0.001),), {"output_dtype": TensorProto.INT16}),
            (TensorProto.INT4, (np.float32(0.1),), {"output_dtype": TensorProto.INT4}),
            (TensorProto.INT8, (_floats(0.1, 0.2, 0.3, 0.4), np.zeros(4, np.int8)), {"axis": 1}),
        )
    ),
    ("", "ReduceMax"): REDUCTIONS,
    ("", "ReduceMean"): REDUCTIONS,
    ("", "ReduceMin"): REDUCTIONS,
    ("", "ReduceSum"): REDUCTIONS[1:],
    ("", "Reshape"): (
        *_given(
            *((_ints(*shape),) for shape in ((1, 0, -1), (1, 4, 30), (-1,), (0, 0, 0, 0), (1, 7, -1))),
            opset=14, attributes={"allowzero": 0},
        ),
        *_given((_ints(1, 0, -1),), opset=14, attributes={"allowzero": 1}),
    ),
    ("", "Resize"): RESIZES,
    ("", "Selu"): _with({"alpha": 1.2, "gamma": 0.8}),
    ("", "Shrink"): _with({"bias": 0.2, "lambd": 0.8}),
    ("", "Slice"): _given(*(tuple(_ints(*values) for values in constants) for constants in SLICES)),
    ("", "Softmax"): tuple(
        Base(opset, attributes={"axis": axis}, step=1 / 256) for opset, axis in ((13, -1), (11, 1), (13, 1))
    ),
    ("", "SpaceToDepth"): _with({"blocksize": 2}, inputs=((1, 3, 6, 4),)),
    ("", "Split"): (
        Base(11, attributes={"axis": 2, "split": [4, 2]}, results=(0, 0)),
        Base(13, constants=(_ints(1, 5),), attributes={"axis": 2}, results=(0, 0)),
        Base(18, attributes={"axis": 3, "num_outputs": 2}, results=(0, 0)),
        Base(18, attributes={"axis": 3, "num_outputs": 4}, results=(0, 0, 0, 0)),
    ),
    ("", "Squeeze"): (
        Base(11, inputs=((1, 4, 1, 5),), attributes={"axes": [2]}),
        Base(13, inputs=((1, 4, 1, 5),), constants=(_ints(-2),)),
        Base(13, inputs=((1, 4, 1, 5),)),
    ),
    ("", "Swish"): _with({"alpha": 1.3}, opset=24),
    ("", "ThresholdedRelu"): _with({"alpha": 0.7}),
    ("", "Tile"): _given((_ints(1, 2, 1, 3),), (_ints(1, 0, 1, 3),)),
    ("", "Transpose"): _with({"perm": [0, 2, 3, 1]}, {}),
    ("", "Unsqueeze"): (
        Base(11, inputs=((1, 4, 5),), attributes={"axes": [1]}), *_given((_ints(-2, 0),)),
    ),
    ("", "QLinearConv"): (_integer_layer((1, 4, 7, 8), (6, 2, 3, 3), 6, group=2, pads=[0, 1, 1, 0]),),
    ("", "QLinearMatMul"): (_integer_layer((1, 6), (6, 5)),),
    (MICROSOFT, "BiasGelu"): _given((_floats(1, 2, 3, 4, 5, 6),), inputs=((1, 6),)),
    (MICROSOFT, "FastGelu"): (*_given((_floats(1, 2, 3, 4, 5, 6),), inputs=((1, 6),)), Base()),
    (MICROSOFT, "Gelu"): (Base(),),
    (MICROSOFT, "DequantizeLinear"): _with({"axis": 1}, constants=QUANTIZATION, raw=True),
    (MICROSOFT, "QGemm"): (
        _integer_layer((1, 6), (6, 5), 5, transB=0),
        _integer_layer((1, 6), (5, 6), 5, transB=1),
    ),
    (MICROSOFT, "QLinearAdd"): (Base(inputs=(IMAGE, (1, 4, 1, 1))),),
    (MICROSOFT, "QLinearAveragePool"): _with(
        {**WINDOW, "channels_last": 0}, {**WINDOW, "channels_last": 1}, {**UNEVEN, "count_include_pad": 1}
    ),
    (MICROSOFT, "QLinearConcat"): _with({"axis": 1}, inputs=(IMAGE, IMAGE)),
    (MICROSOFT, "QLinearConv"): (
        _integer_layer((1, 4, 4, 4), (4, 4, 3, 3), channels_last=1),
        _integer_layer((1, 5, 7, 4), (4, 4, 3, 3), 4, channels_last=1, pads=[1, 0, 0, 1]),
    ),
    (MICROSOFT, "QLinearGlobalAveragePool"): _with({"channels_last": 1}, {}),
    (MICROSOFT, "QLinearLeakyRelu"): _with({"alpha": 0.1}),
    (MICROSOFT, "QLinearMul"): (Base(inputs=(IMAGE, (1, 4, 1, 1))),),
    (MICROSOFT, "QLinearSigmoid"): (Base(),),
    (MICROSOFT, "QLinearSoftmax"): tuple(
        Base(opset, attributes={"axis": axis, "opset": semantics}, step=1 / 256)
        for opset, semantics, axis in itertools.product((11, 13), (11, 13), (1, -1))
    ),
    (MICROSOFT, "QuantizeLinear"): _with(
        {"axis": 1}, constants=QUANTIZATION, results=(TensorProto.INT8,)
    ),
    (MICROSOFT, "QuickGelu"): _with({"alpha": 1.5}),
}  # fmt: skip
