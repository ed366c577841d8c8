"""What the kernels for the DSP extension of layers with weights are given: constants, sizes, memory.

The sizes of constants follow from the layer's geometry; the constants themselves are those of `DspLayer`.
"""

from collections.abc import Sequence
from typing import ClassVar

from tinycc.ops.dsp import FEATURE, INT8_RANGE, LARGE, mode_of
from tinycc.ops.dsp_layer import DspLayer, Storage, channel_bytes, words_of
from tinycc.ops.kernel import Kernel, Trade
from tinycc.ops.kernel_call import Packed, Value
from tinycc.ops.linear import Linear, LinearView
from tinycc.ops.narrow import is_narrow
from tinycc.runtime_c.constants import constant

# Words that a kernel widens on the stack.
_STACK_WORDS = constant("TINYCC_DSP_STACK_WORDS")
# Outputs that are summed together, see dsp_matrix.h and dense_dsp.h.
PAIR, DENSE_BLOCK = 2, constant("TINYCC_DENSE_DSP_BLOCK")


class DspLinear(Kernel[LinearView]):
    """A kernel of a layer with weights.

    storage: how it finds weights.
    """

    name: ClassVar[str] = FEATURE
    needs: ClassVar[str | None] = FEATURE
    storage: ClassVar[Storage] = "bytes"


class Wide(DspLinear[LinearView]):
    """The same with wide weights: more flash, fewer instructions."""

    name: ClassVar[str] = "dsp_wide"
    trade: ClassVar[Trade | None] = "flash"
    storage: ClassVar[Storage] = "wide"


class NarrowDsp(DspLinear[LinearView]):
    """The same with weights of four bits: half the flash, some more instructions."""

    name: ClassVar[str] = "dsp_narrow"
    trade: ClassVar[Trade | None] = "instructions"
    storage: ClassVar[Storage] = "narrow"

    def fits(self, view: LinearView) -> bool:
        """Weights of four bits; else as with those of eight."""
        return is_narrow(view) and super().fits(view)


def fits(layer: Linear, storage: Storage) -> bool:
    """Whether a layer is one of int8, and its constants are within what the kernels can do.

    Sums of more than 24 bits are, for weights that are neither wide nor narrow, where that is the bias alone
    and nothing else clamps the outputs than int8.
    """

    def is_within() -> bool:
        form, may_be_large = DspLayer.of(layer), storage == "bytes" and layer.output_range == INT8_RANGE
        return form.fits or (may_be_large and form.fits_large)

    return layer.inputs[0].dtype == "int8" and layer.arithmetic.meets(is_within)


def is_large(layer: Linear) -> bool:
    """Whether sums have more than 24 bits."""
    return not layer.arithmetic.meets(lambda: DspLayer.of(layer).fits)


def fits_parts(layer: Linear, sizes: Sequence[int]) -> bool:
    """The same for sums of so many taps each."""
    return layer.arithmetic.meets(lambda: DspLayer.of(layer).fits_parts(sizes))


def mode(layer: Linear) -> int:
    """How sums become outputs, a tinycc_dsp_mode."""
    return LARGE if is_large(layer) else parts_mode(layer)


def parts_mode(layer: Linear) -> int:
    """The same of sums that are made of parts."""
    is_divided = layer.arithmetic.meets(lambda: bool(DspLayer.of(layer).exponent.min() >= 1))
    return mode_of(layer.output_range, layer.outputs[0].zero_point, int(is_divided))


def matrix_shape(layer: Linear, storage: Storage) -> dict[str, int]:
    """What of the kernels' geometry concerns the matrix."""
    return {"mode": mode(layer), "is_wide": int(storage == "wide"), **narrow_shape(storage)}


def parts_shape(layer: Linear, storage: Storage) -> dict[str, int]:
    """The same of kernels that sum part by part."""
    return {**matrix_shape(layer, storage), "mode": parts_mode(layer)}


def narrow_shape(storage: Storage) -> dict[str, int]:
    """What of the kernels' geometry says that weights have four bits."""
    return {"is_narrow": 1} if storage == "narrow" else {}


def matrix_data(layer: Linear, storage: Storage, block: int = PAIR) -> dict[str, Value]:
    """The constants of kernels that multiply by a matrix."""
    blocks = -(-layer.outputs[0].channels // block)
    large = is_large(layer)
    shape = (blocks, 2 + large + words_of(layer.taps, storage), block)
    matrix = Packed(shape, "int32", lambda: DspLayer.of(layer).matrix(block, storage, is_large=large))
    return {"matrix": matrix, **_ranges(layer)}


def parts_data(layer: Linear, sizes: Sequence[int], storage: Storage, *, by_parts: bool) -> dict[str, Value]:
    """The constants of kernels that sum so many taps each, apart; see `DspLayer.parts_matrix`."""
    outputs = layer.outputs[0].channels
    filled = -(-outputs // DENSE_BLOCK) * DENSE_BLOCK
    matrix = Packed(
        (filled * sum(words_of(size, storage) for size in sizes),),
        "int32",
        lambda: DspLayer.of(layer).parts_matrix(sizes, DENSE_BLOCK, storage, by_parts=by_parts),
    )
    ranges = {f"layer.{name}": value for name, value in _ranges(layer).items()}
    return {
        "layer.matrix": matrix,
        **ranges,
        "bias": Packed((filled,), "int32", lambda: DspLayer.of(layer).parts_bias(sizes, DENSE_BLOCK)),
        "multiplier": Packed((outputs,), "int32", lambda: DspLayer.of(layer).stored_multipliers),
        "exponent": Packed((outputs,), "int8", lambda: DspLayer.of(layer).stored_exponents),
    }


def channel_data(
    layer: Linear, kernel: tuple[int, int], storage: Storage, *, is_relative: bool
) -> dict[str, Value]:
    """The constants of kernels that go channel by channel; see `DspLayer.channel_constants`."""
    channels = layer.outputs[0].channels
    size = channel_bytes(layer.taps) if storage == "narrow" else layer.taps
    large = is_large(layer)
    return {
        "weights": Packed(
            (channels, size), "int8", lambda: DspLayer.of(layer).channel_weights(kernel, storage)
        ),
        "constants": Packed(
            (channels, 2 + large),
            "int32",
            lambda: DspLayer.of(layer).channel_constants(is_relative=is_relative, is_large=large),
        ),
        **_ranges(layer),
    }


def window_scratch_bytes(taps: int, storage: Storage, *, is_gathered: bool = False) -> int:
    """Memory for two widened windows of so many taps, where they are too much for the stack."""
    inputs = 2 * words_of(taps, storage) if storage == "narrow" else -(-taps // 4)
    words = (5 if is_gathered else 4) * inputs
    return 4 * words if words > _STACK_WORDS else 0


def _ranges(layer: Linear) -> dict[str, Value]:
    return {
        "input_zero_point": layer.inputs[0].zero_point,
        "output_zero_point": layer.outputs[0].zero_point,
        "output_min": layer.output_range[0],
        "output_max": layer.output_range[1],
    }
