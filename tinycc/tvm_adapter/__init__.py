"""Everything about TVM's Python API that moves between minor versions, in one place.

Written against apache-tvm 0.27: constants are `tvm.ir.GenericConst` (`.value`), the type of an
expression is `.ty` (0.26: `relax.Constant.data`, `.struct_info`).
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tvm
import tvm_ffi
from tvm import relax
from tvm.ir import GenericConst

from tinycc import errors

# A pass runs below TVM's C++: only error types it knows come out on the other side as they went in.
for _error in vars(errors).values():
    if isinstance(_error, type) and issubclass(_error, errors.TinyccError):
        tvm_ffi.register_error(_error)
for _error in (KeyboardInterrupt, OSError, RecursionError):
    tvm_ffi.register_error(_error)


@contextlib.contextmanager
def observed_by(instrument: tvm.ir.instrument.PassInstrument) -> Iterator[None]:
    """Adds an instrument to the current PassContext.

    Neither a context within it nor override_instruments would do: both end and begin the caller's
    instruments, and PassTimingInstrument forgets then what it has measured.
    """
    context = tvm.transform.PassContext.current()
    [field] = [item for item in type(context).__tvm_ffi_type_info__.fields if item.name == "instruments"]
    before = list(context.instruments)
    field.setter(context, [*before, instrument])
    try:
        yield
    finally:
        field.setter(context, before)


@contextlib.contextmanager
def unwinding(builder: relax.BlockBuilder) -> Iterator[None]:
    """Ends the builder's block where building fails, or TVM complains of it on stderr."""
    try:
        yield
    except Exception:
        builder._end_block()
        raise


def is_constant(expr: relax.Expr) -> bool:
    """Whether `expr` is a tensor constant."""
    return isinstance(expr, GenericConst)


def constant_value(expr: relax.Expr) -> np.ndarray:
    """The array of a tensor constant (a scalar comes back with shape `()`)."""
    return np.asarray(expr.value.numpy())


def make_constant(value: np.ndarray) -> relax.Expr:
    """A tensor constant holding `value` with its dtype."""
    return relax.const(np.array(value, order="C"), dtype=str(value.dtype))


def is_tensor(expr: relax.Expr) -> bool:
    """Whether `expr` is a single tensor (not a tuple, a shape or a function)."""
    return isinstance(expr.ty, relax.TensorType)


def shape_of(expr: relax.Expr) -> tuple[int, ...]:
    """The static shape of a tensor expression.

    Raises ValueError if a dimension is symbolic or the shape is unknown.
    """
    shape = expr.ty.shape
    if shape is None:
        raise ValueError("the shape is not known")
    try:
        return tuple(int(dimension) for dimension in shape.values)
    except TypeError as error:
        raise ValueError(f"the shape {shape} is not static") from error


def dtype_of(expr: relax.Expr) -> str:
    """The dtype of a tensor expression, e.g. "int8"."""
    return str(expr.ty.dtype)


def op_name(expr: relax.Expr) -> str:
    """The name of the operator that `expr` calls, e.g. "relax.nn.conv2d"; "" if it is no such call."""
    if isinstance(expr, relax.Call) and isinstance(expr.op, tvm.ir.Op):
        return str(expr.op.name)
    return ""


def clip_bounds(call: relax.Call) -> tuple[float, float]:
    """The bounds of a relax.clip."""
    low, high = (float(getattr(bound.value, "value", bound.value)) for bound in call.args[1:3])
    return low, high


def structural_equal(one: tvm.IRModule, other: tvm.IRModule) -> bool:
    """Whether two modules say the same."""
    return bool(tvm_ffi.structural_equal(one, other))


def bindings_of(function: relax.Function) -> Iterator[relax.VarBinding]:
    """The variable bindings of a function's body, in order."""
    for block in function.body.blocks:
        yield from block.bindings


def callees_of(function: relax.Function) -> Iterator[tvm.ir.GlobalVar]:
    """The functions of the module that a function calls, in order, each as often as it is called."""
    for binding in bindings_of(function):
        if isinstance(binding.value, relax.Call) and isinstance(binding.value.op, tvm.ir.GlobalVar):
            yield binding.value.op


def returned(function: relax.Function) -> list[relax.Expr]:
    """The tensors that a function returns, a tuple spread out."""
    result = function.body.body
    values = {binding.var: binding.value for binding in bindings_of(function)}
    value = values.get(result, result)
    if isinstance(value, relax.Tuple):
        return list(value.fields)
    return [result]


def with_bindings(
    function: relax.Function, bindings: Sequence[relax.VarBinding], result: relax.Expr | None = None
) -> relax.Function:
    """The function with one dataflow block of these bindings for its body, and this result if it is new."""
    body = relax.SeqExpr([relax.DataflowBlock(bindings)], function.body.body if result is None else result)
    return relax.Function(function.params, body, function.ret_ty, function.is_pure, function.attrs)


def rebuild_main(
    module: tvm.IRModule, bindings: Sequence[relax.VarBinding], result: relax.Expr | None = None
) -> tvm.IRModule:
    """The module with one dataflow block of these bindings for the body of `main`; see with_bindings."""
    rebuilt = module.clone()
    rebuilt.update_func(module.get_global_var("main"), with_bindings(module["main"], bindings, result))
    return rebuilt


