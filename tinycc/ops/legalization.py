"""Lowerings to loops of Relax operators that TVM has none for, or one that asks for more than C."""

from tvm import relax, te, tirx

from tinycc import tvm_adapter

_SPATIAL = {"relax.nn.conv1d_transpose": 1, "relax.nn.conv2d_transpose": 2, "relax.nn.conv3d_transpose": 3}


def _transposed_convolution(builder: relax.BlockBuilder, call: relax.Call) -> relax.Expr:
    """In any layout, with groups and dilation: each output sums the inputs whose windows reach it.

    Weights have the input's channels first and the output's in each group second (IOHW and its kin).
    """
    attrs = call.attrs
    rank = _SPATIAL[tvm_adapter.op_name(call)]
    layout = str(attrs.data_layout)
    channel_axis = layout.index("C")
    axes = [axis for axis in range(rank + 2) if axis not in (0, channel_axis)]
    groups = int(attrs.groups)
    strides, dilations = ([int(size) for size in sizes] for sizes in (attrs.strides, attrs.dilation))
    begins = [int(size) for size in attrs.padding][:rank]
    source_shape, weights_shape = (tvm_adapter.shape_of(operand) for operand in call.args[:2])
    outputs, channels = weights_shape[1], weights_shape[0] // groups
    dtype = tvm_adapter.dtype_of(call)

    def compute(source: te.Tensor, weights: te.Tensor) -> te.Tensor:
        taps = [te.reduce_axis((0, size), f"tap{axis}") for axis, size in enumerate(weights_shape[2:])]
        channel = te.reduce_axis((0, channels), "channel")

        def at(*index: tirx.Var) -> tirx.Expr:
            place: list[tirx.Expr] = list(index)
            inside = []
            group = tirx.indexdiv(index[channel_axis], outputs)
            place[channel_axis] = group * channels + channel
            for tap, axis, stride, dilation, begin in zip(
                taps, axes, strides, dilations, begins, strict=True
            ):
                reached = index[axis] + begin - tap * dilation
                place[axis] = tirx.indexdiv(reached, stride)
                inside += [reached >= 0, reached < source_shape[axis] * stride]
                inside += [tirx.indexmod(reached, stride) == 0] if stride > 1 else []
            weight = weights(place[channel_axis], tirx.indexmod(index[channel_axis], outputs), *taps)
            product = source(*place).astype(dtype) * weight.astype(dtype)
            zero = tirx.const(0, dtype)
            return te.sum(tirx.if_then_else(tirx.all(*inside), product, zero), axis=[channel, *taps])

        return te.compute(tvm_adapter.shape_of(call), at, name="conv_transpose")

    return builder.call_te(compute, *call.args[:2], primfunc_name_hint="conv_transpose")


LEGALIZATIONS = dict.fromkeys(_SPATIAL, _transposed_convolution)
