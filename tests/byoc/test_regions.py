"""Regions that TVM hands to tinycc: which they are, and what they compute in TVM's VM."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import tvm
from tvm import relax, topi
from tvm.relax.frontend.onnx import from_onnx

import tinycc
from tests.byoc.vm_tools import built, regions_of, run
from tests.tools.kernel_runner import dequantized, quantized
from tinycc import tvm_adapter
from tinycc.errors import UnsupportedError
from tinycc.frontend.load import load_model

DATA = Path(__file__).parents[1] / "data"
SHAPE = (1, 6, 5, 4)


def convolved(x: relax.Expr, seed: int, scale: float = 0.05) -> relax.Expr:
    """A pointwise convolution of int8, quantized with a scale that makes no ties."""
    weights = np.random.default_rng(seed).integers(-128, 128, (1, 1, 4, 4)).astype(np.int8)
    product = relax.op.nn.conv2d(
        dequantized(x, scale, 3), dequantized(weights, 0.0097), data_layout="NHWC", kernel_layout="HWIO"
    )
    return quantized(product, scale, 3)


def module_with(body: Any) -> tvm.IRModule:
    """`main` of one int8 tensor that returns what `body` makes of it."""
    x = relax.Var("x", relax.TensorType(SHAPE, "int8"))
    builder = relax.BlockBuilder()
    with builder.function("main", [x]):
        with builder.dataflow():
            results = [builder.emit(item) for item in body(builder, x)]
            output = builder.emit_output(results[0] if len(results) == 1 else relax.Tuple(results))
        builder.emit_func_output(output)
    return builder.get()


def two_regions(builder: relax.BlockBuilder, x: relax.Expr) -> list[relax.Expr]:
    """Layers around an operator that tinycc has no kernel for; three results of two regions."""
    first = builder.emit(convolved(x, 1))
    real = builder.emit(relax.op.cos(builder.emit(dequantized(first, 0.05, 3))))
    second = builder.emit(convolved(builder.emit(quantized(real, 0.05, 3)), 2))
    return [relax.op.reshape(second, (1, 120)), relax.op.add(first, second), first]


def inputs_of_shape(count: int = 1) -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(-128, 128, (count, *SHAPE)).astype(np.int8))


def check_near(found: list[np.ndarray], expected: list[np.ndarray], steps: float) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype and one.shape == other.shape
        assert np.abs(one.astype(float) - other.astype(float)).max() <= steps


@pytest.mark.parametrize("name", ["classifier_uint8_qdq.onnx", "branches_int8_qdq.onnx"])
def test_a_model_is_one_region_and_computes_what_tinycc_compiles(name: str) -> None:
    module = from_onnx(onnx.load(DATA / name))
    partitioned = tinycc.partition_for_tinycc(module)
    assert regions_of(partitioned) == ["main_tinycc_0"]
    parameter = partitioned["main"].params[0]
    assert parameter.ty == module["main"].params[0].ty
    inputs = [np.random.default_rng(0).normal(size=tvm_adapter.shape_of(parameter)).astype(np.float32)]
    [found] = run(built(partitioned), inputs)
    [expected] = tinycc.compile(DATA / name, io="float", kernels="portable").run([inputs[0][np.newaxis]])
    np.testing.assert_array_equal(found, expected[0])


def test_a_module_of_tinyccs_own_doors_keeps_its_parameters_too() -> None:
    module = load_model(DATA / "branches_uint8_qdq.onnx")
    partitioned = tinycc.partition_for_tinycc(module)
    assert regions_of(partitioned) == ["main_tinycc_0"]
    for one, other in zip(module["main"].params, partitioned["main"].params, strict=True):
        assert one.ty == other.ty
    assert module["main"].ret_ty == partitioned["main"].ret_ty


def test_states_are_parameters_and_results_like_others(corpus: Path) -> None:
    module = load_model(corpus / "tflite" / "int8" / "tflm_keyword_scrambled.tflite")
    partitioned = tinycc.partition_for_tinycc(module)
    assert len(partitioned["main"].params) == len(module["main"].params)
    assert partitioned["main"].ret_ty == module["main"].ret_ty
    assert regions_of(partitioned)


def test_two_regions_around_an_operator_of_tvms_have_several_outputs() -> None:
    module = module_with(two_regions)
    partitioned = tinycc.partition_for_tinycc(module)
    assert regions_of(partitioned) == ["main_tinycc_0", "main_tinycc_1"]
    inputs = inputs_of_shape()
    check_near(run(built(partitioned), inputs), run(relax.build(module, target="llvm"), inputs), 1)


def test_a_view_cuts_no_region_in_two() -> None:
    def body(builder: relax.BlockBuilder, x: relax.Expr) -> list[relax.Expr]:
        first = builder.emit(convolved(x, 1))
        turned = builder.emit(relax.op.reshape(first, (1, 5, 6, 4)))
        return [convolved(turned, 2)]

    partitioned = tinycc.partition_for_tinycc(module_with(body))
    assert regions_of(partitioned) == ["main_tinycc_0"]
    assert len(list(tvm_adapter.bindings_of(partitioned["main"]))) == 1


def test_what_an_importer_has_lowered_is_left_to_tvm() -> None:
    def body(builder: relax.BlockBuilder, x: relax.Expr) -> list[relax.Expr]:
        padded = builder.emit_te(topi.nn.pad, builder.emit(convolved(x, 1)), [0, 1, 1, 0])
        return [convolved(padded, 2)]

    partitioned = tinycc.partition_for_tinycc(module_with(body))
    assert regions_of(partitioned) == ["main_tinycc_0", "main_tinycc_1"]
    inputs = inputs_of_shape()
    check_near(run(built(partitioned), inputs), run(relax.build(module_with(body), "llvm"), inputs), 1)


def test_an_entry_of_another_name_keeps_it() -> None:
    main = module_with(two_regions)["main"]
    module = tvm.IRModule({"predict": main.with_attr("global_symbol", "predict")})
    partitioned = tinycc.partition_for_tinycc(module)
    assert regions_of(partitioned) == ["predict_tinycc_0", "predict_tinycc_1"]
    assert len(run(built(partitioned), inputs_of_shape(), "predict")) == 3


def test_what_has_no_kernel_is_left_to_tvm() -> None:
    def body(builder: relax.BlockBuilder, x: relax.Expr) -> list[relax.Expr]:
        return [relax.op.cos(builder.emit(dequantized(x, 0.05, 3)))]

    partitioned = tinycc.partition_for_tinycc(module_with(body))
    assert regions_of(partitioned) == []
    inputs = inputs_of_shape()
    check_near(run(built(partitioned), inputs), run(relax.build(module_with(body), "llvm"), inputs), 0)


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="none"):
        tinycc.partition_for_tinycc(tvm.IRModule({}))


def test_a_saved_library_runs_in_a_fresh_process_and_in_threads(tmp_path: Path) -> None:
    executable = built(tinycc.partition_for_tinycc(module_with(two_regions)))
    cases = inputs_of_shape(8)
    expected = [run(executable, [case])[1] for case in cases]
    executable.export_library(str(tmp_path / "model.so"))
    np.savez(tmp_path / "cases.npz", cases=cases)
    code = f"""
