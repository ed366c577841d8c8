"""Printing a TIR function as a plain C function: loops over pointers, no runtime.

TVM's own C target wraps every function in checks of DLTensor arguments. Here the function is lowered with
the passes of TVM's pipeline up to that point, its buffers are turned into pointers, and TVM's C code
generator prints what is left.
"""

import math
import re
from dataclasses import dataclass

import numpy as np
import tvm
import tvm_ffi
from tvm import s_tir, tirx

from tinycc import tvm_adapter

# Working buffers up to this size stay local variables, which the C compiler can keep in registers.
_MOST_LOCAL_BYTES = 64

# Functions of C99's math.h.
_TRIGONOMETRY = {"acos", "asin", "atan", "atan2", "cos", "sin", "tan"}
_HYPERBOLIC = {"acosh", "asinh", "atanh", "cosh", "sinh", "tanh"}
_POWERS = {
    "cbrt",
    "erf",
    "exp",
    "exp2",
    "expm1",
    "hypot",
    "ldexp",
    "log",
    "log10",
    "log1p",
    "log2",
    "pow",
    "sqrt",
}
_ROUNDING = {"ceil", "floor", "fmod", "nearbyint", "nextafter", "remainder", "rint", "round", "trunc"}
_MATH = _TRIGONOMETRY | _HYPERBOLIC | _POWERS | _ROUNDING | {"copysign", "fabs", "fma", "fmax", "fmin"}
_MATH_FUNCTIONS = _MATH | {f"{name}f" for name in _MATH}

# Stands for a float constant until the text is printed.
_CONSTANT = "tinycc_constant_"

_LOWERING = tvm.transform.Sequential(
    [
        s_tir.transform.CanonicalizeLoop(),
        s_tir.transform.LowerInitBlock(),
        s_tir.transform.PlanAndUpdateBufferAllocationLocation(),
        s_tir.transform.ConvertBlocksToOpaque(),
        s_tir.transform.CompactBufferAllocation(),
        s_tir.transform.LowerMatchBuffer(),
        s_tir.transform.StmtSimplify(),
        s_tir.transform.LowerOpaqueBlock(),
        tirx.transform.FlattenBuffer(),
        tirx.transform.NarrowDataType(32),
        tirx.transform.StorageRewrite(),
        tirx.transform.UnrollLoop(),
        tirx.transform.StmtSimplify(),
        tirx.transform.RemoveNoOp(),
        # A select evaluates both sides; where one may read outside its buffer it has to be a branch.
        s_tir.transform.RewriteUnsafeSelect(),
        tirx.transform.LowerIntrin(),
    ]
)


@dataclass(frozen=True)
class LoopNest:
    """A C function without result.

    text: its definition; the parameters are one pointer for each buffer of the TIR function, then one for
        each working buffer.
    working_bytes: of each working buffer.
    includes: standard headers it needs.
    """

    text: str
    working_bytes: tuple[int, ...]
    includes: tuple[str, ...]


def print_loop_nest(function: tirx.PrimFunc, name: str) -> LoopNest:
    """The C function `name` that computes what `function`, on buffers of static shape, does.

    Raises ValueError where that needs more than C99 and its math library.
    """
    target = tvm.target.Target("c")
    module = tvm.IRModule({name: _with_inlined_blocks(function).with_attr("global_symbol", name)})
    lowered = tvm_adapter.run_passes([tirx.transform.BindTarget(target), _LOWERING], module)[name]
    plain, working_bytes = _with_pointers(lowered)
    constants: list[float] = []
    plain = _with_named_constants(_with_math_functions(plain), constants)
    try:
        printer = tvm.get_global_func("target.build.c")
        printed = printer(tvm.IRModule({name: plain}), target).inspect_source()
    except tvm.error.InternalError as error:
        unprinted = re.search(r'name="tirx\.(\w+)"', str(error))
        what = unprinted[1] if unprinted else str(error).splitlines()[0]
        if what == "tvm_call_packed":
            raise ValueError("TVM calls its runtime for it") from error
        raise ValueError(f"TVM cannot print {what} as C") from error
    # Before the definition, the function itself and each external function it calls are declared.
    externals = set(re.findall(r"^TVM_DLL [\w ]+?\**\s*(\w+)\(.*\);$", printed, re.MULTILINE)) - {name}
    externals = {external for external in externals if not external.startswith(_CONSTANT)}
    if unknown := externals - _MATH_FUNCTIONS:
        raise ValueError(f"it calls {', '.join(sorted(unknown))}, which C's math library does not have")
    definition = re.search(rf"^TVM_DLL (void {name}\([^)]*\) {{.*^}})$", printed, re.MULTILINE | re.DOTALL)
    if definition is None:
        raise ValueError("TVM printed no C function without result")
    literals = [f"({c_float(value)})" if value < 0 else c_float(value) for value in constants]
    text = re.sub(rf"{_CONSTANT}(\d+)\(\)", lambda match: literals[int(match[1])], definition[1])
    includes = []
    if externals or re.search(r"\b(INFINITY|NAN)\b", text):
        includes.append("math.h")
    if re.search(r"\b(bool|true|false)\b", text):
        includes.append("stdbool.h")
    return LoopNest(f"static {text}", working_bytes, tuple(includes))


