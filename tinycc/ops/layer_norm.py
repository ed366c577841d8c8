"""Layer normalization, in integers and in real numbers."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm import relax
from tvm.relax.dpl import DFPattern, is_const, is_op, wildcard
from tvm.relax.transform import FusionPattern

from tinycc.errors import UnsupportedError
from tinycc.ops.base import INT8, ElementTypes, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import FlatCall
from tinycc.ops.patterns import dequantized, quantized
from tinycc.ops.room import Room
from tinycc.runtime_c.constants import constant

_MOST_CHANNELS = constant("TINYCC_LAYER_NORM_MOST_CHANNELS")
_EPSILON_BITS = constant("TINYCC_LAYER_NORM_EPSILON_BITS")
_BITS = constant("TINYCC_LAYER_NORM_BITS")
# Of the products that give the result.
_MOST_SHIFT = 46


@dataclass(frozen=True, eq=False)
class LayerNorm(Operator):
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, over the last axes of int8 or float32.

    gamma, beta: float64 [channels], channels being the elements of these axes.
    """

    gamma: np.ndarray
    beta: np.ndarray
    epsilon: float

    kind: ClassVar[str] = "layer_norm"
    element_types: ClassVar[ElementTypes] = INT8

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """quantize(layer_norm(dequantize(x), gamma, beta)), these two real or dequantized constants."""

        def numbers() -> DFPattern:
            return is_const() | dequantized(is_const())

        source = dequantized(wildcard().has_dtype("int8"))
        normalized = is_op("relax.nn.layer_norm")(source, numbers(), numbers())
        return [FusionPattern("tinycc.layer_norm", quantized(normalized).has_dtype("int8"))]

    @classmethod
    def float_patterns(cls) -> list[FusionPattern]:
        """layer_norm(x, gamma, beta)."""
        source = wildcard().has_dtype("float32")
        return [
            FusionPattern("tinycc.layer_norm", is_op("relax.nn.layer_norm")(source, is_const(), is_const()))
        ]

    @classmethod
    def from_composite(cls, composite: Composite) -> "LayerNorm":
        """Read the constants; UnsupportedError for axes that are not the last, or too many elements."""
        call = composite.call("relax.nn.layer_norm")
        source = composite.tensor(call.args[0])
        rank = len(source.shape)
        axes = sorted(int(axis) % rank for axis in call.attrs.axes)
        gamma, beta = (_real(composite, operand) for operand in call.args[1:3])
        if axes != list(range(rank - len(axes), rank)):
            raise UnsupportedError(
                f"layer normalization of {source} over the axes {axes}, only the last are supported"
            )
        if gamma.size > _MOST_CHANNELS:
            raise UnsupportedError(
                f"layer normalization over {gamma.size} elements, at most {_MOST_CHANNELS} can be"
            )
        gamma = gamma if call.attrs.scale else np.ones_like(gamma)
        beta = beta if call.attrs.center else np.zeros_like(beta)
        return cls((source,), (composite.result(),), gamma, beta, float(call.attrs.epsilon))


def _real(composite: Composite, operand: relax.Expr) -> np.ndarray:
    """A constant's real numbers."""
    tensor = composite.tensor(operand)
    assert tensor.value is not None
    real = tensor.value.astype(np.float64).reshape(-1)
    return real if tensor.scale is None else (real - tensor.zero_point) * tensor.scale


class PortableLayerNorm(Kernel[LayerNorm]):
    """On any core."""

    def call(self, view: LayerNorm) -> FlatCall:
        """One row of pixels."""
        source, output = view.inputs[0], view.outputs[0]
        channels = view.gamma.size
        epsilon = view.epsilon * (channels / source.real_scale) ** 2 * 2.0**_EPSILON_BITS
        factor, offset = view.gamma / output.real_scale, view.beta / output.real_scale + output.zero_point
        shift = min(
            _MOST_SHIFT,
            _room(31 + _BITS, float(np.abs(factor).max())),
            _room(62, float(np.abs(offset).max()) + 1),
        )
        return FlatCall(
            header="layer_norm.h",
            function="tinycc_layer_norm_int8",
            struct="tinycc_layer_norm",
            shape={"channels": channels},
            data={
                "factor": np.rint(factor * 2.0 ** (shift - _BITS)).astype(np.int32),
                "offset": np.rint((offset + 0.5) * 2.0**shift).astype(np.int64),
                "epsilon": max(1, min(2**59 - 1, round(epsilon))),
                "shift": shift,
            },
            inputs=(source.elements,),
            columns=source.elements // channels,
            elements=output.elements,
        )

    def overlap(self, view: LayerNorm, index: int) -> int:
        """In place."""
        return 0


class FloatLayerNorm(Kernel[LayerNorm]):
    """Pixel by pixel."""

    def call(self, view: LayerNorm) -> FlatCall:
        """One row of pixels."""
        source, output = view.inputs[0], view.outputs[0]
        return FlatCall(
            header="layer_norm_float.h",
            function="tinycc_layer_norm_float32",
            struct="tinycc_layer_norm_float",
            shape={"channels": view.gamma.size},
            data={
                "scale": view.gamma.astype(np.float32),
                "offset": view.beta.astype(np.float32),
                "epsilon": view.epsilon,
            },
            inputs=(source.elements,),
            columns=source.elements // view.gamma.size,
            elements=output.elements,
        )

    def overlap(self, view: LayerNorm, index: int) -> int:
        """A pixel is written once mean and variance are known."""
        return 0


def _room(bits: int, largest: float) -> int:
    """How far a number can be shifted up and stay within this many bits, less one for its rounding."""
    return bits - 1 - math.frexp(largest)[1]


ROOM = Room(LayerNorm, (PortableLayerNorm(),), float_kernels=(FloatLayerNorm(),))
