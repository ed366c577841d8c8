"""Every option of every operator, changed: computed as TFLite's reference kernels do, or refused by name.

A changed layer is run by LiteRT (TFLite Micro, where LiteRT's kernel is another). What that refuses has to be
refused; what it computes has to be refused by name, or computed to the bit by the C of tinycc.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import tflite
import tvm
from tvm_ffi import structural_equal

import tinycc
from tests.tools.reference_process import ReferenceProcess
from tests.tools.tflite_catalogue import LAYERS
from tests.tools.tflite_layers import Array, Layer, values_for, write_layers
from tests.tools.tflite_writer import Field
from tinycc.errors import TinyccError
from tinycc.frontend.tflite import load_tflite
from tinycc.frontend.tflite.converter import CONVERTERS
from tinycc.frontend.tflite.signatures import SIGNATURES

IS_SLOW = os.environ.get("TINYCC_SLOW") == "1"
# LiteRT rounds BATCH_MATMUL and FULLY_CONNECTED once, has factors of LEAKY_RELU in float32, lets SUM wrap
# around, and refuses int8 DIV, SVDF without RELU and LSTM without intermediate tensors.
RUN_BY_TFLM = {
    "BATCH_MATMUL", "DIV", "FULLY_CONNECTED", "LEAKY_RELU", "SUM", "SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM",
}  # fmt: skip
# What they make is known at compile time, and a model may not return it.
CONSTANT = {"REDUCE_PROD", "SHAPE"}
# Of real numbers alone: tests/frontend/test_tflite_unquantized.py.
UNQUANTIZED = {"CUMSUM", "L2_POOL_2D"}
# What the lists below are cut down to without TINYCC_SLOW.
FEW = 4
INTEGERS = (0, 2, -1, 3, 1, 2**31 - 1, -(2**31), 4, 7, -2, 16, 1000)
REALS = (0.5, float("nan"), -1.0, 2.0, 0.0, 1.0, float("inf"), 1e-20, 1e20)
VECTORS: tuple[Field, ...] = ([], [1, -1], [2], [0, 0, 0], [-1, 24, 3], [1, 24, 3, 1], [0], [1], [-2], [1, 2])
SMALL = (1, 2, 0, 3, 4, 5, 100, -1)  # of an enumeration, which has one byte


def _values(name: str, value: Field) -> tuple[Field, ...]:
    if isinstance(value, bool):
        return (not value,)
    if isinstance(value, float):
        return REALS
    if not isinstance(value, int):
        return VECTORS
    is_enumeration = name.endswith("Type") or name in (
        "FusedActivationFunction", "Padding", "Mode", "WeightsFormat",
    )  # fmt: skip
    return SMALL if is_enumeration else INTEGERS


def _changed(layer: Layer) -> Iterator[tuple[str, Layer]]:
    yield "as it is", layer
    yield "no options", replace(layer, options="", fields={})
    yield "another table", replace(layer, options="LeakyReluOptions", fields={"Alpha": 3.0})
    yield "a newer version", replace(layer, version=20)
    for name, value in layer.fields.items():
        others = [other for other in _values(name, value) if other != value]
        for other in others if IS_SLOW else others[:FEW]:
            yield f"{name} = {other}", layer.with_field(name, other)
    for change in ({"scale": 0.5}, {"zero_point": 7}, {"dtype": "int16"}):
        yield (
            f"result of {change}",
            replace(layer, results=tuple(replace(result, **change) for result in layer.results)),
        )


@pytest.fixture(scope="module")
def runtimes() -> Iterator[dict[str, ReferenceProcess]]:
    """LiteRT and TFLite Micro, each in its process."""
    with ReferenceProcess("litert") as litert, ReferenceProcess("tflm") as tflm:
        yield {"litert": litert, "tflm": tflm}


def _reference(
    layer: Layer, inputs: list[Array], runtimes: dict[str, ReferenceProcess]
) -> tuple[Layer, list[Array] | None]:
    """The layer with results of the shapes that LiteRT finds, and their values; None where it is refused."""
    outputs = runtimes["litert"].run(write_layers([layer]), inputs)
    if outputs is not None:
        if any(0 in output.shape for output in outputs):
            return layer, None
        layer = layer.with_shapes([output.shape for output in outputs])
    if layer.kind in RUN_BY_TFLM:
        outputs = runtimes["tflm"].run(write_layers([layer]), inputs)
    return layer, outputs


@dataclass
class Taken:
    """A layer that tinycc takes, the module it becomes and what the reference kernels make of it."""

    change: str
    layer: Layer
    module: tvm.IRModule
    expected: list[Array]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.kind)
def test_changed_options(layer: Layer, runtimes: dict[str, ReferenceProcess], tmp_path: Path) -> None:
    if layer.kind in RUN_BY_TFLM:
        pytest.importorskip("tflite_micro")
    inputs = values_for(layer, np.random.default_rng(1))
    path = tmp_path / "model.tflite"
    taken: list[Taken] = []
    for change, changed in _changed(layer):
        found, expected = _reference(changed, inputs, runtimes)
        path.write_bytes(write_layers([found]))
        try:
            module = load_tflite(path)
        except TinyccError as error:
            reason = str(error)
            assert layer.kind in reason or "layer0" in reason, f"{change}: refused without a name: {reason}"
            assert "\n" not in reason
            continue
        assert expected is not None, f"{change}: computed, though TFLite refuses it"
        same = [other for other in taken if structural_equal(other.module, module)]
        for other in same:  # need not be computed twice
            assert _is_equal(other.expected, expected), f"{change}: of no consequence, but for TFLite it is"
        if not same:
            taken.append(Taken(change, found, module, expected))
    assert taken, "the layer as it is was refused"
    if layer.kind not in CONSTANT:
        _check_together(taken, inputs, path)


def _is_equal(left: list[Array], right: list[Array]) -> bool:
    return all(np.array_equal(*pair) for pair in zip(left, right, strict=True))


def _check_together(taken: list[Taken], inputs: list[Array], path: Path) -> None:
    """One model of all layers gives what the reference kernels gave, to the bit."""
    path.write_bytes(write_layers([case.layer for case in taken]))
    outputs = iter(tinycc.compile(path, io="float").run(inputs * len(taken)))
    for case in taken:
        for array in case.expected:
            np.testing.assert_array_equal(next(outputs), array, err_msg=case.change)


def test_every_operator_with_options_is_changed() -> None:
    named = {kind for kind in CONVERTERS if kind in SIGNATURES and SIGNATURES[kind].fields}
    assert named - CONSTANT - UNQUANTIZED <= {layer.kind for layer in LAYERS}


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.kind)
def test_every_field_of_the_schema_is_listed(layer: Layer) -> None:
    table = SIGNATURES[layer.kind].table
    start = f"{table}Add"
    fields = {name[len(start) :] for name in dir(tflite) if name.startswith(start)} if table else set()
    assert set(SIGNATURES[layer.kind].fields) == fields == set(layer.fields)
    assert table == layer.options
