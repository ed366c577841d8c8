"""TVM's importer of ONNX graphs, opened where it looks at each node.

Apart from the rest, as it imports onnx.
"""

from typing import Any

import onnx
from onnx import helper
from tvm import relax
from tvm.relax.frontend.onnx import onnx_frontend


class NodeImporter(onnx_frontend.ONNXGraphImporter):  # type: ignore[misc]  # TVM has no types
    """TVM's importer, node by node: what is not to be converted as TVM does overrides `convert`."""

    def __init__(self) -> None:
        super().__init__({}, "float32")

    @property
    def builder(self) -> relax.BlockBuilder:
        """Where bindings go."""
        return self.bb

    @property
    def tensors(self) -> dict[str, relax.Expr]:
        """What stands for each tensor of the graph that there is so far, by its name."""
        found: dict[str, relax.Expr] = self._nodes
        return found

    def attributes(self, node: onnx.NodeProto) -> dict[str, Any]:
        """The attributes of a node as Python values."""
        found: dict[str, Any] = self._parse_attr(node.attribute)
        return found

    def convert(self, node: onnx.NodeProto) -> None:
        """Enter a node's results into `tensors`, as TVM converts it."""
        super()._construct_nodes(helper.make_graph([node], "node", [], []))

    def _check_for_unsupported_ops(self, graph: onnx.GraphProto) -> None:
        """Whoever converts the nodes says so."""

    def _construct_nodes(self, graph: onnx.GraphProto) -> None:
        for node in graph.node:
            self.convert(node)
