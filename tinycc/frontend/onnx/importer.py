"""TVM's ONNX importer, node by node: with converters of our own, and what a node became compared to ONNX."""

import contextlib
import io
import warnings

import onnx
import tvm
from onnx import helper
from tvm import relax

from tinycc import tvm_adapter
from tinycc.errors import ModelError, TinyccError
from tinycc.frontend.onnx.base import Node
from tinycc.frontend.onnx.converters import CONVERTERS
from tinycc.frontend.onnx.file import first_line, shapes_of, types_of
from tinycc.frontend.onnx.rewriting import label
from tinycc.tvm_adapter.onnx_importer import NodeImporter


class _Importer(NodeImporter):
    """With the project's own converters; each result is compared with what ONNX infers."""

    def __init__(self, model: onnx.ModelProto) -> None:
        super().__init__()
        self._shapes, self._types = shapes_of(model), types_of(model)

    def convert(self, node: onnx.NodeProto) -> None:
        """Enter a node's results into `tensors`; errors have its name."""
        try:
            if node.op_type in CONVERTERS:
                self._convert_anew(node)
            else:
                super().convert(node)
        except TinyccError as error:
            raise type(error)(f"{label(node)}: {error}") from error
        except Exception as error:  # whatever TVM stumbles over
            raise ModelError(f"{label(node)}: cannot be imported: {first_line(error)}") from error
        for name in filter(None, node.output):
            if name in self.tensors:
                self._compare(node, name)

    def _convert_anew(self, node: onnx.NodeProto) -> None:
        inputs = tuple(self.tensors[name] if name else None for name in node.input)
        shape = self._shapes[node.output[0]]
        opened = Node(self.builder, node.op_type, inputs, self.attributes(node), len(node.output), shape)
        result = self.builder.normalize(CONVERTERS[node.op_type](opened))
        results = result.fields if isinstance(result, relax.Tuple) else [result]
        self.tensors.update(zip(node.output, results, strict=True))

    def _compare(self, node: onnx.NodeProto, name: str) -> None:
        """ModelError where a tensor has not the shape and the element type that ONNX infers."""
        expected = self._shapes.get(name), str(helper.tensor_dtype_to_np_dtype(self._types[name]))
        result = self.tensors[name]
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
        opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
        with tvm_adapter.unwinding(importer.builder):
            return importer.from_onnx(model.graph, opset)
