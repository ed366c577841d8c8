"""Compile a small Relax module to C and run it on the host.

    module = module_of(
        [((1, 4, 4, 3), "int8")],
        lambda x: quantized(relax.op.sigmoid(dequantized(x, 0.1, 3)), 1 / 256, -128),
    )
    [output] = compile_and_run(module, [values])

The C is built with all warnings as errors and, unless asked otherwise, with the address and
undefined-behaviour sanitizers, so that a kernel that leaves the arena or overflows fails its test.
-Og halves the time of the compiler, which takes far longer than the program.
"""

import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.codegen import generate_operators, write_folder
from tinycc.edges import Edge, Edges, with_edges
from tinycc.limits import SearchLimits
from tinycc.ops import view_of
from tinycc.ops.base import Operator
from tinycc.ops.kernel_call import KernelCall
from tinycc.ops.tensor import ITEM_BYTES
from tinycc.passes.narrow_weights import NarrowWeights
from tinycc.passes.pipeline import default_passes
from tinycc.passes.select_kernels import SelectKernels
from tinycc.plan import Plan, build_plan
from tinycc.run.host import SANITIZERS
from tinycc.run.toolchain import WARNINGS, host_compiler, quick_linker
from tinycc.states import State, with_states

# Of a core, as tinycc.target.Target has them.
Features = tuple[str, ...]

# Where results are looked at, nobody asks whether buffers could lie closer.
_LIMITS = SearchLimits(solver_seconds=0.5)

# Reads cases from the standard input until it ends, writes the outputs of each.
_DRIVER = """
#include <stdio.h>
#include "model.h"

#ifdef MODEL_INPUT_0_ROWS
/* A model fed by rows takes every other one from a buffer of the caller's, the rest in place. */
static int run_case(void)
{
    static int64_t aligned[(MODEL_INPUT_0_ROW_BYTES + 7) / 8];
    for (int y = 0; y < MODEL_INPUT_0_ROWS; ++y) {
        void *const row = y % 2 ? (void *)model_row() : aligned;
        if (fread(row, 1, MODEL_INPUT_0_ROW_BYTES, stdin) != MODEL_INPUT_0_ROW_BYTES) {
            return 0;
        }
        if (model_push_row(row) != (y + 1 == MODEL_INPUT_0_ROWS)) {
            return 0;
        }
    }
    return 1;
}
#else
static int run_case(void)
{
    static const size_t input_bytes[] = {@inputs@};
    for (int i = 0; i < MODEL_INPUTS; ++i) {
        if (fread(model_input(i), 1, input_bytes[i], stdin) != input_bytes[i]) {
            return 0;
        }
    }
    model_invoke();
    return 1;
}
#endif

int main(void)
{
    static const size_t output_bytes[] = {@outputs@};
    model_reset();
    while (run_case()) {
        for (int i = 0; i < MODEL_OUTPUTS; ++i) {
            fwrite(model_output(i), 1, output_bytes[i], stdout);
        }
    }
    return 0;
}
"""


def dequantized(
    stored: relax.Expr | np.ndarray, scale: float | np.ndarray, zero_point: int = 0, axis: int = -1
) -> relax.Expr:
    """`stored`, an integer expression or the array of a constant, as real numbers.

    scale: one, or a vector of them along `axis`.
    """
    if isinstance(stored, np.ndarray):
        stored = tvm_adapter.make_constant(stored)
    scales = relax.const(np.float32(scale), "float32")
    return relax.op.dequantize(stored, scales, relax.const(zero_point, "int32"), axis=axis)


def quantized(value: relax.Expr, scale: float, zero_point: int = 0, dtype: str = "int8") -> relax.Expr:
    """Real numbers as integers of `dtype`."""
    scales = relax.const(np.float32(scale), "float32")
    return relax.op.quantize(value, scales, relax.const(zero_point, "int32"), out_dtype=dtype)


def module_of(
    inputs: Sequence[tuple[tuple[int, ...], str]],
    body: Callable[..., relax.Expr | Sequence[relax.Expr]],
    states: Sequence[tuple[tuple[int, ...], str, int | np.ndarray]] = (),
) -> tvm.IRModule:
    """A module in the normal form.

    inputs: shape and dtype of each.
    body: makes the result, or the results, from one variable for each input and state; updated states last.
    states: shape, dtype and what a reset writes.
    """
    builder = relax.BlockBuilder()
    tensors = [*inputs, *((shape, dtype) for shape, dtype, _ in states)]
    variables = [
        relax.Var(f"x{index}", relax.TensorType(shape, dtype)) for index, (shape, dtype) in enumerate(tensors)
    ]
    with builder.function("main", variables):
        with builder.dataflow():
            results = body(*variables)
            several = isinstance(results, Sequence)
            values = [builder.emit(value) for value in (results if several else [results])]
            output = builder.emit_output(relax.Tuple(values) if several else values[0])
        builder.emit_func_output(output)
    return _with_edges(builder.get(), [value for _, _, value in states])


