"""Resource variables of a TFLite file: they become state tensors, like those that SVDF and LSTM update.

A variable is known by its container and name, which VAR_HANDLE turns into a handle. READ_VARIABLE and
ASSIGN_VARIABLE copy its bytes; CALL_ONCE runs a subgraph in the first inference, which assigns constants.
What is said nowhere in the file is as in TFLite Micro (tensorflow/lite/micro/micro_resource_variable.cc): a
variable that is read before anything was assigned holds the zero point of what is assigned to it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
from tvm import relax

from tinycc import tvm_adapter
from tinycc.errors import ModelError, UnsupportedError
from tinycc.frontend.tflite.base import BaseConverter, Converted
from tinycc.frontend.tflite.file import RESOURCE, FileOperator, FileTensor, TfliteFile, readable

# Those that are gone once variables are tensors.
RESOLVED = frozenset({"CALL_ONCE", "VAR_HANDLE"})
_ACCESSES = frozenset({"READ_VARIABLE", "ASSIGN_VARIABLE"})

# The container and the name of a variable, as the file has them.
_Key: TypeAlias = tuple[bytes, bytes]


@dataclass
class _Variable:
    """What a file does with a variable.

    read, assigned: the tensors on the other side, of the first subgraph and of those of CALL_ONCE.
    initial: what the first inference finds, once CALL_ONCE has run.
    is_read, is_assigned: by the first subgraph.
    """

    name: str
    read: list[FileTensor] = field(default_factory=list)
    assigned: list[FileTensor] = field(default_factory=list)
    initial: np.ndarray | None = None
    is_read: bool = False
    is_assigned: bool = False


def resolve_variables(file: TfliteFile) -> TfliteFile:
    """The file without VAR_HANDLE and CALL_ONCE: a handle is the index of a state, a new tensor of the file.

    A variable that an inference does not change is a constant; one that none reads is left out.

    Raises ModelError where handles lead nowhere, UnsupportedError where initial values are no constants or
    a variable is read as something else than what is assigned.
    """
    if not any(op.kind in RESOLVED | _ACCESSES for op in file.operators):
        return file
    variables = _variables(file)
    for variable in variables.values():
        variable.initial = _before_anything(file, variable)
    _call_once(file, variables)
    tensors, states = list(file.tensors), {}
    for key, variable in variables.items():
        if variable.is_read:
            states[key] = len(tensors)
            tensors.append(_state(variable, len(tensors)))
    keys = _keys(file)
    operators = []
    for op in file.operators:
        if op.kind in _ACCESSES and keys[op.inputs[0]] in states:
            operators.append(replace(op, inputs=(states[keys[op.inputs[0]]], *op.inputs[1:])))
        elif op.kind != "ASSIGN_VARIABLE" and op.kind not in RESOLVED:
            operators.append(op)
    resolved = replace(file, tensors=tuple(tensors), operators=tuple(operators), subgraphs=())
    _refuse_stray_handles(resolved)
    return resolved


def _keys(graph: TfliteFile) -> dict[int, _Key]:
    """The variables that a subgraph has handles of, by the tensors that are these."""
    keys = {}
    for op in graph.operators:
        if op.kind == "VAR_HANDLE":
            if op.outputs[0] in keys:
                raise ModelError(f"{graph.path}: {op.title} writes a handle that was written before")
            keys[op.outputs[0]] = (op.options.Container() or b"", op.options.SharedName() or b"")
    return keys


def _accesses(graph: TfliteFile) -> Iterator[tuple[FileOperator, _Key, FileTensor]]:
    """The operators that read or assign a variable, with that and the tensor on the other side."""
    keys = _keys(graph)
    for op in graph.operators:
        if op.kind in _ACCESSES:
            index = (*op.outputs, *op.inputs[1:])[0]
            if op.inputs[0] not in keys or index < 0:
                raise ModelError(f"{graph.path}: {op.title} has no handle of a variable, or no tensor")
            yield op, keys[op.inputs[0]], graph.tensors[index]


def _variables(file: TfliteFile) -> dict[_Key, _Variable]:
    """All variables that the file reads or assigns, in the order in which it names them."""
    variables: dict[_Key, _Variable] = {}
    for graph in (file, *file.subgraphs):
        for op, key, tensor in _accesses(graph):
            variable = variables.setdefault(key, _Variable(readable(key[1])))
            if op.kind == "READ_VARIABLE":
                variable.read.append(tensor)
                variable.is_read |= graph is file
            else:
                variable.assigned.append(tensor)
                variable.is_assigned |= graph is file
    names = [name for _, name in variables]
    for container, name in variables:
        if not container and names.count(name) > 1:
            raise UnsupportedError(
                f"{file.path}: variables {readable(name)} with and without a container, which TFLite and "
                "TFLite Micro tell apart differently: give them names of their own"
            )
    return variables


def _before_anything(file: TfliteFile, variable: _Variable) -> np.ndarray:
    """What a variable holds before anything is assigned: in each byte the zero point, cut off to 8 bits."""
    if not variable.assigned:
        raise ModelError(f"{file.path}: the variable {variable.name} is read, and nothing is assigned to it")
    first = variable.assigned[0]
    for tensor in (*variable.assigned, *variable.read):
        if (tensor.dtype, np.prod(tensor.shape)) != (first.dtype, np.prod(first.shape)):
            raise UnsupportedError(
                f"{file.path}: the variable {variable.name} is {first.dtype}{list(first.shape)} in one place "
                f"and {tensor.dtype}{list(tensor.shape)} in another"
            )
    count = int(np.prod(first.shape)) * np.dtype(first.dtype).itemsize
    return np.full(count, first.zero_point & 0xFF, np.uint8).view(first.dtype).reshape(first.shape)


def _call_once(file: TfliteFile, variables: dict[_Key, _Variable]) -> None:
    """Let each CALL_ONCE assign the constants of its subgraph."""
    accessed = False
    for op in file.operators:
        accessed |= op.kind in _ACCESSES
        if op.kind != "CALL_ONCE":
            continue
        number = int(op.options.InitSubgraphIndex())
        if not 0 < number <= len(file.subgraphs):
            others = f"of {len(file.subgraphs)} behind the first"
            raise ModelError(f"{file.path}: {op.title} runs the subgraph {number} {others}")
        if accessed:
            raise UnsupportedError(f"{file.path}: {op.title} comes after variables are read or assigned")
        for start, key, tensor in _initializers(file.subgraphs[number - 1], number):
            if tensor.value is None:
                raise UnsupportedError(
                    f"{file.path}: {start.title} of the subgraph {number}, which {op.title} runs, assigns "
                    f"{tensor.name}, which is no constant"
                )
            variables[key].initial = tensor.value.reshape(variables[key].assigned[0].shape)


def _initializers(graph: TfliteFile, number: int) -> Iterator[tuple[FileOperator, _Key, FileTensor]]:
    """What the subgraph of a CALL_ONCE assigns; UnsupportedError where it does anything else."""
    for op in graph.operators:
        if op.kind not in ("VAR_HANDLE", "ASSIGN_VARIABLE"):
            raise UnsupportedError(
                f"{graph.path}: {op.title} of the subgraph {number}, which CALL_ONCE runs, does more than to "
                "assign constants to variables"
            )
    return _accesses(graph)


def _state(variable: _Variable, index: int) -> FileTensor:
    """The tensor that stands for a variable."""
    return replace(
        variable.assigned[0],
        index=index,
        name=variable.name,
        value=None if variable.is_assigned else variable.initial,
        is_variable=variable.is_assigned,
        initial=variable.initial if variable.is_assigned else None,
    )


def _refuse_stray_handles(file: TfliteFile) -> None:
    """UnsupportedError where a handle goes elsewhere than to READ_VARIABLE and ASSIGN_VARIABLE."""
    reads = {index: op.title for op in file.operators for index in (*op.inputs, *op.outputs) if index >= 0}
    reads |= dict.fromkeys((*file.inputs, *file.outputs), "the model's user")
    for index, reader in reads.items():
        if file.tensors[index].dtype == RESOURCE:
            raise UnsupportedError(
                f"{file.path}: {file.tensors[index].name} is a handle of a variable, which goes to {reader}: "
                "only READ_VARIABLE and ASSIGN_VARIABLE are supported"
            )


def read(converter: BaseConverter, op: FileOperator) -> Converted:
    """READ_VARIABLE: what the operators so far have left there."""
    shape = converter.file.tensors[op.outputs[0]].shape
    if op.inputs[0] in converter.constants:
        return converter.constants[op.inputs[0]].reshape(shape)
    value = converter.operand(op.inputs[0])
    return value if tvm_adapter.shape_of(value) == shape else relax.op.reshape(value, shape)


def assign(converter: BaseConverter, op: FileOperator) -> Converted:
    """ASSIGN_VARIABLE: the next value, until another is assigned."""
    state, value = (converter.file.tensors[index] for index in op.inputs)
    if value.index in converter.constants:
        raise UnsupportedError(f"{op.title} assigns a constant in each inference, which is not supported")
    next_value = converter.operand(value.index)
    if value.shape != state.shape:
        next_value = converter.bb.emit(relax.op.reshape(next_value, state.shape))
    converter.next_states[state.index] = next_value
    return []
