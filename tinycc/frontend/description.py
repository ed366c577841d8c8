"""What a model file holds, for `tinycc inspect`: also for files that tinycc refuses to compile."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TensorDescription:
    """One input or output of the model; `quantization` is text such as "scale 0.0039, zero point -128"."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    quantization: str


@dataclass(frozen=True)
class OperatorDescription:
    """One operator, as the file calls it.

    inputs: the shapes of its operands that are computed, constants left out.
    output: the shape of its first result; dtype and quantization are that result's.
    macs: multiply-accumulates.
    supported: whether tinycc compiles it; `reason` says why not.
    """

    index: int
    kind: str
    inputs: tuple[tuple[int, ...], ...]
    output: tuple[int, ...]
    dtype: str
    quantization: str
    macs: int
    supported: bool
    reason: str


@dataclass(frozen=True)
class ModelDescription:
    """A model file; `format` is "tflite" or "onnx", `weight_bytes` what its constants take."""

    path: Path
    format: str
    inputs: tuple[TensorDescription, ...]
    outputs: tuple[TensorDescription, ...]
    operators: tuple[OperatorDescription, ...]
    weight_bytes: int

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(operator.macs for operator in self.operators)
