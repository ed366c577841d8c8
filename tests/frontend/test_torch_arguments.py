"""Every argument of every operator that is taken from torch: valid, edge and nonsense values.

An operator is computed as torch has it, or refused by name; there is no third way. The operators are
converted one by one on real numbers and run on TVM's VM together.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import getitem
from typing import Any

import numpy as np
import pytest
from tvm import relax

from tests.passes.layout_tools import run_on_vm
from tests.tools.corpus import SLOW
from tinycc.errors import TinyccError

pytest.importorskip("torch")

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from tinycc.frontend.torch.check import refuse_what_torch_refuses
from tinycc.frontend.torch.converters import CONVERTERS, checked
from tinycc.frontend.torch.operators import OPERATORS, check_arguments
from tinycc.frontend.torch.program import CONSTANT

IMAGE, SMALL, LINE, ROW = (1, 4, 6, 5), (1, 4, 1, 5), (1, 4, 9), (1, 6)
WEIGHTS: dict[str, tuple[tuple[int, ...], ...]] = {
    "conv1d": ((6, 4, 3), (6,)),
    "conv2d": ((6, 4, 3, 2), (6,)),
    "conv_transpose2d": ((4, 3, 3, 2), (3,)),
    "linear": ((3, 6), (3,)),
    "prelu": ((4,),),
    "_native_batch_norm_legit_no_training": ((4,),) * 4,
    "layer_norm": ((5,), (5,)),
    "embedding": ((7, 3),),
}
# What each operator is called with where it needs more than a tensor; names are the schema's.
CALLS: dict[str, dict[str, Any]] = {
    "adaptive_avg_pool2d": {"output_size": [3, 5]},
    "adaptive_max_pool2d": {"output_size": [3, 5]},
    "adaptive_avg_pool1d": {"output_size": [3]},
    "adaptive_max_pool1d": {"output_size": [3]},
    "avg_pool1d": {"kernel_size": [3]},
    "max_pool1d": {"kernel_size": [3]},
    "avg_pool2d": {"kernel_size": [3, 2]},
    "max_pool2d": {"kernel_size": [3, 2]},
    "sum.dim_IntList": {"dim": [2]},
    "mean.dim": {"dim": [2]},
    "max.dim": {"dim": 2},
    "min.dim": {"dim": 2},
    "softmax": {"dim": 1},
    "_softmax": {"dim": 1, "half_to_float": False},
    "pow": {"exponent": 2},
    "clamp": {"min": -0.5, "max": 0.7},
    "clamp_min": {"min": -0.5},
    "clamp_max": {"max": 0.5},
    "view": {"size": [1, 4, 30]},
    "_unsafe_view": {"size": [1, 4, 30]},
    "reshape": {"shape": [1, 4, 30]},
    "unflatten": {"dim": 2, "sizes": [2, 3]},
    "squeeze.dim": {"dim": 2},
    "squeeze.dims": {"dim": [0, 2]},
    "unsqueeze": {"dim": 1},
    "permute": {"dims": [0, 2, 3, 1]},
    "transpose": {"dim0": 1, "dim1": 2},
    "movedim": {"source": 1, "destination": 3},
    "narrow": {"dim": 1, "start": 1, "length": 2},
    "select": {"dim": 1, "index": 2},
    "split": {"split_size": 2, "dim": 1},
    "split_with_sizes": {"split_sizes": [1, 3], "dim": 1},
    "chunk": {"chunks": 2, "dim": 1},
    "unbind": {"dim": 1},
    "index_select": {"dim": 1},
    "flip": {"dims": [1, 3]},
    "roll": {"shifts": [1, -2], "dims": [2, 3]},
    "expand": {"size": [1, 4, 3, 5]},
    "repeat": {"repeats": [1, 2, 1, 1]},
    "constant_pad_nd": {"pad": [1, 2, 0, 3], "value": 0.5},
    "pad": {"pad": [1, 2, 0, 3], "mode": "reflect"},
    "reflection_pad1d": {"padding": [1, 2]},
    "replication_pad1d": {"padding": [1, 2]},
    "reflection_pad2d": {"padding": [1, 2, 0, 3]},
    "replication_pad2d": {"padding": [1, 2, 0, 3]},
    "upsample_nearest1d": {"output_size": [18], "scale_factors": None},
    "upsample_nearest2d.default": {"output_size": [12, 10]},
    "upsample_nearest2d.vec": {"output_size": [12, 10], "scale_factors": None},
    "_upsample_nearest_exact2d": {"output_size": [12, 10], "scale_factors": None},
    "upsample_bilinear2d.default": {"output_size": [12, 10], "align_corners": False},
    "upsample_bilinear2d.vec": {"output_size": [12, 10], "align_corners": False, "scale_factors": None},
    "pixel_shuffle": {"upscale_factor": 2},
    "pixel_unshuffle": {"downscale_factor": 1},
    "channel_shuffle": {"groups": 2},
    "dropout": {"p": 0.5, "train": False},
    "div.Tensor_mode": {"rounding_mode": None},
    "rsub": {"other": 1.5},
    "_native_batch_norm_legit_no_training": {"momentum": 0.1, "eps": 1e-5},
    "layer_norm": {"normalized_shape": [5]},
}
LINES = (
    *("conv1d", "avg_pool1d", "max_pool1d", "adaptive_avg_pool1d", "adaptive_max_pool1d"),
    *("upsample_nearest1d", "reflection_pad1d", "replication_pad1d", "bmm"),
)
ROWS = ("linear", "t")
POSITIVE = ("log", "sqrt", "rsqrt", "pow", "reciprocal")

INTEGERS = [0, 1, 2, 3, -1, -2, 7, -9]
LISTS = [
    [],
    [0],
    [1],
    [2],
    [1, 2],
    [2, 1],
    [3, 3],
    [-1, 0],
    [2, 0, 1],
    [1, 4, -1],
    [1, 1, 2, 1],
    [9, 9],
    [1, -2, 0, 1],
]
NUMBERS = [0, 1, 2, -1, 0.5, -1.5, 30.0, math.nan, math.inf, -math.inf]
# By the type of the argument in the schema.
VALUES: dict[str, list[Any]] = {
    "int": INTEGERS,
    "Optional[int]": [None, *INTEGERS],
    "List[int]": [*LISTS, 1, 2],
    "Optional[List[int]]": [None, *LISTS],
    "bool": [False, True],
    "number": NUMBERS,
    "Optional[number]": [None, *NUMBERS],
    "float": NUMBERS,
    "Optional[float]": [None, *NUMBERS],
    "Optional[List[float]]": [None, [2.0, 2.0], [1.5, 1.5], [2.0], [0.3, 3.0], [0.0, -1.0]],
    "str": ["valid", "same", "constant", "reflect", "replicate", "circular", "none", "tanh", "nonsense"],
    "Optional[str]": [None, "floor", "trunc", "nonsense"],
}
# Types and memory formats are integers in a schema.
NAMED: dict[str, list[Any]] = {
    "dtype": [None, torch.float32, torch.float64, torch.int32],
    "memory_format": [torch.contiguous_format, torch.channels_last, torch.preserve_format],
}
TYPES = {"SymInt": "int", "Scalar": "number", "ScalarType": "int"}


def overload(name: str) -> Any:
    _, packet, kind = name.split(".")
    return getattr(getattr(torch.ops.aten, packet), kind)


def looked_up(table: dict[str, Any], name: str) -> Any:
    _, packet, kind = name.split(".")
    return table.get(f"{packet}.{kind}", table.get(packet))


@dataclass
class Case:
    """A call of an operator with these arguments; tensors by the names of the schema."""

    name: str
    tensors: dict[str, Any]
    arguments: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.name} {self.arguments}"

    def node(self) -> torch.fx.Node:
        """In a graph of its own, as the frontend has it; TinyccError where it is refused."""
        graph = torch.fx.Graph()
        mode = FakeTensorMode()

        def placed(value: Any) -> Any:
            if isinstance(value, list):
                return [placed(item) for item in value]
            placeholder = graph.placeholder(f"x{len(graph.nodes)}")
            placeholder.meta.update({"val": mode.from_tensor(value), CONSTANT: value.numpy(), "value": value})
            return placeholder

        operands = {name: placed(value) for name, value in self.tensors.items()}
        node = graph.call_function(overload(self.name), (), {**operands, **self.arguments})
        returns = overload(self.name)._schema.returns
        is_tensor = [str(item.type) for item in returns] == ["Tensor"]
        # Not as it is: what a module returns has a quantization of its own.
        result = node if is_tensor else graph.call_function(getitem, (node, 0))
        graph.output(graph.call_function(torch.ops.aten.neg.default, (result,)))
        refuse_what_torch_refuses(torch.fx.GraphModule({}, graph))
        check_arguments(node)
        with mode:
            values = torch.fx.map_arg(operands, lambda item: item.meta["val"])
            node.meta["val"] = overload(self.name)(**values, **self.arguments)
        return node

    def right(self) -> list[torch.Tensor]:
        """What torch makes of it; raises what torch raises."""
        result = overload(self.name)(**self.tensors, **self.arguments)
        return [result] if isinstance(result, torch.Tensor) else list(result)


def placeholders(graph: torch.fx.Graph) -> list[torch.fx.Node]:
    return [node for node in graph.nodes if node.op == "placeholder"]


@functools.cache
def tensors_of(name: str) -> dict[str, Any]:
    """Operands for an operator, of numbers that it is defined for."""
    packet = name.split(".")[1]
    generator = torch.Generator().manual_seed(len(name))
    shape = LINE if packet in LINES else ROW if packet in ROWS else SMALL if packet == "expand" else IMAGE
    value = torch.randn(shape, generator=generator)
    if packet in POSITIVE:
        value = value.abs() + 0.25
    found: dict[str, Any] = {}
    for argument in overload(name)._schema.arguments:
        kind = str(argument.type)
        if argument.name in ("self", "input"):
            found[argument.name] = value
        elif argument.name == "tensors":
            found[argument.name] = [value, value + 1]
        elif argument.name == "other" and kind == "Tensor":
            found[argument.name] = torch.rand(shape, generator=generator) + 0.5
        elif argument.name in ("index", "indices") and kind == "Tensor":
            found[argument.name] = torch.tensor([2, 0, 0, 3, 1])
    shapes = WEIGHTS.get(packet, ())
    for argument, own in zip(("weight", "bias", "running_mean", "running_var"), shapes, strict=False):
        found[argument] = torch.randn(own, generator=generator) / 2
    if "running_var" in found:
        found["running_var"] = found["running_var"].abs() + 0.25
    for argument in {"matmul": ["other"], "bmm": ["mat2"]}.get(packet, []):
        found[argument] = value.mT.contiguous()
    return found


def mutations(name: str) -> Iterator[Case]:
    """The operator as it is usually called, and with each argument changed in turn."""
    tensors, usual = tensors_of(name), looked_up(CALLS, name) or {}
    yield Case(name, tensors, usual)
    for argument in overload(name)._schema.arguments:
        if argument.name in tensors:
            if str(argument.type) == "Optional[Tensor]":
                rest = {key: value for key, value in tensors.items() if key != argument.name}
                yield Case(name, rest, usual)
            elif argument.name == "other":
                rest = {key: value for key, value in tensors.items() if key != argument.name}
                for value in NUMBERS:
                    yield Case(name, rest, {**usual, "other": value})
            continue
        kind = str(argument.type)
        for old, new in TYPES.items():
            kind = kind.replace(old, new)
        for value in NAMED.get(argument.name, VALUES[kind]):
            yield Case(name, tensors, {**usual, argument.name: value})


class Importer:
    """What converters need of TVM's."""

    def __init__(self, builder: relax.BlockBuilder, node: torch.fx.Node, variables: Variables) -> None:
        self.block_builder = builder
        self.env = {item: variables[item.meta["value"]] for item in placeholders(node.graph)}


