"""Rebuilding `main` binding by binding: what the rewriting passes share."""

from collections import Counter

import tvm
from tvm import relax

from tinycc import tvm_adapter


class DataflowRewriter:
    """Copies the dataflow block of a module's `main`, asking `rewrite` about every operator call.

    Subclasses override `rewrite` (one call in, the expression that replaces it out). Expressions that
    `rewrite` sees and makes belong to the new function; `producer` finds what computes them.

    current: the variable of the old function whose value is being rewritten.
    """

    current: relax.Var

    def __init__(self, module: tvm.IRModule) -> None:
        self.module = module
        self.function: relax.Function = module["main"]
        self.builder = relax.BlockBuilder()
        self._values: dict[relax.Var, relax.Expr] = {}
        self._producers: dict[relax.Var, relax.Call] = {}
        self._uses: Counter[relax.Var] = Counter()
        self._count_uses()

    def rewrite(self, name: str, call: relax.Call) -> relax.Expr:
        """What replaces `call` of the operator `name`; its arguments are already rewritten."""
        return call

    def parameters(self) -> list[relax.Var]:
        """The parameters of the new function, which must be bound to the old ones with `bind`."""
        return list(self.function.params)

    def results(self, results: list[relax.Expr]) -> list[relax.Expr]:
        """What the new function returns, given the rewritten results."""
        return results

    def attributes(self) -> dict[str, object]:
        """The attributes of the new function."""
        return {} if self.function.attrs is None else dict(self.function.attrs.items())

    def bind(self, old: relax.Var, new: relax.Expr) -> None:
        """Let `new` stand for the variable `old` of the old function."""
        self._values[old] = new
        if isinstance(new, relax.Var):
            self._uses[new] = max(self._uses[new], self._uses[old])

    def emit(self, call: relax.Expr) -> relax.Expr:
        """Bind a new call; variables and constants come back as they are."""
        if isinstance(call, relax.Var) or tvm_adapter.is_constant(call):
            return call
        variable = self.builder.emit(call)
        self._producers[variable] = call
        return variable

    def emit_once(self, call: relax.Expr) -> relax.Expr:
        """Bind a new call that a single expression will read."""
        variable = self.emit(call)
        if isinstance(variable, relax.Var):
            self._uses[variable] = max(self._uses[variable], 1)
        return variable

    def producer(self, expr: relax.Expr) -> relax.Expr:
        """The call that computes a variable of the new function; other expressions as they are."""
        return self._producers.get(expr, expr)

    def producer_name(self, expr: relax.Expr) -> str:
        """The operator that computes `expr`, "" for parameters and constants."""
        return tvm_adapter.op_name(self.producer(expr))

    def is_used_once(self, expr: relax.Expr) -> bool:
        """Whether a variable is known to have a single reader."""
        return self._uses.get(expr, 0) == 1

    def run(self) -> tvm.IRModule:
        """The module with `main` rewritten; dead bindings are removed."""
        with tvm_adapter.unwinding(self.builder), self.builder.function("main", self.parameters()):
            with self.builder.dataflow():
                for binding in tvm_adapter.bindings_of(self.function):
                    self.current = binding.var
                    self.bind(binding.var, self._rewritten(binding.value))
                fields = [self._replaced(field) for field in tvm_adapter.returned(self.function)]
                fields = self.results(fields)
                result = self.builder.emit_output(fields[0] if len(fields) == 1 else relax.Tuple(fields))
            self.builder.emit_func_output(result)
        function = self.builder.get()["main"].with_attrs(self.attributes())
        module = self.module.clone()
        module.update_func(self.module.get_global_var("main"), function)
        cleanup = [relax.transform.CanonicalizeBindings(), relax.transform.DeadCodeElimination(["main"])]
        return tvm_adapter.run_passes(cleanup, module)

    def _count_uses(self) -> None:
        def count(expr: relax.Expr) -> None:
            if isinstance(expr, relax.Var):
                self._uses[expr] += 1

        for binding in tvm_adapter.bindings_of(self.function):
            relax.analysis.post_order_visit(binding.value, count)
        for field in tvm_adapter.returned(self.function):
            self._uses[field] += 1

    def _replaced(self, expr: relax.Expr) -> relax.Expr:
        if isinstance(expr, relax.Tuple):
            return relax.Tuple([self._replaced(field) for field in expr.fields])
        if isinstance(expr, relax.Var):
            return self._values.get(expr, expr)
        return expr

    def _rewritten(self, value: relax.Expr) -> relax.Expr:
        if not isinstance(value, relax.Call):
            if isinstance(value, relax.TupleGetItem):
                source = self._replaced(value.tuple_value)
                if isinstance(source, relax.Tuple):
                    return source.fields[value.index]
                return self.emit(relax.TupleGetItem(source, value.index))
            return self._replaced(value)
        arguments = [self._replaced(argument) for argument in value.args]
        call = relax.Call(value.op, arguments, value.attrs, value.ty_args)
        return self.emit(self.rewrite(tvm_adapter.op_name(value), call))
