"""Real models, imported by TVM and built among its own passes: integers are those of tinycc and of TFLite."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import tflite
import tvm
from tvm.relax.frontend.onnx import from_onnx
from tvm.relax.frontend.tflite import from_tflite

import tinycc
from tests.byoc.vm_tools import built, regions_of, run
from tests.tools.corpus import golden_outputs, load_arrays
from tinycc import tvm_adapter

MODELS = [
    "tflite/int8/mlperf_ic_resnet8_int8.tflite",
    "tflite/int8/mlperf_kws_dscnn_int8.tflite",
    "onnx/from_tflite_int8/mlperf_kws_dscnn_int8.onnx",
]
CASES = 3


def imported(path: Path) -> tvm.IRModule:
    """A file as TVM's importer gives it."""
    if path.suffix == ".onnx":
        return from_onnx(onnx.load(path))
    return from_tflite(tflite.Model.GetRootAsModel(path.read_bytes(), 0))


@pytest.mark.parametrize("name", MODELS)
def test_a_model_among_tvms_passes_gives_the_integers_of_tinycc(name: str, corpus: Path) -> None:
    golden = load_arrays(corpus / "golden" / f"{Path(name).stem}.npz")
    cases = golden["in0"][:CASES]
    partitioned = tinycc.partition_for_tinycc(imported(corpus / name))
    assert regions_of(partitioned) == ["main_tinycc_0"]
    shape = tvm_adapter.shape_of(partitioned["main"].params[0])
    executable = built(partitioned)
    found = [run(executable, [case.reshape(shape)])[0] for case in cases]
    compiled = tinycc.compile(corpus / name, kernels="portable")
    [expected] = compiled.run([cases.reshape(CASES, *compiled.plan.edges.inputs[0].shape)])
    np.testing.assert_array_equal(np.reshape(found, expected.shape), expected)
    if name.endswith(".tflite"):
        wanted = golden_outputs(golden, 0, list(range(CASES)))
        np.testing.assert_array_equal(np.reshape(found, wanted.shape), wanted)


def test_the_pt2e_example_among_tvms_passes_gives_the_integers_of_tinycc() -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("torchao")
    from tvm.relax.frontend.torch import from_exported_program

    from examples.pytorch_pt2e import CASE, network, quantized
    from tinycc.frontend.torch.pt2e_converters import CONVERTERS

    torch.manual_seed(0)
    program = quantized(network())
    partitioned = tinycc.partition_for_tinycc(from_exported_program(program, custom_convert_map=CONVERTERS))
    assert regions_of(partitioned) == ["main_tinycc_0"]
    image = np.random.default_rng(0).normal(size=CASE).astype(np.float32)
    [found] = run(built(partitioned), [image])
    [expected] = tinycc.compile(program, io="float", kernels="portable").run([image[np.newaxis]])
    np.testing.assert_array_equal(found, expected[0])
