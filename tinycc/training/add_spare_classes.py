"""Give the head of a network more outputs, for classes that it is to learn on the device.

Before:  lv = fused_dense(x) [1, 10]; gv = fused_softmax(lv) [1, 10]
After:   lv = fused_dense(x) [1, 12]; gv = fused_softmax(lv) [1, 12], and the output's edge alike
Requires: fuse_quantized_ops. The weights and the bias of a new output are the mean of the others': its score
         is never above all of them, so that answers stay what they were, and at no bound of the clamp, where
         nothing would learn.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.edges import Edges, read_edges, with_edges
from tinycc.errors import TrainingError
from tinycc.graph import Node, OperatorGraph
from tinycc.ops.composite import VIEWS, Composite
from tinycc.ops.composite_writer import Emit, rewrite_composite
from tinycc.ops.quantize import Dequantize
from tinycc.ops.softmax.view import Softmax
from tinycc.training.layers import Layer, layers_of, untrainable_layers
from tinycc.training.scheme import LayerScheme, Scheme


@tvm.transform.module_pass(opt_level=0, name="AddSpareClasses")
class AddSpareClasses:
    """Module pass; see above. Raises TrainingError where no layer's outputs are the classes."""

    def __init__(self, count: int) -> None:
        """count: of new outputs."""
        self.count = count

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Rebuild the head and what is behind it."""
        graph = OperatorGraph.of(module)
        return _Widening(graph, head_of(graph), self.count).built()


def with_spare_classes(
    module: tvm.IRModule, schemes: Sequence[Scheme], count: int
) -> tuple[tvm.IRModule, list[Scheme]]:
    """A network with more outputs, and schemes for it, which were made for the one without them.

    Raises TrainingError where a scheme does not fit, or freezes the weights of the head.
    """
    graph = OperatorGraph.of(module)
    for scheme in schemes:
        scheme.check(layers_of(graph), untrainable_layers(graph))
    head = head_of(graph).name
    if count < 0:
        raise TrainingError(f"{count} spare classes: give 0 or more")
    if not all(scheme.layers.get(head, LayerScheme()).weights for scheme in schemes):
        raise TrainingError(
            f"the scheme freezes the weights of {head}, and spare classes are learned with them"
        )
    widened = tvm_adapter.run_passes([AddSpareClasses(count)], module)
    return widened, [replace(scheme, model="") for scheme in schemes]


def head_of(graph: OperatorGraph) -> Layer:
    """The layer whose result, a softmax or a dequantize looked through, is the first of the model.

    TrainingError where there is none, where it has groups or several pixels, or where others read its result.
    """
    value = graph.results[0]
    behind: list[Node] = []
    while value in graph.makers and isinstance(graph.makers[value].view, Softmax | Dequantize):
        behind.append(graph.makers[value])
        value = behind[-1].operands[0]
    found = [layer for layer in layers_of(graph).values() if layer.node.variable == value]
    if not found:
        raise TrainingError(
            "the first result of the model is not that of a layer of int8: spare classes need one"
        )
    [head] = found
    output = head.view.outputs[0]
    if output.elements != output.channels or head.groups > 1:
        raise TrainingError(
            f"spare classes cannot be added to {head.name}: its outputs {output} are no classes"
        )
    ours = {value, *(node.variable for node in behind)}
    readers = {reader.index for item in ours for reader in graph.readers[item]}
    if readers - {node.index for node in behind} or ours & set(graph.results[1:]):
        raise TrainingError(f"spare classes cannot be added to {head.name}: not only its softmax reads it")
    return head


class _Widening:
    """The module while its last values become wider."""

    def __init__(self, graph: OperatorGraph, head: Layer, count: int) -> None:
        self.graph, self.head, self.count = graph, head, count
        self.classes = head.view.outputs[0].channels
        self.wider: dict[relax.Var, relax.Expr] = {}

    def built(self) -> tvm.IRModule:
        """The module with the new outputs."""
        main = self.graph.main
        functions = tvm_adapter.FunctionTable(self.graph.module)
        bindings = []
        for binding in tvm_adapter.bindings_of(main):
            variable, value = binding.var, binding.value
            if variable == self.head.node.variable or self.wider.keys() & set(
                tvm_adapter.variables_of(value)
            ):
                variable, value = self.widened(functions, variable, tvm_adapter.substitute(value, self.wider))
                self.wider[binding.var] = variable
            bindings.append(relax.VarBinding(variable, value))
        result = tvm_adapter.substitute(main.body.body, self.wider)
        body = relax.SeqExpr([relax.DataflowBlock(bindings)], result)
        edited = relax.Function(main.params, body, result.ty, main.is_pure, main.attrs)
        module = functions.module()
        module.update_func(module.get_global_var("main"), with_edges(edited, self.edges()))
        cleanup = [relax.transform.Normalize(), relax.transform.DeadCodeElimination(["main"])]
        return tvm_adapter.run_passes(cleanup, module)

    def widened(
        self, functions: tvm_adapter.FunctionTable, variable: relax.Var, value: relax.Expr
    ) -> tuple[relax.Var, relax.Expr]:
        """A binding of `main` of the head or of what reads it; its operands are wider already."""
        if isinstance(value, relax.Tuple):
            return type(variable)(variable.name, relax.TupleType([item.ty for item in value.fields])), value
        shape = self.shape(tvm_adapter.shape_of(variable))
        new = type(variable)(variable.name, relax.TensorType(shape, tvm_adapter.dtype_of(variable)))
        if tvm_adapter.op_name(value) in VIEWS:
            return new, relax.op.reshape(value.args[0], shape)
        if isinstance(value, relax.Call):
            function = self.graph.module[value.op]
            is_head = variable == self.head.node.variable
            rewrite = _Head(function, self.head, self.count).rewritten if is_head else _as_it_is
            named = zip(function.params, value.args, strict=True)
            parameters = [relax.Var(old.name, argument.ty) for old, argument in named]
            rebuilt = rewrite_composite(function, parameters, rewrite)
            return new, relax.Call(functions.add(rebuilt, value.op.name_hint), value.args, ret_ty=new.ty)
        return new, value

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The same with more classes, which are the only axis that is not 1, or the last one."""
        axis = max(index for index, size in enumerate(shape) if size == self.classes)
        return (*shape[:axis], self.classes + self.count, *shape[axis + 1 :])

    def edges(self) -> Edges:
        """Those of the model, the first output with more classes."""
        edges = read_edges(self.graph.module)
        first, *others = edges.outputs
        return replace(edges, outputs=(replace(first, shape=self.shape(first.shape)), *others))


