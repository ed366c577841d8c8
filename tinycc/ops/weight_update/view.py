"""What an update of a layer's weights is: how it is written and read."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from tvm import relax

from tinycc import tvm_adapter
from tinycc.ops.base import ElementTypes, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.composite_writer import Emit, write_composite
from tinycc.ops.gradient_integers import FACTOR_BITS
from tinycc.ops.integer_update import integer_changes
from tinycc.ops.spread_window import attributes_of, read_window
from tinycc.ops.update import Rounding, UpdateRounding
from tinycc.ops.window import Window
from tinycc.runtime_c.constants import constant

# Of a change before it is an integer.
BOUND = float(constant("TINYCC_WEIGHT_BOUND"))


@dataclass(frozen=True, eq=False)
class WeightSums(Operator):
    """What goes through the gradient of a layer's weights, which is nowhere in memory.

    inputs: the gradient of the layer's sums, float32 or int16 [1, output height, output width, outputs]; its
        input, int8 [1, height, width, channels]; the rate, float32 [1]; another number; a tensor of the
        weights' shape, [outputs, kernel height, kernel width, inputs / groups]; of a gradient of int16 its
        exponent, int32 [1].
    scaling: float32 [outputs]. zero_point: of the layer's input. offset: added to the exponent.
    bits: of integers, which are at most 2**bits.
    """

    window: Window
    groups: int
    zero_point: int
    scaling: np.ndarray
    offset: int
    bits: int

    @staticmethod
    def read(composite: Composite) -> dict[str, Any]:
        """The fields of a view, as `weight_sums` and the attributes of the composite have them."""
        return {
            "window": read_window(composite),
            "groups": composite.integer("groups"),
            "zero_point": composite.integer("zero_point"),
            "scaling": composite.real_constant(composite.call("relax.multiply").args[1]),
            "offset": composite.integer("offset"),
            "bits": composite.integer("bits"),
        }

    @property
    def trained(self) -> tuple[int, int]:
        """How many groups' weights change, and of how many inputs of each."""
        return trained_part(self.inputs[1].channels, self.inputs[4].shape, self.groups)

    @property
    def macs(self) -> int:
        """Every tap of every element of the gradient whose weights change."""
        groups, inputs = self.trained
        outputs, *kernel, _ = self.inputs[4].shape
        pixels = self.inputs[0].elements // outputs
        return pixels * math.prod(kernel) * (outputs // self.groups) * groups * inputs

    def describe(self) -> str:
        """Kernel, stride, dilation and groups."""
        return self.window.describe() + (f" groups {self.groups}" if self.groups > 1 else "")


@dataclass(frozen=True, eq=False)
class WeightUpdate(WeightSums):
    """weights - (rate * scaling * gradient of weights, rounded), what changes held to [low, 127].

    inputs: the gradient of the layer's sums, float32 or int16 [1, output height, output width, outputs]; its
        input, int8 [1, height, width, channels], or the first channels of it, whose weights change alone; the
        rate, float32 [1]; the number of the step, int32 [1]; weights, int8 [outputs, kernel height, kernel
        width, inputs / groups]; of a gradient of int16 its exponent, int32 [1].
    outputs: the new weights, which may be written over the old ones.
    """

    rounding: UpdateRounding
    low: int

    kind: ClassVar[str] = "weight_update"
    element_types: ClassVar[ElementTypes] = frozenset({("float32", "int8"), ("int16", "int8")})

    @classmethod
    def from_composite(cls, composite: Composite) -> "WeightUpdate":
        """Read what `weight_update` wrote."""
        return cls(
            tuple(map(composite.tensor, composite.function.params)),
            (composite.result(),),
            rounding=UpdateRounding.read(composite),
            low=composite.integer("low"),
            **cls.read(composite),
        )


def trained_part(channels: int, weights: tuple[int, ...], groups: int) -> tuple[int, int]:
    """How many groups' weights change, and of how many inputs of each, if a source has so many channels."""
    inputs = min(weights[-1], channels)
    trained_groups, rest = divmod(channels, inputs)
    if rest or trained_groups > groups or (groups > 1 and inputs < weights[-1]):
        raise ValueError(f"{channels} channels are no part of those of weights {weights} in {groups} groups")
    return trained_groups, inputs


def weight_update(
    gradient: relax.Var,
    source: relax.Var,
    rate: relax.Var,
    step: relax.Var,
    weights: relax.Var,
    *exponent: relax.Var,
    zero_point: int,
    scaling: np.ndarray,
    window: Window,
    groups: int,
    seed: int,
    tensor: int,
    rounding: Rounding = "stochastic",
    low: int = -128,
    offset: int = 0,
    bits: int = FACTOR_BITS,
) -> relax.Function:
    """The composite function of a `WeightUpdate`, whose docstring tells of the operands.

    exponent: of a gradient of integers. seed, tensor, rounding: see `UpdateRounding`. low: the least weight;
    -127 where weights are symmetric.
    """
    how = UpdateRounding(seed, tensor, rounding)

    def body(
        emit: Emit,
        gradient: relax.Var,
        source: relax.Var,
        rate: relax.Var,
        step: relax.Var,
        weights: relax.Var,
        *exponent: relax.Var,
    ) -> relax.Expr:
        shape = tvm_adapter.shape_of(weights)
        factors = emit(relax.op.multiply(rate, tvm_adapter.make_constant(scaling.astype(np.float32))))
        sums = weight_sums(emit, gradient, source, shape, zero_point=zero_point, window=window, groups=groups)
        outputs, *_, inputs = tvm_adapter.shape_of(sums)
        columns = emit(relax.op.reshape(_first(emit, factors, 0, outputs), (outputs, 1, 1, 1)))
        elements = np.arange(math.prod(shape)).reshape(shape)[:outputs, ..., :inputs]
        if exponent:
            whole = emit(relax.op.add(*exponent, relax.const(offset, "int32")))
            changes = integer_changes(emit, how, sums, columns, whole, step, bound=BOUND, elements=elements)
        else:
            delta = emit(relax.op.multiply(columns, sums))
            changes = how.changes_in_relax(emit, delta, step, BOUND, elements)
        trained = _first(emit, _first(emit, weights, 0, outputs), 3, inputs)
        wide = emit(relax.op.astype(trained, "int32"))
        changed = emit(relax.op.clip(emit(relax.op.subtract(wide, changes)), low, 127))
        is_changed = emit(relax.op.not_equal(changes, relax.const(0, "int32")))
        result = emit(relax.op.astype(emit(relax.op.where(is_changed, changed, wide)), "int8"))
        return _before(emit, _before(emit, result, weights, 3, outputs), weights, 0, shape[0])

    names = ("gradient", "source", "rate", "step", "weights", "exponent")
    operands = dict(zip(names, (gradient, source, rate, step, weights, *exponent), strict=False))
    numbers = {"zero_point": zero_point, "low": low, "offset": offset, "bits": bits}
    attributes = {**attributes_of(window, groups), **how.attributes, **numbers}
    return write_composite(WeightUpdate.kind, operands, body, attributes)


def weight_sums(
    emit: Emit,
    gradient: relax.Expr,
    source: relax.Expr,
    shape: tuple[int, ...],
    *,
    zero_point: int,
    window: Window,
    groups: int,
) -> relax.Var:
    """The gradient of weights of a shape as Relax, as far as they train: float32, or int64 of integers."""
    trained_groups, _ = trained_part(tvm_adapter.shape_of(source)[-1], shape, groups)
    dtype = "float32" if tvm_adapter.dtype_of(gradient) == "float32" else "int64"
    centred = emit(relax.op.subtract(emit(relax.op.astype(source, dtype)), relax.const(zero_point, dtype)))
    values = gradient if dtype == "float32" else emit(relax.op.astype(gradient, dtype))
    kept = _first(emit, values, 3, shape[0] // groups * trained_groups)
    return _sums(emit, kept, centred, window, trained_groups, shape[1:3])


def _first(emit: Emit, values: relax.Expr, axis: int, count: int) -> relax.Expr:
    if tvm_adapter.shape_of(values)[axis] == count:
        return values
    return emit(relax.op.strided_slice(values, [axis], [0], [count]))


def _before(emit: Emit, values: relax.Expr, weights: relax.Expr, axis: int, outputs: int) -> relax.Expr:
    """`values`, and behind them along an axis the other weights of the first outputs."""
    count, end = (tvm_adapter.shape_of(item)[axis] for item in (values, weights))
    if count == end:
        return values
    rest = emit(relax.op.strided_slice(weights, [axis], [count], [end]))
    return emit(relax.op.concat([values, _first(emit, rest, 0, outputs) if axis else rest], axis))


def _sums(
    emit: Emit,
    gradient: relax.Expr,
    source: relax.Expr,
    window: Window,
    groups: int,
    kernel: tuple[int, ...],
) -> relax.Var:
    """The gradient of weights, [outputs, kernel height, kernel width, inputs of a group].

    It is a convolution of the source, its inputs taken for images, with the gradient, whose pixels are taps.
    """
    _, height, width, channels = tvm_adapter.shape_of(source)
    _, above, across, _ = tvm_adapter.shape_of(gradient)
    inputs = channels // groups
    apart = emit(relax.op.reshape(source, (height, width, groups, inputs)))
    images = emit(relax.op.permute_dims(apart, (3, 0, 1, 2)))
    filters = emit(relax.op.permute_dims(gradient, (3, 1, 2, 0)))
    behind = [
        max(0, (count - 1) * stride + (taps - 1) * dilation + 1 - padding - size)
        for size, count, taps, stride, padding, dilation in zip(
            (height, width),
            (above, across),
            kernel,
            window.stride,
            window.padding,
            window.dilation,
            strict=True,
        )
    ]
    sums = emit(
        relax.op.nn.conv2d(
            images,
            filters,
            strides=window.dilation,
            padding=[*window.padding, *behind],
            dilation=window.stride,
            groups=groups,
            data_layout="NHWC",
            kernel_layout="OHWI",
            out_layout="NHWC",
        )
    )
    cut = emit(relax.op.strided_slice(sums, [1, 2], [0, 0], list(kernel)))
    return emit(relax.op.permute_dims(cut, (3, 1, 2, 0)))
