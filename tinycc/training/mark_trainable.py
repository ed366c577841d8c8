"""Make states of what a scheme trains, so that a training step can write it and an inference read it.

Before:  lv = fused_conv2d(x), with weights and bias as constants inside
After:   main has two more states, weights and bias, whose initial values these are, and
         lv = trained_layer(x, weights, bias); what of both is frozen stays a constant inside. Where the
         weights of some input channels train, these alone are a state, and joined = concat(frozen weights,
         weights); all = take(joined, places); lv = trained_layer(x, all, bias)
         With velocities each of these states is followed by its own, of the same shape, and how many examples
         were learned from, int32 [1], is a state as well.
Requires: fuse_quantized_ops. Three states more come last: the learning rate, float32 [1], the number of the
         training step and how many steps had updates that were skipped, int32 [1]. An inference leaves all
         of them as they are.
"""

import numpy as np
import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.errors import TrainingError
from tinycc.graph import OperatorGraph
from tinycc.ops.composite import Composite
from tinycc.ops.trained_layer import TrainedLayer, trained_layer
from tinycc.states import State, read_states, with_states
from tinycc.training.channels import channel_axis, trained_channels
from tinycc.training.layers import Layer, layers_of, untrainable_layers
from tinycc.training.scheme import LayerScheme, Scheme

RATE, STEP, SKIPPED = "learning_rate", "training_step", "skipped_updates"
EXAMPLES = "examples"


@tvm.transform.module_pass(opt_level=0, name="MarkTrainable")
class MarkTrainable:
    """Module pass; see above. Raises TrainingError where the scheme is of another network."""

    def __init__(self, scheme: Scheme, rate: float, velocities: str | None = None) -> None:
        """rate: the learning rate until another one is set. velocities: their dtype; None for none."""
        self.scheme, self.rate, self.velocities = scheme, rate, velocities

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Rewrite the layers that train, and the parameters and results of `main`."""
        graph = OperatorGraph.of(module)
        layers = layers_of(graph)
        self.scheme.check(layers, untrainable_layers(graph))
        marker = _Marker(graph, self.velocities)
        replaced = {
            layers[name].node.variable: marker.layer(layers[name], part)
            for name, part in self.scheme.layers.items()
            if part.bias or part.weights
        }
        if self.velocities is not None:
            marker.add_state(EXAMPLES, np.zeros(1, np.int32))
        marker.add_state(RATE, np.array([self.rate], np.float32))
        marker.add_state(STEP, np.zeros(1, np.int32))
        marker.add_state(SKIPPED, np.zeros(1, np.int32))
        return marker.rewritten(replaced)


def velocity_name(name: str) -> str:
    """What the velocity of a state is called."""
    return f"{name}_velocity"


class _Marker:
    """The functions, parameters and states of a module that is rewritten."""

    def __init__(self, graph: OperatorGraph, velocities: str | None) -> None:
        self.graph, self.velocities = graph, velocities
        self.functions = tvm_adapter.FunctionTable(graph.module)
        self.parameters = list(graph.parameters)
        self.states = list(read_states(graph.main))
        self.added: list[relax.Var] = []
        self.builder = relax.BlockBuilder()

    def add_trained(self, name: str, initial: np.ndarray) -> relax.Var:
        """A parameter that is a state which trains; where there are velocities it has one."""
        variable = self.add_state(name, initial, is_trained=True)
        if self.velocities is not None:
            self.add_state(velocity_name(name), np.zeros(initial.shape, self.velocities))
        return variable

    def add_state(self, name: str, initial: np.ndarray, *, is_trained: bool = False) -> relax.Var:
        """A parameter that is a state."""
        variable = relax.Var(name, relax.TensorType(initial.shape, str(initial.dtype)))
        self.parameters.append(variable)
        self.states.append(State(name, initial, is_trained))
        self.added.append(variable)
        return variable

    def layer(self, layer: Layer, part: LayerScheme) -> list[relax.VarBinding]:
        """The layer with what trains as operands, and what makes these."""
        node = layer.node
        source = node.call.args[layer.view.inputs[0].parameter]
        weights: relax.Expr = tvm_adapter.make_constant(layer.weights)
        bias: relax.Expr = tvm_adapter.make_constant(layer.bias)
        bindings: list[relax.VarBinding] = []
        if part.weights:
            weights, bindings = self.weights(layer, part.weights)
        if part.bias:
            bias = self.add_trained(f"{layer.name}_bias", layer.bias)
        composite = trained_layer(
            (source, weights, bias),
            layer.view.outputs[0],
            source=layer.view.inputs[0],
            window=layer.window,
            groups=layer.groups,
            weight_scales=layer.weight_scales,
            bounds=Composite(self.graph.module[node.call.op]).activation_bounds(),
        )
        callee = self.functions.add(composite, TrainedLayer.kind)
        arguments = [operand for operand in (source, weights, bias) if isinstance(operand, relax.Var)]
        call = relax.Call(callee, arguments, ret_ty=node.variable.ty)
        return [*bindings, relax.VarBinding(node.variable, call)]

    def weights(self, layer: Layer, share: float) -> tuple[relax.Expr, list[relax.VarBinding]]:
        """All weights of a layer, a share of whose input channels trains, and what puts them together."""
        name, axis = f"{layer.name}_weights", channel_axis(layer)
        if share == 1.0:
            return self.add_trained(name, layer.weights), []
        if axis == 3 and layer.groups > 1:
            raise TrainingError(f"{name} has groups: its weights train all (1.0) or not at all (0.0)")
        chosen = trained_channels(layer, share)
        if not len(chosen):
            return tvm_adapter.make_constant(layer.weights), []
        frozen = np.setdiff1d(np.arange(layer.weights.shape[axis]), chosen)
        state = self.add_trained(name, np.ascontiguousarray(np.take(layer.weights, chosen, axis)))
        rest = tvm_adapter.make_constant(np.ascontiguousarray(np.take(layer.weights, frozen, axis)))
        places = np.argsort(np.concatenate([frozen, chosen]))
        joined = self.bound(f"{name}_joined", relax.op.concat([rest, state], axis))
        indices = tvm_adapter.make_constant(places.astype(np.int64))
        whole = self.bound(f"{name}_all", relax.op.take(joined.var, indices, axis))
        return whole.var, [joined, whole]

    def bound(self, name: str, value: relax.Call) -> relax.VarBinding:
        """A binding of an operator of Relax."""
        normal = self.builder.normalize(value)
        return relax.VarBinding(relax.DataflowVar(name, normal.ty), normal)

    def rewritten(self, replaced: dict[relax.Var, list[relax.VarBinding]]) -> tvm.IRModule:
        """The module with these bindings in place of others, and the states that were added."""
        main = self.graph.main
        bindings: list[relax.VarBinding] = []
        for item in tvm_adapter.bindings_of(main):
            if not isinstance(item.value, relax.Tuple):
                bindings += replaced.get(item.var, [item])
        returned = [*tvm_adapter.returned(main), *self.added]
        result = relax.Var("result", relax.TupleType([item.ty for item in returned]))
        bindings.append(relax.VarBinding(result, relax.Tuple(returned)))
        body = relax.SeqExpr([relax.DataflowBlock(bindings)], result)
        edited = relax.Function(self.parameters, body, result.ty, main.is_pure, main.attrs)
        rewritten = self.functions.module()
        rewritten.update_func(rewritten.get_global_var("main"), with_states(edited, self.states))
        cleanup = [relax.transform.Normalize(), relax.transform.DeadCodeElimination(["main"])]
        return tvm.transform.Sequential(cleanup)(rewritten)
