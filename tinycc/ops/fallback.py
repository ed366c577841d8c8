"""Whatever TVM can legalise and no other operator computes: loops printed as C by TVM."""

import re
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import tvm
from tvm import relax
from tvm.relax.transform import FusionPattern

from tinycc import tvm_adapter
from tinycc.errors import UnsupportedError
from tinycc.ops.base import ElementTypes, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.kernel import Kernel, Scratch
from tinycc.ops.kernel_call import SourceCall
from tinycc.ops.legalization import LEGALIZATIONS
from tinycc.ops.loop_nest import print_loop_nest
from tinycc.ops.room import Room
from tinycc.ops.tensor import ITEM_BYTES, Tensor

# Attribute of a composite that another operator could not take: why.
REASON = "tinycc.fallback_reason"
# TVM's class of functions whose output element i depends on the elements i of the inputs only.
_ELEMENTWISE = 0
_SCRATCH_ALIGNMENT = 8

# What TVM prints converts between integer types implicitly, so one warning is off for it.
_SOURCE = """\
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#endif
{functions}
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

static void @name@({parameters})
{{
{calls}
}}"""


@dataclass(frozen=True, eq=False)
class Fallback(Operator):
    """Any Relax computation on tensors of static shape.

    operators: names of what it computes.
    reason: why no kernel does.
    source, includes: see SourceCall.
    working_bytes: of the buffers between loops.
    is_elementwise: element i of the output depends on elements i of the inputs only, and loops ascend.
    """

    operators: tuple[str, ...]
    reason: str
    source: str
    includes: tuple[str, ...]
    working_bytes: int
    is_elementwise: bool

    kind: ClassVar[str] = "fallback"
    element_types: ClassVar[ElementTypes] = None

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """None: lower_fallbacks decides what becomes a fallback."""
        return []

    @classmethod
    def from_composite(cls, composite: Composite) -> "Fallback":
        """Lower the body to loops; UnsupportedError names what TVM cannot lower or print."""
        function = composite.function
        operators = tuple(
            name.removeprefix("relax.")
            for binding in tvm_adapter.bindings_of(function)
            if (name := tvm_adapter.op_name(binding.value))
        )
        dtypes = ", ".join(sorted({tvm_adapter.dtype_of(parameter) for parameter in function.params}))
        try:
            source = _Source(_legalized(function))
        except Exception as error:  # TVM raises and asserts what a lowering demands
            lines = str(error).strip().splitlines()
            reason = lines[0] if lines else "TVM cannot lower it"
            raise UnsupportedError(
                f"{', '.join(operators)} with the result {function.ret_ty}: {reason}"
            ) from error
        return cls(
            inputs=source.inputs,
            outputs=_tensors(function.ret_ty),
            operators=operators,
            reason=str(tvm_adapter.attribute(function, REASON, f"no kernel for {dtypes}")),
            source=source.text,
            includes=source.includes,
            working_bytes=source.working_bytes,
            is_elementwise=source.is_elementwise,
        )

    def describe(self) -> str:
        """What it computes, and why it is a fallback."""
        return f"{', '.join(self.operators)}: {self.reason}"


class LoopNests(Kernel[Fallback]):
    """The C that TVM printed."""

    def call(self, view: Fallback) -> SourceCall:
        """One call for the whole tensors."""
        return SourceCall(view.source, view.includes)

    def scratch(self, view: Fallback) -> Scratch:
        """The buffers between loops; the alignment is enough for every type."""
        return Scratch(view.working_bytes, _SCRATCH_ALIGNMENT)

    def overlap(self, view: Fallback, index: int) -> int | None:
        """In place if it is elementwise, and the elements are of one type."""
        source, output = view.inputs[index], view.outputs[0]
        if view.is_elementwise and source.dtype == output.dtype and source.elements == output.elements:
            return 0
        return None


ROOM = Room(Fallback, (LoopNests(),))


def _legalized(function: relax.Function) -> tvm.IRModule:
    """A module whose `main` computes `function` by calls of TIR functions."""
    plain = relax.Function(function.params, function.body, function.ret_ty, function.is_pure)
    module = tvm.IRModule({"main": plain.with_attr("global_symbol", "main")})
    with tvm.target.Target("c"):
        steps = [
            relax.backend.DispatchSortScan(),
            relax.transform.LegalizeOps(LEGALIZATIONS),
            relax.transform.AnnotateTIROpPattern(),
            relax.transform.FuseOps(),
            relax.transform.FuseTIR(),
            relax.transform.AnnotateTIROpPattern(),
        ]
        return tvm_adapter.run_passes(steps, module)


def _tensors(result: relax.Type) -> tuple[Tensor, ...]:
    """The tensors of a type; ValueError for shapes and types that cannot lie in the arena."""
    if isinstance(result, relax.TupleType):
        return tuple(tensor for field in result.fields for tensor in _tensors(field))
    if not isinstance(result, relax.TensorType) or str(result.dtype) not in ITEM_BYTES:
        raise ValueError(f"tensors of type {result} cannot be stored, only of {', '.join(ITEM_BYTES)}")
    return (Tensor(tuple(int(size) for size in result.shape.values), str(result.dtype)),)


