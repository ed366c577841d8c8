"""Keep one bit for each element in place of a result that the backward pass needs for its clamp alone.

Before:  lv = conv2d(x); ...; lv9 = clamp_gradient(lv8, lv)
After:   lv = conv2d(x); mask = clamp_mask(lv); ...; lv9 = clamp_gradient(lv8, mask)
         Results that an update of weights, or another operator's gradient, reads as well stay as they are.
Requires: build_backward.
Source:  the masks of MCUNetV3's engine (Lin et al., "On-device training under 256KB memory", 2022).
"""

import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.graph import Node, OperatorGraph
from tinycc.ops.clamp_gradient import ClampGradient, with_mask
from tinycc.ops.clamp_mask import ClampMask, clamp_mask


@tvm.transform.module_pass(opt_level=1, name="SaveMasks")
class SaveMasks:
    """Module pass; see above."""

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Put masks behind the results that are needed for nothing else."""
        graph = OperatorGraph.of(module)
        functions = tvm_adapter.FunctionTable(module)
        masks: dict[relax.Var, relax.VarBinding] = {}
        calls: dict[relax.Var, relax.Call] = {}
        for node in graph.nodes:
            if isinstance(node.view, ClampGradient) and _needs_a_mask_only(graph, node):
                gradient, result, *exponents = node.call.args
                if result not in masks:
                    masks[result] = _mask(functions, node.view, result)
                mask = masks[result].var
                callee = functions.add(with_mask(node.view, gradient, mask, *exponents), ClampGradient.kind)
                arguments = [gradient, mask, *exponents]
                calls[node.variable] = relax.Call(callee, arguments, ret_ty=node.variable.ty)
        bindings = []
        for binding in tvm_adapter.bindings_of(graph.main):
            bindings.append(relax.VarBinding(binding.var, calls.get(binding.var, binding.value)))
            if binding.var in masks:
                bindings.append(masks[binding.var])
        cleanup = [relax.transform.Normalize(), relax.transform.DeadCodeElimination(["main"])]
        return tvm.transform.Sequential(cleanup)(tvm_adapter.rebuild_main(functions.module(), bindings))


def _needs_a_mask_only(graph: OperatorGraph, node: Node) -> bool:
    """Whether the backward pass reads a result for nothing but its clamp, by this name alone.

    What reads the label is the first operator of the backward pass.
    """
    value = node.operands[1]
    label = graph.parameters[len(graph.parameters) - len(graph.states) - 1]
    if value not in graph.makers or node.call.args[1] != graph.makers[value].variable:
        return False
    first = graph.readers[label][0].index
    later = [reader for reader in graph.readers[value] if reader.index >= first]
    return all(isinstance(reader.view, ClampGradient) and reader.operands[1] == value for reader in later)


def _mask(functions: tvm_adapter.FunctionTable, view: ClampGradient, result: relax.Var) -> relax.VarBinding:
    """The binding of a result's mask."""
    composite = clamp_mask(result, low=view.low, high=view.high)
    callee = functions.add(composite, ClampMask.kind)
    variable = relax.DataflowVar(f"{result.name}_mask", composite.ret_ty)
    return relax.VarBinding(variable, relax.Call(callee, [result], ret_ty=composite.ret_ty))
