"""Which channels of the tensors in `main` have an influence on the model's outputs.

A channel is needed if a reader needs it. A layer that sums over channels needs those with weights other than
0, save for constant ones, which its bias can take in; where its windows are padded these must be the zero
point itself, which is what padding adds. An operator that goes channel by channel has the channels of its
operands. Any other operator needs all.

Source: interval arithmetic on the integers of each channel, from the inputs' element types on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from tvm import relax

from tinycc import tvm_adapter
from tinycc.graph import Node, OperatorGraph
from tinycc.ops.base import Operator
from tinycc.ops.channel_dependence import ChannelDependence
from tinycc.ops.channel_ranges import ChannelRanges
from tinycc.ops.composite import VIEWS
from tinycc.ops.fixed_point import INTEGER_RANGE
from tinycc.ops.tensor import Tensor


@dataclass
class LiveChannels:
    """The analysis of a graph.

    multiple: how many channels kernels take at a time: to save less is not worth the remainder.

    The operands and the result of an operator that goes channel by channel form a group: they have the same
    channels.
    """

    graph: OperatorGraph
    multiple: int
    _groups: dict[relax.Var, relax.Var] = field(default_factory=dict)
    _needed: dict[relax.Var, np.ndarray] = field(default_factory=dict)
    _ranges: dict[relax.Var, ChannelRanges] = field(default_factory=dict)

    def __post_init__(self) -> None:
        graph = self.graph
        whole: list[relax.Var] = [*graph.parameters, *tvm_adapter.returned(graph.main)]
        layers = []
        for variable, value in graph.renamings.items():
            sources = tvm_adapter.variables_of(value)
            if self._keeps_pixels(variable):
                self._join(variable, sources)
            else:
                whole += [variable, *sources]
        for node in graph.nodes:
            sources = tvm_adapter.variables_of(node.call)
            if not tvm_adapter.is_tensor(node.variable) or len(sources) < len(node.call.args):
                whole += [node.variable, *sources]
                continue
            self._ranges[node.variable] = self._ranges_after(node)
            if is_channelwise(node.view):
                self._join(node.variable, sources)
            elif mixing_weights(node.view) is None:
                whole += [node.variable, *sources]
            elif sources:
                layers.append(node)
        for variable in filter(tvm_adapter.is_tensor, whole):
            self._need(variable, np.ones(channels_of(variable), bool))
        while any(self._need(layer.call.args[0], self._read(layer)) for layer in reversed(layers)):
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

    def _keeps_pixels(self, variable: relax.Var) -> bool:
        """Whether a variable is another in a shape of as many channels."""
        value = self.graph.renamings.get(variable)
        sources = tvm_adapter.variables_of(value) if tvm_adapter.op_name(value) in VIEWS else []
        return bool(sources) and channels_of(sources[0]) == channels_of(variable)

    def _join(self, variable: relax.Var, sources: Sequence[relax.Var]) -> None:
        """Note that variables have the same channels."""
        for source in sources:
            self._groups[self._group(source)] = self._group(variable)

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

    def _read(self, layer: Node) -> np.ndarray:
        """The channels of its input that a layer needs for those of its outputs that are needed."""
        weights = mixing_weights(layer.view)
        assert isinstance(layer.view, ChannelDependence) and weights is not None
        ranges = self._ranges_of(layer.call.args[0])
        foldable = ranges.is_constant
        if layer.view.reads_padding:
            foldable = foldable & (ranges.lowest == layer.view.inputs[0].zero_point)
        used = (weights[self._needed_of(layer.variable)] != 0).any(axis=(0, 1))
        return np.asarray(used & ~foldable)

    def _ranges_of(self, variable: relax.Var) -> ChannelRanges:
        if variable not in self._ranges and self._keeps_pixels(variable):
            self._ranges[variable] = self._ranges_of(
                tvm_adapter.variables_of(self.graph.renamings[variable])[0]
            )
        elif variable not in self._ranges:
            tensor = Tensor(tvm_adapter.shape_of(variable), tvm_adapter.dtype_of(variable))
            self._ranges[variable] = ChannelRanges.of(tensor)
        return self._ranges[variable]

    def _ranges_after(self, node: Node) -> ChannelRanges:
        output = node.view.outputs[0]
        # Of real numbers nothing is known: a constant, too, may be infinite.
        if not isinstance(node.view, ChannelDependence) or output.dtype not in INTEGER_RANGE:
            return ChannelRanges.of(output)
        return node.view.channel_ranges(
            [
                ChannelRanges.of(tensor)
                if tensor.parameter is None
                else self._ranges_of(node.call.args[tensor.parameter])
                for tensor in node.view.inputs
            ]
        )


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
