"""Normalisation of real numbers over the last axis."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm.relax.dpl import is_const, is_op, wildcard
from tvm.relax.transform import FusionPattern, PatternCheckContext

from tinycc import tvm_adapter
from tinycc.ops.base import FLOAT, ElementTypes, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import FlatCall
from tinycc.ops.room import Room


def _is_over_channels(context: PatternCheckContext) -> bool:
    """Whether the last axis alone is normalised."""
    call = context.matched_expr
    rank = len(tvm_adapter.shape_of(call.args[0]))
    return [int(axis) % rank for axis in call.attrs.axes] == [rank - 1]


@dataclass(frozen=True, eq=False)
class LayerNorm(Operator):
    """(x - mean) / sqrt(variance + epsilon) * scale + offset of each pixel, float32.

    scale, offset: float32 [channels].
    """

    scale: np.ndarray
    offset: np.ndarray
    epsilon: float

    kind: ClassVar[str] = "layer_norm"
    element_types: ClassVar[ElementTypes] = frozenset({FLOAT})

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """None of integers."""
        return []

    @classmethod
    def float_patterns(cls) -> list[FusionPattern]:
        """layer_norm(x, scale, offset)."""
        norm = is_op("relax.nn.layer_norm")(wildcard().has_dtype(FLOAT[0]), is_const(), is_const())
        return [FusionPattern("tinycc.layer_norm", norm, {}, _is_over_channels)]

    @classmethod
    def from_composite(cls, composite: Composite) -> "LayerNorm":
        """Read the constants; one that is not asked for does nothing."""
        call = composite.call("relax.nn.layer_norm")
        scale, offset = (composite.real_constant(operand) for operand in call.args[1:3])
        source = composite.tensor(call.args[0])
        channels = (source.channels,)
        return cls(
            (source,),
            (composite.result(),),
            np.broadcast_to(scale if call.attrs.scale else np.float32(1), channels),
            np.broadcast_to(offset if call.attrs.center else np.float32(0), channels),
            float(call.attrs.epsilon),
        )


class FloatLayerNorm(Kernel[LayerNorm]):
    """Pixel by pixel."""

    def call(self, view: LayerNorm) -> FlatCall:
        """One row of pixels."""
        source, output = view.inputs[0], view.outputs[0]
        return FlatCall(
            header="layer_norm_float.h",
            function="tinycc_layer_norm_float32",
            struct="tinycc_layer_norm_float",
            shape={"channels": source.channels},
            data={
                "scale": view.scale.astype(np.float32),
                "offset": view.offset.astype(np.float32),
                "epsilon": view.epsilon,
            },
            inputs=(source.elements,),
            columns=source.elements // source.channels,
            elements=output.elements,
        )

    def overlap(self, view: LayerNorm, index: int) -> int:
        """A pixel is written once mean and variance are known."""
        return 0


ROOM = Room(LayerNorm, (FloatLayerNorm(),))
