"""What an SVDF is: a layer of filters over time, each the product of a filter of features and one of time.

Source: Nakkiran et al., "Compressing deep neural networks using a rank-constrained topology" (2015).
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm.relax.transform import FusionPattern

from tinycc.errors import UnsupportedError
from tinycc.ops.base import INT8, ElementTypes, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.fixed_point import quantize_multiplier
from tinycc.ops.folded_bias import folded_bias
from tinycc.ops.recurrent import number, stored_constants, tensors


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

    @property
    def folded_feature_bias(self) -> np.ndarray:
        """int32 [filters], with the input's zero point taken in."""
        none = np.zeros(len(self.feature_weights), np.int32)
        return folded_bias(none, self.feature_weights, self.inputs[0].zero_point)

    @property
    def feature_multiplier(self) -> tuple[int, int]:
        """Multiplier and shift from sums of features to the state's scale."""
        return quantize_multiplier(self.feature_factor)

    @property
    def output_multiplier(self) -> tuple[int, int]:
        """Multiplier and shift from sums over time to the output's scale."""
        return quantize_multiplier(self.output_factor)

    def describe(self) -> str:
        """Rank and length of the memory."""
        return f"rank {self.rank}, memory {self.time_weights.shape[1]}"