def _with_inlined_blocks(function: tirx.PrimFunc) -> tirx.PrimFunc:
    """The function with each intermediate that has one reader computed where it is read."""
    root = getattr(function.body, "block", None)
    if root is not None and not root.alloc_buffers:
        return function  # It has none, and a schedule takes time to make.
    schedule = s_tir.Schedule(function)
    try:
        blocks = schedule.get_child_blocks(schedule.get_sblock("root"))
    except s_tir.ScheduleError:
        return function
    for block in blocks:
        if len(schedule.get_consumers(block)) != 1:
            continue
        try:
            schedule.compute_inline(block)
        except s_tir.ScheduleError:
            # A reduction, or a block that is no plain loop nest: it stays as it is.
            continue
    return schedule.mod["main"]


def _with_pointers(function: tirx.PrimFunc) -> tuple[tirx.PrimFunc, tuple[int, ...]]:
    """A lowered function with pointers for parameters, and the bytes of each working buffer.

    Buffers that the function allocates become parameters too, unless they are small.
    """
    parameters = [_pointer(f"p{index}", buffer) for index, buffer in enumerate(function.params)]
    declarations: list[tirx.Stmt] = []
    working_bytes: list[int] = []

    def given(allocation: tirx.AllocBuffer) -> tirx.Stmt:
        size = _buffer_bytes(allocation.buffer)
        if size <= _MOST_LOCAL_BYTES:
            return allocation
        parameters.append(_pointer(f"work{len(working_bytes)}", allocation.buffer))
        working_bytes.append(size)
        return tirx.DeclBuffer(allocation.buffer, data=parameters[-1])

    for buffer, pointer in zip(function.params, parameters, strict=True):
        if isinstance(buffer.elem_offset, tirx.Var):
            zero = tirx.IntImm(str(buffer.elem_offset.ty.dtype), 0)
            declarations.append(tirx.Bind(buffer.elem_offset, zero))
        declarations.append(tirx.DeclBuffer(buffer, data=pointer))
    body = tvm_ffi.structural_map(function.body, (tirx.AllocBuffer, given))
    plain = tirx.PrimFunc(parameters, tirx.SeqStmt([*declarations, body]), function.ret_type, function.attrs)
    return plain, tuple(working_bytes)


def _pointer(name: str, buffer: tirx.Buffer) -> tirx.Var:
    return tirx.Var(name, tvm.ir.PointerType(tvm.ir.PrimType(buffer.dtype)))


def _buffer_bytes(buffer: tirx.Buffer) -> int:
    size = (tvm.DataType(buffer.dtype).bits + 7) // 8
    for dimension in buffer.shape:
        size *= int(dimension)
    return size


def _with_math_functions(function: tirx.PrimFunc) -> tirx.PrimFunc:
    """The function with intrinsics that TVM does not lower for C as calls of C's functions of that name."""

    def lowered(call: tvm.ir.Call) -> tvm.ir.Expr:
        name = call.op.name.removeprefix("tirx.") if isinstance(call.op, tvm.ir.Op) else ""
        suffix = {"float32": "f", "float64": ""}.get(str(getattr(call.ty, "dtype", "")))
        if name not in _MATH or suffix is None:
            return call
        return tirx.call_pure_extern(str(call.ty.dtype), name + suffix, *call.args)

    return tvm_ffi.structural_map(function, (tvm.ir.Call, lowered))


def _with_named_constants(function: tirx.PrimFunc, constants: list[float]) -> tirx.PrimFunc:
    """The function with float32 constants as calls of `tinycc_constant_<index>`, their values appended.

    The printer gives floats seven digits, two too few to read back the same.
    """

    def named(immediate: tirx.FloatImm) -> tirx.Expr:
        if str(immediate.ty.dtype) != "float32":
            return immediate
        constants.append(float(immediate.value))
        return tirx.call_pure_extern("float32", f"{_CONSTANT}{len(constants) - 1}")

    return tvm_ffi.structural_map(function, (tirx.FloatImm, named))


def c_float(value: float) -> str:
    """A float32 as a C literal that reads back the same; infinities and NaN by their names in math.h."""
    if math.isnan(value):
        return "NAN"
    if math.isinf(value):
        return "INFINITY" if value > 0 else "-INFINITY"
    return f"{np.format_float_scientific(np.float32(value), unique=True, trim='0')}f"
