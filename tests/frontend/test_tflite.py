"""The TFLite frontend against golden outputs: imported modules on TVM's VM agree within rounding."""

from pathlib import Path

import numpy as np
import pytest
import tvm
from tvm import relax

from tests.passes.layout_tools import QUICK_LLVM
from tinycc.edges import read_edges
from tinycc.errors import TinyccError
from tinycc.frontend.tflite import load_tflite
from tinycc.frontend.tflite.description import describe_tflite
from tinycc.states import read_states

# Steps of the output that rounding in float instead of twice in fixed point may cost on the goldens.
MODELS = {
    "mlperf_kws_dscnn_int8": 8,
    "mlperf_ic_resnet8_int8": 16,
    "mlonmcu_qnn_model__qnn_model": 2,
    "tflm_hello_world_int8": 2,
    "tflm_simple_add": 1,
    "tmaix_mnist_dw_q": 2,
    "tmaix_mbnet96_0.25_q": 16,
    "tflm_mnist_lstm_int8": 2,
    "tflm_keyword_scrambled": 400,  # of 32,768: a probability in 16 bits
    "tflm_keyword_scrambled_8bit": 400,
}
REFUSED = {
    "mlonmcu_catdog2__catdog2": "dense_5",
    "mlperf_kws_dscnn_float": "hybrid",
    "mlonmcu_simple_mnist__MNIST_model_quantized": "hybrid",
    "t2o_mobilenet_v1_0.25_128_quant": "legacy uint8",
    "tflm_audio_preprocessor_float": "SignalEnergy",
    "tflm_audio_preprocessor_int8": "SignalEnergy",
}


def _transposed_convolution_nchw(builder: relax.BlockBuilder, call: relax.Call) -> relax.Expr:
    """conv2d_transpose as TVM's library has it, which knows NCHW only."""
    attributes = call.attrs
    planes = builder.emit(relax.op.permute_dims(call.args[0], [0, 3, 1, 2]))
    result = relax.op.nn.conv2d_transpose(
        planes,
        call.args[1],
        strides=[int(size) for size in attributes.strides],
        padding=[int(size) for size in attributes.padding],
        output_padding=[int(size) for size in attributes.output_padding],
    )
    legal = tvm.ir.Op.get("relax.nn.conv2d_transpose").get_attr("FLegalize")(
        builder, builder.normalize(result)
    )
    return relax.op.permute_dims(builder.emit(legal), [0, 2, 3, 1])


