"""Give a module from an importer the attribute that says how its file sees inputs and outputs.

Before:  predict(x: [n, 3, 32, 32], w) with the attributes num_input = 1 and params = [w's value]
After:   main(x: [1, 3, 32, 32]) with edges named and typed as its parameters and results, and w a constant
Requires: nothing. A module that has edges stays as it is.

What integers at the edges mean is found by infer_edge_quantization, once the module is in the normal form.
"""

import tvm
from tvm import relax, tirx

from tinycc import tvm_adapter
from tinycc.edges import ATTRIBUTE, Edge, Edges, with_edges
from tinycc.errors import UnsupportedError
from tinycc.states import state_parameters


@tvm.transform.module_pass(opt_level=0, name="InferEdges")
class InferEdges:
    """Module pass; see above.

    Raises UnsupportedError for a module with several public functions or none, with parameters whose values
    are not known, or with inputs whose shapes are not static but for the batch, which becomes 1.
    """

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Name the entry `main`, bind its constants and its batch, and attach edges."""
        if any(has_edges(function) for function in module.functions.values()):
            return module
        main = _with_batch_of_one(_with_constants(_entry(module)))
        count = len(main.params) - len(state_parameters(main))
        results = tvm_adapter.returned(main)[: len(tvm_adapter.returned(main)) - len(state_parameters(main))]
        edges = Edges(
            tuple(_edge(item, f"input {item.name!r}", item.name) for item in main.params[:count]),
            tuple(
                _edge(item, f"output {index}", getattr(item, "name", f"output{index}"))
                for index, item in enumerate(results)
            ),
        )
        functions = {
            variable: function
            for variable, function in module.functions.items()
            if not tvm_adapter.is_public(function)
        }
        inferred = tvm.IRModule(functions, attrs=module.attrs)
        inferred["main"] = with_edges(main, edges)
        return inferred


def has_edges(function: tvm.ir.BaseFunc) -> bool:
    """Whether a function has edges."""
    return function.attrs is not None and ATTRIBUTE in function.attrs


def _entry(module: tvm.IRModule) -> relax.Function:
    """The module's only public function, called `main`."""
    public = {
        str(variable.name_hint): function
        for variable, function in module.functions.items()
        if tvm_adapter.is_public(function)
    }
    if len(public) != 1:
        found = f"{len(public)} public Relax functions ({', '.join(sorted(public))})" if public else "none"
        raise UnsupportedError(f"the module must have one public Relax function, and has {found}")
    return next(iter(public.values())).with_attr("global_symbol", "main")


def _with_constants(main: relax.Function) -> relax.Function:
    """`main` with the constants that an importer kept as its last parameters."""
    count = int(tvm_adapter.attribute(main, "num_input", len(main.params)))
    unbound = list(main.params)[count : len(main.params) - len(state_parameters(main))]
    values = list(tvm_adapter.attribute(main, "params", []))
    for name in ("num_input", "params"):
        if name in main.attrs:
            main = main.without_attr(name)
    if not unbound:
        return main
    if len(values) != len(unbound):
        names = ", ".join(variable.name for variable in unbound)
        raise UnsupportedError(
            f"the module's parameters have no values ({names}): "
            "bind them with relax.transform.BindParams, or import without keeping them as inputs"
        )
    return main.bind_params(dict(zip(unbound, values, strict=True)))


def _with_batch_of_one(main: relax.Function) -> relax.Function:
    """`main` with 1 for the symbols that are nothing but the first dimensions of inputs."""
    shapes = [variable.ty.shape for variable in main.params if isinstance(variable.ty, relax.TensorType)]
    batches: set[tirx.Var] = set()
    others: set[tirx.Var] = set()
    for dimensions in (list(shape.values) for shape in shapes if isinstance(shape, relax.ShapeExpr)):
        batches.update(item for item in dimensions[:1] if isinstance(item, tirx.Var))
        others.update(item for item in dimensions[1:] if isinstance(item, tirx.Var))
    ones = dict.fromkeys(batches - others, 1)
    return main.bind_symbolic_vars(ones) if ones else main


def _edge(item: relax.Expr, place: str, name: str) -> Edge:
    if not tvm_adapter.is_tensor(item):
        raise UnsupportedError(f"{place} is no tensor but {item.ty}")
    try:
        return Edge(name, tvm_adapter.dtype_of(item), tvm_adapter.shape_of(item))
    except ValueError as error:
        raise UnsupportedError(f"{place}: {error}; give the model's inputs fixed shapes") from error
