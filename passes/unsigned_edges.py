"""Let inputs and outputs be uint8 where the model file has them so.

Before:  main(x: int8) { lv = fused_lookup(x); lv1 = fused_conv2d(x); ... }, x uint8 in the file
After:   main(x: uint8) { lv = fused_lookup1(x); lv0 = to_int8(x); lv1 = fused_conv2d(lv0); ... }
         fused_lookup1 is the same function of uint8, which there is a kernel for; to_int8 is a private
         function that flips the sign, with Composite = "tinycc.requantize". The zero points of the edges are
         the file's then
Requires: fuse_quantized_ops, lower_fallbacks.
Source:  uint8 with a zero point is int8 less 128 with a zero point less 128 (TFLite, QUANTIZE between them).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.edges import Edge, Edges, read_edges, with_edges
from tinycc.errors import UnsupportedError
from tinycc.graph import view_of
from tinycc.ops.composite import VIEWS, Composite
from tinycc.ops.requantize.view import Requantize

_SHIFT = 128


@tvm.transform.module_pass(opt_level=0, name="UnsignedEdges")
class UnsignedEdges:
    """Module pass; see above."""

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Rewrite `main` and the functions at its edges."""
        rewriter = _Rewriter(module)
        has_work = bool(rewriter.unsigned) or any(rewriter.becomes_unsigned)
        return rewriter.run() if has_work else module


