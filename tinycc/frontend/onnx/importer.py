"""TVM's ONNX importer, node by node: with converters of our own, and what a node became compared to ONNX."""

import contextlib
import io
import warnings
from typing import Any

import onnx
import tvm
from onnx import helper
from tvm import relax
from tvm.relax.frontend.onnx import onnx_frontend

from tinycc import tvm_adapter
from tinycc.errors import ModelError, TinyccError
from tinycc.frontend.onnx.base import Node
from tinycc.frontend.onnx.converters import CONVERTERS
from tinycc.frontend.onnx.inference import shapes_of, types_of
from tinycc.frontend.onnx.messages import first_line
from tinycc.frontend.onnx.rewriting import label, opset_of, tensors_read


class _Importer(onnx_frontend.ONNXGraphImporter):  # type: ignore[misc]  # TVM has no types
    """TVM's importer keeps the expression of each tensor in `_nodes`."""

    def __init__(self, model: onnx.ModelProto) -> None:
        super().__init__({}, "float32")
        self._shapes, self._types = shapes_of(model), types_of(model)
        self._read = tensors_read(model)

    def _check_for_unsupported_ops(self, graph: onnx.GraphProto) -> None:
        """`operators` has said what is supported."""

    def _construct_nodes(self, graph: onnx.GraphProto) -> None:
        for node in graph.node:
            try:
                self._convert(node)
            except TinyccError as error:
                raise type(error)(f"{label(node)}: {error}") from error
            except Exception as error:  # whatever TVM stumbles over
                raise ModelError(f"{label(node)}: cannot be imported: {first_line(error)}") from error
            for name in filter(None, node.output):
                if name in self._nodes:
                    self._compare(node, name)

    def _convert(self, node: onnx.NodeProto) -> None:
        convert = CONVERTERS.get(node.op_type)
        if convert is None:
            super()._construct_nodes(helper.make_graph([node], "node", [], []))
            return
        inputs = tuple(self._nodes[name] if name else None for name in node.input)
        attributes: dict[str, Any] = self._parse_attr(node.attribute)
        shape = self._shapes.get(node.output[0], ())
        count = max((index + 1 for index, name in enumerate(node.output) if name in self._read), default=1)
        result = self.bb.normalize(convert(Node(self.bb, node.op_type, inputs, attributes, count, shape)))
        results = result.fields if isinstance(result, relax.Tuple) else [result]
        self._nodes.update(zip(node.output[:count], results, strict=True))

    def _compare(self, node: onnx.NodeProto, name: str) -> None:
        """ModelError where a tensor has not the shape and the element type that ONNX infers."""
        expected = self._shapes.get(name), str(helper.tensor_dtype_to_np_dtype(self._types[name]))
        result = self._nodes[name]
        found = tvm_adapter.shape_of(result), tvm_adapter.dtype_of(result)
        if found != expected:
            raise ModelError(
                f"{label(node)}: its result {name!r} is imported as {found[1]} {list(found[0])}, "
                f"where ONNX has {expected[1]} {list(expected[0] or ())}"
            )


def import_onnx(model: onnx.ModelProto) -> tvm.IRModule:
    """The Relax module of an ONNX model whose shapes are all known, in ONNX's layouts.

    Raises UnsupportedError or ModelError with the name of the node that cannot be imported, ModelError for
    one whose result is not what ONNX infers.
    """
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        importer = _Importer(model)
        with tvm_adapter.unwinding(importer.bb):
            return importer.from_onnx(model.graph, opset_of(model))
