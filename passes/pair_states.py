"""Let pairs of an input and an output be states: what is given out becomes what the next inference takes in.

Before:  main(x, h) { ...; (y, next_h) } with the edges x, h -> y, next_h
After:   main(x, h) { ...; (y, next_h) } with the edges x -> y and the state h, on the device's integers
Requires: the normal form and edges. A state begins with the real number 0.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.edges import Edge, Edges, read_edges, with_edges
from tinycc.errors import UnsupportedError
from tinycc.passes.dataflow_rewriter import DataflowRewriter
from tinycc.passes.drop_edge_quantization import DropEdgeQuantization
from tinycc.states import State, read_states, with_states


@tvm.transform.module_pass(opt_level=0, name="PairStates")
class PairStates:
    """Module pass; see above."""

    def __init__(self, pairs: Mapping[str, str]) -> None:
        """pairs: from the names of inputs, as the edges have them, to those of outputs."""
        self.pairs = dict(pairs)

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Make parameters and results of `main` states.

        Raises UnsupportedError for a name that is not there or there twice, and for two that do not match.
        """
        outputs = list(self.pairs.values())
        for target in outputs:
            if outputs.count(target) > 1:
                raise UnsupportedError(
                    f"the output {target} is the next value of several states: pair it once"
                )
        module = tvm.transform.Sequential([DropEdgeQuantization(self.pairs, outputs)])(module)
        edges = read_edges(module)
        pairs = [
            (_index(edges.inputs, source, "input"), _index(edges.outputs, target, "output"))
            for source, target in self.pairs.items()
        ]
        if len(pairs) == len(edges.outputs):
            raise UnsupportedError("all outputs of the model are states: leave one to read")
        return _Pairing(module, pairs).run() if pairs else module


def _index(edges: Sequence[Edge], name: str, side: str) -> int:
    """Where an edge is; UnsupportedError where there is none, or several."""
    found = [index for index, edge in enumerate(edges) if edge.name == name]
    if len(found) != 1:
        names = ", ".join(edge.name for edge in edges) or "none"
        reason = f"several {side}s are called {name}" if found else f"the model has no {side} {name}"
        raise UnsupportedError(f"a state cannot be paired: {reason} (its {side}s: {names})")
    return found[0]


class _Pairing(DataflowRewriter):
    """Rebuilds `main` with pairs of edges as its last parameters and results.

    pairs: indices of inputs and outputs.
    """

    def __init__(self, module: tvm.IRModule, pairs: Sequence[tuple[int, int]]) -> None:
        super().__init__(module)
        self.pairs = pairs
        self.edges = read_edges(module)
        for source, target in pairs:
            self.compare(source, target)

    def compare(self, source: int, target: int) -> None:
        """UnsupportedError where an output cannot be the next value of an input."""
        before, after = self.edges.inputs[source], self.edges.outputs[target]
        dtypes = [
            tvm_adapter.dtype_of(item)
            for item in (self.function.params[source], tvm_adapter.returned(self.function)[target])
        ]
        texts = [
            [_shape_text(before), _shape_text(after)],
            dtypes,
            [_quantization_text(before), _quantization_text(after)],
        ]
        for one, other in texts:
            if one != other:
                raise UnsupportedError(
                    f"the output {after.name} cannot be the next value of the input {before.name}: "
                    f"the input is {one}, the output {other}"
                )

    def parameters(self) -> list[relax.Var]:
        """Inputs that are left, states, and those that were inputs."""
        return _moved_behind(list(self.function.params), [source for source, _ in self.pairs])

    def results(self, results: list[relax.Expr]) -> list[relax.Expr]:
        """The same of the results; the next value of a state lies as its input does."""
        results = list(results)
        for source, target in self.pairs:
            before, after = (
                edge.permutation or tuple(range(len(edge.shape)))
                for edge in (self.edges.inputs[source], self.edges.outputs[target])
            )
            if before != after:
                axes = [after.index(axis) for axis in before]
                results[target] = self.emit(relax.op.permute_dims(results[target], axes))
        return _moved_behind(results, [target for _, target in self.pairs])

    def attributes(self) -> dict[str, object]:
        """The edges that are left, and the states with those that come to them."""
        sources, targets = zip(*self.pairs, strict=True)
        left = Edges(
            *(
                tuple(edge for index, edge in enumerate(side) if index not in taken)
                for side, taken in ((self.edges.inputs, sources), (self.edges.outputs, targets))
            )
        )
        new = [self.edges.inputs[source] for source in sources]
        states = [*read_states(self.function), *(State(edge.name, _zero(edge)) for edge in new)]
        return dict(with_states(with_edges(self.function, left), states).attrs.items())


def _moved_behind(items: list[relax.Expr], indices: Sequence[int]) -> list[relax.Expr]:
    left = [item for index, item in enumerate(items) if index not in indices]
    return [*left, *(items[index] for index in indices)]


def _shape_text(edge: Edge) -> str:
    return f"{edge.dtype}{list(edge.shape)}"


def _quantization_text(edge: Edge) -> str:
    if edge.scale is None:
        return "not quantized"
    return f"of scale {np.float32(edge.scale)} and zero point {edge.zero_point}"


def _zero(edge: Edge) -> int:
    """The device's integer for the real number 0, or for the file's 0 where it does not say what it means."""
    return -128 if edge.scale is None and edge.dtype == "uint8" else edge.zero_point
