"""Move transposes towards the results until they cancel, meet constants or reach an edge.

Before: permute_dims(x, NHWC) -> conv2d -> permute_dims(NCHW) -> relu -> permute_dims(NHWC) -> conv2d -> ...
After:  x: NHWC -> conv2d -> relu -> conv2d -> ...
Requires: static shapes. Parameters and results change their layout only if the module has the attribute
`tinycc.edges`, which then tells how (`permutation`).

A transpose is not emitted where it stands: its operand is remembered together with the order of axes in
which readers expect it (`_Permuted`). Element-wise operators, reductions, slices and the like are done on
the operand as it is stored, with their axes renamed; constants they meet are transposed at compile time.
A flattening becomes another order of the features (`_Shuffled`), which a matmul takes into the rows of
its weights. Only an operator that needs the expected order makes the transpose real.
"""

from dataclasses import dataclass, replace

import numpy as np
import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.edges import ATTRIBUTE, Edges, read_edges, with_edges
from tinycc.passes.dataflow_rewriter import DataflowRewriter
from tinycc.passes.reshape_groups import ReshapeGroups
from tinycc.passes.transpose_wishes import (
    RESHAPES,
    UNARY,
    Axes,
    TransposeWishes,
    large_axes,
    wanted_inputs,
)
from tinycc.states import state_parameters

BINARY = ["relax.add", "relax.subtract", "relax.multiply", "relax.divide", "relax.maximum", "relax.minimum"]
REDUCTIONS = {
    "relax.mean": relax.op.mean,
    "relax.sum": relax.op.sum,
    "relax.max": relax.op.max,
    "relax.min": relax.op.min,
}
POSITIONS = {"relax.argmax": relax.op.argmax, "relax.argmin": relax.op.argmin}


@dataclass(frozen=True)
class _Permuted:
    """Readers expect permute_dims(stored, axes)."""

    stored: relax.Expr
    axes: Axes


@dataclass(frozen=True, eq=False)
class _Shuffled:
    """Readers expect feature i of [1, features] to be feature `order[i]` of `stored`.

    shape, axes: the stored features are a tensor of this shape, expected with its axes permuted so.
    """

    stored: relax.Expr
    order: np.ndarray
    shape: tuple[int, ...]
    axes: Axes


def _inverse(axes: Axes) -> Axes:
    return tuple(int(axis) for axis in np.argsort(axes))


def _moves_data(shape: tuple[int, ...], axes: Axes) -> bool:
    """Whether a transpose changes the order in memory, rather than where the axes of size 1 stand."""
    large = [axis for axis in axes if shape[axis] != 1]
    return large != sorted(large)


