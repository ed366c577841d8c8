"""What has to hold of a TFLite file before it is imported.

The rules are those of TFLite's 8-bit quantization specification
(https://www.tensorflow.org/lite/performance/quantization_spec) and of TFLite's own preparation of its
kernels; a file that breaks one would be refused, or computed differently, by TFLite itself.
"""

import math

import numpy as np

from tinycc.errors import ModelError, UnsupportedError
from tinycc.frontend.numbers import check_numbers
from tinycc.frontend.tflite.converter import unsupported_reason
from tinycc.frontend.tflite.file import FileOperator, FileTensor, TfliteFile
from tinycc.frontend.tflite.options import option_fault
from tinycc.frontend.tflite.unsigned import ORDER_PRESERVING

MAX_TENSOR_BYTES = 256 << 20

# input, weights and bias positions
WEIGHTED = {
    "CONV_2D": (0, 1, 2),
    "DEPTHWISE_CONV_2D": (0, 1, 2),
    "FULLY_CONNECTED": (0, 1, 2),
    "SVDF": (0, 1, 3),
    "TRANSPOSE_CONV": (2, 1, 3),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (0, 2, 13),
}
_BIAS_CHECKED = WEIGHTED.keys() - {"SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM"}
_OPTIONAL_INPUTS = frozenset({"UNIDIRECTIONAL_SEQUENCE_LSTM", "SVDF"})
_BATCH_FREE = frozenset({"int32", "int64"})


def check(file: TfliteFile) -> None:
    """Raise ModelError where the file contradicts itself, UnsupportedError where tinycc cannot follow it.

    file: with its variables resolved, each of its operators looked at by check_operators.
    """
    total = sum(math.prod(tensor.shape) * np.dtype(tensor.dtype).itemsize for tensor in _used(file))
    if total > MAX_TENSOR_BYTES:
        raise ModelError(
            f"{file.path} has tensors of {total:,} bytes together: too large for a microcontroller"
        )
    _check_operands(file)
    biases = {bias.index for op in file.operators if (bias := _bias(file, op)) is not None}
    for tensor in _used(file):
        if tensor.index not in biases:
            _check_quantization(file, tensor)
    for op in file.operators:
        if op.kind in _BIAS_CHECKED:
            _check_weights(file, op)
    for index in (*file.inputs, *file.outputs):
        tensor = file.tensors[index]
        if len(tensor.shape) > 1 and tensor.shape[0] != 1 and tensor.dtype not in _BATCH_FREE:
            raise UnsupportedError(
                f"{file.path}: {tensor.name} has the batch size {tensor.shape[0]}: export the model with 1"
            )


def _used(file: TfliteFile) -> list[FileTensor]:
    indices = {index for op in file.operators for index in (*op.inputs, *op.outputs) if index >= 0}
    return [file.tensors[index] for index in sorted(indices | set(file.inputs) | set(file.outputs))]


def _bias(file: TfliteFile, op: FileOperator) -> FileTensor | None:
    position = WEIGHTED[op.kind][2] if op.kind in _BIAS_CHECKED else len(op.inputs)
    return file.tensor(op.inputs[position]) if position < len(op.inputs) else None


def check_operators(file: TfliteFile, allow_float: bool = False) -> None:
    """UnsupportedError for an operator that tinycc does not compile, the most telling of several.

    ModelError for weights that are no numbers.

    allow_float: whether operators may compute in float32.
    """
    refused = sorted({op.custom or op.kind for op in file.operators if unsupported_reason(op)})
    if refused:
        kind = "custom operators" if any(op.kind == "CUSTOM" for op in file.operators) else "operators"
        raise UnsupportedError(f"{file.path} holds {kind} that are not supported: {', '.join(refused)}")
    constants = ((tensor.name, tensor.value) for tensor in _used(file) if tensor.value is not None)
    check_numbers(constants, f"{file.path}: ", _weights_of_layers(file))
    refusals = [(op, reason) for op in file.operators if (reason := refusal(file, op, allow_float))]
    for op, reason in sorted(refusals, key=lambda found: found[1] == FLOAT):
        raise UnsupportedError(f"{file.path}: {op.title} {reason}")


def _weights_of_layers(file: TfliteFile) -> set[str]:
    """The names of the tensors that layers take beside their input, or of what is widened to them."""
    widened = {op.outputs[0]: op.inputs[0] for op in file.operators if op.kind == "DEQUANTIZE"}
    taken = {
        index
        for op in file.operators
        if op.kind in WEIGHTED
        for position, index in enumerate(op.inputs)
        if index >= 0 and position != WEIGHTED[op.kind][0]
    }
    return {file.tensors[widened.get(index, index)].name for index in taken}


