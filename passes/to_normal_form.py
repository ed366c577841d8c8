"""Bring an imported module into the normal form of docs/design.md.

Before:  main(x: uint8 [1, C, H, W]) { quantize(max_pool2d(relu(conv2d(dequantize(x), dequantize(w))))) }
After:   main(x: int8 [1, H, W, C]) { max_pool2d(quantize(relu(conv2d(dequantize(x), dequantize(w))))) },
         all in NHWC
Requires: edges, as infer_edges writes them. A module that is in the normal form stays as it is.
"""

import tvm

from tinycc import tvm_adapter
from tinycc.errors import UnsupportedError
from tinycc.passes.average_real_numbers import AverageRealNumbers
from tinycc.passes.canonicalize_quantization import CanonicalizeQuantization
from tinycc.passes.convert_layout_to_nhwc import ConvertLayoutToNhwc
from tinycc.passes.eliminate_transposes import EliminateTransposes
from tinycc.passes.fold_integer_constants import FoldIntegerConstants
from tinycc.passes.fold_into_products import PRODUCTS, FoldIntoProducts
from tinycc.passes.infer_edge_quantization import InferEdgeQuantization
from tinycc.passes.make_signed import MakeSigned
from tinycc.passes.move_to_integers import MoveToIntegers
from tinycc.passes.quantize_constants import QuantizeConstants
from tinycc.passes.take_channels_last import TakeChannelsLast
from tinycc.passes.write_out_batch_norm import WriteOutBatchNorm

_INTEGERS = [
    WriteOutBatchNorm(), FoldIntegerConstants(), CanonicalizeQuantization(), AverageRealNumbers(),
    MakeSigned(), MoveToIntegers(),
]  # fmt: skip
_LAYOUT = [
    FoldIntegerConstants(), ConvertLayoutToNhwc(), EliminateTransposes(), FoldIntegerConstants(),
    MoveToIntegers(), FoldIntoProducts(), QuantizeConstants(), MoveToIntegers(),
]  # fmt: skip


@tvm.transform.module_pass(opt_level=0, name="ToNormalForm")
class ToNormalForm:
    """Module pass; see above.

    allow_float: what becomes of convolutions and matrix products that are not quantized: they stay as they
        are, or are refused.

    Raises UnsupportedError for those, a tensor without elements or of a shape that is not static, and
    arithmetic on unsigned integers.
    """

    def __init__(self, allow_float: bool = True) -> None:
        self.allow_float = allow_float

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """NHWC, quantized throughout; inputs are channels last where that leaves fewer transposes."""
        _refuse_shapes(module)
        module = tvm_adapter.run_passes(_INTEGERS, module)
        result = tvm_adapter.run_passes(_LAYOUT, module)
        if _count_transposes(result):
            channels_last = tvm_adapter.run_passes([TakeChannelsLast(), *_LAYOUT], module)
            result = min(result, channels_last, key=_count_transposes)
        if not self.allow_float:
            _refuse_float_layers(result)
        return tvm_adapter.run_passes([InferEdgeQuantization()], result)


def _refuse_shapes(module: tvm.IRModule) -> None:
    """UnsupportedError for a tensor without elements, or of a shape that is not static."""
    main = module["main"]
    for variable in [*main.params, *(binding.var for binding in tvm_adapter.bindings_of(main))]:
        if not tvm_adapter.is_tensor(variable):
            continue
        try:
            shape = tvm_adapter.shape_of(variable)
        except ValueError as error:
            raise UnsupportedError(
                f"{variable.name}: {error}; give the model's inputs fixed shapes"
            ) from error
        if min(shape, default=1) < 1:
            raise UnsupportedError(f"a tensor of the shape {'x'.join(map(str, shape))} has no elements")


def _refuse_float_layers(module: tvm.IRModule) -> None:
    """UnsupportedError for a convolution or matrix product whose operands are not quantized."""
    values = {binding.var: binding.value for binding in tvm_adapter.bindings_of(module["main"])}
    for variable, call in values.items():
        name = tvm_adapter.op_name(call)
        if name not in PRODUCTS or "int" in tvm_adapter.dtype_of(variable):
            continue
        for operand in call.args[:2]:
            if tvm_adapter.op_name(values.get(operand, operand)) != "relax.dequantize":
                shape = "x".join(map(str, tvm_adapter.shape_of(variable)))
                raise UnsupportedError(
                    f"the {name.rpartition('.')[2]} with result {shape} has operands that are not quantized; "
                    "quantize the whole model to int8"
                )


def _count_transposes(module: tvm.IRModule) -> int:
    bindings = tvm_adapter.bindings_of(module["main"])
    return sum(tvm_adapter.op_name(binding.value) == "relax.permute_dims" for binding in bindings)