class _Eliminator(DataflowRewriter):
    def __init__(self, module: tvm.IRModule, inputs: dict[int, Axes], keep_edges: bool) -> None:
        super().__init__(module)
        self._pending: dict[relax.Var, _Permuted | _Shuffled] = {}
        self._inputs = inputs
        self._keep_edges = keep_edges
        self._wishes = TransposeWishes(self.function)
        self.outputs: dict[int, Axes] = {}

    def parameters(self) -> list[relax.Var]:
        """Parameters whose every reader wants them transposed are stored transposed."""
        parameters = []
        for index, parameter in enumerate(self.function.params):
            axes = self._inputs.get(index)
            if axes is not None:
                shape = tvm_adapter.shape_of(parameter)
                stored = relax.Var(
                    parameter.name,
                    relax.TensorType([shape[axis] for axis in axes], tvm_adapter.dtype_of(parameter)),
                )
                self._pending[parameter] = _Permuted(stored, _inverse(axes))
                parameters.append(stored)
            else:
                parameters.append(parameter)
        return parameters

    def results(self, results: list[relax.Expr]) -> list[relax.Expr]:
        """Results in the stored order, where the edges may say so; states stay as they are."""
        stored = []
        states = len(state_parameters(self.function))
        for index, result in enumerate(results):
            pending = self._pending.get(result)
            if (
                isinstance(pending, _Permuted)
                and not self._keep_edges
                and index < len(results) - states
                and _moves_data(tvm_adapter.shape_of(pending.stored), pending.axes)
            ):
                self.outputs[index] = pending.axes
                stored.append(pending.stored)
            else:
                stored.append(self._real(result))
        return stored

    def rewrite(self, name: str, call: relax.Call) -> relax.Expr:
        """Carry pending transposes over `call`, or make them real."""
        if name == "relax.permute_dims":
            return self._transpose(call)
        if not any(argument in self._pending for argument in _operands(call)):
            return call
        if name in UNARY:
            return self._unary(name, call)
        if name in BINARY:
            return self._binary(call)
        if name == "relax.matmul":
            return self._matmul(call)
        if isinstance(self._pending.get(_operands(call)[0]), _Shuffled):
            return self._with_real_operands(call)
        if name in RESHAPES:
            return self._reshape(call)
        if name in REDUCTIONS or name in POSITIONS:
            return self._reduction(name, call)
        if name == "relax.concat":
            return self._concatenation(call)
        renamed = self._renamed(name, call)
        return self._with_real_operands(call) if renamed is None else renamed

    def _later(self, pending: _Permuted | _Shuffled, like: relax.Expr) -> relax.Expr:
        """A variable that stands for `pending`, of the type of `like`; it is never computed itself."""
        placeholder = relax.Var("pending", self.builder.normalize(like).ty)
        self._pending[placeholder] = pending
        return placeholder

    def _permuted(self, stored: relax.Expr, axes: Axes) -> relax.Expr:
        """The stored tensor as its readers expect it, at no cost for now."""
        stored = self.emit(stored)
        if axes == tuple(range(len(axes))):
            return stored
        return self._later(_Permuted(stored, axes), relax.op.permute_dims(stored, list(axes)))

    def _real(self, expr: relax.Expr) -> relax.Expr:
        """`expr` as its readers expect it."""
        pending = self._pending.get(expr)
        if pending is None:
            return expr
        if isinstance(pending, _Permuted):
            return self._transposed(pending.stored, pending.axes)
        unflattened = self.emit(relax.op.reshape(pending.stored, pending.shape))
        ordered = self._transposed(unflattened, pending.axes)
        return self.emit(relax.op.reshape(ordered, tvm_adapter.shape_of(expr)))

    def _transposed(self, stored: relax.Expr, axes: Axes, missing: int = 0) -> relax.Expr:
        """permute_dims(stored, axes) behind `missing` new axes of size 1.

        On a constant at compile time, by a reshape where no data moves.
        """
        if axes == tuple(range(len(axes))) and not missing:
            return stored
        if tvm_adapter.is_constant(stored):
            value = tvm_adapter.constant_value(stored).transpose(axes)
            return tvm_adapter.make_constant(value.reshape((1,) * missing + value.shape))
        call = self.producer(stored)
        if tvm_adapter.op_name(call) == "relax.dequantize" and tvm_adapter.is_constant(call.args[0]):
            axis = axes.index(int(call.attrs.axis) % len(axes)) + missing
            constant = self._transposed(call.args[0], axes, missing)
            return self.emit(relax.op.dequantize(constant, *call.args[1:3], axis=axis))
        if tvm_adapter.op_name(call) == "relax.dequantize" and not tvm_adapter.shape_of(call.args[1]):
            # Integers are moved, not the real numbers they stand for.
            integers = self._transposed(call.args[0], axes, missing)
            return self.emit(relax.op.dequantize(integers, *call.args[1:3], axis=0))
        shape = tvm_adapter.shape_of(stored)
        if not _moves_data(shape, axes):
            return self.emit(relax.op.reshape(stored, [1] * missing + [shape[axis] for axis in axes]))
        permuted = self.emit(relax.op.permute_dims(stored, list(axes)))
        return self._transposed(permuted, tuple(range(len(axes))), missing)

    def _with_real_operands(self, call: relax.Call) -> relax.Expr:
        arguments = [
            relax.Tuple([self._real(field) for field in argument.fields])
            if isinstance(argument, relax.Tuple)
            else self._real(argument)
            for argument in call.args
        ]
        return relax.Call(call.op, arguments, call.attrs, call.ty_args)

    def _transpose(self, call: relax.Call) -> relax.Expr:
        operand = call.args[0]
        rank = len(tvm_adapter.shape_of(operand))
        given = call.attrs.axes
        axes = tuple(range(rank))[::-1] if given is None else tuple(int(axis) % rank for axis in given)
        pending = self._pending.get(operand)
        if isinstance(pending, _Permuted):
            return self._permuted(pending.stored, tuple(pending.axes[axis] for axis in axes))
        return self._permuted(self._real(operand), axes)

    def _unary(self, name: str, call: relax.Call) -> relax.Expr:
        pending = self._pending[call.args[0]]
        attributes = call.attrs
        if name in ("relax.quantize", "relax.dequantize"):
            rank = len(tvm_adapter.shape_of(pending.stored))
            axis = int(attributes.axis) % rank
            if isinstance(pending, _Permuted):
                axis = pending.axes[axis]
            function = relax.op.quantize if name == "relax.quantize" else relax.op.dequantize
            stored = function(pending.stored, *call.args[1:3], axis=axis, out_dtype=attributes.out_dtype)
        else:
            stored = relax.Call(call.op, [pending.stored, *call.args[1:]], attributes, call.ty_args)
        return self._later(replace(pending, stored=self.emit(stored)), call)

    def _binary(self, call: relax.Call) -> relax.Expr:
        """Both operands in the stored order of the first that is permuted."""
        pending = [self._pending.get(operand) for operand in call.args]
        axes = next((value.axes for value in pending if isinstance(value, _Permuted)), None)
        if axes is None or any(isinstance(value, _Shuffled) for value in pending):
            return self._with_real_operands(call)
        rank = max(len(tvm_adapter.shape_of(operand)) for operand in call.args)
        missing = rank - len(axes)
        axes = (*range(missing), *(axis + missing for axis in axes))
        operands = [self._in_order(operand, axes) for operand in call.args]
        return self._permuted(relax.Call(call.op, operands, call.attrs), axes)

    def _in_order(self, operand: relax.Expr, axes: Axes) -> relax.Expr:
        """`operand` as stored for readers that expect it permuted by `axes`; what it lacks are first axes."""
        shape = tvm_adapter.shape_of(operand)
        pending = self._pending.get(operand)
        if not large_axes(shape) and pending is None:
            return operand
        real = _Permuted(operand, tuple(range(len(shape)))) if pending is None else pending
        assert isinstance(real, _Permuted)
        stored, missing = real.stored, len(axes) - len(shape)
        if missing:
            stored = self._transposed(stored, tuple(range(len(shape))), missing)
        own = (*range(missing), *(axis + missing for axis in real.axes))
        return (
            stored if own == axes else self._transposed(stored, tuple(own[axis] for axis in _inverse(axes)))
        )

    def _matmul(self, call: relax.Call) -> relax.Expr:
        """The order of features goes into the rows of constant weights."""
        features, weights = call.args
        pending = self._pending.get(features)
        weights = self._real(weights)
        stored = self.producer(weights)
        per_tensor = tvm_adapter.op_name(stored) == "relax.dequantize" and tvm_adapter.is_constant(
            stored.args[0]
        )
        if not isinstance(pending, _Shuffled) or not per_tensor:
            return relax.op.matmul(self._real(features), weights)
        value = tvm_adapter.constant_value(stored.args[0])
        rows = np.empty_like(value)
        rows[pending.order] = value
        constant = tvm_adapter.make_constant(rows)
        weights = self.emit(relax.op.dequantize(constant, *stored.args[1:3], axis=int(stored.attrs.axis)))
        return relax.op.matmul(pending.stored, weights)

    def _reshape(self, call: relax.Call) -> relax.Expr:
        """What splits or joins neighbours is done as stored; a flattening is another order of features."""
        pending = self._pending[call.args[0]]
        assert isinstance(pending, _Permuted)
        target = tvm_adapter.shape_of(self.builder.normalize(call))
        shape = tvm_adapter.shape_of(pending.stored)
        if not _moves_data(shape, pending.axes):
            return relax.op.reshape(pending.stored, target)
        groups = ReshapeGroups.of([shape[axis] for axis in pending.axes], target)
        if groups.are_runs(pending.axes):
            stored_order = groups.stored_order(pending.axes)
            stored = relax.op.reshape(pending.stored, [target[axis] for axis in stored_order])
            return self._permuted(stored, _inverse(stored_order))
        if len(large_axes(target)) == 1 and len(target) == 2 and target[0] == 1:
            features = np.arange(target[1]).reshape(shape).transpose(pending.axes).reshape(-1)
            stored = self.emit(relax.op.reshape(pending.stored, target))
            return self._later(_Shuffled(stored, features, shape, pending.axes), call)
        # In another order after all, but one that the readers' transposes make again.
        wish = self._wishes.of(self.current)
        order = wish if wish is not None and groups.keeps_runs(wish) else tuple(range(len(target)))
        axes = tuple(pending.axes[position] for position in groups.operand_order(order))
        ordered = self._transposed(pending.stored, axes)
        stored = relax.op.reshape(ordered, [target[axis] for axis in order])
        return self._permuted(stored, _inverse(order))

    def _reduction(self, name: str, call: relax.Call) -> relax.Expr:
        pending = self._pending[call.args[0]]
        assert isinstance(pending, _Permuted)
        rank = len(pending.axes)
        given = call.attrs.axis
        keep = bool(call.attrs.keepdims)
        if name in POSITIONS:
            if given is None:
                return self._with_real_operands(call)
            reduced = {int(given) % rank}
            stored = POSITIONS[name](pending.stored, pending.axes[int(given) % rank], keep)
        else:
            reduced = {int(axis) % rank for axis in (range(rank) if given is None else given)}
            stored = REDUCTIONS[name](pending.stored, sorted(pending.axes[axis] for axis in reduced), keep)
        if keep:
            return self._permuted(stored, pending.axes)
        left = [pending.axes[axis] for axis in range(rank) if axis not in reduced]
        return self._permuted(stored, tuple(sorted(left).index(axis) for axis in left))

    def _concatenation(self, call: relax.Call) -> relax.Expr:
        fields = list(call.args[0].fields)
        pending = [self._pending.get(field) for field in fields]
        axes = next((value.axes for value in pending if isinstance(value, _Permuted)), None)
        if axes is None or any(isinstance(value, _Shuffled) for value in pending):
            return self._with_real_operands(call)
        axis = axes[int(call.attrs.axis) % len(axes)]
        return self._permuted(relax.op.concat([self._in_order(field, axes) for field in fields], axis), axes)

    def _renamed(self, name: str, call: relax.Call) -> relax.Expr | None:
        """Operators whose axes can be renamed one by one; None for all others."""
        pending = self._pending.get(call.args[0])
        if not isinstance(pending, _Permuted):
            return None
        stored, axes = pending.stored, pending.axes
        rank = len(axes)
        if name in ("relax.nn.softmax", "relax.nn.prelu"):
            expected, found = int(call.attrs.axis) % rank, axes[int(call.attrs.axis) % rank]
            if expected == rank - 1 and found != rank - 1:
                return None  # the last axis is the one that has a kernel
            if name == "relax.nn.softmax":
                return self._permuted(relax.op.nn.softmax(stored, found), axes)
            return self._permuted(relax.op.nn.prelu(stored, self._real(call.args[1]), found), axes)
        if name == "relax.nn.pad":
            widths = np.array([int(width) for width in call.attrs.pad_width]).reshape(-1, 2)
            moved = widths[list(_inverse(axes))].reshape(-1).tolist()
            padded = relax.op.nn.pad(stored, moved, call.attrs.pad_mode, call.attrs.pad_value)
            return self._permuted(padded, axes)
        if name == "relax.strided_slice":
            named = relax.Tuple(
                [relax.prim_value(axes[_number(axis) % rank]) for axis in call.args[1].fields]
            )
            arguments = [stored, named, *call.args[2:]]
            return self._permuted(relax.Call(call.op, arguments, call.attrs, call.ty_args), axes)
        return self._repeated(name, call, pending)

    def _repeated(self, name: str, call: relax.Call, pending: _Permuted) -> relax.Expr | None:
        """Elements chosen or repeated along axes that are renamed."""
        stored, axes = pending.stored, pending.axes
        rank, order = len(axes), _inverse(axes)
        if (
            name == "relax.take"
            and call.attrs.axis is not None
            and len(tvm_adapter.shape_of(call.args[1])) == 1
        ):
            axis = axes[int(call.attrs.axis) % rank]
            return self._permuted(relax.op.take(stored, call.args[1], axis, call.attrs.mode), axes)
        if name == "relax.flip":
            return self._permuted(relax.op.flip(stored, axes[int(call.attrs.axis) % rank]), axes)
        if name == "relax.repeat" and call.attrs.axis is not None:
            axis = axes[int(call.attrs.axis) % rank]
            return self._permuted(relax.op.repeat(stored, int(call.attrs.repeats), axis), axes)
        if name == "relax.tile" and len(call.attrs.repeats) == rank:
            repeats = [int(call.attrs.repeats[axis]) for axis in order]
            return self._permuted(relax.op.tile(stored, repeats), axes)
        target = tvm_adapter.shape_of(self.builder.normalize(call))
        if name == "relax.broadcast_to" and len(target) == rank:
            return self._permuted(relax.op.broadcast_to(stored, [target[axis] for axis in order]), axes)
        return None


