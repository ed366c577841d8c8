"""Modules straight from TVM's importers, and tinycc's passes in the caller's PassContext."""

import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import tflite
import tvm
from tvm import relax
from tvm.ir.instrument import PassTimingInstrument, pass_instrument
from tvm.relax.frontend.onnx import from_onnx
from tvm.relax.frontend.tflite import from_tflite

import tinycc
import tinycc.passes
from tinycc import tvm_adapter
from tinycc.compiler import CompiledModel
from tinycc.errors import TinyccWarning, UnsupportedError
from tinycc.frontend.load import load_model
from tinycc.plan import build_plan

DATA = Path(__file__).parent / "data"


@tvm.transform.module_pass(opt_level=0, name="OfTheUser")
class OfTheUser:
    """Changes nothing."""

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        return module


@pass_instrument
class Names:
    """The passes that ran, and how often the context was entered and left."""

    def __init__(self) -> None:
        self.passes: list[str] = []
        self.entered = 0

    def enter_pass_ctx(self) -> None:
        self.entered += 1

    def run_before_pass(self, _module: tvm.IRModule, info: tvm.transform.PassInfo) -> None:
        self.passes.append(str(info.name))


def imported(name: str) -> tvm.IRModule:
    """A file of the tests as TVM's importer gives it."""
    path = DATA / name
    if path.suffix == ".onnx":
        return from_onnx(onnx.load(path))
    return from_tflite(tflite.Model.GetRootAsModel(path.read_bytes(), 0))


def random_inputs(compiled: CompiledModel) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.uniform(-2, 2, (3, *edge.shape)).astype(edge.dtype) for edge in compiled.plan.edges.inputs]


def check_same(one: CompiledModel, other: CompiledModel) -> None:
    """The same arena and operators; what the edges are called may differ."""
    for figure in ("arena_bytes", "weight_bytes", "macs", "fallbacks"):
        assert one.report[figure] == other.report[figure]
    shown = [[(row["kind"], row["description"]) for row in each.report["operators"]] for each in (one, other)]
    assert shown[0] == shown[1]


def check_outputs(one: CompiledModel, other: CompiledModel) -> None:
    """The same integers."""
    inputs = random_inputs(one)
    for expected, found in zip(one.run(inputs), other.run(inputs), strict=True):
        np.testing.assert_array_equal(expected, found)


@pytest.mark.parametrize("name", ["branches_int8_qdq.onnx", "branches_uint8_qdq.onnx", "mobile_int8.tflite"])
def test_an_imported_module_is_compiled_like_its_file(name: str) -> None:
    with tvm.transform.PassContext(opt_level=2):
        module = tvm.transform.Sequential([OfTheUser()])(imported(name))
        compiled = tinycc.compile(module)
    assert compiled.report["fallbacks"] == []
    check_same(tinycc.compile(DATA / name), compiled)
    check_outputs(tinycc.compile(DATA / name), compiled)


def test_a_torch_program_from_tvms_importer_is_compiled_like_the_program() -> None:
    torch = pytest.importorskip("torch")
    from tvm.relax.frontend.torch import from_exported_program

    from tests.frontend.torch_tools import EveryOperator, quantized_program
    from tinycc.frontend.torch.pt2e_converters import CONVERTERS

    layers = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, stride=2), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(), torch.nn.Linear(4, 5),
    ).eval()  # fmt: skip
    program = quantized_program(layers, [(1, 3, 8, 8)], EveryOperator())
    module = from_exported_program(program, custom_convert_map=CONVERTERS)
    compiled = tinycc.compile(module)
    assert compiled.report["fallbacks"] == []
    check_same(tinycc.compile(program), compiled)
    check_outputs(tinycc.compile(program), compiled)


def test_the_entry_may_have_any_name_and_its_constants_be_parameters() -> None:
    kept = from_onnx(onnx.load(DATA / "classifier_int8_qdq.onnx"), keep_params_in_input=True)
    module = tvm.IRModule({"predict": kept["main"].with_attr("global_symbol", "predict")})
    check_same(tinycc.compile(DATA / "classifier_int8_qdq.onnx"), tinycc.compile(module))


def test_a_batch_that_is_not_stated_is_one() -> None:
    model = onnx.load(DATA / "classifier_int8_qdq.onnx")
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    check_same(tinycc.compile(DATA / "classifier_int8_qdq.onnx"), tinycc.compile(from_onnx(model)))


def test_what_is_not_one_model_is_refused_by_name() -> None:
    main = imported("classifier_int8_qdq.onnx")["main"]
    functions = {name: main.with_attr("global_symbol", name) for name in ("first", "second")}
    with pytest.raises(UnsupportedError, match=r"2 public Relax functions \(first, second\)"):
        tinycc.compile(tvm.IRModule(functions))
    with pytest.raises(UnsupportedError, match="none"):
        tinycc.compile(tvm.IRModule({}))


