"""The C of the operators: their constants, the functions that run them, the calls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tinycc.codegen.addresses import arena_pointer
from tinycc.codegen.c_text import c_array, c_comment, c_struct, c_type, c_value
from tinycc.errors import UnsupportedError
from tinycc.ops.base import Operator
from tinycc.ops.kernel_call import KernelCall, Packed, RowCall, SourceCall, WholeCall
from tinycc.ops.row_window import RowWindow
from tinycc.plan import Plan, Step

# What all generated C includes.
COMMON = "common.h"


@dataclass(frozen=True)
class OperatorCall:
    """One line of the invoke function.

    instance: the function it calls, shared by all operators of equal geometry.
    comment: what the operator is, with shapes.
    index, output: what a trace is told; None where the function itself tells it.
    """

    instance: str
    arguments: str
    comment: str
    index: int | None
    output: str


@dataclass
class OperatorCode:
    """All C that comes from operators, in order of appearance.

    includes: standard headers.
    headers: names of files in runtime_c/kernels/*.
    functions: one for each stage.
    constant_bytes: flash that each operator's constants take, by operator name.
    instance_of: the function that computes an operator, by operator name.
    shares_constants: whether constants that are equal are one, as several entries of a program have them.
    """

    includes: list[str] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)
    constants: list[str] = field(default_factory=list)
    instances: list[str] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    calls: list[OperatorCall] = field(default_factory=list)
    constant_bytes: dict[str, int] = field(default_factory=dict)
    instance_of: dict[str, str] = field(default_factory=dict)
    shares_constants: bool = False
    _names: dict[str, str] = field(default_factory=dict)
    _arrays: dict[str, str] = field(default_factory=dict)

    def add_array(self, step: Step, part: str, array: np.ndarray) -> str:
        """The name of a constant array: a new one, unless an equal one is there that may be shared."""
        name, text = f"{step.name}_{part}", c_array("@name@", array)
        known = self._arrays.setdefault(text, name) if self.shares_constants else name
        if known == name:
            self.constants.append(text.replace("@name@", name, 1))
            self.constant_bytes[step.name] += array.nbytes
        return known

    def require(self, call: KernelCall | SourceCall) -> None:
        """Include what a call needs, and define the kernel where it is written for the operator."""
        includes = call.includes if isinstance(call, SourceCall) else ()
        header = COMMON if isinstance(call, SourceCall) else call.header
        if header not in self.headers:
            self.headers.append(header)
        if isinstance(call, KernelCall) and call.definition and call.definition not in self.instances:
            self.instances.append(call.definition)
        self.includes += [include for include in includes if include not in self.includes]

    def add_instance(self, step: Step, body: str) -> str:
        """The name of a function with this body, made unless there is one; @name@ stands for it."""
        if body not in self._names:
            stem = f"{step.operator.kind}_instance"
            name = f"{stem}{sum(name.startswith(stem) for name in self._names.values())}"
            self._names[body] = name
            self.instances.append(body.replace("@name@", name))
        self.instance_of[step.name] = self._names[body]
        return self._names[body]


def add_operator(code: OperatorCode, plan: Plan, step: Step, index: int) -> None:
    """The C of an operator that runs on whole tensors.

    index: of the operator among all.
    """
    try:
        call = step.operator.call()
    except ValueError as error:
        raise UnsupportedError(f"{step.name}: {error}") from error
    code.require(call)
    instance = code.add_instance(step, _instance_body(step.operator, call))
    operands = add_constants(code, step, call)
    code.calls.append(_call(plan, step, index, instance, operands, has_data=isinstance(call, KernelCall)))


def add_constants(code: OperatorCode, step: Step, call: KernelCall | SourceCall) -> Mapping[int, str]:
    """Emit the step's flash constants; return the names of its constant operands by index."""
    fields = {}
    code.constant_bytes[step.name] = 0
    for key, value in call.data.items() if isinstance(call, KernelCall) else ():
        if isinstance(value, np.ndarray | Packed):
            array = value.array() if isinstance(value, Packed) else value
            fields[key] = code.add_array(step, key.rpartition(".")[2], array)
        else:
            fields[key] = c_value(value)
    operands = {
        index: code.add_array(step, f"operand{index}", tensor.value)
        for index, tensor in enumerate(step.operator.inputs)
        if tensor.value is not None
    }
    if isinstance(call, KernelCall):
        code.constants.append(c_struct(f"{call.struct}_data", f"{step.name}_data", fields))
    return operands


def _instance_body(operator: Operator, call: WholeCall) -> str:
    """A function that runs the kernel over all rows; its name is left as @name@."""
    if isinstance(call, SourceCall):
        return call.source
    operand_count = len(operator.inputs) - operator.state_count
    types = [c_type(tensor.dtype) for tensor in operator.inputs]
    output_type = c_type(operator.outputs[0].dtype)
    parameters = [f"const {types[index]} *input{index}" for index in range(operand_count)]
    parameters.append(f"{output_type} *output")
    states = [f"state{index}" for index in range(operator.state_count)]
    parameters += [f"{types[operand_count + index]} *{state}" for index, state in enumerate(states)]
    if operator.scratch_bytes:
        parameters.append("void *scratch")
    parameters.append(f"const {call.struct}_data *data")

    indent = "    " if call.rows == 1 else "        "
    lines = []
    arguments = []
    for index, window in enumerate(call.windows):
        first = first_row(window, call.rows)
        if window.as_array:
            lines += row_pointers(
                operator,
                index,
                window,
                f"input{index}",
                first,
                window.row_elements,
                window.input_rows,
                indent,
            )
            arguments.append(f"rows{index}")
        else:
            arguments.append(_row(f"input{index}", first, window.row_elements))
    if isinstance(call, RowCall) and call.as_list:
        lines.append(
            f"{indent}const {types[0]} *const inputs[{len(arguments)}] = {{{', '.join(arguments)}}};"
        )
        arguments = ["inputs"]
    arguments.append(_row("output", "y" if call.rows > 1 else "0", call.row_elements))
    arguments += states
    if operator.scratch_bytes:
        arguments.append("scratch")
    if call.counts_rows:
        arguments.append("y" if call.rows > 1 else "0")
    arguments += ["0", str(call.columns), "&shape", "data"]
    lines.append(f"{indent}{call.function}({', '.join(arguments)});")
    if call.rows > 1:
        lines = [f"    for (int32_t y = 0; y < {call.rows}; ++y) {{", *lines, "    }"]
    return instance_text(call, parameters, lines)


def instance_text(call: KernelCall, parameters: Sequence[str], lines: Sequence[str]) -> str:
    """A function on the geometry of `call`; its name is left as @name@."""
    shape = c_struct(
        f"{call.struct}_shape", "shape", {key: c_value(size) for key, size in call.shape.items()}
    )
    head = f"static TINYCC_NOINLINE void @name@({', '.join(parameters)})\n{{\n"
    return head + _indented(shape) + "\n" + "\n".join(lines) + "\n}"


def row_pointers(
    operator: Operator,
    index: int,
    window: RowWindow,
    base: str,
    first: str,
    pitch: int,
    ring_rows: int,
    indent: str,
) -> list[str]:
    """C that fills rows<index> with the rows of input `index` from row `first` on.

    base: address of the tensor, or of its ring of ring_rows rows. pitch: elements from one row to the next.
    """
    dtype = operator.inputs[index].dtype
    return [
        f"{indent}const {c_type(dtype)} *rows{index}[{window.rows}];",
        f"{indent}tinycc_rows_{dtype}(rows{index}, {base}, {first}, {window.dilation}, {window.rows}, "
        f"{window.input_rows}, {pitch}, {ring_rows});",
    ]


def first_row(window: RowWindow, rows: int) -> str:
    """Index of the first input row of output row y, as C."""
    if rows == 1 or window.stride == 0:
        return str(window.first_row(0))
    text = "y" if window.stride == 1 else f"y * {window.stride}"
    if window.offset:
        text = f"({text} + {window.offset})"
    if window.divisor != 1:
        text += f" / {window.divisor}"
    if window.pad_top:
        text += f" - {window.pad_top}" if window.pad_top > 0 else f" + {-window.pad_top}"
    if window.border is not None:
        return f"tinycc_{window.border.value}({text}, {window.input_rows})"
    return text


def _row(base: str, row: str, row_elements: int) -> str:
    if row == "0":
        return base
    return f"{base} + {row if row.isidentifier() else f'({row})'} * {row_elements}"


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.split("\n"))


def _call(
    plan: Plan, step: Step, index: int, instance: str, operands: Mapping[int, str], *, has_data: bool
) -> OperatorCall:
    operator = step.operator
    arguments = []
    operand_count = len(operator.inputs) - operator.state_count
    for position in range(operand_count):
        source = step.inputs[position]
        pointer = (
            operands[position]
            if source is None
            else arena_pointer(plan, source, operator.inputs[position].dtype)
        )
        arguments.append(pointer)
    output_count = len(operator.outputs) - operator.state_count
    for output, tensor in zip(step.outputs[:output_count], operator.outputs, strict=False):
        arguments.append(arena_pointer(plan, output, tensor.dtype))
    for position in range(operand_count, len(operator.inputs)):
        state = step.inputs[position]
        assert state is not None
        arguments.append(arena_pointer(plan, state, operator.inputs[position].dtype))
    if step.scratch is not None:
        arguments.append(arena_pointer(plan, step.scratch, "int8"))
    if has_data:
        arguments.append(f"&{step.name}_data")
    return OperatorCall(
        instance=instance,
        arguments=", ".join(arguments),
        comment=f"{step.name}: {describe(operator)}",
        index=index,
        output=arena_pointer(plan, step.outputs[0], "int8"),
    )


def describe(operator: Operator) -> str:
    """Parameters and shapes for a comment: "3x3 stride 2x2, int8 [1,96,96,3] -> int8 [1,48,48,8]"."""
    operands: Sequence[str] = [str(tensor) for tensor in operator.inputs if tensor.value is None]
    text = f"{', '.join(operands)} -> {operator.outputs[0]}"
    return c_comment(f"{operator.describe()}, {text}" if operator.describe() else text)