def _number(expr: relax.Expr | int) -> int:
    """An integer that TVM may have wrapped into a primitive value."""
    return expr if isinstance(expr, int) else int(expr.value)


def _operands(call: relax.Call) -> list[relax.Expr]:
    """The tensors a call reads, a tuple of them spread out."""
    operands: list[relax.Expr] = []
    for argument in call.args:
        operands.extend(argument.fields if isinstance(argument, relax.Tuple) else [argument])
    return operands


def _permuted_edges(edges: Edges, inputs: dict[int, Axes], outputs: dict[int, Axes]) -> Edges:
    """The edges once parameters are stored as permute_dims(old, axes), results as its inverse."""

    def composed(permutation: Axes, axes: Axes) -> Axes:
        return tuple(permutation[axis] for axis in axes) if permutation else axes

    new_inputs, new_outputs = list(edges.inputs), list(edges.outputs)
    for index, axes in inputs.items():
        edge = new_inputs[index]
        new_inputs[index] = replace(edge, permutation=composed(edge.permutation, axes))
    for index, axes in outputs.items():
        edge = new_outputs[index]
        new_outputs[index] = replace(edge, permutation=composed(edge.permutation, _inverse(axes)))
    return Edges(tuple(new_inputs), tuple(new_outputs))


@tvm.transform.module_pass(opt_level=1, name="EliminateTransposes")
class EliminateTransposes:
    """Push transposes of `main` down, cancel them, and record in the edges those that reach an edge."""

    def transform_module(self, module: tvm.IRModule, context: tvm.transform.PassContext) -> tvm.IRModule:
        """Rewrite `main`."""
        if tvm_adapter.attribute(module["main"], ATTRIBUTE) is None:
            return _Eliminator(module, {}, keep_edges=True).run()
        edges = read_edges(module)
        eliminator = _Eliminator(module, {}, keep_edges=False)
        result = eliminator.run()
        inputs = wanted_inputs(result["main"])
        if inputs:
            eliminator = _Eliminator(module, inputs, keep_edges=False)
            result = eliminator.run()
        edges = _permuted_edges(edges, inputs, eliminator.outputs)
        result.update_func(result.get_global_var("main"), with_edges(result["main"], edges))
        return result
