"""Take the model's input row by row from the caller.

Before:  lv = fused_conv2d(x), x the only input of main, or lv = reshape(x) to an image first
After:   rows = input_rows(x); lv = fused_conv2d(rows), input_rows a private function that returns its
         parameter, with Composite = "tinycc.input_rows"; main has the index of x as the attribute
         `tinycc.row_input`. Where all that reads x flips its sign (unsigned_edges), input_rows does
Requires: fuse_quantized_ops, lower_fallbacks. schedule_stages puts input_rows into a stage.
Source:  line buffers between a sensor and a pipeline of image operators.
"""

from collections import Counter

import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.errors import UnsupportedError
from tinycc.graph import Node, OperatorGraph, Value
from tinycc.ops.input_rows import ROW_INPUT, InputRows
from tinycc.ops.requantize.view import Requantize

_COMPOSITE = f"tinycc.{InputRows.kind}"
_RANK = 4


@tvm.transform.module_pass(opt_level=0, name="StreamInput")
class StreamInput:
    """Module pass; see above. Raises UnsupportedError where the input cannot come row by row."""

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Let all that reads the input read what input_rows returns."""
        graph = OperatorGraph.of(module)
        image = _image(graph)
        flip = _sign_flip(graph, image)
        _check_readers(graph, image if flip is None else flip.results[0])
        if flip is not None:
            module = module.clone()
            module.update_func(flip.call.op, module[flip.call.op].with_attr("Composite", _COMPOSITE))
            module.update_func(module.get_global_var("main"), graph.main.with_attr(ROW_INPUT, 0))
            return module
        return _with_input_rows(graph, image)


def _refusal(reason: str) -> UnsupportedError:
    return UnsupportedError(f"the input cannot come row by row: {reason}; compile with --input-mode tensor")


def _image(graph: OperatorGraph) -> relax.Var:
    """The input as a tensor of rank 4: the parameter, or what it is reshaped to before all that reads it.

    The last of several: [1,1,height,width] may stand before [1,height,width,1].
    """
    count = len(graph.parameters) - len(graph.states)
    if count != 1:
        raise _refusal(f"the model has {count} inputs")
    parameter = graph.parameters[0]
    names = [variable for variable, value in graph.values.items() if value == parameter]
    values = [*graph.renamings.values(), *(node.call for node in graph.nodes)]
    reads = Counter(variable for value in values for variable in tvm_adapter.variables_of(value))
    count = next((index for index, item in enumerate(names) if reads[item] != 1), len(names))
    images = [item for item in names[: count + 1] if len(tvm_adapter.shape_of(item)) == _RANK]
    if not images:
        shape = ",".join(map(str, tvm_adapter.shape_of(parameter)))
        raise _refusal(f"[{shape}] is no image of rows, [1,height,width,channels]")
    if parameter in graph.results:
        raise _refusal("the model returns it")
    return images[-1]


def _check_readers(graph: OperatorGraph, image: Value) -> None:
    """UnsupportedError where an operator that reads the image needs all of it at once, or none reads it."""
    readers = graph.readers[graph.values.get(image, image)]
    if not readers:
        raise _refusal("no operator reads it")
    for node in readers:
        if not node.view.runs_by_rows:
            what = node.view.describe() or node.view.inputs[0]
            raise _refusal(f"{node.view.kind} ({what}) reads all of it at once")


def _sign_flip(graph: OperatorGraph, image: relax.Var) -> Node | None:
    """The only reader of the image if it makes int8 of uint8, or the other way round, of the same numbers."""
    readers = graph.readers[graph.values[image]]
    if len(readers) != 1 or readers[0].results[0] in graph.results:
        return None
    view = readers[0].view
    return readers[0] if isinstance(view, Requantize) and view.flips_sign else None


def _with_input_rows(graph: OperatorGraph, image: relax.Var) -> tvm.IRModule:
    """The module with input_rows behind the image."""
    functions = tvm_adapter.FunctionTable(graph.module)
    function = functions.add(_identity(image), InputRows.kind)
    rows = relax.DataflowVar("rows", image.ty)
    taken = relax.VarBinding(rows, relax.Call(function, [image], ret_ty=image.ty))
    bindings = list(tvm_adapter.bindings_of(graph.main))
    place = next((index for index, item in enumerate(bindings, 1) if item.var == image), 0)
    after = [
        relax.VarBinding(binding.var, tvm_adapter.substitute(binding.value, {image: rows}))
        for binding in bindings[place:]
    ]
    module = tvm_adapter.rebuild_main(functions.module(), [*bindings[:place], taken, *after])
    module.update_func(module.get_global_var("main"), module["main"].with_attr(ROW_INPUT, 0))
    return relax.transform.Normalize()(module)


def _identity(image: relax.Var) -> relax.Function:
    """The composite function that returns its parameter."""
    parameter = relax.Var("x", image.ty)
    result = relax.Var("rows", image.ty)
    block = relax.DataflowBlock([relax.VarBinding(result, parameter)])
    function = relax.Function([parameter], relax.SeqExpr([block], result), image.ty)
    return function.with_attrs({"Composite": _COMPOSITE, "Primitive": True})
