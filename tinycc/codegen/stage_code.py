"""The C of a stage: a table that says whose turn it is, and a function that computes the next row of each.

The order of row calls is a table in flash rather than nested loops: it is exact for every network, it needs
neither recursion nor decisions at run time, and a row fed from outside can be waited for at any entry.
"""

from collections.abc import Mapping

import numpy as np

from tinycc.codegen.c_text import c_array, c_type
from tinycc.codegen.operator_code import (
    OperatorCall,
    OperatorCode,
    add_constants,
    arena_pointer,
    describe,
    first_row,
    instance_text,
    row_pointers,
)
from tinycc.ops.base import KernelCall
from tinycc.ops.stage import Stage
from tinycc.ops.tensor import ITEM_BYTES
from tinycc.plan import Plan, Step


def add_stage(code: OperatorCode, plan: Plan, step: Step, index: int, trace: str) -> None:
    """The C of a stage.

    index: of its first member among all operators. trace: the macro that tells of a finished row.
    """
    stage = step.operator
    assert isinstance(stage, Stage)
    order = np.array(stage.stream.order, np.uint8)
    table = f"{step.name}_order"
    code.constants.append(c_array(table, order))
    cases = []
    for position, (member, call) in enumerate(zip(step.members, stage.calls, strict=True)):
        code.require(call)
        instance = code.add_instance(member, _row_instance(member, call))
        operands = add_constants(code, member, call)
        lines = _row_call(plan, member, call, instance, operands)
        lines.append(f"            {trace}({index + position}, (const int8_t *)(const void *)output);")
        cases.append(_case(position, f"{member.name}: {describe(member.operator)}", lines))
    code.constant_bytes[step.members[0].name] += order.nbytes
    code.functions.append(_FUNCTION.format(
        name=step.name, comment=_comment(step), count=len(step.members), calls=order.size, table=table,
        cases="\n".join(cases),
    ))  # fmt: skip
    code.calls.append(OperatorCall(step.name, "bytes", _comment(step), None, ""))


_FUNCTION = """/* {comment} */
static void {name}(int8_t *bytes)
{{
    int32_t next[{count}] = {{0}};
    for (int32_t call = 0; call < {calls}; ++call) {{
        const int32_t turn = {table}[call];
        const int32_t y = next[turn];
        switch (turn) {{
{cases}
        default:
            break;
        }}
        next[turn] = y + 1;
        TINYCC_BARRIER();
    }}
}}"""


def _comment(step: Step) -> str:
    return f"{step.name}, row by row: {', '.join(member.name for member in step.members)}"


def _case(position: int, comment: str, lines: list[str]) -> str:
    return "\n".join(
        [f"        case {position}: {{ /* {comment} */", *lines, "            break;", "        }"]
    )


def _row_instance(step: Step, call: KernelCall) -> str:
    """A function that computes one row; its name is left as @name@."""
    operator = step.operator
    parameters, arguments = [], []
    for index, window in enumerate(call.windows):
        element = c_type(operator.inputs[index].dtype)
        if window.as_array:
            parameters.append(f"const {element} *const *rows{index}")
        else:
            parameters.append(f"const {element} *rows{index}")
        arguments.append(f"rows{index}")
    lines = []
    if call.as_list:
        element = c_type(operator.inputs[0].dtype)
        lines.append(f"    const {element} *const inputs[{len(arguments)}] = {{{', '.join(arguments)}}};")
        arguments = ["inputs"]
    parameters.append(f"{c_type(operator.outputs[0].dtype)} *output")
    arguments.append("output")
    columns = ["0", str(call.columns)]
    if call.accumulator_bytes:
        parameters += ["void *scratch", "int32_t y"]
        columns = ["y", "y + 1"]
    elif operator.scratch_bytes:
        parameters.append("void *scratch")
    if step.scratch is not None:
        arguments.append("scratch")
    parameters.append(f"const {call.struct}_data *data")
    lines.append(f"    {call.function}({', '.join([*arguments, *columns])}, &shape, data);")
    return instance_text(call, parameters, lines)


def _row_call(
    plan: Plan, step: Step, call: KernelCall, instance: str, operands: Mapping[int, str]
) -> list[str]:
    """The statements that compute row y."""
    operator, indent = step.operator, "            "
    lines, arguments = [], []
    for index, window in enumerate(call.windows):
        first = "y" if call.accumulator_bytes else first_row(window, call.rows)
        source, dtype = step.inputs[index], operator.inputs[index].dtype
        if source is None:
            base, ring = operands[index], window.input_rows
        else:
            base = arena_pointer(plan, source, dtype)
            ring = _rows_in(plan, source, window.row_elements * ITEM_BYTES[dtype])
        if window.as_array:
            lines += row_pointers(operator, index, window, base, first, ring, indent)
            arguments.append(f"rows{index}")
        else:
            arguments.append(_row(base, first, window.row_elements, ring, window.input_rows))
    tensor = operator.outputs[0]
    base = arena_pointer(plan, step.outputs[0], tensor.dtype)
    height = 1 if call.accumulator_bytes else call.rows
    ring = _rows_in(plan, step.outputs[0], call.row_elements * ITEM_BYTES[tensor.dtype])
    row = "0" if call.accumulator_bytes else "y"
    lines.append(
        f"{indent}{c_type(tensor.dtype)} *const output = {_row(base, row, call.row_elements, ring, height)};"
    )
    arguments.append("output")
    if step.scratch is not None:
        arguments.append(arena_pointer(plan, step.scratch, "int8"))
    if call.accumulator_bytes:
        arguments.append("y")
    arguments.append(f"&{step.name}_data")
    return [*lines, f"{indent}{instance}({', '.join(arguments)});"]


def _rows_in(plan: Plan, buffer: str, row_bytes: int) -> int:
    """How many rows a buffer holds."""
    return plan.buffers[buffer].bytes // row_bytes


def _row(base: str, row: str, elements: int, ring: int, height: int) -> str:
    """The address of a row of a ring."""
    if height == 1 or ring == 1 or row == "0":
        return base
    place = f"({row}) % {ring}" if ring < height else f"({row})"
    return f"{base} + {place} * {elements}"
