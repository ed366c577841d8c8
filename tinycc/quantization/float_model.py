"""A float model that can be quantized: what the doors have in common."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from tinycc.errors import UnsupportedError
from tinycc.frontend.description import TensorDescription
from tinycc.quantization.calibration import Case
from tinycc.quantization.raw_input import RawInput

# What --keep says of a layer: "int8" is for its weights, where those of others are narrower.
Precision: TypeAlias = Literal["float", "int16", "int8"]
Weights: TypeAlias = Literal["int8", "int4"]
# Shows how far work is: gets what is worked on and a description, gives the same back.
Progress: TypeAlias = Callable[[Sequence[Any], str], Iterable[Any]]


@dataclass(frozen=True)
class Choice:
    """How a model is quantized.

    method: how ranges of activations are found, one of the model's `methods`.
    keep: the precision of layers that are not quantized so, by name.
    only: the layers that are quantized at all; None for every one.
    raw: the input's scale and zero point, where raw pixels are its integers.
    weights: their type; "int4" is for layers that can have it (`FloatModel.narrowable`) and are not kept.
    """

    method: str
    keep: Mapping[str, Precision] = field(default_factory=lambda: MappingProxyType({}))
    only: frozenset[str] | None = None
    raw: RawInput | None = None
    weights: Weights = "int8"

    def is_narrow(self, layer: str) -> bool:
        """Whether a layer is to have int4 weights, if it can."""
        is_quantized = layer not in self.keep and (self.only is None or layer in self.only)
        return self.weights == "int4" and is_quantized


class FloatModel(ABC):
    """A float model, prepared for the quantizer of its format."""

    kind: Literal["onnx", "tflite"]
    # The model as the quantizer sees it: constants and normalisations folded.
    content: bytes
    inputs: tuple[TensorDescription, ...]
    # The quantizer's ways of finding ranges, the default first.
    methods: tuple[str, ...]
    # The operators that the quantizer can quantize, by the name of their first result, in order.
    layers: tuple[str, ...]
    # Those of them that have constant weights, and whether the quantizer can make these int4.
    narrowable: Mapping[str, bool]

    @abstractmethod
    def equalize(self, cases: list[Case]) -> int:
        """Bring channels of tensors between two layers to one range; how many tensors. Must come first."""

    @abstractmethod
    def calibrate(self, cases: list[Case], method: str, progress: Progress) -> None:
        """Find the ranges of all activations. Must come before `quantized` with this method."""

    @abstractmethod
    def quantized(self, choice: Choice) -> bytes:
        """The content of the int8 file. Raises UnsupportedError for what the library does not quantize."""

    def layer_named(self, text: str) -> str:
        """The layer that has this name, or the only one that has it in its name. UnsupportedError if none."""
        found = [name for name in self.layers if text in name]
        if text in found or len(found) == 1:
            return text if text in found else found[0]
        known = ", ".join(found or self.layers)
        raise UnsupportedError(
            f"{len(found) or 'no'} layers of the model have {text!r} in their names: name one of {known}"
        )
