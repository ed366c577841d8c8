"""Inputs and outputs have at the C API the element types of the model file, from every frontend."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

import tinycc
from tests.tools.edge_models import (
    INPUTS,
    OUTPUTS,
    EdgeType,
    TorchEdges,
    image_classifier,
    onnx_model,
    tflite_model,
)
from tests.tools.tflite_writer import run_litert
from tinycc.compiler import CompiledModel
from tinycc.run import run

Arrays = list[np.ndarray]
# By frontend: the model, its cases, and the right outputs.
Models = dict[str, tuple[object, Arrays, Arrays]]
Compile = Callable[[str, str], tuple[CompiledModel, Path]]
CASES = [edge.cases(20, seed) for seed, edge in enumerate(INPUTS)]
IO = ("integer", "int8", "float")


def _channels_first(arrays: Sequence[np.ndarray]) -> Arrays:
    return [np.moveaxis(array, -1, 2) for array in arrays]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    """For each frontend the model, its cases, and the right outputs by the runtime it comes from."""
    folder = tmp_path_factory.mktemp("edges")
    tflite, onnx = folder / "edges.tflite", folder / "edges.onnx"
    tflite.write_bytes(tflite_model())
    onnx.write_bytes(onnx_model().SerializeToString())
    session = onnxruntime.InferenceSession(str(onnx))
    module, cases = TorchEdges(), _channels_first(CASES)
    tensors = [
        [torch.from_numpy(np.ascontiguousarray(item)) for item in case] for case in zip(*cases, strict=True)
    ]
    by_onnx = [
        session.run(None, {f"in{i}": item for i, item in enumerate(case)})
        for case in zip(*cases, strict=True)
    ]
    by_torch = [[output.numpy() for output in module(*case)] for case in tensors]
    return {
        "tflite": (tflite, CASES, run_litert(tflite, CASES)),
        "onnx": (onnx, cases, [np.stack(side) for side in zip(*by_onnx, strict=True)]),
        "torch": (
            torch.export.export(module, tuple(tensors[0])),
            cases,
            [np.stack(side) for side in zip(*by_torch, strict=True)],
        ),
    }


@pytest.fixture(scope="session")
def compiled(models: Models, tmp_path_factory: pytest.TempPathFactory) -> Compile:
    """A function from a frontend and `io` to the compiled model and its folder."""
    done: dict[tuple[str, str], tuple[CompiledModel, Path]] = {}

    def compile_model(frontend: str, io: str) -> tuple[CompiledModel, Path]:
        if (frontend, io) not in done:
            model = tinycc.compile(models[frontend][0], io=io)  # type: ignore[arg-type]
            folder = tmp_path_factory.mktemp("compiled") / "model"
            model.export(folder)
            done[frontend, io] = model, folder
        return done[frontend, io]

    return compile_model


def on_device(edge: EdgeType, io: str) -> str:
    """The element type that an edge is to have."""
    by_io = {"int8": {"uint8": "int8", "float32": "int8"}, "integer": {"float32": "int8"}}
    return by_io.get(io, {}).get(edge.dtype, edge.dtype)


def steps(edge: EdgeType, wanted: np.ndarray, result: np.ndarray, meaning: dict[str, float]) -> float:
    """The largest difference, in steps of what the network computes or of the edge if those are larger."""
    if wanted.dtype == np.float32 and result.dtype != np.float32:
        result = (
            EdgeType("int8", meaning["scale"], int(meaning["zero_point"])).real(result).astype(np.float32)
        )
    else:
        assert result.dtype == wanted.dtype
    scale = 1.0 if edge.dtype == "float32" else edge.scale
    difference = np.abs(result.astype(np.float64) - wanted.astype(np.float64)).max() * scale
    return float(difference / max(0.2, 0.0 if edge.dtype == "float32" else scale))


def check(models: Models, compiled: Compile, frontend: str, io: str, on: str) -> None:
    """Outputs of the types of the file, to the bit of TFLite or within one step of the other runtimes."""
    model, folder = compiled(frontend, io)
    _, cases, wanted = models[frontend]
    results = run(folder, on, cases, sanitize=on == "host").outputs
    for edge, expected, result, meaning in zip(
        OUTPUTS, wanted, results, model.report["outputs"], strict=True
    ):
        assert steps(edge, expected, result, meaning) <= (1e-6 if frontend == "tflite" else 1 + 1e-3), edge


@pytest.mark.parametrize("io", IO)
@pytest.mark.parametrize("frontend", ["tflite", "onnx", "torch"])
def test_types_and_quantization_are_those_of_the_file(frontend: str, io: str, compiled: Compile) -> None:
    report = compiled(frontend, io)[0].report
    for edges, side in ((INPUTS, report["inputs"]), (OUTPUTS, report["outputs"])):
        for edge, found in zip(edges, side, strict=True):
            assert (found["dtype"], found["file_dtype"]) == (on_device(edge, io), edge.dtype)
            if edge.dtype != "float32":
                shift = 128 if edge.dtype == "uint8" and io == "int8" else 0
                assert found["zero_point"] == edge.zero_point - shift
                assert np.float32(found["scale"]) == np.float32(edge.scale)


@pytest.mark.parametrize("io", IO)
@pytest.mark.parametrize("frontend", ["tflite", "onnx", "torch"])
def test_outputs_are_right_on_the_host(frontend: str, io: str, models: Models, compiled: Compile) -> None:
    check(models, compiled, frontend, io, "host")


@pytest.mark.emulator
@pytest.mark.parametrize(
    ("frontend", "io"), [("tflite", "integer"), ("tflite", "float"), ("onnx", "float"), ("torch", "integer")]
)
def test_outputs_are_right_on_a_board(
    frontend: str,
    io: str,
    models: Models,
    compiled: Compile,
    require_tool: Callable[[str], str],
) -> None:
    for tool in ("arm-none-eabi-gcc", "qemu-system-arm"):
        require_tool(tool)
    check(models, compiled, frontend, io, "cortex-m4")


SIZE = 50
IMAGES = (
    np.random.default_rng(2).integers(0, 256, (3, SIZE, SIZE, 3)) >> [[[[0]]], [[[1]]], [[[3]]]]
).astype(np.uint8)


@pytest.mark.emulator
@pytest.mark.parametrize("options", [{}, {"input_mode": "rows"}], ids=["whole", "rows"])
@pytest.mark.parametrize("output", ["uint8", "float32"])
def test_uint8_costs_at_most_an_instruction_for_each_element(
    output: str, options: dict[str, str], tmp_path: Path, require_tool: Callable[[str], str]
) -> None:
    """Images of bytes to probabilities: beside the same network of int8, and no byte of memory more."""
    for tool in ("arm-none-eabi-gcc", "qemu-system-arm"):
        require_tool(tool)
    figures, probabilities = [], []
    for source, result in (("int8", "int8" if output == "uint8" else output), ("uint8", output)):
        path, folder = tmp_path / f"{source}.tflite", tmp_path / source
        path.write_bytes(image_classifier(source, result, SIZE))
        model = tinycc.compile(path, io="float", **options)  # type: ignore[arg-type]
        model.export(folder)
        images = IMAGES if source == "uint8" else (IMAGES ^ 0x80).view(np.int8)
        done = run(folder, "cortex-m4", [images])
        assert done.instructions is not None
        figures.append((done.instructions, model.report["arena_bytes"]))
        probabilities.append(done.outputs[0])
    if output == "uint8":
        probabilities[0] = probabilities[0].view(np.uint8) ^ 0x80
    np.testing.assert_array_equal(*probabilities)
    assert len(np.unique(probabilities[0])) > 2
    (before, arena), (after, arena_of_uint8) = figures
    elements = IMAGES[0].size + (2 if output == "uint8" else 0)
    assert after - before <= elements and arena_of_uint8 <= arena
