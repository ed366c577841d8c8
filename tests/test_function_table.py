"""The functions of a module that is being made: equal ones are one, others have names of their own."""

import numpy as np
import tvm
from tvm import relax

from tinycc.tvm_adapter import FunctionTable


def power(exponent: float) -> relax.Function:
    """A private function of one number."""
    x = relax.Var("x", relax.TensorType((1,), "float32"))
    builder = relax.BlockBuilder()
    with builder.function("power", [x], private=True):
        builder.emit_func_output(builder.emit(relax.op.power(x, relax.const(np.float32(exponent)))))
    return builder.get()["power"]


def test_functions_that_differ_in_a_constant_are_two() -> None:
    table = FunctionTable()
    first, second, again = (table.add(power(exponent), "power") for exponent in (2.0, 3.0, 2.0))
    assert (first.name_hint, second.name_hint) == ("power", "power1") and again.same_as(first)
    assert len(table.module().functions) == 2


def test_functions_and_names_of_the_module_are_known() -> None:
    module = tvm.IRModule({"power": power(2.0), "power1": power(3.0)})
    table = FunctionTable(module)
    assert table.add(power(3.0), "power").same_as(module.get_global_var("power1"))
    assert table.add(power(4.0), "power").name_hint == "power2"
    assert table.add(power(5.0), "other").name_hint == "other"


def test_a_variable_has_the_type_of_its_function() -> None:
    function = power(2.0)
    assert FunctionTable().add(function, "power").ty == function.ty
