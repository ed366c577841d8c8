"""Take the model's input row by row from the caller.

Before:  lv = fused_conv2d(x), x the only input of main, or lv = reshape(x) to an image first
After:   rows = input_rows(x); lv = fused_conv2d(rows), input_rows a private function that returns its
         parameter, with Composite = "tinycc.input_rows"; main has the index of x as the attribute
         `tinycc.row_input`. Where all that reads x flips its sign (unsigned_edges), input_rows does
Requires: fuse_quantized_ops, lower_fallbacks. schedule_stages puts input_rows into a stage.
Source:  line buffers between a sensor and a pipeline of image operators.
"""

import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.errors import UnsupportedError
from tinycc.ops import view_of
from tinycc.ops.composite import VIEWS
from tinycc.ops.input_rows import ROW_INPUT, InputRows
from tinycc.ops.requantize.view import Requantize
from tinycc.states import state_parameters

_COMPOSITE = f"tinycc.{InputRows.kind}"
_RANK = 4


@tvm.transform.module_pass(opt_level=0, name="StreamInput")
class StreamInput:
    """Module pass; see above. Raises UnsupportedError where the input cannot come row by row."""

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Let all that reads the input read what input_rows returns."""
        main = module["main"]
        bindings = list(tvm_adapter.bindings_of(main))
        place, image = _image(main, bindings)
        flip = _sign_flip(module, main, bindings, image)
        _check_readers(module, bindings, image if flip is None else flip.var)
        if flip is not None:
            module = module.clone()
            composite = module[flip.value.op].with_attr("Composite", _COMPOSITE)
            module.update_func(flip.value.op, composite)
            module.update_func(module.get_global_var("main"), main.with_attr(ROW_INPUT, 0))
            return module
        builder = relax.BlockBuilder(module)
        function = builder.add_func(_identity(image), InputRows.kind)
        rows = relax.DataflowVar("rows", image.ty)
        taken = relax.VarBinding(rows, relax.Call(function, [image], ret_ty=image.ty))
        after = [
            relax.VarBinding(binding.var, tvm_adapter.substitute(binding.value, {image: rows}))
            for binding in bindings[place:]
        ]
        body = relax.SeqExpr([relax.DataflowBlock([*bindings[:place], taken, *after])], main.body.body)
        edited = relax.Function(main.params, body, main.ret_ty, main.is_pure, main.attrs)
        module = builder.get()
        module.update_func(module.get_global_var("main"), edited.with_attr(ROW_INPUT, 0))
        return relax.transform.Normalize()(module)


def _refusal(reason: str) -> UnsupportedError:
    return UnsupportedError(f"the input cannot come row by row: {reason}; compile with --input-mode tensor")


def _image(main: relax.Function, bindings: list[relax.VarBinding]) -> tuple[int, relax.Var]:
    """The input as a tensor of rank 4, and how many of the bindings come before all of its readers."""
    count = len(main.params) - len(state_parameters(main))
    if count != 1:
        raise _refusal(f"the model has {count} inputs")
    image, place = main.params[0], 0
    while len(tvm_adapter.shape_of(image)) != _RANK:
        readers = _readers(bindings, image)
        reader = bindings[readers[0]] if len(readers) == 1 else None
        if reader is None or tvm_adapter.op_name(reader.value) not in VIEWS:
            shape = ",".join(map(str, tvm_adapter.shape_of(main.params[0])))
            raise _refusal(f"[{shape}] is no image of rows, [1,height,width,channels]")
        image, place = reader.var, readers[0] + 1
    if image in tvm_adapter.returned(main):
        raise _refusal("the model returns it")
    return place, image


def _readers(bindings: list[relax.VarBinding], variable: relax.Var) -> list[int]:
    return [index for index, item in enumerate(bindings) if variable in tvm_adapter.variables_of(item.value)]


def _check_readers(module: tvm.IRModule, bindings: list[relax.VarBinding], image: relax.Var) -> None:
    """UnsupportedError where an operator that reads the image needs all of it at once, or none reads it."""
    readers = _readers(bindings, image)
    if not readers:
        raise _refusal("no operator reads it")
    for index in readers:
        value = bindings[index].value
        if isinstance(value, relax.Call) and isinstance(value.op, tvm.ir.GlobalVar):
            view = view_of(module[value.op])
            if not view.runs_by_rows:
                raise _refusal(f"{view.kind} ({view.describe() or view.inputs[0]}) reads all of it at once")


def _sign_flip(
    module: tvm.IRModule, main: relax.Function, bindings: list[relax.VarBinding], image: relax.Var
) -> relax.VarBinding | None:
    """The only reader of the image if it makes int8 of uint8, or the other way round, of the same numbers."""
    readers = [bindings[index] for index in _readers(bindings, image)]
    if len(readers) != 1 or readers[0].var in tvm_adapter.returned(main):
        return None
    call = readers[0].value
    if not isinstance(call, relax.Call) or not isinstance(call.op, tvm.ir.GlobalVar):
        return None
    view = view_of(module[call.op])
    return readers[0] if isinstance(view, Requantize) and view.flips_sign else None


def _identity(image: relax.Var) -> relax.Function:
    """The composite function that returns its parameter."""
    parameter = relax.Var("x", image.ty)
    result = relax.Var("rows", image.ty)
    block = relax.DataflowBlock([relax.VarBinding(result, parameter)])
    function = relax.Function([parameter], relax.SeqExpr([block], result), image.ty)
    return function.with_attrs({"Composite": _COMPOSITE, "Primitive": True})
