"""Functions of one int16 tensor, element by element, as a table that is interpolated."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm.relax.dpl import wildcard
from tvm.relax.transform import FusionPattern

from tinycc import tvm_adapter
from tinycc.ops.base import ElementTypes, KernelCall, Operator, RowWindow
from tinycc.ops.composite import Composite
from tinycc.ops.fixed_point import INTEGER_RANGE
from tinycc.ops.lookup import DEPTH, function_pattern, is_elementwise, leaves_of, name_of, tree_of
from tinycc.ops.lookup_table import evaluate
from tinycc.ops.patterns import quantized
from tinycc.ops.tensor import ITEM_BYTES

# Of the range of int16.
_STEPS = 512
# Of an int8 result before it is rounded.
_FRACTION_BITS = 8


@dataclass(frozen=True, eq=False)
class Interpolate(Operator):
    """Any function from int16 to int8 or int16 of each element of a tensor.

    table: int16 [513], the results for -32768, -32640, ... 32768 in steps of the output; of an int8 output in
        steps of 1/256.
    function: name for the report, e.g. "sigmoid".
    """

    table: np.ndarray
    function: str

    kind: ClassVar[str] = "interpolate"
    element_types: ClassVar[ElementTypes] = frozenset({("int16", "int8"), ("int16", "int16")})

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """quantize(f(dequantize(x))) with f made of elementwise operators and numbers."""
        tensor = wildcard().has_dtype("int16")
        chain = quantized(function_pattern(tensor, DEPTH))
        return [FusionPattern("tinycc.interpolate", chain, {}, is_elementwise)]

    @classmethod
    def from_composite(cls, composite: Composite) -> "Interpolate":
        """Tabulate the function."""
        result = composite.resolve(composite.function.body.body)
        leaves = leaves_of(composite, result.args[0])
        leaf = next(item for item in leaves if not tvm_adapter.is_constant(composite.resolve(item.args[0])))
        tree = tree_of(composite, result.args[0], composite.resolve(leaf.args[0]))
        source, output = composite.tensor(leaf), composite.result()
        positions = np.linspace(-(2.0**15), 2.0**15, _STEPS + 1) - source.zero_point
        with np.errstate(all="ignore"):
            real = evaluate(tree, (positions * source.real_scale).astype(np.float32)).astype(np.float64)
        bits = _FRACTION_BITS if output.dtype == "int8" else 0
        steps = np.rint(np.nan_to_num(real / output.real_scale + output.zero_point) * 2**bits)
        table = np.clip(steps, *INTEGER_RANGE["int16"]).astype(np.int16)
        return cls((source,), (output,), table, name_of(tree))

    @property
    def is_channelwise(self) -> bool:
        """Element by element."""
        return True

    def overlap_distance(self, index: int) -> int | None:
        """In place: elements do not grow."""
        return 0

    def kernel(self) -> KernelCall:
        """One row of single elements."""
        source, output = self.inputs[0], self.outputs[0]
        low, high = INTEGER_RANGE[output.dtype]
        return KernelCall(
            header="interpolate.h",
            function=f"tinycc_interpolate_{output.dtype}",
            struct="tinycc_interpolate",
            shape={
                "channels": 1,
                "fraction_bits": _FRACTION_BITS if ITEM_BYTES[output.dtype] == 1 else 0,
            },
            data={"table": self.table, "output_min": low, "output_max": high},
            windows=(RowWindow.whole(source),),
            rows=1,
            is_flat=True,
            columns=output.elements,
            row_elements=output.elements,
        )

    def describe(self) -> str:
        """The function."""
        return self.function
