"""The inputs of an ONNX model: with shapes that are known, and without its initializers."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx

from tinycc.errors import ModelError, UnsupportedError
from tinycc.frontend.onnx.inference import MAX_TENSOR_ELEMENTS


def prepare_inputs(
    path: Path, model: onnx.ModelProto, any_batch: bool, shapes: Mapping[str, Sequence[int]]
) -> None:
    """Drop initializers from the inputs, and give each its shape, in place.

    A batch that is dynamic becomes 1. shapes: of inputs by name. any_batch: see read_onnx.
    """
    initializers = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in initializers]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    model.ir_version = max(model.ir_version, 4)  # before, every initializer was an input
    unknown = sorted(shapes.keys() - {value.name for value in inputs})
    if unknown:
        names = ", ".join(value.name for value in inputs)
        raise UnsupportedError(f"{path}: there is no input {unknown[0]!r} to give a shape, only {names}")
    for value in model.graph.input:
        tensor_type = value.type.tensor_type
        if value.name in shapes:
            _give_shape(path, value, shapes[value.name])
        if not tensor_type.HasField("shape"):
            raise UnsupportedError(f"{path}: input {value.name!r} has no shape; {_advice(value.name, 4)}")
        dims = tensor_type.shape.dim
        for axis, dim in enumerate(dims):
            if dim.dim_value > 0:
                continue
            if dim.HasField("dim_value") and dim.dim_value == 0 and (axis > 0 or any_batch):
                raise UnsupportedError(
                    f"{path}: input {value.name!r} has no elements, which is not supported"
                )
            if axis > 0:
                raise UnsupportedError(
                    f"{path}: dimension {axis} of input {value.name!r} is dynamic; "
                    f"{_advice(value.name, len(dims))}"
                )
            dim.dim_value = 1
        if not any_batch and len(dims) > 1 and dims[0].dim_value != 1:
            raise UnsupportedError(
                f"{path}: input {value.name!r} has a batch of {dims[0].dim_value}; export it with batch 1"
            )
        if np.prod([float(dim.dim_value) for dim in dims]) > MAX_TENSOR_ELEMENTS:
            raise ModelError(f"{path}: input {value.name!r} has more than {MAX_TENSOR_ELEMENTS} elements")
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")


def _advice(name: str, rank: int) -> str:
    example = "x".join(["1", *["16"] * (rank - 1)])
    return f"export fixed shapes, or give one with --shape {name}={example}"


def _give_shape(path: Path, value: onnx.ValueInfoProto, shape: Sequence[int]) -> None:
    """Set the shape of an input; UnsupportedError where it is not one that the file leaves open."""
    tensor_type = value.type.tensor_type
    stated = [dim.dim_value if dim.HasField("dim_value") else 0 for dim in tensor_type.shape.dim]
    fits = len(stated) == len(shape) and all(
        old <= 0 or old == new for old, new in zip(stated, shape, strict=True)
    )
    shown = "x".join(map(str, shape))
    if min(shape, default=1) < 1 or (tensor_type.HasField("shape") and not fits):
        said = "x".join(str(size) if size > 0 else "?" for size in stated)
        raise UnsupportedError(f"{path}: --shape {value.name}={shown}: the shape of this input is {said}")
    del tensor_type.shape.dim[:]
    tensor_type.shape.SetInParent()
    for size in shape:
        tensor_type.shape.dim.add(dim_value=size)