def run(module: tvm.IRModule, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """The outputs of `main`, new states included, on TVM's VM; states start as after a reset."""
    main = module["main"]
    states = [
        state.initial_array(variable)
        for variable, state in zip(main.params[len(inputs) :], read_states(main), strict=True)
    ]
    legal = relax.transform.LegalizeOps({"relax.nn.conv2d_transpose": _transposed_convolution_nchw})(module)
    machine = relax.VirtualMachine(tvm.compile(legal, target=QUICK_LLVM), tvm.cpu())
    result = machine["main"](
        *[tvm.runtime.tensor(np.ascontiguousarray(value)) for value in (*inputs, *states)]
    )
    return [value.numpy() for value in ([result] if hasattr(result, "numpy") else result)]


def _steps(module: tvm.IRModule, golden: np.lib.npyio.NpzFile, case: int) -> float:
    """The largest difference to the golden outputs, in steps of the output."""
    edges = read_edges(module)
    inputs = [golden[f"in{index}"][case].reshape(edge.shape) for index, edge in enumerate(edges.inputs)]
    worst = 0.0
    for index, (edge, value) in enumerate(zip(edges.outputs, run(module, inputs), strict=False)):
        key = f"out{index}_tflm" if f"out{index}_tflm" in golden else f"out{index}"
        expected = golden[key][case].reshape(edge.shape)
        worst = max(worst, float(np.abs(value.astype(np.float64) - expected).max()))
    return worst


@pytest.mark.parametrize("name", MODELS)
def test_agrees_with_the_golden_outputs(name: str, corpus: Path) -> None:
    module = load_tflite(corpus / "tflite" / "int8" / f"{name}.tflite")
    with np.load(corpus / "golden" / f"{name}.npz") as golden:
        assert max(_steps(module, golden, case) for case in (0, 4)) <= MODELS[name]


@pytest.mark.parametrize("kind", ["add", "conv", "leaky_relu", "pad", "quantize", "strided_slice", "sub"])
def test_sixteen_bit_layers_agree_within_a_step(kind: str, corpus: Path) -> None:
    for path in sorted((corpus / "seanet" / kind).glob("*0.tflite")):
        _check_sixteen_bits(path)


def test_sixteen_bit_transposed_convolutions_agree_within_a_step(corpus: Path) -> None:
    for path in sorted((corpus / "seanet" / "transpose_conv").glob("*.tflite")):
        _check_sixteen_bits(path)


def _check_sixteen_bits(path: Path) -> None:
    module = load_tflite(path)
    arrays = [_csv(file) for file in sorted(path.parent.glob(f"{path.stem}_input*.csv"))]
    inputs = []
    for edge in read_edges(module).inputs:
        position = next(index for index, array in enumerate(arrays) if array.size == np.prod(edge.shape))
        inputs.append(arrays.pop(position).astype(edge.dtype).reshape(edge.shape))
    (value,) = run(module, inputs)
    expected = _csv(next(path.parent.glob(f"{path.stem}_golden*.csv")))
    assert np.abs(value.reshape(-1).astype(np.int64) - expected).max() <= 1, path.stem


def _csv(path: Path) -> np.ndarray:
    return np.loadtxt(path, delimiter=",", dtype=np.int64).reshape(-1)


def test_every_int8_model_is_imported(corpus: Path) -> None:
    paths = [*(corpus / "tflite" / "int8").glob("*.tflite"), *(corpus / "tflite" / "layers").glob("*.tflite")]
    assert len(paths) == 29 + 39
    for path in paths:
        relax.analysis.well_formed(load_tflite(path))


@pytest.mark.parametrize("name", REFUSED)
def test_files_that_cannot_be_compiled_are_refused_with_the_reason(name: str, corpus: Path) -> None:
    path = corpus / "tflite" / "other" / f"{name}.tflite"
    with pytest.raises(TinyccError, match=REFUSED[name]) as caught:
        load_tflite(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_float_models_are_refused_with_advice(corpus: Path) -> None:
    for path in (corpus / "tflite" / "float").glob("*.tflite"):
        with pytest.raises(TinyccError, match="compile it with --float"):
            load_tflite(path)


def test_state_is_explicit_and_reset_to_its_zero_point(corpus: Path) -> None:
    module = load_tflite(corpus / "tflite" / "int8" / "tflm_mnist_lstm_int8.tflite")
    main = module["main"]
    assert len(main.params) == 3
    hidden, cell = (state.initial for state in read_states(main))
    assert cell == 0
    composites = [function for variable, function in module.functions.items() if variable.name_hint != "main"]
    assert [str(function.attrs["Composite"]) for function in composites] == ["tinycc.unidirectional_lstm"]
    assert int(composites[0].attrs["hidden_zero_point"]) == hidden


def test_descriptions_count_what_the_corpus_table_counts(corpus: Path) -> None:
    table = (corpus / "TABLE.md").read_text().split("## Operators")[0]
    rows = [[cell.strip() for cell in line.split("|")] for line in table.splitlines() if "| public |" in line]
    for row in rows:
        (path,) = (corpus / "tflite").glob(f"*/{row[1]}.tflite")
        found = describe_tflite(path)
        operators, macs, weight_bytes = (int(row[column].replace(",", "")) for column in (4, 5, 6))
        assert (len(found.operators), found.macs, found.weight_bytes) == (operators, macs, weight_bytes), row[
            1
        ]


def test_descriptions_say_what_is_not_supported(corpus: Path) -> None:
    found = describe_tflite(corpus / "tflite" / "other" / "tflm_audio_preprocessor_int8.tflite")
    refused = {operator.kind for operator in found.operators if not operator.supported}
    assert "SignalRfft" in refused
    assert "RESHAPE" not in refused
