"""Constants around layers, in the forms that exporters write them, become weights and biases."""

import numpy as np
from tvm import relax

from tests.passes.layout_tools import random_inputs, run_on_vm
from tests.tools.kernel_runner import compile_and_run, dequantized, module_of, quantized, views_in
from tinycc import tvm_adapter
from tinycc.edges import read_edges
from tinycc.passes.to_normal_form import ToNormalForm

CHANNELS = 6


def _vector(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1.5, 1.5, shape or (CHANNELS, 1, 1)).astype(np.float32)


def _weights(seed: int, shape: tuple[int, ...], zero_points: np.ndarray | int = 0) -> relax.Expr:
    """Weights [O, I, ...] with a scale, and where wanted a zero point, for each output."""
    values = tvm_adapter.make_constant(np.random.default_rng(seed).integers(-128, 128, shape).astype(np.int8))
    scales = np.full(shape[0], 0.005, np.float32)
    points = np.broadcast_to(np.asarray(zero_points, np.int32), shape[:1])
    return relax.op.dequantize(values, relax.const(scales), tvm_adapter.make_constant(points), axis=0)


def _convolution(x: relax.Expr, seed: int, zero_points: np.ndarray | int = 0) -> relax.Expr:
    return relax.op.nn.conv2d(
        dequantized(x, 0.05, 3), _weights(seed, (CHANNELS, 4, 3, 3), zero_points), padding=1
    )


def _forms(x: relax.Expr) -> list[relax.Expr]:
    add, multiply, divide = relax.op.add, relax.op.multiply, relax.op.divide
    constant = relax.const
    bias = dequantized(np.arange(-3000, 3000, 1000, dtype=np.int32), 0.0005, axis=0)
    pixels = relax.op.reshape(dequantized(x, 0.05, 3), (1, 4, 30))
    row = relax.op.nn.conv1d(pixels, _weights(8, (CHANNELS, 4, 3)), padding=1)
    rows = relax.op.reshape(_weights(9, (CHANNELS, 120)), (CHANNELS, 120))
    flat = multiply(relax.op.reshape(dequantized(x, 0.05, 3), (1, 120)), constant(0.5))
    real = [
        add(_convolution(x, 1), constant(_vector(1))),
        relax.op.subtract(_convolution(x, 2), constant(_vector(2, 1, CHANNELS, 1, 1))),
        relax.op.subtract(constant(_vector(3)), _convolution(x, 3)),
        add(multiply(_convolution(x, 4), constant(_vector(4))), constant(_vector(5))),
        divide(multiply(constant(np.float32(-0.5)), _convolution(x, 5)), constant(_vector(6))),
        relax.op.nn.relu(add(row, relax.op.reshape(bias, (1, CHANNELS, 1)))),
        add(relax.op.matmul(flat, relax.op.permute_dims(rows, [1, 0])), multiply(bias, constant(2.0))),
        _convolution(x, 6, np.array([0, 5, -128, 127, -1, 60])),
    ]
    # Flat, as the edges would take transposes over.
    sizes = [6 if index == 6 else 180 for index in range(len(real))]
    return [
        relax.op.reshape(quantized(result, 0.3, -3), (size,))
        for result, size in zip(real, sizes, strict=True)
    ]


def test_constants_around_layers_become_weights_and_biases() -> None:
    module = module_of([((1, 4, 5, 6), "int8")], _forms)
    normal = tvm_adapter.run_passes([ToNormalForm()], module)
    assert {view.kind for view in views_in(normal)} <= {"conv2d", "dense", "strided_copy"}
    inputs = random_inputs(module)
    permutation = read_edges(normal).inputs[0].permutation
    stored = inputs[0].transpose(permutation) if permutation else inputs[0]
    results = compile_and_run(normal, [np.ascontiguousarray(stored)])
    for result, wanted in zip(results, run_on_vm(module, inputs), strict=True):
        assert int(np.abs(result.astype(int).reshape(-1) - wanted).max()) <= 1