def module_of_composite(
    composite: relax.Function, reset_values: Sequence[int | np.ndarray] = ()
) -> tvm.IRModule:
    """A module in the normal form whose only operator is `composite`; its last parameters are states.

    reset_values: what a reset writes into each state.
    """
    builder = relax.BlockBuilder()
    callee = builder.add_func(composite, "composite")
    variables = [relax.Var(f"x{index}", parameter.ty) for index, parameter in enumerate(composite.params)]
    with builder.function("main", variables):
        with builder.dataflow():
            result = builder.emit(relax.Call(callee, variables, ty_args=[composite.ret_ty]))
            if isinstance(result.ty, relax.TupleType):
                items = [relax.TupleGetItem(result, index) for index in range(len(result.ty.fields))]
                result = relax.Tuple([builder.emit(item) for item in items])
            output = builder.emit_output(result)
        builder.emit_func_output(output)
    return _with_edges(builder.get(), reset_values)


def _with_edges(module: tvm.IRModule, reset_values: Sequence[int | np.ndarray] = ()) -> tvm.IRModule:
    """`module` with edges as its parameters and results are; the last of both are states, by reset value."""
    main = module["main"]
    count = len(reset_values)
    inputs, results = list(main.params), tvm_adapter.returned(main)
    edges = Edges(
        tuple(_edge("in", index, inputs[index]) for index in range(len(inputs) - count)),
        tuple(_edge("out", index, results[index]) for index in range(len(results) - count)),
    )
    main = with_edges(main, edges)
    if reset_values:
        main = with_states(main, [State(f"state{index}", value) for index, value in enumerate(reset_values)])
    module.update_func(module.get_global_var("main"), main)
    return module


def _edge(side: str, index: int, variable: relax.Expr) -> Edge:
    return Edge(f"{side}{index}", tvm_adapter.dtype_of(variable), tvm_adapter.shape_of(variable))


def views_in(module: tvm.IRModule, features: Features = ()) -> list[Operator]:
    """The operators that a module in the normal form is fused into, in its order, their kernels chosen."""
    passes = default_passes("float", features=features)
    last = [index for index, item in enumerate(passes) if item.info.name == "FuseQuantizedOps"][-1]
    fused = tvm.transform.Sequential([*passes[: last + 1], NarrowWeights(), SelectKernels(features)])(module)
    calls = (binding.value for binding in tvm_adapter.bindings_of(fused["main"]))
    return [
        view_of(fused[call.op])
        for call in calls
        if isinstance(call, relax.Call) and isinstance(call.op, tvm.ir.GlobalVar)
    ]


def kernel_call(view: Operator) -> KernelCall:
    """The call of the kernel that was chosen, on whole tensors."""
    call = view.call()
    assert isinstance(call, KernelCall)
    return call


def compile_and_run(
    module: tvm.IRModule, inputs: Sequence[np.ndarray], *, sanitize: bool = True, features: Features = ()
) -> list[np.ndarray]:
    """The outputs of one inference of a module in the normal form. See `run_cases`."""
    return run_cases(module, [inputs], sanitize=sanitize, features=features)[0]


def run_cases(
    module: tvm.IRModule,
    cases: Sequence[Sequence[np.ndarray]],
    *,
    sanitize: bool = True,
    features: Features = (),
) -> list[list[np.ndarray]]:
    """The outputs of inferences one after the other, on a model that is reset once before the first.

    cases: for each inference its inputs, of the module's shapes and dtypes.
    features: of a core, whose kernels run on the host as well.
    Fails the test, saying what the compiler or the sanitizers said, where anything goes wrong.
    """
    return run_plan(_plan_of(module, features), cases, sanitize)


