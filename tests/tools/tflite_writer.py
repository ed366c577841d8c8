"""Write small .tflite files, operator by operator, for tests.

    net = TFLiteWriter()
    x = net.add_tensor("x", (1, 8), scale=0.1, zero_point=-3)
    y = net.add_tensor("y", (1, 8), scale=0.1, zero_point=-3)
    net.add_operator("RELU", [x], [y])
    blob = net.finish([x], [y])

The schema is that of tensorflow/lite/schema.fbs, version 3, through the builder functions of the `tflite`
package. Nothing is checked: a test may well want a file that is wrong.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import flatbuffers  # type: ignore[import-untyped]
import numpy as np
import tflite
from numpy.typing import ArrayLike, NDArray

SCHEMA_VERSION = 3
BUFFER_ALIGNMENT = 16
Field = bool | int | float | str | Sequence[int]


def _code(enumeration: str, name: str) -> int:
    """Number of a member of one of the schema's enumerations, e.g. ("Padding", "SAME")."""
    value: int = getattr(getattr(tflite, enumeration), name)
    return value


class TFLiteWriter:
    """A model of one subgraph under construction. Tensors are known by their index.

    first: the writer of the first subgraph, where this is of another one of the same file.
    """

    def __init__(self, first: "TFLiteWriter | None" = None) -> None:
        self._tensors: list[int] = []
        self._operators: list[int] = []
        self._others: list[TFLiteWriter] = []
        self._builder: flatbuffers.Builder = first._builder if first else flatbuffers.Builder(1024)
        # The schema keeps buffer 0 empty.
        self._buffers: list[int] = first._buffers if first else [self._table("Buffer", {})]
        # From code, custom name and version to index.
        self._codes: dict[tuple[int, str, int], int] = first._codes if first else {}
        if first:
            first._others.append(self)

    def add_tensor(
        self,
        name: str,
        shape: Sequence[int],
        dtype: str = "int8",
        scale: ArrayLike | None = None,
        zero_point: ArrayLike = 0,
        axis: int = 0,
        data: NDArray[Any] | None = None,
        variable: bool = False,
        sparse: bool = False,
    ) -> int:
        """A tensor, and its index.

        dtype: as numpy names it, or "bool", "int4", "resource". scale, zero_point: one value, or one for
        each index along `axis`; no scale: not quantised. data: a constant, of any dtype that converts.
        variable: state that outlives an invocation. sparse: says so, but nothing of where the elements are.
        """
        fields: dict[str, Any] = {
            "Name": self._builder.CreateString(name),
            "Shape": self._vector(shape, "int32"),
            "Type": _code("TensorType", dtype.upper()),
            "Buffer": 0,
            "IsVariable": variable,
        }
        if scale is not None:
            scales = np.atleast_1d(np.asarray(scale, np.float32))
            zero_points = np.broadcast_to(np.asarray(zero_point, np.int64), scales.shape)
            quantization = {
                "Scale": self._vector(scales, "float32"),
                "ZeroPoint": self._vector(zero_points, "int64"),
                "QuantizedDimension": axis,
            }
            fields["Quantization"] = self._table("QuantizationParameters", quantization)
        if sparse:
            fields["Sparsity"] = self._table("SparsityParameters", {})
        if data is not None:
            content = {"Data": self._vector(_stored(np.asarray(data), dtype), "uint8", BUFFER_ALIGNMENT)}
            self._buffers.append(self._table("Buffer", content))
            fields["Buffer"] = len(self._buffers) - 1
        self._tensors.append(self._table("Tensor", fields))
        return len(self._tensors) - 1

    def add_operator(
        self,
        kind: str,
        inputs: Sequence[int],
        outputs: Sequence[int],
        options: str = "",
        version: int = 1,
        custom: str = "",
        **fields: Field,
    ) -> int:
        """An operator, and its index.

        kind: as in the schema, "CONV_2D"; for "CUSTOM", `custom` is its name. inputs: -1 where an optional
        one is absent. options: the schema's table, "Conv2DOptions", whose fields follow in the spelling of
        the builder functions: StrideH=2, Padding=PADDING["SAME"], NewShape=[1, 10].
        """
        table: dict[str, Any] = {
            "OpcodeIndex": self._codes.setdefault(
                (_code("BuiltinOperator", kind), custom, version), len(self._codes)
            ),
            "Inputs": self._vector(inputs, "int32"),
            "Outputs": self._vector(outputs, "int32"),
        }
        if options:
            lowered = {name: self._lowered(value) for name, value in fields.items()}
            table["BuiltinOptionsType"] = _code("BuiltinOptions", options)
            table["BuiltinOptions"] = self._table(options, lowered)
        self._operators.append(self._table("Operator", table))
        return len(self._operators) - 1

    def finish(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        """The file; its other subgraphs have no inputs and outputs. Nothing can be added afterwards."""
        codes = [self._operator_code(*key) for key in self._codes]
        subgraphs = [self._subgraph(inputs, outputs), *(other._subgraph([], []) for other in self._others)]
        model = self._table(
            "Model",
            {
                "Version": SCHEMA_VERSION,
                "OperatorCodes": self._offsets(codes),
                "Subgraphs": self._offsets(subgraphs),
                "Buffers": self._offsets(self._buffers),
            },
        )
        self._builder.Finish(model, file_identifier=b"TFL3")
        return bytes(self._builder.Output())

    def _subgraph(self, inputs: Sequence[int], outputs: Sequence[int]) -> int:
        return self._table(
            "SubGraph",
            {
                "Tensors": self._offsets(self._tensors),
                "Inputs": self._vector(inputs, "int32"),
                "Outputs": self._vector(outputs, "int32"),
                "Operators": self._offsets(self._operators),
            },
        )

    def _operator_code(self, code: int, custom: str, version: int) -> int:
        # Old readers know only the one-byte field, which stops at 127.
        fields: dict[str, Any] = {
            "DeprecatedBuiltinCode": min(code, _code("BuiltinOperator", "PLACEHOLDER_FOR_GREATER_OP_CODES")),
            "BuiltinCode": code,
            "Version": version,
        }
        if custom:
            fields["CustomCode"] = self._builder.CreateString(custom)
        return self._table("OperatorCode", fields)

    def _table(self, table: str, fields: dict[str, Any]) -> int:
        """A table of the schema; vectors, strings and tables among the fields are offsets already made."""
        self._call(table, "Start")
        for field, value in fields.items():
            self._call(table, "Add" + field, value)
        return self._call(table, "End")

    def _lowered(self, value: Field) -> Any:
        """A number as it is, a string or a vector as its offset."""
        if isinstance(value, str):
            return self._builder.CreateString(value)
        return self._vector(value, "int32") if isinstance(value, Sequence) else value

    def _call(self, table: str, action: str, *values: Any) -> int:
        function: Callable[..., int] = getattr(tflite, table + action)
        return function(self._builder, *values)

    def _vector(self, values: ArrayLike, dtype: str, alignment: int = 1) -> int:
        """A vector of numbers, its first byte a multiple of `alignment` from the end of the file."""
        array = np.asarray(values, dtype)
        self._builder.Prep(alignment, array.nbytes)
        return int(self._builder.CreateNumpyVector(array))

    def _offsets(self, offsets: Sequence[int]) -> int:
        self._builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            self._builder.PrependUOffsetTRelative(offset)
        return int(self._builder.EndVector())


def _stored(data: NDArray[Any], dtype: str) -> NDArray[np.uint8]:
    """The bytes of a constant; those of "int4" hold two numbers, the first in the low bits."""
    if dtype == "int4":
        pairs = np.append(data.reshape(-1), [0] * (data.size % 2)).astype(np.int8).reshape(-1, 2)
        return (pairs[:, 0] & 15 | pairs[:, 1] << 4).view(np.uint8)
    return np.frombuffer(data.astype(np.dtype(dtype).newbyteorder("<")).tobytes(), np.uint8)


PADDING = {"SAME": _code("Padding", "SAME"), "VALID": _code("Padding", "VALID")}
ACTIVATION = {
    name: _code("ActivationFunctionType", name)
    for name in ("NONE", "RELU", "RELU6", "RELU_N1_TO_1", "TANH", "SIGN_BIT")
}


def run_litert(model: bytes | Path, cases: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    """Outputs of LiteRT's reference kernels: one array for each model output, with a leading axis of cases.

    cases: one array for each model input, with a leading axis of cases that the file's shape lacks.
    LiteRT's FULLY_CONNECTED rounds once where TFLM rounds twice, which may be a step apart.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    content = model if isinstance(model, bytes) else model.read_bytes()
    interpreter = Interpreter(
        model_content=content, experimental_op_resolver_type=OpResolverType.BUILTIN_REF, num_threads=1
    )
    interpreter.allocate_tensors()
    results: list[list[NDArray[Any]]] = [[] for _ in interpreter.get_output_details()]
    for case in zip(*cases, strict=True):
        for detail, value in zip(interpreter.get_input_details(), case, strict=True):
            interpreter.set_tensor(detail["index"], value)
        interpreter.invoke()
        for result, detail in zip(results, interpreter.get_output_details(), strict=True):
            result.append(interpreter.get_tensor(detail["index"]))
    return [np.stack(result) for result in results]