def test_parameters_without_values_are_refused_by_name() -> None:
    kept = from_onnx(onnx.load(DATA / "classifier_int8_qdq.onnx"), keep_params_in_input=True)
    main = kept["main"].without_attr("params")
    with pytest.raises(UnsupportedError, match=main.params[1].name):
        tinycc.compile(tvm.IRModule({"main": main}))


def test_a_normal_form_stays_as_it_is() -> None:
    for name in ("mobile_int8.tflite", "branches_uint8_qdq.onnx"):
        module = load_model(DATA / name)
        again = tvm_adapter.run_passes([tinycc.passes.ToNormalForm()], module)
        check_same(tinycc.compile(module), tinycc.compile(again))


def test_instruments_of_the_caller_see_each_pass_once() -> None:
    names, times = Names(), PassTimingInstrument()
    with tvm.transform.PassContext(instruments=[names, times]) as context:
        compiled = tinycc.compile(DATA / "mobile_int8.tflite")
        measured = times.render()
        assert len(context.instruments) == 2
    ran = Counter(record["name"] for record in compiled.report["passes"])
    assert names.passes[0] == "tinycc" and not ran - Counter(names.passes)
    assert names.passes.count("ScheduleStages") == 1
    assert names.entered == 1
    assert "tinycc" in measured and "ScheduleStages" in measured
    assert compiled.passes[0].seconds > 0


def test_the_context_chooses_among_passes() -> None:
    default = tinycc.compile(DATA / "mobile_int8.tflite")
    with tvm.transform.PassContext(disabled_pass=["ScheduleStages"]):
        whole = tinycc.compile(DATA / "mobile_int8.tflite")
    ran = {record["name"] for record in whole.report["passes"]}
    assert "ScheduleStages" not in ran and "OrderOperators" in ran
    with tvm.transform.PassContext(opt_level=0, required_pass=["RewriteInPlace"]):
        least = tinycc.compile(imported("mobile_int8.tflite"))
    ran = {record["name"] for record in least.report["passes"]}
    assert "RewriteInPlace" in ran and not ran & {"ScheduleStages", "OrderOperators", "SelectKernels"}
    check_outputs(default, least)


def test_an_error_leaves_the_callers_context_as_it_was() -> None:
    names = Names()
    with tvm.transform.PassContext(instruments=[names]) as context:
        with pytest.raises(UnsupportedError):
            tinycc.compile(tvm.IRModule({}))
        assert len(context.instruments) == 1


def test_the_pipeline_is_found_by_name() -> None:
    options: dict[str, Any] = {"target": "cortex-m7", "sram": "64K", "io": "float"}
    module = relax.get_pipeline("tinycc", **options)(imported("mobile_int8.tflite"))
    compiled = tinycc.compile(imported("mobile_int8.tflite"), **options)
    assert build_plan(module).arena_bytes == compiled.plan.arena_bytes
    assert {"InferEdges", "ToNormalForm"} <= {record.name for record in compiled.passes}


def test_every_pass_is_exported() -> None:
    files = [path.read_text(encoding="utf-8") for path in Path(tinycc.passes.__file__).parent.glob("*.py")]
    decorated = sum(
        text.count("module_pass(opt_level") + text.count("function_pass(opt_level") for text in files
    )
    exported = [getattr(tinycc.passes, name) for name in tinycc.passes.__all__]
    assert sum(isinstance(item, type) for item in exported) == decorated


def test_weights_that_fold_constant_made_floats_are_recognised() -> None:
    folded = relax.transform.FoldConstant()(load_model(DATA / "mobile_int8.tflite"))
    with pytest.warns(TinyccWarning, match="float weights beside a quantized input.*FoldConstant"):
        compiled = tinycc.compile(folded)
    assert compiled.report["float_layers"]


def test_fallbacks_that_are_much_of_the_work_are_told() -> None:
    x = relax.Var("x", relax.TensorType((1, 64), "float32"))
    builder = relax.BlockBuilder()
    with builder.function("main", [x]):
        with builder.dataflow():
            result = builder.emit_output(builder.emit(relax.op.cos(x)))
        builder.emit_func_output(result)
    with pytest.warns(TinyccWarning, match=r"1 of 1 operators are fallbacks, with at least 100%.*cos"):
        tinycc.compile(builder.get())


def test_a_model_that_has_kernels_is_compiled_in_silence() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", TinyccWarning)
        tinycc.compile(DATA / "mobile_int8.tflite")
