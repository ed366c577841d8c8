"""Which results of a float torch graph stay real numbers, as one kernel computes them with what reads them.

A layer takes in the constants that its result is scaled by or added to, batch normalization among them, and
with most other operators the clamp behind it. Functions of one tensor are one table, however many they are.
"""

from collections.abc import Container

import torch

from tinycc.frontend.torch.nodes import GETITEM, operator
from tinycc.frontend.torch.operators import ARITHMETIC, AVERAGES, BATCH_NORMS, BINARY, CLAMPS, UNARY, WEIGHTED

# What is added to scores, and beside which they count for nothing, whatever they are.
NOTHING = -1e4
# What the weights and the bias of a layer do as well, if the other operand is constant.
SCALING = {
    "aten.add.Tensor", "aten.sub.Tensor", "aten.rsub.Scalar", "aten.mul.Tensor", "aten.div.Tensor",
}  # fmt: skip
SOFTMAX = ("aten.softmax.int", "aten._softmax.default")
# Their results are no sums, to be clamped before they are rounded.
_WITHOUT_CLAMP = {
    *AVERAGES, "aten.layer_norm.default", "aten.prelu.default", *SOFTMAX,
}  # fmt: skip


def functional(node: torch.fx.Node) -> str:
    """What a node calls, or the operator that computes the same if it writes over its operand."""
    return operator(node).replace("_.", ".", 1)


def value_of(node: torch.fx.Node) -> torch.Tensor | None:
    """A constant, or a tensor of the shape and type of a node's result; None where it has several."""
    if node.op != "get_attr":
        value = node.meta.get("val")
        return value if isinstance(value, torch.Tensor) else None
    module: object = node.graph.owning_module
    for name in str(node.target).split("."):
        module = getattr(module, name)
    return module if isinstance(module, torch.Tensor) else None


def is_real(node: torch.fx.Node) -> bool:
    """Whether a node gives a tensor of floating-point numbers."""
    value = value_of(node)
    return value is not None and value.is_floating_point()


def is_number(node: torch.fx.Node) -> bool:
    """Whether a node is a constant of one element."""
    value = value_of(node)
    return node.op == "get_attr" and value is not None and value.numel() == 1


def is_mask(node: torch.fx.Node) -> bool:
    """Whether a node is a constant that, added to scores, lets them be or makes nothing of them."""
    value = value_of(node)
    if node.op != "get_attr" or value is None or not value.is_floating_point() or value.numel() == 1:
        return False
    return bool(((value == 0) | (value <= NOTHING)).all())


def operands(node: torch.fx.Node) -> list[torch.fx.Node]:
    """The real tensors that a node computes with, each once."""
    return [source for source in node.all_input_nodes if is_real(source)]


class Fusion:
    """The results of a graph that stay real numbers: `inner`.

    kept: nodes that are left in float, and take part in nothing.
    """

    def __init__(self, graph: torch.fx.Graph, kept: Container[torch.fx.Node]) -> None:
        self.inner: set[torch.fx.Node] = set()
        # Results that may still be scaled, and that may still be clamped, by the kernel that computes them.
        self._scalable: set[torch.fx.Node] = set()
        self._open: set[torch.fx.Node] = set()
        # Of functions of one tensor, that tensor.
        self._sources: dict[torch.fx.Node, torch.fx.Node] = {}
        for node in graph.nodes:
            if node not in kept:
                self._visit(node)
        for node, source in self._sources.items():
            if node.users and all(self._sources.get(reader) is source for reader in node.users):
                self.inner.add(node)

    def _visit(self, node: torch.fx.Node) -> None:
        name = functional(node)
        before = node.all_input_nodes[0] if node.all_input_nodes else None
        if name == GETITEM and before in self._open and node.args[1] == 0:
            self._join(before, node)
        elif name in CLAMPS and before in self._open and len(before.users) == 1:
            self._join(before, node)
            self._scalable.discard(node)
        elif any(self._scales(node, operand) for operand in node.all_input_nodes):
            [before] = (operand for operand in node.all_input_nodes if self._scales(node, operand))
            self._join(before, node)
        elif name in WEIGHTED:
            self._scalable.add(node)
            self._open.add(node)
        elif name == "aten.add.Tensor" and any(map(is_mask, node.all_input_nodes)):
            # A softmax of scores knows masks.
            if all(functional(reader) in SOFTMAX for reader in node.users):
                self.inner.add(node)
        elif name in BINARY or name in UNARY or name in CLAMPS:
            source = self._source(node)
            if source is not None:
                self._sources[node] = source
            else:
                self._open.add(node)
        elif name in (*ARITHMETIC, *BATCH_NORMS) and name not in _WITHOUT_CLAMP:
            self._open.add(node)

    def _join(self, before: torch.fx.Node, node: torch.fx.Node) -> None:
        """`node` belongs to the kernel that computes `before`."""
        self.inner.add(before)
        self._open.add(node)
        if before in self._scalable:
            self._scalable.add(node)

    def _scales(self, node: torch.fx.Node, layer: torch.fx.Node) -> bool:
        """Whether `node`, which alone reads a layer's result, does what constants for its channels can do."""
        if layer not in self._scalable or len(layer.users) > 1:
            return False
        name = functional(node)
        if name in BATCH_NORMS:
            return node.args[0] is layer
        if name not in SCALING or (name == "aten.div.Tensor" and node.args[0] is not layer):
            return False
        others = [value_of(other) for other in node.all_input_nodes if other is not layer]
        are_constant = all(other.op == "get_attr" for other in node.all_input_nodes if other is not layer)
        return are_constant and all(_is_for_channels(other, layer) for other in others)

    def _source(self, node: torch.fx.Node) -> torch.fx.Node | None:
        """The tensor that `node` is a function of, element by element; None if there are several."""
        sources = {self._sources.get(each, each) for each in operands(node) if not is_number(each)}
        if len(sources) != 1:
            return None
        [source] = sources
        own, other = value_of(node), value_of(source)
        is_alike = own is not None and other is not None and own.shape == other.shape
        return source if is_alike and source.op != "get_attr" else None


def _is_for_channels(constant: torch.Tensor | None, layer: torch.fx.Node) -> bool:
    """Whether a constant has one number for all elements of a layer's result, or one for each channel."""
    result = value_of(layer)
    if constant is None or result is None or constant.dim() > result.dim():
        return False
    axis = -1 if functional(layer) == "aten.linear.default" else 1
    expected = [1] * result.dim()
    expected[axis] = result.shape[axis]
    shape = [1] * (result.dim() - constant.dim()) + list(constant.shape)
    return constant.numel() == 1 or shape == expected
