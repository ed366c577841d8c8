"""The C of the operators: their constants, the functions that run them, the calls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tinycc.codegen.c_text import c_array, c_struct, c_type, c_value
from tinycc.errors import UnsupportedError
from tinycc.ops.base import KernelCall, Operator, RowWindow
from tinycc.plan import Plan, Step


@dataclass(frozen=True)
class OperatorCall:
    """One line of the invoke function.

    instance: the function it calls, shared by all operators of equal geometry.
    comment: what the operator is, with shapes.
    """

    name: str
    instance: str
    arguments: str
    comment: str
    output: str


@dataclass
class OperatorCode:
    """All C that comes from operators, in order of appearance.

    includes: standard headers.
    headers: files below runtime_c/kernels.
    constant_bytes: flash that each operator's constants take, by operator name.
    """

    includes: list[str] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)
    constants: list[str] = field(default_factory=list)
    instances: list[str] = field(default_factory=list)
    calls: list[OperatorCall] = field(default_factory=list)
    constant_bytes: dict[str, int] = field(default_factory=dict)


def generate_operators(plan: Plan) -> OperatorCode:
    """The C of all steps of a plan."""
    code = OperatorCode()
    names: dict[str, str] = {}
    for step in plan.steps:
        try:
            call = step.operator.kernel()
        except ValueError as error:
            raise UnsupportedError(f"{step.name}: {error}") from error
        if call.header not in code.headers:
            code.headers.append(call.header)
        code.includes += [include for include in call.includes if include not in code.includes]
        body = _instance_body(step.operator, call)
        if body not in names:
            stem = f"{step.operator.kind}_instance"
            names[body] = f"{stem}{sum(name.startswith(stem) for name in names.values())}"
            code.instances.append(body.replace("@name@", names[body]))
        operands = _constants(step, call, code)
        code.calls.append(_call(plan, step, names[body], operands, has_data=bool(call.struct)))
    return code


def _constants(step: Step, call: KernelCall, code: OperatorCode) -> Mapping[int, str]:
    """Emit the step's flash constants; return the names of its constant operands by index."""
    size = 0
    fields = {}
    for key, value in call.data.items():
        if isinstance(value, np.ndarray):
            code.constants.append(c_array(f"{step.name}_{key}", value))
            size += value.nbytes
            fields[key] = f"{step.name}_{key}"
        else:
            fields[key] = c_value(value)
    operands = {}
    for index, tensor in enumerate(step.operator.inputs):
        if tensor.value is not None:
            operands[index] = f"{step.name}_operand{index}"
            code.constants.append(c_array(operands[index], tensor.value))
            size += tensor.value.nbytes
    if call.struct:
        code.constants.append(c_struct(f"{call.struct}_data", f"{step.name}_data", fields))
    code.constant_bytes[step.name] = size
    return operands


def _instance_body(operator: Operator, call: KernelCall) -> str:
    """A function that runs the kernel over all rows; its name is left as @name@."""
    if call.source:
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
        if window.as_array:
            lines.append(f"{indent}const {types[index]} *rows{index}[{window.rows}];")
            lines.append(
                f"{indent}tinycc_rows_{operator.inputs[index].dtype}(rows{index}, input{index}, "
                f"{_first_row(window, call.rows)}, {window.dilation}, {window.rows}, {window.input_rows}, "
                f"{window.row_elements});"
            )
            arguments.append(f"rows{index}")
        else:
            arguments.append(_row(f"input{index}", _first_row(window, call.rows), window.row_elements))
    if call.as_list:
        lines.append(
            f"{indent}const {types[0]} *const inputs[{len(arguments)}] = {{{', '.join(arguments)}}};"
        )
        arguments = ["inputs"]
    arguments.append(_row("output", "y" if call.rows > 1 else "0", call.row_elements))
    arguments += states
    if operator.scratch_bytes:
        arguments.append("scratch")
    arguments += ["0", str(call.columns), "&shape", "data"]
    lines.append(f"{indent}{call.function}({', '.join(arguments)});")
    if call.rows > 1:
        lines = [f"    for (int32_t y = 0; y < {call.rows}; ++y) {{", *lines, "    }"]
    shape = c_struct(
        f"{call.struct}_shape", "shape", {key: c_value(size) for key, size in call.shape.items()}
    )
    head = f"static void @name@({', '.join(parameters)})\n{{\n"
    return head + _indented(shape) + "\n" + "\n".join(lines) + "\n}"


def _first_row(window: RowWindow, rows: int) -> str:
    """Index of the first input row of output row y, as C."""
    if rows == 1 or window.stride == 0:
        return str(window.first_row(0))
    text = "y" if window.stride == 1 else f"y * {window.stride}"
    if window.offset:
        text = f"({text} + {window.offset})"
    if window.divisor != 1:
        text += f" / {window.divisor}"
    if window.pad_top:
        text += f" - {window.pad_top}"
    return text


def _row(base: str, row: str, row_elements: int) -> str:
    if row == "0":
        return base
    return f"{base} + {row if row.isidentifier() else f'({row})'} * {row_elements}"


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.split("\n"))


def _call(
    plan: Plan, step: Step, instance: str, operands: Mapping[int, str], *, has_data: bool
) -> OperatorCall:
    operator = step.operator
    arguments = []
    operand_count = len(operator.inputs) - operator.state_count
    for index in range(operand_count):
        source = step.inputs[index]
        pointer = (
            operands[index] if source is None else arena_pointer(plan, source, operator.inputs[index].dtype)
        )
        arguments.append(pointer)
    output_count = len(operator.outputs) - operator.state_count
    for output, tensor in zip(step.outputs[:output_count], operator.outputs, strict=False):
        arguments.append(arena_pointer(plan, output, tensor.dtype))
    for index in range(operand_count, len(operator.inputs)):
        state = step.inputs[index]
        assert state is not None
        arguments.append(arena_pointer(plan, state, operator.inputs[index].dtype))
    if step.scratch is not None:
        arguments.append(arena_pointer(plan, step.scratch, "int8"))
    if has_data:
        arguments.append(f"&{step.name}_data")
    return OperatorCall(
        name=step.name,
        instance=instance,
        arguments=", ".join(arguments),
        comment=f"{step.name}: {describe(operator)}",
        output=arena_pointer(plan, step.outputs[0], "int8"),
    )


def describe(operator: Operator) -> str:
    """Parameters and shapes, e.g. "3x3 stride 2x2, int8 [1,96,96,3] -> int8 [1,48,48,8]"."""
    operands: Sequence[str] = [str(tensor) for tensor in operator.inputs if tensor.value is None]
    text = f"{', '.join(operands)} -> {operator.outputs[0]}"
    return f"{operator.describe()}, {text}" if operator.describe() else text


def arena_pointer(plan: Plan, buffer: str, dtype: str) -> str:
    """The address of a buffer, as C of the right type."""
    offset = plan.buffers[buffer].offset
    address = f"bytes + {offset}" if offset else "bytes"
    if dtype in ("int8", "bool"):
        return address
    return f"({c_type(dtype)} *)(void *)({address})"
