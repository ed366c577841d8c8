"""Random small int8 TFLite models over the operator set, from a seed."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tests.tools.tflite_writer import ACTIVATION, PADDING, TFLiteWriter

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Value:
    """An int8 tensor of the graph; of rank 4, but for the results of dense layers."""

    index: int
    shape: Shape
    scale: float
    zero_point: int


@dataclass(frozen=True)
class RandomModel:
    """A model file and the shapes of its inputs."""

    content: bytes
    input_shapes: tuple[Shape, ...]

    def cases(self, generator: np.random.Generator, count: int) -> list[np.ndarray]:
        """Random inputs, each with a leading axis of `count` cases in the place of the batch."""
        return [
            generator.integers(-128, 128, (count, *shape[1:]), dtype=np.int8) for shape in self.input_shapes
        ]


class _Graph:
    def __init__(self, generator: np.random.Generator) -> None:
        self.random = generator
        self.writer = TFLiteWriter()
        self.values: list[Value] = []
        self.finals: list[Value] = []
        self.count = 0

    def choose(self, *options: int) -> int:
        return int(self.random.choice(options))

    def quantization(self, scale: float | None = None) -> tuple[float, int]:
        """A scale, by default around 0.05, and any zero point, the extremes often."""
        if scale is None:
            scale = float(np.exp(self.random.uniform(np.log(0.01), np.log(0.2))))
        zero_point = self.choose(-128, 127, 0, int(self.random.integers(-128, 128)))
        return float(np.float32(scale)), zero_point

    def tensor(self, shape: Shape, scale: float, zero_point: int) -> Value:
        """A new tensor that operators may read from now on."""
        index = self.writer.add_tensor(f"t{self.count}", shape, scale=scale, zero_point=zero_point)
        self.count += 1
        value = Value(index, shape, scale, zero_point)
        self.values.append(value)
        return value

    def like(self, value: Value, shape: Shape | None = None) -> Value:
        return self.tensor(value.shape if shape is None else shape, value.scale, value.zero_point)

    def constant(self, data: np.ndarray, scale: object = None, zero_point: int = 0, axis: int = 0) -> int:
        self.count += 1
        return self.writer.add_tensor(
            f"c{self.count}",
            data.shape,
            str(data.dtype),
            scale,  # type: ignore[arg-type]
            zero_point,
            axis,
            data,
        )

    def operand(self) -> Value:
        """Any tensor, recent ones more often."""
        position = len(self.values) - 1 - int(self.random.geometric(0.5) - 1)
        return self.values[max(position, 0)]

    def activation(self) -> int:
        return ACTIVATION[str(self.random.choice(["NONE", "NONE", "RELU", "RELU6"]))]

    def weights(self, shape: Shape, channels: int, axis: int) -> tuple[int, np.ndarray]:
        """A weight constant, per channel or per tensor, and its scales."""
        scales = self.random.uniform(0.002, 0.02, channels if self.random.random() < 0.7 else 1)
        scales = scales.astype(np.float32)
        data = self.random.integers(-127, 128, shape, dtype=np.int8)
        return self.constant(data, scales if scales.size > 1 else float(scales[0]), axis=axis), scales

    def bias(self, channels: int, scales: np.ndarray, source: Value) -> int:
        data = self.random.integers(-3000, 3000, channels, dtype=np.int32)
        products = (np.float32(source.scale) * scales).astype(np.float32)
        return self.constant(data, products if products.size > 1 else float(products[0]))

    def convolve(self, kind: str) -> None:
        source = self.operand()
        _, height, width, channels = source.shape
        same = bool(self.random.random() < 0.6)
        kernels, strides, dilations, sizes = [], [], [], []
        stride = self.choose(1, 1, 2)
        for size in (height, width):
            kernel = int(self.random.integers(1, 5))
            dilation = self.choose(1, 1, 2) if stride == 1 else 1
            reach = (kernel - 1) * dilation + 1
            if not same and reach > size:
                kernel, dilation, reach = 1, 1, 1
            kernels.append(kernel)
            strides.append(stride)
            dilations.append(dilation)
            sizes.append(-(-size // stride) if same else (size - reach) // stride + 1)
        fields = {
            "Padding": PADDING["SAME" if same else "VALID"],
            "StrideW": strides[1],
            "StrideH": strides[0],
            "FusedActivationFunction": self.activation(),
            "DilationWFactor": dilations[1],
            "DilationHFactor": dilations[0],
        }
        if kind == "CONV_2D":
            outputs = int(self.random.integers(1, 7))
            weights, scales = self.weights((outputs, *kernels, channels), outputs, 0)
            terms = kernels[0] * kernels[1] * channels
        else:
            multiplier = self.choose(1, 1, 2)
            outputs = channels * multiplier
            weights, scales = self.weights((1, *kernels, outputs), outputs, 3)
            fields["DepthMultiplier"] = multiplier
            terms = kernels[0] * kernels[1]
        spread = source.scale * float(scales.mean()) * 70 * np.sqrt(terms)
        bias = self.bias(outputs, scales, source)
        result = self.tensor((1, *sizes, outputs), *self.quantization(spread * self.random.uniform(0.5, 2)))
        options = "Conv2DOptions" if kind == "CONV_2D" else "DepthwiseConv2DOptions"
        self.writer.add_operator(kind, [source.index, weights, bias], [result.index], options, **fields)

    def combine(self, kind: str, options: str) -> None:
        """An elementwise operator: with a tensor of the same shape, itself, or a constant that broadcasts."""
        source = self.operand()
        others = [value for value in self.values if value.shape == source.shape]
        if self.random.random() < 0.6:
            other = others[int(self.random.integers(len(others)))]
            index, scale = other.index, other.scale
        else:
            shape = source.shape if self.random.random() < 0.5 else (source.shape[3],)
            scale, zero_point = self.quantization()
            index = self.constant(self.random.integers(-128, 128, shape, dtype=np.int8), scale, zero_point)
        spread = source.scale * scale * 100 if kind == "MUL" else max(source.scale, scale) * 1.5
        result = self.tensor(source.shape, *self.quantization(spread))
        operands = [source.index, index]
        if self.random.random() < 0.3:
            operands.reverse()
        fields = {"FusedActivationFunction": self.activation()}
        self.writer.add_operator(kind, operands, [result.index], options, **fields)

    def extreme(self, kind: str) -> None:
        source = self.operand()
        data = self.random.integers(-128, 128, source.shape, dtype=np.int8)
        other = self.constant(data, source.scale, source.zero_point)
        self.writer.add_operator(
            kind, [source.index, other], [self.like(source).index], "MaximumMinimumOptions"
        )

    def pool(self, kind: str) -> None:
        source = self.operand()
        same = bool(self.random.random() < 0.5)
        stride = self.choose(1, 2)
        filters = [int(self.random.integers(1, min(size, 4) + 1)) for size in source.shape[1:3]]
        sizes = [
            -(-size // stride) if same else (size - reach) // stride + 1
            for size, reach in zip(source.shape[1:3], filters, strict=True)
        ]
        result = self.like(source, (1, *sizes, source.shape[3]))
        fields = {
            "Padding": PADDING["SAME" if same else "VALID"],
            "StrideW": stride,
            "StrideH": stride,
            "FilterWidth": filters[1],
            "FilterHeight": filters[0],
        }
        self.writer.add_operator(kind, [source.index], [result.index], "Pool2DOptions", **fields)

    def requantize(self) -> None:
        source = self.operand()
        scale = source.scale * self.random.uniform(0.4, 2.5)
        result = self.tensor(source.shape, *self.quantization(scale))
        self.writer.add_operator("QUANTIZE", [source.index], [result.index], "QuantizeOptions")

    def concatenate(self) -> None:
        """The source with itself, or with what else has its shape, brought to its scale."""
        source, parts = self.operand(), []
        for value in [value for value in self.values if value.shape == source.shape][:2]:
            same = (value.scale, value.zero_point) == (source.scale, source.zero_point)
            part = value if same else self.like(source)
            if not same:
                self.writer.add_operator("QUANTIZE", [value.index], [part.index], "QuantizeOptions")
            parts.append(part)
        axis = self.choose(1, 2, 3)
        shape = list(source.shape)
        shape[axis] *= len(parts) + 1
        result = self.like(source, tuple(shape))
        operands = [part.index for part in (source, *parts)]
        self.writer.add_operator("CONCATENATION", operands, [result.index], "ConcatenationOptions", Axis=axis)

    def pad(self) -> None:
        source = self.operand()
        margins = np.zeros((4, 2), np.int32)
        margins[1:3] = self.random.integers(0, 3, (2, 2))
        shape = tuple(int(size + margins[axis].sum()) for axis, size in enumerate(source.shape))
        self.writer.add_operator(
            "PAD", [source.index, self.constant(margins)], [self.like(source, shape).index], "PadOptions"
        )

    def slice(self) -> None:
        source = self.operand()
        begin = np.array([0, *(int(self.random.integers(0, size)) for size in source.shape[1:])], np.int32)
        end = np.array(source.shape, np.int32)
        steps = np.array([1, *(self.choose(1, 1, 2) for _ in range(3))], np.int32)
        shape = tuple(
            int(-(-(stop - start) // step)) for start, stop, step in zip(begin, end, steps, strict=True)
        )
        operands = [source.index, *(self.constant(array) for array in (begin, end, steps))]
        self.writer.add_operator(
            "STRIDED_SLICE", operands, [self.like(source, shape).index], "StridedSliceOptions"
        )

    def split(self) -> None:
        source = self.operand()
        axes = [axis for axis in (1, 2, 3) if source.shape[axis] % 2 == 0]
        if not axes:
            return
        axis = self.choose(*axes)
        shape = list(source.shape)
        shape[axis] //= 2
        halves = [self.like(source, tuple(shape)).index for _ in range(2)]
        operands = [self.constant(np.array([axis], np.int32)), source.index]
        self.writer.add_operator("SPLIT", operands, halves, "SplitOptions", NumSplits=2)

    def transpose(self) -> None:
        source = self.operand()
        order = np.array([0, *(1 + self.random.permutation(3))], np.int32)
        result = self.like(source, tuple(source.shape[axis] for axis in order))
        operands = [source.index, self.constant(order)]
        self.writer.add_operator("TRANSPOSE", operands, [result.index], "TransposeOptions")

    def reshape(self) -> None:
        source = self.operand()
        _, height, width, channels = source.shape
        shape = (
            (1, width, height, channels) if self.random.random() < 0.5 else (1, 1, height * width, channels)
        )
        self.writer.add_operator(
            "RESHAPE",
            [source.index, self.constant(np.array(shape, np.int32))],
            [self.like(source, shape).index],
            "ReshapeOptions",
            NewShape=list(shape),
        )

    def resize(self, kind: str, options: str) -> None:
        source = self.operand()
        size = self.random.integers(1, 9, 2).astype(np.int32)
        result = self.like(source, (1, int(size[0]), int(size[1]), source.shape[3]))
        mode = self.choose(0, 1, 2)
        fields = {"AlignCorners": mode == 1, "HalfPixelCenters": mode == 2}
        operands = [source.index, self.constant(size)]
        self.writer.add_operator(kind, operands, [result.index], options, **fields)

    def reduce(self, kind: str) -> None:
        source = self.operand()
        axes = sorted(self.random.choice([1, 2, 3], int(self.random.integers(1, 3)), replace=False).tolist())
        shape = tuple(1 if axis in axes else size for axis, size in enumerate(source.shape))
        count = int(np.prod([source.shape[axis] for axis in axes]))
        scale = source.scale * (np.sqrt(count) if kind == "SUM" else 1)
        result = self.tensor(shape, *self.quantization(scale))
        operands = [source.index, self.constant(np.array(axes, np.int32))]
        self.writer.add_operator(kind, operands, [result.index], "ReducerOptions", KeepDims=True)

    def activate(self, kind: str) -> None:
        source = self.operand()
        fixed = {"LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0), "SOFTMAX": (1 / 256, -128)}
        if kind == "RELU6":
            result = self.like(source)
        else:
            result = self.tensor(source.shape, *fixed.get(kind, self.quantization(source.scale)))
        options = {"LEAKY_RELU": "LeakyReluOptions", "SOFTMAX": "SoftmaxOptions"}.get(kind, "")
        fields = {"LEAKY_RELU": {"Alpha": 0.1}, "SOFTMAX": {"Beta": 1.0}}.get(kind, {})
        self.writer.add_operator(kind, [source.index], [result.index], options, **fields)

    def dense(self) -> None:
        source = self.operand()
        outputs = int(self.random.integers(1, 8))
        length = int(np.prod(source.shape))
        weights, scales = self.weights((outputs, length), 1, 0)
        spread = source.scale * float(scales[0]) * 70 * np.sqrt(length)
        bias = self.bias(outputs, scales, source)
        flat = self.like(source, (1, length))
        result = self.tensor((1, outputs), *self.quantization(spread))
        # Neither has rank 4: no other operator may read them.
        self.values.remove(flat)
        self.values.remove(result)
        shape = self.constant(np.array([1, length], np.int32))
        self.writer.add_operator(
            "RESHAPE", [source.index, shape], [flat.index], "ReshapeOptions", NewShape=[1, length]
        )
        self.writer.add_operator(
            "FULLY_CONNECTED",
            [flat.index, weights, bias],
            [result.index],
            "FullyConnectedOptions",
            FusedActivationFunction=self.activation(),
        )
        self.finals.append(result)

    def steps(self) -> list[Callable[[], None]]:
        """Every kind of operator, the frequent ones more often."""
        return [
            *(lambda: self.convolve("CONV_2D"),) * 4,
            *(lambda: self.convolve("DEPTHWISE_CONV_2D"),) * 3,
            *(lambda: self.combine("ADD", "AddOptions"),) * 3,
            lambda: self.combine("SUB", "SubOptions"),
            lambda: self.combine("MUL", "MulOptions"),
            lambda: self.extreme("MAXIMUM"),
            lambda: self.extreme("MINIMUM"),
            lambda: self.pool("AVERAGE_POOL_2D"),
            lambda: self.pool("MAX_POOL_2D"),
            self.requantize,
            self.concatenate,
            self.pad,
            self.slice,
            self.split,
            self.transpose,
            self.reshape,
            lambda: self.resize("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions"),
            lambda: self.resize("RESIZE_BILINEAR", "ResizeBilinearOptions"),
            lambda: self.reduce("MEAN"),
            lambda: self.reduce("SUM"),
            *(
                lambda kind=kind: self.activate(kind)
                for kind in ("LOGISTIC", "TANH", "RELU", "RELU6", "LEAKY_RELU", "HARD_SWISH", "SOFTMAX")
            ),
            self.dense,
        ]


def random_model(seed: int, operators: int = 8) -> RandomModel:
    """A model of about `operators` operators, with branches, unread tensors, several inputs and outputs."""
    generator = np.random.default_rng(seed)
    graph = _Graph(generator)
    inputs = []
    for _ in range(1 + (generator.random() < 0.3)):
        height, width, channels = (int(generator.integers(1, most)) for most in (9, 9, 6))
        inputs.append(graph.tensor((1, height, width, channels), *graph.quantization()))
    steps = graph.steps()
    for _ in range(operators):
        steps[int(generator.integers(len(steps)))]()
    computed = [value for value in graph.values if value not in inputs]
    outputs = [*graph.finals, *computed[-1:]]
    if computed and generator.random() < 0.3:
        outputs.append(computed[int(generator.integers(len(computed)))])
    if not outputs or generator.random() < 0.1:
        outputs.append(inputs[0])
    unique = {value.index: value for value in outputs}
    content = graph.writer.finish([value.index for value in inputs], list(unique))
    return RandomModel(content, tuple(value.shape for value in inputs))
