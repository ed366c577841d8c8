"""Let an integer model take and give integers, where its file has float edges.

Before:  main(x: float32) { lv = quantize(x, s, z); ...; gv = dequantize(lvn, s2, z2) }
After:   main(x: int8)    { ...; lvn } with s, z, s2, z2 in the edges' attribute
Requires: the normal form. An input stays float where anything but one quantization reads it.
"""

from collections.abc import Collection
from dataclasses import replace

import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.edges import Edge, read_edges, with_edges


def _scale_and_zero_point(call: relax.Call) -> tuple[float, int]:
    scale, zero_point = (tvm_adapter.constant_value(argument) for argument in call.args[1:3])
    return float(scale), int(zero_point)


def _quantizations(main: relax.Function, parameter: relax.Var) -> list[relax.VarBinding]:
    """The bindings that quantize a parameter, if nothing else reads it and all do it alike."""
    readers = [
        binding
        for binding in tvm_adapter.bindings_of(main)
        if parameter in getattr(binding.value, "args", getattr(binding.value, "fields", []))
    ]
    if not all(tvm_adapter.op_name(binding.value) == "relax.quantize" for binding in readers):
        return []
    meanings = {
        (*_scale_and_zero_point(reader.value), str(reader.value.attrs.out_dtype)) for reader in readers
    }
    return readers if len(meanings) == 1 else []


@tvm.transform.module_pass(opt_level=0, name="DropEdgeQuantization")
class DropEdgeQuantization:
    """Module pass; see above."""

    def __init__(self, inputs: Collection[str] | None = None, outputs: Collection[str] | None = None) -> None:
        """inputs, outputs: the names of those that are to be integers; all of them where nothing is said."""
        self.inputs, self.outputs = inputs, outputs

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Rewrite `main`'s parameters and results."""
        main = module["main"]
        edges = read_edges(module)
        inputs, outputs = list(edges.inputs), list(edges.outputs)
        replaced: dict[relax.Var, relax.Var] = {}
        parameters = list(main.params)
        for index in range(len(inputs)):
            readers = _quantizations(main, parameters[index])
            if (
                _is_among(inputs[index], self.inputs)
                and readers
                and tvm_adapter.dtype_of(parameters[index]) == "float32"
            ):
                call = readers[0].value
                inputs[index] = _with_quantization(inputs[index], call)
                integer = relax.Var(parameters[index].name, call.ty)
                replaced.update({reader.var: integer for reader in readers})
                parameters[index] = integer
        values = {binding.var: binding.value for binding in tvm_adapter.bindings_of(main)}
        results = tvm_adapter.returned(main)
        for index in range(len(outputs)):
            value = values.get(results[index], results[index])
            is_real = tvm_adapter.op_name(value) == "relax.dequantize"
            if is_real and _is_among(outputs[index], self.outputs):
                outputs[index] = _with_quantization(outputs[index], value)
                results[index] = value.args[0]
        if inputs == list(edges.inputs) and outputs == list(edges.outputs):
            return module
        rewritten = tvm.IRModule(dict(module.functions), attrs=module.attrs)
        edited = _rebuild(main, parameters, replaced, results)
        edges = replace(edges, inputs=tuple(inputs), outputs=tuple(outputs))
        rewritten.update_func(module.get_global_var("main"), with_edges(edited, edges))
        return relax.transform.DeadCodeElimination()(rewritten)


def _is_among(edge: Edge, names: Collection[str] | None) -> bool:
    return names is None or edge.name in names


def _with_quantization(edge: Edge, call: relax.Call) -> Edge:
    scale, zero_point = _scale_and_zero_point(call)
    return replace(edge, scale=scale, zero_point=zero_point)


def _rebuild(
    main: relax.Function,
    parameters: list[relax.Var],
    replaced: dict[relax.Var, relax.Var],
    results: list[relax.Expr],
) -> relax.Function:
    """`main` with other parameters and results, variables in `replaced` read from there."""
    builder = relax.BlockBuilder()
    mapping: dict[relax.Var, relax.Expr] = dict(replaced)
    with builder.function("main", parameters, attrs=dict(main.attrs)):
        with builder.dataflow():
            for binding in tvm_adapter.bindings_of(main):
                if binding.var not in replaced:
                    mapping[binding.var] = builder.emit(tvm_adapter.substitute(binding.value, mapping))
            finals = [mapping.get(result, result) for result in results]
            output = builder.emit_output(finals[0] if len(finals) == 1 else relax.Tuple(finals))
        builder.emit_func_output(output)
    return builder.get()["main"]
