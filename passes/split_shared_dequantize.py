"""Give every consumer of a dequantized tensor its own dequantize.

Before:  lv = dequantize(x); lv1 = conv2d(lv, ...); lv2 = add(lv, ...)
After:   lv = dequantize(x); lv1 = conv2d(lv, ...); lv3 = dequantize(x); lv2 = add(lv3, ...)
Why:     a value shared by two patterns would make each composite return it as a second result.
"""

import tvm
from tvm import relax

from tinycc import tvm_adapter


@relax.expr_functor.mutator
class _Splitter(relax.PyExprMutator):
    def __init__(self, module: tvm.IRModule, dequantized: dict[relax.Var, relax.Call]) -> None:
        super().__init__(module)
        self._dequantized = dequantized
        self._seen: set[relax.Var] = set()

    def visit_call_(self, call: relax.Call) -> relax.Expr:
        arguments = [self._own(argument) for argument in call.args]
        return super().visit_call_(relax.Call(call.op, arguments, call.attrs, call.ty_args, call.span))

    def _own(self, argument: relax.Expr) -> relax.Expr:
        if argument not in self._dequantized:
            return argument
        if argument not in self._seen:
            self._seen.add(argument)
            return argument
        return self.builder_.emit(self.visit_expr(self._dequantized[argument]))


@relax.transform.function_pass(opt_level=0, name="SplitSharedDequantize")
class SplitSharedDequantize:
    """Function pass; see above."""

    def transform_function(
        self, function: relax.Function, module: tvm.IRModule, _context: tvm.transform.PassContext
    ) -> relax.Function:
        """Emit another dequantize before each use but the first."""
        dequantized = {
            binding.var: binding.value
            for binding in tvm_adapter.bindings_of(function)
            if tvm_adapter.op_name(binding.value) == "relax.dequantize"
        }
        if not dequantized:
            return function
        return _Splitter(module, dequantized).visit_expr(function)