class _Rewriter:
    """Rebuilds `main`.

    becomes_unsigned: of each result.
    signed, unsigned: what the variables of the old function are in the new one, as they were and as uint8.
    views: the values of those that are another variable in another shape.
    """

    def __init__(self, module: tvm.IRModule) -> None:
        self.module, self.main, self.edges = module, module["main"], read_edges(module)
        self.functions, self.body = relax.BlockBuilder(module), relax.BlockBuilder()
        self.results = tvm_adapter.returned(self.main)
        inputs, outputs = _unsigned(self.edges.inputs), _unsigned(self.edges.outputs)
        self.becomes_unsigned = [
            index in outputs and tvm_adapter.dtype_of(result) == "int8"
            for index, result in enumerate(self.results)
        ]
        self.signed: dict[relax.Var, relax.Var] = {}
        self.unsigned: dict[relax.Var, relax.Var] = {}
        for index, parameter in enumerate(self.main.params):
            if index in inputs and tvm_adapter.dtype_of(parameter) == "int8":
                self.unsigned[parameter] = _as_uint8(parameter)
            else:
                self.signed[parameter] = parameter
        self.views: dict[relax.Var, relax.Expr] = {}

    def run(self) -> tvm.IRModule:
        """The module with uint8 edges."""
        edges = Edges(
            tuple(map(_with_shift, self.edges.inputs, (item in self.unsigned for item in self.main.params))),
            tuple(map(_with_shift, self.edges.outputs, self.becomes_unsigned)),
        )
        ends = self._ends()
        parameters = [self.unsigned.get(parameter, parameter) for parameter in self.main.params]
        with self.body.function("main", parameters, attrs=dict(self.main.attrs.items())):
            with self.body.dataflow():
                for binding in tvm_adapter.bindings_of(self.main):
                    self._rewrite(binding, binding.var in ends)
                fields = [
                    self._unsigned_of(result) if is_unsigned else self._signed_of(result)
                    for result, is_unsigned in zip(self.results, self.becomes_unsigned, strict=True)
                ]
                output = self.body.emit_output(fields[0] if len(fields) == 1 else relax.Tuple(fields))
            self.body.emit_func_output(output)
        module = self.functions.get()
        module.update_func(module.get_global_var("main"), with_edges(self.body.get()["main"], edges))
        return relax.transform.DeadCodeElimination(["main"])(module)

    def _ends(self) -> set[relax.Var]:
        """Variables that nothing but uint8 results reads, as they are or in another shape."""
        bindings = [item for item in tvm_adapter.bindings_of(self.main) if not _is_tuple(item)]
        readers = Counter(variable for item in bindings for variable in tvm_adapter.variables_of(item.value))
        results = list(zip(self.results, self.becomes_unsigned, strict=True))
        ends = {result for result, is_unsigned in results if is_unsigned and not readers[result]}
        ends -= {result for result, is_unsigned in results if not is_unsigned}
        for binding in reversed(bindings):
            if binding.var in ends and _is_view(binding):
                source = tvm_adapter.variables_of(binding.value)[0]
                if readers[source] == 1 and source not in self.results:
                    ends.add(source)
        return ends

    def _rewrite(self, binding: relax.VarBinding, is_end: bool) -> None:
        """Copy a binding. is_end: nothing but its uint8 is wanted."""
        value = binding.value
        if _is_view(binding):
            self.views[binding.var] = value
        elif isinstance(value, relax.Call) and isinstance(value.op, tvm.ir.GlobalVar):
            self._rewrite_operator(binding.var, value, is_end)
        elif not _is_tuple(binding):  # of the results, which is made anew
            signed = {variable: self._signed_of(variable) for variable in tvm_adapter.variables_of(value)}
            self.signed[binding.var] = self.body.emit(tvm_adapter.substitute(value, signed))

    def _rewrite_operator(self, variable: relax.Var, call: relax.Call, is_end: bool) -> None:
        """Copy the call of a composite function, of one for uint8 where there is a kernel for that."""
        function = self.module[call.op]
        reads = [index for index, source in enumerate(call.args) if self._base(source) in self.unsigned]
        for positions, is_result in ((reads, is_end), (reads, False), ([], is_end)):
            unsigned = _unsigned_function(function, positions, is_result)
            if unsigned is not None:
                break
        else:
            unsigned, positions, is_result = None, [], False
        arguments = [
            self._unsigned_of(source) if index in positions else self._signed_of(source)
            for index, source in enumerate(call.args)
        ]
        callee = call.op if unsigned is None else self.functions.add_func(unsigned, call.op.name_hint)
        result = self.body.emit(relax.Call(callee, arguments, ret_ty=(unsigned or function).ret_ty))
        (self.unsigned if is_result else self.signed)[variable] = result

    def _base(self, variable: relax.Expr) -> relax.Expr:
        """The variable that is another in another shape."""
        while variable in self.views:
            variable = tvm_adapter.variables_of(self.views[variable])[0]
        return variable

    def _signed_of(self, variable: relax.Expr) -> relax.Expr:
        """A variable as it was, made from uint8 the first time that it is asked for; constants stay."""
        if tvm_adapter.is_constant(variable):
            return variable
        if variable not in self.signed:
            self.signed[variable] = (
                self._view(variable, self._signed_of)
                if variable in self.views
                else self._flipped(self.unsigned[variable], "int8")
            )
        return self.signed[variable]

    def _unsigned_of(self, variable: relax.Expr) -> relax.Expr:
        """A variable, or a constant, as uint8."""
        if tvm_adapter.is_constant(variable):
            return tvm_adapter.make_constant(tvm_adapter.constant_value(variable).view(np.uint8) ^ _SHIFT)
        if variable not in self.unsigned:
            self.unsigned[variable] = (
                self._view(variable, self._unsigned_of)
                if variable in self.views
                else self._flipped(self.signed[variable], "uint8")
            )
        return self.unsigned[variable]

    def _view(self, variable: relax.Var, form: Callable[[relax.Expr], relax.Expr]) -> relax.Var:
        """A variable that is another in another shape, made from a form of that."""
        value = self.views[variable]
        [source] = tvm_adapter.variables_of(value)
        renamed = tvm_adapter.substitute(value, {source: form(source)})
        return renamed if isinstance(renamed, relax.Var) else self.body.emit(renamed)

    def _flipped(self, variable: relax.Var, dtype: str) -> relax.Var:
        function = _sign_flip(variable, dtype)
        callee = self.functions.add_func(function, f"to_{dtype}")
        return self.body.emit(relax.Call(callee, [variable], ret_ty=function.ret_ty))


def _unsigned(edges: Sequence[Edge]) -> set[int]:
    """Which edges are uint8 in the file."""
    return {index for index, edge in enumerate(edges) if edge.dtype == "uint8"}


def _with_shift(edge: Edge, is_shifted: bool) -> Edge:
    """The edge with its zero point for uint8."""
    return replace(edge, zero_point=edge.zero_point + _SHIFT) if is_shifted and edge.scale else edge