def _check_operands(file: TfliteFile) -> None:
    """Every operand is there, and computed once, before it is used."""
    _check_inputs(file)
    read = {index for op in file.operators for index in op.inputs}
    known = set(file.inputs) | {tensor.index for tensor in file.tensors if tensor.value is not None}
    known |= {tensor.index for tensor in file.tensors if tensor.is_variable and tensor.index in read}
    for op in file.operators:
        where = f"{file.path}: {op.title}"
        if min(op.outputs, default=0) < 0:
            raise ModelError(f"{where} lacks an output")
        bias = WEIGHTED[op.kind][2] if op.kind in _BIAS_CHECKED else None
        for position, index in enumerate(op.inputs):
            if index < 0 and op.kind not in _OPTIONAL_INPUTS and position != bias:
                raise ModelError(f"{where} lacks its input {position}")
            if index >= 0 and index not in known:
                raise ModelError(f"{where} reads {file.tensors[index].name} before it is computed")
        if known.intersection(op.outputs):
            raise ModelError(f"{where} writes a tensor that is an input, a constant or written before")
        known.update(op.outputs)
    for index in file.outputs:
        if index not in known:
            raise ModelError(f"{file.path}: the output {file.tensors[index].name} is never computed")


def _check_inputs(file: TfliteFile) -> None:
    """Each input is listed once, and neither a constant nor a state."""
    for position, index in enumerate(file.inputs):
        tensor = file.tensors[index]
        where = f"{file.path}: the input {tensor.name}"
        if index in file.inputs[:position]:
            raise UnsupportedError(f"{where} is listed twice: list it once")
        if tensor.value is not None or tensor.is_variable:
            raise UnsupportedError(f"{where} is {'a state' if tensor.is_variable else 'a constant'} as well")


HYBRID = (
    "is hybrid (int8 weights, float activations): convert the model with full integer quantization, "
    "or compile it with --float"
)
FLOAT = "computes in float32: quantize the model to int8 first, or compile it with --float"


def refusal(file: TfliteFile, op: FileOperator, allow_float: bool = False) -> str:
    """Why tinycc does not compile an operator; "" where it does."""
    return unsupported_reason(op) or _number_kind_fault(file, op, allow_float) or option_fault(file, op)


def _number_kind_fault(file: TfliteFile, op: FileOperator, allow_float: bool) -> str:
    """What an operator of a hybrid, legacy uint8 or float model is."""
    operands = [file.tensors[index] for index in (*op.inputs, *op.outputs) if index >= 0]
    dtypes = [tensor.dtype for tensor in operands]
    positions = WEIGHTED.get(op.kind, ())[:2]
    if positions and len(op.inputs) > max(positions) and all(op.inputs[at] >= 0 for at in positions):
        source, weights = (file.tensors[op.inputs[at]].dtype for at in positions)
        if source == "float32" and weights == "int8":
            return "" if allow_float else HYBRID
        if (
            source != "float32"
            and "uint8" not in dtypes
            and (source not in ("int8", "int16") or weights != "int8")
        ):
            return f"has {source} activations with {weights} weights, which is not supported"
    if op.kind in ("QUANTIZE", "DEQUANTIZE"):
        return ""
    if "uint8" in dtypes and op.kind not in ORDER_PRESERVING:
        return "uses the legacy uint8 quantization: convert the model again with int8 quantization"
    return FLOAT if "float32" in dtypes and not allow_float else ""


