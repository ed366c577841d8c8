"""From a float computation between dequantize and quantize to the normal form of docs/design.md."""

import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.errors import UnsupportedError
from tinycc.frontend.channels_last import count_transposes, with_channels_last_inputs
from tinycc.frontend.edge_quantization import with_edge_quantization
from tinycc.frontend.fold_into_products import PRODUCTS, FoldIntoProducts
from tinycc.frontend.move_to_integers import move_to_integers
from tinycc.frontend.quantize_constants import QuantizeConstants
from tinycc.passes.convert_layout_to_nhwc import ConvertLayoutToNhwc
from tinycc.passes.eliminate_transposes import EliminateTransposes
from tinycc.passes.fold_integer_constants import FoldIntegerConstants


def refuse_float_layers(module: tvm.IRModule) -> None:
    """UnsupportedError for a convolution or matrix product whose operands are not quantized."""
    values = {binding.var: binding.value for binding in tvm_adapter.bindings_of(module["main"])}
    for variable, call in values.items():
        name = tvm_adapter.op_name(call)
        if name not in PRODUCTS:
            continue
        for operand in call.args[:2]:
            if tvm_adapter.op_name(values.get(operand, operand)) != "relax.dequantize":
                shape = "x".join(map(str, tvm_adapter.shape_of(variable)))
                raise UnsupportedError(
                    f"the {name.rpartition('.')[2]} with result {shape} has operands that are not quantized; "
                    "quantize the whole model to int8"
                )


def refuse_empty_tensors(module: tvm.IRModule) -> None:
    """UnsupportedError for a tensor without elements."""
    main = module["main"]
    variables = [*main.params, *(binding.var for binding in tvm_adapter.bindings_of(main))]
    for variable in variables:
        if isinstance(variable.ty, relax.TensorType) and min(tvm_adapter.shape_of(variable), default=1) < 1:
            shape = "x".join(map(str, tvm_adapter.shape_of(variable)))
            raise UnsupportedError(f"a tensor of the shape {shape} has no elements")


def to_normal_form(module: tvm.IRModule) -> tvm.IRModule:
    """An imported module with edges, whatever its layout, in the normal form.

    Raises UnsupportedError for a layer that is not quantized, or a tensor without elements.
    """
    refuse_empty_tensors(module)
    result = _with_layout(module)
    if count_transposes(result):
        channels_last = _with_layout(with_channels_last_inputs(module))
        result = min(result, channels_last, key=count_transposes)
    refuse_float_layers(result)
    return with_edge_quantization(result)


def _with_layout(module: tvm.IRModule) -> tvm.IRModule:
    """NHWC, quantized throughout; inputs are channels last where all their readers want them so."""
    layout = [FoldIntegerConstants(), ConvertLayoutToNhwc(), EliminateTransposes(), FoldIntegerConstants()]
    module = move_to_integers(tvm.transform.Sequential(layout)(move_to_integers(module)))
    module = QuantizeConstants(FoldIntoProducts(module).run()).run()
    return move_to_integers(module)