def _as_uint8(variable: relax.Var) -> relax.Var:
    return relax.Var(variable.name, relax.TensorType(tvm_adapter.shape_of(variable), "uint8"))


def _is_tuple(binding: relax.VarBinding) -> bool:
    return isinstance(binding.value, relax.Tuple)


def _is_view(binding: relax.VarBinding) -> bool:
    """Whether a variable is another by a second name, or in another shape."""
    is_view = isinstance(binding.value, relax.Var) or tvm_adapter.op_name(binding.value) in VIEWS
    return is_view and bool(tvm_adapter.variables_of(binding.value))


def _sign_flip(variable: relax.Var, dtype: str) -> relax.Function:
    """The composite function from int8 to uint8, or from uint8 to `dtype` int8."""
    zero_points = {"int8": 0, "uint8": _SHIFT}
    scale = relax.const(np.float32(1))
    parameter = relax.Var("x", variable.ty)
    builder = relax.BlockBuilder()
    with builder.function("flip", [parameter], private=True):
        with builder.dataflow():
            before, after = (relax.const(zero_points[of], "int32") for of in (str(variable.ty.dtype), dtype))
            real = builder.emit(relax.op.dequantize(parameter, scale, before))
            result = builder.emit_output(relax.op.quantize(real, scale, after, out_dtype=dtype))
        builder.emit_func_output(result)
    return builder.get()["flip"].with_attrs({"Composite": f"tinycc.{Requantize.kind}", "Primitive": True})


def _unsigned_function(
    function: relax.Function, reads: Sequence[int], is_result: bool
) -> relax.Function | None:
    """A composite function for uint8; None if there is no kernel for it.

    reads: which of its parameters become uint8. is_result: whether its result does.
    """
    if not reads and not is_result:
        return None
    final = Composite(function).resolve(function.body.body) if is_result else None
    parameters = [
        _as_uint8(parameter) if index in reads else parameter
        for index, parameter in enumerate(function.params)
    ]
    values: dict[relax.Var, relax.Expr] = dict(zip(function.params, parameters, strict=True))
    unsigned = {parameters[index] for index in reads}
    builder = relax.BlockBuilder()
    try:
        with tvm_adapter.unwinding(builder), builder.function("layer", parameters, private=True):
            with builder.dataflow():
                for binding in tvm_adapter.bindings_of(function):
                    value = tvm_adapter.substitute(binding.value, values)
                    if unsigned.intersection(tvm_adapter.variables_of(value)):
                        value = _reading_uint8(value)
                    if final is not None and binding.value.same_as(final):
                        value = _making_uint8(value)
                    values[binding.var] = builder.emit(value)
                result = builder.emit_output(tvm_adapter.substitute(function.body.body, values))
            builder.emit_func_output(result)
        made = builder.get()["layer"].with_attrs(dict(function.attrs.items()))
        return made if _has_kernel(made) else None
    except (UnsupportedError, ValueError):
        return None


def _reading_uint8(value: relax.Expr) -> relax.Expr:
    """A call of uint8 with the result that it had of int8; ValueError if more than a zero point differs."""
    name = tvm_adapter.op_name(value)
    if name == "relax.dequantize":
        return relax.Call(value.op, [*value.args[:2], _shifted(value.args[2])], value.attrs)
    if name == "relax.argmax":
        return value
    raise ValueError(f"{name} reads the integers themselves")


def _making_uint8(value: relax.Expr) -> relax.Expr:
    """A quantize to uint8 in place of int8; ValueError for any other call."""
    if tvm_adapter.op_name(value) != "relax.quantize":
        raise ValueError("the result is not that of a quantize")
    return relax.op.quantize(value.args[0], value.args[1], _shifted(value.args[2]), out_dtype="uint8")


def _shifted(zero_point: relax.Expr) -> relax.Expr:
    return tvm_adapter.make_constant(tvm_adapter.constant_value(zero_point) + np.int32(_SHIFT))


def _has_kernel(function: relax.Function) -> bool:
    """Whether an operator has a kernel for just these types; errors as those of `view_of`."""
    view = view_of(function)
    view.call()
    read = {tensor.dtype for tensor in view.inputs if tensor.value is None}
    return view.element_types is not None and len(read) == 1