def _check_quantization(file: TfliteFile, tensor: FileTensor) -> None:
    """Scales positive and finite, zero points within the dtype, as many as channels."""
    where = f"{file.path}: {tensor.name}"
    if any(size < 1 for size in tensor.shape):
        raise ModelError(f"{where} has the shape {tensor.shape}")
    if (
        tensor.dtype in ("int8", "uint8", "int16")
        and not tensor.is_quantized
        and tensor.index in _computed(file)
    ):
        raise ModelError(f"{where} is {tensor.dtype} but has no quantization parameters")
    if not tensor.is_quantized:
        return
    is_valid = np.all(np.isfinite(tensor.scales)) and not np.any(tensor.scales < 0)
    if not is_valid or not _may_have_zero_scales(tensor):
        raise ModelError(f"{where} has a scale that is not a positive number")
    if tensor.zero_points.size not in (0, 1, tensor.scales.size):
        raise ModelError(f"{where} has {tensor.scales.size} scales and {tensor.zero_points.size} zero points")
    if tensor.scales.size > 1:
        if tensor.value is None:
            raise ModelError(f"{where} has {tensor.scales.size} scales: activations have just one")
        if not 0 <= tensor.axis < len(tensor.shape) or tensor.shape[tensor.axis] != tensor.scales.size:
            raise ModelError(
                f"{where} of shape {tensor.shape} has {tensor.scales.size} scales on axis {tensor.axis}"
            )
        if np.any(tensor.zero_points != 0):
            raise ModelError(f"{where} has a scale for each channel and a zero point other than 0")
    if np.dtype(tensor.dtype).kind not in "iu" or not tensor.zero_points.size:
        return
    limits = np.iinfo(tensor.dtype)
    if tensor.zero_points.min() < limits.min or tensor.zero_points.max() > limits.max:
        raise ModelError(f"{where} is {tensor.dtype} with the zero point {tensor.zero_point}")


def _may_have_zero_scales(tensor: FileTensor) -> bool:
    """Whether scales of 0, if there are any, are of channels of a constant that hold nothing but 0."""
    empty = np.flatnonzero(tensor.scales == 0)
    if not empty.size:
        return True
    if tensor.value is None or tensor.shape[tensor.axis :][:1] != (tensor.scales.size,):
        return False
    return not np.any(np.take(tensor.value, empty, tensor.axis))


def _computed(file: TfliteFile) -> set[int]:
    return {index for op in file.operators for index in op.outputs} | set(file.inputs)


def _check_weights(file: TfliteFile, op: FileOperator) -> None:
    """Weights and bias as TFLite demands them; it adds the bias' integers as they are.

    Only FULLY_CONNECTED with one weight scale looks at the scale of the bias: it may differ from input scale
    x weight scale by 2 % of the output's scale.
    """
    source, weights = (file.tensors[op.inputs[position]] for position in WEIGHTED[op.kind][:2])
    output, bias, where = file.tensors[op.outputs[0]], _bias(file, op), f"{file.path}: {op.title}"
    if "float32" in (source.dtype, output.dtype):
        _check_float_layer(where, source, weights, output, bias)
        return
    if not (source.is_quantized and weights.is_quantized and output.is_quantized):
        raise ModelError(f"{where} has operands without quantization parameters")
    is_dense = op.kind == "FULLY_CONNECTED"
    if np.any(weights.zero_points) and not is_dense:
        raise ModelError(f"{where} has weights with the zero point {weights.zero_points.max()}")
    if bias is None:
        return
    channels = output.shape[-1] if output.shape else 1
    wanted = ("int32", "int64") if source.dtype == "int16" else ("int32",)
    if bias.dtype not in wanted or math.prod(bias.shape) != channels:
        raise ModelError(f"{where} has a bias of {bias.dtype}{list(bias.shape)} for {channels} channels")
    if np.any(bias.zero_points) and not is_dense:
        raise ModelError(f"{where} has a bias with the zero point {bias.zero_points.max()}")
    if is_dense and weights.scales.size == 1:
        expected, found = source.scale * weights.scale, bias.scale if bias.is_quantized else 0.0
        with np.errstate(all="ignore"):  # a damaged scale gives inf or nan, which are refused below
            error = abs(expected - found) / np.float64(output.scale)
        if not error <= 0.02:
            raise ModelError(
                f"{where} contradicts itself: its bias {bias.name} has the scale {found:g}, "
                f"input scale x weight scale is {expected:g}: convert it again"
            )


def _check_float_layer(
    where: str, source: FileTensor, weights: FileTensor, output: FileTensor, bias: FileTensor | None
) -> None:
    """Real numbers in, real numbers out; weights may be stored as integers."""
    dtypes = source.dtype, weights.dtype, output.dtype
    if dtypes not in (("float32", "float32", "float32"), ("float32", "int8", "float32")):
        raise UnsupportedError(f"{where} makes {dtypes[2]} of {dtypes[0]} with {dtypes[1]} weights")
    if weights.dtype == "int8" and not weights.is_quantized:
        raise ModelError(f"{where} has operands without quantization parameters")
    channels = output.shape[-1] if output.shape else 1
    if bias is not None and (bias.dtype != "float32" or math.prod(bias.shape) != channels):
        raise ModelError(f"{where} has a bias of {bias.dtype}{list(bias.shape)} for {channels} channels")
