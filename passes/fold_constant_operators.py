"""Compute operators that read nothing but constants, with the integers that their kernels would give.

Before: lv = fused_dense() of a constant, as the first step of an unrolled RNN has it; lv1 = fused_add(x, lv)
After:  lv1 = fused_add(x), which has the constant inside
Requires: fuse_quantized_ops.

What reads such a result is taken apart and fused anew: with a constant as an operand it may be another
operator, or be folded, too. An operator without `evaluated()` keeps its kernel, which reads its operand from
flash; so does one whose output is a result of the model.
"""

import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.errors import UnsupportedError
from tinycc.graph import view_of
from tinycc.ops.evaluable import Evaluable
from tinycc.passes.dataflow_rewriter import DataflowRewriter
from tinycc.passes.fold_integer_constants import EVALUATORS, FoldIntegerConstants
from tinycc.passes.fuse_quantized_ops import FuseQuantizedOps


class _Folder(DataflowRewriter):
    """Folds each composite without arguments, and takes apart those with a constant argument."""

    def __init__(self, module: tvm.IRModule) -> None:
        super().__init__(module)
        self._folded: list[tuple[relax.Expr, relax.Call]] = []

    def rewrite(self, name: str, call: relax.Call) -> relax.Expr:
        if not isinstance(call.op, tvm.ir.GlobalVar):
            return call
        function = self.module[call.op]
        if any(map(tvm_adapter.is_constant, call.args)) or (not call.args and _only_moves(function)):
            return self._taken_apart(function, call)
        constant = None if call.args else _evaluated(function)
        if constant is None:
            return call
        self._folded.append((constant, call))
        return constant

    def results(self, results: list[relax.Expr]) -> list[relax.Expr]:
        """A constant has no place in memory: what computes it stays."""
        calls = [[call for constant, call in self._folded if constant.same_as(item)] for item in results]
        return [self.emit(call[0]) if call else item for item, call in zip(results, calls, strict=True)]

    def _taken_apart(self, function: relax.Function, call: relax.Call) -> relax.Expr:
        values: dict[relax.Var, relax.Expr] = dict(zip(function.params, call.args, strict=True))
        for binding in tvm_adapter.bindings_of(function):
            values[binding.var] = self.emit(tvm_adapter.substitute(binding.value, values))
        return tvm_adapter.substitute(function.body.body, values)


def _only_moves(function: relax.Function) -> bool:
    """Whether another pass can compute all of a function's body, given constants."""
    values = [binding.value for binding in tvm_adapter.bindings_of(function)]
    return all(
        tvm_adapter.op_name(value) in EVALUATORS for value in values if not isinstance(value, relax.Tuple)
    )


def _evaluated(function: relax.Function) -> relax.Expr | None:
    """The result of a composite without parameters; None where only its kernel knows it."""
    if not isinstance(function.ret_ty, relax.TensorType):
        return None
    try:
        view = view_of(function)
        value = view.evaluated() if isinstance(view, Evaluable) else None
    except (UnsupportedError, ValueError):
        return None
    return None if value is None else tvm_adapter.make_constant(value)


@tvm.transform.module_pass(opt_level=1, name="FoldConstantOperators")
class FoldConstantOperators:
    """Module pass; see above."""

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Fold until nothing changes."""
        while any(_is_foldable(module, callee) for callee in tvm_adapter.callees_of(module["main"])):
            folded = _Folder(module).run()
            if tvm_adapter.structural_equal(module, folded):
                break
            module = tvm_adapter.run_passes([FoldIntegerConstants(), FuseQuantizedOps()], folded)
        return module


def _is_foldable(module: tvm.IRModule, callee: tvm.ir.GlobalVar) -> bool:
    return not module[callee].params
