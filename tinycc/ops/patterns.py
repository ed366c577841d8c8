"""Building blocks of the patterns that find operators in the normal form."""

import math
from collections.abc import Callable

from tvm.relax.dpl import DFPattern, is_const, is_op, wildcard
from tvm.relax.transform import FusionPattern, PatternCheckContext

from tinycc import tvm_adapter

Check = Callable[[PatternCheckContext], bool]


def dequantized(tensor: DFPattern | None = None) -> DFPattern:
    """`dequantize(tensor)`, by default of anything."""
    return is_op("relax.dequantize")(wildcard() if tensor is None else tensor, is_const(), is_const())


def quantized(real: DFPattern) -> DFPattern:
    """`quantize(real)`."""
    return is_op("relax.quantize")(real, is_const(), is_const())


def activated(real: DFPattern) -> DFPattern:
    """`real`, or `real` through an activation that can be fused as a clamp."""
    clamped = is_op("relax.clip")(real, wildcard(), wildcard())
    return is_op("relax.nn.relu")(real) | clamped | real


def real_weights() -> DFPattern:
    """Constant weights of a layer that computes with real numbers, which may be stored as integers."""
    return is_const() | dequantized(is_const())


def biased(real: DFPattern) -> DFPattern:
    """`real`, or `real` plus a constant bias."""
    return is_op("relax.add")(real, dequantized(is_const())) | real


def real_layers(name: str, product: DFPattern, check: Check = lambda context: True) -> list[FusionPattern]:
    """A product of real numbers, what is added to each of its channels, and its clamp; `product` by itself.

    check: of the match, in which the product is called "product".
    """
    bias = is_const()
    with_bias = is_op("relax.add")(product, bias)

    def adds_channels(context: PatternCheckContext) -> bool:
        shape = tvm_adapter.shape_of(context.annotated_expr["bias"])
        channels = tvm_adapter.shape_of(context.annotated_expr["product"])[-1]
        return shape[-1:] in ((), (1,), (channels,)) and math.prod(shape[:-1]) == 1 and check(context)

    return [
        FusionPattern(name, activated(with_bias), {"product": product, "bias": bias}, adds_channels),
        FusionPattern(name, activated(product), {"product": product}, check),
    ]


def is_channels_last(context: PatternCheckContext) -> bool:
    """Whether what is called "pool" of a match is in the layout of the normal form."""
    attrs = context.annotated_expr["pool"].attrs
    return bool(attrs.layout == attrs.out_layout == "NHWC")
