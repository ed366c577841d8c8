"""Softmax of int8 on any core."""

from tinycc.ops.dsp import stored_multiplier
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import Data, FlatCall, Value
from tinycc.ops.softmax.view import Softmax
from tinycc.ops.tensor import ITEM_BYTES
from tinycc.runtime_c.constants import constant

# Exponentials of a pixel that are kept, see softmax.h.
_MOST_KEPT = constant("TINYCC_SOFTMAX_KEPT")


class PortableSoftmax(Kernel[Softmax]):
    """Exponentials are looked up, or computed for each element."""

    def call(self, view: Softmax) -> FlatCall:
        """One row of pixels."""
        source, output = view.inputs[0], view.outputs[0]
        function = f"tinycc_softmax_{source.dtype}_{output.dtype}"
        return softmax_call(view, "softmax", function, softmax_shape(view), softmax_data(view))

    def overlap(self, view: Softmax, index: int) -> int:
        """In place unless elements grow; then each element, or pixel, must stay behind the next read."""
        source = view.inputs[0]
        keeps = not view.is_tabled and source.channels <= _MOST_KEPT
        return growth(view, source.channels if keeps else 1)


def softmax_call(view: Softmax, header: str, function: str, shape: dict[str, int], data: Data) -> FlatCall:
    """The call of a kernel, whose types are named after its header."""
    source, output = view.inputs[0], view.outputs[0]
    return FlatCall(
        header=f"{header}.h",
        function=function,
        struct=f"tinycc_{header}",
        shape=shape,
        data=data,
        inputs=(source.elements,),
        columns=source.elements // source.channels,
        elements=output.elements,
    )


def growth(view: Softmax, together: int = 1) -> int:
    """Overlap distance of a kernel that reads so many elements before it writes them."""
    source, output = view.inputs[0], view.outputs[0]
    return (ITEM_BYTES[output.dtype] - ITEM_BYTES[source.dtype]) * (source.elements - together)


def table(view: Softmax) -> dict[str, Value]:
    """The exponentials of int8, and the last difference that has one."""
    return {"exponentials": view.exponentials, "most_below": len(view.exponentials) - 1}


def softmax_shape(view: Softmax) -> dict[str, int]:
    """What a kernel of int8 is specialised for."""
    return {
        "channels": view.inputs[0].channels,
        "output_bits": view.result_bits,
        "requantized": int(not view.is_exact),
        "tabled": int(view.is_tabled),
    }


def softmax_data(view: Softmax) -> dict[str, Value]:
    """A table of exponentials, or the factor from differences to Q5.26."""
    output_multiplier, output_shift = view.output_factor
    data: dict[str, Value] = {
        "output_multiplier": output_multiplier,
        "output_shift": output_shift,
        "output_zero_point": view.outputs[0].zero_point,
    }
    if view.is_tabled:
        return data | table(view)
    multiplier, shift = view.input_factor
    return data | {
        "most_below": len(view.exponentials) - 1,
        "input_factor": stored_multiplier(multiplier),
        "input_shift": shift,
    }
