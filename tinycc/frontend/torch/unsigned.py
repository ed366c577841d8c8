"""uint8 inputs of an imported torch program become int8, as everything else in it already is."""

import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.errors import UnsupportedError
from tinycc.passes.dataflow_rewriter import DataflowRewriter


class _SignInputs(DataflowRewriter):
    """Rebuilds `main` with int8 parameters for uint8."""

    def parameters(self) -> list[relax.Var]:
        """int8 for uint8, the others as they are."""
        parameters = []
        for old in self.function.params:
            is_unsigned = tvm_adapter.dtype_of(old) == "uint8"
            new = (
                relax.Var(old.name, relax.TensorType(tvm_adapter.shape_of(old), "int8"))
                if is_unsigned
                else old
            )
            self.bind(old, new)
            parameters.append(new)
        return parameters

    def rewrite(self, name: str, call: relax.Call) -> relax.Expr:
        """Calls of the same operators; the type of the result is found out anew."""
        if name == "relax.nn.pad" and tvm_adapter.dtype_of(call.args[0]) == "int8":
            raise UnsupportedError("the uint8 input is padded before it is dequantized: pad it afterwards")
        return call


def with_signed_inputs(module: tvm.IRModule) -> tvm.IRModule:
    """The module with uint8 inputs less 128; the quantizations of what reads them are shifted already."""
    dtypes = {tvm_adapter.dtype_of(parameter) for parameter in module["main"].params}
    return _SignInputs(module).run() if "uint8" in dtypes else module
