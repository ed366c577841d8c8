"""Building blocks of the patterns that find operators in the normal form."""

from tvm.relax.dpl import DFPattern, is_const, is_op, wildcard


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


def biased(real: DFPattern) -> DFPattern:
    """`real`, or `real` plus a constant bias."""
    return is_op("relax.add")(real, dequantized(is_const())) | real
