"""Changes of scale on any core."""

from typing import ClassVar

from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import Data, FlatCall
from tinycc.ops.requantize.view import Requantize
from tinycc.ops.tensor import ITEM_BYTES, byte_types


class PortableRequantize(Kernel[Requantize]):
    """Between any types and scales, element by element."""

    def call(self, view: Requantize) -> FlatCall:
        """One row of single elements."""
        source, output = view.inputs[0], view.outputs[0]
        multiplier, shift = view.multiplier
        data = {
            "input_zero_point": source.zero_point,
            "multiplier": multiplier,
            "shift": shift,
            "output_zero_point": output.zero_point,
            "output_min": view.output_range[0],
            "output_max": view.output_range[1],
        }
        return _elements_call(view, "requantize", f"{source.dtype}_{output.dtype}", data)

    def overlap(self, view: Requantize, index: int) -> int:
        """In place unless elements grow; then each element must stay behind the next read."""
        source, output = view.inputs[0], view.outputs[0]
        growth = ITEM_BYTES[output.dtype] - ITEM_BYTES[source.dtype]
        return max(0, growth * (source.elements - 1))


class PortableLines(PortableRequantize):
    """From 8 bits to 8 bits, with nothing but a multiplication and a shift for each element."""

    suffix: ClassVar[str] = ""

    def fits(self, view: Requantize) -> bool:
        """Where lines give the results of all elements."""
        return view.lines is not None

    def call(self, view: Requantize) -> FlatCall:
        """One row of single elements."""
        assert view.lines is not None
        types = byte_types(view.inputs[0], view.outputs[0])
        data = {**vars(view.lines), "zero_point": view.inputs[0].as_int8.zero_point}
        is_one_line = int(view.lines.step == 0)
        return _elements_call(view, f"requantize_lines{self.suffix}", types, data, is_one_line=is_one_line)


class FlipSign(PortableRequantize):
    """The highest bit of each byte is flipped."""

    def fits(self, view: Requantize) -> bool:
        """Between int8 and uint8 of the same real numbers."""
        return view.flips_sign

    def call(self, view: Requantize) -> FlatCall:
        """One row of single elements."""
        types = f"{view.inputs[0].dtype}_{view.outputs[0].dtype}"
        return _elements_call(view, "flip_sign", types, {"zero": 0})


def _elements_call(view: Requantize, name: str, types: str, data: Data, **shape: int) -> FlatCall:
    return FlatCall(
        header=f"{name}.h",
        function=f"tinycc_{name}_{types}",
        struct=f"tinycc_{name}",
        shape={"channels": 1, **shape},
        data=data,
        inputs=(view.inputs[0].elements,),
        columns=view.outputs[0].elements,
        elements=view.outputs[0].elements,
    )
