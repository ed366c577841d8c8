"""Compute convolutions, pooling and resizing in NHWC.

Before: conv2d(x: NCHW, dequantize(weights: OIHW))
After:  permute_dims(conv2d(permute_dims(x, NHWC), dequantize(weights: HWIO)), NCHW)
Requires: weights that are constants, or a dequantize of one.

Every operator carries its own pair of transposes afterwards; `EliminateTransposes` cancels them.
relax.transform.ConvertLayout stops at quantize and dequantize, which have no layout inference.
"""

from collections.abc import Callable, Iterable

import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.passes.dataflow_rewriter import DataflowRewriter

TO_CHANNELS_LAST = {3: [0, 2, 1], 4: [0, 2, 3, 1]}
TO_CHANNELS_FIRST = {3: [0, 2, 1], 4: [0, 3, 1, 2]}
TRANSPOSED = ("relax.nn.conv2d_transpose", "relax.nn.conv1d_transpose")
POOLING = {
    "relax.nn.max_pool2d": relax.op.nn.max_pool2d,
    "relax.nn.avg_pool2d": relax.op.nn.avg_pool2d,
    "relax.nn.max_pool1d": relax.op.nn.max_pool2d,
    "relax.nn.avg_pool1d": relax.op.nn.avg_pool2d,
}


def _two(values: Iterable[int], filler: int) -> list[int]:
    """Strides, dilations or pool sizes for height and width; one dimension gets a height of `filler`."""
    numbers = [int(value) for value in values]
    return numbers if len(numbers) == 2 else [filler, *numbers]


def _four(padding: Iterable[int]) -> list[int]:
    """Padding as top, left, bottom, right; one dimension has none at the top and bottom."""
    numbers = [int(value) for value in padding]
    return numbers if len(numbers) == 4 else [0, numbers[0], 0, numbers[1]]


