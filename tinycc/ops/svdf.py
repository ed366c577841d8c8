"""SVDF: a layer of filters over time, each the product of a filter of features and one of time.

Source: Nakkiran et al., "Compressing deep neural networks using a rank-constrained topology" (2015).
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm.relax.transform import FusionPattern

from tinycc.errors import UnsupportedError
from tinycc.ops import dsp, helium
from tinycc.ops.base import INT8, PORTABLE, ElementTypes, KernelCall, Operator, RowWindow
from tinycc.ops.composite import Composite
from tinycc.ops.fixed_point import quantize_multiplier
from tinycc.ops.folded_bias import folded_bias
from tinycc.ops.recurrent import number, stored_constants, tensors

# Filters that are computed together, see svdf_fours.h.
_FOURS = 4
# Bits by which sums may be shifted to the left.
_MOST_LEFT = 8

Data = dict[str, "int | float | np.ndarray"]


@dataclass(frozen=True, eq=False)
class SVDF(Operator):
    """int8 [1, inputs] to int8 [1, outputs]; state: int8 or int16 [1, outputs * rank * memory].

    feature_weights: int8 [outputs * rank, inputs].
    time_weights: of the state's type, [outputs * rank, memory].
    bias: int32 [outputs].
    feature_factor, output_factor: from the two products to the scale of the state and of the output.
    """

    feature_weights: np.ndarray
    time_weights: np.ndarray
    bias: np.ndarray
    feature_factor: float
    output_factor: float

    kind: ClassVar[str] = "svdf"
    element_types: ClassVar[ElementTypes] = INT8 | {
        ("int8", "int16"),
        ("int16", "int16"),
        ("int16", "int8"),
    }

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """None: frontends emit the composite function itself."""
        return []

    @classmethod
    def from_composite(cls, composite: Composite) -> "SVDF":
        """Read the function's attributes and constants.

        TFLite's integer kernel clamps to int8 whatever activation the file names; so does this.
        """
        input_scale, state_scale, output_scale = (
            number(composite, f"{name}_scale") for name in ("input", "state", "output")
        )
        zero_points = [int(number(composite, f"{name}_zero_point")) for name in ("input", "state", "output")]
        inputs, outputs = tensors(
            composite,
            [(input_scale, zero_points[0]), (state_scale, zero_points[1])],
            (output_scale, zero_points[2]),
        )
        feature_weights, time_weights, *biases = stored_constants(composite)
        if str(time_weights.dtype) != inputs[1].dtype:
            raise UnsupportedError(
                f"SVDF with a state of {inputs[1].dtype} needs time weights alike, not {time_weights.dtype}"
            )
        return cls(
            inputs,
            outputs,
            feature_weights=feature_weights.T,
            time_weights=time_weights,
            bias=biases[0].reshape(-1) if biases else np.zeros(outputs[0].elements, np.int32),
            feature_factor=input_scale * number(composite, "feature_scale") / state_scale,
            output_factor=state_scale * number(composite, "time_scale") / output_scale,
        )

    @property
    def state_count(self) -> int:
        """The filters' memory."""
        return 1

    @property
    def rank(self) -> int:
        """Filters for each output."""
        return self.feature_weights.shape[0] // self.outputs[0].elements

    @property
    def macs(self) -> int:
        """Products with features, and over time."""
        return int(self.feature_weights.size + self.time_weights.size)

    def has_variant(self, feature: str) -> bool:
        """Where nothing of the output is shifted left."""
        multiplier, left = quantize_multiplier(self.feature_factor)
        output_multiplier, output_left = quantize_multiplier(self.output_factor)
        if not multiplier or not output_multiplier or output_left > 0 or left > _MOST_LEFT:
            return False
        return feature in (helium.FEATURE, dsp.FEATURE)

    @property
    def _feature_bias(self) -> np.ndarray:
        """int32 [filters], with the input's zero point taken in."""
        none = np.zeros(len(self.feature_weights), np.int32)
        return folded_bias(none, self.feature_weights, self.inputs[0].zero_point)

    def overlap_distance(self, index: int) -> int | None:
        """All outputs but those of the last filters are written while the whole input is still being read."""
        outputs = self.outputs[0].elements
        if self.variant == PORTABLE:
            return outputs - 1
        return (outputs * self.rank - 1) // _FOURS * _FOURS // self.rank

    def kernel(self) -> KernelCall:
        """One row of as many columns as there are outputs."""
        source, state, output = self.inputs[0], self.inputs[1], self.outputs[0]
        memory = self.time_weights.shape[1]
        variant = "" if self.variant == PORTABLE else f"_{self.variant}"
        time_of_output = self.time_weights.reshape(output.elements, self.rank * memory)
        return KernelCall(
            header=f"svdf{variant}.h",
            function=f"tinycc_svdf{variant}_{state.dtype}",
            struct=f"tinycc_svdf{variant}_{state.dtype}",
            shape={"inputs": source.elements, "rank": self.rank, "memory": memory},
            data={
                **self._features(),
                "time_weights": self.time_weights,
                "bias": folded_bias(self.bias, time_of_output, state.zero_point),
                **self._scales(),
            },
            windows=(RowWindow.whole(source),),
            rows=1,
            columns=output.elements,
            row_elements=output.elements,
        )

    def _features(self) -> Data:
        """The constants of the sums of features."""
        weights, bias = self.feature_weights, self._feature_bias
        if self.variant == PORTABLE:
            return {"feature_weights": weights, "feature_bias": bias}
        padding = (0, -len(bias) % _FOURS)
        if self.variant == helium.FEATURE:
            weights = helium.pack_rows(weights, helium.fours(len(bias)))
        else:
            weights = np.pad(weights, (padding, (0, 0)))
        return {"features.feature_weights": weights, "features.feature_bias": np.pad(bias, padding)}

    def _scales(self) -> Data:
        """The requantization of both sums."""
        multiplier, shift = quantize_multiplier(self.feature_factor)
        output_multiplier, output_shift = quantize_multiplier(self.output_factor)
        zero_points: Data = {
            "scales.state_zero_point": self.inputs[1].zero_point,
            "scales.output_zero_point": self.outputs[0].zero_point,
        }
        if self.variant == PORTABLE:
            return zero_points | {
                "scales.feature_multiplier": multiplier,
                "scales.feature_shift": shift,
                "scales.output_multiplier": output_multiplier,
                "scales.output_shift": output_shift,
            }
        return zero_points | {
            "scales.feature_multiplier": dsp.stored_multiplier(multiplier),
            "scales.feature_left": max(shift, 0),
            "scales.feature_exponent": max(-shift, 0),
            "scales.output_multiplier": dsp.stored_multiplier(output_multiplier),
            "scales.output_exponent": -output_shift,
        }

    def describe(self) -> str:
        """Rank and length of the memory."""
        return f"rank {self.rank}, memory {self.time_weights.shape[1]}"
