"""What a model's inputs and outputs are called and mean, kept as an attribute of `main`.

The module holds what runs on the device. A model file often says it differently: float32 edges that
are quantised at once, uint8, NCHW. `Edge` remembers the file's view, so that arrays in the file's own
form can be fed and read, and the report can say how to convert.
"""

import json
from dataclasses import asdict, dataclass

import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.errors import UnsupportedError

ATTRIBUTE = "tinycc.edges"


@dataclass(frozen=True)
class Edge:
    """One input or output of a model.

    name: as in the file.
    dtype, shape: as in the file, e.g. "float32", (1, 3, 32, 32).
    scale, zero_point: quantisation of the tensor on the device (int8, uint8 or int16); scale None means
        that the device tensor is not quantised. Where the file's dtype is uint8 and the device's int8, the
        zero point is the file's minus 128.
    permutation: axes such that device = transpose(file, permutation); () if the layouts agree.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    scale: float | None = None
    zero_point: int = 0
    permutation: tuple[int, ...] = ()


@dataclass(frozen=True)
class Edges:
    """All inputs and outputs of a model, in the order of the file (state tensors are not among them)."""

    inputs: tuple[Edge, ...]
    outputs: tuple[Edge, ...]


def _edge(fields: dict) -> Edge:
    return Edge(**{**fields, "shape": tuple(fields["shape"]), "permutation": tuple(fields["permutation"])})


def read_edges(module: tvm.IRModule) -> Edges:
    """The edges that `with_edges` stored on the module's `main`; UnsupportedError where there are none."""
    names = [str(variable.name_hint) for variable in module.functions]
    stored = tvm_adapter.attribute(module["main"], ATTRIBUTE) if "main" in names else None
    if stored is None:
        raise UnsupportedError(
            f"the Relax module has no function main with the attribute {ATTRIBUTE}: run InferEdges before"
        )
    stored = json.loads(str(stored))
    return Edges(*(tuple(_edge(fields) for fields in stored[side]) for side in ("inputs", "outputs")))


def with_edges(function: relax.Function, edges: Edges) -> relax.Function:
    """`function` with `edges` as an attribute."""
    return function.with_attr(ATTRIBUTE, json.dumps(asdict(edges)))
