"""Long short-term memory on any core."""

from typing import ClassVar

import numpy as np

from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import RowCall, Value
from tinycc.ops.overlap import overlap_distance
from tinycc.ops.row_window import RowWindow
from tinycc.ops.unidirectional_lstm.view import Products, UnidirectionalLSTM


class PortableLSTM(Kernel[UnidirectionalLSTM]):
    """Gate by gate.

    suffix: of header and function.
    """

    suffix: ClassVar[str] = ""

    def call(self, view: UnidirectionalLSTM) -> RowCall:
        """One row of steps."""
        source, output = view.inputs[0], view.outputs[0]
        name = f"unidirectional_lstm{self.suffix}"
        data = view.cell_data()
        for side, products in view.products.items():
            data |= {f"{side}_{field}": value for field, value in self.products_data(products).items()}
        return RowCall(
            header=f"{name}.h",
            function=f"tinycc_{name}_int8",
            struct=f"tinycc_{name}",
            shape={"inputs": source.elements // view.steps, "units": view.units},
            data=data,
            windows=(RowWindow.whole(source),),
            rows=1,
            columns=view.steps,
            row_elements=output.elements,
        )

    def products_data(self, products: Products) -> dict[str, Value]:
        """Constants of the sums of all gates, but for the prefix of their names."""
        return {
            "weights": products.weights.swapaxes(0, 1),
            "bias": products.folded_bias.swapaxes(0, 1),
            "multiplier": products.multiplier,
            "shift": products.shift,
        }

    def overlap(self, view: UnidirectionalLSTM, index: int) -> int:
        """The units of a step are written while its input is still being read."""
        steps = np.arange(view.steps)
        ends = (steps + 1) * view.units
        return overlap_distance(steps * (view.inputs[0].elements // view.steps), ends, ends - 1)
