"""uint8 tensors become int8 by subtracting 128 from values and zero points; real values stay the same.

Before:  main(x: uint8) { max_pool2d(quantize(conv2d(dequantize(x, s, 130), ...), s2, 7): uint8) }
After:   main(x: int8)  { max_pool2d(quantize(conv2d(dequantize(x, s, 2), ...), s2, -121): int8) }
Tensors that something computes with as the integers that they are stay uint8, and so does all that is moved
to or from them.
Requires: edges, which keep the type of the file, and quantize and dequantize as
          canonicalize_quantization writes them.
"""

import numpy as np
import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.passes.dataflow_rewriter import DataflowRewriter
from tinycc.passes.move_to_integers import MOVING, POSITIONS

_SHIFT = 128
_CONVERSIONS = ("relax.quantize", "relax.dequantize")
# What only moves, chooses or compares elements says the same of shifted ones.
_ORDER_PRESERVING = (*MOVING, *POSITIONS, "relax.concat", "relax.maximum", "relax.minimum")


class _Signer(DataflowRewriter):
    def __init__(self, module: tvm.IRModule) -> None:
        super().__init__(module)
        self._old = {binding.var: binding.value for binding in tvm_adapter.bindings_of(self.function)}
        self._kept = _computed_with(self._old)

    def parameters(self) -> list[relax.Var]:
        """int8 for uint8, the others as they are."""
        parameters = []
        for old in self.function.params:
            new = old
            if self._becomes_signed(old):
                new = relax.Var(old.name, relax.TensorType(tvm_adapter.shape_of(old), "int8"))
            self.bind(old, new)
            parameters.append(new)
        return parameters

    def rewrite(self, name: str, call: relax.Call) -> relax.Expr:
        """The same operator of int8; what is uint8 is told by the old function."""
        old = self._old[self.current]
        tensors = [*_tensors(old), self.current]
        if name not in _CONVERSIONS:  # what a constant is, its neighbours say
            tensors = [tensor for tensor in tensors if isinstance(tensor, relax.Var)]
        if not any(map(self._becomes_signed, tensors)):
            return call
        if name == "relax.quantize":
            return relax.op.quantize(call.args[0], *_shifted(call), axis=call.attrs.axis, out_dtype="int8")
        if name == "relax.dequantize":
            return relax.op.dequantize(_signed(call.args[0]), *_shifted(call), axis=call.attrs.axis)
        if name == "relax.clip":
            low, high = tvm_adapter.clip_bounds(call)
            return relax.op.clip(call.args[0], low - _SHIFT, high - _SHIFT)
        if name == "relax.nn.pad" and call.attrs.pad_mode == "constant":
            value = float(call.attrs.pad_value) - _SHIFT
            return relax.op.nn.pad(call.args[0], call.attrs.pad_width, "constant", value)
        return relax.Call(call.op, [_signed(argument) for argument in call.args], call.attrs, call.ty_args)

    def _becomes_signed(self, expr: relax.Expr) -> bool:
        return _is_unsigned(expr) and expr not in self._kept


def _computed_with(values: dict[relax.Var, relax.Expr]) -> set[relax.Var]:
    """The uint8 variables that something computes with, and what is moved to or from them."""
    kept: set[relax.Var] = set()
    groups = []
    for variable, value in values.items():
        name = tvm_adapter.op_name(value)
        if name in _CONVERSIONS or not tvm_adapter.is_tensor(variable):
            continue
        read = _tensors(value) if isinstance(value, relax.Call) else tvm_adapter.variables_of(value)
        together = {item for item in (variable, *read) if isinstance(item, relax.Var) and _is_unsigned(item)}
        if name and name not in (*_ORDER_PRESERVING, "relax.clip"):
            kept |= together
        groups.append(together)
    while True:
        reached = kept.union(*(together for together in groups if together & kept))
        if reached == kept:
            return kept
        kept = reached


def _tensors(call: relax.Call) -> list[relax.Expr]:
    """The tensors that a call reads, those of tuples too; not the scale and zero point of a quantization."""
    name = tvm_adapter.op_name(call)
    operands = call.args[:1] if name in _CONVERSIONS else call.args
    spread = (item.fields if isinstance(item, relax.Tuple) else [item] for item in operands)
    return [item for fields in spread for item in fields if tvm_adapter.is_tensor(item)]


def _is_unsigned(expr: relax.Expr) -> bool:
    return tvm_adapter.is_tensor(expr) and tvm_adapter.dtype_of(expr) == "uint8"


def _signed(expr: relax.Expr) -> relax.Expr:
    """A uint8 constant less 128; anything else has become int8 already."""
    if isinstance(expr, relax.Tuple):
        return relax.Tuple([_signed(field) for field in expr.fields])
    if not tvm_adapter.is_constant(expr) or not _is_unsigned(expr):
        return expr
    shifted = tvm_adapter.constant_value(expr).astype(np.int16) - _SHIFT
    return tvm_adapter.make_constant(shifted.astype(np.int8))


def _shifted(call: relax.Call) -> list[relax.Expr]:
    """Scale and zero point of a quantization for integers that are 128 less."""
    zero_point = tvm_adapter.constant_value(call.args[2]) - np.int32(_SHIFT)
    return [call.args[1], tvm_adapter.make_constant(zero_point)]


@tvm.transform.module_pass(opt_level=0, name="MakeSigned")
class MakeSigned:
    """Module pass; see above."""

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Rewrite `main` where it has uint8 tensors."""
        main = module["main"]
        values = [binding.value for binding in tvm_adapter.bindings_of(main)]
        tensors = [item for call in values if isinstance(call, relax.Call) for item in _tensors(call)]
        return _Signer(module).run() if any(map(_is_unsigned, [*main.params, *tensors])) else module
