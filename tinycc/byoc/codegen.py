"""A region that TVM has handed over as a library: planned, written as C, compiled for this machine."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.byoc.region import as_partitioned, flat
from tinycc.codegen import generate_operators, write_folder
from tinycc.codegen.c_text import c_type
from tinycc.ops.tensor import Tensor
from tinycc.passes.infer_edges import InferEdges
from tinycc.passes.pipeline import default_passes, quantized_passes
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
    # A region has been through these; they would take transposes out of it once more, into its parameters.
    done = {item.info.name for item in quantized_passes()}
    passes = [InferEdges(), *(item for item in default_passes("float") if item.info.name not in done)]
    plan = build_plan(tvm_adapter.run_passes(passes, tvm.IRModule({"main": flat(as_partitioned(region))})))
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
