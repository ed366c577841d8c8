"""What ONNX leaves implicit is written out before the import: zero points, shapes, padding in numbers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import helper

from tinycc.errors import UnsupportedError
from tinycc.frontend.onnx.features import NARROW_TYPES, element_type
from tinycc.frontend.onnx.inference import shapes_of, types_of
from tinycc.frontend.onnx.operators import WINDOWED
from tinycc.frontend.onnx.rewriting import GraphEditor, attributes_of, label, set_attributes

RESHAPES = ("Flatten", "Reshape", "Squeeze", "Unsqueeze")
INTEGERS = {
    onnx.TensorProto.INT8,
    onnx.TensorProto.UINT8,
    onnx.TensorProto.INT16,
    onnx.TensorProto.UINT16,
    onnx.TensorProto.INT32,
    *NARROW_TYPES,
}


def write_out_zero_points(model: onnx.ModelProto) -> None:
    """Every quantization names its zero point, whose type is that of the integers; in place.

    Raises UnsupportedError where `output_dtype` contradicts the zero point.
    """
    shapes, types = shapes_of(model), types_of(model)
    editor = GraphEditor(model)
    for node in model.graph.node:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
            continue
        quantizes = node.op_type == "QuantizeLinear"
        stated: Any = attributes_of(node).get("output_dtype", 0) if quantizes else types.get(node.input[0], 0)
        set_attributes(node, output_dtype=None)
        if len(node.input) == 3 and node.input[2]:
            if stated not in (0, types.get(node.input[2], stated)):
                raise UnsupportedError(
                    f"{label(node)}: the zero point is not {element_type(stated)}, as its integers are"
                )
            continue
        kind = stated or onnx.TensorProto.UINT8
        if kind not in INTEGERS:
            raise UnsupportedError(f"{label(node)}: {element_type(kind)} is not supported")
        zeros = np.zeros(shapes[node.input[1]], helper.tensor_dtype_to_np_dtype(kind))
        name = editor.add_constant(f"{node.output[0]}_zero_point", zeros)
        del node.input[2:]
        node.input.append(name)


def write_out_shapes(model: onnx.ModelProto) -> None:
    """Flatten, Reshape, Squeeze and Unsqueeze become reshapes to a shape in numbers, in place."""
    shapes = shapes_of(model)
    editor = GraphEditor(model)
    for node in model.graph.node:
        if node.op_type in RESHAPES and node.output[0] in shapes:
            shape = np.array(shapes[node.output[0]], np.int64)
            node.op_type = "Reshape"
            del node.input[1:], node.attribute[:]
            node.input.append(editor.add_constant(f"{node.output[0]}_shape", shape))


def write_out_padding(model: onnx.ModelProto) -> None:
    """`auto_pad`, `ceil_mode` and `output_shape` become `pads`, in place.

    Raises UnsupportedError for a transposed convolution whose `output_shape` no padding gives.
    """
    shapes = shapes_of(model)
    editor = GraphEditor(model)
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        if node.op_type in WINDOWED:
            source = shapes[node.input[0]]
            weights = shapes[node.input[1]] if "Conv" in node.op_type else ()
            window = _Window(node, attributes_of(node), source[2:], weights[2:])
            if node.op_type == "ConvTranspose":
                window.pad_transposed()
            else:
                begins, ends, ceiling = window.padding()
                if attributes_of(node).get("count_include_pad") and any(ceiling):
                    nodes.append(_counted(editor, node, begins, ends))
                    begins, ends = [0] * len(begins), [0] * len(ends)
                    set_attributes(node, count_include_pad=None)
                pads = [*begins, *(end + more for end, more in zip(ends, ceiling, strict=True))]
                set_attributes(node, auto_pad=None, ceil_mode=None, pads=pads)
        nodes.append(node)
    editor.replace_nodes(nodes)


def _counted(editor: GraphEditor, node: onnx.NodeProto, begins: list[int], ends: list[int]) -> onnx.NodeProto:
    """The padding that an average counts as a Pad of its own; what rounding up adds is not counted."""
    widths = editor.add_constant(f"{node.output[0]}_pads", np.array([0, 0, *begins, 0, 0, *ends], np.int64))
    padded = editor.fresh(f"{node.output[0]}_padded")
    pad = helper.make_node("Pad", [node.input[0], widths], [padded], name=node.name)
    node.input[0] = padded
    return pad


@dataclass(frozen=True)
class _Window:
    """The window of a node over the spatial axes of its input, of the sizes `spatial`."""

    node: onnx.NodeProto
    attributes: dict[str, Any]
    spatial: tuple[int, ...]
    weights: tuple[int, ...]

    def _each(self, name: str, default: int) -> list[int]:
        values = [int(value) for value in self.attributes.get(name) or [default] * len(self.spatial)]
        if len(values) != len(self.spatial):
            raise UnsupportedError(f"{label(self.node)}: {name} {values} is not one for each spatial axis")
        return values

    @property
    def _mode(self) -> bytes:
        return bytes(self.attributes.get("auto_pad", b"NOTSET"))

    @property
    def _reaches(self) -> list[int]:
        """How many elements of the input a window spans along each axis."""
        kernel = list(self.weights) or self._each("kernel_shape", 1)
        dilations = self._each("dilations", 1)
        return [(size - 1) * dilation + 1 for size, dilation in zip(kernel, dilations, strict=True)]

    def _stated_padding(self) -> tuple[list[int], list[int]]:
        rank = len(self.spatial)
        pads = [int(pad) for pad in self.attributes.get("pads") or [0] * (2 * rank)]
        if len(pads) != 2 * rank:
            raise UnsupportedError(f"{label(self.node)}: pads {pads} are not two for each spatial axis")
        return pads[:rank], pads[rank:]

    def padding(self) -> tuple[list[int], list[int], list[int]]:
        """Padding at the begin and at the end of each axis, and what `ceil_mode` adds at the end."""
        begins, ends = self._stated_padding()
        ceiling = [0] * len(self.spatial)
        strides = self._each("strides", 1)
        for axis, (size, stride, reach) in enumerate(zip(self.spatial, strides, self._reaches, strict=True)):
            if self._mode in (b"SAME_UPPER", b"SAME_LOWER"):
                total = max((-(-size // stride) - 1) * stride + reach - size, 0)
                begins[axis], ends[axis] = _halves(total, self._mode == b"SAME_UPPER")
            elif self._mode == b"VALID":
                begins[axis], ends[axis] = 0, 0
            if self.attributes.get("ceil_mode"):
                count = -(-(size + begins[axis] + ends[axis] - reach) // stride) + 1
                if (count - 1) * stride >= size + begins[axis]:
                    count -= 1  # a window must begin inside the input or the padding before it
                spanned = (count - 1) * stride + reach
                ceiling[axis] = max(spanned - size - begins[axis] - ends[axis], 0)
        return begins, ends, ceiling

    def pad_transposed(self) -> None:
        """The padding of a transposed convolution is what makes its result as large as it is said to be."""
        begins, ends = self._stated_padding()
        strides, more = self._each("strides", 1), self._each("output_padding", 0)
        automatic = self._mode in (b"SAME_UPPER", b"SAME_LOWER")
        wanted = self._each("output_shape", 0)
        for axis, (size, stride, reach) in enumerate(zip(self.spatial, strides, self._reaches, strict=True)):
            if self._mode == b"VALID":
                begins[axis], ends[axis] = 0, 0
            result = wanted[axis] or (size * stride if automatic else 0)
            if result:
                total = (size - 1) * stride + more[axis] + reach - result
                begins[axis], ends[axis] = _halves(max(total, 0), self._mode == b"SAME_UPPER")
                more[axis] += max(-total, 0)
            if more[axis] >= stride:
                raise UnsupportedError(
                    f"{label(self.node)}: a result {more[axis]} larger than its windows at stride {stride} "
                    "is not supported; check output_shape and output_padding"
                )
        set_attributes(
            self.node, auto_pad=None, output_shape=None, output_padding=more, pads=[*begins, *ends]
        )


def _halves(total: int, more_at_the_end: bool) -> tuple[int, int]:
    small, large = total // 2, total - total // 2
    return (small, large) if more_at_the_end else (large, small)
