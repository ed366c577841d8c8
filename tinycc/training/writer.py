"""Writing a training step: bindings of `main` that come behind those of the inference."""

from collections.abc import Callable, Sequence

import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.graph import Node, OperatorGraph


class StepWriter:
    """Bindings that are added to those of a graph, and the composite functions that they call.

    bindings: those of the graph, and what was added.
    """

    def __init__(self, graph: OperatorGraph) -> None:
        self.graph = graph
        self.functions = tvm_adapter.FunctionTable(graph.module)
        self.bindings = [
            binding
            for binding in tvm_adapter.bindings_of(graph.main)
            if not isinstance(binding.value, relax.Tuple)
        ]
        self._builder = relax.BlockBuilder()

    def call(self, composite: relax.Function, operands: Sequence[relax.Expr]) -> relax.Var:
        """The result of a composite function; operands that are constants lie inside it."""
        kind = str(tvm_adapter.attribute(composite, "Composite")).removeprefix("tinycc.")
        arguments = [operand for operand in operands if isinstance(operand, relax.Var)]
        callee = self.functions.add(composite, kind)
        return self._bound(kind, relax.Call(callee, arguments, ret_ty=composite.ret_ty), composite.ret_ty)

    def again(self, node: Node) -> relax.Var:
        """What an operator of the graph makes, made anew: it need not be kept until here.

        So are its operands, up to parameters of `main`.
        """
        arguments = [
            self.again(self.graph.makers[argument]) if argument in self.graph.makers else argument
            for argument in node.call.args
        ]
        call = relax.Call(node.call.op, arguments, ret_ty=node.variable.ty)
        return self._bound(f"{node.view.kind}_again", call, node.variable.ty)

    def emit(self, name: str, value: relax.Call, before: relax.Var | None = None) -> relax.Var:
        """The result of an operator of Relax, which later passes find a kernel for.

        before: of whose binding it comes, at the end if nothing is said.
        """
        normal = self._builder.normalize(value)
        variable = self._bound(name, normal, normal.ty)
        if before is not None:
            place = next(index for index, item in enumerate(self.bindings) if item.var == before)
            self.bindings.insert(place, self.bindings.pop())
        return variable

    def reshaped(self, value: relax.Var, shape: tuple[int, ...]) -> relax.Var:
        """The same elements under another shape."""
        if tvm_adapter.shape_of(value) == shape:
            return value
        return self.emit("reshaped", relax.op.reshape(value, shape))

    def module(
        self,
        parameters: Sequence[relax.Var],
        results: Sequence[relax.Expr],
        attributes: Callable[[relax.Function], relax.Function],
    ) -> tvm.IRModule:
        """The module whose `main` has these parameters and results; what no result needs is left out.

        attributes: puts attributes on `main`, which has those of the graph's.
        """
        result = relax.Var("result", relax.TupleType([item.ty for item in results]))
        bindings = [*self.bindings, relax.VarBinding(result, relax.Tuple(list(results)))]
        body = relax.SeqExpr([relax.DataflowBlock(bindings)], result)
        main = self.graph.main
        function = attributes(relax.Function(list(parameters), body, result.ty, main.is_pure, main.attrs))
        module = self.functions.module()
        module.update_func(module.get_global_var("main"), function)
        cleanup = [relax.transform.Normalize(), relax.transform.DeadCodeElimination(["main"])]
        return tvm.transform.Sequential(cleanup)(module)

    def _bound(self, name: str, value: relax.Expr, type_: relax.Type) -> relax.Var:
        variable = relax.DataflowVar(f"{name}_{len(self.bindings)}", type_)
        self.bindings.append(relax.VarBinding(variable, value))
        return variable