def run_overlapping(
    module: tvm.IRModule,
    inputs: Sequence[np.ndarray],
    distance: int,
    index: int = 0,
    features: Features = (),
) -> list[np.ndarray]:
    """The outputs of a module of one operator whose output starts `distance` bytes before input `index`."""
    plan = _plan_of(module, features)
    [step] = plan.steps
    source, output = step.inputs[index], step.outputs[0]
    assert source is not None
    offsets = {output: max(0, -distance), source: max(0, distance)}
    end = max(offsets[name] + plan.buffers[name].bytes for name in offsets)
    for name, buffer in plan.buffers.items():
        if name not in offsets:
            offsets[name] = -(-end // 8) * 8
            end = offsets[name] + buffer.bytes
    buffers = {name: replace(buffer, offset=offsets[name]) for name, buffer in plan.buffers.items()}
    # What a kernel touches is asked elsewhere: here bytes are shared that may be.
    return run_plan(replace(plan, buffers=buffers, arena_bytes=end), [inputs], False)[0]


def check_overlap(
    module: tvm.IRModule,
    inputs: Sequence[np.ndarray],
    index: int = 0,
    *,
    is_tight: bool = True,
    features: Features = (),
) -> None:
    """Assert that the overlap distance of a module's only operator is right, and that none less would be.

    is_tight: False where a kernel that sums several outputs together may come closer than what is promised.
    """
    [view] = views_in(module, features)
    distance = view.overlap_distance(index)
    assert distance is not None
    behind = -(-view.outputs[0].bytes // 8) * 8
    apart = run_overlapping(module, inputs, behind, index, features)
    for expected, result in zip(
        apart, run_overlapping(module, inputs, distance, index, features), strict=True
    ):
        np.testing.assert_array_equal(result, expected)
    if not is_tight:
        return
    step = max(ITEM_BYTES[tensor.dtype] for tensor in (view.inputs[index], view.outputs[0]))
    closer = run_overlapping(module, inputs, distance - step, index, features)
    assert any((a != b).any() for a, b in zip(closer, apart, strict=True)), "a smaller distance would do"


def _plan_of(module: tvm.IRModule, features: Features) -> Plan:
    return build_plan(tvm.transform.Sequential(default_passes("float", features=features))(module), _LIMITS)


def run_plan(
    plan: Plan,
    cases: Sequence[Sequence[np.ndarray]],
    sanitize: bool,
    *,
    edit: Callable[[str], str] = str,
    messages: list[str] | None = None,
) -> list[list[np.ndarray]]:
    """The outputs of inferences by the C of a plan. See `run_cases`.

    edit: applied to the text of model.c. messages: takes what the program wrote on the standard error.
    """
    for case in cases:
        given = [(array.shape, str(array.dtype)) for array in case]
        expected = [(tensor.shape, tensor.dtype) for tensor in plan.input_tensors]
        assert given == expected, f"the module takes {expected}, not {given}"
    with tempfile.TemporaryDirectory(prefix="tinycc-kernel-") as directory:
        folder = Path(directory)
        write_folder(plan, generate_operators(plan), folder, name="model", title="test")
        source = folder / "model.c"
        source.write_text(edit(source.read_text(encoding="utf-8")), encoding="utf-8")
        driver = _DRIVER
        for name, tensors in (("@inputs@", plan.input_tensors), ("@outputs@", plan.output_tensors)):
            driver = driver.replace(name, ", ".join(str(tensor.bytes) for tensor in tensors))
        (folder / "program.c").write_text(f'#include "model.c"\n{driver}', encoding="utf-8")
        flags = SANITIZERS if sanitize else ("-Og",)
        options = ["-std=c99", *WARNINGS, "-Werror", *flags, *quick_linker()]
        _checked([host_compiler(), *options, "program.c", "-lm", "-o", "program"], folder)
        stdin = b"".join(np.ascontiguousarray(array).tobytes() for case in cases for array in case)
        stdout = _checked(["./program"], folder, stdin, messages)
    outputs, offset = [], 0
    for _ in cases:
        case_outputs = []
        for tensor in plan.output_tensors:
            data = np.frombuffer(stdout, tensor.dtype, tensor.elements, offset)
            case_outputs.append(data.reshape(tensor.shape))
            offset += tensor.bytes
        outputs.append(case_outputs)
    assert offset == len(stdout)
    return outputs


def _checked(
    command: list[str], folder: Path, stdin: bytes = b"", messages: list[str] | None = None
) -> bytes:
    """What a command wrote; the test fails with its messages if it does not succeed."""
    # The leak check needs ptrace, which containers often forbid, and nothing is allocated.
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}
    finished = subprocess.run(command, cwd=folder, input=stdin, capture_output=True, env=environment)
    if finished.returncode != 0:
        pytest.fail(f"{command[0]} failed:\n{finished.stderr.decode(errors='replace')[:4000]}")
    if messages is not None:
        messages.append(finished.stderr.decode(errors="replace"))
    return finished.stdout
