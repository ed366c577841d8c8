"""Give every consumer of a dequantized tensor its own dequantize, and every quantize its own computation.

Before:  lv = dequantize(x); lv1 = tanh(lv); lv2 = quantize(lv1, s); lv3 = quantize(lv1, t); lv4 = add(lv, y)
After:   ...; lv2 = quantize(lv1, s); lv3 = quantize(tanh(dequantize(x)), t); lv4 = add(dequantize(x), y)
Why:     a value shared by two patterns would make each composite return it as a second result.
"""

import tvm
from tvm import relax

from tinycc import tvm_adapter


@relax.expr_functor.mutator
class _Splitter(relax.PyExprMutator):
    def __init__(
        self,
        module: tvm.IRModule,
        reals: dict[relax.Var, relax.Call],
        calls: list[relax.Expr],
        results: list[relax.Expr],
    ) -> None:
        """reals: the calls that compute real numbers. calls: all. results: what the function returns."""
        super().__init__(module)
        self._reals = reals
        self._seen = set(results)  # the first of their readers
        self._quantized = {call.args[0] for call in calls if tvm_adapter.op_name(call) == "relax.quantize"}

    def visit_call_(self, call: relax.Call) -> relax.Expr:
        arguments = [self._own(argument) for argument in call.args]
        return super().visit_call_(relax.Call(call.op, arguments, call.attrs, call.ty_args, call.span))

    def _own(self, argument: relax.Expr) -> relax.Expr:
        """`argument` for its first reader, a copy for later ones."""
        value = self._reals.get(argument)
        is_end = argument in self._quantized or tvm_adapter.op_name(value) == "relax.dequantize"
        if value is None or not is_end:
            return argument
        if argument not in self._seen:
            self._seen.add(argument)
            return argument
        return self._copy(argument)

    def _copy(self, argument: relax.Expr) -> relax.Expr:
        """The computation of a real number again, from the integers on."""
        value = self._reals.get(argument)
        if value is None:
            return self.visit_expr(argument)
        arguments = [self._copy(item) for item in value.args]
        return self.builder_.emit(relax.Call(value.op, arguments, value.attrs, value.ty_args))


@relax.transform.function_pass(opt_level=0, name="SplitSharedDequantize")
class SplitSharedDequantize:
    """Function pass; see above."""

    def transform_function(
        self, function: relax.Function, module: tvm.IRModule, _context: tvm.transform.PassContext
    ) -> relax.Function:
        """Emit what a later reader wants for itself right before it."""
        reals = {
            binding.var: binding.value
            for binding in tvm_adapter.bindings_of(function)
            if isinstance(binding.value, relax.Call)
            and tvm_adapter.is_tensor(binding.var)
            and tvm_adapter.dtype_of(binding.var) == "float32"
        }
        if not reals:
            return function
        calls = [binding.value for binding in tvm_adapter.bindings_of(function)]
        return _Splitter(module, reals, calls, tvm_adapter.returned(function)).visit_expr(function)
