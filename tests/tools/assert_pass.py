"""What a pass makes of a module, compared with the module that is expected."""

import tvm
from tvm import relax

from tinycc import tvm_adapter


def assert_becomes(transform: tvm.transform.Pass, before: tvm.IRModule, expected: tvm.IRModule) -> None:
    """Assert that the pass turns `before` into `expected`, names aside."""
    tidy = relax.transform.CanonicalizeBindings()
    tvm.ir.assert_structural_equal(tidy(transform(before)), tidy(expected))


def names_in(module: tvm.IRModule) -> list[str]:
    """The operators that main calls, or the kinds of its composites, in order."""
    names = []
    for binding in tvm_adapter.bindings_of(module["main"]):
        call = binding.value
        if isinstance(call, relax.Call) and isinstance(call.op, tvm.ir.GlobalVar):
            kind = tvm_adapter.attribute(module[call.op], "Composite", "")
            names.append(str(kind).removeprefix("tinycc."))
        elif tvm_adapter.op_name(call):
            names.append(tvm_adapter.op_name(call).removeprefix("relax."))
    return names
