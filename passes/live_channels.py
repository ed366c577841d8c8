"""Which channels of the tensors in `main` have an influence on the model's outputs.

A channel is needed if a reader needs it. A layer that sums over channels needs those with weights other than
0, save for constant ones, which its bias can take in; where its windows are padded these must be the zero
point itself, which is what padding adds. An operator that goes channel by channel has the channels of its
operands. Any other operator needs all.

Source: interval arithmetic on the integers of each channel, from the inputs' element types on.
"""

from dataclasses import dataclass, field

import numpy as np
import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.ops import view_of
from tinycc.ops.base import Operator
from tinycc.ops.channel_dependence import ChannelDependence
from tinycc.ops.channel_ranges import ChannelRanges
from tinycc.ops.composite import VIEWS
from tinycc.ops.tensor import Tensor


@dataclass(frozen=True)
class _Node:
    """A binding of `main`: an operator, or a view that keeps pixels together, which has no `operator`.

    reads: the variables behind the operator's inputs, None for constants.
    """

    variable: relax.Var
    operator: Operator | None
    reads: tuple[relax.Var | None, ...]

    @property
    def variables(self) -> list[relax.Var]:
        return [read for read in self.reads if read is not None]

    @property
    def is_channelwise(self) -> bool:
        return self.operator is None or is_channelwise(self.operator)

    @property
    def weights(self) -> np.ndarray | None:
        return None if self.operator is None else mixing_weights(self.operator)


@dataclass
class LiveChannels:
    """The analysis of a module of composites.

    multiple: how many channels kernels take at a time: to save less is not worth the remainder.

    The operands and the result of an operator that goes channel by channel form a group: they have the same
    channels.
    """

    module: tvm.IRModule
    multiple: int
    _groups: dict[relax.Var, relax.Var] = field(default_factory=dict)
    _needed: dict[relax.Var, np.ndarray] = field(default_factory=dict)
    _ranges: dict[relax.Var, ChannelRanges] = field(default_factory=dict)

    def __post_init__(self) -> None:
        main = self.module["main"]
        whole = [*main.params, *tvm_adapter.returned(main)]
        nodes = []
        for binding in tvm_adapter.bindings_of(main):
            node = _node(self.module, binding)
            if node is None:
                whole += [binding.var, *tvm_adapter.variables_of(binding.value)]
                continue
            nodes.append(node)
            self._ranges[node.variable] = self._ranges_after(node)
            if node.is_channelwise:
                for read in node.variables:
                    self._groups[self._group(read)] = self._group(node.variable)
            elif node.weights is None:
                whole += [node.variable, *node.variables]
        for variable in filter(tvm_adapter.is_tensor, whole):
            self._need(variable, np.ones(channels_of(variable), bool))
        layers = [node for node in nodes if not node.is_channelwise and node.weights is not None]
        layers = [layer for layer in layers if layer.variables]
        while any(self._need(layer.variables[0], self._read(layer)) for layer in reversed(layers)):
            pass

    def kept(self, variable: relax.Var) -> np.ndarray:
        """The channels of a tensor that stay, in order: what is needed, and others up to a round number."""
        needed = self._needed_of(variable)
        count = min(max(-(-int(needed.sum()) // self.multiple), 1) * self.multiple, needed.size)
        return np.sort(np.argsort(~needed, kind="stable")[:count])

    def is_whole(self, variable: relax.Var) -> bool:
        """Whether all channels of a tensor stay; true of what is no tensor."""
        return not tvm_adapter.is_tensor(variable) or len(self.kept(variable)) == channels_of(variable)

    def removed_sums(self, operator: Operator, source: relax.Var) -> np.ndarray:
        """What the removed channels of a layer's input add to each of its sums: int64 [output channels]."""
        weights = mixing_weights(operator)
        assert weights is not None
        gone = np.ones(channels_of(source), bool)
        gone[self.kept(source)] = False
        values = self._ranges_of(source).lowest - operator.inputs[0].zero_point
        return np.asarray((weights * values * gone).sum(axis=(1, 2)))

    def _group(self, variable: relax.Var) -> relax.Var:
        while (joined := self._groups.get(variable, variable)) is not variable:
            variable = joined
        return variable

    def _needed_of(self, variable: relax.Var) -> np.ndarray:
        return self._needed.get(self._group(variable), np.zeros(channels_of(variable), bool))

    def _need(self, variable: relax.Var, channels: np.ndarray) -> bool:
        """Note that channels of a variable are needed; whether that is news."""
        before = self._needed_of(variable)
        self._needed[self._group(variable)] = before | channels
        return bool((channels & ~before).any())

    def _read(self, layer: _Node) -> np.ndarray:
        """The channels of its input that a layer needs for those of its outputs that are needed."""
        assert isinstance(layer.operator, ChannelDependence) and layer.weights is not None
        ranges = self._ranges_of(layer.variables[0])
        foldable = ranges.is_constant
        if layer.operator.reads_padding:
            foldable = foldable & (ranges.lowest == layer.operator.inputs[0].zero_point)
        used = (layer.weights[self._needed_of(layer.variable)] != 0).any(axis=(0, 1))
        return np.asarray(used & ~foldable)

    def _ranges_of(self, variable: relax.Var) -> ChannelRanges:
        if variable not in self._ranges:
            tensor = Tensor(tvm_adapter.shape_of(variable), tvm_adapter.dtype_of(variable))
            self._ranges[variable] = ChannelRanges.of(tensor)
        return self._ranges[variable]

    def _ranges_after(self, node: _Node) -> ChannelRanges:
        if node.operator is None:
            return self._ranges_of(node.variables[0])
        inputs = [
            ChannelRanges.of(tensor) if read is None else self._ranges_of(read)
            for tensor, read in zip(node.operator.inputs, node.reads, strict=True)
        ]
        if not isinstance(node.operator, ChannelDependence):
            return ChannelRanges.of(node.operator.outputs[0])
        return node.operator.channel_ranges(inputs)


def is_channelwise(operator: Operator) -> bool:
    """Whether channel c of the output depends on channel c of the inputs alone."""
    return isinstance(operator, ChannelDependence) and operator.is_channelwise


def mixing_weights(operator: Operator) -> np.ndarray | None:
    """The weights of all channels of the input, see ChannelDependence; None where there are none."""
    return operator.mixing_weights if isinstance(operator, ChannelDependence) else None


def channels_of(variable: relax.Var) -> int:
    """The size of a tensor's last dimension."""
    shape = tvm_adapter.shape_of(variable)
    return shape[-1] if shape else 1


def _node(module: tvm.IRModule, binding: relax.VarBinding) -> _Node | None:
    """None for a binding of which nothing is known."""
    value = binding.value
    if not isinstance(value, relax.Call) or not tvm_adapter.is_tensor(binding.var):
        return None
    if tvm_adapter.op_name(value) in VIEWS:
        source = value.args[0]
        is_channelwise = isinstance(source, relax.Var) and channels_of(source) == channels_of(binding.var)
        return _Node(binding.var, None, (source,)) if is_channelwise else None
    if not isinstance(value.op, tvm.ir.GlobalVar) or not all(
        isinstance(arg, relax.Var) for arg in value.args
    ):
        return None
    operator = view_of(module[value.op])
    reads = tuple(
        None if tensor.parameter is None else value.args[tensor.parameter] for tensor in operator.inputs
    )
    return _Node(binding.var, operator, reads)
