"""What a .tflite file holds, in figures."""

import math
from pathlib import Path

from tinycc.frontend.description import ModelDescription, OperatorDescription, TensorDescription
from tinycc.frontend.tflite.check import refusal
from tinycc.frontend.tflite.file import RESOURCE, FileOperator, FileTensor, TfliteFile, read_tflite


def describe_tflite(path: Path) -> ModelDescription:
    """Describe a file, whether or not tinycc can compile it; ModelError where it cannot be parsed."""
    file = read_tflite(path)
    used = {index for op in file.operators for index in op.inputs if index >= 0}
    constants = {
        tensor.buffer for tensor in file.tensors if tensor.index in used and tensor.value is not None
    }
    return ModelDescription(
        path=path,
        format="tflite",
        inputs=tuple(_tensor(file.tensors[index]) for index in file.inputs),
        outputs=tuple(_tensor(file.tensors[index]) for index in file.outputs),
        operators=tuple(_operator(file, op) for op in file.operators),
        weight_bytes=sum(file.model.Buffers(buffer).DataLength() for buffer in constants),
    )


def _tensor(tensor: FileTensor) -> TensorDescription:
    return TensorDescription(tensor.name, tensor.shape, tensor.dtype, _quantization(tensor))


def _quantization(tensor: FileTensor) -> str:
    if not tensor.is_quantized or tensor.dtype == "float32":
        return ""
    return f"scale {tensor.scale:.6g}, zero point {tensor.zero_point}"


def _operator(file: TfliteFile, op: FileOperator) -> OperatorDescription:
    reason = refusal(file, op)
    output = file.tensor(op.outputs[0]) if op.outputs else None
    operands = [file.tensors[index] for index in op.inputs if index >= 0]
    computed = [tensor for tensor in operands if tensor.value is None and tensor.dtype != RESOURCE]
    return OperatorDescription(
        index=op.index,
        kind=op.custom or op.kind,
        inputs=tuple(tensor.shape for tensor in computed),
        output=output.shape if output else (),
        dtype=output.dtype if output else "",
        quantization=_quantization(output) if output else "",
        macs=_macs(file, op),
        supported=not reason,
        reason=reason,
    )


def _macs(file: TfliteFile, op: FileOperator) -> int:
    """Multiply-accumulates of the operators with weights; padding counts as if it were there."""
    shapes = [file.tensors[index].shape if index >= 0 else () for index in (*op.inputs, *op.outputs)]
    if op.kind not in (
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "FULLY_CONNECTED",
        "TRANSPOSE_CONV",
        "SVDF",
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
    ):
        return 0
    if len(op.inputs) < 3 or not op.outputs or len(shapes[1]) < 2 or not shapes[0]:
        return 0
    output = math.prod(shapes[len(op.inputs)])
    weights = math.prod(shapes[1])
    if op.kind == "CONV_2D":
        return output * weights // max(shapes[1][0], 1)
    if op.kind == "DEPTHWISE_CONV_2D":
        return output * weights // max(shapes[1][-1], 1)
    if op.kind == "FULLY_CONNECTED":
        return output * shapes[1][1]
    if op.kind == "TRANSPOSE_CONV":
        return math.prod(shapes[2]) * weights // max(shapes[1][-1], 1)
    if op.kind == "SVDF":
        return weights + math.prod(shapes[2])
    steps = math.prod(shapes[0][:-1])
    return steps * sum(math.prod(shape) for shape in shapes[1:9] if shape)
