"""Long short-term memory of real numbers, in one direction."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm.relax.transform import FusionPattern

from tinycc import tvm_adapter
from tinycc.ops.base import FLOAT, ElementTypes, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.overlap import overlap_distance
from tinycc.ops.recurrent import number, tensors
from tinycc.ops.room import Room
from tinycc.ops.row_window import RowWindow
from tinycc.ops.tensor import ITEM_BYTES

# Input, forget, cell, output.
_GATES = 4
_NO_QUANTIZATION = (None, 0)


@dataclass(frozen=True, eq=False)
class FloatLSTM(Operator):
    """float32 [steps, inputs] to [steps, units]; states: hidden and cell [1, units].

    Gates are in the order input, forget, cell, output.

    input_weights: float32 [units, inputs, gates]. recurrent_weights: [units, units, gates].
    bias: [units, gates].
    cell_bounds: clamp of the cell state.
    """

    input_weights: np.ndarray
    recurrent_weights: np.ndarray
    bias: np.ndarray
    cell_bounds: tuple[float, float]

    kind: ClassVar[str] = "float_lstm"
    element_types: ClassVar[ElementTypes] = frozenset({FLOAT})

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """None: frontends emit the composite function itself."""
        return []

    @classmethod
    def from_composite(cls, composite: Composite) -> "FloatLSTM":
        """Read the constants of the first step, gate by gate: weights of the input and of the state, bias."""
        weights = [composite.real_constant(call.args[1]) for call in composite.calls("relax.matmul")]
        sums = [composite.resolve(call.args[1]) for call in composite.calls("relax.add")]
        biases = [tvm_adapter.constant_value(expr) for expr in sums if tvm_adapter.is_constant(expr)]
        clip = number(composite, "cell_clip")
        limit = clip if clip > 0 else np.inf
        inputs, outputs = tensors(composite, [_NO_QUANTIZATION] * 3, _NO_QUANTIZATION)
        return cls(
            inputs,
            outputs,
            np.stack([value.T for value in weights[: 2 * _GATES : 2]], axis=2),
            np.stack([value.T for value in weights[1 : 2 * _GATES : 2]], axis=2),
            np.stack([value.reshape(-1) for value in biases[:_GATES]], axis=1),
            (-limit, limit),
        )

    @property
    def state_count(self) -> int:
        """Hidden and cell state."""
        return 2

    @property
    def steps(self) -> int:
        """Steps of time in one inference."""
        return self.outputs[0].elements // self.inputs[1].elements

    @property
    def macs(self) -> int:
        """Both products of all gates."""
        return self.steps * (self.input_weights.size + self.recurrent_weights.size)

    def describe(self) -> str:
        """Steps and units."""
        return f"{self.steps} steps, {self.inputs[1].elements} units"


class PortableFloatLSTM(Kernel[FloatLSTM]):
    """Unit by unit, the four gates together."""

    def call(self, view: FloatLSTM) -> RowCall:
        """One row of steps."""
        source, output = view.inputs[0], view.outputs[0]
        return RowCall(
            header="lstm_float.h",
            function="tinycc_lstm_float32",
            struct="tinycc_lstm_float",
            shape={"inputs": source.elements // view.steps, "units": view.inputs[1].elements},
            data={
                "input_weights": view.input_weights.astype(np.float32),
                "recurrent_weights": view.recurrent_weights.astype(np.float32),
                "bias": view.bias.astype(np.float32),
                "cell_min": view.cell_bounds[0],
                "cell_max": view.cell_bounds[1],
            },
            windows=(RowWindow.whole(source),),
            rows=1,
            columns=view.steps,
            row_elements=output.elements,
        )

    def overlap(self, view: FloatLSTM, index: int) -> int:
        """The units of a step are written while its input is still being read."""
        source = view.inputs[0]
        reads = np.arange(view.steps) * (source.bytes // view.steps)
        ends = (np.arange(view.steps) + 1) * (view.outputs[0].bytes // view.steps)
        return overlap_distance(reads, ends, ends - ITEM_BYTES[source.dtype])


ROOM = Room(FloatLSTM, (PortableFloatLSTM(),))
