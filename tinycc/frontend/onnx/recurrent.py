"""RNN, GRU and LSTM, step by step: a sequence has a fixed length, and so is written out.

Source: https://onnx.ai/onnx/operators/onnx__LSTM.html and its siblings.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from tvm import relax

from tinycc import tvm_adapter
from tinycc.errors import UnsupportedError
from tinycc.frontend.onnx.base import Convert, Node

Activation = Callable[[relax.Expr], relax.Expr]
State = tuple[relax.Expr, ...]

DIRECTIONS = {b"forward": (False,), b"reverse": (True,), b"bidirectional": (False, True)}
MOST_STEPS = 1024
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
DEFAULTS = {"RNN": ("tanh",), "GRU": ("sigmoid", "tanh"), "LSTM": ("sigmoid", "tanh", "tanh")}
ACTIVATIONS: dict[str, Activation] = {
    "relu": relax.op.nn.relu,
    "sigmoid": relax.op.sigmoid,
    "tanh": relax.op.tanh,
}


@dataclass(frozen=True)
class _Direction:
    """One direction of a node: operands without the axis of directions, in [length, batch, features].

    weights: [input size, gates x hidden size], recurrent: [hidden size, gates x hidden size].
    biases: of the input and of the recurrence, [gates x hidden size], or none.
    peepholes: [3 x hidden size], or none.
    """

    node: Node
    hidden: int
    activations: tuple[Activation, ...]
    weights: relax.Expr
    recurrent: relax.Expr
    biases: tuple[relax.Expr, relax.Expr] | None
    peepholes: relax.Expr | None

    def emit(self, expr: relax.Expr) -> relax.Expr:
        return self.node.emit(expr)

    def clipped(self, expr: relax.Expr) -> relax.Expr:
        """What goes into an activation, within the attribute `clip`."""
        bound = float(self.node.attributes.get("clip", 0.0))
        return self.emit(relax.op.clip(expr, -bound, bound) if bound else expr)

    def activated(self, index: int, expr: relax.Expr) -> relax.Expr:
        return self.emit(self.activations[index](self.clipped(expr)))

    def gate(self, expr: relax.Expr, index: int, count: int = 1) -> relax.Expr:
        """Gates `index` to `index + count` of all, along the last axis."""
        axis = len(tvm_adapter.shape_of(expr)) - 1
        begin = index * self.hidden
        return self.emit(relax.op.strided_slice(expr, [axis], [begin], [begin + count * self.hidden]))

    def of_input(self, x: relax.Expr) -> relax.Expr:
        """What the input adds to all gates; the biases too, where they are simply added."""
        total = self.emit(relax.op.matmul(x, self.weights))
        return total if self.biases is None else self.emit(relax.op.add(total, self.biases[0]))

    def of_state(self, hidden: relax.Expr, weights: relax.Expr, bias: relax.Expr | None) -> relax.Expr:
        """What the hidden state adds to gates."""
        total = self.emit(relax.op.matmul(hidden, weights))
        return total if bias is None else self.emit(relax.op.add(total, bias))

    def sum(self, a: relax.Expr, b: relax.Expr) -> relax.Expr:
        return self.emit(relax.op.add(a, b))

    def product(self, a: relax.Expr, b: relax.Expr) -> relax.Expr:
        return self.emit(relax.op.multiply(a, b))

    @property
    def recurrent_bias(self) -> relax.Expr | None:
        return None if self.biases is None else self.biases[1]

    def rnn(self, given: relax.Expr, state: State) -> State:
        """The hidden state f(Wx + b + Rh + b')."""
        recurrence = self.of_state(state[0], self.recurrent, self.recurrent_bias)
        return (self.activated(0, self.sum(given, recurrence)),)

    def gru(self, given: relax.Expr, state: State) -> State:
        """Gates z, r, h: the state (1 - z) h + z times the last state."""
        hidden, bias = state[0], self.recurrent_bias
        parts = [None if bias is None else self.gate(bias, *span) for span in ((0, 2), (2, 1))]
        recurrence = self.of_state(hidden, self.gate(self.recurrent, 0, 2), parts[0])
        both = self.activated(0, self.sum(self.gate(given, 0, 2), recurrence))
        update, reset = self.gate(both, 0), self.gate(both, 1)
        weights = self.gate(self.recurrent, 2)
        if self.node.attributes.get("linear_before_reset"):
            inner = self.product(reset, self.of_state(hidden, weights, parts[1]))
        else:
            inner = self.of_state(self.product(reset, hidden), weights, parts[1])
        fresh = self.activated(1, self.sum(self.gate(given, 2), inner))
        kept = self.emit(relax.op.subtract(relax.const(np.float32(1)), update))
        return (self.sum(self.product(kept, fresh), self.product(update, hidden)),)

    def lstm(self, given: relax.Expr, state: State) -> State:
        """Gates i, o, f, c; peepholes from the cell to i, o and f."""
        hidden, cell = state
        gates = self.sum(given, self.of_state(hidden, self.recurrent, self.recurrent_bias))

        def gate(index: int, peeped: relax.Expr | None) -> relax.Expr:
            value = self.gate(gates, index)
            if self.peepholes is None or peeped is None:
                return value
            return self.sum(value, self.product(self.gate(self.peepholes, index), peeped))

        entry = self.activated(0, gate(0, cell))
        forget = self.activated(0, gate(2, cell))
        if self.node.attributes.get("input_forget"):
            forget = self.emit(relax.op.subtract(relax.const(np.float32(1)), entry))
        fresh = self.activated(1, gate(3, None))
        cell = self.sum(self.product(forget, cell), self.product(entry, fresh))
        exit_ = self.activated(0, gate(1, cell))
        return self.product(exit_, self.emit(self.activations[2](cell))), cell


STEPS: dict[str, Callable[[_Direction, relax.Expr, State], State]] = {
    "RNN": _Direction.rnn,
    "GRU": _Direction.gru,
    "LSTM": _Direction.lstm,
}


def _activations(node: Node) -> list[tuple[Activation, ...]]:
    """Those of each direction; UnsupportedError for others than the usual three."""
    defaults = DEFAULTS[node.kind]
    count = len(DIRECTIONS[node.attributes.get("direction", b"forward")])
    given = [bytes(name).decode().lower() for name in node.attributes.get("activations", ())]
    names = given or list(defaults) * count
    unknown = [name for name in names if name not in ACTIVATIONS]
    if unknown or len(names) != len(defaults) * count:
        raise UnsupportedError(
            f"activations {', '.join(names)} are not supported, only {len(defaults)} of relu, sigmoid and "
            "tanh for each direction"
        )
    if any(node.attributes.get(name) for name in ("activation_alpha", "activation_beta")):
        raise UnsupportedError("parameters of activations are not supported; leave them out")
    chosen = [ACTIVATIONS[name] for name in names]
    return [tuple(chosen[len(defaults) * i : len(defaults) * (i + 1)]) for i in range(count)]


def _recurrence(node: Node) -> relax.Expr:
    """Y [length, directions, batch, hidden], Y_h and, of an LSTM, Y_c [directions, batch, hidden].

    With `layout` 1 the batch comes first, of X and of the states too.
    """
    is_batch_first = bool(node.attributes.get("layout"))
    source = node.emit(relax.op.permute_dims(node.source, [1, 0, 2])) if is_batch_first else node.source
    length, batch, _ = tvm_adapter.shape_of(source)
    if length > MOST_STEPS:
        raise UnsupportedError(f"{length} steps are not supported, only {MOST_STEPS}; give shorter sequences")
    hidden = tvm_adapter.shape_of(node.inputs[2])[-1]
    if node.attributes.get("hidden_size", hidden) != hidden:
        raise UnsupportedError(
            f"hidden_size {node.attributes['hidden_size']} is not that of the weights, {hidden}"
        )
    lengths = node.constant(4)
    if lengths is not None and not ((lengths >= 1) & (lengths <= length)).all():
        raise UnsupportedError(f"sequence lengths {lengths.tolist()} are not within 1 to {length}")
    sequences, lasts = [], []
    for index, is_reverse in enumerate(DIRECTIONS[node.attributes.get("direction", b"forward")]):
        direction = _direction(node, index, hidden)
        given = direction.of_input(source)
        state = _initial(node, index, (batch, hidden), is_batch_first)
        outputs: list[relax.Expr] = [None] * length
        for step in range(length)[:: -1 if is_reverse else 1]:
            x = _taken(node, given, step, 0)
            new = STEPS[node.kind](direction, x, state)
            outputs[step] = new[0]
            if lengths is not None and (lengths <= step).any():
                runs = relax.const((lengths > step).reshape(batch, 1))
                zero = relax.const(np.zeros((batch, hidden), np.float32))
                outputs[step] = node.emit(relax.op.where(runs, new[0], zero))
                new = tuple(
                    node.emit(relax.op.where(runs, after, before))
                    for after, before in zip(new, state, strict=True)
                )
            state = new
        sequences.append(node.emit(relax.op.stack(outputs, 0)))
        lasts.append(state)
    results = [node.emit(relax.op.stack(sequences, 1))]
    results += [node.emit(relax.op.stack(list(states), 0)) for states in zip(*lasts, strict=True)]
    if is_batch_first:
        results = [
            node.emit(relax.op.permute_dims(result, axes))
            for result, axes in zip(results, ([2, 0, 1, 3], [1, 0, 2], [1, 0, 2]), strict=False)
        ]
    return relax.Tuple(results[: node.results])


def _taken(node: Node, expr: relax.Expr, index: int, axis: int) -> relax.Expr:
    """One index of an axis, which is gone then."""
    return node.emit(relax.op.take(expr, relax.const(index, "int64"), axis, mode="clip"))


def _direction(node: Node, index: int, hidden: int) -> _Direction:
    def operand(position: int) -> relax.Expr | None:
        expr = node.get(position)
        return None if expr is None else _taken(node, expr, index, 0)

    weights, recurrent = (node.emit(relax.op.permute_dims(operand(place), [1, 0])) for place in (1, 2))
    both, biases = operand(3), None
    if both is not None:
        size = GATES[node.kind] * hidden
        biases = tuple(
            node.emit(relax.op.strided_slice(both, [0], [begin], [begin + size])) for begin in (0, size)
        )
    peepholes = operand(7) if node.kind == "LSTM" else None
    activations = _activations(node)[index]
    return _Direction(node, hidden, activations, weights, recurrent, biases, peepholes)


def _initial(node: Node, index: int, shape: tuple[int, int], is_batch_first: bool) -> State:
    """The first state of a direction: given, or 0."""
    states = []
    for position in (5, 6) if node.kind == "LSTM" else (5,):
        given = node.get(position)
        if given is None:
            states.append(relax.const(np.zeros(shape, np.float32)))
        else:
            axis = 1 if is_batch_first else 0
            states.append(_taken(node, given, index, axis))
    return tuple(states)


CONVERTERS: dict[str, Convert] = {"GRU": _recurrence, "LSTM": _recurrence, "RNN": _recurrence}
