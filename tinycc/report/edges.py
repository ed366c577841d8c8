"""Inputs and outputs of a model as report.json tells them."""

from tinycc.edges import Edge
from tinycc.ops.tensor import Tensor
from tinycc.plan import Buffer


def describe_edge(edge: Edge, tensor: Tensor, buffer: Buffer) -> dict[str, object]:
    """What a run, and who calls the C, have to know of one."""
    return {
        "name": edge.name,
        "shape": list(tensor.shape),
        "dtype": tensor.dtype,
        "bytes": tensor.bytes,
        "offset": buffer.offset,
        "scale": edge.scale if tensor.dtype != "float32" else None,
        "zero_point": edge.zero_point,
        "file_dtype": edge.dtype,
        "file_shape": list(edge.shape),
        "permutation": list(edge.permutation),
    }
