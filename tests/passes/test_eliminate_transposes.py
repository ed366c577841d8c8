"""Transposes are carried over operators, cancelled, folded into weights, or recorded at the edges."""

from collections.abc import Callable

import numpy as np
import pytest
import tvm
from tvm import relax

from tests.passes.layout_tools import operators, random_inputs, run_on_vm
from tinycc.edges import Edge, Edges, read_edges, with_edges
from tinycc.passes.eliminate_transposes import EliminateTransposes

TO_NHWC, TO_NCHW = [0, 2, 3, 1], [0, 3, 1, 2]
SHAPE = (1, 5, 4, 3)
Build = Callable[[relax.BlockBuilder, relax.Expr], relax.Expr]


def _module(build: Build, shape: tuple[int, ...] = SHAPE) -> tvm.IRModule:
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType(shape, "float32"))
    with builder.function("main", [x]):
        with builder.dataflow():
            result = builder.emit_output(builder.emit(build(builder, x)))
        builder.emit_func_output(result)
    return relax.transform.CanonicalizeBindings()(builder.get())


def _between(build: Build) -> Build:
    """An operator on NCHW between transposes from and to NHWC."""

    def surrounded(builder: relax.BlockBuilder, x: relax.Expr) -> relax.Expr:
        first = builder.emit(relax.op.permute_dims(x, TO_NCHW))
        return relax.op.permute_dims(builder.emit(build(builder, first)), TO_NHWC)

    return surrounded


def _channel_constant() -> relax.Expr:
    return relax.const(np.arange(3, dtype=np.float32).reshape(1, 3, 1, 1))


def _vector(shape: list[int]) -> relax.Expr:
    return relax.const(np.arange(np.prod(shape), dtype=np.float32).reshape(shape))


def _reshaped(builder: relax.BlockBuilder, x: relax.Expr, *shapes: list[int]) -> relax.Expr:
    for shape in shapes:
        x = builder.emit(relax.op.reshape(x, shape))
    return x


CARRIED: dict[str, Build] = {
    "relu": lambda builder, x: relax.op.nn.relu(x),
    "add of itself": lambda builder, x: relax.op.add(x, x),
    "add of a constant": lambda builder, x: relax.op.add(x, _channel_constant()),
    "add of a constant of fewer axes": lambda builder, x: relax.op.add(_vector([3, 1, 1]), x),
    "add of a vector": lambda builder, x: relax.op.add(x, _vector([4])),
    "scalar": lambda builder, x: relax.op.multiply(x, relax.const(2.0)),
    "mean": lambda builder, x: relax.op.mean(x, [2, 3], keepdims=True),
    "concat": lambda builder, x: relax.op.concat([x, x], 1),
    "pad": lambda builder, x: relax.op.nn.pad(x, [0, 0, 0, 0, 1, 2, 3, 4]),
    "softmax": lambda builder, x: relax.op.nn.softmax(x, 1),
    "largest": lambda builder, x: relax.op.max(x, [1], keepdims=True),
    "take": lambda builder, x: relax.op.take(x, relax.const([2, 0, 1, 1]), 1),
    "tile": lambda builder, x: relax.op.tile(x, [1, 2, 1, 3]),
    "repeat": lambda builder, x: relax.op.repeat(x, 2, 3),
    "flip": lambda builder, x: relax.op.flip(x, 2),
    "rows and columns joined": lambda builder, x: _reshaped(builder, x, [1, 3, 20], [1, 3, 5, 4]),
    "slice": lambda builder, x: relax.op.strided_slice(x, [2], [1], [4]),
    "prelu": lambda builder, x: relax.op.nn.prelu(x, relax.const(np.float32([0.1, 0.2, 0.3])), 1),
}


@pytest.mark.parametrize("name", CARRIED)
def test_operators_carry_transposes(name: str) -> None:
    before = _module(_between(CARRIED[name]))
    after = EliminateTransposes()(before)
    assert relax.analysis.check_well_formed(after)
    assert "permute_dims" not in operators(after)
    inputs = random_inputs(before)
    np.testing.assert_allclose(
        run_on_vm(after, inputs)[0], run_on_vm(before, inputs)[0], rtol=1e-6, atol=1e-6
    )