import sys, threading, numpy as np, tvm
from tvm import relax
module = tvm.runtime.load_module({str(tmp_path / "model.so")!r})
cases = np.load({str(tmp_path / "cases.npz")!r})["cases"]
results = [[], []]
def work(into):
    vm = relax.VirtualMachine(module, tvm.cpu())
    for _ in range(50):
        into.append([vm["main"](tvm.runtime.tensor(case))[1].numpy() for case in cases])
threads = [threading.Thread(target=work, args=(into,)) for into in results]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert not {{"tinycc.compiler", "tinycc.passes"}} & set(sys.modules)
np.save({str(tmp_path / "found.npy")!r}, np.array(results))
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    found = np.load(tmp_path / "found.npy")
    assert found.shape[:3] == (2, 50, 8)
    np.testing.assert_array_equal(found, np.broadcast_to(np.stack(expected), found.shape))


def test_wrong_tensors_are_errors_that_name_them(tmp_path: Path) -> None:
    executable = built(tinycc.partition_for_tinycc(module_with(lambda _builder, x: [convolved(x, 1)])))
    executable.export_library(str(tmp_path / "model.so"))
    library = tvm.runtime.load_module(str(tmp_path / "model.so"))
    region = library.get_function("main_tinycc_0", query_imports=True)
    good = tvm.runtime.tensor(inputs_of_shape()[0])
    region(good, good)
    for bad, fault in (
        (tvm.runtime.tensor(np.zeros(SHAPE, np.int16)), "another element type"),
        (tvm.runtime.tensor(np.zeros((1, 6, 5, 5), np.int8)), "another shape"),
        (tvm.runtime.tensor(np.zeros((6, 5, 4), np.int8)), "another rank"),
        (3, "no tensor"),
    ):
        with pytest.raises((ValueError, TypeError), match=f"argument 1 must be int8 .*{fault}"):
            region(good, bad)
    with pytest.raises(TypeError, match="takes 2 tensors"):
        region(good)
