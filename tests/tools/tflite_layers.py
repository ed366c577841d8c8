"""One operator with its operands as a value that tests can change, write and run.

layer = Layer("RELU", (Operand((1, 8), scale=0.1),), (Operand((1, 8), scale=0.1),))
blob, inputs = write_layers([layer])
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.tools.tflite_writer import Field, TFLiteWriter

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Operand:
    """A tensor; `scale` () is none, one entry a scale of the whole tensor, more of them one for each channel.

    data: what a constant holds. variable: a state tensor.
    """

    shape: tuple[int, ...]
    dtype: str = "int8"
    scale: float | tuple[float, ...] = 0.1
    zero_point: int = 0
    axis: int = 0
    data: Array | None = None
    variable: bool = False

    @property
    def is_input(self) -> bool:
        """Whether the model's user gives it."""
        return self.data is None and not self.variable


@dataclass(frozen=True, eq=False)
class Layer:
    """An operator; None among `operands` is one that is left out. `fields` are those of its options table."""

    kind: str
    operands: tuple[Operand | None, ...]
    results: tuple[Operand, ...]
    options: str = ""
    fields: dict[str, Field] = field(default_factory=dict)
    version: int = 1

    def with_field(self, name: str, value: Field) -> "Layer":
        """The same with another value of an option."""
        return replace(self, fields={**self.fields, name: value})

    def with_version(self, version: int) -> "Layer":
        """The same in another version of its kernel."""
        return replace(self, version=version)

    def with_shapes(self, shapes: Sequence[tuple[int, ...]]) -> "Layer":
        """The same with results of other shapes."""
        results = [replace(result, shape=shape) for result, shape in zip(self.results, shapes, strict=True)]
        return replace(self, results=tuple(results))

    @property
    def inputs(self) -> list[Operand]:
        """The operands that the model's user gives."""
        return [operand for operand in self.operands if operand is not None and operand.is_input]


def write_layers(layers: Sequence[Layer]) -> bytes:
    """A file in which the layers stand side by side, with the inputs and the outputs of all in order."""
    net = TFLiteWriter()
    inputs, outputs = [], []
    for number, layer in enumerate(layers):
        indices = []
        for position, operand in enumerate(layer.operands):
            indices.append(-1 if operand is None else _add(net, f"layer{number}_in{position}", operand))
            if operand is not None and operand.is_input:
                inputs.append(indices[-1])
        results = [
            _add(net, f"layer{number}_out{position}", result) for position, result in enumerate(layer.results)
        ]
        outputs += results
        net.add_operator(layer.kind, indices, results, layer.options, version=layer.version, **layer.fields)
    return net.finish(inputs, outputs)


def _add(net: TFLiteWriter, name: str, operand: Operand) -> int:
    return net.add_tensor(
        name,
        operand.shape,
        operand.dtype,
        scale=operand.scale if np.size(operand.scale) else None,
        zero_point=operand.zero_point,
        axis=operand.axis,
        data=operand.data,
        variable=operand.variable,
    )


def values_for(layer: Layer, generator: np.random.Generator) -> list[Array]:
    """Any integers for each input of a layer, and real numbers in -4..4."""
    values: list[Array] = []
    for operand in layer.inputs:
        if operand.dtype == "float32":
            values.append(generator.uniform(-4, 4, operand.shape).astype(np.float32))
            continue
        limits = np.iinfo(operand.dtype)
        low, high = max(limits.min, -40000), min(limits.max, 40000)
        values.append(generator.integers(low, high + 1, operand.shape).astype(operand.dtype))
    return values
