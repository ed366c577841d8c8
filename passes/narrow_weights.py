"""Say of layers that their weights have four bits, so that kernels may find two of them in a byte.

Before:  a composite function whose int8 weights are all in [-8, 7] and have no zero point
After:   the same function with the attribute `tinycc.weight_bits`
Requires: fuse_quantized_ops; before select_kernels, which takes the kernels for such weights. Weights of two
         bits are weights of four bits, too.
"""

from collections import Counter
from dataclasses import replace

import tvm

from tinycc import tvm_adapter
from tinycc.graph import view_of
from tinycc.ops.arithmetic import Requantized
from tinycc.ops.base import WEIGHT_BITS, Operator
from tinycc.ops.linear import Linear
from tinycc.ops.narrow import NARROW_BITS, NARROW_RANGE

# Fewer weights of an operator's kind in a model save less flash than a further kernel takes.
LEAST_WEIGHTS = 1024


@tvm.transform.module_pass(opt_level=1, name="NarrowWeights")
class NarrowWeights:
    """Module pass; see above."""

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Annotate the composite functions of kinds that have enough of such weights."""
        layers: dict[tvm.ir.GlobalVar, Linear] = {}
        for variable, function in module.functions.items():
            view = view_of(function) if tvm_adapter.attribute(function, "Composite") else None
            if isinstance(view, Linear) and _has_four_bits(view):
                layers[variable] = view
        counts: Counter[str] = Counter()
        for view in layers.values():
            counts[view.kind] += view.requantized.weights.size
        narrowed = tvm.IRModule(dict(module.functions), attrs=module.attrs)
        for variable, view in layers.items():
            if counts[view.kind] >= LEAST_WEIGHTS:
                narrowed.update_func(variable, module[variable].with_attr(WEIGHT_BITS, NARROW_BITS))
        return narrowed


def _has_four_bits(layer: Linear) -> bool:
    """Whether the weights are in range, and there are kernels for such weights."""
    arithmetic = layer.arithmetic
    if not isinstance(arithmetic, Requantized) or arithmetic.weight_zero_points.any():
        return False
    low, high = NARROW_RANGE
    if arithmetic.weights.min() < low or arithmetic.weights.max() > high:
        return False
    narrow: Operator = replace(layer, arithmetic=replace(arithmetic, weight_bits=NARROW_BITS))
    return bool(narrow.traded("instructions"))
