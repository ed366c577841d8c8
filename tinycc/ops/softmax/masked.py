"""Softmax over those elements of the last axis that a constant mask leaves: attention to some tokens only."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm.relax.dpl import is_const, is_op
from tvm.relax.transform import FusionPattern, PatternCheckContext

from tinycc import tvm_adapter
from tinycc.ops.base import INT8, ElementTypes
from tinycc.ops.composite import Composite
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.patterns import dequantized, quantized
from tinycc.ops.room import Room
from tinycc.ops.row_window import RowWindow
from tinycc.ops.softmax.portable import softmax_data, softmax_shape
from tinycc.ops.softmax.view import Softmax, tensors_of

# Steps of int8 between two elements, and how much less than another one's logarithm is nothing beside it.
_STEPS, _NOTHING = 255, 32
_WORD = 32


@dataclass(frozen=True, eq=False)
class MaskedSoftmax(Softmax):
    """Softmax of x + mask, whose elements are 0 or so small that nothing of x is left.

    is_open: bool [rows, channels], where the mask is 0; pixel i of x has row i modulo rows.
    """

    is_open: np.ndarray

    kind: ClassVar[str] = "masked_softmax"
    element_types: ClassVar[ElementTypes] = INT8

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """quantize(softmax(add(dequantize(x), mask)))."""
        source, mask = dequantized(), is_const()
        softmax = is_op("relax.nn.softmax")(is_op("relax.add")(source, mask))
        annotated = {"source": source, "mask": mask}
        return [FusionPattern("tinycc.masked_softmax", quantized(softmax), annotated, _adds_mask)]

    @classmethod
    def float_patterns(cls) -> list[FusionPattern]:
        """None: real numbers are added."""
        return []

    @classmethod
    def from_composite(cls, composite: Composite) -> "MaskedSoftmax":
        """Read the mask; ValueError where it leaves nothing."""
        scores, constant = composite.call("relax.add").args
        inputs, outputs = tensors_of(composite, scores)
        [source], mask = inputs, tvm_adapter.constant_value(constant)
        is_open = mask == 0
        while is_open.ndim > 1 and is_open.shape[0] == 1:
            is_open = is_open[0]
        is_open = np.broadcast_to(is_open, source.shape[len(source.shape) - is_open.ndim :])
        rows = is_open.reshape(-1, source.channels)
        if not rows.any(axis=1).all():
            raise ValueError("a row of its mask leaves no element")
        return cls(inputs, outputs, rows)


def is_mask(constant: np.ndarray, scale: float) -> bool:
    """Whether real numbers, added to int8 of this scale, let each be or leave nothing of it in a softmax."""
    return bool(((constant == 0) | (constant <= -_STEPS * scale - _NOTHING)).all() and constant.any())


def _adds_mask(context: PatternCheckContext) -> bool:
    scale = tvm_adapter.constant_value(context.annotated_expr["source"].args[1])
    return is_mask(tvm_adapter.constant_value(context.annotated_expr["mask"]), float(scale.max()))


class PortableMaskedSoftmax(Kernel[MaskedSoftmax]):
    """Like the kernel for all elements, with a bit for each element of the mask."""

    def call(self, view: MaskedSoftmax) -> RowCall:
        """All pixels, which know their place, as one row."""
        source, output = view.inputs[0], view.outputs[0]
        rows, channels = view.is_open.shape
        padded = np.zeros((rows, -(-channels // _WORD) * _WORD), np.uint8)
        padded[:, :channels] = view.is_open
        words = np.packbits(padded, axis=1, bitorder="little").view("<u4").astype(np.uint32)
        return RowCall(
            header="masked_softmax.h",
            function="tinycc_masked_softmax_int8",
            struct="tinycc_masked_softmax",
            shape={**softmax_shape(view), "mask_rows": rows},
            data={
                **{f"softmax.{name}": value for name, value in softmax_data(view).items()},
                "mask": words,
            },
            windows=(RowWindow.whole(source),),
            rows=1,
            columns=source.elements // channels,
            row_elements=output.elements,
            pixel_columns=0,
        )

    def overlap(self, view: MaskedSoftmax, index: int) -> int:
        """In place."""
        return 0


ROOM = Room(MaskedSoftmax, (PortableMaskedSoftmax(),))
