"""Composite functions of gradients and updates: their C beside what TVM's VM makes of their bodies."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
import tvm
from tvm import relax

import tinycc
from tests.passes.layout_tools import run_on_vm
from tests.tools.kernel_runner import Features, compile_and_run, module_of, module_of_composite
from tinycc import tvm_adapter
from tinycc.passes.pipeline import default_passes
from tinycc.run import run as run_on_target
from tinycc.target import TARGETS

# Of a composite function: makes a call of it.
Function: TypeAlias = Callable[..., relax.Expr]
# Of a module and its inputs.
Run: TypeAlias = Callable[[tvm.IRModule, list[np.ndarray]], list[np.ndarray]]

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


def on_both(*cases: Case, features: Features = ()) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each case what the generated C makes of it, with kernels for `features`, and what the VM makes."""
    return list(zip(in_c(*cases, features=features), _together(cases, run_on_vm), strict=True))


def in_c(*cases: Case, features: Features = ()) -> list[np.ndarray]:
    """For each case what the generated C makes of it."""
    return _together(cases, partial(compile_and_run, features=features))


def on_core(folder: Path, *cases: Case, core: str = "cortex-m4") -> list[np.ndarray]:
    """The same on an emulated core, with all kernels for its features, flat."""

    def run_there(module: tvm.IRModule, inputs: list[np.ndarray]) -> list[np.ndarray]:
        place = folder / str(len(list(folder.iterdir())))
        passes = default_passes("float", features=TARGETS[core].features)
        tinycc.compile(module, target=core, passes=passes).export(place)
        result = run_on_target(place, core, [array[None] for array in inputs])
        return [output.reshape(-1) for output in result.outputs]

    return _together(cases, run_there)


def _together(cases: Sequence[Case], run: Run) -> list[np.ndarray]:
    """The results of cases, some of them in a module, so that less is compiled."""
    parts = [cases[first : first + _TOGETHER] for first in range(0, len(cases), _TOGETHER)]
    return [result for part in parts for result in _in_one_module(part, run)]


def _in_one_module(cases: Sequence[Case], run: Run) -> list[np.ndarray]:
    inputs = [array for case in cases for array in case.inputs]

    def results(functions: Sequence[Function], *variables: relax.Var) -> list[relax.Expr]:
        left = list(variables)
        return [
            function(*(left.pop(0) for _ in case.inputs))
            for function, case in zip(functions, cases, strict=True)
        ]

    return run(module_calling([case.composite() for case in cases], inputs, results), inputs)


def module_calling(
    composites: Sequence[relax.Function],
    inputs: Sequence[np.ndarray],
    body: Callable[..., relax.Expr | Sequence[relax.Expr]],
    states: Sequence[np.ndarray] = (),
) -> tvm.IRModule:
    """A module whose operators are composite functions.

    inputs: arrays like those that it takes. states: what a reset writes.
    body: makes the results from something to call for each composite function, and the variables.
    """
    variables = []
    for index, composite in enumerate(composites):
        variables.append(tvm.ir.GlobalVar(f"composite{index}"))
        relax.expr._update_type(variables[-1], composite.ty)
    functions = [
        partial(_called, variable, composite.ret_ty)
        for variable, composite in zip(variables, composites, strict=True)
    ]
    module = module_of(
        [(array.shape, str(array.dtype)) for array in inputs],
        partial(body, functions),
        [(array.shape, str(array.dtype), array) for array in states],
    )
    module.update(tvm.IRModule(dict(zip(variables, composites, strict=True))))
    return module


def _called(variable: tvm.ir.GlobalVar, result: relax.Type, *arguments: relax.Expr) -> relax.Expr:
    return relax.Call(variable, arguments, ret_ty=result)