class _Head:
    """The constants of the head's function, each with more outputs."""

    def __init__(self, function: relax.Function, head: Layer, count: int) -> None:
        self.head, self.count, self.classes = head, count, head.view.outputs[0].channels
        composite = Composite(function)
        name = "relax.matmul" if composite.has("relax.matmul") else "relax.nn.conv2d"
        product = composite.call(name)
        self.layout = str(getattr(product.attrs, "kernel_layout", "IO"))
        self.weights = composite.stored(product.args[1])
        self.bias = [composite.stored(addition.args[1]) for addition in composite.calls("relax.add")]

    def rewritten(self, call: relax.Call, _emit: Emit) -> relax.Expr:
        """A call of the function."""
        return relax.Call(call.op, [self.argument(item) for item in call.args], call.attrs, call.ty_args)

    def argument(self, argument: relax.Expr) -> relax.Expr:
        """An operand of one."""
        if not tvm_adapter.is_constant(argument):
            return argument
        value, scales = tvm_adapter.constant_value(argument), self.head.weight_scales.astype(np.float64)
        if argument == self.weights:
            axis = self.layout.index("O")
            last = np.moveaxis(value, axis, -1)
            value = np.moveaxis(self.with_mean(last, scales), -1, axis)
        elif argument in self.bias:
            value = self.with_mean(np.broadcast_to(value, (*value.shape[:-1], self.classes)), scales)
        elif value.ndim and value.shape[-1] == self.classes:
            # Scales or zero points of the weights or the bias.
            spare = np.full((*value.shape[:-1], self.count), value.max(), value.dtype)
            value = np.concatenate([value, spare], -1)
        else:
            return argument
        return tvm_adapter.make_constant(np.ascontiguousarray(value))

    def with_mean(self, integers: np.ndarray, scales: np.ndarray) -> np.ndarray:
        """Integers [..., classes], and the mean of their real numbers in the greatest of the scales."""
        mean = (integers * scales).mean(-1, keepdims=True) / scales.max()
        spare = np.repeat(np.rint(mean).astype(integers.dtype), self.count, -1)
        return np.concatenate([integers, spare], -1)


def _as_it_is(call: relax.Call, _emit: Emit) -> relax.Expr:
    """A call whose types are inferred anew."""
    return relax.Call(call.op, call.args, call.attrs, call.ty_args)