class _Source:
    """The C of a legalized function, read call by call.

    A place names a tensor: "input0", or "value3" for what a call writes, which becomes an output or lies in
    the scratch memory.
    """

    def __init__(self, module: tvm.IRModule) -> None:
        self._module = module
        main = module["main"]
        self.inputs = tuple(self._parameter(index, item) for index, item in enumerate(main.params))
        self.includes: tuple[str, ...] = ()
        self._places: dict[relax.Var, list[str]] = {
            parameter: [f"input{index}"] for index, parameter in enumerate(main.params)
        }
        self._value_bytes: dict[str, int] = {}
        self._working_bytes: list[int] = []
        self._functions: list[str] = []
        self._calls: list[tuple[str, list[str]]] = []
        self._patterns: list[int] = []
        for binding in tvm_adapter.bindings_of(main):
            self._places[binding.var] = self._read(binding.value)
        results = [place for item in tvm_adapter.returned(main) for place in self._read(item)]
        self._finish(results)
        self.is_elementwise = self._patterns == [_ELEMENTWISE] and len(results) == 1

    def _parameter(self, index: int, parameter: relax.Var) -> Tensor:
        tensors = _tensors(parameter.ty)
        if len(tensors) != 1:
            raise ValueError("it takes a tuple, not tensors one by one")
        return Tensor(tensors[0].shape, tensors[0].dtype, parameter=index)

    def _read(self, value: relax.Expr) -> list[str]:
        """The places of what an expression computes."""
        if isinstance(value, relax.Var):
            return self._places[value]
        if tvm_adapter.is_constant(value):
            array = tvm_adapter.constant_value(value)
            if array.dtype == np.float32 and not np.isfinite(array).all():
                self.includes = tuple(sorted({*self.includes, "math.h"}))
            self.inputs += (Tensor(array.shape, str(array.dtype), value=array),)
            return [f"input{len(self.inputs) - 1}"]
        if isinstance(value, relax.Tuple):
            return [place for item in value.fields for place in self._read(item)]
        if isinstance(value, relax.TupleGetItem):
            return [self._read(value.tuple_value)[value.index]]
        if tvm_adapter.op_name(value) == "relax.call_tir":
            return self._read_call(value)
        raise ValueError(f"TVM cannot lower {tvm_adapter.op_name(value) or type(value).__name__}")

    def _read_call(self, call: relax.Call) -> list[str]:
        function = self._module[call.args[0]]
        name = f"fallback_loops{len(self._functions)}"
        nest = print_loop_nest(function, name)
        self._functions.append(re.sub(rf"\b{name}\b", f"@name@_loops{len(self._functions)}", nest.text))
        self._patterns.append(int(function.attrs.get("op_pattern", -1)))
        self.includes = tuple(sorted({*self.includes, *nest.includes}))
        results = []
        for tensor in _tensors(call.ty_args[0]):
            results.append(f"value{len(self._value_bytes)}")
            self._value_bytes[results[-1]] = tensor.bytes
        working = [f"working{len(self._working_bytes) + index}" for index in range(len(nest.working_bytes))]
        self._working_bytes += nest.working_bytes
        self._calls.append((f"@name@_loops{len(self._calls)}", self._read(call.args[1]) + results + working))
        return results

    def _finish(self, results: list[str]) -> None:
        """Place the values, and write the function that calls all loops."""
        pointers = {f"input{index}": f"(void *)input{index}" for index in range(len(self.inputs))}
        pointers.update({place: f"output{index}" for index, place in enumerate(results)})
        if len(set(results)) != len(results) or not set(results) <= self._value_bytes.keys():
            raise ValueError("it returns a tensor that it does not compute, or one twice")
        size = 0
        places = self._value_bytes | {f"working{i}": item for i, item in enumerate(self._working_bytes)}
        for place, place_bytes in places.items():
            if place not in pointers:
                pointers[place] = f"(void *)((char *)scratch + {size})" if size else "scratch"
                size += -(-place_bytes // _SCRATCH_ALIGNMENT) * _SCRATCH_ALIGNMENT
        self.working_bytes = size
        parameters = [f"const void *input{index}" for index in range(len(self.inputs))]
        parameters += [f"void *output{index}" for index in range(len(results))]
        parameters += ["void *scratch"] if size else []
        read = {place for _, places in self._calls for place in places}
        calls = [
            f"    (void)input{index};" for index in range(len(self.inputs)) if f"input{index}" not in read
        ]
        calls += [
            f"    {function}({', '.join(pointers[place] for place in places)});"
            for function, places in self._calls
        ]
        self.text = _SOURCE.format(
            functions="\n".join(self._functions), parameters=", ".join(parameters), calls="\n".join(calls)
        )
