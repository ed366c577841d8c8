"""Remove channels that have no influence on the model's outputs.

Before:  lv1 = fused_conv2d(x) [1,6,6,128], of which 98 channels are the same number for every input;
         lv2 = fused_conv2d1(lv1)
After:   lv1 = fused_conv2d(x) [1,6,6,32]; lv2 = fused_conv2d1(lv1) with the weights of those channels left
         out and what they always add in its bias: the same integers, with less work, flash and memory.
         How many multiply-accumulates fewer these are is the attribute `tinycc.dead_macs` of main
Requires: fuse_quantized_ops, lower_fallbacks.
Source:  `live_channels`. Training with rectifiers and weight decay leaves such channels behind.
"""

from collections.abc import Sequence

import numpy as np
import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.graph import OperatorGraph, view_of
from tinycc.ops import helium
from tinycc.ops.base import DEAD_MACS
from tinycc.ops.composite import Composite
from tinycc.ops.composite_writer import Emit, rewrite_composite
from tinycc.passes.live_channels import LiveChannels, is_channelwise, mixing_weights

# Channels in a word, which kernels without Helium take at a time.
_WORD = 4
_PRODUCTS = ("relax.nn.conv2d", "relax.matmul")


@tvm.transform.module_pass(opt_level=2, name="RemoveDeadChannels")
class RemoveDeadChannels:
    """Module pass; see above."""

    def __init__(self, features: Sequence[str] = ()) -> None:
        """features: of the core, as a Target has them."""
        self.multiple = helium.CHANNELS if helium.FEATURE in features else _WORD

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Find out which channels stay, and rebuild what reads or makes tensors of fewer channels."""
        graph = OperatorGraph.of(module)
        live = LiveChannels(graph, self.multiple)
        main = graph.main
        if all(live.is_whole(binding.var) for binding in tvm_adapter.bindings_of(main)):
            return module
        functions = tvm_adapter.FunctionTable(module)
        fewer: dict[relax.Var, relax.Expr] = {}
        bindings = []
        for binding in tvm_adapter.bindings_of(main):
            variable, value = binding.var, tvm_adapter.substitute(binding.value, fewer)
            if not all(map(live.is_whole, [variable, *tvm_adapter.variables_of(binding.value)])):
                variable = _with_channels(variable, live.kept(variable))
                fewer[binding.var] = variable
                if isinstance(value.op, tvm.ir.GlobalVar):
                    function = _Layer(module[value.op], binding, live).rebuilt()
                    callee = functions.add(function, value.op.name_hint)
                    value = relax.Call(callee, value.args, ret_ty=variable.ty)
                elif tvm_adapter.op_name(value) == "relax.reshape":
                    value = relax.op.reshape(value.args[0], tvm_adapter.shape_of(variable))
            bindings.append(relax.VarBinding(variable, value))
        result = tvm_adapter.substitute(main.body.body, fewer)
        rebuilt = tvm_adapter.rebuild_main(functions.module(), bindings, result)
        tidy = [relax.transform.Normalize(), relax.transform.DeadCodeElimination(["main"])]
        rebuilt = tvm_adapter.run_passes(tidy, rebuilt)
        main = rebuilt["main"].with_attr(DEAD_MACS, _macs(graph) - _macs(OperatorGraph.of(rebuilt)))
        rebuilt.update_func(rebuilt.get_global_var("main"), main)
        return rebuilt


def _macs(graph: OperatorGraph) -> int:
    """The multiply-accumulates of an inference."""
    return sum(node.view.macs for node in graph.nodes)


def _with_channels(variable: relax.Var, kept: np.ndarray) -> relax.Var:
    """A new variable like another, with so many channels."""
    shape = (*tvm_adapter.shape_of(variable)[:-1], len(kept))
    return type(variable)(variable.name, relax.TensorType(shape, tvm_adapter.dtype_of(variable)))


class _Layer:
    """A composite function that is to have fewer channels.

    removed_sums: what the channels that are removed add to each sum; None for an operator that does not sum
        over channels.
    """

    def __init__(self, function: relax.Function, binding: relax.VarBinding, live: LiveChannels) -> None:
        """function: that `binding` of `main` calls."""
        arguments = binding.value.args
        self.function = function
        self.operator = view_of(function)
        self.sources = [live.kept(argument) for argument in arguments]
        self.kept = live.kept(binding.var)
        self.removed_sums: np.ndarray | None = None
        if mixing_weights(self.operator) is not None:
            sums = live.removed_sums(self.operator, arguments[0])
            self.removed_sums = sums[self.kept].astype(np.int32)
        composite = Composite(function)
        # Stored weights and their layout, a stored bias: only operators with weights have them.
        self.weights = self.bias = None
        self.layout, self.scales = "IO", np.ones((), np.float32)
        for call in [call for name in _PRODUCTS for call in composite.calls(name)]:
            self.weights = composite.stored(call.args[1])
            self.layout = str(getattr(call.attrs, "kernel_layout", self.layout))
            scale = np.asarray(composite.tensor(call.args[1]).scale, np.float32)
            self.scales = np.float32(self.operator.inputs[0].real_scale) * scale
            for addition in composite.calls("relax.add"):
                self.bias = composite.stored(addition.args[1])

    def rebuilt(self) -> relax.Function:
        """The function for the channels that stay."""
        kept = zip(self.function.params, self.sources, strict=True)
        parameters = [_with_channels(*item) for item in kept]
        return rewrite_composite(self.function, parameters, self._rebuilt)

    def _rebuilt(self, call: relax.Call, emit: Emit) -> relax.Expr:
        """A call with what stays of its constants; sums without a bias get one where they need it."""
        arguments = [self._argument(argument) for argument in call.args]
        name = tvm_adapter.op_name(call)
        if name == "relax.nn.conv2d" and is_channelwise(self.operator):
            return tvm_adapter.conv2d_like(call, *arguments, groups=len(self.kept))
        call = relax.Call(call.op, arguments, call.attrs, call.ty_args)
        sums = self.removed_sums if name in _PRODUCTS and self.bias is None else None
        if sums is None or not sums.any():
            return call
        bias = relax.op.dequantize(
            tvm_adapter.make_constant(sums),
            tvm_adapter.make_constant(self.scales[self.kept] if self.scales.ndim else self.scales),
            relax.const(0, "int32"),
        )
        return relax.op.add(emit(call), emit(bias))

    def _argument(self, argument: relax.Expr) -> relax.Expr:
        """What stays of a constant; other arguments as they are."""
        if not tvm_adapter.is_constant(argument):
            return argument
        value, channels = tvm_adapter.constant_value(argument), self.operator.outputs[0].channels
        if argument == self.weights:
            value = np.take(value, self.kept, self.layout.index("O"))
            if self.removed_sums is not None:
                value = np.take(value, self.sources[0], self.layout.index("I"))
        elif argument == self.bias and self.removed_sums is not None:
            value = np.broadcast_to(value, (*value.shape[:-1], channels))[..., self.kept] + self.removed_sums
        elif value.ndim and value.shape[-1] == channels:
            value = value[..., self.kept]
        return tvm_adapter.make_constant(value)