class FunctionTable:
    """The functions of a module that is being made.

    As BlockBuilder.add_func, but that compares a function with all others that differ in constants alone.
    """

    def __init__(self, module: tvm.IRModule | None = None) -> None:
        """module: whose functions are there from the beginning."""
        self._attrs = None if module is None else module.attrs
        self._functions: dict[tvm.ir.GlobalVar, tvm.ir.BaseFunc] = {}
        self._names: dict[str, int] = {}
        self._alike: dict[int, list[tvm.ir.GlobalVar]] = {}
        for variable, function in module.functions.items() if module is not None else ():
            self._enter(variable, function)

    def add(self, function: relax.Function, name: str) -> tvm.ir.GlobalVar:
        """The variable of a function, or of an equal one that is there; its name is new."""
        for variable in self._alike.get(tvm_ffi.structural_hash(function), ()):
            if tvm_ffi.structural_equal(self._functions[variable], function):
                return variable
        unique = name
        while unique in self._names:
            self._names[name] += 1
            unique = f"{name}{self._names[name]}"
        variable = tvm.ir.GlobalVar(unique)
        relax.expr._update_type(variable, function.ty)
        self._enter(variable, function)
        return variable

    def _enter(self, variable: tvm.ir.GlobalVar, function: tvm.ir.BaseFunc) -> None:
        self._functions[variable] = function
        self._names.setdefault(str(variable.name_hint), 0)
        self._alike.setdefault(tvm_ffi.structural_hash(function), []).append(variable)

    def module(self) -> tvm.IRModule:
        """The module of all functions."""
        return tvm.IRModule(self._functions, attrs=self._attrs)


def attribute(function: relax.Function, name: str, default: Any = None) -> Any:
    """A function attribute as a Python value, or `default` where it is not set."""
    if function.attrs is None or name not in function.attrs:
        return default
    return function.attrs[name]


def is_public(function: tvm.ir.BaseFunc) -> bool:
    """Whether a Relax function can be called from outside its module."""
    return isinstance(function, relax.Function) and attribute(function, "global_symbol") is not None


def register_pipeline(name: str, make: Callable[..., tvm.transform.Pass]) -> None:
    """Let relax.get_pipeline find a pipeline, which may be known to it already."""
    if name not in relax.pipeline.PIPELINE_MAP:
        relax.register_pipeline(name)(make)


def include_folders() -> list[str]:
    """Where the headers of TVM's C interface are, and those of DLPack that they include."""
    return [str(tvm_ffi.libinfo.find_include_path()), str(tvm_ffi.libinfo.find_dlpack_include_path())]


def run_passes(passes: Sequence[tvm.transform.Pass], module: tvm.IRModule) -> tvm.IRModule:
    """The steps of a pass, all of them whatever the caller's PassContext leaves out: it chooses passes.

    Some of TVM's passes are a Sequential inside, so that its level counts even where they are called alone.
    """
    with tvm.transform.PassContext(config=dict(tvm.transform.PassContext.current().config)):
        for step in passes:
            module = step(module)
    return module


def substitute(expr: relax.Expr, mapping: Mapping[relax.Var, relax.Expr]) -> relax.Expr:
    """`expr`, the value of a binding, with the variables of `mapping` replaced."""
    if isinstance(expr, relax.Var):
        return mapping.get(expr, expr)
    if isinstance(expr, relax.Tuple):
        return relax.Tuple([substitute(field, mapping) for field in expr.fields])
    if isinstance(expr, relax.TupleGetItem):
        return relax.TupleGetItem(substitute(expr.tuple_value, mapping), expr.index)
    if isinstance(expr, relax.Call):
        arguments = [substitute(argument, mapping) for argument in expr.args]
        return relax.Call(expr.op, arguments, expr.attrs, expr.ty_args)
    return expr


def variables_of(expr: relax.Expr) -> list[relax.Var]:
    """The variables that the value of a binding reads, in order."""
    if isinstance(expr, relax.Var):
        return [expr]
    if isinstance(expr, relax.Tuple):
        return [variable for field in expr.fields for variable in variables_of(field)]
    if isinstance(expr, relax.TupleGetItem):
        return variables_of(expr.tuple_value)
    if isinstance(expr, relax.Call):
        return [variable for argument in expr.args for variable in variables_of(argument)]
    return []


@tvm.transform.module_pass(opt_level=1, name="EliminateCommonSubexpr")
class EliminateCommonSubexpr:
    """TVM's pass of the same name, but what a composite function computes stays as it is written.

    The order of its constants tells what they are: two that are equal must not become one.
    """

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Run TVM's pass, and put the composite functions back."""
        eliminated = relax.transform.EliminateCommonSubexpr()(module)
        for variable, function in module.functions.items():
            if attribute(function, "Composite") is not None:
                eliminated.update_func(eliminated.get_global_var(variable.name_hint), function)
        return eliminated


def conv2d_like(
    call: relax.Call,
    source: relax.Expr,
    weights: relax.Expr,
    *,
    padding: Sequence[int] | None = None,
    groups: int | None = None,
) -> relax.Call:
    """A convolution of other operands with the attributes of `call`, save for those given."""
    attrs = call.attrs
    return relax.op.nn.conv2d(
        source,
        weights,
        strides=attrs.strides,
        padding=attrs.padding if padding is None else list(padding),
        dilation=attrs.dilation,
        groups=attrs.groups if groups is None else groups,
        data_layout=attrs.data_layout,
        kernel_layout=attrs.kernel_layout,
        out_layout=attrs.out_layout,
        out_dtype=attrs.out_dtype or None,
    )
