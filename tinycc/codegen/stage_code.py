"""The C of a stage: a function in which the rows of its members are computed in turn.

Each member is a label; what its next row lacks, and what follows it, are jumps to other labels (see
`tinycc.codegen.turns`). That takes neither recursion nor a table in flash, and a row fed from outside can be
waited for in any place.

Where the stage is cut, that is done for each band of rows and each strip of columns. A row of a ring then
holds only the pixels that the strip needs, and what is handed to kernels points to where pixel 0 would be.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from tinycc.codegen.addresses import arena_pointer
from tinycc.codegen.c_text import c_array, c_type
from tinycc.codegen.operator_code import (
    OperatorCall,
    OperatorCode,
    add_constants,
    describe,
    first_row,
    instance_text,
    row_pointers,
)
from tinycc.codegen.row_input import counted, fed_finish, fed_stage
from tinycc.codegen.turns import askers, lacking
from tinycc.ops.kernel_call import AccumulatingCall, AwaitedCall, RowCall
from tinycc.ops.stage import Stage
from tinycc.plan import Plan, Step


def add_stage(code: OperatorCode, plan: Plan, step: Step, index: int, trace: str) -> None:
    """The C of a stage.

    index: of its first member among all operators. trace: the macro that tells of a finished row.
    """
    stage = step.operator
    assert isinstance(stage, Stage)
    writer = _Writer(plan, step, stage)
    code.constants += [c_array(f"{step.name}_{name}", values) for name, values in stage.tables.items()]
    turns = []
    for position, (member, call) in enumerate(zip(step.members, stage.calls, strict=True)):
        code.require(call)
        instance = code.add_instance(member, writer.row_instance(position))
        operands = add_constants(code, member, call)
        lines = writer.row_call(position, instance, operands)
        lines.append(f"{trace}({index + position}, (const int8_t *)(const void *)output);")
        turns.append(writer.turn(position, lines))
    code.constant_bytes[step.members[0].name] += stage.table_bytes
    code.functions.append(writer.function("\n".join(turns)))
    code.calls.append(OperatorCall(step.name, "bytes", writer.comment, None, ""))


_FUNCTION = """/* {comment} */
static TINYCC_NOINLINE void {name}(int8_t *bytes)
{{
{body}
}}"""

# volatile: in registers the numbers of rows would displace others, which would lie on the stack then.
_WHOLE = """volatile int32_t next[{count}] = {{{first_rows}}};
goto {entry};
{turns}"""

_BANDS = """for (int32_t band = 0; band < {bands}; ++band) {{
    const int16_t *const first = {name}_rows + band * {width};
    volatile int32_t next[{count}];
    for (int32_t i = 0; i < {count}; ++i) {{
        next[i] = first[i];
    }}
    goto {entry};
{turns}
}}"""

_STRIPS = """for (int32_t strip = 0; strip < {strips}; ++strip) {{
    const int16_t *const columns = {name}_columns + strip * {width};
{bands}
}}"""


def _deeper(text: str, levels: int = 1) -> str:
    return "\n".join(f"{levels * '    '}{line}" for line in text.split("\n"))


@dataclass(frozen=True)
class _Writer:
    """A stage that is written as C."""

    plan: Plan
    step: Step
    stage: Stage

    @property
    def comment(self) -> str:
        """What runs in it."""
        cut = "" if self.stage.grid.is_whole else f", cut {self.stage.grid}"
        return f"{self.step.name}, row by row{cut}: {', '.join(member.name for member in self.step.members)}"

    @property
    def has_strips(self) -> bool:
        """Whether kernels are told which columns to compute."""
        return self.stage.grid.strips > 1

    @cached_property
    def askers(self) -> list[int]:
        """For each member the one whose turn it is after it, rows being computed as they are asked for."""
        return askers(self.stage)

    def turn(self, position: int, lines: list[str]) -> str:
        """A member's turn.

        lines: the statements that compute row y.
        """
        by_layers, last = self.stage.grid.by_layers, len(self.stage.members) - 1
        conditions = []
        if position == last:
            conditions.append((f"y == {self.end(position)}", self.finish))
        elif by_layers:
            conditions.append((f"y == {self.end(position)}", self.jump(position + 1)))
        if isinstance(self.stage.calls[position], AwaitedCall):
            conditions.append(("row == NULL", "return 0;"))
            lines = [*lines, "row = NULL;"]
        if not by_layers:
            asked = dict.fromkeys(lacking(self.stage, position))
            conditions += [(f"next[{source}] < {rows}", self.jump(source)) for source, rows in asked]
        row = "y + 1" if self.stage.awaited is None else counted(self.plan, "y + 1")
        member = self.step.members[position]
        statements = [
            f"const int32_t y = next[{position}];",
            *(f"if ({condition}) {{\n{_deeper(then)}\n}}" for condition, then in conditions),
            *lines,
            f"next[{position}] = {row};",
            "TINYCC_BARRIER();",
            "TINYCC_FORGET(bytes);",
            self.jump(position if by_layers else self.askers[position]),
        ]
        body = "\n".join(map(_deeper, statements))
        return f"{member.name}: {{ /* {describe(member.operator)} */\n{body}\n}}"

    def jump(self, position: int) -> str:
        """To a member's turn."""
        return f"goto {self.step.members[position].name};"

    def end(self, position: int) -> str:
        """One past the last row of a member that the band needs, as C."""
        grid = self.stage.grid
        if grid.bands == 1:
            return str(self.stage.stream.needed[0][position][1])
        if grid.by_layers:
            return f"first[{len(self.stage.members) + position}]"
        return f"(band + 1) * {self.stage.calls[position].rows} / {grid.bands}"

    @property
    def finish(self) -> str:
        """What follows the last row."""
        if self.stage.awaited is not None:
            return fed_finish(self.plan)
        return "return;" if self.stage.grid.is_whole else "continue;"

    def function(self, turns: str) -> str:
        """The function that runs the stage."""
        name, count, grid = self.step.name, len(self.stage.members), self.stage.grid
        first_rows = [first for first, _ in self.stage.stream.needed[0]]
        if self.stage.awaited is not None:
            return fed_stage(
                self.plan, comment=self.comment, name=name, first_rows=first_rows, turns=_deeper(turns)
            )
        entry = self.step.members[0 if grid.by_layers else -1].name
        if grid.bands == 1:
            first = ", ".join(map(str, first_rows)) if any(first_rows) else "0"
            body = _WHOLE.format(count=count, first_rows=first, entry=entry, turns=turns)
        else:
            width = 2 * count if grid.by_layers else count
            body = _BANDS.format(
                bands=grid.bands, name=name, count=count, width=width, entry=entry, turns=_deeper(turns)
            )
        if self.has_strips:
            body = _STRIPS.format(strips=grid.strips, name=name, width=2 * count, bands=_deeper(body))
        return _FUNCTION.format(comment=self.comment, name=name, body=_deeper(body))

    def row_instance(self, position: int) -> str:
        """A function that computes a row of a member, or a part of one; its name is left as @name@."""
        call, operator = self.stage.calls[position], self.step.members[position].operator
        parameters, arguments = [], []
        for index, window in enumerate(call.windows):
            element = c_type(operator.inputs[index].dtype)
            pointer = f"const {element} *const *" if window.as_array else f"const {element} *"
            parameters.append(f"{pointer}rows{index}")
            arguments.append(f"rows{index}")
        lines = []
        if isinstance(call, RowCall) and call.as_list:
            element = c_type(operator.inputs[0].dtype)
            lines.append(f"    const {element} *const inputs[{len(arguments)}] = {{{', '.join(arguments)}}};")
            arguments = ["inputs"]
        parameters.append(f"{c_type(operator.outputs[0].dtype)} *output")
        arguments.append("output")
        if self.step.members[position].scratch is not None:
            parameters.append("void *scratch")
            arguments.append("scratch")
        if call.counts_rows:
            parameters.append("int32_t y")
            arguments.append("y")
        if isinstance(call, AccumulatingCall):
            parameters.append("int32_t y")
            columns = ["y", "y + 1"]
        elif self.has_strips:
            parameters += ["int32_t x0", "int32_t x1"]
            columns = ["x0", "x1"]
        else:
            columns = ["0", str(call.columns)]
        parameters.append(f"const {call.struct}_data *data")
        lines.append(f"    {call.function}({', '.join([*arguments, *columns])}, &shape, data);")
        return instance_text(call, parameters, lines)

    def row_call(self, position: int, instance: str, operands: Mapping[int, str]) -> list[str]:
        """The statements that compute row y of a member."""
        step, call = self.step.members[position], self.stage.calls[position]
        operator = step.operator
        lines, arguments = [], []
        for index, window in enumerate(call.windows):
            first = "y" if isinstance(call, AccumulatingCall) else first_row(window, call.rows)
            source = self.stage.sources[position][index]
            if isinstance(call, AwaitedCall):
                arguments.append("row")
                continue
            if step.inputs[index] is None or source is None:
                rows = _Rows(operands[index], window.row_elements, window.input_rows)
            else:
                rows = self.rows_of(source, operator.inputs[index].dtype, window.row_elements)
            if window.as_array:
                lines += row_pointers(operator, index, window, rows.base, first, rows.pitch, rows.count, "")
                arguments.append(f"rows{index}")
            else:
                arguments.append(rows.address(first, window.input_rows))
        tensor = operator.outputs[0]
        rows = self.rows_of(len(self.stage.inputs) + position, tensor.dtype, call.row_elements)
        is_whole = isinstance(call, AccumulatingCall)
        output = rows.address("0", 1) if is_whole else rows.address("y", call.rows)
        lines.append(f"{c_type(tensor.dtype)} *const output = {output};")
        arguments.append("output")
        if step.scratch is not None:
            arguments.append(arena_pointer(self.plan, step.scratch, "int8"))
        if call.counts_rows or isinstance(call, AccumulatingCall):
            arguments.append("y")
        if self.has_strips and isinstance(call, RowCall):
            factor = f" * {call.pixel_columns}" if call.pixel_columns > 1 else ""
            arguments += [f"columns[{2 * position}]{factor}", f"columns[{2 * position + 1}]{factor}"]
        arguments.append(f"&{step.name}_data")
        return [*lines, f"{instance}({', '.join(arguments)});"]

    def rows_of(self, source: int, dtype: str, row_elements: int) -> "_Rows":
        """Where the rows of an input of the stage, or of a member's result, lie."""
        member = source - len(self.stage.inputs)
        if member < 0:
            [buffer] = {
                name
                for step, sources in zip(self.step.members, self.stage.sources, strict=True)
                for name, item in zip(step.inputs, sources, strict=True)
                if item == source and name is not None
            }
            return _Rows(
                arena_pointer(self.plan, buffer, dtype), row_elements, self.stage.inputs[source].height
            )
        [buffer] = self.step.members[member].outputs
        base = arena_pointer(self.plan, buffer, dtype)
        call = self.stage.calls[member]
        if member == len(self.stage.members) - 1:
            return _Rows(base, row_elements, call.rows)
        count = self.stage.stream.ring_rows(source)
        if not self.has_strips:
            return _Rows(base, row_elements, count)
        pixel = row_elements // self.stage.members[member].outputs[0].width
        base = f"{base} - columns[{2 * member}] * {pixel}"
        return _Rows(base, pixel * self.stage.ring_columns(member), count)


@dataclass(frozen=True)
class _Rows:
    """Rows in memory.

    base: address of the first, as C. pitch: elements from one to the next. count: how many there are.
    """

    base: str
    pitch: int
    count: int

    def address(self, row: str, height: int) -> str:
        """Of row `row`, as C, of a tensor of `height` rows."""
        if height == 1 or self.count == 1 or row == "0":
            return self.base
        place = f"({row}) % {self.count}" if self.count < height else f"({row})"
        return f"{self.base} + {place} * {self.pitch}"
