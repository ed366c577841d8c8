"""SVDF and LSTM of TFLite: private composite functions with explicit state.

Each becomes a function with the attributes `Composite` ("tinycc.svdf", "tinycc.unidirectional_lstm") and
`Primitive`. It takes (input, state...) and returns (output, next state...). Weights and biases are
constants in its body, which is the computation in real numbers between dequantize and quantize, with the
states rounded where the integer kernel rounds them. What the integer kernel needs beyond shapes and
constants stands in function attributes:

tinycc.svdf: rank; input_zero_point, state_zero_point, output_zero_point; input_scale, feature_scale,
    time_scale, state_scale, output_scale; activation ("none" or "relu"). The constants are, in order of their
    `dequantize`, feature weights int8 [input, filters], time weights int8 or int16 [filters, memory]
    and bias int32 [filters / rank].
tinycc.unidirectional_lstm: steps, units; input_zero_point, hidden_zero_point; input_scale, hidden_scale,
    cell_scale (a power of two); cell_clip (0 for none); intermediate_scales (as in the file, for its
    gates); for each gate in ("input", "forget", "cell", "output") the two scales
    <gate>_input_scale and <gate>_recurrent_scale of its weights. The first twelve constants under a
    `dequantize` are, gate by gate in this order, input weights int8 [inputs, units], recurrent weights
    int8 [units, units] and bias int32 [units].
tinycc.float_lstm: cell_clip. The same of real numbers: the constants that a step multiplies by and adds are
    those of the gates in this order.

State layout: SVDF int8 or int16 [1, filters * memory], the oldest first in each filter; LSTM hidden int8
and cell int16 [1, units].
"""

from collections.abc import Mapping

import numpy as np
from tvm import relax

from tinycc import tvm_adapter
from tinycc.errors import ModelError, UnsupportedError
from tinycc.frontend.tflite.base import BaseConverter, activated, fused_activation, same_quantization
from tinycc.frontend.tflite.file import FileOperator, FileTensor

MAX_STEPS = 1024  # they are unrolled in the body
GATES = ("input", "forget", "cell", "output")


def _quantized(op: FileOperator, *tensors: FileTensor) -> None:
    for tensor in tensors:
        if not tensor.is_quantized and tensor.dtype != "float32":
            raise ModelError(f"{op.title} needs the quantization parameters of {tensor.name}")


def _state(op: FileOperator, tensor: FileTensor | None) -> FileTensor:
    if tensor is None or not tensor.is_variable:
        raise ModelError(f"{op.title} has no variable tensor for its state")
    _quantized(op, tensor)
    return tensor


def _operand(converter: BaseConverter, op: FileOperator, position: int) -> FileTensor:
    tensor = converter.file.tensor(op.inputs[position])
    if tensor is None:
        raise ModelError(f"{op.title} lacks its input {position}")
    _quantized(op, tensor)
    return tensor


def _variable(name: str, tensor: FileTensor) -> relax.Var:
    return relax.Var(name, relax.TensorType(tensor.shape, tensor.dtype))


def _emit_composite(
    converter: BaseConverter, op: FileOperator, function: relax.Function, states: list[FileTensor]
) -> relax.Expr:
    """Add the function to the module and call it; its results after the first become the next states."""
    name = f"{op.kind.lower()}_{op.index}"
    variable = converter.bb.add_func(function, name)
    held = [converter.operand(tensor.index) for tensor in states]
    results = converter.bb.emit(relax.Call(variable, [converter.operand(op.inputs[0]), *held]))
    for position, tensor in enumerate(states):
        converter.next_states[tensor.index] = converter.bb.emit(relax.TupleGetItem(results, position + 1))
    return relax.TupleGetItem(results, 0)


