"""SVDF on any core."""

from typing import ClassVar

from tinycc.ops.folded_bias import folded_bias
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import RowCall, Value
from tinycc.ops.row_window import RowWindow
from tinycc.ops.svdf.view import SVDF


class PortableSVDF(Kernel[SVDF]):
    """Filter by filter.

    suffix: of header and function.
    """

    suffix: ClassVar[str] = ""

    def call(self, view: SVDF) -> RowCall:
        """One row of as many columns as there are outputs."""
        source, state, output = view.inputs[0], view.inputs[1], view.outputs[0]
        memory = view.time_weights.shape[1]
        time_of_output = view.time_weights.reshape(output.elements, view.rank * memory)
        return RowCall(
            header=f"svdf{self.suffix}.h",
            function=f"tinycc_svdf{self.suffix}_{state.dtype}",
            struct=f"tinycc_svdf{self.suffix}_{state.dtype}",
            shape={"inputs": source.elements, "rank": view.rank, "memory": memory},
            data={
                **self.features(view),
                "time_weights": view.time_weights,
                "bias": folded_bias(view.bias, time_of_output, state.zero_point),
                "scales.state_zero_point": state.zero_point,
                "scales.output_zero_point": output.zero_point,
                **self.scales(view),
            },
            windows=(RowWindow.whole(source),),
            rows=1,
            columns=output.elements,
            row_elements=output.elements,
        )

    def features(self, view: SVDF) -> dict[str, Value]:
        """The constants of the sums of features."""
        return {"feature_weights": view.feature_weights, "feature_bias": view.folded_feature_bias}

    def scales(self, view: SVDF) -> dict[str, Value]:
        """The requantization of both sums."""
        multiplier, shift = view.feature_multiplier
        output_multiplier, output_shift = view.output_multiplier
        return {
            "scales.feature_multiplier": multiplier,
            "scales.feature_shift": shift,
            "scales.output_multiplier": output_multiplier,
            "scales.output_shift": output_shift,
        }

    def overlap(self, view: SVDF, index: int) -> int:
        """All outputs but the last are written while the whole input is still being read."""
        return view.outputs[0].elements - 1