def test_flattening_goes_into_the_rows_of_the_weights() -> None:
    values = np.random.default_rng(2).integers(-128, 128, (60, 7)).astype(np.int8)

    def build(builder: relax.BlockBuilder, x: relax.Expr) -> relax.Expr:
        moved = builder.emit(relax.op.permute_dims(x, TO_NCHW))
        flat = builder.emit(relax.op.nn.relu(builder.emit(relax.op.reshape(moved, [1, 60]))))
        weights = relax.op.dequantize(relax.const(values), relax.const(0.1), relax.const(0, "int32"))
        return relax.op.matmul(flat, builder.emit(weights))

    before = _module(build)
    after = EliminateTransposes()(before)
    assert operators(after) == ["reshape", "nn.relu", "dequantize", "matmul"]
    inputs = random_inputs(before)
    np.testing.assert_allclose(
        run_on_vm(after, inputs)[0], run_on_vm(before, inputs)[0], rtol=1e-4, atol=1e-4
    )


def test_a_needed_transpose_stays() -> None:
    before = _module(
        lambda builder, x: relax.op.reshape(builder.emit(relax.op.permute_dims(x, TO_NCHW)), [15, 4])
    )
    after = EliminateTransposes()(before)
    assert operators(after) == ["permute_dims", "reshape"]
    tvm.ir.assert_structural_equal(after, before)


def _shuffled(shape: list[int], axes: list[int], result: list[int]) -> Build:
    """A block of NCHW channels, rows and columns in another order."""

    def build(builder: relax.BlockBuilder, x: relax.Expr) -> relax.Expr:
        split = builder.emit(relax.op.permute_dims(builder.emit(relax.op.reshape(x, shape)), axes))
        return relax.op.reshape(split, result)

    return build


SHUFFLED: dict[str, tuple[tuple[int, ...], Build]] = {
    "channels": ((1, 2, 3, 6), _shuffled([1, 2, 3, 2, 3], [0, 2, 1, 3, 4], [1, 6, 2, 3])),
    "depth to space": (
        (1, 2, 3, 8),
        _shuffled([1, 2, 2, 2, 2, 3], [0, 3, 4, 1, 5, 2], [1, 2, 4, 6]),
    ),
    "pixels": ((1, 2, 3, 8), _shuffled([1, 2, 2, 2, 2, 3], [0, 1, 4, 2, 5, 3], [1, 2, 4, 6])),
    "space to depth": (
        (1, 4, 6, 3),
        _shuffled([1, 3, 2, 2, 3, 2], [0, 3, 5, 1, 2, 4], [1, 12, 2, 3]),
    ),
}


@pytest.mark.parametrize("name", SHUFFLED)
def test_elements_change_places_once(name: str) -> None:
    shape, build = SHUFFLED[name]
    before = _module(_between(build), shape)
    after = EliminateTransposes()(before)
    assert operators(after).count("permute_dims") == 1
    inputs = random_inputs(before)
    np.testing.assert_array_equal(run_on_vm(after, inputs)[0], run_on_vm(before, inputs)[0])


def test_edges_take_over_the_layout() -> None:
    def build(builder: relax.BlockBuilder, x: relax.Expr) -> relax.Expr:
        moved = builder.emit(relax.op.permute_dims(x, TO_NHWC))
        pooled = builder.emit(relax.op.nn.max_pool2d(moved, 2, 2, layout="NHWC"))
        return relax.op.permute_dims(pooled, TO_NCHW)

    before = _module(build, (1, 3, 6, 4))
    edges = Edges((Edge("x", "float32", (1, 3, 6, 4)),), (Edge("y", "float32", (1, 3, 3, 2)),))
    before.update_func(before.get_global_var("main"), with_edges(before["main"], edges))
    after = EliminateTransposes()(before)
    assert operators(after) == ["nn.max_pool2d"]
    edges = read_edges(after)
    assert edges.inputs[0].permutation == edges.outputs[0].permutation == tuple(TO_NHWC)
    [value] = random_inputs(before)
    [expected], [result] = run_on_vm(before, [value]), run_on_vm(after, [value.transpose(TO_NHWC)])
    np.testing.assert_array_equal(result, expected.transpose(TO_NHWC))
