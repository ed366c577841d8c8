"""What TVM's importer of torch.export programs lacks to read programs quantized with PT2E.

    from_exported_program(program, custom_convert_map=CONVERTERS)

gives a module that `tinycc.compile` takes. `tinycc.compile(program)` does not need it: it checks a program
node by node, and has converters of its own for much else.
"""

from typing import Any

import numpy as np
import torch
from tvm import relax

from tinycc import tvm_adapter
from tinycc.errors import UnsupportedError

# What a node calls its types, and the whole range of each.
_TYPES = {torch.int8: "int8", torch.uint8: "uint8", torch.int16: "int16", torch.int32: "int32"}


def _operand(value: Any, importer: Any, dtype: str) -> relax.Expr:
    """A scale or zero point: a number, or a tensor of the program."""
    if isinstance(value, torch.fx.Node):
        return importer.block_builder.emit(relax.op.astype(importer.env[value], dtype))
    return tvm_adapter.make_constant(np.asarray(value, dtype))


def _arguments(node: torch.fx.Node, importer: Any) -> tuple[list[relax.Expr], int, int, int, str]:
    """Tensor, scale and zero point, axis (0 where there is none), lowest and highest integer, their type."""
    given: tuple[Any, ...] = node.args
    source, scale, zero_point, *others = given
    axis, (low, high, dtype) = (int(others[0]), others[1:4]) if len(others) > 3 else (0, others)
    if dtype not in _TYPES:
        raise UnsupportedError(f"{node.name}: quantization to {dtype} is not supported")
    tensors = [
        importer.env[source],
        _operand(scale, importer, "float32"),
        _operand(zero_point, importer, "int32"),
    ]
    return tensors, axis, int(low), int(high), _TYPES[dtype]


def _quantize(node: torch.fx.Node, importer: Any) -> relax.Var:
    tensors, axis, low, high, dtype = _arguments(node, importer)
    emit = importer.block_builder.emit
    return emit(relax.op.clip(emit(relax.op.quantize(*tensors, axis=axis, out_dtype=dtype)), low, high))


def _dequantize(node: torch.fx.Node, importer: Any) -> relax.Var:
    tensors, axis, *_ = _arguments(node, importer)
    return importer.block_builder.emit(relax.op.dequantize(*tensors, axis=axis))


CONVERTERS = {
    f"{name}.{overload}": convert
    for name, convert in (
        ("quantize_per_tensor", _quantize),
        ("quantize_per_channel", _quantize),
        ("dequantize_per_tensor", _dequantize),
        ("dequantize_per_channel", _dequantize),
    )
    for overload in ("default", "tensor")
}
