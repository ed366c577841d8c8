"""TFLite models whose quantization is drawn at random, and not only at random.

What rounds one way or the other by the last bit of a multiplier is rare with scales just drawn: an output
of 8 bits tells float32 from double once in 100,000. So most output scales are chosen such that some whole
number of the operator's own steps lies in the middle between two outputs, on one side of it in float32 and on
the other in double where such a scale is found.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.reference.fixed_point import multiply_by_quantized_multiplier, quantize_multiplier
from tests.tools.tflite_writer import ACTIVATION, TFLiteWriter

Shape = tuple[int, ...]
Array = NDArray[Any]


@dataclass(frozen=True)
class Operand:
    """A tensor of the model under construction."""

    index: int
    shape: Shape
    scale: float
    zero_point: int


def tied_scale(unit: float, steps: int, ratio: float) -> float:
    """A float32 near unit x ratio of which `steps` x unit is a whole number and a half, but for the last bit.

    The first of the two roundings goes up by half of the last bit that it keeps.
    """
    middle = np.floor(steps / ratio) + 0.5
    bits = -np.frexp(middle / steps)[1]
    return float(np.float32(unit * steps / (middle - (0.5 ** (bits + 1) if bits > 0 else 0.0))))


def tells_precision(unit: float, steps: int, scale: float) -> bool:
    """Whether `steps` x unit is another output where the factor, or a product in it, is a float32."""
    factors = (unit / scale, float(np.float32(unit)) / scale, float(np.float32(unit / scale)))
    return (
        len({int(multiply_by_quantized_multiplier(steps, *quantize_multiplier(each))) for each in factors})
        > 1
    )


@dataclass
class RandomModel:
    """Draws tensors, and keeps the model's inputs with their values.

    dtype: of activations.
    """

    generator: np.random.Generator
    dtype: str
    writer: TFLiteWriter = field(default_factory=TFLiteWriter)
    inputs: list[Array] = field(default_factory=list)
    sources: list[int] = field(default_factory=list)
    results: list[int] = field(default_factory=list)
    tensors: int = 0

    def choose(self, *choices: Any) -> Any:
        return choices[int(self.generator.integers(len(choices)))]

    def happens(self, probability: float) -> bool:
        return bool(self.generator.random() < probability)

    def scale(self, low: float = 2e-3, high: float = 0.5) -> float:
        """A float32, its logarithm uniform between the bounds; now and then a power of two."""
        value = float(np.exp(self.generator.uniform(np.log(low), np.log(high))))
        return float(np.float32(2.0 ** np.round(np.log2(value)) if self.happens(0.1) else value))

    def scale_for(self, unit: float, *ratios: float, sums: Any = ()) -> float:
        """An output scale near one of unit x ratios; most of the time it puts a multiple of `unit` on a tie.

        sums: multiples of `unit` that occur, if not all small ones do.
        """
        occurring = np.abs(np.asarray(sums)[np.nonzero(sums)])
        ratio = self.choose(*ratios) * self.generator.uniform(0.7, 1.4)
        scale = float(np.float32(unit * ratio))
        for _ in range(0 if self.happens(0.3) else 8):
            ratio = self.choose(*ratios) * self.generator.uniform(0.7, 1.4)
            small = self.generator.integers(1, 2 + round(120 * ratio))
            steps = int(self.choose(*occurring) if occurring.size else small)
            scale = tied_scale(unit, steps, ratio)
            if tells_precision(unit, steps, scale):
                break
        return scale

    def zero_point(self) -> int:
        if self.dtype != "int8":
            return 0
        return int(self.choose(-128, 0, 127, *self.generator.integers(-128, 128, 3).tolist()))

    def values(self, shape: Shape, dtype: str) -> Array:
        """Of the whole range, its ends among them; some tensors have small numbers only."""
        limits = np.iinfo(dtype)
        values = self.generator.integers(limits.min, limits.max + 1, shape)
        if self.happens(0.2):
            values >>= limits.bits // 2
        values.flat[:2] = (limits.min, limits.max)[: values.size]
        return values.astype(dtype)

    def tensor(self, shape: Shape, dtype: str, scale: Any = None, **more: Any) -> Operand:
        """Any tensor; see TFLiteWriter.add_tensor."""
        self.tensors += 1
        index = self.writer.add_tensor(f"t{self.tensors}", shape, dtype, scale, **more)
        single = 1.0 if scale is None else float(np.atleast_1d(scale)[0])
        return Operand(index, tuple(shape), single, int(more.get("zero_point", 0)))

    def input(self, shape: Shape, scale: float | None = None, zero_point: int | None = None) -> Operand:
        """An input of the model; scale and zero point are drawn unless given."""
        scale = self.scale() * (1 if self.dtype == "int8" else 2.0**-8) if scale is None else scale
        zero_point = self.zero_point() if zero_point is None else zero_point
        operand = self.tensor(shape, self.dtype, scale, zero_point=zero_point)
        self.sources.append(operand.index)
        self.inputs.append(self.values(shape, self.dtype))
        return operand

    def output(
        self, shape: Shape, scale: float | None, zero_point: int | None = None, dtype: str = ""
    ) -> Operand:
        """An output of the model; the zero point is drawn unless given."""
        zero_point = self.zero_point() if zero_point is None else zero_point
        operand = self.tensor(shape, dtype or self.dtype, scale, zero_point=zero_point)
        self.results.append(operand.index)
        return operand

    def integers(self, values: Any) -> Operand:
        """A constant of int32: axes, paddings, sizes."""
        data = np.array(values, np.int32)
        return self.tensor(data.shape, "int32", data=data)

    def add(
        self, kind: str, inputs: Sequence[Operand | None], outputs: Sequence[Operand],
        options: str = "", **fields: Any,
    ) -> None:  # fmt: skip
        """An operator; inputs that are None are left out."""
        indices = [operand.index for operand in inputs if operand is not None]
        self.writer.add_operator(kind, indices, [output.index for output in outputs], options, **fields)

    def activation(self) -> int:
        return ACTIVATION[self.choose("NONE", "RELU", "RELU6", "RELU_N1_TO_1")]

    @property
    def content(self) -> bytes:
        """The file; nothing can be added once it is asked for."""
        return self.writer.finish(self.sources, self.results)