class _Converter(DataflowRewriter):
    def rewrite(self, name: str, call: relax.Call) -> relax.Expr:
        if name in ("relax.nn.conv2d", "relax.nn.conv1d") and call.attrs.data_layout in ("NCHW", "NCW"):
            return self._convolution(call)
        if name in TRANSPOSED and call.attrs.data_layout in ("NCHW", "NCW"):
            return self._transposed_convolution(call)
        if name in POOLING and call.attrs.layout in ("NCHW", "NCW"):
            return self._pooling(POOLING[name], call)
        if name == "relax.nn.adaptive_avg_pool2d" and call.attrs.layout == "NCHW":
            return self._global_average(call)
        if name == "relax.image.resize2d" and call.attrs.layout == "NCHW":
            return self._resizing(call)
        if name == "relax.nn.prelu" and int(call.attrs.axis) == 1:
            return self._rectifier(call)
        return call

    def _channels_last(self, expr: relax.Expr) -> relax.Expr:
        """[N, C, (H,) W] as [N, H, W, C]."""
        rank = len(tvm_adapter.shape_of(expr))
        moved = self.emit(relax.op.permute_dims(expr, TO_CHANNELS_LAST[rank]))
        return moved if rank == 4 else self.emit(relax.op.expand_dims(moved, 1))

    def _channels_first(self, expr: relax.Expr, rank: int) -> relax.Expr:
        """[N, H, W, C] as [N, C, (H,) W]."""
        if rank == 3:
            expr = self.emit(relax.op.squeeze(expr, [1]))
        return relax.op.permute_dims(expr, TO_CHANNELS_FIRST[rank])

    def _weights(self, expr: relax.Expr, axes: list[int]) -> relax.Expr:
        """Constant weights [O, I, (H,) W] with their axes permuted, under a dequantize if there is one."""
        call = self.producer(expr)
        if tvm_adapter.is_constant(expr):
            value = tvm_adapter.constant_value(expr)
            value = value if value.ndim == 4 else value[:, :, None, :]
            return tvm_adapter.make_constant(value.transpose(axes))
        if tvm_adapter.op_name(call) == "relax.dequantize" and tvm_adapter.is_constant(call.args[0]):
            axis = int(call.attrs.axis)
            axis = axis + len(tvm_adapter.shape_of(expr)) if axis < 0 else axis
            axis = axis if len(tvm_adapter.shape_of(expr)) == 4 or axis < 2 else axis + 1
            stored = self._weights(call.args[0], axes)
            return self.emit(relax.op.dequantize(stored, *call.args[1:3], axis=axes.index(axis)))
        if len(tvm_adapter.shape_of(expr)) == 3:
            expr = self.emit(relax.op.expand_dims(expr, 2))
        return self.emit(relax.op.permute_dims(expr, axes))

    def _convolution(self, call: relax.Call) -> relax.Expr:
        shape = tvm_adapter.shape_of(call.args[0])
        depthwise = int(call.attrs.groups) == shape[1]
        result = relax.op.nn.conv2d(
            self._channels_last(call.args[0]),
            self._weights(call.args[1], [2, 3, 0, 1] if depthwise else [2, 3, 1, 0]),
            strides=_two(call.attrs.strides, 1),
            padding=_four(call.attrs.padding),
            dilation=_two(call.attrs.dilation, 1),
            groups=int(call.attrs.groups),
            data_layout="NHWC",
            kernel_layout="HWOI" if depthwise else "HWIO",
            out_layout="NHWC",
        )
        return self._channels_first(self.emit(result), len(shape))

    def _transposed_convolution(self, call: relax.Call) -> relax.Expr:
        result = relax.op.nn.conv2d_transpose(
            self._channels_last(call.args[0]),
            self._weights(call.args[1], [0, 1, 2, 3]),
            strides=_two(call.attrs.strides, 1),
            padding=_four(call.attrs.padding),
            output_padding=_two(call.attrs.output_padding, 0),
            dilation=_two(call.attrs.dilation, 1),
            groups=int(call.attrs.groups),
            data_layout="NHWC",
            kernel_layout="IOHW",
            out_layout="NHWC",
        )
        return self._channels_first(self.emit(result), len(tvm_adapter.shape_of(call.args[0])))

    def _pooling(self, pool: Callable[..., relax.Expr], call: relax.Call) -> relax.Expr:
        """Padding that a mean counts is written out; what no kernel does is to count it."""
        source, padding = self._channels_last(call.args[0]), _four(call.attrs.padding)
        if call.attrs.count_include_pad and any(padding):
            top, left, bottom, right = padding
            source = self.emit(relax.op.nn.pad(source, [0, 0, top, bottom, left, right, 0, 0]))
            padding = [0, 0, 0, 0]
        result = pool(
            source,
            pool_size=_two(call.attrs.pool_size, 1),
            strides=_two(call.attrs.strides, 1),
            padding=padding,
            dilation=_two(call.attrs.dilation, 1),
            ceil_mode=bool(call.attrs.ceil_mode),
            layout="NHWC",
            out_layout="NHWC",
        )
        return self._channels_first(self.emit(result), len(tvm_adapter.shape_of(call.args[0])))

    def _global_average(self, call: relax.Call) -> relax.Expr:
        """A mean, of which the layout is a matter of axes; other sizes are left."""
        is_global = tvm_adapter.shape_of(self.builder.normalize(call))[2:] == (1, 1)
        return relax.op.mean(call.args[0], [2, 3], keepdims=True) if is_global else call

    def _rectifier(self, call: relax.Call) -> relax.Expr:
        """Slopes of channels lie along the last axis."""
        rank = len(tvm_adapter.shape_of(call.args[0]))
        if rank not in TO_CHANNELS_LAST:
            return call
        moved = self.emit(relax.op.permute_dims(call.args[0], TO_CHANNELS_LAST[rank]))
        rectified = self.emit(relax.op.nn.prelu(moved, call.args[1], rank - 1))
        return relax.op.permute_dims(rectified, TO_CHANNELS_FIRST[rank])

    def _resizing(self, call: relax.Call) -> relax.Expr:
        """Positions of a linear resize in NCHW are exact; those of TFLite, in NHWC, multiples of a step."""
        attributes = call.attrs
        result = relax.op.image.resize2d(
            self._channels_last(call.args[0]),
            call.args[1],
            layout="NHWC",
            method=attributes.method,
            coordinate_transformation_mode=attributes.coordinate_transformation_mode,
            rounding_method="" if attributes.method == "linear" else attributes.rounding_method,
        )
        return self._channels_first(self.emit(result), 4)


@tvm.transform.module_pass(opt_level=0, name="ConvertLayoutToNhwc")
class ConvertLayoutToNhwc:
    """Rewrite NCHW and NCW operators of `main` to NHWC with transposes around them."""

    def transform_module(self, module: tvm.IRModule, context: tvm.transform.PassContext) -> tvm.IRModule:
        """Convert `main`; one-dimensional operators become two-dimensional ones with a single row."""
        return _Converter(module).run()
