"""Runs a .tflite file through the integer reference, reading it with the `tflite` package alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, overload

import flatbuffers
import numpy as np
import numpy.typing as npt
import tflite

from .fixed_point import INT8, INT16, INT32_MAX, INT32_MIN, Quantization, Range

Array = npt.NDArray[Any]

DTYPES: dict[int, npt.DTypeLike] = {
    tflite.TensorType.FLOAT32: np.float32,
    tflite.TensorType.INT32: np.int32,
    tflite.TensorType.UINT8: np.uint8,
    tflite.TensorType.INT64: np.int64,
    tflite.TensorType.BOOL: np.bool_,
    tflite.TensorType.INT16: np.int16,
    tflite.TensorType.INT8: np.int8,
}
RANGES = {np.dtype(np.int8): INT8, np.dtype(np.int16): INT16, np.dtype(np.int32): Range(INT32_MIN, INT32_MAX)}
OPERATOR_NAMES = {
    value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)
}


@dataclass(frozen=True)
class Tensor:
    """What the file says of a tensor; `data` is its constant, None for what is computed."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    data: Array | None
    is_variable: bool

    @property
    def quantization(self) -> Quantization:
        """Of the whole tensor; an int16 or int32 tensor without one has scale 1."""
        return Quantization(
            self.scales[0] if self.scales else 1.0, self.zero_points[0] if self.zero_points else 0
        )

    @property
    def range(self) -> Range:
        return RANGES[self.dtype]


@dataclass(frozen=True)
class Operator:
    """One operator of the file: BuiltinOperator name, tensor numbers (-1: absent) and its options table."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Any


@dataclass(frozen=True)
class Graph:
    """The first subgraph of a file."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def _read_tensor(model: Any, tensor: Any) -> Tensor:
    shape = tuple(int(d) for d in tensor.ShapeAsNumpy()) if tensor.ShapeLength() else ()
    dtype = np.dtype(DTYPES[tensor.Type()])
    quantization = tensor.Quantization()
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    if quantization is not None and quantization.ScaleLength():
        scales = tuple(float(s) for s in quantization.ScaleAsNumpy())
        zero_points = tuple(int(z) for z in quantization.ZeroPointAsNumpy())
    buffer = model.Buffers(tensor.Buffer())
    data = None
    if buffer.DataLength():
        data = np.frombuffer(buffer.DataAsNumpy().tobytes(), dtype).reshape(shape)
    return Tensor(shape, dtype, scales, zero_points, data, bool(tensor.IsVariable()))


def _operator_name(code: Any) -> str:
    """Codes stand in the old one-byte field, the new field (the fourth), or both; the larger one counts.

    The field is read here because the `tflite` package's BuiltinCode() ignores a small code that stands in
    the new field alone, as some converters write it.
    """
    offset = code._tab.Offset(10)
    new = code._tab.Get(flatbuffers.number_types.Int32Flags, offset + code._tab.Pos) if offset else 0
    name: str = OPERATOR_NAMES[max(new, code.DeprecatedBuiltinCode())]
    return name


def _read_operator(model: Any, operator: Any) -> Operator:
    kind = _operator_name(model.OperatorCodes(operator.OpcodeIndex()))
    options = None
    table = operator.BuiltinOptions()
    if table is not None:
        names = {v: k for k, v in vars(tflite.BuiltinOptions).items() if isinstance(v, int)}
        options = getattr(tflite, names[operator.BuiltinOptionsType()])()
        options.Init(table.Bytes, table.Pos)
    inputs = tuple(int(operator.Inputs(i)) for i in range(operator.InputsLength()))
    outputs = tuple(int(operator.Outputs(i)) for i in range(operator.OutputsLength()))
    return Operator(kind, inputs, outputs, options)


def read_graph(source: str | Path | bytes) -> Graph:
    """Read a file, or its bytes."""
    content = source if isinstance(source, bytes) else Path(source).read_bytes()
    model = tflite.Model.GetRootAs(content, 0)
    subgraph = model.Subgraphs(0)
    return Graph(
        tuple(_read_tensor(model, subgraph.Tensors(i)) for i in range(subgraph.TensorsLength())),
        tuple(_read_operator(model, subgraph.Operators(i)) for i in range(subgraph.OperatorsLength())),
        tuple(int(subgraph.Inputs(i)) for i in range(subgraph.InputsLength())),
        tuple(int(subgraph.Outputs(i)) for i in range(subgraph.OutputsLength())),
    )


@dataclass
class Run:
    """Values of all tensors so far, and the operator that is about to run."""

    graph: Graph
    values: dict[int, Array]
    operator: Operator = field(init=False)

    def tensor(self, index: int) -> Tensor:
        """What the file says of the operator's input `index`."""
        return self.graph.tensors[self.operator.inputs[index]]

    def value(self, index: int) -> Array:
        return self.values[self.operator.inputs[index]]

    def optional(self, index: int) -> Array | None:
        """An input that may be absent, as biases are."""
        present = index < len(self.operator.inputs) and self.operator.inputs[index] >= 0
        return self.value(index) if present else None

    @property
    def output(self) -> Tensor:
        return self.graph.tensors[self.operator.outputs[0]]


Handler = Callable[[Run], Sequence[Array]]


def initial_values(graph: Graph) -> dict[int, Array]:
    """Constants, and variable tensors as a reset leaves them: int8 at the zero point, others 0."""
    values = {}
    for index, tensor in enumerate(graph.tensors):
        if tensor.data is not None:
            values[index] = tensor.data
        elif tensor.is_variable:
            fill = tensor.quantization.zero_point if tensor.dtype == np.int8 else 0
            values[index] = np.full(tensor.shape, fill, tensor.dtype)
    return values


def run_graph(
    graph: Graph, inputs: Sequence[npt.ArrayLike], values: dict[int, Array]
) -> tuple[list[Array], dict[int, Array]]:
    """Run once; `values` holds constants and state and is updated with every tensor computed."""
    from .handlers import HANDLERS

    run = Run(graph, values)
    for index, given in zip(graph.inputs, inputs, strict=True):
        tensor = graph.tensors[index]
        values[index] = np.asarray(given, tensor.dtype).reshape(tensor.shape)
    for operator in graph.operators:
        run.operator = operator
        results = HANDLERS[operator.kind](run)
        for index, result in zip(operator.outputs, results, strict=True):
            tensor = graph.tensors[index]
            values[index] = np.asarray(result).reshape(tensor.shape).astype(tensor.dtype)
    return [values[index] for index in graph.outputs], values


@overload
def run_tflite(
    source: str | Path | bytes, inputs: Sequence[npt.ArrayLike], layers: Literal[False] = False
) -> list[Array]: ...


@overload
def run_tflite(
    source: str | Path | bytes, inputs: Sequence[npt.ArrayLike], layers: Literal[True]
) -> tuple[list[Array], Mapping[int, Array]]: ...


def run_tflite(
    source: str | Path | bytes, inputs: Sequence[npt.ArrayLike], layers: bool = False
) -> list[Array] | tuple[list[Array], Mapping[int, Array]]:
    """Run a .tflite file on one case, from fresh state; inputs in file order.

    Returns the outputs in file order, with `layers` also every tensor by its number. An operator the
    reference does not know raises KeyError with its name.
    """
    graph = read_graph(source)
    outputs, values = run_graph(graph, inputs, initial_values(graph))
    return (outputs, values) if layers else outputs
