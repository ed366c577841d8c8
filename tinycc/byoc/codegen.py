"""A region that TVM has handed over as a library: planned, written as C, compiled for this machine."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.codegen import generate_operators, write_folder
from tinycc.codegen.c_text import c_type
from tinycc.ops.tensor import Tensor
from tinycc.passes.infer_edges import InferEdges
from tinycc.passes.pipeline import default_passes
from tinycc.plan import Plan, build_plan
from tinycc.run.toolchain import WARNINGS, host_compiler, run_tool

_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("tinycc.byoc"), undefined=jinja2.StrictUndefined, keep_trailing_newline=True
)
# DLPack's codes of element types, by the first letters of their names.
_TYPE_CODES = {"int": "kDLInt", "uint": "kDLUInt", "float": "kDLFloat"}


def compile_regions(
    functions: Sequence[relax.Function], _options: Mapping[str, Any], _constant_names: Mapping[Any, str]
) -> list[tvm.runtime.Module]:
    """A static library for each region; `relax.transform.RunCodegen` calls this as relax.ext.tinycc.

    Each exports a function of TVM's packed calling convention by the region's name, which takes its inputs
    and then its outputs. Its arena is allocated for the call, so that threads do not share it.

    Raises ToolError where there is no C compiler.
    """
    return [
        _library(function, str(tvm_adapter.attribute(function, "global_symbol"))) for function in functions
    ]


def _library(region: relax.Function, name: str) -> tvm.runtime.Module:
    passes = [InferEdges(), *default_passes("float")]
    plan = build_plan(tvm_adapter.run_passes(passes, tvm.IRModule({"main": _flat(region)})))
    with tempfile.TemporaryDirectory(prefix="tinycc-region-") as directory:
        folder = Path(directory)
        write_folder(plan, generate_operators(plan, name), folder, name=name, title=f"region {name}")
        source = folder / f"{name}_packed.c"
        source.write_text(_packed(plan, name), encoding="utf-8")
        item = folder / f"{name}.o"
        flags = ["-std=gnu99", "-O2", "-fPIC", "-fvisibility=hidden", *WARNINGS]
        flags += [f"-isystem{path}" for path in tvm_adapter.include_folders()]
        run_tool(
            [host_compiler(), *flags, "-c", str(source), "-o", str(item)], f"compiling {name}", where=folder
        )
        return tvm.runtime.load_static_library(str(item), [name])


def _flat(region: relax.Function) -> relax.Function:
    """The operators of a region, which calls functions that stand within it."""
    builder = relax.BlockBuilder()
    values: dict[relax.Var, relax.Expr] = {}
    members: dict[relax.Var, relax.Function] = {}
    with builder.function("main", list(region.params)):
        with builder.dataflow():
            for binding in tvm_adapter.bindings_of(region):
                if isinstance(binding.value, relax.Function):
                    members[binding.var] = binding.value
                elif isinstance(binding.value, relax.Call) and binding.value.op in members:
                    arguments = [tvm_adapter.substitute(item, values) for item in binding.value.args]
                    values[binding.var] = _emitted(builder, members[binding.value.op], arguments)
                else:
                    values[binding.var] = builder.emit(tvm_adapter.substitute(binding.value, values))
            results = [tvm_adapter.substitute(item, values) for item in tvm_adapter.returned(region)]
            output = builder.emit_output(results[0] if len(results) == 1 else relax.Tuple(results))
        builder.emit_func_output(output)
    return builder.get()["main"]


def _emitted(builder: relax.BlockBuilder, member: relax.Function, arguments: list[relax.Expr]) -> relax.Expr:
    """The operators of a member on other operands, and their result."""
    values = dict(zip(member.params, arguments, strict=True))
    for binding in tvm_adapter.bindings_of(member):
        values[binding.var] = builder.emit(tvm_adapter.substitute(binding.value, values))
    [result] = tvm_adapter.returned(member)
    return tvm_adapter.substitute(result, values)


def _packed(plan: Plan, name: str) -> str:
    """The C of the function that TVM calls."""
    return _TEMPLATES.get_template("packed.c.j2").render(
        name=name,
        inputs=[_tensor(tensor) for tensor in plan.input_tensors],
        outputs=[_tensor(tensor) for tensor in plan.output_tensors],
    )


def _tensor(tensor: Tensor) -> dict[str, Any]:
    letters = tensor.dtype.rstrip("0123456789")
    return {
        "type": c_type(tensor.dtype),
        "code": _TYPE_CODES[letters],
        "bits": tensor.dtype.removeprefix(letters),
        "shape": ", ".join(map(str, tensor.shape)) or "1",
        "rank": len(tensor.shape),
        "bytes": tensor.bytes,
        "text": f"{tensor.dtype} [{', '.join(map(str, tensor.shape))}]",
    }
