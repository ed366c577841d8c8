"""Let a model take its inputs channels last, as the device's layout is NHWC.

Before:  main(x: [N, C, (H,) W])
After:   main(x: [N, (H,) W, C]) { lv = permute_dims(x, [N, C, (H,) W]); ... }; the edges say so
Requires: edges. Inputs of other ranks stay. `EliminateTransposes` carries the transposes down to where
         they cancel.
"""

from dataclasses import replace

import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.edges import Edges, read_edges, with_edges
from tinycc.passes.convert_layout_to_nhwc import TO_CHANNELS_FIRST, TO_CHANNELS_LAST


@tvm.transform.module_pass(opt_level=0, name="TakeChannelsLast")
class TakeChannelsLast:
    """Module pass; see above."""

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Permute the inputs of `main`."""
        main = module["main"]
        edges = list(read_edges(module).inputs)
        parameters = list(main.params)
        for index, parameter in enumerate(parameters[: len(edges)]):
            shape = tvm_adapter.shape_of(parameter)
            axes = TO_CHANNELS_LAST.get(len(shape))
            if axes is not None:
                edges[index] = replace(edges[index], permutation=tuple(axes))
                kind = relax.TensorType([shape[axis] for axis in axes], tvm_adapter.dtype_of(parameter))
                parameters[index] = relax.Var(parameter.name, kind)
        builder = relax.BlockBuilder()
        values: dict[relax.Var, relax.Expr] = {}
        with builder.function("main", parameters):
            with builder.dataflow():
                for old, new in zip(main.params, parameters, strict=True):
                    if not old.same_as(new):
                        axes = TO_CHANNELS_FIRST[len(tvm_adapter.shape_of(new))]
                        values[old] = builder.emit(relax.op.permute_dims(new, axes))
                for binding in tvm_adapter.bindings_of(main):
                    values[binding.var] = builder.emit(tvm_adapter.substitute(binding.value, values))
                results = [values.get(result, result) for result in tvm_adapter.returned(main)]
                output = builder.emit_output(results[0] if len(results) == 1 else relax.Tuple(results))
            builder.emit_func_output(output)
        function = builder.get()["main"].with_attrs(dict(main.attrs.items()))
        rewritten = module.clone()
        outputs = read_edges(module).outputs
        rewritten.update_func(
            module.get_global_var("main"), with_edges(function, Edges(tuple(edges), outputs))
        )
        return rewritten