Variables = dict[torch.Tensor, relax.Var]


def variables_of(tensors: Iterable[Any]) -> Variables:
    """A parameter for each tensor."""
    found: Variables = {}
    for value in tensors:
        for tensor in value if isinstance(value, list) else [value]:
            kind = relax.TensorType(tensor.shape, str(tensor.dtype).removeprefix("torch."))
            found[tensor] = relax.Var(f"x{len(found)}", kind)
    return found


def check(cases: list[Case]) -> tuple[int, int]:
    """Assert that each is computed as torch has it or refused by name; how many of both there are."""
    variables = variables_of(tensor for name in OPERATORS for tensor in tensors_of(name).values())
    builder, results, taken, refused = relax.BlockBuilder(), [], [], 0
    with builder.function("main", list(variables.values())):
        with builder.dataflow():
            for case in cases:
                try:
                    node = case.node()
                    value = checked(CONVERTERS[case.name])(node, Importer(builder, node, variables))
                except TinyccError as error:
                    assert case.name.split(".")[1] in str(error) and "\n" not in str(error), (
                        str(case),
                        error,
                    )
                    refused += 1
                    continue
                except Exception as error:
                    raise AssertionError(str(case)) from error
                for item, expected in zip(
                    value if isinstance(value, list) else [value], case.right(), strict=False
                ):
                    results.append(builder.emit(item))
                    taken.append((case, expected))
            output = builder.emit_output(relax.Tuple(results))
        builder.emit_func_output(output)
    outputs = run_on_vm(builder.get(), [tensor.numpy() for tensor in variables])
    for (case, expected), result in zip(taken, outputs, strict=True):
        np.testing.assert_allclose(result, expected.numpy(), 1e-4, 1e-5, err_msg=str(case))
    return len({id(case) for case, _ in taken}), refused


def test_the_table_names_every_argument() -> None:
    for name, taken in OPERATORS.items():
        assert set(taken) == {argument.name for argument in overload(name)._schema.arguments}
    assert set(OPERATORS) == set(CONVERTERS)


def test_the_usual_call_of_each_operator_is_taken() -> None:
    cases = [next(mutations(name)) for name in OPERATORS]
    assert check(cases) == (len(cases), 0)


def test_a_changed_argument_is_computed_or_refused_by_name() -> None:
    cases = [case for name in OPERATORS for case in mutations(name)]
    if not SLOW:
        chosen = np.random.default_rng(0).permutation(len(cases))[:400]
        cases = [cases[index] for index in chosen]
    taken, refused = check(cases)
    assert min(taken, refused) > len(cases) // 10
