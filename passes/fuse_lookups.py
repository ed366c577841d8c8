"""Group every function of one int8 tensor into one composite function, which becomes a table.

Before:  lv = dequantize(x); lv1 = exp(lv); lv2 = add(lv1, 1); lv3 = quantize(lv2); lv4 = clip(lv3, 0, 9)
After:   lv4 = lookup(x), a private function with Composite = "tinycc.lookup" and the same body
Requires: the normal form. What other operators read as well stays where it is, too.

A function may be of any depth, and use the tensor and numbers as often as it likes, so this is no pattern.
Where nobody else reads the integers between two functions, these are one.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.ops.lookup.view import Lookup, is_number, source_of, tensor_operands
from tinycc.ops.lookup_table import INTEGER, OPERATORS, RESHAPES


@dataclass(frozen=True)
class _Function:
    """A function of `source`, a variable or a constant: the variables that its body binds, the result last.

    is_requantization: it does nothing but change the scale, for which there is an operator.
    """

    source: relax.Expr
    variables: tuple[relax.Var, ...]
    is_requantization: bool


class _Finder:
    """Finds the functions of a `main`, going through its bindings in order."""

    def __init__(self, main: relax.Function) -> None:
        self.values = {binding.var: binding.value for binding in tvm_adapter.bindings_of(main)}
        self.readers: Counter[relax.Expr] = Counter(tvm_adapter.returned(main))
        for value in self.values.values():
            self.readers.update(tvm_adapter.variables_of(value))
        self.functions: dict[relax.Var, _Function] = {}
        for variable, value in self.values.items():
            function = self._function(variable, value)
            if function is not None:
                self.functions[variable] = self._joined(function)

    def _function(self, variable: relax.Var, value: relax.Expr) -> _Function | None:
        """The function from one int8 tensor that ends with this binding."""
        name = _name(value)
        if not (name == "quantize" or name in INTEGER) or tvm_adapter.dtype_of(variable) != "int8":
            return None
        found: dict[relax.Expr, None] = {}
        if name in INTEGER:
            source = value.args[0]
        elif self._is_elementwise(value.args[0], found):
            source = source_of(self._stored(found))
        else:
            return None
        if source is None or not _is_alike(source, variable) or not self._has_one_meaning(found, source):
            return None
        return _Function(source, (*found, variable), name == "quantize" and len(found) == 1)

    def _is_elementwise(self, expr: relax.Expr, found: dict[relax.Expr, None]) -> bool:
        """Whether real numbers follow, element by element, from dequantized tensors and single numbers alone.

        found: takes the variables that compute them, in order.
        """
        if expr in found or is_number(expr):
            return True
        value = self.values.get(expr, expr)
        name = _name(value)
        if name == "dequantize":
            if tvm_adapter.is_constant(value.args[0]) and not all(map(is_number, value.args[1:])):
                return False
        elif name in RESHAPES:
            numbers: dict[relax.Expr, None] = {}
            if not self._is_elementwise(value.args[0], numbers) or not all(
                map(is_number, self._stored(numbers))
            ):
                return False
            found.update(numbers)
        elif name in OPERATORS:
            if not all(self._is_elementwise(operand, found) for operand in tensor_operands(value)):
                return False
        elif not is_number(value):
            return False
        found[expr] = None
        return True

    def _stored(self, variables: Iterable[relax.Expr]) -> list[relax.Expr]:
        """The integers that some of these dequantize."""
        calls = [self.values[variable] for variable in variables]
        return [call.args[0] for call in calls if _name(call) == "dequantize"]

    def _has_one_meaning(self, variables: Iterable[relax.Expr], source: relax.Expr) -> bool:
        """Whether all that dequantize the source do it alike."""
        calls = [self.values[variable] for variable in variables]
        meanings = {
            tuple(tvm_adapter.constant_value(argument).item() for argument in call.args[1:3])
            for call in calls
            if _name(call) == "dequantize" and call.args[0].same_as(source)
        }
        return len(meanings) <= 1

    def _joined(self, function: _Function) -> _Function:
        """With the function that its source is the result of, if nobody else reads that."""
        before = self.functions.get(function.source)
        own = sum(
            function.source in tvm_adapter.variables_of(self.values[variable])
            for variable in function.variables
        )
        if before is None or self.readers[function.source] != own:
            return function
        del self.functions[function.source]
        return _Function(before.source, before.variables + function.variables, False)


def _name(expr: relax.Expr) -> str:
    """The operator that an expression calls, less "relax."; "" if it calls none."""
    return tvm_adapter.op_name(expr).removeprefix("relax.")


def _is_alike(left: relax.Expr, right: relax.Expr) -> bool:
    """Whether two tensors have the same shape and dtype."""
    return (tvm_adapter.shape_of(left), tvm_adapter.dtype_of(left)) == (
        tvm_adapter.shape_of(right),
        tvm_adapter.dtype_of(right),
    )


@tvm.transform.module_pass(opt_level=0, name="FuseLookups")
class FuseLookups:
    """Module pass; see above."""

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Replace the last binding of each function by a call; what is left over is removed."""
        main = module["main"]
        finder = _Finder(main)
        functions = {
            result: function
            for result, function in finder.functions.items()
            if not function.is_requantization
        }
        if not functions:
            return module
        table = tvm_adapter.FunctionTable(module)
        bindings = []
        for variable, value in finder.values.items():
            function = functions.get(variable)
            if function is not None:
                composite = table.add(_composite(function, finder.values), "fused_lookup")
                operands = tvm_adapter.variables_of(function.source)
                value = relax.Call(composite, operands, ret_ty=value.ty)
            bindings.append(relax.VarBinding(variable, value))
        module = tvm_adapter.rebuild_main(table.module(), bindings)
        cleanup = [relax.transform.Normalize(), relax.transform.DeadCodeElimination(["main"])]
        return tvm_adapter.run_passes(cleanup, module)


def _composite(function: _Function, values: dict[relax.Var, relax.Expr]) -> relax.Function:
    """A private function of the source that computes the result."""
    builder = relax.BlockBuilder()
    mapping: dict[relax.Expr, relax.Expr] = {
        variable: relax.Var("x", variable.ty) for variable in tvm_adapter.variables_of(function.source)
    }
    with builder.function("lookup", list(mapping.values()), private=True):
        with builder.dataflow():
            for variable in function.variables[:-1]:
                mapping[variable] = builder.emit(tvm_adapter.substitute(values[variable], mapping))
            result = builder.emit_output(tvm_adapter.substitute(values[function.variables[-1]], mapping))
        builder.emit_func_output(result)
    attributes = {"Composite": f"tinycc.{Lookup.kind}", "Primitive": True}
    return builder.get()["lookup"].with_attrs(attributes)
