"""Give `main` the parameters and results of its file again, so that who calls the module sees no difference.

Before:  main(x: int8 [1, H, W, C]) { ...; lv: int8 }, of edges that are uint8 [1, C, H, W] in the file
After:   main(x: uint8 [1, C, H, W]) { lv0 = permute_dims(astype(x - 128)); ...; astype(lv + 128) }
Requires: the normal form. Float edges have kept their quantization.
"""

import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.edges import ATTRIBUTE, Edge, read_edges

_SHIFT = 128


@tvm.transform.module_pass(opt_level=0, name="FileEdges")
class FileEdges:
    """Module pass; see above."""

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Rebuild `main` without edges."""
        main, edges = module["main"], read_edges(module)
        parameters = [
            relax.Var(device.name, relax.TensorType(edge.shape, edge.dtype))
            for device, edge in zip(main.params, edges.inputs, strict=True)
        ]
        builder = relax.BlockBuilder()
        values: dict[relax.Var, relax.Expr] = {}
        with builder.function("main", parameters):
            with builder.dataflow():
                for device, given, edge in zip(main.params, parameters, edges.inputs, strict=True):
                    values[device] = _to_device(builder, given, device, edge)
                for binding in tvm_adapter.bindings_of(main):
                    values[binding.var] = builder.emit(tvm_adapter.substitute(binding.value, values))
                results = [
                    _to_file(builder, values.get(result, result), edge)
                    for result, edge in zip(tvm_adapter.returned(main), edges.outputs, strict=True)
                ]
                output = builder.emit_output(results[0] if len(results) == 1 else relax.Tuple(results))
            builder.emit_func_output(output)
        kept = {name: value for name, value in main.attrs.items() if name != ATTRIBUTE}
        restored = module.clone()
        restored.update_func(module.get_global_var("main"), builder.get()["main"].with_attrs(kept))
        return restored


def _to_device(builder: relax.BlockBuilder, given: relax.Expr, device: relax.Var, edge: Edge) -> relax.Expr:
    """A parameter as the model's operators read it."""
    if tvm_adapter.dtype_of(device) != edge.dtype:
        given = _shifted(builder, given, -_SHIFT, tvm_adapter.dtype_of(device))
    return builder.emit(relax.op.permute_dims(given, list(edge.permutation))) if edge.permutation else given


def _to_file(builder: relax.BlockBuilder, result: relax.Expr, edge: Edge) -> relax.Expr:
    """A result as the file has it."""
    if edge.permutation:
        back = [edge.permutation.index(axis) for axis in range(len(edge.permutation))]
        result = builder.emit(relax.op.permute_dims(result, back))
    if tvm_adapter.dtype_of(result) != edge.dtype:
        result = _shifted(builder, result, _SHIFT, edge.dtype)
    return result


def _shifted(builder: relax.BlockBuilder, value: relax.Expr, shift: int, dtype: str) -> relax.Expr:
    """uint8 for int8, or int8 for uint8."""
    wide = builder.emit(relax.op.astype(value, "int16"))
    moved = builder.emit(relax.op.add(wide, relax.const(shift, "int16")))
    return builder.emit(relax.op.astype(moved, dtype))
