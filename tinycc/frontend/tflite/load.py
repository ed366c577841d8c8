"""The TFLite frontend: a .tflite file, of int8, 16x8 or float32, as a Relax module in the normal form."""

import re
from pathlib import Path

import numpy as np
import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.edges import Edge, Edges, with_edges
from tinycc.errors import ModelError, TinyccError
from tinycc.frontend.tflite.check import check, check_operators
from tinycc.frontend.tflite.converter import TfliteConverter
from tinycc.frontend.tflite.dilation import join_dilated
from tinycc.frontend.tflite.file import FileTensor, TfliteFile, read_tflite
from tinycc.frontend.tflite.unsigned import make_signed
from tinycc.frontend.tflite.variables import resolve_variables
from tinycc.states import State, with_states


def load_tflite(path: Path, allow_float: bool = False) -> tvm.IRModule:
    """Import a file.

    allow_float: whether operators may compute in float32.

    Raises ModelError where the file is malformed, UnsupportedError where it holds what tinycc does not do.
    """
    file = read_tflite(path)
    try:
        for graph in (file, *file.subgraphs):
            check_operators(graph, allow_float)
        file = resolve_variables(file)
        check(file)
        return _convert(join_dilated(make_signed(file)), _edges(file))
    except TinyccError:
        raise
    except Exception as error:
        raise ModelError(f"{path} is not a valid TFLite model: {type(error).__name__}") from error


def _convert(file: TfliteFile, edges: Edges) -> tvm.IRModule:
    read = dict.fromkeys(index for op in file.operators for index in op.inputs if index >= 0)
    state_tensors = [file.tensors[index] for index in read if file.tensors[index].is_variable]
    inputs = _variables([file.tensors[index] for index in file.inputs], "input")
    states = _variables(state_tensors, "state")
    builder = relax.BlockBuilder()
    parameters = [*inputs.values(), *states.values()]
    with tvm_adapter.unwinding(builder), builder.function("main", parameters):
        with builder.dataflow():
            converter = TfliteConverter(file, builder, inputs, states)
            converter.convert_op_to_relax()
            results = [converter.operand(index) for index in file.outputs]
            results += [converter.operand(index) for index in states]
            result = builder.emit_output(results[0] if len(results) == 1 else relax.Tuple(results))
        builder.emit_func_output(result)
    module = builder.get()
    main = with_edges(module["main"], edges)
    if states:
        main = with_states(main, [State(tensor.name, _initial(tensor)) for tensor in state_tensors])
    module["main"] = main
    return module


def _initial(tensor: FileTensor) -> int | np.ndarray:
    """What a state starts with; one number where all are the same.

    Where the file does not say it is as TFLM's reset does: int8 at the zero point, wider ones at zero.
    """
    if tensor.initial is None:
        return tensor.zero_point if tensor.dtype == "int8" else 0
    first = tensor.initial.flat[0]
    return int(first) if np.all(tensor.initial == first) else tensor.initial


def _variables(tensors: list[FileTensor], prefix: str) -> dict[int, relax.Var]:
    """A variable for each tensor by its index, named as in the file where that makes an identifier."""
    names: set[str] = set()
    variables = {}
    for position, tensor in enumerate(tensors):
        name = re.sub(r"\W", "_", tensor.name)
        name = name if name.isidentifier() and name not in names else f"{prefix}{position}"
        names.add(name)
        variables[tensor.index] = relax.Var(name, relax.TensorType(tensor.shape, tensor.dtype))
    return variables


def _edges(file: TfliteFile) -> Edges:
    return Edges(
        *(tuple(_edge(file.tensors[index]) for index in side) for side in (file.inputs, file.outputs))
    )


def _edge(tensor: FileTensor) -> Edge:
    if not tensor.is_quantized or tensor.dtype == "float32":
        return Edge(tensor.name, tensor.dtype, tensor.shape)
    shift = 128 if tensor.dtype == "uint8" else 0
    return Edge(tensor.name, tensor.dtype, tensor.shape, tensor.scale, tensor.zero_point - shift)
