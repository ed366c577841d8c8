"""The TFLite frontend: an int8 (or 16x8) .tflite file as a Relax module in the normal form."""

import re
from pathlib import Path

import tvm
from tvm import relax

from tinycc.edges import Edge, Edges, with_edges
from tinycc.frontend.tflite_check import check
from tinycc.frontend.tflite_converter import TfliteConverter
from tinycc.frontend.tflite_file import FileTensor, TfliteFile, read_tflite


def load_tflite(path: Path) -> tvm.IRModule:
    """Import a file.

    Raises ModelError where the file is malformed, UnsupportedError where it holds what tinycc does not do.
    """
    file = read_tflite(path)
    check(file)
    return _convert(file)


def _convert(file: TfliteFile) -> tvm.IRModule:
    builder = relax.BlockBuilder()
    variables = _input_variables(file)
    with builder.function("main", list(variables.values())):
        with builder.dataflow():
            converter = TfliteConverter(file, builder, variables)
            converter.convert_op_to_relax()
            results = [converter.operand(index) for index in file.outputs]
            result = builder.emit_output(results[0] if len(results) == 1 else relax.Tuple(results))
        builder.emit_func_output(result)
    module = builder.get()
    module["main"] = with_edges(module["main"], _edges(file))
    return module


def _input_variables(file: TfliteFile) -> dict[int, relax.Var]:
    names: set[str] = set()
    variables = {}
    for position, index in enumerate(file.inputs):
        tensor = file.tensors[index]
        name = re.sub(r"\W", "_", tensor.name)
        name = name if name.isidentifier() and name not in names else f"input{position}"
        names.add(name)
        variables[index] = relax.Var(name, relax.TensorType(tensor.shape, tensor.dtype))
    return variables


def _edges(file: TfliteFile) -> Edges:
    return Edges(*(tuple(_edge(file.tensors[index]) for index in side) for side in (file.inputs, file.outputs)))


def _edge(tensor: FileTensor) -> Edge:
    scale = tensor.scale if tensor.is_quantized and tensor.dtype != "float32" else None
    return Edge(tensor.name, tensor.dtype, tensor.shape, scale, tensor.zero_point if scale else 0)
