"""Streaming models whose state goes in and out, from each door: the C keeps it, as the caller would have."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

import tinycc
from tests.tools.onnx_graph import Graph
from tests.tools.tflite_writer import TFLiteWriter, run_litert
from tinycc.errors import UnsupportedError
from tinycc.states import read_states

# [N, C, H, W] in ONNX and torch: 2 rows come, 4 are kept.
ROWS, KEPT = (1, 3, 2, 5), (1, 3, 4, 5)
SCALE, ZERO_POINT = 0.02, 3
STEPS = 6


@dataclass(frozen=True)
class Streaming:
    """A model with the inputs x and held, and the outputs y and the next `held`.

    model: what tinycc.compile takes. pair: the names of `held` and of its next value. kept: their shape.
    step: from x and held to y and the next held, by the library that the model comes from.
    """

    model: Any
    pair: dict[str, str]
    kept: tuple[int, ...]
    step: Callable[[np.ndarray, np.ndarray], Sequence[np.ndarray]]


def onnx_model(folder: Path, is_float: bool) -> Streaming:
    """A convolution of old and new rows, the last of which are kept."""
    graph = Graph()

    def quantized(name: str, scale: float) -> str:
        return graph.call("QuantizeLinear", [name, *quantization(scale)])[0]

    def dequantized(name: str, scale: float = SCALE) -> str:
        return graph.call("DequantizeLinear", [name, *quantization(scale)])[0]

    def quantization(scale: float) -> list[str]:
        return [graph.constant(np.float32(scale)), graph.constant(np.int8(ZERO_POINT))]

    def input_of(name: str, shape: tuple[int, ...]) -> str:
        kind = onnx.TensorProto.FLOAT if is_float else onnx.TensorProto.INT8
        graph.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return dequantized(quantized(name, SCALE) if is_float else name)

    def give_out(name: str, scale: float) -> str:
        integers = quantized(name, scale)
        result = dequantized(integers, scale) if is_float else integers
        kind = onnx.TensorProto.FLOAT if is_float else onnx.TensorProto.INT8
        graph.outputs.append(helper.make_tensor_value_info(result, kind, None))
        return result

    x, held = input_of("x", ROWS), input_of("held", KEPT)
    joined = dequantized(quantized(graph.call("Concat", [held, x], axis=2)[0], SCALE))
    give_out(graph.call("Conv", [joined, graph.weights((4, 3, 3, 3), 0)])[0], 0.05)
    bounds = [graph.constant(np.array([value], np.int64)) for value in (2, 6, 2)]
    following = give_out(graph.call("Slice", [joined, *bounds])[0], SCALE)
    path = graph.save(folder)
    session = pytest.importorskip("onnxruntime").InferenceSession(str(path))
    return Streaming(
        path, {"held": following}, KEPT, lambda x, held: session.run(None, {"x": x, "held": held})
    )


def torch_model(_folder: Path, _is_float: bool) -> Streaming:
    torch = pytest.importorskip("torch")
    pytest.importorskip("torchao.quantization.pt2e")
    from tests.frontend.torch_tools import EveryOperator, quantized_program

    class Stream(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(3)
            self.convolution = torch.nn.Conv2d(3, 4, 3)

        def forward(self, x: Any, held: Any) -> tuple[Any, Any]:
            joined = torch.cat([held, x], 2)
            return self.convolution(joined), joined[:, :, 2:]

    program = quantized_program(Stream(), [ROWS, KEPT], EveryOperator())
    outputs = [spec.arg.name for spec in program.graph_signature.output_specs]
    module = program.module()
    return Streaming(
        program,
        {"held": outputs[1]},
        KEPT,
        lambda x, held: [item.detach().numpy() for item in module(*map(torch.from_numpy, (x, held)))],
    )


def tflite_model(folder: Path, _is_float: bool) -> Streaming:
    """The largest that was seen so far, and the largest of that in each channel."""
    net = TFLiteWriter()
    meaning = {"scale": SCALE, "zero_point": ZERO_POINT}
    x, held, following = (net.add_tensor(name, ROWS, **meaning) for name in ("x", "held", "following"))
    net.add_operator("MAXIMUM", [x, held], [following], "MaximumMinimumOptions")
    axes = net.add_tensor("axes", (2,), "int32", data=np.array([1, 2]))
    y = net.add_tensor("y", (1, 5), **meaning)
    net.add_operator("REDUCE_MAX", [following, axes], [y], "ReducerOptions", KeepDims=False)
    path = folder / "model.tflite"
    path.write_bytes(net.finish([x, held], [y, following]))
    return Streaming(
        path,
        {"held": "following"},
        ROWS,
        lambda x, held: [item[0] for item in run_litert(path, [x[None], held[None]])],
    )


DOORS = [(onnx_model, True), (onnx_model, False), (torch_model, True), (tflite_model, False)]


@pytest.mark.parametrize(("make", "is_float"), DOORS)
def test_steps_equal_those_of_the_library_with_its_states_handed_on(
    make: Callable[[Path, bool], Streaming], is_float: bool, tmp_path: Path
) -> None:
    streaming = make(tmp_path, is_float)
    compiled = tinycc.compile(streaming.model, states=streaming.pair)
    [source], [target] = compiled.plan.edges.inputs, compiled.plan.edges.outputs
    [state] = read_states(compiled.module["main"])
    assert state.name == "held"
    assert source.scale is not None and target.scale is not None
    cases: np.ndarray = np.random.default_rng(1).integers(-128, 128, (STEPS, *source.shape)).astype(np.int8)
    if is_float:
        cases = (cases - np.float32(source.zero_point)) * np.float32(source.scale)
    [outputs] = compiled.run([cases], keep_state=True)
    held = np.full(streaming.kept, 0 if is_float else state.initial, cases.dtype)
    for case, output in zip(cases, outputs, strict=True):
        expected, held = streaming.step(case, held)
        real = expected / target.scale + target.zero_point if is_float else expected
        # ONNX and torch round once, the kernels of layers with weights twice.
        assert np.abs(output - real).max() <= (0 if make is tflite_model else 1 + 1e-3)


@pytest.mark.parametrize(("make", "is_float"), DOORS)
def test_without_the_pair_the_caller_keeps_the_state(
    make: Callable[[Path, bool], Streaming], is_float: bool, tmp_path: Path
) -> None:
    compiled = tinycc.compile(make(tmp_path, is_float).model)
    assert not read_states(compiled.module["main"]) and len(compiled.plan.outputs) == 2


def test_shapes_that_differ_are_refused(tmp_path: Path) -> None:
    streaming = onnx_model(tmp_path, True)
    with pytest.raises(
        UnsupportedError, match=r"the input is float32\[1, 3, 2, 5\], the output float32\[1, 3, 4"
    ):
        tinycc.compile(streaming.model, states={"x": streaming.pair["held"]})
