"""What a float model computes, and how far a quantized one is from it."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from tinycc.quantization.calibration import Case
from tinycc.quantization.float_model import FloatModel
from tinycc.quantization.runtime import open_runtime
from tinycc.quantization.signal import SignalToNoise, agreement, signal_to_noise

# Enough to tell one way of quantizing from another, and to see 99 % of them agree.
MOST_CASES = 200


class Reference:
    """A float model and some of the cases, spread evenly over all."""

    def __init__(self, model: FloatModel, cases: Sequence[Case]) -> None:
        self.model, self.content = model, model.content  # as it was before equalization
        count = min(len(cases), MOST_CASES)
        self.cases = [cases[index * len(cases) // count] for index in range(count)]

    @cached_property
    def outputs(self) -> list[np.ndarray]:
        """Each output of the float model, [cases, *shape]."""
        return open_runtime(self.content, self.model.kind).run(self.cases)

    def quantized_outputs(self, content: bytes) -> list[np.ndarray]:
        """Each output of a quantized model on the same cases."""
        return open_runtime(content, self.model.kind).run(self.cases)

    def decibels(self, content: bytes) -> float:
        """The signal-to-noise ratio of a quantized model's outputs."""
        return signal_to_noise(self.outputs, self.quantized_outputs(content))

    def agreement(self, content: bytes) -> float:
        """In how large a share of the cases a quantized model's first output is largest at the same place."""
        return agreement(self.outputs[0], self.quantized_outputs(content)[0])

    def layer_decibels(self, content: bytes) -> dict[str, float]:
        """The signal-to-noise ratio of each layer of a quantized model, as far as it has the layer."""
        layers = self.model.layers
        runtimes = [open_runtime(item, self.model.kind, layers) for item in (self.model.content, content)]
        ratios = {layer: SignalToNoise() for layer in layers}
        found = set()
        for case in self.cases:
            right, quantized = (runtime.tensors(case) for runtime in runtimes)
            for layer in layers:
                if layer in right and layer in quantized and right[layer].shape == quantized[layer].shape:
                    ratios[layer].add(right[layer], quantized[layer])
                    found.add(layer)
        return {layer: ratio.decibels for layer, ratio in ratios.items() if layer in found}
