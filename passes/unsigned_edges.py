"""Let inputs and outputs be uint8 where the model file has them so.

Before:  main(x: int8) { lv = fused_lookup(x); lv1 = fused_conv2d(x); ... }, x uint8 in the file
After:   main(x: uint8) { lv = fused_lookup1(x); lv0 = to_int8(x); lv1 = fused_conv2d(lv0); ... }
         fused_lookup1 is the same function of uint8, which there is a kernel for; to_int8 is a private
         function that flips the sign, with Composite = "tinycc.requantize". The zero points of the edges are
         the file's then
Requires: fuse_quantized_ops, lower_fallbacks.
Source:  uint8 with a zero point is int8 less 128 with a zero point less 128 (TFLite, QUANTIZE between them).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.edges import Edge, Edges, read_edges, with_edges
from tinycc.errors import UnsupportedError
from tinycc.graph import Node, OperatorGraph, Value, view_of
from tinycc.ops.composite import Composite
from tinycc.ops.requantize.view import Requantize

_SHIFT = 128


@tvm.transform.module_pass(opt_level=0, name="UnsignedEdges")
class UnsignedEdges:
    """Module pass; see above."""

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Rewrite `main` and the functions at its edges."""
        edges = read_edges(module)
        if not _unsigned(edges.inputs) | _unsigned(edges.outputs):
            return module
        rewriter = _Rewriter(module)
        has_work = bool(rewriter.unsigned) or any(rewriter.becomes_unsigned)
        return rewriter.run() if has_work else module


class _Rewriter:
    """Rebuilds `main`.

    becomes_unsigned: of each result.
    signed, unsigned: what the variables of the old function are in the new one, as they were and as uint8.
    """

    def __init__(self, module: tvm.IRModule) -> None:
        self.graph, self.edges = OperatorGraph.of(module), read_edges(module)
        self.functions, self.body = tvm_adapter.FunctionTable(module), relax.BlockBuilder()
        self.results = tvm_adapter.returned(self.graph.main)
        inputs, outputs = _unsigned(self.edges.inputs), _unsigned(self.edges.outputs)
        self.becomes_unsigned = [
            index in outputs and tvm_adapter.dtype_of(result) == "int8"
            for index, result in enumerate(self.results)
        ]
        self.signed: dict[relax.Var, relax.Var] = {}
        self.unsigned: dict[relax.Var, relax.Var] = {}
        for index, parameter in enumerate(self.graph.parameters):
            if index in inputs and tvm_adapter.dtype_of(parameter) == "int8":
                self.unsigned[parameter] = _as_uint8(parameter)
            else:
                self.signed[parameter] = parameter

    def run(self) -> tvm.IRModule:
        """The module with uint8 edges."""
        main, parameters = self.graph.main, self.graph.parameters
        edges = Edges(
            tuple(map(_with_shift, self.edges.inputs, (item in self.unsigned for item in parameters))),
            tuple(map(_with_shift, self.edges.outputs, self.becomes_unsigned)),
        )
        ends = self._ends()
        given = [self.unsigned.get(parameter, parameter) for parameter in parameters]
        with self.body.function("main", given, attrs=dict(main.attrs.items())):
            with self.body.dataflow():
                for node in self.graph.nodes:
                    self._rewrite(node, node.variable in ends)
                fields = [
                    self._unsigned_of(result) if is_unsigned else self._signed_of(result)
                    for result, is_unsigned in zip(self.results, self.becomes_unsigned, strict=True)
                ]
                output = self.body.emit_output(fields[0] if len(fields) == 1 else relax.Tuple(fields))
            self.body.emit_func_output(output)
        module = self.functions.module()
        module.update_func(module.get_global_var("main"), with_edges(self.body.get()["main"], edges))
        return relax.transform.DeadCodeElimination(["main"])(module)

    def _ends(self) -> set[Value | None]:
        """Values that are uint8 results and nothing else."""
        results = list(zip(self.graph.results, self.becomes_unsigned, strict=True))
        signed = {value for value, is_unsigned in results if not is_unsigned}
        return {
            value
            for value, is_unsigned in results
            if is_unsigned and value not in signed and value in self.graph.makers
            if not self.graph.readers[value]
        }

    def _rewrite(self, node: Node, is_end: bool) -> None:
        """Copy an operator, as one for uint8 where there is a kernel for that.

        is_end: nothing but its uint8 is wanted.
        """
        call = node.call
        function = self.graph.module[call.op]
        reads = [index for index, source in enumerate(call.args) if self._is_unsigned(source)]
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
        callee = call.op if unsigned is None else self.functions.add(unsigned, call.op.name_hint)
        result = self.body.emit(relax.Call(callee, arguments, ret_ty=(unsigned or function).ret_ty))
        (self.unsigned if is_result else self.signed)[node.variable] = result

    def _is_unsigned(self, source: relax.Expr) -> bool:
        """Whether an argument is uint8 in the new function, by another name or in another shape perhaps."""
        return self.graph.values.get(source) in self.unsigned

    def _signed_of(self, variable: relax.Expr) -> relax.Expr:
        """A variable as it was, made from uint8 the first time that it is asked for; constants stay."""
        if tvm_adapter.is_constant(variable):
            return variable
        if variable not in self.signed:
            self.signed[variable] = (
                self._view(variable, self._signed_of)
                if variable in self.graph.renamings
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
                if isinstance(self.graph.renamings.get(variable), relax.Call | relax.Var)
                else self._flipped(self._signed_of(variable), "uint8")
            )
        return self.unsigned[variable]

    def _view(self, variable: relax.Var, form: Callable[[relax.Expr], relax.Expr]) -> relax.Var:
        """A variable that is another by name or shape, or a part of one, made from a form of that."""
        value = self.graph.renamings[variable]
        sources = {source: form(source) for source in tvm_adapter.variables_of(value)}
        renamed = tvm_adapter.substitute(value, sources)
        return renamed if isinstance(renamed, relax.Var) else self.body.emit(renamed)

    def _flipped(self, variable: relax.Var, dtype: str) -> relax.Var:
        function = _sign_flip(variable, dtype)
        callee = self.functions.add(function, f"to_{dtype}")
        return self.body.emit(relax.Call(callee, [variable], ret_ty=function.ret_ty))


def _unsigned(edges: Sequence[Edge]) -> set[int]:
    """Which edges are uint8 in the file."""
    return {index for index, edge in enumerate(edges) if edge.dtype == "uint8"}


def _with_shift(edge: Edge, is_shifted: bool) -> Edge:
    """The edge with its zero point for uint8."""
    return replace(edge, zero_point=edge.zero_point + _SHIFT) if is_shifted and edge.scale else edge


def _as_uint8(variable: relax.Var) -> relax.Var:
    return relax.Var(variable.name, relax.TensorType(tvm_adapter.shape_of(variable), "uint8"))


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
