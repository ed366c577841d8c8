"""Composite functions of gradients and updates: their C beside what TVM's VM makes of their bodies."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import tvm
from tvm import relax

from tests.passes.layout_tools import run_on_vm
from tests.tools.kernel_runner import compile_and_run, module_of, module_of_composite
from tinycc import tvm_adapter

# Of more operators that do not depend on each other the best order would be searched for long.
_TOGETHER = 4


@dataclass(frozen=True, eq=False)
class Case:
    """An operator and what it is given.

    make: writes the composite function for expressions like the operands.
    constants: the operands, by index, that lie in the function.
    """

    make: Callable[..., relax.Function]
    operands: Sequence[np.ndarray]
    constants: tuple[int, ...] = ()

    def composite(self) -> relax.Function:
        """The composite function."""
        return self.make(
            *(
                tvm_adapter.make_constant(array)
                if index in self.constants
                else relax.Var(f"operand{index}", relax.TensorType(array.shape, str(array.dtype)))
                for index, array in enumerate(self.operands)
            )
        )

    @property
    def inputs(self) -> list[np.ndarray]:
        """The operands that are not constants."""
        return [array for index, array in enumerate(self.operands) if index not in self.constants]

    def module(self) -> tvm.IRModule:
        """A module whose only operator it is."""
        return module_of_composite(self.composite())


def on_both(*cases: Case) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each case what the generated C makes of it, and what the VM makes."""
    by_vm = [result for case in cases for result in run_on_vm(case.module(), case.inputs)]
    return list(zip(in_c(*cases), by_vm, strict=True))


def in_c(*cases: Case) -> list[np.ndarray]:
    """For each case what the generated C makes of it; some of them in a module, so that less is compiled."""
    parts = [cases[first : first + _TOGETHER] for first in range(0, len(cases), _TOGETHER)]
    return [result for part in parts for result in _in_one_module(part)]


def _in_one_module(cases: Sequence[Case]) -> list[np.ndarray]:
    inputs = [array for case in cases for array in case.inputs]

    def results(*variables: relax.Var) -> list[relax.Expr]:
        left = list(variables)
        calls = []
        for callee, case in zip(callees, cases, strict=True):
            arguments = [left.pop(0) for _ in case.inputs]
            calls.append(relax.Call(callee, arguments, ret_ty=functions[callee].ret_ty))
        return calls

    functions = {}
    for index, case in enumerate(cases):
        composite = case.composite()
        callee = tvm.ir.GlobalVar(f"composite{index}")
        relax.expr._update_type(callee, composite.ty)
        functions[callee] = composite
    callees = list(functions)
    module = module_of([(array.shape, str(array.dtype)) for array in inputs], results)
    module.update(tvm.IRModule(functions))
    return compile_and_run(module, inputs)
