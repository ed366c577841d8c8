"""Find out what integers at a model's edges mean, where only what reads and makes them tells it.

Before:  main(x: int8) { lv = dequantize(x, s, z); ... }, an edge without scale
After:   the same, with s and z in the edges' attribute
Requires: the normal form.
"""

from collections.abc import Iterator
from dataclasses import replace

import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.edges import Edge, Edges, read_edges, with_edges


def _described(edge: Edge, main: relax.Function, item: relax.Expr) -> Edge:
    """The edge with the quantization of `item`, if it is known and was not yet."""
    quantization = next(_quantizations(main, item), None) if edge.scale is None else None
    if quantization is None:
        return edge
    scale, zero_point = (tvm_adapter.constant_value(constant) for constant in quantization.args[1:3])
    return replace(edge, scale=float(scale), zero_point=int(zero_point))


def _quantizations(main: relax.Function, item: relax.Expr) -> Iterator[relax.Call]:
    """The quantize and dequantize calls that make or read the integers `item`, itself or moved."""
    bindings = list(tvm_adapter.bindings_of(main))
    found, waiting = {item}, [item]
    while waiting:
        integers = waiting.pop()
        for binding in bindings:
            name, made = tvm_adapter.op_name(binding.value), binding.var
            sources = tvm_adapter.variables_of(binding.value)
            reads, makes = integers in sources, integers == made
            if (reads and name == "relax.dequantize") or (makes and name == "relax.quantize"):
                yield binding.value
            elif (reads or makes) and _moves(binding):
                near = {made, *sources} - found
                found |= near
                waiting += near


def _moves(binding: relax.VarBinding) -> bool:
    """Whether an operator makes integers of integers of the same type, which share their quantization."""
    tensors = [binding.var, *tvm_adapter.variables_of(binding.value)]
    if not all(map(tvm_adapter.is_tensor, tensors)):
        return False
    types = {tvm_adapter.dtype_of(tensor) for tensor in tensors}
    return len(types) == 1 and types <= {"int8", "int16"}


@tvm.transform.module_pass(opt_level=0, name="InferEdgeQuantization")
class InferEdgeQuantization:
    """Module pass; see above."""

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Write down scale and zero point of `main`'s integer edges."""
        main, edges = module["main"], read_edges(module)
        inputs, outputs = (
            tuple(_described(edge, main, item) for edge, item in zip(side, items, strict=False))
            for side, items in ((edges.inputs, main.params), (edges.outputs, tvm_adapter.returned(main)))
        )
        described = module.clone()
        described.update_func(
            module.get_global_var("main"), with_edges(main, Edges(tuple(inputs), tuple(outputs)))
        )
        return described
