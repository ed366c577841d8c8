"""Composite functions of gradients and updates: their C beside what TVM's VM makes of their bodies."""

from collections.abc import Callable

import numpy as np
import tvm
from tvm import relax

from tests.passes.layout_tools import run_on_vm
from tests.tools.kernel_runner import compile_and_run, module_of_composite
from tinycc import tvm_adapter


def variable(array: np.ndarray) -> relax.Var:
    """A variable of an array's shape and element type."""
    return relax.Var("x", relax.TensorType(array.shape, str(array.dtype)))


def module_with(
    make: Callable[..., relax.Function], operands: list[np.ndarray], constants: tuple[int, ...] = ()
) -> tvm.IRModule:
    """A module whose only operator is what `make` writes for operands like these.

    constants: the operands, by index, that lie in the function.
    """
    expressions = [
        tvm_adapter.make_constant(array) if index in constants else variable(array)
        for index, array in enumerate(operands)
    ]
    return module_of_composite(make(*expressions))


def on_both(
    make: Callable[..., relax.Function], operands: list[np.ndarray], constants: tuple[int, ...] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """What the generated C, and what the VM, makes of operands; see `module_with`."""
    module = module_with(make, operands, constants)
    given = [array for index, array in enumerate(operands) if index not in constants]
    [result] = compile_and_run(module, given)
    [expected] = run_on_vm(module, given)
    return result, expected
