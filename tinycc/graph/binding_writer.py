"""Writing operators of a graph as bindings of a Relax function."""

from tvm import relax

from tinycc import tvm_adapter
from tinycc.graph.operator_graph import Node, OperatorGraph


class BindingWriter:
    """Bindings that compute operators of a graph, one after the other.

    Other names and shapes of values are bound where they are first read.

    bindings: what is written so far.
    names: what variables of main are called, where that is not their own name.
    is_main: whether variables keep their names; in another function they are new ones.
    """

    def __init__(self, graph: OperatorGraph, *, is_main: bool) -> None:
        self.graph, self.is_main = graph, is_main
        self.bindings: list[relax.VarBinding] = []
        self.names: dict[relax.Var, relax.Var] = {}
        self._bound: set[relax.Var] = set()

    def write(self, node: Node, callee: relax.Expr | None = None) -> None:
        """Call an operator. callee: in place of the function that main calls."""
        arguments = [self.read(item) if isinstance(item, relax.Var) else item for item in node.call.args]
        call = relax.Call(node.call.op if callee is None else callee, arguments, ret_ty=node.variable.ty)
        self._bind(node.variable, call)

    def read(self, variable: relax.Var) -> relax.Var:
        """What a variable of main is called."""
        value = self.graph.renamings.get(variable)
        if value is not None and variable not in self.names:
            sources = {source: self.read(source) for source in tvm_adapter.variables_of(value)}
            self._bind(variable, tvm_adapter.substitute(value, sources))
        return self.names.get(variable, variable)

    def forget(self, variable: relax.Var) -> None:
        """Write what is read of a result from here on anew: it is computed again."""
        gone = self.graph.values[variable]
        self.names = {item: name for item, name in self.names.items() if self.graph.values.get(item) != gone}

    def _bind(self, variable: relax.Var, value: relax.Expr) -> None:
        is_kept = self.is_main and variable not in self._bound
        name = variable if is_kept else relax.DataflowVar(variable.name, variable.ty)
        self._bound.add(variable)
        self.names[variable] = name
        self.bindings.append(relax.VarBinding(name, value))
