"""The operators that are taken from torch programs, and of each argument of theirs the values.

An operator that is not here, an argument that is not here and not at its default, and a value that is not
taken are refused by name. `tinycc.frontend.torch.converters` has for each operator what it becomes.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from tinycc.errors import UnsupportedError
from tinycc.frontend.torch.nodes import arguments, operator, title


@dataclass(frozen=True)
class Values:
    """The values of an argument that are taken.

    text: what they are, in a message that refuses another one.
    """

    text: str
    include: Callable[[Any], bool]

    def __or__(self, other: "Values") -> "Values":
        return Values(
            f"{self.text} or {other.text}", lambda value: self.include(value) or other.include(value)
        )


def only(*values: Any) -> Values:
    """Nothing but these, of these very types."""
    return Values(
        " or ".join(map(repr, values)),
        lambda value: any(type(value) is type(item) and value == item for item in values),
    )


def list_of(items: Values) -> Values:
    """Any number of such values."""
    return Values(
        f"a list of {items.text}",
        lambda value: isinstance(value, list | tuple) and all(map(items.include, value)),
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


TENSOR = Values("a tensor", lambda value: isinstance(value, torch.fx.Node))
NUMBER = Values("a finite number", _is_number)
INTEGER = Values("an integer", lambda value: isinstance(value, int) and not isinstance(value, bool))
FLAG = Values("True or False", lambda value: isinstance(value, bool))
NONE = only(None)
ANYTHING = Values("anything", lambda value: True)
INTEGERS = INTEGER | list_of(INTEGER)
COUNT = Values("a positive integer", lambda value: INTEGER.include(value) and value > 0)
COUNTS = COUNT | list_of(COUNT)
# One number for all axes, or one for each.
ONES = Values("1", lambda value: INTEGERS.include(value) and set(_listed(value)) <= {1})
AT_LEAST_20 = Values("at least 20", lambda value: _is_number(value) and value >= 20)
NOT_ZERO = Values("a finite number other than 0", lambda value: _is_number(value) and value != 0)
POSITIVE = Values("a positive number", lambda value: _is_number(value) and value > 0)
FLOAT32 = only(torch.float32) | NONE


def _listed(value: Any) -> list[int]:
    return list(value) if isinstance(value, list | tuple) else [value]


Arguments = dict[str, Values]


def _layer(**arguments: Values) -> Arguments:
    return {"input": TENSOR, "weight": TENSOR, "bias": TENSOR | NONE, **arguments}


def _unary(**arguments: Values) -> Arguments:
    return {"self": TENSOR, **arguments}


def _binary(**arguments: Values) -> Arguments:
    return {"self": TENSOR, "other": TENSOR | NUMBER, **arguments}


_CONVOLUTION = {"stride": COUNTS, "padding": INTEGERS, "dilation": COUNTS, "groups": COUNT}
_BY_NAME = {**_CONVOLUTION, "padding": only("same", "valid")}
_POOL = {"kernel_size": COUNTS, "stride": COUNTS, "padding": INTEGERS, "ceil_mode": FLAG}
_NORMALIZED = _layer(
    running_mean=TENSOR, running_var=TENSOR, momentum=NUMBER, eps=POSITIVE, weight=TENSOR | NONE
)
_REDUCTION = {"dim": INTEGERS | NONE, "keepdim": FLAG}
_RESIZED = {
    "input": TENSOR,
    "output_size": INTEGERS | NONE,
    "scale_factors": list_of(POSITIVE) | NONE,
}
_RESIZED_TO = {"output_size": INTEGERS, "scales_h": POSITIVE | NONE, "scales_w": POSITIVE | NONE}

# Layers with weights, which are quantized.
WEIGHTED: dict[str, Arguments] = {
    "aten.conv1d.default": _layer(**_CONVOLUTION),
    "aten.conv1d.padding": _layer(**_BY_NAME),
    "aten.conv2d.default": _layer(**_CONVOLUTION),
    "aten.conv2d.padding": _layer(**_BY_NAME),
    "aten.conv_transpose2d.input": _layer(
        stride=COUNTS, padding=INTEGERS, output_padding=INTEGERS, groups=only(1), dilation=ONES
    ),
    "aten.linear.default": _layer(),
}

# Two tensors, or a tensor and a number, element by element.
BINARY: dict[str, Arguments] = {
    "aten.add.Tensor": _binary(alpha=only(1, 1.0)),
    "aten.sub.Tensor": _binary(alpha=only(1, 1.0)),
    "aten.mul.Tensor": _binary(),
    "aten.div.Tensor": {"self": TENSOR, "other": TENSOR | NOT_ZERO},
    "aten.div.Tensor_mode": {"self": TENSOR, "other": TENSOR | NOT_ZERO, "rounding_mode": NONE},
    "aten.maximum.default": _binary(),
    "aten.minimum.default": _binary(),
    "aten.max.other": _binary(),
    "aten.min.other": _binary(),
}

# Those that choose one of their operands.
CHOICES = {"aten.maximum.default", "aten.minimum.default", "aten.max.other", "aten.min.other"}

# Of two tensors.
MATRIX_PRODUCTS: dict[str, Arguments] = {
    "aten.matmul.default": {"self": TENSOR, "other": TENSOR},
    "aten.bmm.default": {"self": TENSOR, "mat2": TENSOR},
}

# Functions of one tensor, element by element.
UNARY: dict[str, Arguments] = {
    "aten.rsub.Scalar": {"self": TENSOR, "other": NUMBER, "alpha": only(1, 1.0)},
    "aten.pow.Tensor_Scalar": _unary(exponent=NUMBER),
    "aten.abs.default": _unary(),
    "aten.ceil.default": _unary(),
    "aten.cos.default": _unary(),
    "aten.erf.default": _unary(),
    "aten.exp.default": _unary(),
    "aten.floor.default": _unary(),
    "aten.log.default": _unary(),
    "aten.neg.default": _unary(),
    "aten.reciprocal.default": _unary(),
    "aten.round.default": _unary(),
    "aten.rsqrt.default": _unary(),
    "aten.sin.default": _unary(),
    "aten.sqrt.default": _unary(),
    "aten.square.default": _unary(),
    "aten.celu.default": _unary(alpha=POSITIVE),
    "aten.elu.default": _unary(alpha=NUMBER, scale=NUMBER, input_scale=NUMBER),
    "aten.gelu.default": _unary(approximate=only("none", "tanh")),
    "aten.hardsigmoid.default": _unary(),
    "aten.hardswish.default": _unary(),
    "aten.leaky_relu.default": _unary(negative_slope=NUMBER),
    "aten.mish.default": _unary(),
    "aten.selu.default": _unary(),
    "aten.sigmoid.default": _unary(),
    "aten.silu.default": _unary(),
    "aten.softplus.default": _unary(beta=POSITIVE, threshold=AT_LEAST_20),
    "aten.tanh.default": _unary(),
}

# Weighted averages of elements, which lie between these.
AVERAGES: dict[str, Arguments] = {
    "aten.avg_pool1d.default": _unary(**_POOL, count_include_pad=FLAG),
    "aten.avg_pool2d.default": _unary(**_POOL, count_include_pad=FLAG, divisor_override=NONE),
    "aten.adaptive_avg_pool1d.default": _unary(output_size=INTEGERS),
    "aten.adaptive_avg_pool2d.default": _unary(output_size=INTEGERS),
    "aten.upsample_bilinear2d.default": _unary(**_RESIZED_TO, align_corners=FLAG),
    "aten.upsample_bilinear2d.vec": {**_RESIZED, "align_corners": FLAG},
}

# The second is what torch makes of the first, in evaluation, when it rids a program of what is written over.
BATCH_NORMS = ("aten.batch_norm.default", "aten._native_batch_norm_legit_no_training.default")

# Computed on real numbers, between dequantize and quantize.
ARITHMETIC: dict[str, Arguments] = {
    **WEIGHTED,
    **BINARY,
    **MATRIX_PRODUCTS,
    **UNARY,
    **AVERAGES,
    BATCH_NORMS[1]: _NORMALIZED,
    "aten.layer_norm.default": {
        "input": TENSOR,
        "normalized_shape": INTEGERS,
        "weight": TENSOR | NONE,
        "bias": TENSOR | NONE,
        "eps": POSITIVE,
        "cudnn_enable": ANYTHING,
    },
    "aten.prelu.default": _unary(weight=TENSOR),
    "aten.softmax.int": _unary(dim=INTEGER, dtype=FLOAT32),
    "aten._softmax.default": _unary(dim=INTEGER, half_to_float=only(False)),
    "aten.mean.default": _unary(dtype=FLOAT32),
    "aten.mean.dim": _unary(**_REDUCTION, dtype=FLOAT32),
    "aten.sum.default": _unary(dtype=FLOAT32),
    "aten.sum.dim_IntList": _unary(**_REDUCTION, dtype=FLOAT32),
}

CLAMPS: dict[str, Arguments] = {
    "aten.relu.default": _unary(),
    "aten.relu6.default": _unary(),
    "aten.hardtanh.default": _unary(min_val=NUMBER, max_val=NUMBER),
    "aten.clamp.default": _unary(min=NUMBER | NONE, max=NUMBER | NONE),
    "aten.clamp_max.default": _unary(max=NUMBER),
    "aten.clamp_min.default": _unary(min=NUMBER),
}

# These move or choose elements, so quantization may stand on either side of them.
MOVING: dict[str, Arguments] = {
    "aten.view.default": _unary(size=INTEGERS),
    "aten._unsafe_view.default": _unary(size=INTEGERS),
    "aten.reshape.default": _unary(shape=INTEGERS),
    "aten.flatten.using_ints": _unary(start_dim=INTEGER, end_dim=INTEGER),
    "aten.unflatten.int": _unary(dim=INTEGER, sizes=INTEGERS),
    "aten.squeeze.default": _unary(),
    "aten.squeeze.dim": _unary(dim=INTEGER),
    "aten.squeeze.dims": _unary(dim=INTEGERS),
    "aten.unsqueeze.default": _unary(dim=INTEGER),
    "aten.permute.default": _unary(dims=INTEGERS),
    "aten.transpose.int": _unary(dim0=INTEGER, dim1=INTEGER),
    "aten.t.default": _unary(),
    "aten.movedim.int": _unary(source=INTEGER, destination=INTEGER),
    "aten.cat.default": {"tensors": list_of(TENSOR), "dim": INTEGER},
    "aten.stack.default": {"tensors": list_of(TENSOR), "dim": INTEGER},
    "aten.slice.Tensor": _unary(dim=INTEGER, start=INTEGER | NONE, end=INTEGER | NONE, step=INTEGER),
    "aten.narrow.default": _unary(dim=INTEGER, start=INTEGER, length=INTEGER),
    "aten.select.int": _unary(dim=INTEGER, index=INTEGER),
    "aten.split.Tensor": _unary(split_size=INTEGER, dim=INTEGER),
    "aten.split_with_sizes.default": _unary(split_sizes=INTEGERS, dim=INTEGER),
    "aten.chunk.default": _unary(chunks=INTEGER, dim=INTEGER),
    "aten.unbind.int": _unary(dim=INTEGER),
    "aten.index_select.default": _unary(dim=INTEGER, index=TENSOR),
    # The last three say how the table is trained.
    "aten.embedding.default": {
        "weight": TENSOR,
        "indices": TENSOR,
        "padding_idx": ANYTHING,
        "scale_grad_by_freq": ANYTHING,
        "sparse": ANYTHING,
    },
    "aten.flip.default": _unary(dims=INTEGERS),
    "aten.roll.default": _unary(shifts=INTEGERS, dims=INTEGERS),
    "aten.expand.default": _unary(size=INTEGERS, implicit=FLAG),
    "aten.repeat.default": _unary(repeats=INTEGERS),
    "aten.constant_pad_nd.default": _unary(pad=INTEGERS, value=NUMBER),
    "aten.pad.default": _unary(
        pad=INTEGERS, mode=only("constant", "reflect", "replicate", "circular"), value=NUMBER | NONE
    ),
    "aten.reflection_pad1d.default": _unary(padding=INTEGERS),
    "aten.reflection_pad2d.default": _unary(padding=INTEGERS),
    "aten.replication_pad1d.default": _unary(padding=INTEGERS),
    "aten.replication_pad2d.default": _unary(padding=INTEGERS),
    "aten.max_pool1d.default": _unary(**_POOL, dilation=COUNTS),
    "aten.max_pool2d.default": _unary(**_POOL, dilation=COUNTS),
    "aten.adaptive_max_pool1d.default": _unary(output_size=INTEGERS),
    "aten.adaptive_max_pool2d.default": _unary(output_size=INTEGERS),
    "aten.amax.default": _unary(dim=INTEGERS, keepdim=FLAG),
    "aten.amin.default": _unary(dim=INTEGERS, keepdim=FLAG),
    "aten.max.dim": _unary(dim=INTEGER, keepdim=FLAG),
    "aten.min.dim": _unary(dim=INTEGER, keepdim=FLAG),
    "aten.argmax.default": _unary(dim=INTEGER | NONE, keepdim=FLAG),
    "aten.upsample_nearest1d.vec": _RESIZED,
    "aten.upsample_nearest2d.default": _unary(**_RESIZED_TO),
    "aten.upsample_nearest2d.vec": _RESIZED,
    "aten._upsample_nearest_exact2d.vec": _RESIZED,
    "aten.pixel_shuffle.default": _unary(upscale_factor=INTEGER),
    "aten.pixel_unshuffle.default": _unary(downscale_factor=INTEGER),
    "aten.channel_shuffle.default": _unary(groups=INTEGER),
    "aten.dropout.default": {"input": TENSOR, "p": NUMBER, "train": only(False)},
    "aten.clone.default": _unary(memory_format=ANYTHING),
    "aten.contiguous.default": _unary(memory_format=ANYTHING),
    "aten.detach.default": _unary(),
    "aten.alias.default": _unary(),
}

# Results of these lie in a known range, for which int8 has a scale and zero point by convention (TFLite's).
FIXED_RANGES = {
    "aten.softmax.int": (1 / 256, -128),
    "aten._softmax.default": (1 / 256, -128),
    "aten.sigmoid.default": (1 / 256, -128),
    "aten.tanh.default": (1 / 128, 0),
}

OPERATORS: dict[str, Arguments] = {**ARITHMETIC, **CLAMPS, **MOVING}


def check_arguments(node: torch.fx.Node) -> None:
    """UnsupportedError, naming the node and the argument, for a value that is not taken."""
    taken = OPERATORS[operator(node)]
    for name, value in arguments(node).items():
        if not taken[name].include(value):
            raise UnsupportedError(
                f"{title(node)}: {name} = {value!r} is not supported, only {taken[name].text}"
            )
