"""TVM's ONNX importer, with converters of our own where it refuses or misreads.

Its Clip becomes calls of TIR functions, its Pad too, its Split a tuple; quantization keeps ONNX's shapes.
"""

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import onnx
import tvm
from tvm import relax
from tvm.relax.frontend.onnx import onnx_frontend

from tinycc import tvm_adapter
from tinycc.errors import UnsupportedError
from tinycc.frontend.padding import padded

# Modes of Pad, by the names of Relax.
PADDING_MODES = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}

Inputs = Sequence[relax.Expr | None]
Convert = Callable[[relax.BlockBuilder, Inputs, dict[str, Any]], relax.Expr]


class _Converter:
    """One of our converters, in the form that TVM's importer looks up."""

    def __init__(self, convert: Convert) -> None:
        self._convert = convert

    def get_converter(self, _opset: int) -> Callable[..., relax.Expr]:
        """The same for every opset."""
        return lambda builder, inputs, attributes, _parameters: self._convert(builder, inputs, attributes)


def _get(inputs: Inputs, index: int) -> relax.Expr | None:
    return inputs[index] if index < len(inputs) else None


def _constant(inputs: Inputs, index: int, what: str) -> np.ndarray | None:
    expr = _get(inputs, index)
    if expr is None:
        return None
    if not tvm_adapter.is_constant(expr):
        raise UnsupportedError(f"{what} must be a constant")
    return tvm_adapter.constant_value(expr)


def _quantization(inputs: Inputs, attributes: dict[str, Any], tensor: relax.Expr) -> tuple[relax.Expr, ...]:
    """Scale and zero point as constants: scalars, or one for each channel of the axis."""
    scale = _constant(inputs, 1, "the scale of a quantization")
    zero_point = _constant(inputs, 2, "the zero point of a quantization")
    assert scale is not None
    if attributes.get("block_size", 0) or scale.ndim > 1:
        raise UnsupportedError("blocked quantization is not supported")
    if scale.dtype != np.float32 or not (np.isfinite(scale).all() and (scale > 0).all()):
        raise UnsupportedError("the scale of a quantization must be a positive float32 number")
    if zero_point is None:
        zero_point = np.zeros(scale.shape, np.int32)
    if scale.size == 1 or ((scale == scale.flat[0]).all() and (zero_point == zero_point.flat[0]).all()):
        scale, zero_point = scale.flat[0].reshape(()), zero_point.flat[0].reshape(())
    zero_point = np.broadcast_to(zero_point, scale.shape).astype(np.int32)
    return relax.const(scale, "float32"), relax.const(zero_point, "int32")


def _axis(attributes: dict[str, Any], tensor: relax.Expr) -> int:
    rank = len(tvm_adapter.shape_of(tensor))
    axis = int(attributes.get("axis", 1))
    return axis % rank if rank > 1 else 0


def _quantize(builder: relax.BlockBuilder, inputs: Inputs, attributes: dict[str, Any]) -> relax.Expr:
    zero_point = _get(inputs, 2)
    dtype = "int8" if zero_point is None else tvm_adapter.dtype_of(zero_point)
    if dtype not in ("int8", "int16"):
        raise UnsupportedError(f"quantization to {dtype} is not supported")
    scale, zero_point = _quantization(inputs, attributes, inputs[0])
    if tvm_adapter.shape_of(scale):
        raise UnsupportedError("activations with a scale for each channel are not supported")
    return relax.op.quantize(inputs[0], scale, zero_point, axis=_axis(attributes, inputs[0]), out_dtype=dtype)


def _dequantize(builder: relax.BlockBuilder, inputs: Inputs, attributes: dict[str, Any]) -> relax.Expr:
    dtype = tvm_adapter.dtype_of(inputs[0])
    if dtype not in ("int8", "int16", "int32"):
        raise UnsupportedError(f"dequantization of {dtype} is not supported")
    scale, zero_point = _quantization(inputs, attributes, inputs[0])
    return relax.op.dequantize(inputs[0], scale, zero_point, axis=_axis(attributes, inputs[0]))


