"""TVM's importer of torch.export programs, extended by PT2E's quantization and our own converters."""

import warnings
from typing import Any

import numpy as np
import torch
import tvm
from tvm import relax
from tvm.relax.frontend.torch import from_exported_program

from tinycc import tvm_adapter
from tinycc.errors import UnsupportedError
from tinycc.frontend.torch.base import Converter
from tinycc.frontend.torch.converters import CONVERTERS, checked
from tinycc.frontend.torch.nodes import (
    QUANTIZATIONS,
    QUANTIZE,
    STORED_TYPES,
    arguments,
    is_dequantize,
    title,
)
from tinycc.frontend.torch.program import TorchProgram, sources_of


def import_torch(program: TorchProgram) -> tvm.IRModule:
    """The Relax module of a checked program, in torch's layouts; raises what TVM's importer raises."""
    converters = {**CONVERTERS, **_Quantizations(program).converters()}
    named = {name.partition(".")[2]: checked(convert) for name, convert in converters.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return from_exported_program(
            program.exported,
            custom_convert_map=named,
            unwrap_unit_return_tuple=True,
            run_ep_decomposition=False,
        )


class _Scheme:
    """How a node quantizes, for the stored type.

    scale: float32, a scalar or one number for each channel of `axis`.
    zero_point: int32, of the shape of `scale`.
    dtype, low, high: the stored type and the range that is used of it.
    shift: what is subtracted from the program's integers.
    """

    def __init__(self, node: torch.fx.Node, constants: dict[str, np.ndarray]) -> None:
        given = {
            name: _constant(value, constants) for name, value in arguments(node).items() if name != "input"
        }
        scale = given.get("scale", given.get("scales"))
        zero_point = given.get("zero_point", given.get("zero_points"))
        if not isinstance(scale, np.ndarray) or isinstance(zero_point, torch.fx.Node):
            raise UnsupportedError(f"{title(node)}: the scale and zero point must be constants")
        if given["dtype"] not in STORED_TYPES:
            raise UnsupportedError(f"{title(node)}: quantization to {given['dtype']} is not supported")
        self.dtype, self.shift = STORED_TYPES[given["dtype"]]
        self.axis = int(given.get("axis", 0))
        self.scale = scale.astype(np.float32).reshape(-1 if "axis" in given else ())
        if not (np.isfinite(self.scale).all() and (self.scale > 0).all()):
            raise UnsupportedError(f"{title(node)}: the scale must be a positive number")
        points = np.zeros(self.scale.shape) if zero_point is None else zero_point.reshape(self.scale.shape)
        self.zero_point = points.astype(np.int32) - np.int32(self.shift)
        self.low, self.high = (int(given[name]) - self.shift for name in ("quant_min", "quant_max"))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Scheme):
            return NotImplemented
        same = np.array_equal(self.scale, other.scale) and np.array_equal(self.zero_point, other.zero_point)
        return same and (self.dtype, self.low, self.high) == (other.dtype, other.low, other.high)

    @property
    def is_whole(self) -> bool:
        """Whether the whole range of the stored type is used."""
        limits = np.iinfo(self.dtype)
        return (self.low, self.high) == (limits.min, limits.max)

    @property
    def real_range(self) -> tuple[float, float]:
        """The real numbers that the ends of the range stand for (scalar scales)."""
        low, high = ((end - int(self.zero_point)) * float(self.scale) for end in (self.low, self.high))
        return low, high

    @property
    def constants(self) -> list[relax.Expr]:
        """Scale and zero point as operands."""
        return [tvm_adapter.make_constant(value) for value in (self.scale, self.zero_point)]

    def quantized(self, real: np.ndarray) -> np.ndarray:
        """Constant weights as integers, rounded half to even as torch does."""
        shape = [-1 if index == self.axis else 1 for index in range(real.ndim)] if self.scale.ndim else ()
        integers = np.rint(real.astype(np.float32) * (np.float32(1) / self.scale).reshape(shape))
        return np.clip(integers + self.zero_point.reshape(shape), self.low, self.high).astype(self.dtype)


def _constant(value: Any, constants: dict[str, np.ndarray]) -> Any:
    """Numbers and constants of the program as arrays; what is computed, types and None as they are."""
    if isinstance(value, torch.fx.Node):
        return constants.get(value.name, value)
    return np.asarray(value) if isinstance(value, int | float) else value


class _Quantizations:
    """Converters of quantized_decomposed's operators in one program."""

    def __init__(self, program: TorchProgram) -> None:
        self._constants, self._inputs = program.constants, program.inputs

    def converters(self) -> dict[str, Converter]:
        """By the operators' names."""
        return {
            name: self._quantize if name.startswith(QUANTIZE) else self._dequantize for name in QUANTIZATIONS
        }

    def _quantize(self, node: torch.fx.Node, importer: Any) -> relax.Expr:
        scheme = _Scheme(node, self._constants)
        source = arguments(node)["input"]
        if source.name in self._constants:
            return tvm_adapter.make_constant(scheme.quantized(self._constants[source.name]))
        if scheme.scale.ndim:
            raise UnsupportedError(
                f"{title(node)}: activations with a scale for each channel are not supported"
            )
        emit = importer.block_builder.emit
        real = importer.env[source]
        # A clamp in front is fused with the operator that computes `real`; an input has none.
        is_input = source in self._inputs
        is_clamped = scheme.is_whole or self._is_within(source, scheme)
        if not is_clamped and not is_input:
            real = emit(relax.op.clip(real, *scheme.real_range))
        integers = emit(relax.op.quantize(real, *scheme.constants, axis=0, out_dtype=scheme.dtype))
        if not is_clamped and is_input:
            integers = emit(relax.op.clip(integers, scheme.low, scheme.high))
        return integers

    def _is_within(self, node: torch.fx.Node, scheme: _Scheme) -> bool:
        """Whether `node` only moves or clamps what was already quantized by `scheme`."""
        return all(
            is_dequantize(source) and _Scheme(source, self._constants) == scheme
            for source in sources_of(node)
        )

    def _dequantize(self, node: torch.fx.Node, importer: Any) -> relax.Expr:
        scheme = _Scheme(node, self._constants)
        source = arguments(node)["input"]
        stored = importer.env[source]
        if source.name in self._constants:
            integers = self._constants[source.name].astype(np.int64) - scheme.shift
            stored = tvm_adapter.make_constant(integers.astype(scheme.dtype))
        axis = scheme.axis if scheme.scale.ndim else 0
        return importer.block_builder.emit(relax.op.dequantize(stored, *scheme.constants, axis=axis))
