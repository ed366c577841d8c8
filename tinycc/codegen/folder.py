"""The generated folder: model.c, model.h, kernels, build files and an example."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tinycc import runtime_c
from tinycc.codegen.addresses import buffer_offset
from tinycc.codegen.c_text import c_array, c_comment, c_type, c_value
from tinycc.codegen.operator_code import OperatorCode
from tinycc.codegen.rendering import render
from tinycc.codegen.row_input import row_place
from tinycc.codegen.training_code import TrainingCode
from tinycc.edges import Edge
from tinycc.errors import UnsupportedError
from tinycc.ops.tensor import ITEM_BYTES, Tensor
from tinycc.plan import Plan
from tinycc.version import VERSION

# The headers of C, which a <name>.h found first would hide, and targets that CMake has of its own.
C_HEADERS = (
    "assert", "complex", "ctype", "errno", "fenv", "float", "inttypes", "iso646", "limits", "locale", "math",
    "setjmp", "signal", "stdarg", "stdbool", "stddef", "stdint", "stdio", "stdlib", "string", "tgmath",
    "time", "wchar", "wctype",
)  # fmt: skip
CMAKE_TARGETS = ("all", "clean", "help", "install")
KERNELS = Path(runtime_c.__file__).parent / "kernels"
# Where each header lies below it; no two have one name.
_PLACES = {path.name: path.relative_to(KERNELS).as_posix() for path in KERNELS.rglob("*.h")}

# How the example prints an output, where it is not an int.
_PRINTED = {
    "float32": '"%g\\n", (double)output[i]',
    "int32": '"%ld\\n", (long)output[i]',
    "int64": '"%lld\\n", (long long)output[i]',
}


def check_name(name: str) -> None:
    """UnsupportedError if `name` cannot be that of the source, the header, the symbols and the library."""
    if not name.isidentifier() or not name.isascii() or name in ("main", *C_HEADERS, *CMAKE_TARGETS):
        raise UnsupportedError(
            f"the name {name!r} cannot be that of a C source and its symbols: use letters, digits and "
            "underscores, and not 'main' or what a header of C or a target of CMake is called"
        )


def write_folder(
    plan: Plan,
    code: OperatorCode,
    folder: Path,
    *,
    name: str,
    title: str,
    training: TrainingCode | None = None,
) -> None:
    """Write the C of a plan and its operators into an existing folder.

    name: prefix of all symbols, a C identifier; the sources are <name>.c and <name>.h.
    title: said in the head of the files. training: of a model that has a training step as well.
    """
    macro = name.upper()
    context = {
        "name": name,
        "macro": macro,
        "title": c_comment(title),
        "version": VERSION,
        "files": {"source": f"{name}.c", "header": f"{name}.h"},
        "code": code,
        "headers": [_PLACES[header] for header in code.headers],
        "arena_bytes": max(plan.arena_bytes, 1),
        "states_span": plan.states_span,
        "work_offset": plan.work_span[0],
        "inputs": [
            _edge_context(edge, tensor, f"{macro}_INPUT_{index}")
            for index, (edge, tensor) in enumerate(zip(plan.edges.inputs, plan.input_tensors, strict=True))
        ],
        "outputs": [
            _edge_context(edge, tensor, f"{macro}_OUTPUT_{index}")
            for index, (edge, tensor) in enumerate(zip(plan.edges.outputs, plan.output_tensors, strict=True))
        ],
        "input_type": _pointed_type(plan.input_tensors),
        "output_type": _pointed_type(plan.output_tensors),
        "arena_pointer": _arena_pointer,
        "input_offsets": ", ".join(buffer_offset(plan, buffer) for buffer in plan.inputs),
        "output_offsets": ", ".join(buffer_offset(plan, buffer) for buffer in plan.outputs),
        "states": _states(plan),
        "row_place": row_place(plan),
        "training": training,
    }
    for template in ("model.c", "model.h", "main.c", "Makefile", "CMakeLists.txt"):
        text = render(template, context)
        (folder / template.replace("model", name)).write_text(text, encoding="utf-8")
    for place in kernel_places([*code.headers, *(["checkpoint.h"] if training else [])]):
        copy = folder / "kernels" / place
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes((KERNELS / place).read_bytes())


def kernel_places(headers: list[str]) -> list[str]:
    """Where the headers named and all that they include lie below `KERNELS`, sorted."""
    needed: set[str] = set()
    waiting = list(headers)
    while waiting:
        place = _PLACES[waiting.pop()]
        if place not in needed:
            needed.add(place)
            text = (KERNELS / place).read_text(encoding="utf-8")
            waiting += re.findall(r'#include "(?:.*/)?([^"/]+)"', text)
    return sorted(needed)


def _edge_context(edge: Edge, tensor: Tensor, macro: str) -> dict[str, object]:
    """How an input or output is told in the header and used in the example."""
    meaning, macros = "", ""
    if edge.scale is not None:
        scale = c_value(edge.scale)
        meaning = f", real = {scale} * (value - {edge.zero_point})"
        macros = f"\n#define {macro}_SCALE {scale}\n#define {macro}_ZERO_POINT {c_value(edge.zero_point)}"
    if edge.permutation:
        axes = ", ".join(map(str, edge.permutation))
        meaning += f"; the model file's axes permuted by ({axes})"
    return {
        "name": c_comment(edge.name),
        "type": c_type(tensor.dtype),
        "shape": ", ".join(map(str, tensor.shape)),
        "bytes": tensor.bytes,
        "item_bytes": ITEM_BYTES[tensor.dtype],
        "meaning": meaning,
        "macros": macros,
        "fill": edge.zero_point if tensor.dtype in ("int8", "uint8") else 0,
        "printed": _PRINTED.get(tensor.dtype, '"%d\\n", output[i]'),
    }


def _pointed_type(tensors: Sequence[Tensor]) -> str:
    """What the functions that give out inputs, or outputs, point to: void where types differ."""
    types = {c_type(tensor.dtype) for tensor in tensors} or {"int8_t"}
    return types.pop() if len(types) == 1 else "void"


def _arena_pointer(pointed_type: str, address: str, const: str = "") -> str:
    """An address in the arena as a pointer to elements."""
    if pointed_type in ("int8_t", "void"):
        return address
    return f"({const}{pointed_type} *)({const}void *)({address})"


def _states(plan: Plan) -> list[dict[str, object]]:
    """What a reset writes: one entry for each state buffer; an array of initial values lies in flash."""
    dtypes = {1: "int8", 2: "int16", 4: "int32"}
    states = []
    for name, initial in plan.state_values.items():
        buffer = plan.buffers[name]
        array = f"{name}_initial"
        states.append(
            {
                "elements": buffer.bytes // buffer.alignment,
                "bytes": buffer.bytes,
                "type": c_type(dtypes[buffer.alignment]),
                "offset": buffer_offset(plan, name),
                "value": initial,
                "array": array if isinstance(initial, np.ndarray) else "",
                "constant": c_array(array, initial) if isinstance(initial, np.ndarray) else "",
            }
        )
    return states