def _clip(builder: relax.BlockBuilder, inputs: Inputs, attributes: dict[str, Any]) -> relax.Expr:
    """Clip: bounds are attributes before opset 11 and inputs since."""
    bounds = []
    for index, unbounded in ((1, -np.inf), (2, np.inf)):
        bound = _constant(inputs, index, "a bound of Clip")
        bounds.append(unbounded if bound is None else float(bound.reshape(-1)[0]))
    return relax.op.clip(inputs[0], *bounds)


def _text(value: bytes | str) -> str:
    """A string attribute, which TVM's importer gives as bytes."""
    return value.decode() if isinstance(value, bytes) else value


def _pad(builder: relax.BlockBuilder, inputs: Inputs, attributes: dict[str, Any]) -> relax.Expr:
    """Pad with a constant or with the tensor's own elements; widths and axes are constants."""
    mode = _text(attributes.get("mode", "constant"))
    if mode not in PADDING_MODES:
        raise UnsupportedError(f"the mode {mode!r} of Pad is not supported")
    pads = _constant(inputs, 1, "the widths of Pad")
    value = _constant(inputs, 2, "the value of Pad")
    axes = _constant(inputs, 3, "the axes of Pad")
    assert pads is not None
    rank = len(tvm_adapter.shape_of(inputs[0]))
    widths = np.zeros((rank, 2), np.int64)
    widths[range(rank) if axes is None else axes % rank] = pads.reshape(2, -1).T
    if (widths < 0).any():
        raise UnsupportedError("negative padding is not supported")
    if mode != "constant":
        return padded(builder, inputs[0], widths.tolist(), PADDING_MODES[mode])
    number = 0 if value is None or value.size == 0 else value.reshape(-1)[0].item()
    return relax.op.nn.pad(inputs[0], widths.reshape(-1).tolist(), "constant", number)


def _split(builder: relax.BlockBuilder, inputs: Inputs, attributes: dict[str, Any]) -> relax.Expr:
    """Split as one slice for each part."""
    shape = tvm_adapter.shape_of(inputs[0])
    axis = int(attributes.get("axis", 0)) % len(shape)
    given = _constant(inputs, 1, "the sizes of Split")
    count = int(attributes["tvm_custom"]["num_outputs"])
    sizes = attributes.get("split", given)
    if sizes is None:
        part = -(-shape[axis] // count)
        sizes = [min(part, shape[axis] - index * part) for index in range(count)]
    ends = np.cumsum(np.asarray(sizes)).tolist()
    slices = [
        builder.emit(relax.op.strided_slice(inputs[0], [axis], [begin], [end], [1]))
        for begin, end in zip([0, *ends[:-1]], ends, strict=True)
    ]
    return slices[0] if len(slices) == 1 else relax.Tuple(slices)


CONVERTERS: dict[str, Convert] = {
    "Clip": _clip,
    "DequantizeLinear": _dequantize,
    "Pad": _pad,
    "QuantizeLinear": _quantize,
    "Split": _split,
}


@contextlib.contextmanager
def _extended_importer() -> Iterator[None]:
    """TVM's importer looks its converters up in the map that `_get_convert_map` returns."""
    original = onnx_frontend._get_convert_map
    ours = {name: _Converter(convert) for name, convert in CONVERTERS.items()}
    onnx_frontend._get_convert_map = lambda: {**original(), **ours}
    try:
        yield
    finally:
        onnx_frontend._get_convert_map = original


def import_onnx(model: onnx.ModelProto) -> tvm.IRModule:
    """The Relax module of an ONNX model, in ONNX's layouts; raises what TVM's importer raises."""
    with _extended_importer(), warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        importer = onnx_frontend.ONNXGraphImporter({}, "float32")
        opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
        with tvm_adapter.unwinding(importer.bb):
            return importer.from_onnx(model.graph, opset)