def svdf(converter: BaseConverter, op: FileOperator) -> relax.Expr:
    """SVDF (Nakkiran et al., "Compressing deep neural networks using a rank-constrained topology", 2015).

    state = shift(state), its newest column = x . feature weights; output = sum over rank and memory of
    state * time weights, plus bias.
    """
    source, feature, time = (_operand(converter, op, position) for position in range(3))
    state, output = _state(op, converter.file.tensor(op.inputs[4])), converter.file.tensors[op.outputs[0]]
    _quantized(op, output)
    bias, rank = converter.file.tensor(op.inputs[3]), int(op.options.Rank())
    filters, memory = time.shape
    if rank < 1 or filters % rank or feature.shape != (filters, source.shape[-1]):
        raise ModelError(f"{op.title} has weights of shape {feature.shape} and {time.shape} for rank {rank}")
    if state.shape != (1, filters * memory) or output.shape != (1, filters // rank):
        raise ModelError(f"{op.title} has a state of shape {state.shape} for {filters} filters")
    kind = fused_activation(op)

    builder = relax.BlockBuilder()
    x, held = _variable("x", source), _variable("state", state)
    with tvm_adapter.unwinding(builder), builder.function("svdf", [x, held], private=True):
        with builder.dataflow():
            weights = tvm_adapter.make_constant(converter.constant(feature.index).T)
            product = relax.op.matmul(
                converter.dequantized(x, source), converter.dequantized(weights, feature)
            )
            newest = relax.op.reshape(builder.emit(converter.requantized(product, state)), (filters, 1))
            columns = relax.op.strided_slice(relax.op.reshape(held, (filters, memory)), [1], [1], [memory])
            shifted = builder.emit(relax.op.concat([columns, newest], axis=1))
            taps = tvm_adapter.make_constant(converter.constant(time.index))
            summed = relax.op.multiply(
                converter.dequantized(shifted, state), converter.dequantized(taps, time)
            )
            ranked = relax.op.reshape(relax.op.sum(summed, [1]), (1, filters // rank, rank))
            value = relax.op.sum(ranked, [2])
            if bias is not None:
                stored = tvm_adapter.make_constant(converter.constant(bias.index))
                value = relax.op.add(value, converter.dequantized(stored, bias))
            result = builder.emit(converter.requantized(activated(value, kind, op), output))
            next_state = builder.emit(relax.op.reshape(shifted, state.shape))
            returned = builder.emit_output(relax.Tuple([result, next_state]))
        builder.emit_func_output(returned)
    attributes = {
        "rank": rank,
        "activation": "relu" if kind else "none",
        "input_scale": source.scale,
        "input_zero_point": source.zero_point,
        "feature_scale": feature.scale,
        "time_scale": time.scale,
        "state_scale": state.scale,
        "state_zero_point": state.zero_point,
        "output_scale": output.scale,
        "output_zero_point": output.zero_point,
    }
    return _emit_composite(converter, op, _composite(builder, "tinycc.svdf", attributes), [state])


def _composite(builder: relax.BlockBuilder, kind: str, attributes: Mapping[str, object]) -> relax.Function:
    (function,) = builder.get().functions.values()
    return function.with_attrs({"Composite": kind, "Primitive": 1, **attributes})


# Positions of the operands in UNIDIRECTIONAL_SEQUENCE_LSTM.
_INPUT_WEIGHTS, _RECURRENT_WEIGHTS, _PEEPHOLES, _BIASES = 1, 5, (9, 10, 11), 12
_PROJECTION, _HIDDEN, _CELL, _NORMALIZATION = 16, 18, 19, (20, 21, 22, 23)


def lstm(converter: BaseConverter, op: FileOperator) -> relax.Expr:
    """UNIDIRECTIONAL_SEQUENCE_LSTM, unrolled over time: int8 with an int16 cell state, or float32.

    Per step: i, f, o = sigmoid(W x + R h + b), g = tanh(...), c = f c + i g (clipped), h = o tanh(c).
    """
    given = [index for index in (*_PEEPHOLES, _PROJECTION, *_NORMALIZATION) if index < len(op.inputs)]
    if any(op.inputs[position] >= 0 for position in given):
        raise UnsupportedError(f"{op.title} has peepholes, a projection or layer normalization")
    source, output = _operand(converter, op, 0), converter.file.tensors[op.outputs[0]]
    hidden, cell = (_state(op, converter.file.tensor(op.inputs[position])) for position in (_HIDDEN, _CELL))
    _quantized(op, output)
    is_real = source.dtype == "float32"
    if len(source.shape) != 3 or not (is_real or same_quantization(hidden, output)):
        raise ModelError(
            f"{op.title} has an input of shape {source.shape} or a state scaled unlike its output"
        )
    steps, units = int(np.prod(source.shape[:2])), hidden.shape[-1]
    if steps > MAX_STEPS:
        raise UnsupportedError(f"{op.title} runs over {steps} steps, at most {MAX_STEPS} are supported")
    if (
        source.shape[1 if op.options.TimeMajor() else 0] != 1
        or (hidden.dtype, cell.dtype) != (("float32", "float32") if is_real else ("int8", "int16"))
        or cell.shape != (1, units)
        or hidden.shape != (1, units)
    ):
        raise UnsupportedError(f"{op.title} has batch > 1, or states of {cell.dtype}{list(cell.shape)}")

    builder = relax.BlockBuilder()
    x, h, c = _variable("x", source), _variable("hidden", hidden), _variable("cell", cell)
    with tvm_adapter.unwinding(builder), builder.function("lstm", [x, h, c], private=True):
        with builder.dataflow():
            gates = [_gate_parameters(converter, op, builder, gate) for gate in range(4)]
            rows = builder.emit(relax.op.reshape(x, (steps, source.shape[2])))
            sequence, next_h, next_c = [], h, c
            for step in range(steps):
                row = relax.op.strided_slice(rows, [0], [step], [step + 1])
                real = builder.emit(converter.dequantized(row, source))
                next_h, next_c = _lstm_step(
                    converter, op, builder, gates, real, (next_h, hidden), (next_c, cell)
                )
                sequence.append(next_h)
            joined = relax.op.concat(sequence, axis=0) if steps > 1 else sequence[0]
            result = builder.emit(relax.op.reshape(joined, output.shape))
            returned = builder.emit_output(relax.Tuple([result, next_h, next_c]))
        builder.emit_func_output(returned)
    if is_real:
        clip = {"cell_clip": float(op.options.CellClip())}
        return _emit_composite(converter, op, _composite(builder, "tinycc.float_lstm", clip), [hidden, cell])
    attributes = _lstm_attributes(converter, op, source, hidden, cell) | {"steps": steps, "units": units}
    function = _composite(builder, "tinycc.unidirectional_lstm", attributes)
    return _emit_composite(converter, op, function, [hidden, cell])


def _gate_parameters(
    converter: BaseConverter, op: FileOperator, builder: relax.BlockBuilder, gate: int
) -> tuple[relax.Expr, relax.Expr, relax.Expr]:
    """Input weights [inputs, units], recurrent weights [units, units] and bias of a gate, as real numbers."""
    emitted = []
    for position in (_INPUT_WEIGHTS + gate, _RECURRENT_WEIGHTS + gate, _BIASES + gate):
        tensor = _operand(converter, op, position)
        value = converter.constant(tensor.index).T
        emitted.append(builder.emit(converter.dequantized(tvm_adapter.make_constant(value), tensor)))
    return emitted[0], emitted[1], emitted[2]


def _lstm_step(
    converter: BaseConverter,
    op: FileOperator,
    builder: relax.BlockBuilder,
    gates: list[tuple[relax.Expr, relax.Expr, relax.Expr]],
    row: relax.Expr,
    hidden: tuple[relax.Expr, FileTensor],
    cell: tuple[relax.Expr, FileTensor],
) -> tuple[relax.Expr, relax.Expr]:
    """The next hidden and cell state, in their quantizations."""
    real_h = builder.emit(converter.dequantized(*hidden))
    values = []
    for name, (weights, recurrent, bias) in zip(GATES, gates, strict=True):
        products = relax.op.add(relax.op.matmul(row, weights), relax.op.matmul(real_h, recurrent))
        value = builder.emit(relax.op.add(products, bias))
        values.append(relax.op.tanh(value) if name == "cell" else relax.op.sigmoid(value))
    entering, kept, candidate, leaving = values
    kept_cell = relax.op.multiply(kept, converter.dequantized(*cell))
    next_cell = relax.op.add(kept_cell, relax.op.multiply(entering, candidate))
    clip = float(op.options.CellClip())
    if clip > 0:
        next_cell = relax.op.clip(next_cell, -clip, clip)
    stored_cell = builder.emit(converter.requantized(next_cell, cell[1]))
    real_cell = relax.op.tanh(converter.dequantized(stored_cell, cell[1]))
    stored_hidden = builder.emit(converter.requantized(relax.op.multiply(leaving, real_cell), hidden[1]))
    return stored_hidden, stored_cell


def _lstm_attributes(
    converter: BaseConverter, op: FileOperator, source: FileTensor, hidden: FileTensor, cell: FileTensor
) -> dict[str, object]:
    attributes: dict[str, object] = {
        "input_scale": source.scale,
        "input_zero_point": source.zero_point,
        "hidden_scale": hidden.scale,
        "hidden_zero_point": hidden.zero_point,
        "cell_scale": cell.scale,
        "cell_clip": float(op.options.CellClip()),
        "intermediate_scales": [
            converter.file.tensors[index].scale
            for index in op.intermediates
            if converter.file.tensors[index].is_quantized
        ],
    }
    for gate, name in enumerate(GATES):
        attributes[f"{name}_input_scale"] = _operand(converter, op, _INPUT_WEIGHTS + gate).scale
        attributes[f"{name}_recurrent_scale"] = _operand(converter, op, _RECURRENT_WEIGHTS + gate).scale
    return attributes
