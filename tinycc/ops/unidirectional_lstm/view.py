"""What a long short-term memory in one direction is, as TFLite computes it on integers."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from tvm.relax.transform import FusionPattern

from tinycc.errors import UnsupportedError
from tinycc.ops.base import Operator
from tinycc.ops.composite import Composite
from tinycc.ops.fixed_point import quantize_multiplier, quantize_multipliers
from tinycc.ops.folded_bias import folded_bias
from tinycc.ops.kernel_call import Value
from tinycc.ops.recurrent import number, stored_constants, tensors

_GATES = ("input", "forget", "cell", "output")
# Gates are summed in steps of 2**-12; sigmoid and tanh give steps of 2**-15.
_GATE_SCALE, _UNIT_SCALE = 2.0**-12, 2.0**-15
_CELL_EXPONENTS = range(-15, -8)


@dataclass(frozen=True, eq=False)
class Gate:
    """One gate of all units.

    input_weights: int8 [units, inputs]; recurrent_weights: int8 [units, units]; bias: int32 [units].
    input_factor, recurrent_factor: from the products with them to steps of 2**-12.
    """

    input_weights: np.ndarray
    recurrent_weights: np.ndarray
    bias: np.ndarray
    input_factor: float
    recurrent_factor: float


@dataclass(frozen=True, eq=False)
class Products:
    """Products of all gates with the input, or with the hidden state.

    weights: int8 [units, gates, inputs]; bias: int32 [units, gates].
    factors: of each gate, from sums to steps of 2**-12. zero_point: of the input.
    """

    weights: np.ndarray
    bias: np.ndarray
    factors: np.ndarray
    zero_point: int

    @property
    def folded_bias(self) -> np.ndarray:
        """int32 [units, gates], with the input's zero point taken in."""
        flat = folded_bias(self.bias.reshape(-1), self.rows, self.zero_point)
        return flat.reshape(self.bias.shape)

    @property
    def rows(self) -> np.ndarray:
        """The weights, int8 [units * gates, inputs]."""
        return self.weights.reshape(-1, self.weights.shape[2])

    @property
    def multiplier(self) -> np.ndarray:
        """int32 [gates]."""
        return quantize_multipliers(self.factors)[0]

    @property
    def shift(self) -> np.ndarray:
        """int8 [gates]."""
        return quantize_multipliers(self.factors)[1]


@dataclass(frozen=True, eq=False)
class UnidirectionalLSTM(Operator):
    """int8 [steps, inputs] to int8 [steps, units]; states: hidden int8 [1, units], cell int16 [1, units].

    gates: input, forget, cell, output.
    cell_exponent: log2 of the cell state's scale.
    cell_range: clamp of the cell state.
    """

    gates: tuple[Gate, ...]
    cell_exponent: int
    cell_range: tuple[int, int]

    kind: ClassVar[str] = "unidirectional_lstm"

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """None: frontends emit the composite function itself."""
        return []

    @classmethod
    def from_composite(cls, composite: Composite) -> "UnidirectionalLSTM":
        """Read the function's attributes, and its constants gate by gate."""
        scales = {
            name: number(composite, f"{name}_scale")
            for name in (
                "input",
                "hidden",
                "cell",
                *(f"{gate}_{of}" for gate in _GATES for of in ("input", "recurrent")),
            )
        }
        exponent = round(math.log2(scales["cell"]))
        if exponent not in _CELL_EXPONENTS or scales["cell"] != 2.0**exponent:
            raise UnsupportedError(
                f"an LSTM has cells of scale {scales['cell']}, a power of two from 2**-15 to 2**-9 is needed"
            )
        constants = stored_constants(composite)
        gates = tuple(
            Gate(
                input_weights=constants[3 * index].T,
                recurrent_weights=constants[3 * index + 1].T,
                bias=constants[3 * index + 2].reshape(-1),
                input_factor=scales["input"] * scales[f"{name}_input"] / _GATE_SCALE,
                recurrent_factor=scales["hidden"] * scales[f"{name}_recurrent"] / _GATE_SCALE,
            )
            for index, name in enumerate(_GATES)
        )
        clip = number(composite, "cell_clip")
        limit = min(int(clip / scales["cell"]), 32767)
        hidden = (scales["hidden"], int(number(composite, "hidden_zero_point")))
        quantizations = [
            (scales["input"], int(number(composite, "input_zero_point"))),
            hidden,
            (scales["cell"], 0),
        ]
        inputs, outputs = tensors(composite, quantizations, hidden)
        return cls(inputs, outputs, gates, exponent, (-limit, limit) if clip > 0 else (-32768, 32767))

    @property
    def state_count(self) -> int:
        """Hidden and cell state."""
        return 2

    @property
    def steps(self) -> int:
        """Steps of time in one inference."""
        return self.outputs[0].elements // self.units

    @property
    def units(self) -> int:
        """Size of the hidden state."""
        return self.inputs[1].elements

    @property
    def macs(self) -> int:
        """Both products of all gates."""
        return self.steps * sum(gate.input_weights.size + gate.recurrent_weights.size for gate in self.gates)

    @cached_property
    def products(self) -> dict[str, "Products"]:
        """What the gates are summed from, by name in the kernel's data."""
        none = np.zeros(self.units, np.int32)
        return {
            "input": Products(
                np.stack([gate.input_weights for gate in self.gates], axis=1),
                np.stack([gate.bias for gate in self.gates], axis=1),
                np.array([gate.input_factor for gate in self.gates]),
                self.inputs[0].zero_point,
            ),
            "recurrent": Products(
                np.stack([gate.recurrent_weights for gate in self.gates], axis=1),
                np.stack([none] * len(self.gates), axis=1),
                np.array([gate.recurrent_factor for gate in self.gates]),
                self.inputs[1].zero_point,
            ),
        }

    def cell_data(self) -> dict[str, Value]:
        """The table, and what the states are updated with."""
        hidden, cell_scale = self.inputs[1], 2.0**self.cell_exponent
        multiplier, shift = quantize_multiplier(_UNIT_SCALE * _UNIT_SCALE / hidden.real_scale)
        # Three steps of the table are one of 2**-12.
        exponent = self.cell_exponent + 12
        return {
            "cell.sigmoid_table": sigmoid_table(),
            "cell.hidden_multiplier": multiplier,
            "cell.hidden_shift": shift,
            "cell.hidden_zero_point": hidden.zero_point,
            "cell.cell_min": self.cell_range[0],
            "cell.cell_max": self.cell_range[1],
            "cell.table_multiplier": 3 << max(exponent, 0),
            "cell.table_shift": max(-exponent, 0),
            "cell.update_exponent": -quantize_multiplier(_UNIT_SCALE * _UNIT_SCALE / cell_scale)[1],
        }

    def describe(self) -> str:
        """Steps and units."""
        return f"{self.steps} steps, {self.units} units"


def sigmoid_table() -> np.ndarray:
    """2**16 * (sigmoid(i / 24) - 1/2) for i = 0 ... 255, int16; the same as TFLite's table.

    Each sample is moved by half of the error that linear interpolation has in the middle of the step after
    it; the last is what the function saturates at.
    """

    def exact(points: np.ndarray) -> np.ndarray:
        return 2.0**16 / (1 + np.exp(-points / 24))

    points = np.arange(256, dtype=np.float64)
    error = exact(points + 0.5) - (exact(points) + exact(points + 1)) / 2
    table = np.floor(exact(points) + error / 2 + 0.5)
    table[-1] = 2**16 - 1
    return (table - 2**15).astype(np.int16)
